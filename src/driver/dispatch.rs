//! Delivers readiness to the owner of a watcher.

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

/// Delivers readiness to the watcher's owner, by kind.
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

/// Handles a final refusal by the poller. A poll handle fails with `error`. To other owners
/// readiness found by poll(2) is delivered instead.
///
/// The change is applied again later, since the descriptor's number may be reused: at once if
/// something was ready, otherwise after a backoff. Returns whether anything was delivered.
pub(super) fn refuse(event_loop: Loop, io: Io, error: Errno) -> bool {
    if error == Errno::EBADF {
        io.mark_unregistered();
    }
    if io.kind() == Watcher::Poll as usize {
        // SAFETY: the kind says whose member the watcher is.
        unsafe { Poll::from_ptr(owner!(io.raw(), uv_poll_t, io_watcher)) }.fail(error);
        return true;
    }
    let readiness = readiness(io.fd(), io.interest());
    if readiness == 0 || io.is_internal() {
        event_loop.apply_later(io);
    } else {
        event_loop.changed_watchers().push_back(io.changed_link());
    }
    // Messages are delivered whenever the loop polls, whatever the eventfd's readiness.
    if readiness == 0 || io.is_async() {
        return false;
    }
    dispatch(event_loop, io, readiness);
    true
}
