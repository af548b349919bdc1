//! What the compiler requires of a library without std: a function for panics, a global allocator,
//! and the name of a function for unwinding (`sys/personality.rs`).
//!
//! std would add a second library to load (the unwinder), functions to run when a program starts,
//! and half of the code. A program that starts others pays for that each time.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use allocator_api2::alloc::Allocator;

use super::entry;
use crate::alloc::Heap;

#[panic_handler]
fn report(info: &PanicInfo<'_>) -> ! {
    static REPORTING: AtomicBool = AtomicBool::new(false);
    // A panic in what follows must not run this again.
    let entry = match REPORTING.swap(true, Relaxed) {
        false => entry::function(),
        true => None,
    };
    let message = info.message();
    super::report::end(entry, &|line| write!(line, "{message}"), info.location())
}

/// The global allocator. Collections name [`Heap`] instead, since that can fail; what does not
/// gets its memory from `Heap` as well.
#[global_allocator]
static MEMORY: Heap = Heap;

// SAFETY: the blocks are those of the other allocator trait, which has the same contract.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.allocate(layout)
            .map_or(core::ptr::null_mut(), |block| block.cast().as_ptr())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller returns a block that it got from `alloc`.
            unsafe { self.deallocate(block, layout) };
        }
    }
}
