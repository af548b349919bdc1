//! Async handles: senders, a loop that blocks, closes or forks.

use modelled::spawn;
use uv::abi::*;

use super::parts::{Shared, Watch, close_loop, new_loop, place, run};

/// A handle as threads use it.
#[derive(Clone, Copy)]
struct Handle {
    raw: *mut uv_async_t,
    watch: Shared<Watch>,
}

// SAFETY: as for `Shared`.
unsafe impl Send for Handle {}

impl Handle {
    fn new(event_loop: *mut uv_loop_t, callback: unsafe extern "C" fn(*mut uv_async_t)) -> Handle {
        let raw = place::<uv_async_t>();
        let watch = Watch::new();
        // SAFETY: memory for a handle, and a loop of this thread.
        unsafe {
            assert_eq!(uv::uv_async_init(event_loop, raw, Some(callback)), 0);
            (*raw).data = watch.raw().cast();
        }
        Handle { raw, watch }
    }

    fn send(self) {
        // SAFETY: initialised, and its memory stays to the end of the run.
        assert_eq!(unsafe { uv::uv_async_send(self.raw) }, 0);
    }

    fn close(self) {
        // SAFETY: initialised, on its loop's thread, and closed once.
        unsafe { uv::uv_close(self.raw.cast(), None) };
    }

    fn calls(self) -> usize {
        self.watch.calls.get()
    }
}

/// # Safety
/// The handle must be one of [`Handle::new`].
unsafe fn watch<'a>(handle: *mut uv_async_t) -> &'a Watch {
    // SAFETY: what `new` has set.
    unsafe { Shared::<Watch>::from_raw((*handle).data) }
}

unsafe extern "C" fn count(handle: *mut uv_async_t) {
    // SAFETY: the library passes what was initialised.
    unsafe { watch(handle) }.called();
}

unsafe extern "C" fn check_and_close(handle: *mut uv_async_t) {
    // SAFETY: the library passes what was initialised.
    unsafe {
        watch(handle).called();
        watch(handle).check();
        uv::uv_close(handle.cast(), None);
    }
}

/// Closes the handle once it has seen what came before the last send.
unsafe extern "C" fn close_at_last(handle: *mut uv_async_t) {
    // SAFETY: the library passes what was initialised.
    unsafe {
        if watch(handle).has_flag(0) && watch(handle).has_flag(1) {
            uv::uv_close(handle.cast(), None);
        }
    }
}

/// A send wakes a loop that blocks, or is about to. The callback sees what the sender wrote.
pub fn send() {
    let event_loop = new_loop();
    let handle = Handle::new(event_loop, check_and_close);
    let join = spawn(move || {
        handle.watch.write();
        handle.send();
    });
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    assert_eq!(handle.calls(), 1);
    join();
    close_loop(event_loop);
}

/// After the last of two sends the callback runs once more, or has seen what came before it.
pub fn send_twice() {
    let event_loop = new_loop();
    let handle = Handle::new(event_loop, close_at_last);
    let join = spawn(move || {
        for index in 0..2 {
            handle.watch.set_flag(index);
            handle.send();
        }
    });
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    join();
    close_loop(event_loop);
}

/// The same with two threads that send at once.
pub fn two_senders() {
    let event_loop = new_loop();
    let handle = Handle::new(event_loop, close_at_last);
    let joins = [0, 1].map(|index| {
        spawn(move || {
            handle.watch.set_flag(index);
            handle.send();
        })
    });
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    joins.into_iter().for_each(|join| join());
    close_loop(event_loop);
}

/// Two threads that send to handles of their own: both are put on the stack at once.
pub fn two_handles() {
    let event_loop = new_loop();
    let handles = [0, 1].map(|_| Handle::new(event_loop, check_and_close));
    let joins = handles.map(|handle| {
        spawn(move || {
            handle.watch.write();
            handle.send();
        })
    });
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    assert_eq!(handles.map(Handle::calls), [1, 1]);
    joins.into_iter().for_each(|join| join());
    close_loop(event_loop);
}

/// A program runs the loop without blocking, and waits for its descriptor in between.
pub fn leave() {
    let event_loop = new_loop();
    let handle = Handle::new(event_loop, count);
    let join = spawn(move || handle.send());
    run(event_loop, UV_RUN_NOWAIT);
    while handle.calls() == 0 {
        // SAFETY: a loop of this thread.
        modelled::wait_readable(unsafe { uv::uv_backend_fd(event_loop) });
        run(event_loop, UV_RUN_NOWAIT);
    }
    join();
    handle.close();
    run(event_loop, UV_RUN_DEFAULT);
    assert_eq!(handle.calls(), 1);
    close_loop(event_loop);
}

/// A handle and its loop are closed while a thread sends. The loop's memory is freed then.
pub fn close() {
    let event_loop = new_loop();
    let handle = Handle::new(event_loop, count);
    let join = spawn(move || handle.send());
    handle.close();
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    assert_eq!(handle.calls(), 0);
    close_loop(event_loop);
    join();
}

/// The same after an iteration that may have called back. From the close on it does not, and the other
/// handle is delivered.
pub fn close_sent() {
    let event_loop = new_loop();
    let handle = Handle::new(event_loop, count);
    let other = Handle::new(event_loop, check_and_close);
    let join = spawn(move || {
        other.watch.write();
        other.send();
        handle.send();
    });
    run(event_loop, UV_RUN_NOWAIT);
    let calls = handle.calls();
    handle.close();
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    assert_eq!((handle.calls(), other.calls()), (calls, 1));
    close_loop(event_loop);
    join();
}

/// The process forks while a thread sends. In the child nothing of that is left, and sends arrive.
pub fn fork() {
    let event_loop = new_loop();
    let handle = Handle::new(event_loop, count);
    let join = spawn(move || handle.send());
    run(event_loop, UV_RUN_NOWAIT);
    modelled::fork(|| in_child(event_loop, handle));
    while handle.calls() == 0 {
        run(event_loop, UV_RUN_ONCE);
    }
    handle.close();
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    assert_eq!(handle.calls(), 1);
    join();
    close_loop(event_loop);
}

fn in_child(event_loop: *mut uv_loop_t, handle: Handle) {
    let before = handle.calls();
    // SAFETY: a loop that the parent has initialised.
    assert_eq!(unsafe { uv::uv_loop_fork(event_loop) }, 0);
    run(event_loop, UV_RUN_NOWAIT);
    assert_eq!(handle.calls(), before);
    handle.send();
    // SAFETY: a loop of this thread.
    modelled::wait_readable(unsafe { uv::uv_backend_fd(event_loop) });
    run(event_loop, UV_RUN_NOWAIT);
    assert_eq!(handle.calls(), before + 1);
    handle.close();
    assert_eq!(run(event_loop, UV_RUN_DEFAULT), 0);
    close_loop(event_loop);
}
