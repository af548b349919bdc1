//! A ring: the events of one thread, which the writer's thread takes.
//!
//! Only the thread puts records in, and only the writer takes them out. A signal handler may
//! interrupt the thread in the middle of that. Then its record is counted as dropped, as one is for
//! which there is no room. So nothing waits, and nothing is lost silently.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, compiler_fence,
};

/// How many records a ring has room for: one megabyte of them, a fiftieth of a second of a loop
/// that has much to do.
pub(super) const RECORDS: usize = 32 * 1024;

/// One event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// In ticks, until the writer takes it; then in nanoseconds.
    pub(super) time_ns: u64,
    pub(super) event: u32,
    pub(super) what: u32,
    pub(super) object: usize,
    pub(super) detail: usize,
}

pub(super) struct Ring {
    /// The thread's number in the system.
    pub(super) thread: AtomicI32,
    /// How many rings of other threads were this memory before. A change shows the writer that the
    /// thread is another one.
    pub(super) uses: AtomicU32,
    /// Whether the thread has ended.
    pub(super) has_ended: AtomicBool,
    /// How many records were dropped.
    pub(super) dropped: AtomicUsize,
    /// The phase that the thread is in and has not recorded, plus one; 0 for none.
    pub(super) phase: AtomicU32,
    /// Whether the last record is the beginning of a phase.
    pub(super) ends_with_phase: AtomicBool,
    /// The time of the last record, in ticks.
    pub(super) last_time: AtomicU64,
    /// Whether the thread is putting a record in.
    is_busy: AtomicBool,
    head: AtomicUsize,
    /// What the thread has last read of the tail: to read it anew takes the memory from the writer.
    seen_tail: AtomicUsize,
    tail: Apart<AtomicUsize>,
    records: UnsafeCell<[MaybeUninit<Record>; RECORDS]>,
}

// SAFETY: the thread writes to the part between head and tail only, and the writer reads from the
// part between tail and head only.
unsafe impl Sync for Ring {}

/// In a cache line that nothing else is in: the writer's and the thread's would take it from each
/// other.
#[repr(align(64))]
struct Apart<T>(T);

/// What became of a record.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Put {
    Done,
    /// It was put in, and the ring is half full by it.
    HalfFull,
    Dropped,
}

impl Ring {
    /// A ring in memory of zeros, which it does not touch before it is used.
    pub(super) fn new() -> Option<&'static Ring> {
        let (protection, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: new memory of the system's.
        let memory = unsafe {
            let bytes = size_of::<Ring>();
            libc::mmap(core::ptr::null_mut(), bytes, protection, flags, -1, 0)
        };
        if memory == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the memory is large enough and stays; zeros are a value of each member.
        Some(unsafe { &*memory.cast::<Ring>() })
    }

    /// On the ring's thread: begins a record; false within another one.
    fn begin(&self) -> bool {
        if self.is_busy.load(Relaxed) {
            self.dropped.fetch_add(1, Relaxed);
            return false;
        }
        self.is_busy.store(true, Relaxed);
        compiler_fence(Acquire);
        true
    }

    /// On the ring's thread: puts a record in.
    pub(super) fn put(&self, record: Record) -> Put {
        if !self.begin() {
            return Put::Dropped;
        }
        let head = self.head.load(Relaxed);
        let mut used = head.wrapping_sub(self.seen_tail.load(Relaxed));
        if used >= RECORDS / 2 {
            let tail = self.tail.0.load(Acquire);
            self.seen_tail.store(tail, Relaxed);
            used = head.wrapping_sub(tail);
        }
        let put = match used {
            RECORDS.. => {
                self.dropped.fetch_add(1, Relaxed);
                Put::Dropped
            }
            _ => {
                let base = self.records.get().cast::<MaybeUninit<Record>>();
                // SAFETY: below the number of records, and the writer does not read it yet.
                unsafe { base.add(head % RECORDS).write(MaybeUninit::new(record)) };
                self.head.store(head.wrapping_add(1), Release);
                match used == RECORDS / 2 {
                    true => Put::HalfFull,
                    false => Put::Done,
                }
            }
        };
        compiler_fence(Release);
        self.is_busy.store(false, Relaxed);
        put
    }

    /// On the writer's thread: takes all records that are there by now.
    pub(super) fn take(&self, mut each: impl FnMut(Record)) {
        let head = self.head.load(Acquire);
        let mut tail = self.tail.0.load(Relaxed);
        while tail != head {
            let base = self.records.get().cast::<MaybeUninit<Record>>();
            // SAFETY: the thread has written the record, and does not touch it before tail passes.
            each(unsafe { base.add(tail % RECORDS).read().assume_init() });
            tail = tail.wrapping_add(1);
            // The thread gets room again, though not each time.
            if tail % (RECORDS / 32) == 0 {
                self.tail.0.store(tail, Release);
            }
        }
        self.tail.0.store(tail, Release);
    }

    /// Whether the thread has ended, and all its records were taken.
    pub(super) fn is_done(&self) -> bool {
        self.has_ended.load(Acquire) && self.head.load(Acquire) == self.tail.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize) -> Record {
        Record {
            time_ns: number as u64,
            event: 0,
            what: 0,
            object: number,
            detail: 0,
        }
    }

    fn taken(ring: &Ring) -> Vec<usize> {
        let mut all = Vec::new();
        ring.take(|record| all.push(record.object));
        all
    }

    #[test]
    fn records_come_out_in_their_order() {
        let ring = Ring::new().unwrap();
        (0..5).for_each(|number| assert_eq!(ring.put(record(number)), Put::Done));
        assert_eq!(taken(ring), [0, 1, 2, 3, 4]);
        assert_eq!(taken(ring), []);
    }

    #[test]
    fn a_full_ring_drops_and_counts() {
        let ring = Ring::new().unwrap();
        let halves = (0..RECORDS).filter(|&number| ring.put(record(number)) == Put::HalfFull);
        assert_eq!(halves.count(), 1);
        assert_eq!(ring.put(record(0)), Put::Dropped);
        assert_eq!(ring.dropped.load(Relaxed), 1);
        assert_eq!(taken(ring).len(), RECORDS);
        assert_eq!(ring.put(record(7)), Put::Done);
        assert_eq!(taken(ring), [7]);
    }

    #[test]
    fn what_interrupts_a_record_is_counted() {
        let ring = Ring::new().unwrap();
        assert!(ring.begin());
        assert_eq!(ring.put(record(1)), Put::Dropped);
        assert_eq!(ring.dropped.load(Relaxed), 1);
    }

    #[test]
    fn two_threads_use_a_ring_at_once() {
        let ring = Ring::new().unwrap();
        let count = 200_000;
        let writer = std::thread::spawn(move || {
            let mut next = 0;
            while next < count {
                ring.take(|record| {
                    assert_eq!(record.object, next);
                    next += 1;
                });
            }
        });
        let mut number = 0;
        while number < count {
            match ring.put(record(number)) {
                Put::Dropped => std::thread::yield_now(),
                _ => number += 1,
            }
        }
        writer.join().unwrap();
    }
}
