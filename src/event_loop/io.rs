//! Watchers of descriptors: what handles are interested in, and who is told.
//!
//! Interest changes are collected and applied right before the loop polls, so that starting and
//! stopping within one iteration costs nothing. Each descriptor has a slot, found by its number:
//! its watcher, what the poller was told, and a generation, which every event carries. Closing a
//! descriptor makes a new generation, so that events of one batch that were meant for the old
//! descriptor are not taken for its successor's.

use std::ffi::c_int;

use super::Loop;
use crate::abi::*;
use crate::alloc;
use crate::async_handle;
use crate::backend::{Poller, ready};
use crate::errors::{Errno, Result};
use crate::fs_event;
use crate::list::{self, List};
use crate::poll::Poll;
use crate::signal;
use crate::stream::Stream;
use crate::udp::Udp;
use crate::view::{addr, get, owner, set, view};

/// Readiness in the pending phase: the descriptor was not polled, but may be written to.
pub(crate) const FED: u32 = 1 << 31 | ready::WRITABLE;

/// Whose member a watcher is; kept in `uv__io_t.bits`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Watcher {
    Async = 1,
    Signal = 2,
    Inotify = 3,
    Stream = 4,
    Udp = 5,
    Poll = 6,
}

/// What is known of one descriptor number.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    watcher: *mut uv__io_t,
    /// The interest that the poller has been told; 0 when it does not know the descriptor.
    registered: u32,
    generation: u32,
}

const FREE_SLOT: Slot = Slot {
    watcher: std::ptr::null_mut(),
    registered: 0,
    generation: 0,
};

/// The slots of a loop, and its poller.
pub(crate) struct Descriptors {
    pub(super) poller: Poller,
    slots: alloc::Vec<Slot>,
}

impl Descriptors {
    pub(super) fn new() -> Result<Descriptors> {
        Ok(Descriptors {
            poller: Poller::new()?,
            slots: alloc::vec(),
        })
    }

    /// Makes room for a descriptor's slot.
    fn reserve(&mut self, fd: c_int) -> Result {
        let Ok(index) = usize::try_from(fd) else {
            return Err(Errno::EBADF);
        };
        if index >= self.slots.len() {
            let count = (index + 1).next_power_of_two().max(32);
            let more = count - self.slots.len();
            self.slots.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(count, FREE_SLOT);
        }
        Ok(())
    }

    /// Whether a descriptor can be polled at all.
    pub(crate) fn probe(&mut self, fd: c_int) -> Result {
        self.poller.probe(fd)
    }

    fn slot(&mut self, fd: c_int) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(fd).ok()?)
    }

    /// Tells the poller of a watcher's interest, unless it knows.
    fn apply(&mut self, fd: c_int, interest: u32) -> Result {
        let Some(slot) = self.slots.get_mut(fd as usize) else {
            return Err(Errno::EBADF);
        };
        if slot.registered == interest {
            return Ok(());
        }
        let token = u64::from(slot.generation) << 32 | u64::from(fd as u32);
        self.poller.set(fd, slot.registered != 0, interest, token)?;
        slot.registered = interest;
        Ok(())
    }

    /// Makes the poller forget a descriptor, and events under way be for nobody.
    fn forget(&mut self, fd: c_int) {
        let Some(slot) = self.slots.get_mut(fd as usize) else {
            return;
        };
        slot.generation = slot.generation.wrapping_add(1);
        if slot.registered != 0 {
            slot.registered = 0;
            self.poller.forget(fd);
        }
    }

    /// Who is to be told of an event, if anybody still is.
    pub(super) fn watcher_of(&mut self, token: u64) -> Option<Io> {
        let fd = token as u32 as c_int;
        let generation = (token >> 32) as u32;
        let slot = self.slots.get_mut(fd as usize)?;
        if slot.generation != generation {
            return None;
        }
        if slot.watcher.is_null() {
            // Level-triggered, it would be reported for ever.
            self.forget(fd);
            return None;
        }
        // SAFETY: a watcher leaves its slot before it dies.
        Some(unsafe { Io::from_ptr(slot.watcher) })
    }

    /// Starts afresh after a fork, when the poller is shared with the parent; the watchers that
    /// are to be told to the new poller are handed to `each`.
    pub(super) fn fork(&mut self, mut each: impl FnMut(Io)) -> Result {
        let parents = std::mem::replace(&mut self.poller, Poller::new()?);
        parents.abandon();
        for slot in self.slots.iter_mut() {
            slot.registered = 0;
            slot.generation = slot.generation.wrapping_add(1);
            if !slot.watcher.is_null() {
                // SAFETY: a watcher leaves its slot before it dies.
                each(unsafe { Io::from_ptr(slot.watcher) });
            }
        }
        Ok(())
    }
}

view!(
    /// Watches one descriptor for its owner.
    Io => uv__io_t
);

impl Io {
    pub(crate) fn init(self, owner: Watcher, fd: c_int) {
        set!(self.bits = owner as usize);
        set!(self.fd = fd);
        set!(self.pevents = 0);
        set!(self.events = 0);
        self.pending_link().init();
        self.changed_link().init();
    }

    pub(crate) fn fd(self) -> c_int {
        get!(self.fd)
    }

    /// Gives the watcher its descriptor, with room for it in the loop.
    pub(crate) fn set_fd(self, on: Loop, fd: c_int) -> Result {
        on.descriptors(|all| all.reserve(fd))?;
        set!(self.fd = fd);
        Ok(())
    }

    fn pending_link(self) -> List {
        // SAFETY: the link is a member of a live watcher.
        unsafe { List::from_ptr(addr!(self.pending_queue)) }
    }

    fn changed_link(self) -> List {
        // SAFETY: the link is a member of a live watcher.
        unsafe { List::from_ptr(addr!(self.watcher_queue)) }
    }

    /// The watcher whose `pending_queue` member `link` is.
    pub(super) fn from_pending_link(link: List) -> Io {
        // SAFETY: the links of the pending list are members of live watchers.
        unsafe { Io::from_ptr(owner!(link.raw(), uv__io_t, pending_queue)) }
    }

    fn from_changed_link(link: List) -> Io {
        // SAFETY: the links of the changed list are members of live watchers.
        unsafe { Io::from_ptr(owner!(link.raw(), uv__io_t, watcher_queue)) }
    }

    /// Adds to the interest.
    pub(crate) fn start(self, on: Loop, interest: u32) {
        set!(self.pevents = get!(self.pevents) | interest);
        self.note_change(on);
        let raw = self.raw();
        let fd = self.fd();
        let claimed = on.descriptors(|all| {
            all.reserve(fd)?;
            let Some(slot) = all.slot(fd) else {
                return Err(Errno::EBADF);
            };
            let is_new = slot.watcher.is_null();
            if is_new {
                slot.watcher = raw;
            }
            Ok(is_new)
        });
        match claimed {
            Ok(true) => on.add_watched(1),
            Ok(false) => {}
            Err(_) => crate::panic::misuse("no memory to watch a descriptor"),
        }
    }

    /// Takes from the interest.
    pub(crate) fn stop(self, on: Loop, interest: u32) {
        let fd = self.fd();
        if fd == -1 {
            return;
        }
        set!(self.pevents = get!(self.pevents) & !interest);
        if get!(self.pevents) != 0 {
            self.note_change(on);
            return;
        }
        self.changed_link().remove();
        set!(self.events = 0);
        let raw = self.raw();
        let left = on.descriptors(|all| match all.slot(fd) {
            Some(slot) if slot.watcher == raw => {
                slot.watcher = std::ptr::null_mut();
                true
            }
            _ => false,
        });
        if left {
            on.remove_watched(1);
        }
    }

    fn note_change(self, on: Loop) {
        if get!(self.pevents) != get!(self.events) && self.changed_link().is_empty() {
            on.changed_watchers().push_back(self.changed_link());
        }
    }

    /// Stops watching, for good: the descriptor is about to be closed or given back.
    pub(crate) fn close(self, on: Loop) {
        self.stop(on, !0);
        self.pending_link().remove();
        self.forget(on);
    }

    /// Makes the poller forget the descriptor at once, which its owner may close unasked.
    pub(crate) fn forget(self, on: Loop) {
        let fd = self.fd();
        if fd != -1 {
            set!(self.events = 0);
            on.descriptors(|all| all.forget(fd));
        }
    }

    /// Has the interest told to a new poller.
    pub(super) fn requeue(self, on: Loop) {
        set!(self.events = 0);
        self.note_change(on);
    }

    /// Has the watcher told, in the loop's next pending phase, with [`FED`].
    pub(crate) fn feed(self, on: Loop) {
        if self.pending_link().is_empty() {
            on.pending().push_back(self.pending_link());
        }
    }

    /// Whether any of `interest` is wanted.
    pub(crate) fn wants(self, interest: u32) -> bool {
        get!(self.pevents) & interest != 0
    }

    pub(super) fn is_signal(self) -> bool {
        get!(self.bits) == Watcher::Signal as usize
    }

    pub(super) fn is_async(self) -> bool {
        get!(self.bits) == Watcher::Async as usize
    }

    /// What of an event concerns this watcher.
    pub(super) fn relevant(self, readiness: u32) -> u32 {
        #[cfg(any(not(target_os = "linux"), feature = "portable-poller"))]
        let readiness = {
            let _ = readiness;
            Poller::refine(self.fd(), get!(self.pevents))
        };
        let seen = readiness & (get!(self.pevents) | ready::ERROR | ready::HANG_UP);
        // An error or a hang-up alone wakes whoever waits for anything: reading or writing then
        // tells what happened.
        if seen != 0 && seen & !(ready::ERROR | ready::HANG_UP) == 0 {
            seen | get!(self.pevents) & ready::REQUESTABLE
        } else {
            seen
        }
    }

    /// Tells the owner.
    pub(super) fn dispatch(self, on: Loop, readiness: u32) {
        let raw = self.raw();
        match get!(self.bits) {
            kind if kind == Watcher::Async as usize => async_handle::on_readable(on),
            kind if kind == Watcher::Signal as usize => signal::on_readable(on),
            kind if kind == Watcher::Inotify as usize => fs_event::on_readable(on),
            kind if kind == Watcher::Stream as usize => {
                // SAFETY: the kind says whose member the watcher is.
                unsafe { Stream::from_ptr(owner!(raw, uv_stream_t, io_watcher)) }.on_io(readiness);
            }
            kind if kind == Watcher::Udp as usize => {
                // SAFETY: the kind says whose member the watcher is.
                unsafe { Udp::from_ptr(owner!(raw, uv_udp_t, io_watcher)) }.on_io(readiness);
            }
            kind if kind == Watcher::Poll as usize => {
                // SAFETY: the kind says whose member the watcher is.
                unsafe { Poll::from_ptr(owner!(raw, uv_poll_t, io_watcher)) }.on_io(readiness);
            }
            _ => crate::panic::misuse("a watcher was overwritten"),
        }
    }
}

/// Whether some watcher has this descriptor.
pub(crate) fn is_watched(on: Loop, fd: c_int) -> bool {
    on.descriptors(|all| all.slot(fd).is_some_and(|slot| !slot.watcher.is_null()))
}

/// Tells the poller what changed since it was asked last. A descriptor that it refuses (closed
/// behind the loop's back, or a file, which is always ready) is reported to its watcher as an
/// error, each iteration anew while there is interest. Returns whether any was.
pub(super) fn apply_changes(on: Loop) -> bool {
    if on.changed_watchers().is_empty() {
        return false;
    }
    let mut any_refused = false;
    let mut local = list::head();
    // SAFETY: `local` outlives the walk, which leaves it empty.
    let todo = unsafe { List::from_ptr(&raw mut local) };
    on.changed_watchers().take(todo);
    while let Some(link) = todo.pop_front() {
        let io = Io::from_changed_link(link);
        let (fd, interest) = (io.fd(), get!(io.pevents));
        if interest == 0 {
            continue;
        }
        match on.descriptors(|all| all.apply(fd, interest)) {
            Ok(()) => set!(io.events = interest),
            Err(_) => {
                any_refused = true;
                set!(io.events = 0);
                on.changed_watchers().push_back(io.changed_link());
                io.dispatch(on, ready::ERROR | interest & ready::REQUESTABLE);
            }
        }
    }
    any_refused
}
