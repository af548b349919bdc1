//! What the compiler asks of a library that has nothing of std: what happens at a panic, where
//! memory comes from, and the name of a function that would have a part in unwinding.
//!
//! std would bring a second library to load (the unwinder), functions to run when a program starts,
//! and half of the code. A program that spawns others pays for that every time.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use allocator_api2::alloc::Allocator;

use super::entry;
use crate::alloc::Heap;

#[panic_handler]
fn report(info: &PanicInfo<'_>) -> ! {
    static REPORTING: AtomicBool = AtomicBool::new(false);
    // A panic in what follows must not come back here.
    let entry = match REPORTING.swap(true, Relaxed) {
        false => entry::function(),
        true => None,
    };
    super::report::end(entry, info.message(), info.location())
}

/// Collections take their memory from [`Heap`] by name, since it can be refused there. Whatever does
/// not gets the same memory.
#[global_allocator]
static MEMORY: Heap = Heap;

// SAFETY: the blocks are those of the other allocator trait, which promises the same.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.allocate(layout)
            .map_or(core::ptr::null_mut(), |block| block.cast().as_ptr())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller gives a block back that it got above.
            unsafe { self.deallocate(block, layout) };
        }
    }
}

// core is compiled for programs that unwind, and names this function in its tables. Nothing unwinds
// here; where this is part of a Rust program that does, std's takes its place.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
core::arch::global_asm!(
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    "ud2"
);
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
core::arch::global_asm!(
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    ".long 0"
);
