//! What the compiler asks of a library that has nothing of std: what happens at a panic, where
//! memory comes from, and the name of a function that would have a part in unwinding.
//!
//! std would bring a second library to load (the unwinder), functions to run when a program starts,
//! and half of the code. A program that spawns others pays for that every time.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::entry;
use crate::alloc;

#[panic_handler]
fn report(info: &PanicInfo<'_>) -> ! {
    static REPORTING: AtomicBool = AtomicBool::new(false);
    // A panic in what follows must not come back here.
    let entry = match REPORTING.swap(true, Relaxed) {
        false => entry::function(),
        true => None,
    };
    super::end(entry, info.message(), info.location())
}

/// Collections take their memory from [`crate::alloc`] by name, since it can be refused there.
/// Whatever does not gets the same memory.
struct Users;

#[global_allocator]
static MEMORY: Users = Users;

// SAFETY: blocks are those of `malloc`, and none is handed out where it would not be aligned enough.
unsafe impl GlobalAlloc for Users {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > align_of::<libc::max_align_t>() {
            return core::ptr::null_mut();
        }
        alloc::malloc(layout.size()).cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller gives a block back that it got above.
        unsafe { alloc::free(block.cast::<c_void>()) };
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
