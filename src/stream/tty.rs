//! Terminals.
//!
//! A terminal is opened a second time, so that making it non-blocking does not affect other users
//! of the descriptor. The one that was passed stays the caller's, unchanged. Where that fails, and
//! for the controlling side of a pseudo terminal, which has no name, the handle takes the
//! descriptor itself, and writes to it block.
//!
//! The mode of the terminal before the first change is kept for `uv_tty_reset_mode`, in
//! `tty_reset`.
//!
//! <https://docs.libuv.org/en/v1.x/tty.html>

use core::ffi::{c_int, c_uint};

use super::{Stream, tty_reset};
use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::handle::flags;
use crate::sys::fd::{self as descriptor, OwnedFd};
use crate::sys::tty::{self, FileKind};
use crate::sys::{socket, typed};
use crate::view::{get, set, upcast, view};

view!(
    /// A terminal.
    Tty => uv_tty_t
);

/// The type of handle for a descriptor.
pub(crate) fn guess_handle(fd: c_int) -> uv_handle_type {
    if fd < 0 {
        return UV_UNKNOWN_HANDLE;
    }
    if tty::is_terminal(fd) {
        return UV_TTY;
    }
    match tty::file_kind(fd) {
        Ok(FileKind::File) => UV_FILE,
        Ok(FileKind::Fifo) => UV_NAMED_PIPE,
        Ok(FileKind::Socket) => guess_socket(fd).unwrap_or(UV_UNKNOWN_HANDLE),
        Ok(FileKind::Other) | Err(_) => UV_UNKNOWN_HANDLE,
    }
}

fn guess_socket(fd: c_int) -> Result<uv_handle_type> {
    let kind = socket::get_option(fd, libc::SOL_SOCKET, libc::SO_TYPE)?;
    let domain = socket::get_option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN)?;
    Ok(match (domain, kind) {
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => UV_TCP,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => UV_UDP,
        (libc::AF_UNIX, libc::SOCK_STREAM) => UV_NAMED_PIPE,
        _ => UV_UNKNOWN_HANDLE,
    })
}

/// The directions in which a descriptor was opened.
fn directions(access: c_int) -> c_uint {
    match access {
        libc::O_RDONLY => flags::READABLE,
        libc::O_WRONLY => flags::WRITABLE,
        _ => flags::READABLE | flags::WRITABLE,
    }
}

impl Tty {
    upcast!(stream: Stream);

    fn fd(self) -> c_int {
        self.stream().fd()
    }

    /// Takes a descriptor of type `kind`, which is not a file.
    fn init(self, event_loop: Loop, fd: c_int, kind: uv_handle_type) -> Result {
        let access = descriptor::status_flags(fd)? & libc::O_ACCMODE;
        let reopened = if kind == UV_TTY && !tty::is_master(fd) {
            tty::reopen(fd, access).ok()
        } else {
            None
        };
        let own = reopened.as_ref().map_or(fd, OwnedFd::raw);
        // A descriptor that others use stays blocking if it is written to.
        let blocks = kind == UV_TTY && reopened.is_none() && access != libc::O_RDONLY;
        self.stream().init(event_loop, UV_TTY);
        set!(self.mode = UV_TTY_MODE_NORMAL as c_int);
        let ready = if blocks {
            self.stream().handle().add(flags::BLOCKING_WRITES);
            Ok(())
        } else {
            descriptor::set_nonblocking(own, true)
        };
        ready
            .and_then(|()| self.stream().open(own, directions(access)))
            .inspect_err(|_| self.stream().handle().uninit())?;
        if let Some(reopened) = reopened {
            // It is the stream's now.
            reopened.into_raw();
        }
        Ok(())
    }

    /// `UV_ENOTTY` for a handle that is no terminal, or `UV_EBADF` for one that has no descriptor.
    fn expected(self) -> Result<Tty> {
        let handle = self.stream().handle();
        match handle.kind() {
            UV_TTY => Ok(self),
            UV_NAMED_PIPE | UV_TCP | UV_UDP | UV_POLL => handle.fileno().and(Err(Errno::ENOTTY)),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn set_mode(self, mode: uv_tty_mode_t) -> Result {
        let current = get!(self.mode);
        if current == mode as c_int {
            return self.set_mode_again(mode);
        }
        let fd = self.fd();
        if current == UV_TTY_MODE_NORMAL as c_int && mode <= UV_TTY_MODE_RAW_VT {
            let settings = tty::settings(fd)?;
            set!(self.orig_termios = settings);
            self.stream().handle().add(flags::TTY_HAS_NORMAL);
            tty_reset::remember(fd, &settings);
        }
        tty::set_settings(fd, &self.settings_of(mode)?)?;
        set!(self.mode = mode as c_int);
        Ok(())
    }

    /// Sets the handle's mode again, if other code has changed the terminal. To set it without need
    /// would only stop a process in the background.
    fn set_mode_again(self, mode: uv_tty_mode_t) -> Result {
        if !self.stream().handle().has(flags::TTY_HAS_NORMAL) {
            return Ok(());
        }
        let settings = self.settings_of(mode)?;
        if tty::is_alike(&settings, &tty::settings(self.fd())?) {
            return Ok(());
        }
        tty::set_settings(self.fd(), &settings)
    }

    /// The settings of a mode, made from the normal ones.
    fn settings_of(self, mode: uv_tty_mode_t) -> Result<libc::termios> {
        let mut settings = get!(self.orig_termios);
        match mode {
            UV_TTY_MODE_NORMAL => {}
            UV_TTY_MODE_RAW | UV_TTY_MODE_RAW_VT => make_raw(&mut settings),
            UV_TTY_MODE_IO => typed::cfmakeraw(&mut settings),
            _ => return Err(Errno::EINVAL),
        }
        Ok(settings)
    }

    pub(crate) fn close(self) {
        if self.fd() != -1 {
            tty_reset::forget(self.fd());
        }
        self.stream().close();
    }
}

/// Makes settings raw: input comes as it is typed, key by key, without echo and signals; output has
/// line ends as usual.
fn make_raw(settings: &mut libc::termios) {
    settings.c_iflag &= !(libc::BRKINT | libc::ICRNL | libc::INPCK | libc::ISTRIP | libc::IXON);
    settings.c_oflag |= libc::ONLCR;
    settings.c_cflag |= libc::CS8;
    settings.c_lflag &= !(libc::ECHO | libc::ICANON | libc::IEXTEN | libc::ISIG);
    settings.c_cc[libc::VMIN] = 1;
    settings.c_cc[libc::VTIME] = 0;
}

// C entry points

/// Makes `handle` a stream on the terminal `fd`: readable, writable or both as `fd` was opened. The
/// terminal is opened a second time if possible, and `fd` stays the caller's, unchanged; otherwise
/// the handle takes `fd`, and writing blocks. The last parameter has no meaning.
///
/// Returns 0 or an error: `UV_EINVAL` for a file or what is not open.
///
/// <https://docs.libuv.org/en/v1.x/tty.html#c.uv_tty_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_tty_t,
    fd: uv_file,
    readable: c_int,
) -> c_int {
    let _ = readable;
    let kind = guess_handle(fd);
    if kind == UV_FILE || kind == UV_UNKNOWN_HANDLE {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { Tty::from_ptr(handle).init(Loop::from_ptr(r#loop), fd, kind) }.into_code()
}

/// Sets the terminal's mode: `UV_TTY_MODE_NORMAL` (as it was), `UV_TTY_MODE_RAW` or
/// `UV_TTY_MODE_RAW_VT` (keys as they are typed, without echo and signals), `UV_TTY_MODE_IO`
/// (nothing is changed on the way). Setting the current mode anew restores it if other code has
/// changed the terminal since.
///
/// Returns 0 or an error: `UV_EINVAL` for another mode, `UV_ENOTTY`, `UV_EBADF` for a closing
/// handle.
///
/// <https://docs.libuv.org/en/v1.x/tty.html#c.uv_tty_set_mode>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_set_mode(handle: *mut uv_tty_t, mode: uv_tty_mode_t) -> c_int {
    if mode > UV_TTY_MODE_RAW_VT {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    match unsafe { Tty::from_ptr(handle) }.expected() {
        Ok(tty) => tty.set_mode(mode).into_code(),
        Err(_) if mode == UV_TTY_MODE_NORMAL => 0,
        Err(error) => error.code(),
    }
}

/// Restores the terminal's mode from before the first `uv_tty_set_mode`, for the end of the
/// program. May be called from a signal handler.
///
/// Returns 0 or an error: `UV_EBUSY` when it interrupts `uv_tty_set_mode`.
///
/// <https://docs.libuv.org/en/v1.x/tty.html#c.uv_tty_reset_mode>
#[unsafe(no_mangle)]
pub extern "C" fn uv_tty_reset_mode() -> c_int {
    tty_reset::reset().into_code()
}

/// Writes columns and rows of the terminal's window to `width` and `height`.
///
/// Returns 0 or an error, such as `UV_ENOTTY`.
///
/// <https://docs.libuv.org/en/v1.x/tty.html#c.uv_tty_get_winsize>
///
/// # Safety
/// `handle` must be initialised, `width` and `height` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_get_winsize(
    handle: *mut uv_tty_t,
    width: *mut c_int,
    height: *mut c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    let (tty, into) = unsafe { (Tty::from_ptr(handle), (width.as_mut(), height.as_mut())) };
    let size = tty.expected().and_then(|tty| tty::window_size(tty.fd()));
    match (size, into) {
        (Ok(size), (Some(width), Some(height))) => {
            (*width, *height) = size;
            0
        }
        (Ok(_), _) => UV_EINVAL,
        (Err(error), _) => error.code(),
    }
}

/// Sets whether the console processes control sequences, on Windows. Elsewhere it has no effect.
///
/// <https://docs.libuv.org/en/v1.x/tty.html#c.uv_tty_set_vterm_state>
#[unsafe(no_mangle)]
pub extern "C" fn uv_tty_set_vterm_state(state: uv_tty_vtermstate_t) {
    let _ = state;
}

/// Reads whether the console processes control sequences, on Windows. Elsewhere it returns
/// `UV_ENOTSUP`.
///
/// <https://docs.libuv.org/en/v1.x/tty.html#c.uv_tty_get_vterm_state>
///
/// # Safety
/// `state` is not used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_tty_get_vterm_state(state: *mut uv_tty_vtermstate_t) -> c_int {
    let _ = state;
    UV_ENOTSUP
}

/// The type of handle that goes with a descriptor: `UV_TTY`, `UV_FILE`, `UV_NAMED_PIPE`, `UV_TCP`,
/// `UV_UDP`, or `UV_UNKNOWN_HANDLE`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_guess_handle>
#[unsafe(no_mangle)]
pub extern "C" fn uv_guess_handle(file: uv_file) -> uv_handle_type {
    guess_handle(file)
}
