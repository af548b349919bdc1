//! What each thread does at the moment, for the watcher to look at.

use core::ffi::c_void;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

/// The most threads that are watched at once.
const MOST: usize = 256;

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

static ALL: [AtomicPtr<Watched>; MOST] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The key by which a thread finds its own, plus one.
static KEY: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn end(watched: *mut c_void) {
    // SAFETY: the value of the key, which stays.
    let watched = unsafe { &*watched.cast::<Watched>() };
    watched.depth.store(0, Relaxed);
    watched.begin_ns.store(0, Relaxed);
    watched.has_ended.store(true, Release);
}

/// Makes the key; false where there is none.
pub(super) fn start() -> bool {
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: the pointer is valid; the function takes what the key is given.
    if unsafe { libc::pthread_key_create(&mut key, Some(end)) } != 0 {
        return false;
    }
    KEY.store(key as usize + 1, Relaxed);
    true
}

fn key() -> libc::pthread_key_t {
    (KEY.load(Relaxed) - 1) as libc::pthread_key_t
}

/// This thread's; `None` if too many are watched.
#[inline]
pub(super) fn own() -> Option<&'static Watched> {
    // SAFETY: the key exists; its value is null or leads to what stays.
    match unsafe { libc::pthread_getspecific(key()).cast::<Watched>().as_ref() } {
        None => take_one(),
        own => own,
    }
}

#[cold]
fn take_one() -> Option<&'static Watched> {
    let reuse = |watched: &&Watched| {
        let ended = &watched.has_ended;
        ended.compare_exchange(true, false, AcqRel, Relaxed).is_ok()
    };
    let watched = match all().find(reuse) {
        Some(watched) => watched,
        None => {
            let next = |count| (count < MOST).then_some(count + 1);
            let at = COUNT.fetch_update(AcqRel, Relaxed, next).ok()?;
            let watched: &'static Watched = Box::leak(Box::default());
            ALL[at].store((watched as *const Watched).cast_mut(), Release);
            watched
        }
    };
    // SAFETY: asks for the thread's number.
    watched.thread.store(unsafe { libc::gettid() }, Relaxed);
    // SAFETY: the key exists.
    unsafe { libc::pthread_setspecific(key(), (watched as *const Watched).cast()) };
    Some(watched)
}

/// All threads that are watched.
pub(super) fn all() -> impl Iterator<Item = &'static Watched> {
    let count = COUNT.load(Acquire);
    ALL[..count]
        .iter()
        // SAFETY: null, or what stays.
        .filter_map(|watched| unsafe { watched.load(Acquire).as_ref() })
}

/// In the child of a fork: there is one thread, and it may be within a callback, which goes on.
pub(super) fn reset_after_fork() {
    for watched in all() {
        watched.slow.length_ns.store(0, Relaxed);
        watched.slow.missed.store(0, Relaxed);
    }
    // SAFETY: the key exists.
    let own = unsafe { libc::pthread_getspecific(key()).cast::<Watched>() };
    COUNT.store(usize::from(!own.is_null()), Relaxed);
    ALL[0].store(own, Relaxed);
    // SAFETY: null, or this thread's.
    if let Some(own) = unsafe { own.as_ref() } {
        // SAFETY: asks for the thread's number.
        own.thread.store(unsafe { libc::gettid() }, Relaxed);
    }
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
