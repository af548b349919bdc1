//! Atomic objects, with the names and methods that the library uses.
//!
//! Each operation is done by loom, which decides when it happens and what it sees. What it writes is
//! written to the object itself as well, for a forked child.

use core::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};

use crate::objects::{self, Object};
use crate::run::{Fences, fences};
use crate::trace::note;

/// A fence, as in `core::sync::atomic`.
pub fn fence(order: Ordering) {
    match objects::is_direct() {
        true => core::sync::atomic::fence(order),
        false => loom::sync::atomic::fence(order),
    }
}

fn fence_if(is_needed: bool) {
    if is_needed {
        loom::sync::atomic::fence(SeqCst);
    }
}

fn fence_before(order: Ordering) {
    fence_if(match fences() {
        Fences::Before => order == SeqCst,
        Fences::After => false,
        Fences::Everywhere => true,
    });
}

/// Call it after what writes.
fn fence_after(order: Ordering) {
    fence_if(match fences() {
        Fences::Before => false,
        Fences::After => order == SeqCst,
        Fences::Everywhere => true,
    });
}

/// The orders that remain beside the fences.
fn of_load(order: Ordering) -> Ordering {
    if order == SeqCst { Acquire } else { order }
}

fn of_store(order: Ordering) -> Ordering {
    if order == SeqCst { Release } else { order }
}

fn of_change(order: Ordering) -> Ordering {
    if order == SeqCst { AcqRel } else { order }
}

/// A store.
///
/// loom orders the writes of an object by what the threads have seen. It does not conclude that a
/// write which reads at once comes right after what it read. So it would let a value be seen that is
/// older than the reader's own write. The exchange, which has no order of its own, tells loom which
/// writes there were before. What reads the store does not see them by that.
fn write(object: &Object, value: usize, order: Ordering) {
    object.swap(value, Relaxed);
    object.store(value, order);
}

/// An operation that reads and writes at once.
fn change(order: Ordering, work: impl FnOnce(Ordering) -> usize) -> usize {
    fence_before(order);
    let before = work(of_change(order));
    fence_after(order);
    before
}

fn exchange(
    object: &Object,
    [current, new]: [usize; 2],
    [success, failure]: [Ordering; 2],
) -> Result<usize, usize> {
    fence_before(success);
    let result = object.compare_exchange(current, new, of_change(success), of_load(failure));
    if result.is_ok() {
        fence_after(success);
    }
    result
}

/// The methods of an atomic type. `$to` makes a word of its value, and `$from` the value of a word.
macro_rules! methods {
    ($core:ty, $value:ty, $to:expr, $from:expr) => {
        pub const fn new(value: $value) -> Self {
            Self(<$core>::new(value))
        }

        /// # Safety
        /// As in `core::sync::atomic`.
        pub const unsafe fn from_ptr<'a>(place: *mut $value) -> &'a Self {
            // SAFETY: of this layout, and the caller vouches for the rest.
            unsafe { &*place.cast() }
        }

        fn object(&self) -> Option<Object> {
            objects::at(self.0.as_ptr().expose_provenance(), |address| {
                let object = core::ptr::with_exposed_provenance::<$core>(address);
                // SAFETY: the address of such an object, which is live.
                $to(unsafe { &*object }.load(Relaxed))
            })
        }

        #[track_caller]
        pub fn load(&self, order: Ordering) -> $value {
            let Some(object) = self.object() else {
                return self.0.load(order);
            };
            fence_before(order);
            let value = object.load(of_load(order));
            note("load", value);
            $from(value)
        }

        #[track_caller]
        pub fn store(&self, value: $value, order: Ordering) {
            let Some(object) = self.object() else {
                return self.0.store(value, order);
            };
            fence_before(order);
            write(&object, $to(value), of_store(order));
            note("store", $to(value));
            self.0.store(value, Relaxed);
            fence_after(order);
        }

        #[track_caller]
        pub fn swap(&self, value: $value, order: Ordering) -> $value {
            let Some(object) = self.object() else {
                return self.0.swap(value, order);
            };
            let before = change(order, |order| object.swap($to(value), order));
            note("swap of", before);
            self.0.store(value, Relaxed);
            $from(before)
        }

        #[track_caller]
        pub fn compare_exchange(
            &self,
            current: $value,
            new: $value,
            success: Ordering,
            failure: Ordering,
        ) -> Result<$value, $value> {
            let Some(object) = self.object() else {
                return self.0.compare_exchange(current, new, success, failure);
            };
            let result = exchange(&object, [$to(current), $to(new)], [success, failure]);
            match result {
                Ok(before) => {
                    note("exchange of", before);
                    self.0.store(new, Relaxed);
                }
                Err(other) => note("no exchange of", other),
            }
            result.map($from).map_err($from)
        }

        /// Does not fail without a reason: what follows such a failure is the same once more.
        #[track_caller]
        pub fn compare_exchange_weak(
            &self,
            current: $value,
            new: $value,
            success: Ordering,
            failure: Ordering,
        ) -> Result<$value, $value> {
            self.compare_exchange(current, new, success, failure)
        }
    };
}

/// The methods of numbers.
macro_rules! number {
    ($name:ident, $value:ty, $($method:ident: $work:expr),*) => {
        /// As in `core::sync::atomic`.
        #[repr(transparent)]
        pub struct $name(core::sync::atomic::$name);

        impl $name {
            methods!(
                core::sync::atomic::$name,
                $value,
                |value: $value| value as usize,
                |word: usize| word as $value
            );

            $(#[track_caller]
            pub fn $method(&self, by: $value, order: Ordering) -> $value {
                let Some(object) = self.object() else {
                    return self.0.$method(by, order);
                };
                let work: fn($value, $value) -> $value = $work;
                let before = change(order, |order| object.$method(by as usize, order));
                note(stringify!($method), before);
                let after = work(before as $value, by);
                self.0.store(after, Relaxed);
                before as $value
            })*
        }
    };
}

number!(
    AtomicI32, i32,
    fetch_sub: i32::wrapping_sub,
    fetch_or: core::ops::BitOr::bitor,
    fetch_and: core::ops::BitAnd::bitand
);
number!(
    AtomicU32, u32,
    fetch_add: u32::wrapping_add,
    fetch_sub: u32::wrapping_sub
);
number!(
    AtomicUsize, usize,
    fetch_add: usize::wrapping_add,
    fetch_sub: usize::wrapping_sub
);

/// As in `core::sync::atomic`.
#[repr(transparent)]
pub struct AtomicBool(core::sync::atomic::AtomicBool);

impl AtomicBool {
    methods!(
        core::sync::atomic::AtomicBool,
        bool,
        |value: bool| value as usize,
        |word: usize| word != 0
    );
}

/// As in `core::sync::atomic`.
#[repr(transparent)]
pub struct AtomicPtr<T>(core::sync::atomic::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    methods!(
        core::sync::atomic::AtomicPtr<T>,
        *mut T,
        |pointer: *mut T| pointer.expose_provenance(),
        core::ptr::with_exposed_provenance_mut
    );
}
