//! The started timers of a loop, in the order in which they are to be called.
//!
//! Timers that are due at one millisecond are a *group*: a ring of links in the timers themselves,
//! in the order of their starts. The oldest one is the group's *leader*. It has the group's entry
//! in a 4-ary heap, and knows the entry's place. So a start into an existing group takes a few
//! writes, and so do most stops, whatever the number of timers.
//!
//! A table finds the group of a due time. Each slot has the latest group of all whose due times
//! fall on it, and a larger table starts empty. A group without a slot is still valid. A later
//! timer of its due time makes another group, which comes behind it by the order of the leaders'
//! starts. No timer joins a group if there is a younger group of the same due time.
//!
//! A timer can always be started: without memory for its entry, it goes to one sorted ring of
//! *stragglers*.

use core::cmp::Ordering;
use core::ffi::c_void;

use crate::abi::*;
use crate::alloc;
use crate::list::{self, linked};
use crate::view::{get, view};

/// The number of children of each place in the heap.
const HEAP_ARITY: usize = 4;
/// The number of groups below which there is no table, and no memory is given back.
const SMALL_QUEUE_GROUPS: usize = 64;

/// The place of a timer that is in a group and not its leader.
pub(super) const FOLLOWER_PLACE: usize = usize::MAX;
const STRAGGLER_PLACE: usize = usize::MAX - 1;

view!(
    /// A timer.
    Timer => uv_timer_t
);
linked!(
    /// The link in a group's ring, or in the list of the due.
    pub(super) link: Timer in uv_timer_t.node.queue
);

impl Timer {
    /// The timer's place in the heap, or one of the two constants above. It is stored beside the
    /// link.
    #[inline]
    fn place(self) -> usize {
        get!(self.node.heap[2]) as usize
    }

    #[inline]
    fn set_place(self, place: usize) {
        let place = place as *mut c_void;
        // SAFETY: a view stands for a live timer; this word of the union is no part of the link.
        unsafe { (*self.raw()).node.heap[2] = place };
    }

    #[inline]
    pub(super) fn due(self) -> u64 {
        get!(self.timeout)
    }

    #[inline]
    fn start_id(self) -> u64 {
        get!(self.start_id)
    }

    /// The sort key: the timer with the smaller one is called first.
    fn order(self) -> (u64, u64) {
        (self.due(), self.start_id())
    }
}

/// A group's entry in the heap.
#[derive(Clone, Copy)]
struct Group {
    due: u64,
    leader: Timer,
}

impl Group {
    #[inline]
    fn is_before(&self, other: &Group) -> bool {
        match self.due.cmp(&other.due) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => self.leader.start_id() < other.leader.start_id(),
        }
    }
}

/// Ends the process unless a timer is as the queue left it. Initialising a timer cannot find the
/// mistake: nothing is known of the memory then.
#[inline]
pub(super) fn check(is_unchanged: bool) {
    if !is_unchanged {
        crate::panic::misuse("a started timer was initialised anew, or its memory overwritten");
    }
}

/// The started timers of a loop.
pub(crate) struct Timers {
    heap: alloc::Vec<Group>,
    /// The latest leader of each slot. The slot is the due time modulo the length, which is a
    /// power of two or 0.
    table: alloc::Vec<Option<Timer>>,
    /// The first of the ring of timers for which there was no memory.
    stragglers: Option<Timer>,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            heap: alloc::vec(),
            table: alloc::vec(),
            stragglers: None,
        }
    }

    /// The timer to be called next.
    #[inline]
    pub(super) fn first(&self) -> Option<Timer> {
        let leader = self.heap.first().map(|group| group.leader);
        match (leader, self.stragglers) {
            (Some(leader), Some(straggler)) if straggler.order() < leader.order() => {
                Some(straggler)
            }
            (Some(leader), _) => Some(leader),
            (None, straggler) => straggler,
        }
    }

    /// When the first timer is due.
    #[inline]
    pub(super) fn next_due(&self) -> Option<u64> {
        if self.stragglers.is_none() {
            return self.heap.first().map(|group| group.due);
        }
        self.first().map(Timer::due)
    }

    /// The first timer, if it is due at `now`. The caller removes it.
    #[inline]
    pub(super) fn first_due(&self, now: u64) -> Option<Timer> {
        let due = self.next_due().filter(|due| *due <= now)?;
        let timer = self.first()?;
        // Otherwise the removal would miss the entry, and the same timer be found for ever.
        let is_in_place = timer.place() == 0 || self.stragglers == Some(timer);
        check(is_in_place && timer.due() == due);
        Some(timer)
    }

    /// Adds a timer that is in no list. It has its due time, and a start id above all others'.
    #[inline]
    pub(super) fn insert(&mut self, timer: Timer) {
        if let Some(leader) = self.find(timer.due()) {
            timer.set_place(FOLLOWER_PLACE);
            list::insert_before(leader, timer);
        } else if self.reserve() {
            self.add_group(timer);
        } else {
            self.add_straggler(timer);
        }
    }

    /// Removes a timer that was added.
    #[inline]
    pub(super) fn remove(&mut self, timer: Timer) {
        match timer.place() {
            FOLLOWER_PLACE => {}
            STRAGGLER_PLACE => {
                if self.stragglers == Some(timer) {
                    self.stragglers = list::next_in_ring(timer);
                }
            }
            place => {
                check(
                    self.heap
                        .get(place)
                        .is_some_and(|group| group.leader == timer),
                );
                let successor = list::next_in_ring(timer);
                self.replace(timer, successor);
                match successor {
                    Some(successor) => {
                        self.heap[place].leader = successor;
                        successor.set_place(place);
                    }
                    None => self.remove_group(place),
                }
            }
        }
        timer.link().remove();
    }
}

// The table.
impl Timers {
    #[inline]
    fn slot(&mut self, due: u64) -> Option<&mut Option<Timer>> {
        let mask = self.table.len().wrapping_sub(1);
        self.table.get_mut(due as usize & mask)
    }

    #[inline]
    fn find(&mut self, due: u64) -> Option<Timer> {
        self.slot(due)?.filter(|leader| leader.due() == due)
    }

    #[inline]
    fn replace(&mut self, old: Timer, new: Option<Timer>) {
        match self.slot(old.due()) {
            Some(slot) if *slot == Some(old) => *slot = new,
            _ => (),
        }
    }

    /// Makes a table with about as many slots as there are groups; without memory, there is none.
    fn fit_table(&mut self) {
        let groups = self.heap.len();
        if groups < SMALL_QUEUE_GROUPS {
            self.table = alloc::vec();
            return;
        }
        let slots = 1 << groups.ilog2();
        let mut table = alloc::vec();
        if table.try_reserve_exact(slots).is_ok() {
            table.resize(slots, None);
        }
        self.table = table;
    }
}

// The heap.
impl Timers {
    /// Reserves memory for another group; returns whether there is enough.
    fn reserve(&mut self) -> bool {
        let groups = self.heap.len();
        if groups < self.heap.capacity() {
            return true;
        }
        let more = (groups / 2).max(SMALL_QUEUE_GROUPS / 4);
        self.heap.try_reserve_exact(more).is_ok()
    }

    fn add_group(&mut self, leader: Timer) {
        let groups = self.heap.len();
        if groups >= SMALL_QUEUE_GROUPS && groups / HEAP_ARITY >= self.table.len() {
            self.fit_table();
        }
        let due = leader.due();
        self.heap.push(Group { due, leader });
        self.rise(groups);
        if let Some(slot) = self.slot(due) {
            *slot = Some(leader);
        }
    }

    fn remove_group(&mut self, place: usize) {
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            let place = self.rise(place);
            self.sink(place);
        }
        let groups = self.heap.len();
        if self.heap.capacity() > SMALL_QUEUE_GROUPS && groups < self.heap.capacity() / 4 {
            self.give_back();
        }
    }

    /// Halves the memory, if there is memory to move to.
    fn give_back(&mut self) {
        let mut smaller = alloc::vec();
        if smaller.try_reserve_exact(self.heap.capacity() / 2).is_ok() {
            smaller.extend_from_slice(&self.heap);
            self.heap = smaller;
        }
        if self.table.len() > self.heap.len() * HEAP_ARITY {
            self.fit_table();
        }
    }

    #[inline]
    fn put(&mut self, place: usize, group: Group) {
        self.heap[place] = group;
        group.leader.set_place(place);
    }

    /// Moves the group at `place` towards the top until its parent is before it.
    fn rise(&mut self, mut place: usize) -> usize {
        let group = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / HEAP_ARITY;
            if !group.is_before(&self.heap[parent]) {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, group);
        place
    }

    /// Moves the group at `place` away from the top until it is before its children.
    fn sink(&mut self, mut place: usize) {
        let group = self.heap[place];
        loop {
            let children =
                place * HEAP_ARITY + 1..(place * HEAP_ARITY + 1 + HEAP_ARITY).min(self.heap.len());
            let first = children.reduce(|a, b| {
                if self.heap[b].is_before(&self.heap[a]) {
                    b
                } else {
                    a
                }
            });
            match first {
                Some(child) if self.heap[child].is_before(&group) => {
                    self.put(place, self.heap[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.put(place, group);
    }
}

// The stragglers.
impl Timers {
    #[cold]
    fn add_straggler(&mut self, timer: Timer) {
        timer.set_place(STRAGGLER_PLACE);
        let Some(first) = self.stragglers else {
            self.stragglers = Some(timer);
            return;
        };
        if timer.due() < first.due() {
            list::insert_before(first, timer);
            self.stragglers = Some(timer);
            return;
        }
        let mut at = first;
        let is_earlier = |next: &Timer| *next != first && next.due() <= timer.due();
        while let Some(next) = list::next_in_ring(at).filter(is_earlier) {
            at = next;
        }
        list::insert_behind(at, timer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::set;
    use crate::zeroed::zeroed;

    /// Timers in memory of their own, a queue of them, and its expected content.
    struct Model {
        memory: std::vec::Vec<uv_timer_t>,
        queue: Timers,
        /// Due time, start id and index of each timer in the queue, in order.
        expected: std::collections::BTreeSet<(u64, u64, usize)>,
        starts: u64,
        seed: u64,
    }

    impl Model {
        fn new(count: usize) -> Model {
            let mut model = Model {
                memory: (0..count).map(|_| zeroed()).collect(),
                queue: Timers::new(),
                expected: Default::default(),
                starts: 0,
                seed: 0x9e37_79b9_7f4a_7c15,
            };
            for index in 0..count {
                model.timer(index).link().init();
            }
            model
        }

        fn random(&mut self, below: u64) -> u64 {
            self.seed ^= self.seed << 13;
            self.seed ^= self.seed >> 7;
            self.seed ^= self.seed << 17;
            self.seed % below
        }

        fn timer(&mut self, index: usize) -> Timer {
            // SAFETY: the memory outlives the queue's use of it, and stays in place.
            unsafe { Timer::from_ptr(&raw const self.memory[index]) }
        }

        fn prepare(&mut self, index: usize, due: u64) -> Timer {
            self.stop(index);
            let timer = self.timer(index);
            set!(timer.timeout = due);
            set!(timer.start_id = self.starts);
            self.expected.insert((due, self.starts, index));
            self.starts += 1;
            timer
        }

        fn start(&mut self, index: usize, due: u64) {
            let timer = self.prepare(index, due);
            self.queue.insert(timer);
        }

        fn start_without_memory(&mut self, index: usize, due: u64) {
            let timer = self.prepare(index, due);
            self.queue.add_straggler(timer);
        }

        fn stop(&mut self, index: usize) {
            let timer = self.timer(index);
            let key = (timer.due(), timer.start_id(), index);
            if self.expected.remove(&key) {
                self.queue.remove(timer);
            }
        }

        fn expire(&mut self, now: u64) {
            while let Some(timer) = self.queue.first_due(now) {
                self.queue.remove(timer);
                let (due, id, index) = self.expected.pop_first().expect("one too many");
                assert_eq!(timer.order(), (due, id));
                assert!(timer == self.timer(index));
                assert!(due <= now);
            }
            let next = self.expected.first().map(|key| key.0);
            assert_eq!(self.queue.next_due(), next);
            assert!(next.is_none_or(|due| due > now));
        }

        /// Starts, stops and expires at random; `spread` is the longest timeout.
        fn run(&mut self, steps: usize, spread: u64, can_lack_memory: bool) {
            let mut now = 0;
            for _ in 0..steps {
                let index = self.random(self.memory.len() as u64) as usize;
                match self.random(100) {
                    0..60 => {
                        let due = now + self.random(spread);
                        self.start(index, due);
                    }
                    60..70 if can_lack_memory => {
                        let due = now + self.random(spread);
                        self.start_without_memory(index, due);
                    }
                    60..95 => self.stop(index),
                    _ => {
                        now += self.random(spread / 20 + 2);
                        self.expire(now);
                    }
                }
            }
            self.expire(u64::MAX);
            assert!(self.expected.is_empty());
        }
    }

    #[test]
    fn equal_timeouts_come_in_the_order_of_their_starts() {
        let mut model = Model::new(2000);
        for index in 0..2000 {
            model.start(index, index as u64 * 7919 % 13);
        }
        model.expire(5);
        model.expire(100);
        assert!(model.expected.is_empty());
    }

    #[test]
    fn any_order_of_starts_stops_and_expiries() {
        for (timers, spread) in [(3, 5), (100, 1), (500, 50), (3000, 700), (5000, 1_000_000)] {
            Model::new(timers).run(100_000, spread, false);
        }
    }

    #[test]
    fn timers_without_memory_come_in_order_as_well() {
        for (timers, spread) in [(3, 5), (200, 20), (2000, 1000)] {
            Model::new(timers).run(20_000, spread, true);
        }
    }

    #[test]
    fn groups_that_the_table_forgot_keep_the_order() {
        let mut model = Model::new(40_000);
        // Due times that fall on the same slots, again and again while the table grows.
        for index in 0..40_000 {
            let due = model.random(300) * 1024 + model.random(2);
            model.start(index, due);
        }
        model.expire(150 * 1024);
        for index in 0..40_000 {
            let due = 150 * 1024 + 1 + model.random(20_000);
            model.start(index, due);
        }
        model.expire(u64::MAX);
    }

    #[test]
    fn equal_due_times_are_one_group() {
        let mut model = Model::new(100_000);
        for index in 0..100_000 {
            model.start(index, index as u64 / 100);
        }
        assert!(model.queue.heap.len() < 1400);
        assert!(model.queue.table.len() <= 1024);
        model.expire(u64::MAX);
    }

    #[test]
    fn memory_is_given_back() {
        let mut model = Model::new(50_000);
        for index in 0..50_000 {
            model.start(index, index as u64 * 3);
        }
        let most = 16 * model.queue.heap.capacity() + 8 * model.queue.table.len();
        assert!(most <= 50_000 * 32);
        for index in 0..49_990 {
            model.stop(index);
        }
        assert!(model.queue.heap.capacity() <= 4 * SMALL_QUEUE_GROUPS);
        assert!(model.queue.table.len() <= 4 * SMALL_QUEUE_GROUPS);
        model.expire(u64::MAX);
    }

    #[test]
    fn the_last_millisecond_is_a_due_time() {
        let mut model = Model::new(300);
        for index in 0..300 {
            model.start(index, u64::MAX - index as u64 % 3);
        }
        model.expire(u64::MAX - 1);
        assert_eq!(model.queue.next_due(), Some(u64::MAX));
        model.expire(u64::MAX);
    }
}
