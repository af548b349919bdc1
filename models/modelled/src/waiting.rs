//! How threads are made, and how they wait: libc's functions, with loom's locks behind them.
//!
//! An eventfd and an epoll instance are the kernel's own. A thread that would block in the kernel
//! waits for the *bell* instead, which each write rings, and asks the kernel again.

use core::ffi::{c_int, c_uint, c_void};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use loom::sync::{Condvar, Mutex, MutexGuard};

use crate::trace::note;
use crate::{objects, run};

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

#[derive(Default)]
struct State {
    bell: Option<Rc<Counter>>,
    semaphores: HashMap<usize, Rc<Counter>>,
    locks: HashMap<usize, &'static Mutex<()>>,
    held: HashMap<usize, MutexGuard<'static, ()>>,
    threads: Vec<Option<Box<dyn FnOnce()>>>,
}

/// A number that threads wait for.
struct Counter {
    number: Mutex<usize>,
    changed: Condvar,
}

impl Counter {
    fn new(number: usize) -> Rc<Counter> {
        Rc::new(Counter {
            number: Mutex::new(number),
            changed: Condvar::new(),
        })
    }
}

/// Begins a run of a model.
pub fn begin() {
    STATE.with_borrow_mut(|state| {
        *state = State::default();
        state.bell = Some(Counter::new(0));
    });
}

fn bell() -> Rc<Counter> {
    STATE.with_borrow(|state| state.bell.clone().expect("a model runs"))
}

/// Calls `is_ready` until it returns something else than 0: now, and each time the bell rings.
fn wait_for_bell(mut is_ready: impl FnMut() -> c_int) -> c_int {
    let bell = bell();
    let mut number = bell.number.lock().unwrap();
    loop {
        match is_ready() {
            0 => number = bell.changed.wait(number).unwrap(),
            result => return result,
        }
    }
}

/// Waits until a descriptor is readable, as a program does that has a poller of its own.
pub fn wait_readable(fd: c_int) {
    let mut entry = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, for the call.
    let mut poll = |timeout| unsafe {
        let ready = libc::poll(&mut entry, 1, timeout);
        note("wait for the loop's descriptor", ready as usize);
        ready
    };
    match objects::is_direct() {
        true => poll(-1),
        false => wait_for_bell(|| poll(0)),
    };
}

/// # Safety
/// As libc's.
pub unsafe fn write(fd: c_int, bytes: *const c_void, count: usize) -> isize {
    // SAFETY: the caller's.
    let write = || unsafe { libc::write(fd, bytes, count) };
    if objects::is_direct() {
        return write();
    }
    let bell = bell();
    let _number = bell.number.lock().unwrap();
    let written = write();
    note("write to the eventfd", fd as usize);
    bell.changed.notify_all();
    written
}

/// # Safety
/// As libc's.
pub unsafe fn epoll_pwait(
    fd: c_int,
    events: *mut libc::epoll_event,
    count: c_int,
    timeout: c_int,
    mask: *const libc::sigset_t,
) -> c_int {
    // SAFETY: the caller's.
    let wait = |timeout| unsafe {
        let ready = libc::epoll_pwait(fd, events, count, timeout, mask);
        note("poll", ready as usize);
        ready
    };
    if objects::is_direct() || timeout == 0 {
        return wait(timeout);
    }
    assert_eq!(timeout, -1, "there is no time in a model");
    wait_for_bell(|| wait(0))
}

/// # Safety
/// As libc's.
pub unsafe fn sched_yield() -> c_int {
    match objects::is_direct() {
        // SAFETY: takes no arguments.
        true => unsafe { libc::sched_yield() },
        false => {
            loom::thread::yield_now();
            0
        }
    }
}

/// # Safety
/// As libc's.
pub unsafe fn sem_init(semaphore: *mut libc::sem_t, shared: c_int, value: c_uint) -> c_int {
    if !objects::is_direct() {
        let counter = Counter::new(value as usize);
        STATE.with_borrow_mut(|state| state.semaphores.insert(semaphore.addr(), counter));
    }
    // SAFETY: the caller's.
    unsafe { libc::sem_init(semaphore, shared, value) }
}

fn semaphore(semaphore: *mut libc::sem_t) -> Rc<Counter> {
    STATE.with_borrow(|state| state.semaphores[&semaphore.addr()].clone())
}

/// # Safety
/// As libc's.
pub unsafe fn sem_post(place: *mut libc::sem_t) -> c_int {
    if objects::is_direct() {
        // SAFETY: the caller's.
        return unsafe { libc::sem_post(place) };
    }
    let counter = semaphore(place);
    *counter.number.lock().unwrap() += 1;
    counter.changed.notify_one();
    0
}

/// # Safety
/// As libc's.
pub unsafe fn sem_wait(place: *mut libc::sem_t) -> c_int {
    if objects::is_direct() {
        // SAFETY: the caller's.
        return unsafe { libc::sem_wait(place) };
    }
    let counter = semaphore(place);
    let mut number = counter.number.lock().unwrap();
    while *number == 0 {
        number = counter.changed.wait(number).unwrap();
    }
    *number -= 1;
    0
}

/// # Safety
/// As libc's.
pub unsafe fn pthread_mutex_lock(mutex: *mut libc::pthread_mutex_t) -> c_int {
    if !objects::is_direct() {
        let lock = STATE.with_borrow_mut(|state| {
            let new = || &*Box::leak(Box::new(Mutex::new(())));
            *state.locks.entry(mutex.addr()).or_insert_with(new)
        });
        let guard = lock.lock().unwrap();
        STATE.with_borrow_mut(|state| state.held.insert(mutex.addr(), guard));
    }
    // A child has the real one alone. In the model it never blocks.
    // SAFETY: the caller's.
    unsafe { libc::pthread_mutex_lock(mutex) }
}

/// # Safety
/// As libc's.
pub unsafe fn pthread_mutex_unlock(mutex: *mut libc::pthread_mutex_t) -> c_int {
    // SAFETY: the caller's.
    let result = unsafe { libc::pthread_mutex_unlock(mutex) };
    if !objects::is_direct() {
        let guard = STATE.with_borrow_mut(|state| state.held.remove(&mutex.addr()));
        drop(guard);
    }
    result
}

/// # Safety
/// As libc's.
pub unsafe fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    main: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int {
    if objects::is_direct() {
        // SAFETY: the caller's.
        return unsafe { libc::pthread_create(thread, attributes, main, argument) };
    }
    let argument = argument.expose_provenance();
    let join = run::spawn(move || {
        main(core::ptr::with_exposed_provenance_mut(argument));
    });
    let number = STATE.with_borrow_mut(|state| {
        state.threads.push(Some(Box::new(join)));
        state.threads.len()
    });
    // SAFETY: the caller's.
    unsafe { thread.write(number as libc::pthread_t) };
    0
}

/// # Safety
/// As libc's.
pub unsafe fn pthread_join(thread: libc::pthread_t, result: *mut *mut c_void) -> c_int {
    if objects::is_direct() {
        // SAFETY: the caller's.
        return unsafe { libc::pthread_join(thread, result) };
    }
    let join = STATE.with_borrow_mut(|state| state.threads[thread as usize - 1].take());
    join.expect("a thread is joined once")();
    0
}
