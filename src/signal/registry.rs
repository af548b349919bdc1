//! Which handles wait for which signal, and the handler that notifies them.
//!
//! **Async-signal-safe zone.** Everything under the lock runs in a signal handler or keeps one
//! waiting. Allowed here: atomic operations, reading and writing handles and loops, `sigaction`,
//! `write` to an eventfd, `getpid`, the `futex` call of the lock. `errno` is restored. No allocation,
//! no other lock (not even one hidden in libc), no formatting, no indexing, no `unwrap`.
//!
//! The registry has a list of handles for each signal. The handler goes through the list: each
//! handle counts what was caught for it, and joins its loop's list of handles to be called. A
//! handle that is stopped leaves both lists, so nothing of it is left when its memory is released.
//! Nothing is lost, however much is caught before a loop runs.
//!
//! One lock protects all of this, including the fields of handles and loops that are named here.
//! Code outside the handler that takes it has all signals blocked. A handle's links are kept in
//! `tree_entry` (registry) and `u.reserved` (loop).
//!
//! A forked child starts with an empty registry: another thread of the parent may have been in the
//! middle of changing it. Each handle remembers the generation of the registry that it is in, and
//! `uv_loop_fork` registers a loop's handles again.

use core::ffi::{c_int, c_uint};

use super::Signal;
use crate::abi::*;
use crate::errors::{Errno, Result, keeping_errno};
use crate::event_loop::Loop;
use crate::list::{self, List, linked};
use crate::sys::lock::Locked;
use crate::sys::signal::{self, AllBlocked, LARGEST_SIGNAL};
use crate::sys::{fd, process};
use crate::view::{get, set};

/// The kernel's action for a signal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Default,
    CatchOnce,
    Catch,
}

/// A signal and the handles that wait for it.
#[derive(Clone, Copy)]
struct Watched {
    /// The head of the list; null links stand for an empty one.
    handles: uv__queue,
    /// How many of the handles stay when the signal is caught.
    persistent: usize,
    /// `None` in a forked child: a thread of the parent may have been changing it.
    action: Option<Action>,
}

struct Table {
    signals: [Watched; LARGEST_SIGNAL],
    /// The generation, less one: the table is all zeros at first, and takes no room in the file.
    forks: usize,
}

// SAFETY: what the links lead to is used under the lock as well.
unsafe impl Send for Table {}

static REGISTRY: Locked<Table> = Locked::new(Table {
    signals: [Watched {
        handles: list::head(),
        persistent: 0,
        action: Some(Action::Default),
    }; LARGEST_SIGNAL],
    forks: 0,
});

fn locked<R>(work: impl FnOnce(&mut Table) -> R) -> R {
    let _blocked = AllBlocked::new();
    REGISTRY.with(work)
}

/// Called by the kernel, on any thread, with all signals blocked.
extern "C" fn on_signal(signum: c_int) {
    let catch = |table: &mut Table| table.catch(signum);
    keeping_errno(|| {
        // A forked child that is not reset yet may not have the thread that has the lock. It drops
        // what it caught until then in any case.
        if REGISTRY.try_with(catch).is_none() && !process::is_new_child() {
            REGISTRY.with(catch);
        }
    });
}

impl Table {
    fn generation(&self) -> usize {
        self.forks.wrapping_add(1)
    }

    fn watched(&mut self, signum: c_int) -> Result<&mut Watched> {
        let index = usize::try_from(signum).ok().and_then(|n| n.checked_sub(1));
        index
            .and_then(|index| self.signals.get_mut(index))
            .ok_or(Errno::EINVAL)
    }

    fn add(&mut self, signal: Signal, signum: c_int, is_one_shot: bool) -> Result {
        let generation = self.generation();
        let watched = self.watched(signum)?;
        signal.enter(generation, is_one_shot);
        watched.insert(signal);
        watched.persistent += usize::from(!is_one_shot);
        watched
            .update_action(signum)
            .inspect_err(|_| self.remove(signal, signum))
    }

    fn remove(&mut self, signal: Signal, signum: c_int) {
        if signal.generation() != self.generation() {
            signal.link().init();
            return;
        }
        let Ok(watched) = self.watched(signum) else {
            return;
        };
        if signal.link().is_linked() {
            signal.link().remove();
            watched.persistent -= usize::from(!signal.leaves_when_caught());
        }
        // The default action of a signal that could be caught can be restored.
        let _ = watched.update_action(signum);
    }

    fn catch(&mut self, signum: c_int) {
        let Ok(watched) = self.watched(signum) else {
            return;
        };
        if watched.action == Some(Action::CatchOnce) {
            // The kernel has done that already, unless it was asked to catch the signal again
            // meanwhile.
            let _ = signal::set_default(signum);
            watched.action = Some(Action::Default);
        }
        for signal in watched.list().iter() {
            if signal.leaves_when_caught() {
                signal.link().remove();
            }
            signal.note_caught();
        }
    }

    /// Empties the table in a forked child. The kernel's actions are inherited, and stay until a
    /// handle is added.
    fn forget_handles(&mut self) {
        self.forks = self.forks.wrapping_add(1);
        for watched in &mut self.signals {
            watched.handles = list::head();
            watched.persistent = 0;
            watched.action = None;
        }
    }
}

impl Watched {
    fn list(&mut self) -> List<Signal> {
        // SAFETY: the table stays in place, and the links in the list are those of live handles.
        let list = unsafe { List::from_ptr(&raw mut self.handles) };
        if self.handles.next.is_null() {
            list.init();
        }
        list
    }

    /// Inserts a handle in libuv's order: the handles of a loop by their addresses, those that are
    /// called once after the others. Programs notice the order for SIGCHLD, between a handle and
    /// the loop's own, which queries the children. Usually the place is the last one.
    fn insert(&mut self, signal: Signal) {
        let list = self.list();
        let is_later = |other: &Signal| other.order() >= signal.order();
        let mut before = list.back();
        while let Some(other) = before.filter(is_later) {
            before = list.before(other);
        }
        list.insert_behind(before, signal);
    }

    /// Sets the kernel's action to what the handles that are left need.
    fn update_action(&mut self, signum: c_int) -> Result {
        let action = if self.list().is_empty() {
            Action::Default
        } else if self.persistent == 0 {
            Action::CatchOnce
        } else {
            Action::Catch
        };
        if self.action == Some(action) {
            return Ok(());
        }
        match action {
            Action::Default => signal::set_default(signum),
            Action::CatchOnce => signal::catch(signum, on_signal, true),
            Action::Catch => signal::catch(signum, on_signal, false),
        }?;
        self.action = Some(action);
        Ok(())
    }
}

// What the registry keeps in a handle. Of a node of a tree, the first two pointers are the link.
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(uv__signal_tree, rbe_left) == offset_of!(uv__queue, next));
    assert!(offset_of!(uv__signal_tree, rbe_right) == offset_of!(uv__queue, prev));
};
linked!(link: Signal in uv_signal_t.tree_entry);
linked!(
    /// The link in the loop's list of handles to be called.
    caught_link: Signal in uv_signal_t.u.reserved, as Due
);

impl Signal {
    fn enter(self, generation: usize, is_one_shot: bool) {
        set!(self.tree_entry.rbe_parent = core::ptr::without_provenance_mut(generation));
        set!(self.tree_entry.rbe_color = is_one_shot.into());
        self.link().init();
    }

    fn generation(self) -> usize {
        get!(self.tree_entry.rbe_parent).addr()
    }

    fn leaves_when_caught(self) -> bool {
        get!(self.tree_entry.rbe_color) != 0
    }

    fn order(self) -> (bool, usize, usize) {
        let event_loop = self.event_loop().raw().addr();
        (self.leaves_when_caught(), event_loop, self.raw().addr())
    }

    fn due(self) -> c_uint {
        get!(self.caught_signals).wrapping_sub(get!(self.dispatched_signals))
    }

    fn note_caught(self) {
        let event_loop = self.event_loop();
        set!(self.caught_signals = get!(self.caught_signals).wrapping_add(1));
        let handles = event_loop.caught_handles();
        event_loop.add_due(1);
        if self.caught_link().is_linked() {
            return;
        }
        if handles.is_empty() {
            fd::eventfd_signal(get!(event_loop.signal_pipefd[1]));
        }
        handles.push_back(self);
    }

    /// Drops signals that were caught and not delivered yet.
    fn drop_due(self) {
        self.event_loop().remove_due(self.due() as usize);
        set!(self.dispatched_signals = get!(self.caught_signals));
        self.caught_link().remove();
    }
}

// What the registry keeps in a loop.
impl Loop {
    fn caught_handles(self) -> List<Due> {
        // SAFETY: lives as long as the loop.
        unsafe { List::from_ptr(&raw mut (*self.caught()).handles) }
    }

    fn due(self) -> usize {
        // SAFETY: lives as long as the loop, and is used under the lock.
        unsafe { (*self.caught()).count }
    }

    fn add_due(self, count: usize) {
        // SAFETY: lives as long as the loop, and is used under the lock.
        unsafe { (*self.caught()).count = self.due().wrapping_add(count) };
    }

    fn remove_due(self, count: usize) {
        // SAFETY: lives as long as the loop, and is used under the lock.
        unsafe { (*self.caught()).count = self.due().saturating_sub(count) };
    }
}

// Functions for the rest of the chapter, which do not have the lock.

/// Initialises the registry's fields of a handle that waits for nothing.
pub(super) fn init(signal: Signal) {
    set!(signal.caught_signals = 0);
    set!(signal.dispatched_signals = 0);
    signal.enter(0, false);
    signal.caught_link().init();
}

pub(super) fn loop_init(event_loop: Loop) {
    event_loop.caught_handles().init();
}

/// Has a signal delivered to the handle; only the first time, if it `is_one_shot`.
pub(super) fn add(signal: Signal, signum: c_int, is_one_shot: bool) -> Result {
    locked(|table| table.add(signal, signum, is_one_shot))
}

/// Has the signal not delivered to the handle any more, even if it was caught already.
pub(super) fn remove(signal: Signal, signum: c_int) {
    locked(|table| {
        table.remove(signal, signum);
        signal.drop_due();
    });
}

/// Whether the kernel calls [`on_signal`] for a signal.
pub(super) fn is_installed(signum: c_int) -> bool {
    signal::is_caught_by(signum, on_signal)
}

/// Drops signals that were caught and not delivered yet; the handle stays started.
pub(super) fn forget(signal: Signal) {
    locked(|_| signal.drop_due());
}

/// How many callbacks are due for handles of the loop.
pub(super) fn callbacks_due(event_loop: Loop) -> usize {
    locked(|_| event_loop.due())
}

/// Takes the handle that is to be called next.
pub(super) fn next(event_loop: Loop) -> Option<Signal> {
    locked(|_| {
        let signal = event_loop.caught_handles().pop_front()?;
        set!(signal.dispatched_signals = get!(signal.dispatched_signals).wrapping_add(1));
        event_loop.remove_due(1);
        if signal.due() != 0 {
            event_loop.caught_handles().push_back(signal);
        }
        Some(signal)
    })
}

/// Drops, in a forked child, the signals that the parent caught for the loop.
pub(super) fn forget_all_caught(event_loop: Loop) {
    locked(|_| {
        event_loop.caught_handles().init();
        event_loop.remove_due(event_loop.due());
    });
}

/// Adds a started handle in a forked child, as if it were just started.
pub(super) fn add_again(signal: Signal, signum: c_int, is_one_shot: bool) -> Result {
    locked(|table| {
        signal.caught_link().init();
        set!(signal.dispatched_signals = get!(signal.caught_signals));
        table.remove(signal, signum);
        table.add(signal, signum, is_one_shot)
    })
}

/// Resets the registry in a forked child.
pub(super) fn reset_after_fork() {
    REGISTRY.reset();
    locked(Table::forget_handles);
}
