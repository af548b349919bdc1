//! Timers.
//!
//! The timers of a loop are a 4-ary heap in one array, ordered by due time and, among equals, by
//! the order of their starts; each timer knows its place in the array. Timers that are due are
//! first taken out, all of them, and then called: one that is started anew by a callback waits
//! for the next iteration, and one that is stopped by a callback leaves the list of the due.
//!
//! <https://docs.libuv.org/en/v1.x/timer.html>

use std::ffi::{c_int, c_void};

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::handle::Handle;
use crate::list::{self, List};
use crate::view::{addr, get, owner, set, view};

/// Children of a place in the heap.
const ARITY: usize = 4;

/// When a timer is due, and which one.
#[derive(Clone, Copy)]
struct Entry {
    timeout: u64,
    start_id: u64,
    timer: Timer,
}

impl Entry {
    fn is_before(&self, other: &Entry) -> bool {
        (self.timeout, self.start_id) < (other.timeout, other.start_id)
    }
}

/// The started timers of a loop.
pub(crate) struct Timers {
    heap: alloc::Vec<Entry>,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers { heap: alloc::vec() }
    }

    fn first(&self) -> Option<&Entry> {
        self.heap.first()
    }

    fn insert(&mut self, entry: Entry) -> Result {
        alloc::push(&mut self.heap, entry)?;
        self.rise(self.heap.len() - 1);
        Ok(())
    }

    fn remove(&mut self, place: usize) {
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            let place = self.rise(place);
            self.sink(place);
        }
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        entry.timer.set_place(place);
    }

    /// Moves the entry at `place` towards the top until its parent is before it.
    fn rise(&mut self, mut place: usize) -> usize {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
        place
    }

    /// Moves the entry at `place` away from the top until it is before its children.
    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let children = place * ARITY + 1..(place * ARITY + 1 + ARITY).min(self.heap.len());
            let first = children.reduce(|a, b| {
                if self.heap[b].is_before(&self.heap[a]) {
                    b
                } else {
                    a
                }
            });
            match first {
                Some(child) if self.heap[child].is_before(&entry) => {
                    self.put(place, self.heap[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.put(place, entry);
    }
}

view!(
    /// A timer.
    Timer => uv_timer_t
);

impl Timer {
    pub(crate) fn handle(self) -> Handle {
        // SAFETY: a timer begins with the fields of a handle.
        unsafe { Handle::from_ptr(self.raw().cast()) }
    }

    /// The link in the list of the due, which shares its memory with the place in the heap: a
    /// timer is active or in that list, never both.
    fn due_link(self) -> List {
        // SAFETY: the link is a member of a live timer.
        unsafe { List::from_ptr(addr!(self.node.queue)) }
    }

    fn from_due_link(link: List) -> Timer {
        // SAFETY: the links of the list of the due are members of live timers.
        unsafe { Timer::from_ptr(owner!(link.raw(), uv_timer_t, node)) }
    }

    fn set_place(self, place: usize) {
        set!(
            self.node.heap = [
                place as *mut c_void,
                std::ptr::null_mut(),
                std::ptr::null_mut()
            ]
        );
    }

    fn place(self) -> usize {
        get!(self.node.heap[0]) as usize
    }

    pub(crate) fn init(self, on: Loop) {
        self.handle().init(on, UV_TIMER);
        set!(self.timer_cb = None);
        set!(self.timeout = 0);
        set!(self.repeat = 0);
        self.due_link().init();
    }

    pub(crate) fn start(self, callback: uv_timer_cb, timeout: u64, repeat: u64) -> Result {
        if self.handle().is_closing() || callback.is_none() {
            return Err(Errno::EINVAL);
        }
        self.stop();
        let on = self.handle().event_loop();
        let start_id = get!(on.timer_counter);
        set!(on.timer_counter = start_id + 1);
        set!(self.timer_cb = callback);
        set!(self.timeout = on.now().saturating_add(timeout));
        set!(self.repeat = repeat);
        set!(self.start_id = start_id);
        let entry = Entry {
            timeout: get!(self.timeout),
            start_id,
            timer: self,
        };
        if let Err(error) = on.timers(|timers| timers.insert(entry)) {
            self.due_link().init();
            return Err(error);
        }
        self.handle().start();
        Ok(())
    }

    pub(crate) fn stop(self) {
        if self.handle().is_active() {
            let place = self.place();
            self.handle()
                .event_loop()
                .timers(|timers| timers.remove(place));
            self.handle().stop();
            self.due_link().init();
        } else {
            self.due_link().remove();
        }
    }

    pub(crate) fn again(self) -> Result {
        if get!(self.timer_cb).is_none() {
            return Err(Errno::EINVAL);
        }
        let repeat = get!(self.repeat);
        if repeat != 0 {
            self.start(get!(self.timer_cb), repeat, repeat)?;
        }
        Ok(())
    }

    fn invoke(self) {
        if let Some(callback) = get!(self.timer_cb) {
            // SAFETY: the user's callback gets the timer it was registered for, which nothing
            // here touches afterwards.
            unsafe { callback(self.raw()) }
        }
    }
}

/// Milliseconds until the next timer is due; −1 without timers.
pub(crate) fn next_timeout(on: Loop) -> c_int {
    match on.timers(|timers| timers.first().map(|entry| entry.timeout)) {
        None => -1,
        Some(due) => due.saturating_sub(on.now()).min(c_int::MAX as u64) as c_int,
    }
}

/// Calls the timers that are due.
pub(crate) fn run_due(on: Loop) {
    let mut local = list::head();
    // SAFETY: `local` outlives the walk, which leaves it empty.
    let due = unsafe { List::from_ptr(&raw mut local) };
    due.init();
    let now = on.now();
    while let Some(timer) = on.timers(|timers| {
        timers
            .first()
            .filter(|entry| entry.timeout <= now)
            .map(|entry| entry.timer)
    }) {
        timer.stop();
        due.push_back(timer.due_link());
    }
    while let Some(link) = due.pop_front() {
        let timer = Timer::from_due_link(link);
        // The heap has room: the timer's own place was freed above. Should others have taken it
        // meanwhile and memory be short, the period is lost but not the call.
        let _ = timer.again();
        timer.invoke();
    }
}

// C entry points

/// Makes `handle` a timer that is not started. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_init>
///
/// # Safety
/// `loop` must be initialised, `handle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_init(r#loop: *mut uv_loop_t, handle: *mut uv_timer_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Timer::from_ptr(handle).init(Loop::from_ptr(r#loop)) };
    0
}

/// Starts a timer, or starts it anew: `cb` is called `timeout` milliseconds from the loop's time
/// on, and then, unless `repeat` is 0, every `repeat` milliseconds. A timeout of 0 is due in the
/// loop's next iteration.
///
/// Returns 0, or `UV_EINVAL` when the timer is closing or `cb` is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_start>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_start(
    handle: *mut uv_timer_t,
    cb: uv_timer_cb,
    timeout: u64,
    repeat: u64,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Timer::from_ptr(handle) }
        .start(cb, timeout, repeat)
        .into_code()
}

/// Stops a timer: its callback is not called any more. Returns 0, also for one not started.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_stop>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_stop(handle: *mut uv_timer_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Timer::from_ptr(handle) }.stop();
    0
}

/// Stops a timer and, if it repeats, starts it with its repeat value as the timeout.
///
/// Returns 0, or `UV_EINVAL` for a timer that was never started.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_again>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_again(handle: *mut uv_timer_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Timer::from_ptr(handle) }.again().into_code()
}

/// Sets the repeat value in milliseconds, used from the next expiry on.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_set_repeat>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_set_repeat(handle: *mut uv_timer_t, repeat: u64) {
    // SAFETY: common pointer contract.
    let timer = unsafe { Timer::from_ptr(handle) };
    set!(timer.repeat = repeat);
}

/// The repeat value in milliseconds.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_get_repeat>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_get_repeat(handle: *const uv_timer_t) -> u64 {
    // SAFETY: common pointer contract.
    let timer = unsafe { Timer::from_ptr(handle) };
    get!(timer.repeat)
}

/// Milliseconds of the loop's time until the timer is due; 0 when that has passed.
///
/// <https://docs.libuv.org/en/v1.x/timer.html#c.uv_timer_get_due_in>
///
/// # Safety
/// `handle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_timer_get_due_in(handle: *const uv_timer_t) -> u64 {
    // SAFETY: common pointer contract.
    let timer = unsafe { Timer::from_ptr(handle) };
    get!(timer.timeout).saturating_sub(timer.handle().event_loop().now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(count: usize) -> std::vec::Vec<uv_timer_t> {
        // SAFETY: timers are plain data, valid when zeroed.
        (0..count).map(|_| unsafe { std::mem::zeroed() }).collect()
    }

    fn drain(timers: &mut Timers) -> std::vec::Vec<(u64, u64)> {
        let mut order = std::vec::Vec::new();
        while let Some(entry) = timers.first().copied() {
            order.push((entry.timeout, entry.start_id));
            timers.remove(entry.timer.place());
        }
        order
    }

    #[test]
    fn equal_timeouts_come_in_the_order_of_their_starts() {
        let mut memory = memory(200);
        let mut timers = Timers::new();
        for (id, raw) in memory.iter_mut().enumerate() {
            // SAFETY: the memory outlives the heap's use of it.
            let timer = unsafe { Timer::from_ptr(raw) };
            let timeout = (id as u64 * 7919) % 13;
            timers
                .insert(Entry {
                    timeout,
                    start_id: id as u64,
                    timer,
                })
                .unwrap();
        }
        let order = drain(&mut timers);
        assert_eq!(order.len(), 200);
        assert!(order.is_sorted());
    }

    #[test]
    fn removal_from_anywhere_keeps_the_order() {
        let mut memory = memory(500);
        let mut timers = Timers::new();
        let views: std::vec::Vec<Timer> =
            // SAFETY: the memory outlives the heap's use of it.
            memory.iter_mut().map(|raw| unsafe { Timer::from_ptr(raw) }).collect();
        for (id, timer) in views.iter().enumerate() {
            let timeout = (id as u64).wrapping_mul(2_654_435_761) % 1000;
            timers
                .insert(Entry {
                    timeout,
                    start_id: id as u64,
                    timer: *timer,
                })
                .unwrap();
        }
        for timer in views.iter().step_by(3) {
            timers.remove(timer.place());
        }
        let order = drain(&mut timers);
        assert_eq!(order.len(), 500 - 167);
        assert!(order.is_sorted());
    }
}
