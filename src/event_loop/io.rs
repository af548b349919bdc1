//! Watchers of descriptors: what handles are interested in, and who is told.
//!
//! The poller comes to know a change of interest right before the loop polls (`driver/changes.rs`). What
//! it was told is in the watcher, beside the *generation* of its registration, which every event
//! carries. Closing a descriptor ends its registration, so that events of one batch that were meant
//! for the old descriptor are not taken for its successor's.
//!
//! A table finds the watcher by the number of the descriptor. A watcher that is stopped leaves it,
//! and leaves there what the poller still knows: should it come back, nobody has to be told.

use core::ffi::c_int;

use super::Loop;
use crate::abi::*;
use crate::alloc;
use crate::backend::{Events, Poller, ready};
use crate::errors::{Errno, Result};
use crate::list::List;
use crate::sys::fd;
use crate::view::{addr, get, owner, set, view};

/// Readiness in the pending phase: the descriptor was not polled, but may be written to.
pub(crate) const FED: u32 = 1 << 31 | ready::WRITABLE;

/// Whose member a watcher is; kept in the low bits of `uv__io_t.bits`, the generation of its
/// registration being above.
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

const KIND_BITS: u32 = 4;
const KIND_MASK: usize = (1 << KIND_BITS) - 1;
/// Generations fit above the kind on machines of 32 bits, too. 0 is no registration's.
const LAST_GENERATION: u32 = u32::MAX >> KIND_BITS;

/// What is known of one descriptor number, in one word: a watcher's address, or with the lowest
/// bit set what a watcher left behind; 0 for nothing.
#[derive(Clone, Copy)]
pub(crate) struct Slot(u64);

enum Known {
    Nothing,
    Watched(Io),
    /// The poller still knows the descriptor.
    Left {
        generation: u32,
        told: u32,
    },
}

impl Slot {
    const FREE: Slot = Slot(0);
    /// Above the interest and the lowest bit.
    const GENERATION_SHIFT: u32 = 32 + KIND_BITS;

    fn watched(io: Io) -> Slot {
        Slot(io.raw().expose_provenance() as u64)
    }

    fn left(generation: u32, told: u32) -> Slot {
        Slot(u64::from(generation) << Self::GENERATION_SHIFT | u64::from(told) << 1 | 1)
    }

    #[inline]
    fn known(self) -> Known {
        if self.0 == 0 {
            Known::Nothing
        } else if self.0 & 1 == 0 {
            let raw = core::ptr::with_exposed_provenance_mut(self.0 as usize);
            // SAFETY: a watcher leaves its slot before it dies.
            Known::Watched(unsafe { Io::from_ptr(raw) })
        } else {
            Known::Left {
                generation: (self.0 >> Self::GENERATION_SHIFT) as u32,
                told: (self.0 >> 1) as u32,
            }
        }
    }
}

/// The slots of a loop, and its poller.
pub(crate) struct Descriptors {
    poller: Poller,
    slots: alloc::Vec<Slot>,
    last_generation: u32,
}

impl Descriptors {
    pub(crate) fn new() -> Result<Descriptors> {
        Ok(Descriptors {
            poller: Poller::new()?,
            slots: alloc::vec(),
            last_generation: 0,
        })
    }

    pub(crate) fn poller_fd(&self) -> c_int {
        self.poller.fd()
    }

    /// Waits for events, as [`Poller::wait`].
    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        timeout: c_int,
        block_sigprof: bool,
    ) -> Result {
        self.poller.wait(events, timeout, block_sigprof)
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
            self.slots.resize(count, Slot::FREE);
        }
        Ok(())
    }

    /// Whether a descriptor can be polled at all.
    pub(crate) fn probe(&mut self, fd: c_int) -> Result {
        self.poller.probe(fd)
    }

    #[inline]
    fn known(&self, fd: c_int) -> Known {
        // A negative number is beyond the end.
        self.slots
            .get(fd as usize)
            .map_or(Known::Nothing, |slot| slot.known())
    }

    fn put(&mut self, fd: c_int, slot: Slot) {
        if let Some(place) = self.slots.get_mut(fd as usize) {
            *place = slot;
        }
    }

    #[inline]
    fn has(&self, io: Io) -> bool {
        matches!(self.known(io.fd()), Known::Watched(other) if other == io)
    }

    /// Makes `io` the watcher of its descriptor, unless there is one; says whether it is new.
    /// `None` where it has no descriptor: there is a slot for each.
    fn claim(&mut self, io: Io) -> Option<bool> {
        let fd = io.fd();
        let told = match self.slots.get(fd as usize)?.known() {
            Known::Watched(_) => return Some(false),
            Known::Left { generation, told } if generation == io.generation() => told,
            // What somebody else left ends when the poller is told of this watcher.
            Known::Left { .. } | Known::Nothing => {
                io.set_generation(0);
                0
            }
        };
        set!(io.events = told);
        self.put(fd, Slot::watched(io));
        Some(true)
    }

    /// Takes `io` out of its slot; says whether it was there.
    fn leave(&mut self, io: Io) -> bool {
        if !self.has(io) {
            return false;
        }
        let slot = match get!(io.events) {
            0 => Slot::FREE,
            told => Slot::left(io.generation(), told),
        };
        self.put(io.fd(), slot);
        true
    }

    fn next_generation(&mut self) -> u32 {
        self.last_generation = self.last_generation % LAST_GENERATION + 1;
        self.last_generation
    }

    /// Tells the poller of a watcher's interest, unless it knows.
    pub(crate) fn apply(&mut self, io: Io) -> Result {
        let (told, interest) = (get!(io.events), get!(io.pevents));
        if told == interest || !self.has(io) {
            return Ok(());
        }
        if told == 0 {
            io.set_generation(self.next_generation());
        }
        self.poller.set(io.fd(), told != 0, interest, io.token())?;
        set!(io.events = interest);
        Ok(())
    }

    /// Makes the poller forget a watcher, whose interest stays, and events under way be for nobody.
    pub(crate) fn withdraw(&mut self, io: Io) {
        if get!(io.events) != 0 {
            self.poller.forget(io.fd());
            io.is_forgotten();
        }
    }

    /// Makes the poller forget what was left of a descriptor, and events under way be for nobody. A
    /// watcher that the number has by now is another one's, and is left alone.
    fn forget(&mut self, fd: c_int) {
        if let Known::Left { .. } = self.known(fd) {
            self.put(fd, Slot::FREE);
            self.poller.forget(fd);
        }
    }

    /// Who is to be told of an event, if anybody still is.
    #[inline]
    pub(crate) fn watcher_of(&mut self, token: u64) -> Option<Io> {
        let fd = token as u32 as c_int;
        let generation = (token >> 32) as u32;
        match self.known(fd) {
            Known::Watched(io) if io.generation() == generation => return Some(io),
            // Level-triggered, it would be reported for ever.
            Known::Left { generation: of, .. } if of == generation => self.forget(fd),
            _ => {}
        }
        None
    }

    /// The loop ends, and its poller is closed. Another process may share it and go on with it: so
    /// the poller is told nothing any more, and where it `is_inherited`, nor is it by its end.
    pub(crate) fn end(&mut self, is_inherited: bool) {
        self.slots.clear();
        if is_inherited {
            self.poller.abandon();
        }
    }

    /// Starts afresh after a fork, when the poller is shared with the parent; the watchers that
    /// are to be told to the new poller are handed to `each`.
    pub(crate) fn fork(&mut self, mut each: impl FnMut(Io)) -> Result {
        // First of all: whatever the child does if there is no other, it does not do to its parent's.
        self.poller.abandon();
        self.poller = Poller::new()?;
        for slot in self.slots.iter_mut() {
            match slot.known() {
                Known::Nothing => {}
                Known::Watched(io) => {
                    io.is_forgotten();
                    each(io);
                }
                Known::Left { .. } => *slot = Slot::FREE,
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

    #[inline]
    pub(crate) fn kind(self) -> usize {
        get!(self.bits) & KIND_MASK
    }

    #[inline]
    fn generation(self) -> u32 {
        (get!(self.bits) >> KIND_BITS) as u32
    }

    fn set_generation(self, generation: u32) {
        set!(self.bits = (generation as usize) << KIND_BITS | self.kind());
    }

    /// What the events of its registration carry.
    fn token(self) -> u64 {
        u64::from(self.generation()) << 32 | u64::from(self.fd() as u32)
    }

    /// The poller does not know its descriptor any more.
    pub(crate) fn is_forgotten(self) {
        self.set_generation(0);
        set!(self.events = 0);
    }

    #[inline]
    pub(crate) fn fd(self) -> c_int {
        get!(self.fd)
    }

    /// Gives the watcher its descriptor, with room for it in the loop.
    pub(crate) fn set_fd(self, event_loop: Loop, fd: c_int) -> Result {
        event_loop.descriptors(|all| all.reserve(fd))?;
        set!(self.fd = fd);
        Ok(())
    }

    /// Opens an eventfd to be the watcher's descriptor, unless it has one; the new one.
    pub(crate) fn open_eventfd(self, event_loop: Loop) -> Result<Option<c_int>> {
        if self.fd() != -1 {
            return Ok(None);
        }
        let eventfd = fd::eventfd()?;
        match self.set_fd(event_loop, eventfd) {
            Ok(()) => Ok(Some(eventfd)),
            Err(error) => {
                fd::close_quietly(eventfd);
                Err(error)
            }
        }
    }

    /// Takes that back; the watcher is as new then.
    pub(crate) fn close_eventfd(self, event_loop: Loop, kind: Watcher) {
        let eventfd = self.fd();
        if eventfd != -1 {
            self.close(event_loop);
            self.init(kind, -1);
            fd::close_quietly(eventfd);
        }
    }

    fn pending_link(self) -> List {
        // SAFETY: the link is a member of a live watcher.
        unsafe { List::from_ptr(addr!(self.pending_queue)) }
    }

    /// The link in the list of watchers whose interest changed, or of those that back off.
    pub(crate) fn changed_link(self) -> List {
        // SAFETY: the link is a member of a live watcher.
        unsafe { List::from_ptr(addr!(self.watcher_queue)) }
    }

    /// The watcher whose `pending_queue` member `link` is.
    pub(crate) fn from_pending_link(link: List) -> Io {
        // SAFETY: the links of the pending list are members of live watchers.
        unsafe { Io::from_ptr(owner!(link.raw(), uv__io_t, pending_queue)) }
    }

    /// The watcher whose `watcher_queue` member `link` is.
    pub(crate) fn from_changed_link(link: List) -> Io {
        // SAFETY: the links of the lists of changes are members of live watchers.
        unsafe { Io::from_ptr(owner!(link.raw(), uv__io_t, watcher_queue)) }
    }

    /// Adds to the interest.
    pub(crate) fn start(self, event_loop: Loop, interest: u32) {
        set!(self.pevents = get!(self.pevents) | interest);
        let Some(is_new) = event_loop.descriptors(|all| all.claim(self)) else {
            return;
        };
        if is_new {
            event_loop.add_watched(1);
        }
        self.note_change(event_loop);
    }

    /// Takes from the interest.
    pub(crate) fn stop(self, event_loop: Loop, interest: u32) {
        if self.fd() == -1 {
            return;
        }
        set!(self.pevents = get!(self.pevents) & !interest);
        if get!(self.pevents) != 0 {
            self.note_change(event_loop);
            return;
        }
        self.changed_link().remove();
        if event_loop.descriptors(|all| all.leave(self)) {
            event_loop.remove_watched(1);
        }
        set!(self.events = 0);
    }

    fn note_change(self, event_loop: Loop) {
        if get!(self.pevents) == get!(self.events) {
            self.changed_link().remove();
        } else if self.changed_link().is_empty() {
            event_loop.changed_watchers().push_back(self.changed_link());
        }
    }

    /// Watches on after a backoff (`backoff.rs`): for a descriptor that is ready, but cannot be
    /// worked on at the moment. A watcher that was stopped stays stopped.
    pub(crate) fn back_off(self, event_loop: Loop) {
        if self.wants(!0) {
            event_loop.descriptors(|all| all.withdraw(self));
            event_loop.apply_later(self);
        }
    }

    /// Stops watching, for good: the descriptor is about to be closed or given back, and its owner
    /// may close it unasked.
    pub(crate) fn close(self, event_loop: Loop) {
        self.stop(event_loop, !0);
        self.pending_link().remove();
        let fd = self.fd();
        if fd != -1 {
            event_loop.descriptors(|all| all.forget(fd));
        }
    }

    /// Has the interest told to a new poller.
    pub(crate) fn requeue(self, event_loop: Loop) {
        self.note_change(event_loop);
    }

    /// Has the watcher told, in the loop's next pending phase, with [`FED`].
    pub(crate) fn feed(self, event_loop: Loop) {
        if self.pending_link().is_empty() {
            event_loop.pending().push_back(self.pending_link());
        }
    }

    /// The readiness that is wanted.
    #[inline]
    pub(crate) fn interest(self) -> u32 {
        get!(self.pevents)
    }

    /// Whether any of `interest` is wanted.
    pub(crate) fn wants(self, interest: u32) -> bool {
        get!(self.pevents) & interest != 0
    }

    /// Whether the poller does not know of the interest yet.
    pub(crate) fn is_changed(self) -> bool {
        !self.changed_link().is_empty()
    }

    pub(crate) fn is_signal(self) -> bool {
        self.kind() == Watcher::Signal as usize
    }

    /// Whether the descriptor is one that the library has opened for itself.
    pub(crate) fn is_the_loops_own(self) -> bool {
        self.is_async() || self.is_signal() || self.kind() == Watcher::Inotify as usize
    }

    pub(crate) fn is_async(self) -> bool {
        self.kind() == Watcher::Async as usize
    }

    /// What of an event concerns this watcher.
    #[cfg_attr(not(feature = "portable-poller"), allow(unused_variables))]
    pub(crate) fn relevant(self, event_loop: Loop, readiness: u32) -> u32 {
        #[cfg(feature = "portable-poller")]
        let readiness = event_loop.descriptors(|all| {
            let poller = &mut all.poller;
            poller.refine(self.fd(), self.interest(), self.token(), readiness)
        });
        readiness & (get!(self.pevents) | ready::ERROR | ready::HANG_UP)
    }
}

/// Whether some watcher has this descriptor.
pub(crate) fn is_watched(event_loop: Loop, fd: c_int) -> bool {
    event_loop.descriptors(|all| matches!(all.known(fd), Known::Watched(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_keeps_what_was_left() {
        for told in [ready::READABLE, ready::REQUESTABLE, !0] {
            for generation in [1, LAST_GENERATION] {
                match Slot::left(generation, told).known() {
                    Known::Left {
                        generation: of,
                        told: kept,
                    } => assert_eq!((of, kept), (generation, told)),
                    _ => panic!(),
                }
            }
        }
        assert!(matches!(Slot::FREE.known(), Known::Nothing));
    }

    #[test]
    fn a_watcher_has_its_kind_and_a_generation() {
        // SAFETY: watchers are plain data, valid when zeroed.
        let mut raw: uv__io_t = unsafe { core::mem::zeroed() };
        // SAFETY: the memory outlives the view.
        let io = unsafe { Io::from_ptr(&raw mut raw) };
        io.init(Watcher::Poll, 7);
        assert_eq!(io.generation(), 0);
        io.set_generation(LAST_GENERATION);
        assert_eq!(io.generation(), LAST_GENERATION);
        assert_eq!(io.kind(), Watcher::Poll as usize);
        assert_eq!(io.token(), u64::from(LAST_GENERATION) << 32 | 7);
        assert!(matches!(Slot::watched(io).known(), Known::Watched(other) if other == io));
    }
}
