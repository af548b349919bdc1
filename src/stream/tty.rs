//! Tty.

use std::ffi::c_int;

use crate::abi::*;
use crate::sys::socket;
use crate::view::view;

view!(
    /// Tty.
    Tty => uv_tty_t
);

impl Tty {
    pub(crate) fn close(self) {}
}

/// What kind of handle a descriptor would make.
pub(crate) fn guess_handle(fd: c_int) -> uv_handle_type {
    // SAFETY: takes no memory.
    if fd >= 0 && unsafe { libc::isatty(fd) } != 0 {
        return UV_TTY;
    }
    // SAFETY: all zero is valid, and the call fills it.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: writes one stat.
    if unsafe { libc::fstat(fd, &mut status) } != 0 {
        return UV_UNKNOWN_HANDLE;
    }
    match status.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFCHR => UV_FILE,
        libc::S_IFIFO => UV_NAMED_PIPE,
        libc::S_IFSOCK => guess_socket(fd),
        _ => UV_UNKNOWN_HANDLE,
    }
}

fn guess_socket(fd: c_int) -> uv_handle_type {
    let option = |name| socket::get_option(fd, libc::SOL_SOCKET, name);
    let (Ok(domain), Ok(kind)) = (option(libc::SO_DOMAIN), option(libc::SO_TYPE)) else {
        return UV_UNKNOWN_HANDLE;
    };
    match (kind, domain) {
        (libc::SOCK_STREAM, libc::AF_INET | libc::AF_INET6) => UV_TCP,
        (libc::SOCK_STREAM, libc::AF_UNIX) => UV_NAMED_PIPE,
        (libc::SOCK_DGRAM, libc::AF_INET | libc::AF_INET6) => UV_UDP,
        _ => UV_UNKNOWN_HANDLE,
    }
}

// C entry points

/// What kind of handle fits a descriptor: `UV_TTY`, `UV_FILE`, `UV_NAMED_PIPE`, `UV_TCP`, `UV_UDP`, or
/// `UV_UNKNOWN_HANDLE`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_guess_handle>
#[unsafe(no_mangle)]
pub extern "C" fn uv_guess_handle(file: uv_file) -> uv_handle_type {
    guess_handle(file)
}
