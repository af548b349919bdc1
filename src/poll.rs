//! Poll handles: watching descriptors that belong to the program.
//!
//! The program may close the descriptor once the handle is stopped or closing. So stopping
//! deregisters it at once.
//!
//! <https://docs.libuv.org/en/v1.x/poll.html>

use core::ffi::c_int;

use crate::abi::*;
use crate::backend::ready;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::{Io, Watcher, is_watched};
use crate::handle::Handle;
use crate::observe::call_back;
use crate::sys::fd as descriptor;
use crate::view::{container, get, member, set, upcast, view};

view!(
    /// A poll handle.
    Poll => uv_poll_t
);

/// Events by their names in libuv and in the poller.
const EVENTS: [(c_int, u32); 4] = [
    (UV_READABLE as c_int, ready::READABLE),
    (UV_WRITABLE as c_int, ready::WRITABLE),
    (UV_DISCONNECT as c_int, ready::PEER_CLOSED),
    (UV_PRIORITIZED as c_int, ready::PRIORITY),
];

fn to_interest(events: c_int) -> u32 {
    EVENTS
        .iter()
        .filter(|row| events & row.0 != 0)
        .fold(0, |all, row| all | row.1)
}

fn to_events(readiness: u32) -> c_int {
    EVENTS
        .iter()
        .filter(|row| readiness & row.1 != 0)
        .fold(0, |all, row| all | row.0)
}

impl Poll {
    upcast!(handle: Handle);

    member!(io: Io = io_watcher);
    container!(pub(crate) from_io: Io in uv_poll_t.io_watcher);

    /// `UV_EINVAL` for another kind of handle.
    #[inline]
    fn expected(self) -> Result<Poll> {
        self.handle().expect(UV_POLL).map(|()| self)
    }

    /// Initialises the handle for a descriptor that passed [`adopt`].
    fn init(self, event_loop: Loop, fd: c_int) -> Result {
        self.handle().init(event_loop, UV_POLL);
        self.io().init(Watcher::Poll, -1);
        set!(self.poll_cb = None);
        self.io()
            .set_fd(event_loop, fd)
            .inspect_err(|_| self.handle().uninit())
    }

    fn start(self, events: c_int, callback: uv_poll_cb) -> Result {
        let handle = self.handle();
        if handle.is_closing() {
            return Err(Errno::EINVAL);
        }
        let (event_loop, io) = (handle.event_loop(), self.io());
        if !handle.is_active() && is_watched(event_loop, io.fd()) {
            return Err(Errno::EEXIST);
        }
        let interest = to_interest(events);
        if interest == 0 {
            self.stop();
            return Ok(());
        }
        io.stop(event_loop, ready::REQUESTABLE & !interest);
        io.start(event_loop, interest);
        set!(self.poll_cb = callback);
        handle.start();
        Ok(())
    }

    fn stop(self) {
        let event_loop = self.handle().event_loop();
        self.io().close(event_loop);
        self.handle().stop();
    }

    pub(crate) fn close(self) {
        self.stop();
    }

    pub(crate) fn on_io(self, readiness: u32) {
        // An error that is not out-of-band data: the descriptor is of no use any more.
        if readiness & ready::ERROR != 0 && readiness & ready::PRIORITY == 0 {
            self.fail(Errno::EBADF);
            return;
        }
        // A hang-up is reported for every event asked for: nothing else may ever arrive.
        let all = if readiness & (ready::ERROR | ready::HANG_UP) != 0 {
            self.io().interest()
        } else {
            0
        };
        self.invoke(0, to_events(readiness | all));
    }

    /// Reports that the descriptor cannot be watched any more, and stops the handle.
    pub(crate) fn fail(self, error: Errno) {
        self.stop();
        self.invoke(error.code(), 0);
    }

    fn invoke(self, status: c_int, events: c_int) {
        if let Some(callback) = get!(self.poll_cb) {
            // SAFETY: the user's callback gets the handle it was registered for, which nothing
            // here touches afterwards.
            unsafe { call_back!(Poll: callback(self.raw(), status, events)) }
        }
    }
}

/// Makes a descriptor non-blocking, if it can be polled and no handle of the loop watches it.
fn adopt(event_loop: Loop, fd: c_int) -> Result {
    if event_loop.is_closed() {
        return Err(Errno::EBADF);
    }
    if is_watched(event_loop, fd) {
        return Err(Errno::EEXIST);
    }
    event_loop.descriptors(|all| all.probe(fd))?;
    descriptor::set_nonblocking(fd, true).or_else(|error| match error {
        Errno::ENOTTY => descriptor::set_nonblocking_by_flags(fd),
        _ => Err(error),
    })
}

// C entry points

/// Initialises a handle for the descriptor `fd`, which becomes non-blocking. The handle is not
/// started.
///
/// Returns 0 or an error: `UV_EEXIST` when the loop watches `fd` already, `UV_EBADF`, or
/// `UV_EPERM` when it cannot be polled (a regular file).
///
/// <https://docs.libuv.org/en/v1.x/poll.html#c.uv_poll_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_poll_t,
    fd: c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        let event_loop = Loop::from_ptr(r#loop);
        adopt(event_loop, fd).and_then(|()| Poll::from_ptr(handle).init(event_loop, fd))
    }
    .into_code()
}

/// Initialises a handle for a socket. On Unix it does what `uv_poll_init` does; only on Windows do
/// the two differ.
///
/// <https://docs.libuv.org/en/v1.x/poll.html#c.uv_poll_init_socket>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_init_socket(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_poll_t,
    socket: uv_os_sock_t,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        let event_loop = Loop::from_ptr(r#loop);
        adopt(event_loop, socket).and_then(|()| Poll::from_ptr(handle).init(event_loop, socket))
    }
    .into_code()
}

/// Starts to watch for `events`, a combination of `UV_READABLE`, `UV_WRITABLE`, `UV_DISCONNECT`
/// and `UV_PRIORITIZED`. On a started handle, it changes the events and the callback. `cb` gets a
/// status and the events that are there. The status is 0, or an error such as `UV_EBADF` when the
/// descriptor is of no use; then the handle is stopped.
///
/// Returns 0 or an error: `UV_EEXIST` when another handle of the loop watches the descriptor.
///
/// <https://docs.libuv.org/en/v1.x/poll.html#c.uv_poll_start>
///
/// # Safety
/// `handle` must be initialised; the descriptor must stay open while the handle is active.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_start(
    handle: *mut uv_poll_t,
    events: c_int,
    cb: uv_poll_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Poll::from_ptr(handle) }
        .expected()
        .and_then(|poll| poll.start(events, cb))
        .into_code()
}

/// Stops watching; the descriptor may be closed from then on. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/poll.html#c.uv_poll_stop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_poll_stop(handle: *mut uv_poll_t) -> c_int {
    // SAFETY: common pointer contract.
    if let Ok(handle) = unsafe { Poll::from_ptr(handle) }.expected() {
        handle.stop();
    }
    0
}
