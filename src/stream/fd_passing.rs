//! Descriptors that are passed along with data over a pipe between processes.
//!
//! The first one is in `accepted_fd`, where connections of a server are too; further ones are in an
//! array behind `queued_fds`, in the order of their arrival.

use core::ffi::c_int;

use super::Stream;
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, Result};
use crate::stream::pipe::Pipe;
use crate::sys::{fd, socket};
use crate::view::{get, set};

type Queue = alloc::Vec<c_int>;

impl Stream {
    fn queue(self) -> *mut Queue {
        get!(self.queued_fds).cast()
    }

    /// Whether handles can be passed along with data.
    pub(super) fn passes_handles(self) -> bool {
        // SAFETY: the type says what the memory is.
        self.handle().kind() == UV_NAMED_PIPE
            && unsafe { Pipe::from_ptr(self.raw().cast()) }.passes_handles()
    }

    /// Reads data, and queues the descriptors that were passed along. If some were lost, that is
    /// noted in `delayed_error` and reported after the data: the stream is connected, so that field
    /// has no other use.
    pub(super) fn receive_handles(self, buffer: &uv_buf_t) -> Result<usize> {
        let mut lost = None;
        // SAFETY: the user has just provided the buffer for this.
        let received = unsafe {
            socket::receive_with_fds(self.fd(), buffer, |received| {
                let kept = received
                    .above_standard()
                    .and_then(|own| own.give(|fd| self.enqueue(fd)));
                lost = lost.or(kept.err());
            })
        }?;
        if received.is_cut {
            lost = Some(Errno::EMFILE);
        }
        if let Some(error) = lost {
            set!(self.delayed_error = error.code());
        }
        Ok(received.count)
    }

    /// Whether handles were lost and that is not reported yet.
    pub(super) fn has_lost_handles(self) -> bool {
        get!(self.delayed_error) != 0 && self.passes_handles()
    }

    /// Takes the error of lost handles, which counts as reported from then on.
    pub(super) fn take_lost_handles(self) -> Option<Errno> {
        self.has_lost_handles().then(|| self.take_delayed_error())?
    }

    fn enqueue(self, received: c_int) -> Result {
        if get!(self.accepted_fd) == -1 {
            set!(self.accepted_fd = received);
            return Ok(());
        }
        if self.queue().is_null() {
            let queue = alloc::boxed::<Queue>(alloc::vec())?;
            set!(self.queued_fds = alloc::Box::into_raw(queue).cast());
        }
        // SAFETY: made above or by an earlier call, and no other reference to it exists.
        alloc::push(unsafe { &mut *self.queue() }, received).map_err(|_| Errno::ENOMEM)
    }

    /// How many descriptors are queued behind the first.
    pub(super) fn queued_count(self) -> usize {
        // SAFETY: null, or an array to which no other reference exists.
        unsafe { self.queue().as_ref() }.map_or(0, |queue| queue.len())
    }

    /// Takes the next queued descriptor, or −1.
    pub(super) fn next_queued_fd(self) -> c_int {
        // SAFETY: null, or an array to which no other reference exists.
        let Some(queue) = (unsafe { self.queue().as_mut() }) else {
            return -1;
        };
        let next = queue.remove(0);
        if queue.is_empty() {
            self.drop_queue();
        }
        next
    }

    fn drop_queue(self) {
        let queue = self.queue();
        set!(self.queued_fds = core::ptr::null_mut());
        // SAFETY: made by `enqueue` on this allocator, and not used from here on.
        drop(unsafe { alloc::Box::from_raw_in(queue, alloc::Heap) });
    }

    /// Closes the descriptors that were not accepted.
    pub(super) fn close_received(self) {
        while get!(self.accepted_fd) != -1 {
            fd::close_quietly(get!(self.accepted_fd));
            set!(self.accepted_fd = self.next_queued_fd());
        }
    }
}
