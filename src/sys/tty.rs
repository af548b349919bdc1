//! Terminals.

use core::ffi::{CStr, c_int};

use super::fd::OwnedFd;
use super::{cvt, file, large, retry, typed};
use crate::errors::{Errno, Result};
use crate::zeroed::zeroed;

pub(crate) fn is_terminal(fd: c_int) -> bool {
    typed::isatty(fd) == 1
}

/// Whether a descriptor is the controlling side of a pseudo terminal, which cannot be opened by a
/// name.
pub(crate) fn is_master(fd: c_int) -> bool {
    let mut number: libc::c_uint = 0;
    // SAFETY: writes the number.
    retry(|| unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) }).is_ok()
}

/// Opens a terminal a second time, by its name. The modes of the new descriptor are its own; those
/// of the old one affect all processes that inherited it. The new one is not inherited.
pub(crate) fn reopen(fd: c_int, access: c_int) -> Result<OwnedFd> {
    let mut name = [0u8; 256];
    // SAFETY: the buffer has that length.
    let error = unsafe { libc::ttyname_r(fd, name.as_mut_ptr().cast(), name.len()) };
    if error != 0 {
        return Err(Errno::from_system(error));
    }
    let name = CStr::from_bytes_until_nul(&name).map_err(|_| Errno::ENAMETOOLONG)?;
    file::open(name, access | libc::O_NOCTTY, 0)?.above_standard()
}

/// The terminal's settings.
pub(crate) fn settings(fd: c_int) -> Result<libc::termios> {
    let mut settings: libc::termios = zeroed();
    retry(|| typed::tcgetattr(fd, &mut settings))?;
    Ok(settings)
}

/// Whether two settings are equal in flags and control characters.
pub(crate) fn is_alike(one: &libc::termios, other: &libc::termios) -> bool {
    let flags = |it: &libc::termios| [it.c_iflag, it.c_oflag, it.c_cflag, it.c_lflag];
    flags(one) == flags(other) && one.c_cc == other.c_cc
}

/// Changes the terminal's settings at once, without waiting for output written before.
/// Async-signal-safe.
pub(crate) fn set_settings(fd: c_int, settings: &libc::termios) -> Result {
    retry(|| typed::tcsetattr(fd, libc::TCSANOW, settings)).map(drop)
}

/// Columns and rows of the terminal's window.
pub(crate) fn window_size(fd: c_int) -> Result<(c_int, c_int)> {
    let mut size: libc::winsize = zeroed();
    // SAFETY: writes the size.
    retry(|| unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_col.into(), size.ws_row.into()))
}

/// The kind of an open file, as far as handles are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileKind {
    /// A regular file or a character device.
    File,
    Fifo,
    Socket,
    Other,
}

pub(crate) fn file_kind(fd: c_int) -> Result<FileKind> {
    let mut status: large::stat = zeroed();
    cvt(typed::fstat(fd, &mut status))?;
    Ok(match status.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFCHR => FileKind::File,
        libc::S_IFIFO => FileKind::Fifo,
        libc::S_IFSOCK => FileKind::Socket,
        _ => FileKind::Other,
    })
}
