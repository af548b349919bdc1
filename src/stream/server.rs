//! Streams that listen, and what they accept.
//!
//! A server takes one connection, and no more until the user has accepted it. If descriptors or
//! memory are lacking, the error is reported, and accepting is tried again after a backoff. While
//! there is a spare descriptor, connections without a descriptor are dropped instead.

use core::ffi::c_int;

use super::Stream;
use super::pipe::Pipe;
use super::tcp::Tcp;
use crate::abi::*;
use crate::backend::ready;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;
use crate::handle::{Handle, flags};
use crate::observe::call_back;
use crate::sys::fd::{self, OwnedFd};
use crate::sys::socket;
use crate::udp::Udp;
use crate::view::{get, set};

impl Stream {
    pub(super) fn listen(self, backlog: c_int, callback: uv_connection_cb) -> Result {
        if self.handle().is_closing() {
            return Err(Errno::EINVAL);
        }
        if let Some(tcp) = Tcp::of(self.handle()) {
            tcp.prepare_to_listen()?;
        } else {
            let pipe = Pipe::of(self.handle()).ok_or(Errno::EINVAL)?;
            pipe.prepare_to_listen()?;
        }
        socket::listen(self.fd(), backlog)?;
        let event_loop = self.event_loop();
        open_spare_fd(event_loop);
        set!(self.connection_cb = callback);
        self.handle().add(flags::LISTENING | flags::BOUND);
        // If a connection waits from before, the next one is taken after it is accepted.
        if self.waiting_fd().is_none() {
            self.io().start(event_loop, ready::READABLE);
        }
        self.handle().start();
        Ok(())
    }

    /// Takes one connection from the readable socket, and no more until the user has accepted it.
    pub(super) fn on_connection(self) {
        let accepted = match socket::accept(self.fd()) {
            Err(error @ (Errno::EMFILE | Errno::ENFILE)) => {
                drop_connections(self.event_loop(), self.fd(), error)
            }
            result => result,
        };
        match accepted {
            Ok(fd) => {
                self.set_waiting_fd(Some(fd.into_raw()));
                self.invoke_connection(0);
                if self.waiting_fd().is_some() {
                    self.io().stop(self.event_loop(), ready::READABLE);
                }
            }
            // The connection is gone again, or was taken by another process.
            Err(Errno::EAGAIN | Errno::ECONNABORTED) => {}
            Err(error) => {
                if error == Errno::EBADF {
                    // The descriptor was closed by other code: there is nothing to wait for.
                    self.io().stop(self.event_loop(), ready::READABLE);
                    self.handle().stop();
                } else {
                    // The connection still waits, and the next attempt may fail as well.
                    self.io().back_off(self.event_loop());
                }
                self.invoke_connection(error.code());
            }
        }
    }

    fn invoke_connection(self, status: c_int) {
        if let Some(callback) = get!(self.connection_cb) {
            // SAFETY: the user's callback gets the server it was registered for.
            unsafe { call_back!(Connection: callback(self.raw(), status)) }
        }
    }

    /// Gives `client` the connection that waits, or the handle that was received.
    ///
    /// # Safety
    /// `client` must be an initialised handle.
    pub(super) unsafe fn accept(self, client: *mut uv_stream_t) -> Result {
        let fd = self.waiting_fd().ok_or(Errno::EAGAIN)?;
        // SAFETY: the caller vouches for the handle.
        let client = unsafe { Handle::from_ptr(client.cast()) };
        let pipe = || Pipe::of(client).map(Pipe::stream);
        let stream = Tcp::of(client).map(Tcp::stream).or_else(pipe);
        let result = match (stream, Udp::of(client)) {
            (Some(stream), _) => {
                OwnedFd::new(fd).give(|fd| stream.open(fd, flags::READABLE | flags::WRITABLE))
            }
            (None, Some(udp)) => OwnedFd::new(fd).give(|fd| udp.open(fd)),
            (None, None) => return Err(Errno::EINVAL),
        };
        if result.is_ok() {
            client.add(flags::BOUND);
        }
        // This one is taken or lost; the next one may come.
        self.set_waiting_fd(self.next_queued_fd());
        if self.waiting_fd().is_none() && self.handle().has(flags::LISTENING | flags::READING) {
            self.io().start(self.event_loop(), ready::READABLE);
        }
        result
    }
}

/// Opens the spare descriptor, unless it is open. It is closed when the process has no other left.
fn open_spare_fd(event_loop: Loop) {
    if event_loop.spare_fd() == -1 {
        event_loop.set_spare_fd(fd::open_dummy().map_or(-1, OwnedFd::into_raw));
    }
}

/// Drops the connections that wait, when there are no descriptors left: closes the spare one to
/// accept them. Otherwise they would keep the socket readable for ever, and their peers would get
/// no answer.
fn drop_connections(event_loop: Loop, server: c_int, error: Errno) -> Result<OwnedFd> {
    if event_loop.spare_fd() == -1 {
        return Err(error);
    }
    fd::close_quietly(event_loop.spare_fd());
    event_loop.set_spare_fd(-1);
    let result = loop {
        match socket::accept(server) {
            Ok(dropped) => drop(dropped),
            Err(error) => break Err(error),
        }
    };
    open_spare_fd(event_loop);
    result
}
