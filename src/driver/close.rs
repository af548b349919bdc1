//! Closing handles, by kind.
//!
//! <https://docs.libuv.org/en/v1.x/handle.html#c.uv_close>

use crate::abi::*;
use crate::async_handle::Async;
use crate::fs_event::FsEvent;
use crate::fs_poll::FsPoll;
use crate::handle::{Handle, flags};
use crate::panic::keep_frame;
use crate::poll::Poll;
use crate::prepare_check_idle;
use crate::process::Process;
use crate::signal::Signal;
use crate::stream::Stream;
use crate::stream::pipe::Pipe;
use crate::stream::tcp::Tcp;
use crate::stream::tty::Tty;
use crate::timer::Timer;
use crate::udp::Udp;
use crate::view::get;

/// Stops a handle, by kind.
fn undo(handle: Handle) {
    let raw = handle.raw();
    // SAFETY: in each arm the type says what the memory is.
    unsafe {
        match handle.kind() {
            UV_NAMED_PIPE => Pipe::from_ptr(raw.cast()).close(),
            UV_TTY => Tty::from_ptr(raw.cast()).close(),
            UV_TCP => Tcp::from_ptr(raw.cast()).close(),
            UV_UDP => Udp::from_ptr(raw.cast()).close(),
            UV_PREPARE => prepare_check_idle::Prepare::from_ptr(raw.cast()).stop(),
            UV_CHECK => prepare_check_idle::Check::from_ptr(raw.cast()).stop(),
            UV_IDLE => prepare_check_idle::Idle::from_ptr(raw.cast()).stop(),
            UV_ASYNC => Async::from_ptr(raw.cast()).close(),
            UV_TIMER => Timer::from_ptr(raw.cast()).stop(),
            UV_PROCESS => Process::from_ptr(raw.cast()).close(),
            UV_FS_EVENT => FsEvent::from_ptr(raw.cast()).close(),
            UV_POLL => Poll::from_ptr(raw.cast()).close(),
            UV_FS_POLL => FsPoll::from_ptr(raw.cast()).close(),
            UV_SIGNAL => Signal::from_ptr(raw.cast()).close(),
            _ => crate::panic::misuse("not a handle, or not initialised"),
        }
    }
}

/// Finishes closing a handle: its requests get their callbacks, then the close callback runs.
/// After that the memory is the caller's.
pub(super) fn finish_close(handle: Handle) {
    handle.add(flags::CLOSED);
    if let Some(stream) = Stream::of(handle) {
        stream.finish_close();
    } else if let Some(udp) = Udp::of(handle) {
        udp.finish_close();
    }
    handle.unreference();
    handle.link().remove();
    handle.invoke_close(get!(handle.close_cb));
}

// C entry points

/// Closes a handle. `close_cb`, which may be `NULL`, is called in a later phase of the loop; only
/// then may the memory be released. Requests in progress get their callbacks with `UV_ECANCELED`
/// before it. A second close has no effect.
///
/// <https://docs.libuv.org/en/v1.x/handle.html#c.uv_close>
///
/// # Safety
/// `handle` must be initialised and stay in place until `close_cb` has been called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_close(handle: *mut uv_handle_t, close_cb: uv_close_cb) {
    // SAFETY: common pointer contract.
    let handle = unsafe { Handle::from_ptr(handle) };
    handle.close(close_cb, || undo(handle));
    keep_frame();
}
