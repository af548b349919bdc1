//! loom's part of each atomic object, found by the object's address.
//!
//! loom demands that an object is made before the threads begin that use it. So all objects are made
//! when the first thread begins: those that were used by then, and those that are *known* to be used
//! later. An object that is not known is not modelled, and its address is *found*. From the next
//! exploration on it is known.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

pub type Object = Rc<loom::sync::atomic::AtomicUsize>;
/// Reads the value of the object at an address.
type Read = fn(usize) -> usize;

thread_local! {
    static IS_MODEL: Cell<bool> = const { Cell::new(false) };
    static STATE: RefCell<State> = RefCell::default();
}

#[derive(Default)]
struct State {
    objects: HashMap<usize, Object>,
    known: BTreeMap<usize, Read>,
    found: BTreeMap<usize, Read>,
    has_threads: bool,
    freed: Vec<Range<usize>>,
    /// What every operation of another thread than the forking one changes, if the model forks:
    /// without it loom would not try a fork at each of them.
    gate: Option<(Object, loom::thread::ThreadId)>,
}

/// Whether there is no model, and operations are ordinary ones.
pub fn is_direct() -> bool {
    !IS_MODEL.get()
}

/// Makes operations ordinary ones, or those of a model.
pub fn set_direct(is_direct: bool) {
    IS_MODEL.set(!is_direct);
}

/// Begins a run of a model.
pub fn begin() {
    STATE.with_borrow_mut(|state| {
        state.objects.clear();
        state.has_threads = false;
        state.freed.clear();
        state.gate = None;
    });
    set_direct(false);
}

/// Forgets all addresses, for another model.
pub fn forget() {
    STATE.with_borrow_mut(|state| *state = State::default());
}

/// Makes known what was found since the last call; returns whether there was something.
pub fn learn() -> bool {
    STATE.with_borrow_mut(|state| {
        let found = std::mem::take(&mut state.found);
        let any = !found.is_empty();
        state.known.extend(found);
        any
    })
}

/// On the thread that will fork.
pub fn make_gate() {
    let gate = Rc::new(loom::sync::atomic::AtomicUsize::new(0));
    let thread = loom::thread::current().id();
    STATE.with_borrow_mut(|state| state.gate = Some((gate, thread)));
}

/// Passes the gate, if the model forks: on the forking thread right before the fork, and on other
/// threads before each operation.
pub fn pass_gate(is_fork: bool) {
    let gate = STATE.with_borrow(|state| state.gate.clone());
    if let Some((gate, forking)) = gate {
        if is_fork || loom::thread::current().id() != forking {
            gate.fetch_add(0, Relaxed);
        }
    }
}

/// The first thread is about to begin: makes what it may share.
pub fn share() {
    STATE.with_borrow_mut(|state| {
        if state.has_threads {
            return;
        }
        state.has_threads = true;
        for (&address, read) in &state.known {
            state
                .objects
                .entry(address)
                .or_insert_with(|| Rc::new(loom::sync::atomic::AtomicUsize::new(read(address))));
        }
    });
}

/// The object at an address; `None` if the operation is an ordinary one.
pub fn at(address: usize, read: Read) -> Option<Object> {
    if is_direct() {
        return None;
    }
    pass_gate(false);
    STATE.with_borrow_mut(|state| {
        if state.freed.iter().any(|range| range.contains(&address)) {
            crate::trace::print();
            eprintln!("broken: memory is used after it was freed");
            std::process::abort();
        }
        if let Some(object) = state.objects.get(&address) {
            return Some(object.clone());
        }
        if state.has_threads {
            state.found.insert(address, read);
            return None;
        }
        let object = Rc::new(loom::sync::atomic::AtomicUsize::new(read(address)));
        state.objects.insert(address, object.clone());
        Some(object)
    })
}

/// Memory is freed, and must not be used by another thread any more.
pub fn free(memory: Range<usize>) {
    if is_direct() {
        return;
    }
    STATE.with_borrow_mut(|state| {
        state.objects.retain(|address, _| !memory.contains(address));
        state.freed.push(memory);
    });
}
