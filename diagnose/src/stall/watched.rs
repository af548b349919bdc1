//! What each thread does at the moment, for the watcher to look at.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize};

use crate::threads::{OfThread, Threads};

/// A thread that calls callbacks. The thread writes, the watcher reads.
#[derive(Default)]
pub(super) struct Watched {
    pub(super) thread: AtomicI32,
    has_ended: AtomicBool,
    depth: AtomicU32,
    /// When the outermost callback began; 0 while there is none.
    begin_ns: AtomicU64,
    /// The kind of the callback, and above it the type of its object.
    what: AtomicU32,
    object: AtomicUsize,
    callback: AtomicUsize,
    /// What the last callback that took too long was, for the watcher to take: its end.
    slow: Slow,
}

/// A callback that took too long.
#[derive(Default)]
struct Slow {
    /// How long it took; 0 if the watcher has taken this.
    length_ns: AtomicU64,
    begin_ns: AtomicU64,
    what: AtomicU32,
    callback: AtomicUsize,
    /// Such callbacks that came before the watcher took the last one.
    missed: AtomicU32,
}

/// A callback, as the watcher sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    pub(super) begin_ns: u64,
    pub(super) length_ns: u64,
    pub(super) what: u32,
    pub(super) object: usize,
    pub(super) callback: usize,
}

impl Watched {
    /// On its thread: a callback begins.
    pub(super) fn begin(&self, now_ns: u64, what: u32, object: usize, callback: usize) {
        let depth = self.depth.load(Relaxed);
        self.depth.store(depth + 1, Relaxed);
        if depth > 0 {
            return;
        }
        self.what.store(what, Relaxed);
        self.object.store(object, Relaxed);
        self.callback.store(callback, Relaxed);
        self.begin_ns.store(now_ns, Release);
    }

    /// On its thread: a callback ends.
    pub(super) fn end(&self, now_ns: u64, limit_ns: u64) {
        let depth = self.depth.load(Relaxed);
        self.depth.store(depth.saturating_sub(1), Relaxed);
        if depth != 1 {
            return;
        }
        let begin_ns = self.begin_ns.load(Relaxed);
        let length = now_ns.saturating_sub(begin_ns);
        if length >= limit_ns {
            self.note_slow(begin_ns, length);
        }
        self.begin_ns.store(0, Release);
    }

    #[cold]
    fn note_slow(&self, begin_ns: u64, length_ns: u64) {
        if self.slow.length_ns.load(Acquire) != 0 {
            self.slow.missed.fetch_add(1, Relaxed);
            return;
        }
        self.slow.begin_ns.store(begin_ns, Relaxed);
        self.slow.what.store(self.what.load(Relaxed), Relaxed);
        self.slow
            .callback
            .store(self.callback.load(Relaxed), Relaxed);
        self.slow.length_ns.store(length_ns, Release);
    }

    /// On the watcher's thread: the callback that runs.
    pub(super) fn running(&self, now_ns: u64) -> Option<Seen> {
        let begin_ns = self.begin_ns.load(Acquire);
        let seen = Seen {
            begin_ns,
            length_ns: now_ns.saturating_sub(begin_ns),
            what: self.what.load(Relaxed),
            object: self.object.load(Relaxed),
            callback: self.callback.load(Relaxed),
        };
        core::sync::atomic::fence(Acquire);
        let is_same = self.begin_ns.load(Relaxed) == begin_ns;
        (begin_ns != 0 && is_same).then_some(seen)
    }

    /// On the watcher's thread: takes the callback that took too long, and the number of those that
    /// nobody took.
    pub(super) fn take_slow(&self) -> (Option<Seen>, u32) {
        let length_ns = self.slow.length_ns.load(Acquire);
        let seen = Seen {
            begin_ns: self.slow.begin_ns.load(Relaxed),
            length_ns,
            what: self.slow.what.load(Relaxed),
            object: 0,
            callback: self.slow.callback.load(Relaxed),
        };
        self.slow.length_ns.store(0, Release);
        (
            (length_ns != 0).then_some(seen),
            self.slow.missed.swap(0, Relaxed),
        )
    }
}

/// All threads that are watched.
pub(super) static ALL: Threads<Watched> = Threads::new();

impl OfThread for Watched {
    fn make() -> Option<&'static Watched> {
        Some(Box::leak(Box::default()))
    }

    fn take_over(&self) -> bool {
        let ended = &self.has_ended;
        ended.compare_exchange(true, false, AcqRel, Relaxed).is_ok()
    }

    fn thread_begins(&self, thread: i32) {
        self.thread.store(thread, Relaxed);
    }

    fn thread_ends(&self) {
        self.depth.store(0, Relaxed);
        self.begin_ns.store(0, Relaxed);
        self.has_ended.store(true, Release);
    }
}

/// In the child of a fork: there is one thread, and it may be within a callback, which goes on.
pub(super) fn reset_after_fork() {
    for watched in ALL.all() {
        watched.slow.length_ns.store(0, Relaxed);
        watched.slow.missed.store(0, Relaxed);
    }
    ALL.forget_others();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_callback_counts() {
        let watched = Watched::default();
        watched.begin(100, 3, 0x10, 0x20);
        watched.begin(150, 4, 0x11, 0x21);
        assert_eq!(watched.running(160).unwrap().callback, 0x20);
        watched.end(170, 50);
        assert_eq!(watched.take_slow(), (None, 0));
        watched.end(180, 50);
        assert!(watched.running(190).is_none());
        let slow = watched.take_slow().0.unwrap();
        assert_eq!((slow.length_ns, slow.callback, slow.what), (80, 0x20, 3));
        assert_eq!(watched.take_slow(), (None, 0));
    }

    #[test]
    fn what_nobody_took_is_counted() {
        let watched = Watched::default();
        for _ in 0..3 {
            watched.begin(100, 3, 0x10, 0x20);
            watched.end(200, 50);
        }
        let (slow, missed) = watched.take_slow();
        assert_eq!((slow.is_some(), missed), (true, 2));
    }
}
