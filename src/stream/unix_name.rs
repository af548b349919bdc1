//! Names of Unix domain sockets: paths, and names in the abstract namespace, as addresses and back.

use core::ffi::{c_char, c_int, c_uint};

use crate::errors::{Errno, Result};
use crate::sys::socket::{self, End, SocketAddress};
use crate::zeroed::zeroed;

/// Flag of `uv_pipe_bind2` and `uv_pipe_connect2`: a name that is too long is an error rather than
/// cut.
const UV_PIPE_NO_TRUNCATE: c_uint = 1;

/// The address of a Unix domain socket, with a terminator behind a path that fills it.
#[repr(C)]
pub(super) struct Name {
    address: libc::sockaddr_un,
    terminator: c_char,
    length: libc::socklen_t,
}

const PATH_OFFSET: usize = core::mem::offset_of!(libc::sockaddr_un, sun_path);

impl Name {
    /// The address of a path, or of a name in the abstract namespace, which begins with a zero
    /// byte. `UV_EINVAL` for wrong names or options.
    pub(super) fn new(name: &[u8], options: c_uint) -> Result<Name> {
        let mut address: libc::sockaddr_un = zeroed();
        let room = address.sun_path.len();
        let may_cut = options & UV_PIPE_NO_TRUNCATE == 0;
        if options & !UV_PIPE_NO_TRUNCATE != 0 || name.len() > room && !may_cut {
            return Err(Errno::EINVAL);
        }
        // Without any name, the kernel picks an abstract one.
        let is_abstract = name.first().is_none_or(|first| *first == 0);
        if !is_abstract && name.contains(&0) {
            return Err(Errno::EINVAL);
        }
        let count = name.len().min(room);
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (to, from) in address.sun_path.iter_mut().zip(name) {
            *to = *from as c_char;
        }
        let length = if is_abstract {
            PATH_OFFSET + count
        } else {
            size_of::<libc::sockaddr_un>()
        };
        Ok(Name {
            address,
            terminator: 0,
            length: length as libc::socklen_t,
        })
    }

    /// The address of a peer; `UV_EINVAL` for an empty name.
    pub(super) fn to_connect(name: &[u8], options: c_uint) -> Result<Name> {
        if name.is_empty() {
            return Err(Errno::EINVAL);
        }
        Name::new(name, options)
    }

    /// The path as it was cut, if it is one.
    pub(super) fn path(&self) -> Option<&[u8]> {
        let text = text_of(&self.address, usize::MAX);
        text.first()
            .is_some_and(|first| *first != 0)
            .then_some(text)
    }
}

// SAFETY: the length is at most that of the member.
unsafe impl SocketAddress for Name {
    fn raw(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        ((&raw const self.address).cast(), self.length)
    }
}

/// The address of a Unix socket's end, and how long the name in it is.
pub(super) fn unix_name(fd: c_int, end: End) -> Result<(libc::sockaddr_un, usize)> {
    let mut address: libc::sockaddr_un = zeroed();
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the address has the length that is passed.
    unsafe { socket::name(fd, end, (&raw mut address).cast(), &mut length) }?;
    Ok((address, (length as usize).saturating_sub(PATH_OFFSET)))
}

/// The text of a name of `length` bytes: of a path what is before the terminator, of a name in the
/// abstract namespace all.
pub(super) fn text_of(address: &libc::sockaddr_un, length: usize) -> &[u8] {
    let path = &address.sun_path;
    let length = length.min(path.len());
    // SAFETY: `c_char` and `u8` are alike, and there are that many.
    let bytes: &[u8] = unsafe { core::slice::from_raw_parts(path.as_ptr().cast(), length) };
    let end = bytes.iter().position(|byte| *byte == 0);
    match end {
        Some(end) if end > 0 => &bytes[..end],
        _ => bytes,
    }
}
