//! The life of a loop: making, forking and closing it, and the default loop.
//!
//! <https://docs.libuv.org/en/v1.x/loop.html>

use core::ffi::c_int;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::{instruments, process_wide};
use crate::abi::*;
use crate::alloc;
use crate::async_handle;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::{BLOCK_SIGPROF, Internals, Loop, MEASURE_IDLE_TIME};
use crate::fs::allowance::Allowance;
use crate::fs_event;
use crate::handle::{Handle, flags};
use crate::list;
use crate::observe::{self, Event};
use crate::process;
use crate::signal;
use crate::spin;
use crate::view::set;
use crate::work::pool;

impl Loop {
    /// Turns the caller's memory into a loop; `data` is left alone.
    fn init(self) -> Result {
        process_wide::register()?;
        instruments::start();
        let internals = alloc::boxed(Internals::new()?)?;
        self.init_fields();
        set!(self.backend_fd = internals.poller_fd());
        set!(self.internal_fields = alloc::Box::into_raw(internals).cast());
        self.inline_completions().init();
        self.backed_off().init();
        self.update_time();
        // This queries the number of processors, which a sandbox may forbid later.
        spin::window_ns();
        self.init_parts().inspect_err(|_| self.drop_internals())?;
        observe::report(Event::LoopInitialised, 0, self.raw(), 0);
        Ok(())
    }

    fn init_fields(self) {
        self.handles().init();
        self.pending().init();
        self.changed_watchers().init();
        self.idle_handles().init();
        self.prepare_handles().init();
        self.check_handles().init();
        self.process_handles().init();
        set!(self.wq = list::head());
        set!(self.active_handles = 0);
        set!(
            self.active_reqs = uv__active_reqs {
                unused: core::ptr::null_mut()
            }
        );
        set!(self.stop_flag = 0);
        set!(self.flags = 0);
        set!(self.watchers = core::ptr::null_mut());
        set!(self.nwatchers = 0);
        set!(self.nfds = 0);
        set!(self.closing_handles = core::ptr::null_mut());
        set!(self.async_unused = None);
        set!(self.async_wfd = -1);
        set!(
            self.timer_heap = uv__timer_heap {
                min: core::ptr::null_mut(),
                nelts: 0
            }
        );
        set!(self.timer_counter = 0);
        set!(self.emfile_fd = -1);
        set!(self.inotify_fd = -1);
        set!(self.inotify_watchers = core::ptr::null_mut());
    }

    fn init_parts(self) -> Result {
        async_handle::loop_init(self);
        signal::loop_init(self)
            .and_then(|()| process::loop_init(self))
            .and_then(|()| pool::loop_init(self))
            .inspect_err(|_| {
                signal::loop_cleanup(self);
                async_handle::loop_cleanup(self);
            })
    }

    fn drop_internals(self) {
        let internals = self.internals();
        set!(self.internal_fields = core::ptr::null_mut());
        // SAFETY: made by `init` on this allocator, and not used from here on.
        drop(unsafe { alloc::Box::from_raw_in(internals, alloc::Heap) });
    }

    fn close(self) -> Result {
        let result = self.try_close();
        let event = match result {
            Ok(()) => Event::LoopClosed,
            Err(_) => Event::LoopBusy,
        };
        observe::report(event, 0, self.raw(), 0);
        result
    }

    fn try_close(self) -> Result {
        self.expect_lists();
        let is_in_use = |handle: Handle| !handle.has(flags::INTERNAL);
        if self.handles().iter().any(is_in_use) {
            return Err(Errno::EBUSY);
        }
        if self.has_active_requests() || !self.closing_handles().is_null() {
            return Err(Errno::EBUSY);
        }
        self.tear_down();
        let null = core::ptr::null_mut();
        let _ =
            DEFAULT_LOOP.compare_exchange(self.raw(), null, Ordering::AcqRel, Ordering::Relaxed);
        Ok(())
    }

    fn tear_down(self) {
        let is_inherited = self.asyncs().is_inherited();
        self.descriptors(|all| all.end(is_inherited));
        signal::loop_cleanup(self);
        fs_event::loop_cleanup(self);
        pool::loop_cleanup(self);
        async_handle::loop_cleanup(self);
        if self.spare_fd() != -1 {
            crate::sys::fd::close_quietly(self.spare_fd());
            self.set_spare_fd(-1);
        }
        set!(self.backend_fd = -1);
        self.drop_internals();
    }

    /// Replaces everything that a forked child shares with its parent. On an error the rest is
    /// still done, nothing is shared any more, and the call may be repeated.
    fn fork(self) -> Result {
        // The child may be one of another call than `fork()`.
        crate::sys::process::note_process();
        observe::report(Event::LoopForked, 0, self.raw(), 0);
        let poller = self.descriptors(|all| all.fork(|io| io.requeue(self)));
        set!(self.backend_fd = self.descriptors(|all| all.poller_fd()));
        // The child may be about to enter a sandbox.
        self.allowance(|allowance| *allowance = Allowance::new());
        let asyncs = async_handle::loop_fork(self);
        process::loop_fork(self);
        let signals = signal::loop_fork(self);
        let file_events = fs_event::loop_fork(self);
        poller.and(asyncs).and(signals).and(file_events)
    }

    fn configure(self, option: uv_loop_option, argument: c_int) -> Result {
        let bit = match option {
            UV_METRICS_IDLE_TIME => MEASURE_IDLE_TIME,
            // Only the profiler's signal can be kept from interrupting the poller.
            UV_LOOP_BLOCK_SIGNAL if argument == libc::SIGPROF => BLOCK_SIGPROF,
            UV_LOOP_BLOCK_SIGNAL => return Err(Errno::EINVAL),
            // There is no ring, so there is nothing to turn on.
            UV_LOOP_USE_IO_URING_SQPOLL => return Ok(()),
            _ => return Err(Errno::ENOSYS),
        };
        self.set_option(bit);
        Ok(())
    }
}

/// The default loop, once it was made.
static DEFAULT_LOOP: AtomicPtr<uv_loop_t> = AtomicPtr::new(core::ptr::null_mut());

struct DefaultLoopMemory(core::cell::UnsafeCell<core::mem::MaybeUninit<uv_loop_t>>);

// SAFETY: handed out as a pointer only; the program decides which thread uses it.
unsafe impl Sync for DefaultLoopMemory {}

static DEFAULT_LOOP_MEMORY: DefaultLoopMemory =
    DefaultLoopMemory(core::cell::UnsafeCell::new(core::mem::MaybeUninit::zeroed()));

/// The default loop, made by the first call; null if that fails.
pub(super) fn default_loop() -> *mut uv_loop_t {
    let existing = DEFAULT_LOOP.load(Ordering::Acquire);
    if !existing.is_null() {
        return existing;
    }
    let memory = DEFAULT_LOOP_MEMORY.0.get().cast::<uv_loop_t>();
    // SAFETY: static memory of the right type, for this call and what follows.
    if unsafe { Loop::from_ptr(memory) }.init().is_err() {
        return core::ptr::null_mut();
    }
    DEFAULT_LOOP.store(memory, Ordering::Release);
    memory
}

// C entry points

/// The default loop, made by the first call; `NULL` if that fails. The library keeps it for
/// convenience; otherwise it is an ordinary loop, and no more thread-safe than others.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_default_loop>
#[unsafe(no_mangle)]
pub extern "C" fn uv_default_loop() -> *mut uv_loop_t {
    default_loop()
}

/// Initialises a loop.
///
/// Returns 0 or an error, such as `UV_ENOMEM`, `UV_EMFILE` or `UV_ENFILE`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_init>
///
/// # Safety
/// `loop` must be writable and stay in place until `uv_loop_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_init(r#loop: *mut uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.init().into_code()
}

/// Releases what the loop owns. Its memory is the caller's again.
///
/// Returns 0, or `UV_EBUSY` while it has open handles or active requests.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_close>
///
/// # Safety
/// `loop` must be initialised, and not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_close(r#loop: *mut uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.close().into_code()
}

/// Allocates and initialises a loop; `NULL` if that fails. Deprecated: use `uv_loop_init`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_init>
#[unsafe(no_mangle)]
pub extern "C" fn uv_loop_new() -> *mut uv_loop_t {
    let memory = alloc::calloc(1, size_of::<uv_loop_t>()).cast::<uv_loop_t>();
    if memory.is_null() {
        return memory;
    }
    // SAFETY: memory of the right size, just allocated.
    if unsafe { Loop::from_ptr(memory) }.init().is_err() {
        // SAFETY: allocated above, and there is no other pointer to it.
        unsafe { alloc::free(memory.cast()) };
        return core::ptr::null_mut();
    }
    memory
}

/// Closes and frees a loop of `uv_loop_new`. Deprecated: use `uv_loop_close`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_close>
///
/// # Safety
/// `loop` must come from `uv_loop_new` and have neither handles nor requests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_delete(r#loop: *mut uv_loop_t) {
    let is_default = DEFAULT_LOOP.load(Ordering::Acquire) == r#loop;
    // SAFETY: common pointer contract.
    if unsafe { Loop::from_ptr(r#loop) }.close().is_err() {
        crate::panic::misuse("the loop still has handles or requests");
    }
    if !is_default {
        // SAFETY: allocated by `uv_loop_new`, and closed.
        unsafe { alloc::free(r#loop.cast()) };
    }
}

/// Sets an option of the loop.
///
/// - `UV_LOOP_BLOCK_SIGNAL`: block a signal while polling; only `SIGPROF`, else `UV_EINVAL`
/// - `UV_METRICS_IDLE_TIME`: measure the time spent waiting for events
/// - `UV_LOOP_USE_IO_URING_SQPOLL`: accepted
///
/// Returns 0, or `UV_ENOSYS` for an unknown option.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_configure>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_configure(
    r#loop: *mut uv_loop_t,
    option: uv_loop_option,
    argument: c_int,
) -> c_int {
    // C calls it as a variadic function, with one `int` or none (`abi/mod.rs`).
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }
        .configure(option, argument)
        .into_code()
}

/// Makes a loop usable in a child after `fork()`. Call it there before any other use of the loop.
/// If it fails, nothing is shared with the parent any more, and it may be called again.
///
/// Returns 0 or an error, such as `UV_EMFILE`.
///
/// <https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_fork>
///
/// # Safety
/// `loop` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loop_fork(r#loop: *mut uv_loop_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Loop::from_ptr(r#loop) }.fork().into_code()
}
