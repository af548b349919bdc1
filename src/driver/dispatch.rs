//! Delivers readiness to the owner of a watcher.

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

/// Delivers readiness to the watcher's owner. The kind says which handle or loop the watcher is a
/// member of.
pub(super) fn dispatch(event_loop: Loop, io: Io, readiness: u32) {
    match io.kind() {
        kind if kind == Watcher::Async as usize => async_handle::on_readable(event_loop),
        kind if kind == Watcher::Signal as usize => signal::on_readable(event_loop),
        kind if kind == Watcher::Inotify as usize => fs_event::on_readable(event_loop),
        kind if kind == Watcher::Stream as usize => Stream::from_io(io).on_io(readiness),
        kind if kind == Watcher::Udp as usize => Udp::from_io(io).on_io(readiness),
        kind if kind == Watcher::Poll as usize => Poll::from_io(io).on_io(readiness),
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
        Poll::from_io(io).fail(error);
        return true;
    }
    let readiness = readiness(io.fd(), io.interest());
    if readiness == 0 || io.is_internal() {
        event_loop.apply_later(io);
    } else {
        event_loop.changed_watchers().push_back(io);
    }
    // Messages are delivered whenever the loop polls, whatever the eventfd's readiness.
    if readiness == 0 || io.is_async() {
        return false;
    }
    dispatch(event_loop, io, readiness);
    true
}
