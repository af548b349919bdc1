//! Watchers of descriptors: what handles are interested in, and which owner gets the readiness.
//!
//! Changed interest is applied right before the loop polls (`driver/changes.rs`). The watcher
//! keeps the interest that the poller has, and the *generation* of its registration. Each event
//! carries that generation. Closing a descriptor ends the registration, so its events in the
//! current batch are stale, and its successor does not get them.
//!
//! A table finds the watcher by the number of the descriptor. A watcher that stops leaves its
//! slot, and what the poller still has stays in the slot. If the watcher starts again, the poller
//! need not be changed.

use core::ffi::c_int;

use super::Loop;
use crate::abi::*;
use crate::alloc;
use crate::backend::{Events, Poller, ready};
use crate::errors::{Errno, Result};
use crate::list::linked;
use crate::sys::fd;
use crate::view::{get, set, view};

/// Readiness of the pending phase: nothing was polled, but the descriptor may be written to.
pub(crate) const FED: u32 = 1 << 31 | ready::WRITABLE;

/// The owner of a watcher: the handle or loop that it is a member of. The low bits of
/// `uv__io_t.bits` are this; the generation of the registration is above.
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
/// A generation fits above the kind on 32-bit machines, too. 0 is a watcher without registration.
const LAST_GENERATION: u32 = u32::MAX >> KIND_BITS;

/// What is known of one descriptor number, in one word: a watcher's address, or, with the lowest
/// bit set, what a stopped watcher left behind; 0 for nothing.
#[derive(Clone, Copy)]
pub(crate) struct Slot(u64);

enum Known {
    Nothing,
    Watched(Io),
    /// No watcher, but the poller still has the descriptor, for this interest.
    Left {
        generation: u32,
        applied: u32,
    },
}

impl Slot {
    const FREE: Slot = Slot(0);
    /// Above the interest and the lowest bit.
    const GENERATION_SHIFT: u32 = 32 + KIND_BITS;

    fn watched(io: Io) -> Slot {
        Slot(io.raw().expose_provenance() as u64)
    }

    fn left(generation: u32, applied: u32) -> Slot {
        Slot(u64::from(generation) << Self::GENERATION_SHIFT | u64::from(applied) << 1 | 1)
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
                applied: (self.0 >> 1) as u32,
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

    /// Waits for events; see [`Poller::wait`].
    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        timeout: c_int,
        block_sigprof: bool,
    ) -> Result {
        self.poller.wait(events, timeout, block_sigprof)
    }

    /// Makes a slot for a descriptor.
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

    /// `Ok` if a descriptor can be polled at all.
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

    /// Makes `io` the watcher of its descriptor, unless it has a watcher; returns whether it is
    /// new. `None` if `io` has no descriptor: each descriptor has a slot.
    fn claim(&mut self, io: Io) -> Option<bool> {
        let fd = io.fd();
        let applied = match self.slots.get(fd as usize)?.known() {
            Known::Watched(_) => return Some(false),
            Known::Left {
                generation,
                applied,
            } if generation == io.generation() => applied,
            // What another watcher left ends when the interest of this one is applied.
            Known::Left { .. } | Known::Nothing => {
                io.set_generation(0);
                0
            }
        };
        set!(io.events = applied);
        self.put(fd, Slot::watched(io));
        Some(true)
    }

    /// Takes `io` out of its slot; returns whether it was there.
    fn leave(&mut self, io: Io) -> bool {
        if !self.has(io) {
            return false;
        }
        let slot = match get!(io.events) {
            0 => Slot::FREE,
            applied => Slot::left(io.generation(), applied),
        };
        self.put(io.fd(), slot);
        true
    }

    fn next_generation(&mut self) -> u32 {
        self.last_generation = self.last_generation % LAST_GENERATION + 1;
        self.last_generation
    }

    /// Passes a watcher's interest on to the poller, unless the poller has it already.
    pub(crate) fn apply(&mut self, io: Io) -> Result {
        let (applied, interest) = (get!(io.events), get!(io.pevents));
        if applied == interest || !self.has(io) {
            return Ok(());
        }
        if applied == 0 {
            io.set_generation(self.next_generation());
        }
        self.poller
            .set(io.fd(), applied != 0, interest, io.token())?;
        set!(io.events = interest);
        Ok(())
    }

    /// Deregisters a watcher, whose interest stays. Its events in the current batch are stale.
    pub(crate) fn withdraw(&mut self, io: Io) {
        if get!(io.events) != 0 {
            self.poller.deregister(io.fd());
            io.mark_unregistered();
        }
    }

    /// Deregisters a descriptor that a watcher has left. Its events in the current batch are
    /// stale. If it has a new watcher by now, that one is left alone.
    fn deregister(&mut self, fd: c_int) {
        if let Known::Left { .. } = self.known(fd) {
            self.put(fd, Slot::FREE);
            self.poller.deregister(fd);
        }
    }

    /// The watcher that an event is for; `None` for a stale event.
    #[inline]
    pub(crate) fn watcher_of(&mut self, token: u64) -> Option<Io> {
        let fd = token as u32 as c_int;
        let generation = (token >> 32) as u32;
        match self.known(fd) {
            Known::Watched(io) if io.generation() == generation => return Some(io),
            // Level-triggered, the event would be reported for ever.
            Known::Left { generation: of, .. } if of == generation => self.deregister(fd),
            _ => {}
        }
        None
    }

    /// Ends the loop's part; the poller is closed. Another process may share the poller and go on
    /// with it. So it is not changed any more; if it `is_inherited`, closing it must not change it
    /// either.
    pub(crate) fn end(&mut self, is_inherited: bool) {
        self.slots.clear();
        if is_inherited {
            self.poller.abandon();
        }
    }

    /// Replaces the poller after a fork, since the parent uses the old one. `each` gets the
    /// watchers whose interest is to be applied to the new one.
    pub(crate) fn fork(&mut self, mut each: impl FnMut(Io)) -> Result {
        // This comes first: if there is no new poller, the child must not change its parent's.
        self.poller.abandon();
        self.poller = Poller::new()?;
        for slot in self.slots.iter_mut() {
            match slot.known() {
                Known::Nothing => {}
                Known::Watched(io) => {
                    io.mark_unregistered();
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
linked!(
    /// The link in the list of watchers that are due in the pending phase.
    pub(crate) pending_link: Io in uv__io_t.pending_queue, as Pending
);
linked!(
    /// The link in the list of watchers whose interest changed, or of those that back off.
    pub(crate) changed_link: Io in uv__io_t.watcher_queue, as Changed
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

    /// The token that the events of its registration carry.
    fn token(self) -> u64 {
        u64::from(self.generation()) << 32 | u64::from(self.fd() as u32)
    }

    /// Notes that the poller does not have its descriptor any more.
    pub(crate) fn mark_unregistered(self) {
        self.set_generation(0);
        set!(self.events = 0);
    }

    #[inline]
    pub(crate) fn fd(self) -> c_int {
        get!(self.fd)
    }

    /// Gives the watcher its descriptor, and the descriptor a slot in the loop.
    pub(crate) fn set_fd(self, event_loop: Loop, fd: c_int) -> Result {
        event_loop.descriptors(|all| all.reserve(fd))?;
        set!(self.fd = fd);
        Ok(())
    }

    /// Opens an eventfd as the watcher's descriptor, unless it has one; returns the new one.
    pub(crate) fn open_eventfd(self, event_loop: Loop) -> Result<Option<c_int>> {
        if self.fd() != -1 {
            return Ok(None);
        }
        fd::eventfd()?.give(|eventfd| {
            self.set_fd(event_loop, eventfd)?;
            Ok(Some(eventfd))
        })
    }

    /// Closes the eventfd of [`Io::open_eventfd`]; the watcher is as new then.
    pub(crate) fn close_eventfd(self, event_loop: Loop, kind: Watcher) {
        let eventfd = self.fd();
        if eventfd != -1 {
            self.close(event_loop);
            self.init(kind, -1);
            fd::close_quietly(eventfd);
        }
    }

    /// Adds to the interest, which is applied at the next poll.
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

    /// Takes from the interest, which is applied at the next poll.
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
        } else if !self.changed_link().is_linked() {
            event_loop.changed_watchers().push_back(self);
        }
    }

    /// Backs off: the descriptor is ready, but cannot be worked on at the moment. It is watched
    /// again when the backoff is over (`backoff.rs`). A watcher that was stopped stays stopped.
    pub(crate) fn back_off(self, event_loop: Loop) {
        if self.wants(!0) {
            event_loop.descriptors(|all| all.withdraw(self));
            event_loop.apply_later(self);
        }
    }

    /// Stops watching, for good. The descriptor is about to be closed or given back, and the
    /// program may close it at any time.
    pub(crate) fn close(self, event_loop: Loop) {
        self.stop(event_loop, !0);
        self.pending_link().remove();
        let fd = self.fd();
        if fd != -1 {
            event_loop.descriptors(|all| all.deregister(fd));
        }
    }

    /// Queues the interest to be applied to a new poller.
    pub(crate) fn requeue(self, event_loop: Loop) {
        self.note_change(event_loop);
    }

    /// Delivers [`FED`] to the watcher in the loop's next pending phase.
    pub(crate) fn feed(self, event_loop: Loop) {
        if !self.pending_link().is_linked() {
            event_loop.pending().push_back(self);
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

    /// Whether the interest is not applied yet.
    pub(crate) fn is_changed(self) -> bool {
        self.changed_link().is_linked()
    }

    pub(crate) fn is_signal(self) -> bool {
        self.kind() == Watcher::Signal as usize
    }

    /// Whether the library has opened the descriptor for itself.
    pub(crate) fn is_internal(self) -> bool {
        self.is_async() || self.is_signal() || self.kind() == Watcher::Inotify as usize
    }

    pub(crate) fn is_async(self) -> bool {
        self.kind() == Watcher::Async as usize
    }

    /// The part of an event's readiness that concerns this watcher.
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
    use crate::zeroed::zeroed;

    #[test]
    fn a_slot_keeps_what_was_left() {
        for applied in [ready::READABLE, ready::REQUESTABLE, !0] {
            for generation in [1, LAST_GENERATION] {
                match Slot::left(generation, applied).known() {
                    Known::Left {
                        generation: of,
                        applied: kept,
                    } => assert_eq!((of, kept), (generation, applied)),
                    _ => panic!(),
                }
            }
        }
        assert!(matches!(Slot::FREE.known(), Known::Nothing));
    }

    #[test]
    fn a_watcher_has_its_kind_and_a_generation() {
        let mut raw: uv__io_t = zeroed();
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
