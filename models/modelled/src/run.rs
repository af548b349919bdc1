//! Running a model, its threads and its forks.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{memory, objects, trace, waiting};

/// The stack of a thread: the library's need more than loom's.
const STACK_WORDS: usize = 64 << 10;
/// The most operations of a run: beyond that, a thread waits for ever in small steps.
const MOST_OPERATIONS: usize = 20_000;
/// How many runs look for what a model shares, before it is explored.
const RUNS_TO_KNOW: usize = 200;
/// How many seconds a forked child may take.
const CHILD_SECONDS: u32 = 20;

/// Where the fences of a sequentially consistent access are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fences {
    /// Before it, as compilers translate for POWER.
    Before,
    /// After it, if it writes, as compilers translate for x86-64.
    After,
    /// On both sides of each access, also of one that is not sequentially consistent.
    Everywhere,
}

thread_local! {
    static FENCES: Cell<Fences> = const { Cell::new(Fences::Before) };
}

pub fn fences() -> Fences {
    FENCES.get()
}

/// How a model is explored.
#[derive(Clone, Copy)]
pub struct Limits {
    pub fences: Fences,
    /// How often a thread may lose its turn that could have gone on; `None` for any number.
    pub preemptions: Option<usize>,
    /// Whether the model's first thread forks.
    pub forks: bool,
}

/// Runs a model in every order within the limits, and returns how many there were. A model that
/// fails ends the process.
pub fn explore(limits: Limits, model: fn()) -> u64 {
    memory::keep();
    objects::forget();
    trace::print_at_panic();
    let mut most_runs = Some(1);
    loop {
        // What is not known yet is not modelled, and needs an order that all threads agree on.
        FENCES.set(match most_runs {
            Some(_) => Fences::Everywhere,
            None => limits.fences,
        });
        let count = check(limits, most_runs, model);
        most_runs = match (objects::learn(), most_runs) {
            (true, _) | (false, Some(1)) => Some(RUNS_TO_KNOW),
            (false, Some(_)) => None,
            (false, None) => return count,
        };
    }
}

/// Explores a model; returns the number of runs.
fn check(limits: Limits, most_runs: Option<usize>, model: fn()) -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    RUNS.store(0, Relaxed);
    let mut builder = loom::model::Builder::new();
    builder.max_branches = MOST_OPERATIONS;
    builder.max_permutations = most_runs;
    builder.preemption_bound = limits.preemptions;
    builder.check(move || {
        RUNS.fetch_add(1, Relaxed);
        memory::begin();
        waiting::begin();
        objects::begin();
        trace::begin();
        let first = loom::thread::Builder::new()
            .stack_size(STACK_WORDS)
            .spawn(move || {
                if limits.forks {
                    objects::make_gate();
                }
                model();
            });
        first.expect("loom makes a thread").join().expect("it ends");
        objects::set_direct(true);
    });
    RUNS.load(Relaxed)
}

/// Begins a thread of the model; returns what waits for its end.
pub fn spawn(work: impl FnOnce() + Send + 'static) -> impl FnOnce() {
    objects::share();
    let thread = loom::thread::Builder::new()
        .stack_size(STACK_WORDS)
        .spawn(work);
    let thread = thread.expect("a model has few threads");
    move || thread.join().expect("it ends")
}

/// Forks the process, with all that is in the memory of the model. The child has no other thread,
/// and `work` is all that it does. It must not fail there.
pub fn fork(work: impl FnOnce()) {
    objects::pass_gate(true);
    objects::set_direct(true);
    // SAFETY: the child runs code of this thread only, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: takes a number.
        unsafe { libc::alarm(CHILD_SECONDS) };
        let result = std::panic::catch_unwind(AssertUnwindSafe(work));
        // SAFETY: does not return.
        unsafe { libc::_exit(result.is_err().into()) };
    }
    assert!(child > 0, "the system does not fork");
    let mut status = 0;
    // SAFETY: waits for the child that was just made.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    objects::set_direct(false);
    assert_eq!(status, 0, "broken: the forked child fails");
}

/// Whether the mistake of this name is to be made.
pub fn is_mutant(name: &str) -> bool {
    static MUTANT: OnceLock<Option<String>> = OnceLock::new();
    let asked = MUTANT.get_or_init(|| std::env::var("MODELS_MUTANT").ok());
    asked.as_deref() == Some(name)
}
