//! What models are made of: loops, async handles, and data that threads pass on.

use core::ffi::c_int;
use core::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use loom::cell::UnsafeCell;
use modelled::AtomicUsize;
use uv::abi::*;

/// Before the first model: what the library does once in a process, and memory that is at the same
/// place in each run.
pub fn prepare() {
    // SAFETY: there is one thread.
    unsafe { std::env::set_var("OXUV_SPIN_US", "0") };
    // SAFETY: this comes before any other call, and the functions are of one allocator.
    let result = unsafe {
        uv::uv_replace_allocator(
            Some(allocate),
            Some(reallocate),
            Some(zeroed),
            Some(release),
        )
    };
    assert_eq!(result, 0);
    close_loop(new_loop());
}

unsafe extern "C" fn allocate(bytes: usize) -> *mut core::ffi::c_void {
    modelled::allocate(bytes)
}

unsafe extern "C" fn reallocate(
    block: *mut core::ffi::c_void,
    bytes: usize,
) -> *mut core::ffi::c_void {
    modelled::reallocate(block, bytes)
}

unsafe extern "C" fn zeroed(count: usize, bytes: usize) -> *mut core::ffi::c_void {
    modelled::zeroed(count, bytes)
}

unsafe extern "C" fn release(block: *mut core::ffi::c_void) {
    modelled::free(block);
}

/// Memory for an object of C's, in the place that it has in every run.
pub fn place<T>() -> *mut T {
    modelled::allocate(size_of::<T>()).cast()
}

/// A pointer that threads share.
pub struct Shared<T>(NonNull<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        *self
    }
}

impl<T> Copy for Shared<T> {}

impl<T> Shared<T> {
    pub fn new(value: T) -> Shared<T> {
        let pointer = place::<T>();
        // SAFETY: memory for it, which stays to the end of the run.
        unsafe { pointer.write(value) };
        Shared(NonNull::new(pointer).expect("there is memory"))
    }

    pub fn raw(self) -> *mut T {
        self.0.as_ptr()
    }

    /// # Safety
    /// The pointer must be one of [`Shared::raw`], in this run.
    pub unsafe fn from_raw<'a>(pointer: *mut core::ffi::c_void) -> &'a T {
        // SAFETY: as the caller says, it lives to the end of the run.
        unsafe { &*pointer.cast() }
    }
}

// SAFETY: the threads of a model are one thread of the system. loom checks what they do at once.
unsafe impl<T> Send for Shared<T> {}

impl<T> core::ops::Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: it lives to the end of the run.
        unsafe { self.0.as_ref() }
    }
}

/// What a thread leaves for a callback.
pub struct Watch {
    /// How often the callback ran.
    pub calls: core::cell::Cell<usize>,
    /// Written once, before what makes the callback run. loom finds a read that is not ordered.
    pub data: UnsafeCell<usize>,
    /// Written without an order of their own.
    pub flags: [AtomicUsize; 2],
}

impl Watch {
    pub fn new() -> Shared<Watch> {
        Shared::new(Watch {
            calls: core::cell::Cell::new(0),
            data: UnsafeCell::new(0),
            flags: [const { AtomicUsize::new(0) }; 2],
        })
    }

    pub fn called(&self) -> usize {
        self.calls.set(self.calls.get() + 1);
        self.calls.get()
    }

    pub fn write(&self) {
        // SAFETY: loom checks that no other thread uses it.
        self.data.with_mut(|data| unsafe { *data = 7 });
    }

    pub fn check(&self) {
        // SAFETY: loom checks that no other thread writes it.
        assert_eq!(self.data.with(|data| unsafe { *data }), 7);
    }

    pub fn set_flag(&self, index: usize) {
        self.flags[index].store(1, Relaxed);
    }

    pub fn has_flag(&self, index: usize) -> bool {
        self.flags[index].load(Relaxed) == 1
    }
}

pub fn new_loop() -> *mut uv_loop_t {
    let event_loop = place();
    // SAFETY: memory for a loop.
    assert_eq!(unsafe { uv::uv_loop_init(event_loop) }, 0);
    event_loop
}

pub fn close_loop(event_loop: *mut uv_loop_t) {
    // SAFETY: a loop of `new_loop`, which does not run.
    assert_eq!(unsafe { uv::uv_loop_close(event_loop) }, 0);
}

pub fn run(event_loop: *mut uv_loop_t, mode: uv_run_mode) -> c_int {
    // SAFETY: a loop of `new_loop`, on its thread.
    unsafe { uv::uv_run(event_loop, mode) }
}
