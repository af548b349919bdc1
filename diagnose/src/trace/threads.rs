//! The rings of all threads.

use core::ffi::c_void;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicUsize};

use super::ring::Ring;

/// The most threads whose events are recorded at once. More would take much memory.
const MOST: usize = 256;

static RINGS: [AtomicPtr<Ring>; MOST] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MOST];
/// How many of them there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The events of threads that have no ring.
pub(super) static DROPPED: AtomicUsize = AtomicUsize::new(0);
/// The key by which a thread finds its ring, plus one; 0 before there is one.
///
/// A thread-local variable of an object that is loaded later takes memory when it is first used,
/// which a signal handler must not. A key does not.
static KEY: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn end(ring: *mut c_void) {
    // SAFETY: the value of the key is a ring, which stays.
    let ring = unsafe { &*ring.cast::<Ring>() };
    ring.has_ended.store(true, Release);
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

/// The ring of this thread.
#[inline]
pub(super) fn own() -> Option<&'static Ring> {
    // SAFETY: the key exists, and its value is null or a ring, which stays.
    match unsafe { libc::pthread_getspecific(key()).cast::<Ring>().as_ref() } {
        None => take_one(),
        ring => ring,
    }
}

#[cold]
fn take_one() -> Option<&'static Ring> {
    let Some(ring) = used_before().or_else(new_one) else {
        DROPPED.fetch_add(1, Relaxed);
        return None;
    };
    // SAFETY: asks for the thread's number.
    ring.thread.store(unsafe { libc::gettid() }, Relaxed);
    ring.uses.fetch_add(1, Release);
    // SAFETY: the key exists.
    unsafe { libc::pthread_setspecific(key(), (ring as *const Ring).cast()) };
    Some(ring)
}

/// The ring of a thread that has ended, whose events are written.
fn used_before() -> Option<&'static Ring> {
    all().find(|ring| {
        ring.is_done()
            && ring
                .has_ended
                .compare_exchange(true, false, AcqRel, Relaxed)
                .is_ok()
    })
}

fn new_one() -> Option<&'static Ring> {
    let at = COUNT
        .fetch_update(AcqRel, Relaxed, |count| (count < MOST).then_some(count + 1))
        .ok()?;
    let ring = Ring::new()?;
    RINGS[at].store((ring as *const Ring).cast_mut(), Release);
    Some(ring)
}

/// All rings.
pub(super) fn all() -> impl Iterator<Item = &'static Ring> {
    let count = COUNT.load(Acquire);
    RINGS[..count]
        .iter()
        // SAFETY: null, or a ring, which stays.
        .filter_map(|ring| unsafe { ring.load(Acquire).as_ref() })
}

/// In the child of a fork: forgets the rings, which are the parent's.
pub(super) fn reset_after_fork() {
    COUNT.store(0, Relaxed);
    DROPPED.store(0, Relaxed);
    for ring in &RINGS {
        ring.store(core::ptr::null_mut(), Relaxed);
    }
    // SAFETY: the key exists.
    unsafe { libc::pthread_setspecific(key(), core::ptr::null()) };
}
