//! Mistakes that the models must find: proof that they can. Each changes a copy of a file that
//! ships, and is made only if its name is in the environment.

use std::path::{Path, PathBuf};

use super::{FENCES, Model, start};
use crate::Outcome;

pub struct Mutant {
    name: &'static str,
    /// The model that finds it.
    pub model: &'static str,
    /// Below `src/`.
    file: &'static str,
    /// A text that is there once, and what takes its place. `MUTANT` is whether to make the mistake.
    old: &'static str,
    new: &'static str,
}

pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "blocking_is_said_without_a_fence",
        model: "send",
        file: "event_loop/wakeup.rs",
        old: "self.state.swap(BLOCKED, SeqCst);",
        new: "if MUTANT { self.state.store(BLOCKED, Relaxed) } else { self.state.swap(BLOCKED, SeqCst); }",
    },
    Mutant {
        name: "a_send_of_two_is_not_delivered",
        model: "two_senders",
        file: "async_handle/mod.rs",
        old: "while seen & PENDING == 0 {",
        new: "while seen & PENDING == 0 && !(MUTANT && seen >= SENDER) {",
    },
    Mutant {
        name: "messages_are_not_checked_before_blocking",
        model: "send",
        file: "driver/poll.rs",
        old: "let timeout = if self.has_messages() {",
        new: "let timeout = if !MUTANT && self.has_messages() {",
    },
    Mutant {
        name: "the_sender_looks_too_early",
        model: "send",
        file: "event_loop/wakeup.rs",
        old: "= self.state.load(SeqCst) == BLOCKED",
        new: "= self.state.load(if MUTANT { Relaxed } else { SeqCst }) == BLOCKED",
    },
    Mutant {
        name: "the_first_sender_does_not_signal",
        model: "send",
        file: "event_loop/wakeup.rs",
        old: "fd::eventfd_signal(self.wakeup_fd.load(SeqCst));",
        new: "if !MUTANT { fd::eventfd_signal(self.wakeup_fd.load(SeqCst)); }",
    },
    Mutant {
        name: "a_send_to_a_pending_handle_is_no_fence",
        model: "send_twice",
        file: "async_handle/mod.rs",
        old: "fence(SeqCst);\n        let mut seen",
        new: "if !MUTANT { fence(SeqCst); }\n        let mut seen",
    },
    Mutant {
        name: "pending_ends_after_the_callback",
        model: "send_twice",
        file: "async_handle/mod.rs",
        old: "handle.pending().fetch_and(!PENDING, SeqCst);",
        new: "if MUTANT { handle.invoke(); }\n        handle.pending().fetch_and(!PENDING, SeqCst);\n        \
              if MUTANT { count += 1; continue; }",
    },
    Mutant {
        name: "a_push_overwrites_another",
        model: "two_handles",
        file: "event_loop/sent.rs",
        old: "match self.top.compare_exchange_weak(below, link, SeqCst, SeqCst) {",
        new: "let pushed = if MUTANT { self.top.store(link, SeqCst); Ok(below) } else {\n\
              self.top.compare_exchange_weak(below, link, SeqCst, SeqCst) };\n\
              match pushed {",
    },
    Mutant {
        name: "what_is_pushed_meanwhile_is_dropped",
        model: "two_handles",
        file: "event_loop/sent.rs",
        old: "let mut top = self.top.swap(core::ptr::null_mut(), SeqCst);",
        new: "let mut top = if MUTANT { let top = self.top.load(SeqCst); self.clear(); top } else {\n\
              self.top.swap(core::ptr::null_mut(), SeqCst) };",
    },
    Mutant {
        name: "leaving_does_not_wake",
        model: "leave",
        file: "driver/run.rs",
        old: "self.asyncs().begin_blocking();\n        if self.has_messages() {",
        new: "self.asyncs().begin_blocking();\n        if !MUTANT && self.has_messages() {",
    },
    Mutant {
        name: "closing_does_not_wait_for_senders",
        model: "close",
        file: "async_handle/mod.rs",
        old: "while self.pending().load(SeqCst) >= SENDER {",
        new: "while !MUTANT && self.pending().load(SeqCst) >= SENDER {",
    },
    Mutant {
        name: "a_closed_handle_stays_on_the_stack",
        model: "close_sent",
        file: "async_handle/mod.rs",
        old: "if was_pending {",
        new: "if !MUTANT && was_pending {",
    },
    Mutant {
        name: "a_child_delivers_what_the_parent_was_sent",
        model: "fork",
        file: "event_loop/wakeup.rs",
        old: "self.sent.clear();",
        new: "if !MUTANT { self.sent.clear(); }",
    },
    Mutant {
        name: "a_child_waits_for_senders_of_its_parent",
        model: "fork",
        file: "async_handle/mod.rs",
        old: "Async::from_place(place).pending().store(0, SeqCst);",
        new: "if !MUTANT { Async::from_place(place).pending().store(0, SeqCst); }",
    },
    Mutant {
        name: "a_loop_is_freed_under_a_worker",
        model: "job",
        file: "event_loop/wakeup.rs",
        old: "while self.pins.load(SeqCst) > 0 {",
        new: "while !MUTANT && self.pins.load(SeqCst) > 0 {",
    },
    Mutant {
        name: "a_completion_does_not_wake",
        model: "job",
        file: "work/completions.rs",
        old: "if asyncs.wake() {",
        new: "if !MUTANT && asyncs.wake() {",
    },
    Mutant {
        name: "a_worker_seems_to_return_for_ever",
        model: "job_after_job",
        file: "work/pool.rs",
        old: "POOL.returning.fetch_sub(1, SeqCst);",
        new: "if !MUTANT { POOL.returning.fetch_sub(1, SeqCst); }",
    },
    Mutant {
        name: "a_worker_blocks_without_the_lock",
        model: "job_after_job",
        file: "work/pool.rs",
        old: "    pool.begin_blocking(worker);\n    drop(pool);",
        new: "    if MUTANT { drop(pool); pool = Guard::lock(); }\n    \
              pool.begin_blocking(worker);\n    drop(pool);",
    },
    Mutant {
        name: "what_workers_deliver_meanwhile_is_dropped",
        model: "two_workers",
        file: "work/completions.rs",
        old: "let mut link = stack(event_loop).swap(core::ptr::null_mut(), SeqCst);",
        new: "let mut link = stack(event_loop).load(SeqCst);\n    \
              if MUTANT { stack(event_loop).store(core::ptr::null_mut(), SeqCst); }\n    \
              else { link = stack(event_loop).swap(core::ptr::null_mut(), SeqCst); }",
    },
    Mutant {
        name: "a_job_is_cancelled_that_has_begun",
        model: "cancel",
        file: "work/pool.rs",
        old: "if !job.is_queued() {",
        new: "if !MUTANT && !job.is_queued() {",
    },
];

/// Builds the models on a copy of the sources, which can make each mistake.
pub fn build(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join("target/models/mutants-source");
    for part in ["src", "models"] {
        copy(&root.join(part), &folder.join(part))?;
    }
    for mutant in MUTANTS {
        let path = folder.join("src").join(mutant.file);
        let text = read(&path)?;
        if text.matches(mutant.old).count() != 1 {
            let (name, file) = (mutant.name, mutant.file);
            return Err(format!(
                "the mutant {name} is stale: src/{file} has changed"
            ));
        }
        let condition = format!("::modelled::is_mutant(\"{}\")", mutant.name);
        let new = mutant.new.replace("MUTANT", &condition);
        write(&path, &text.replace(mutant.old, &new))?;
    }
    super::build(root, &folder, "mutants")
}

/// Runs the model of a mutant, which must fail.
pub fn check(program: &Path, mutant: &Mutant, models: &[Model]) -> Outcome {
    let model = models.iter().find(|model| model.name == mutant.model);
    let model = model.ok_or("there is no such model")?;
    // Most are found with few preemptions, which is quick.
    for preemptions in 1..=model.preemptions {
        for fences in FENCES {
            let output = start(program, &model.name, preemptions, fences, mutant.name)?;
            if !output.status.success() {
                println!("{}: finds {}", model.name, mutant.name);
                return Ok(());
            }
        }
    }
    Err(format!(
        "the mutant {} is not found by the model {}",
        mutant.name, model.name
    ))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", from.display());
    std::fs::create_dir_all(to).map_err(failed)?;
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to).map_err(failed)?;
        }
    }
    Ok(())
}
