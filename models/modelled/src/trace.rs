//! What the threads of a run do, one after the other: printed when the model fails.

use std::cell::RefCell;
use std::panic::Location;

use crate::objects;

/// A line of the trace.
struct Step {
    thread: loom::thread::ThreadId,
    what: &'static str,
    value: usize,
    place: &'static Location<'static>,
}

thread_local! {
    static STEPS: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

/// Begins a run of a model.
pub fn begin() {
    STEPS.with_borrow_mut(Vec::clear);
}

/// Notes what the running thread has just done, and what it saw.
#[track_caller]
pub fn note(what: &'static str, value: usize) {
    if objects::is_direct() {
        return;
    }
    let step = Step {
        thread: loom::thread::current().id(),
        what,
        value,
        place: Location::caller(),
    };
    STEPS.with_borrow_mut(|steps| steps.push(step));
}

/// Prints the steps of the last run.
pub fn print() {
    for step in STEPS.take() {
        let (thread, place) = (step.thread, step.place);
        let (file, line) = (place.file(), place.line());
        eprintln!("{thread:?}: {} {:#x}, {file}:{line}", step.what, step.value);
    }
}

/// Has a panic print the steps before all else.
pub fn print_at_panic() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print();
        if objects::learn() {
            eprintln!("not everything was modelled in this run");
        }
        hook(panic);
    }));
}
