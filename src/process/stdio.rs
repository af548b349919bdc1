//! The descriptors that a child begins with.

use core::ffi::{c_int, c_uint};

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::handle::flags;
use crate::stream::Stream;
use crate::sys::fd::{self, OwnedFd};
use crate::sys::socket;

/// How many standard descriptors there are. A child has at least these, opened on `/dev/null` if
/// nothing else.
const STANDARD_DESCRIPTORS: usize = 3;

/// The flags that say what a container stands for; one of these, or none.
const KIND_FLAGS: uv_stdio_flags = UV_CREATE_PIPE | UV_INHERIT_FD | UV_INHERIT_STREAM;

/// The least size of a pipe's buffers, in bytes: that of a pipe of the kernel's.
const LEAST_BUFFER_BYTES: c_int = 64 << 10;

/// A pipe made for the child.
struct Pipe {
    /// `None` once the child has it.
    childs_end: Option<OwnedFd>,
    /// `None` once the stream has it.
    parents_end: Option<OwnedFd>,
    stream: Stream,
    /// The directions of the parent's end.
    directions: c_uint,
}

impl Pipe {
    /// Makes a pair of sockets: it serves both directions, and descriptors can be sent over it.
    ///
    /// The child's end blocks even with `UV_NONBLOCK_PIPE`. On Unix libuv takes that flag for a
    /// hint without effect, and programs (Node.js is one) rely on that.
    fn new(stream: Stream, wanted: uv_stdio_flags) -> Result<Pipe> {
        // The child reads what the parent writes.
        let mut directions = 0;
        if wanted & UV_READABLE_PIPE != 0 {
            directions |= flags::WRITABLE;
        }
        if wanted & UV_WRITABLE_PIPE != 0 {
            directions |= flags::READABLE;
        }
        let ends = socket::pair(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
        // Above the standard descriptors: another container may stand for one of them, which must
        // be closed then.
        let [parents_end, childs_end] = fd::pair_at_least(ends, STANDARD_DESCRIPTORS as c_int)?;
        fd::set_nonblocking(parents_end.raw(), true)?;
        enlarge_buffers(parents_end.raw());
        enlarge_buffers(childs_end.raw());
        Ok(Pipe {
            childs_end: Some(childs_end),
            parents_end: Some(parents_end),
            stream,
            directions,
        })
    }
}

pub(super) struct Stdio {
    /// The parent's descriptor for each of the child's, or −1 for none.
    descriptors: alloc::Vec<c_int>,
    pipes: alloc::Vec<Pipe>,
}

impl Stdio {
    pub(super) fn new(containers: &[uv_stdio_container_t]) -> Result<Stdio> {
        let mut stdio = Stdio {
            descriptors: alloc::vec(),
            pipes: alloc::vec(),
        };
        let count = containers.len().max(STANDARD_DESCRIPTORS);
        let reserved = stdio.descriptors.try_reserve(count);
        reserved.map_err(|_| Errno::ENOMEM)?;
        for container in containers {
            let fd = stdio.source(container)?;
            stdio.descriptors.push(fd);
        }
        stdio.descriptors.resize(count, -1);
        Ok(stdio)
    }

    /// The parent's descriptor that a container stands for.
    fn source(&mut self, container: &uv_stdio_container_t) -> Result<c_int> {
        // SAFETY: the flags say which member is there.
        unsafe {
            match container.flags & KIND_FLAGS {
                UV_IGNORE => Ok(-1),
                UV_CREATE_PIPE => self.create_pipe(container.data.stream, container.flags),
                UV_INHERIT_FD => valid(container.data.fd),
                UV_INHERIT_STREAM => valid(descriptor_of(container.data.stream)?),
                _ => Err(Errno::EINVAL),
            }
        }
    }

    /// # Safety
    /// `stream` must be null or point to a handle.
    unsafe fn create_pipe(
        &mut self,
        stream: *mut uv_stream_t,
        wanted: uv_stdio_flags,
    ) -> Result<c_int> {
        if stream.is_null() {
            return Err(Errno::EINVAL);
        }
        // SAFETY: the caller vouches for the pointer.
        let stream = unsafe { Stream::from_ptr(stream) };
        if stream.handle().kind() != UV_NAMED_PIPE || stream.handle().is_closing() {
            return Err(Errno::EINVAL);
        }
        if stream.fd() != -1 {
            return Err(Errno::EBUSY);
        }
        self.pipes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let pipe = Pipe::new(stream, wanted)?;
        let childs_end = pipe.childs_end.as_ref().map_or(-1, OwnedFd::raw);
        self.pipes.push(pipe);
        Ok(childs_end)
    }

    pub(super) fn descriptors(&mut self) -> (*mut c_int, c_int) {
        let count = self.descriptors.len() as c_int;
        (self.descriptors.as_mut_ptr(), count)
    }

    /// Closes the child's ends in this process, and opens the streams on the parent's ends.
    pub(super) fn open_streams(&mut self) -> Result {
        for pipe in &mut self.pipes {
            pipe.childs_end = None;
        }
        for pipe in &mut self.pipes {
            if let Some(end) = pipe.parents_end.take() {
                end.give(|fd| pipe.stream.open(fd, pipe.directions))?;
            }
        }
        Ok(())
    }
}

fn valid(fd: c_int) -> Result<c_int> {
    if fd < 0 { Err(Errno::EINVAL) } else { Ok(fd) }
}

/// # Safety
/// `stream` must be null or point to a handle.
unsafe fn descriptor_of(stream: *mut uv_stream_t) -> Result<c_int> {
    if stream.is_null() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the caller vouches for the pointer.
    let stream = unsafe { Stream::from_ptr(stream) };
    match stream.handle().kind() {
        UV_TCP | UV_NAMED_PIPE | UV_TTY => Ok(stream.fd()),
        _ => Err(Errno::EINVAL),
    }
}

/// Enlarges the buffers as far as the system allows; smaller ones work as well.
fn enlarge_buffers(fd: c_int) {
    for option in [libc::SO_SNDBUF, libc::SO_RCVBUF] {
        let size = socket::get_option(fd, libc::SOL_SOCKET, option);
        if size.is_ok_and(|size| size < LEAST_BUFFER_BYTES) {
            let _ = socket::set_option(fd, libc::SOL_SOCKET, option, LEAST_BUFFER_BYTES);
        }
    }
}
