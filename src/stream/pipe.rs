//! Pipes: Unix domain sockets by name, and pipes or FIFOs that were opened elsewhere. The file that
//! a bind makes is in `socket_file`.
//!
//! <https://docs.libuv.org/en/v1.x/pipe.html>

use core::ffi::{c_char, c_int, c_uint};

use super::socket_file::SocketFile;
use super::unix_name::{Name, text_of, unix_name};
use super::{Connect, Stream};
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::is_watched;
use crate::handle::{Handle, downcast, flags};
use crate::net::address::text_bytes;
use crate::sys::fd::{self, OwnedFd};
use crate::sys::socket::{self, End};
use crate::text_buffer::TextBuffer;
use crate::view::{get, set, upcast, view};

view!(
    /// A pipe handle.
    Pipe => uv_pipe_t
);

impl Pipe {
    upcast!(pub(super) stream: Stream);
    downcast!(pub(super) of: UV_NAMED_PIPE);

    fn handle(self) -> Handle {
        self.stream().handle()
    }

    fn fd(self) -> c_int {
        self.stream().fd()
    }

    /// Whether handles can be passed along with data.
    pub(crate) fn passes_handles(self) -> bool {
        get!(self.ipc) != 0
    }

    fn init(self, event_loop: Loop, ipc: c_int) {
        self.stream().init(event_loop, UV_NAMED_PIPE);
        set!(self.ipc = ipc);
        set!(self.pipe_fname = core::ptr::null());
    }

    fn open(self, fd: c_int) -> Result {
        self.handle().expect_any()?;
        if is_watched(self.handle().event_loop(), fd) {
            return Err(Errno::EEXIST);
        }
        let directions = match fd::status_flags(fd)? & libc::O_ACCMODE {
            libc::O_RDONLY => flags::READABLE,
            libc::O_WRONLY => flags::WRITABLE,
            _ => flags::READABLE | flags::WRITABLE,
        };
        fd::set_nonblocking(fd, true)?;
        self.stream().expected()?;
        self.stream().open(fd, directions)
    }

    fn bind(self, name: &Name) -> Result {
        if self.fd() != -1 || self.handle().is_closing() {
            return Err(Errno::EINVAL);
        }
        let mut file = match name.path() {
            Some(path) => Some(alloc::boxed(SocketFile::at(path))?),
            None => None,
        };
        socket::socket(libc::AF_UNIX, libc::SOCK_STREAM)?
            .give(|fd| self.bind_socket(fd, name, file.as_deref_mut()))?;
        if let Some(file) = file {
            set!(self.pipe_fname = SocketFile::into_raw(file));
        }
        self.handle().add(flags::BOUND);
        Ok(())
    }

    /// Binds a socket and gives it to the handle; if this fails, there is no file.
    fn bind_socket(self, fd: c_int, name: &Name, file: Option<&mut SocketFile>) -> Result {
        match socket::bind(fd, name) {
            Ok(()) => {}
            // As on Windows, where a name in a directory that does not exist is not permitted.
            Err(Errno::ENOENT) => return Err(Errno::EACCES),
            Err(error) => return Err(error),
        }
        let Some(file) = file else {
            return self.stream().open(fd, 0);
        };
        file.identify();
        self.stream().open(fd, 0).inspect_err(|_| file.remove())
    }

    pub(super) fn prepare_to_listen(self) -> Result {
        if self.fd() == -1 || self.passes_handles() {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// # Safety
    /// `request` must be writable.
    unsafe fn connect(self, request: *mut uv_connect_t, name: &Name, cb: uv_connect_cb) -> Result {
        self.stream().expected()?;
        // SAFETY: the caller vouches for the request.
        let request = unsafe { Connect::from_ptr(request) };
        if self.handle().is_closing() {
            return Err(Errno::EINVAL);
        }
        if !get!(self.connect_req).is_null() {
            return Err(Errno::EALREADY);
        }
        self.stream()
            .begin_connect(request, self.try_connect(name).err(), cb);
        Ok(())
    }

    fn try_connect(self, name: &Name) -> Result {
        let is_new = self.fd() == -1;
        if is_new {
            socket::socket(libc::AF_UNIX, libc::SOCK_STREAM)?
                .give(|fd| self.stream().open(fd, 0))?;
        }
        match socket::connect(self.fd(), name) {
            Ok(()) | Err(Errno::EINPROGRESS) => {
                if is_new {
                    self.handle().add(flags::READABLE | flags::WRITABLE);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a socket's name to a buffer, whose size becomes 0 where there is none.
    fn name(self, end: End, buffer: TextBuffer) -> Result {
        let found = self.handle().fileno().and_then(|fd| unix_name(fd, end));
        let (address, length) = match found {
            Ok(found) => found,
            Err(error) => {
                buffer.leave_empty();
                return Err(error);
            }
        };
        match text_of(&address, length) {
            name @ [0, ..] => buffer.put_unterminated(name),
            path => buffer.put(path),
        }
    }

    /// Adds permissions for users other than the owner to connect.
    fn chmod(self, mode: c_int) -> Result {
        const READ: libc::mode_t = libc::S_IRUSR | libc::S_IRGRP | libc::S_IROTH;
        const WRITE: libc::mode_t = libc::S_IWUSR | libc::S_IWGRP | libc::S_IWOTH;
        if self.fd() == -1 {
            return Err(Errno::EBADF);
        }
        let wanted = match mode as c_uint {
            UV_READABLE => READ,
            UV_WRITABLE => WRITE,
            mode if mode == UV_READABLE | UV_WRITABLE => READ | WRITE,
            _ => return Err(Errno::EINVAL),
        };
        if let Some(file) = self.file() {
            return file.allow(wanted);
        }
        // The socket was bound by other code, or by the server that accepted it, or has no path.
        let (address, length) = unix_name(self.fd(), End::Own)?;
        SocketFile::at(text_of(&address, length)).allow(wanted)
    }

    /// The file that this handle's bind has made.
    fn file<'a>(self) -> Option<&'a SocketFile> {
        // SAFETY: null, or made by `bind` and left in place until the handle is closed.
        unsafe { get!(self.pipe_fname).cast::<SocketFile>().as_ref() }
    }

    fn pending_count(self) -> c_int {
        let is_pipe = self.handle().expect(UV_NAMED_PIPE).is_ok();
        if !is_pipe || !self.passes_handles() || self.stream().waiting_fd().is_none() {
            return 0;
        }
        1 + self.stream().queued_count() as c_int
    }

    /// Removes the socket's file, and closes the stream.
    pub(crate) fn close(self) {
        let path = get!(self.pipe_fname);
        if !path.is_null() {
            set!(self.pipe_fname = core::ptr::null());
            // Before the descriptor is closed: another server may take the name right after.
            // SAFETY: made by `bind`; the handle has forgotten it.
            unsafe { SocketFile::from_raw(path) }.remove();
        }
        self.stream().close();
    }
}

/// The bytes of a name that the program passed.
///
/// # Safety
/// `name` must be null or readable for `length` bytes, while they are used.
unsafe fn name_bytes<'a>(name: *const c_char, length: usize) -> Result<&'a [u8]> {
    if name.is_null() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the caller vouches for the memory.
    Ok(unsafe { core::slice::from_raw_parts(name.cast(), length) })
}

// C entry points

/// Makes `handle` a pipe handle without a descriptor. With a non-zero `ipc`, handles can be passed
/// over it. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_init(
    r#loop: *mut uv_loop_t,
    handle: *mut uv_pipe_t,
    ipc: c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Pipe::from_ptr(handle).init(Loop::from_ptr(r#loop), ipc) };
    0
}

/// Gives the handle an open pipe, FIFO or Unix domain socket, which becomes non-blocking. It can be
/// read from and written to as it was opened.
///
/// Returns 0 or an error: `UV_EEXIST` when the loop watches it already, `UV_EBADF`.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_open>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_open(handle: *mut uv_pipe_t, file: uv_file) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Pipe::from_ptr(handle) }.open(file).into_code()
}

/// Binds the pipe to a path, cut to the 108 bytes that a Unix domain socket's address has. Closing
/// the handle removes the socket's file, unless it was replaced by another file.
///
/// Returns 0 or an error: `UV_EINVAL`, `UV_EADDRINUSE`, `UV_EACCES` (also for a directory that does
/// not exist).
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_bind>
///
/// # Safety
/// `handle` must be initialised, `name` a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_bind(handle: *mut uv_pipe_t, name: *const c_char) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { text_bytes(name).and_then(|name| Pipe::from_ptr(handle).bind(&Name::new(name, 0)?)) }
        .into_code()
}

/// Binds the pipe to a path, or to a name in the abstract namespace, which begins with a zero byte;
/// `namelen` is its length without a terminator. With `UV_PIPE_NO_TRUNCATE` in `flags` a name that
/// is too long is refused with `UV_EINVAL` instead of cut. An empty name makes the kernel pick an
/// abstract one.
///
/// Returns 0 or an error, as `uv_pipe_bind` does.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_bind2>
///
/// # Safety
/// `handle` must be initialised, `name` readable for `namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_bind2(
    handle: *mut uv_pipe_t,
    name: *const c_char,
    namelen: usize,
    flags: c_uint,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        name_bytes(name, namelen)
            .and_then(|name| Name::new(name, flags))
            .and_then(|name| Pipe::from_ptr(handle).bind(&name))
    }
    .into_code()
}

/// Connects to a path, cut as `uv_pipe_bind` cuts it; `cb` gets the result, every error included.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_connect>
///
/// # Safety
/// `req` must be writable, `handle` initialised, `name` a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_connect(
    req: *mut uv_connect_t,
    handle: *mut uv_pipe_t,
    name: *const c_char,
    cb: uv_connect_cb,
) {
    // SAFETY: common pointer contract.
    let (pipe, name) = unsafe { (Pipe::from_ptr(handle), text_bytes(name)) };
    if pipe.stream().expected().is_err() {
        crate::panic::misuse("not a pipe handle");
    }
    let name = name.and_then(|name| Name::to_connect(name, 0));
    // SAFETY: common pointer contract.
    if let Err(error) = name.and_then(|name| unsafe { pipe.connect(req, &name, cb) }) {
        // SAFETY: common pointer contract.
        let request = unsafe { Connect::from_ptr(req) };
        pipe.stream().begin_connect(request, Some(error), cb);
    }
}

/// Connects to a path or to a name in the abstract namespace, as `uv_pipe_bind2` takes them; `cb`
/// gets the result.
///
/// Returns 0 or an error: `UV_EINVAL` for wrong arguments.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_connect2>
///
/// # Safety
/// `req` must be writable, `handle` initialised, `name` readable for `namelen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_connect2(
    req: *mut uv_connect_t,
    handle: *mut uv_pipe_t,
    name: *const c_char,
    namelen: usize,
    flags: c_uint,
    cb: uv_connect_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        name_bytes(name, namelen)
            .and_then(|name| Name::to_connect(name, flags))
            .and_then(|name| Pipe::from_ptr(handle).connect(req, &name, cb))
    }
    .into_code()
}

/// Writes the name of the pipe to `buffer`; `*size` is its room and becomes the name's length.
///
/// Returns 0 or an error: `UV_ENOBUFS` with the room needed in `*size`, `UV_EBADF` without a
/// descriptor, `UV_EINVAL` without any room.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_getsockname>
///
/// # Safety
/// `handle` must be initialised, `buffer` writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_getsockname(
    handle: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        TextBuffer::new(buffer, size)
            .and_then(|buffer| Pipe::from_ptr(handle).name(End::Own, buffer))
    }
    .into_code()
}

/// Writes the name of the connected peer to `buffer`, as `uv_pipe_getsockname` does.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_getpeername>
///
/// # Safety
/// `handle` must be initialised, `buffer` writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_getpeername(
    handle: *const uv_pipe_t,
    buffer: *mut c_char,
    size: *mut usize,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        TextBuffer::new(buffer, size)
            .and_then(|buffer| Pipe::from_ptr(handle).name(End::Peer, buffer))
    }
    .into_code()
}

/// Sets how many instances of a pipe server wait for connections, which means something on
/// Windows only.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_pending_instances>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_instances(handle: *mut uv_pipe_t, count: c_int) {
    let _ = (handle, count);
}

/// The number of handles that were received and wait for `uv_accept`.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_pending_count>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_count(handle: *mut uv_pipe_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Pipe::from_ptr(handle) }.pending_count()
}

/// The type of the handle that waits for `uv_accept`; `UV_UNKNOWN_HANDLE` when none does.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_pending_type>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_pending_type(handle: *mut uv_pipe_t) -> uv_handle_type {
    // SAFETY: common pointer contract.
    let pipe = unsafe { Pipe::from_ptr(handle) };
    if pipe.pending_count() == 0 {
        return UV_UNKNOWN_HANDLE;
    }
    pipe.stream()
        .waiting_fd()
        .map_or(UV_UNKNOWN_HANDLE, super::tty::guess_handle)
}

/// Permits processes of other users to connect: adds to the permissions of the socket's file.
/// `flags` is `UV_READABLE`, `UV_WRITABLE` or both.
///
/// Returns 0 or an error: `UV_EBADF` without a descriptor, `UV_EINVAL` for other flags, `UV_ENOENT`
/// where there is no file, or it was replaced by another one.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe_chmod>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe_chmod(handle: *mut uv_pipe_t, flags: c_int) -> c_int {
    if handle.is_null() {
        return UV_EBADF;
    }
    // SAFETY: common pointer contract.
    let pipe = unsafe { Pipe::from_ptr(handle) };
    pipe.stream()
        .expected()
        .and_then(|_| pipe.chmod(flags))
        .into_code()
}

/// Makes a pipe: what is written to `fds[1]` is read from `fds[0]`. A flag of `UV_NONBLOCK_PIPE`
/// makes that end non-blocking.
///
/// Returns 0 or an error, such as `UV_EMFILE`.
///
/// <https://docs.libuv.org/en/v1.x/pipe.html#c.uv_pipe>
///
/// # Safety
/// `fds` must have room for two.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_pipe(
    fds: *mut uv_file,
    read_flags: c_int,
    write_flags: c_int,
) -> c_int {
    if fds.is_null() {
        return UV_EINVAL;
    }
    let ends = fd::pipe(0).and_then(|ends| set_blocking_modes(ends, [read_flags, write_flags]));
    // SAFETY: common pointer contract.
    ends.map(|ends| unsafe { fds.cast::<[c_int; 2]>().write(ends) })
        .into_code()
}

/// Makes a pair of connected sockets. A flag of `UV_NONBLOCK_PIPE` makes that end non-blocking.
///
/// Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/tcp.html#c.uv_socketpair>
///
/// # Safety
/// `socket_vector` must have room for two.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_socketpair(
    r#type: c_int,
    protocol: c_int,
    socket_vector: *mut uv_os_sock_t,
    flags0: c_int,
    flags1: c_int,
) -> c_int {
    if socket_vector.is_null() {
        return UV_EINVAL;
    }
    let ends = socket::pair(libc::AF_UNIX, r#type, protocol)
        .and_then(|ends| set_blocking_modes(ends, [flags0, flags1]));
    // SAFETY: common pointer contract.
    ends.map(|ends| unsafe { socket_vector.cast::<[c_int; 2]>().write(ends) })
        .into_code()
}

/// Makes those ends non-blocking whose flags ask for it; closes both where that fails.
fn set_blocking_modes(ends: [OwnedFd; 2], options: [c_int; 2]) -> Result<[c_int; 2]> {
    for (end, options) in ends.iter().zip(options) {
        if options & UV_NONBLOCK_PIPE as c_int != 0 {
            fd::set_nonblocking(end.raw(), true)?;
        }
    }
    Ok(ends.map(OwnedFd::into_raw))
}
