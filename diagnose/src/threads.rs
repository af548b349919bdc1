//! What an instrument keeps for each thread, and looks through on a thread of its own.

use core::ffi::c_void;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicUsize};

/// The most threads that have a value at once. More rings of a trace would take much memory.
const MOST: usize = 256;

/// A thread's value. It stays for good, and serves other threads when its own has ended.
pub(crate) trait OfThread: Sized + 'static {
    /// Makes one; `None` without memory.
    fn make() -> Option<&'static Self>;

    /// Takes the value of a thread that has ended; false if it is still in use.
    fn take_over(&self) -> bool;

    /// From here on it is the value of this thread, which has that number in the system.
    fn thread_begins(&self, thread: i32);

    /// Its thread ends.
    fn thread_ends(&self);
}

/// The values of all threads.
pub(crate) struct Threads<T: 'static> {
    all: [AtomicPtr<T>; MOST],
    /// How many of them there are.
    count: AtomicUsize,
    /// The key by which a thread finds its value, plus one; 0 before there is one.
    ///
    /// A thread-local variable of an object that is loaded later takes memory when it is first
    /// used, which a signal handler must not. A key does not.
    key: AtomicUsize,
}

unsafe extern "C" fn end<T: OfThread>(value: *mut c_void) {
    // SAFETY: the value of the key, which stays.
    unsafe { &*value.cast::<T>() }.thread_ends();
}

impl<T: OfThread> Threads<T> {
    pub(crate) const fn new() -> Threads<T> {
        Threads {
            all: [const { AtomicPtr::new(core::ptr::null_mut()) }; MOST],
            count: AtomicUsize::new(0),
            key: AtomicUsize::new(0),
        }
    }

    /// Makes the key; false where there is none.
    pub(crate) fn start(&self) -> bool {
        let mut key: libc::pthread_key_t = 0;
        // SAFETY: the pointer is valid; the function takes what the key is given.
        if unsafe { libc::pthread_key_create(&mut key, Some(end::<T>)) } != 0 {
            return false;
        }
        self.key.store(key as usize + 1, Relaxed);
        true
    }

    fn key(&self) -> libc::pthread_key_t {
        (self.key.load(Relaxed) - 1) as libc::pthread_key_t
    }

    /// The value that this thread has by now.
    #[inline]
    fn known(&self) -> Option<&'static T> {
        // SAFETY: the key exists; its value is null or leads to what stays.
        unsafe { libc::pthread_getspecific(self.key()).cast::<T>().as_ref() }
    }

    /// This thread's value; `None` if too many threads have one.
    #[inline]
    pub(crate) fn own(&self) -> Option<&'static T> {
        match self.known() {
            None => self.take_one(),
            own => own,
        }
    }

    #[cold]
    fn take_one(&self) -> Option<&'static T> {
        let of_ended = self.all().find(|value| value.take_over());
        let value = of_ended.or_else(|| self.add())?;
        value.thread_begins(number());
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(self.key(), (value as *const T).cast()) };
        Some(value)
    }

    fn add(&self) -> Option<&'static T> {
        let next = |count| (count < MOST).then_some(count + 1);
        let at = self.count.fetch_update(AcqRel, Relaxed, next).ok()?;
        let value = T::make()?;
        self.all[at].store((value as *const T).cast_mut(), Release);
        Some(value)
    }

    /// All values.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static T> {
        let count = self.count.load(Acquire);
        self.all[..count]
            .iter()
            // SAFETY: null, or what stays.
            .filter_map(|value| unsafe { value.load(Acquire).as_ref() })
    }

    /// In the child of a fork: forgets the values of all threads but this one.
    pub(crate) fn forget_others(&self) {
        let own = self.known();
        self.count.store(usize::from(own.is_some()), Relaxed);
        if let Some(own) = own {
            self.all[0].store((own as *const T).cast_mut(), Relaxed);
            own.thread_begins(number());
        }
    }

    /// In the child of a fork: forgets all values, which are the parent's.
    pub(crate) fn forget_all(&self) {
        self.count.store(0, Relaxed);
        for value in &self.all {
            value.store(core::ptr::null_mut(), Relaxed);
        }
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(self.key(), core::ptr::null()) };
    }
}

/// This thread's number in the system.
fn number() -> i32 {
    // SAFETY: takes no arguments.
    unsafe { libc::gettid() }
}
