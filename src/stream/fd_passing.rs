//! Descriptors that are passed along with data over a pipe between processes.
//!
//! The next one for `uv_accept` is in `accepted_fd`, as the next connection of a server is. Further
//! ones are in an array behind `queued_fds`, in the order of their arrival.
//!
//! Of the handle's `u.reserved`, streams use the first word, for the error of handles that were lost.

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
    /// The array, which is never empty; null without one.
    fn queue(self) -> *mut Queue {
        get!(self.queued_fds).cast()
    }

    /// Whether handles can be passed along with data.
    pub(super) fn passes_handles(self) -> bool {
        Pipe::of(self.handle()).is_some_and(Pipe::passes_handles)
    }

    /// Reads data, and queues the descriptors that were passed along. If some were lost, that is
    /// noted and reported after the data.
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
        if lost.is_some() {
            self.set_lost_handles(lost);
        }
        Ok(received.count)
    }

    /// The error of handles that were lost, if that is not reported yet.
    pub(super) fn lost_handles(self) -> Option<Errno> {
        let [code, ..] = get!(self.u.reserved);
        match code.addr() as c_int {
            0 => None,
            code => Some(Errno::from_code(code)),
        }
    }

    pub(super) fn set_lost_handles(self, error: Option<Errno>) {
        let code = error.map_or(0, Errno::code);
        let null = core::ptr::null_mut();
        let word = core::ptr::without_provenance_mut(code as usize);
        set!(self.u.reserved = [word, null, null, null]);
    }

    /// Takes the error of lost handles, which counts as reported from then on.
    pub(super) fn take_lost_handles(self) -> Option<Errno> {
        let error = self.lost_handles();
        if error.is_some() {
            self.set_lost_handles(None);
        }
        error
    }

    /// The descriptor that the next `uv_accept` takes: a connection of a server's, or one that was
    /// passed along with data.
    pub(super) fn waiting_fd(self) -> Option<c_int> {
        Some(get!(self.accepted_fd)).filter(|fd| *fd != -1)
    }

    pub(super) fn set_waiting_fd(self, fd: Option<c_int>) {
        set!(self.accepted_fd = fd.unwrap_or(-1));
    }

    fn enqueue(self, received: c_int) -> Result {
        if self.waiting_fd().is_none() {
            self.set_waiting_fd(Some(received));
            return Ok(());
        }
        if self.queue().is_null() {
            let mut queue: Queue = alloc::vec();
            alloc::push(&mut queue, received)?;
            set!(self.queued_fds = alloc::Box::into_raw(alloc::boxed(queue)?).cast());
            return Ok(());
        }
        // SAFETY: made by an earlier call, and no other reference to it exists.
        alloc::push(unsafe { &mut *self.queue() }, received)
    }

    /// How many descriptors are queued behind the first.
    pub(super) fn queued_count(self) -> usize {
        // SAFETY: null, or an array to which no other reference exists.
        unsafe { self.queue().as_ref() }.map_or(0, |queue| queue.len())
    }

    /// Takes the next queued descriptor.
    pub(super) fn next_queued_fd(self) -> Option<c_int> {
        // SAFETY: null, or an array to which no other reference exists.
        let queue = unsafe { self.queue().as_mut() }?;
        let next = queue.remove(0);
        if queue.is_empty() {
            self.drop_queue();
        }
        Some(next)
    }

    fn drop_queue(self) {
        let queue = self.queue();
        set!(self.queued_fds = core::ptr::null_mut());
        // SAFETY: made by `enqueue` on this allocator, and not used from here on.
        drop(unsafe { alloc::Box::from_raw_in(queue, alloc::Heap) });
    }

    /// Closes the descriptors that were not accepted.
    pub(super) fn close_received(self) {
        while let Some(fd) = self.waiting_fd() {
            fd::close_quietly(fd);
            self.set_waiting_fd(self.next_queued_fd());
        }
    }
}
