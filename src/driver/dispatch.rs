//! Which owner of a watcher is told of readiness.

use crate::abi::*;
use crate::async_handle;
use crate::backend::readiness;
use crate::errors::Errno;
use crate::event_loop::Loop;
use crate::event_loop::io::{Io, Watcher};
use crate::fs_event;
use crate::poll::Poll;
use crate::signal;
use crate::stream::Stream;
use crate::udp::Udp;
use crate::view::owner;

/// Tells the owner.
pub(super) fn dispatch(event_loop: Loop, io: Io, readiness: u32) {
    let raw = io.raw();
    match io.kind() {
        kind if kind == Watcher::Async as usize => async_handle::on_readable(event_loop),
        kind if kind == Watcher::Signal as usize => signal::on_readable(event_loop),
        kind if kind == Watcher::Inotify as usize => fs_event::on_readable(event_loop),
        kind if kind == Watcher::Stream as usize => {
            // SAFETY: the kind says whose member the watcher is.
            unsafe { Stream::from_ptr(owner!(raw, uv_stream_t, io_watcher)) }.on_io(readiness);
        }
        kind if kind == Watcher::Udp as usize => {
            // SAFETY: the kind says whose member the watcher is.
            unsafe { Udp::from_ptr(owner!(raw, uv_udp_t, io_watcher)) }.on_io(readiness);
        }
        kind if kind == Watcher::Poll as usize => {
            // SAFETY: the kind says whose member the watcher is.
            unsafe { Poll::from_ptr(owner!(raw, uv_poll_t, io_watcher)) }.on_io(readiness);
        }
        _ => crate::panic::misuse("a watcher was overwritten"),
    }
}

/// The poller refuses the descriptor for good: tells the owner of what is ready all the same. The
/// poller is asked again, since the number may come to stand for something else: at once while there
/// is something to do, and after a backoff else. Says whether anybody was told.
pub(super) fn refuse(event_loop: Loop, io: Io, error: Errno) -> bool {
    if error == Errno::EBADF {
        io.is_forgotten();
    }
    if io.kind() == Watcher::Poll as usize {
        // SAFETY: the kind says whose member the watcher is.
        unsafe { Poll::from_ptr(owner!(io.raw(), uv_poll_t, io_watcher)) }.fail(error);
        return true;
    }
    let readiness = readiness(io.fd(), io.interest());
    if readiness == 0 || io.is_the_loops_own() {
        event_loop.apply_later(io);
    } else {
        event_loop.changed_watchers().push_back(io.changed_link());
    }
    // Whoever was sent a message looks for it anyway.
    if readiness == 0 || io.is_async() {
        return false;
    }
    dispatch(event_loop, io, readiness);
    true
}
