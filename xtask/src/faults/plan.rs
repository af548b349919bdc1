//! Which cases are tried, made from what the programs do when nothing fails.

use std::collections::HashMap;

use syscalls::{Errno, Sysno};

use super::calls::{self, actions, can_end, can_last};
use super::case::{Action, CallFault, Case, Condition, Occurrence, Resource};
use super::runner::Finished;

/// How much is tried.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Extent {
    /// A fixed part, for the gate.
    Sample,
    Full,
}

/// Cases of one kind, a row of the report.
pub struct Group {
    pub name: &'static str,
    pub cases: Vec<Case>,
}

/// The programs that ask about files so that the loop's thread can answer.
const INLINE_PROGRAMS: &[&str] = &["files_async", "files_many", "fs_poll"];

/// The programs that write files through the library.
const DISK_PROGRAMS: &[&str] = &["files_async", "files_sync"];

/// A program's calls when nothing fails, in a fixed order.
pub struct Recording {
    pub program: String,
    pub conditions: Vec<Condition>,
    pub counts: Vec<(Sysno, u64)>,
    pub allocations: u64,
}

impl Recording {
    pub fn of(finished: &Finished) -> Recording {
        let counts: &HashMap<Sysno, u64> = &finished.counts;
        let mut counts: Vec<_> = counts.iter().map(|(call, count)| (*call, *count)).collect();
        counts.sort_by_key(|(call, _)| call.name());
        Recording {
            program: finished.case.program.clone(),
            conditions: finished.case.conditions.clone(),
            counts,
            allocations: finished.allocations,
        }
    }

    fn case(&self, conditions: impl IntoIterator<Item = Condition>) -> Case {
        let mut all = self.conditions.clone();
        all.extend(conditions);
        Case::new(&self.program, all)
    }

    fn is_plain(&self) -> bool {
        self.conditions.is_empty()
    }
}

/// What is recorded: each program, and some once more with inline operations.
pub fn recordings(programs: &[String]) -> Vec<Case> {
    let plain = programs.iter().map(|name| Case::new(name, Vec::new()));
    let inline = programs
        .iter()
        .filter(|name| INLINE_PROGRAMS.contains(&name.as_str()))
        .map(|name| Case::new(name, vec![Condition::Inline]));
    plain.chain(inline).collect()
}

pub fn groups(recordings: &[Recording], extent: Extent, seed: u64) -> Vec<Group> {
    let plain: Vec<_> = recordings.iter().filter(|it| it.is_plain()).collect();
    let group = |name, cases| Group { name, cases };
    let of_all =
        |make: &dyn Fn(&Recording) -> Vec<Case>| recordings.iter().flat_map(make).collect();
    let of_plain = |make: &dyn Fn(&Recording) -> Vec<Case>| {
        plain.iter().flat_map(|recording| make(recording)).collect()
    };
    vec![
        group("one system call fails", of_all(&|it| single(it, extent))),
        group(
            "all system calls of a kind fail",
            of_all(&|it| lasting(it, extent)),
        ),
        group(
            "random system calls fail together",
            of_all(&|it| together(it, extent, seed)),
        ),
        group(
            "one allocation fails",
            of_plain(&|it| allocations(it, false)),
        ),
        group(
            "all later allocations fail",
            of_plain(&|it| allocations(it, true)),
        ),
        group(
            "a newer system call is refused",
            of_plain(&|it| answers(it, extent)),
        ),
        group("a limit of the process", of_plain(&|it| limits(it, extent))),
        group("closed standard descriptors", of_plain(&|it| closed(it))),
        group("a storm of signals", of_plain(&|it| storms(it, extent))),
        group("a full disk", of_plain(&|it| disks(it, extent))),
    ]
}

/// The number of equal parts of all calls of a kind, the last of each of which fails.
const PARTS: u64 = 10;

/// The first eight calls, and some at equal distances up to the last; in a sample the first one.
fn occurrences(count: u64, extent: Extent) -> Vec<u64> {
    if extent == Extent::Sample {
        return vec![1];
    }
    let parts = (1..=PARTS).map(|part| count * part / PARTS);
    let mut found: Vec<u64> = (1..=8)
        .chain(parts)
        .filter(|number| (1..=count).contains(number))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn fault(call: Sysno, when: Occurrence, action: Action) -> Condition {
    Condition::Call(CallFault { call, when, action })
}

fn single(recording: &Recording, extent: Extent) -> Vec<Case> {
    let mut cases = Vec::new();
    for (call, count) in &recording.counts {
        for action in actions(*call).into_iter().filter(|action| can_end(*action)) {
            for first in occurrences(*count, extent) {
                cases.push(recording.case([fault(*call, Occurrence::once(first), action)]));
            }
        }
    }
    cases
}

fn lasting(recording: &Recording, extent: Extent) -> Vec<Case> {
    let mut cases = Vec::new();
    for (call, count) in &recording.counts {
        // A byte at a time takes too long.
        let lasting = actions(*call)
            .into_iter()
            .filter(|action| can_last(*action) && !is_by_bytes(*call, *action));
        for action in lasting {
            let firsts = match extent {
                Extent::Sample => continue,
                Extent::Full if *count > 2 && can_end(action) => vec![1, count / 2 + 1],
                Extent::Full => vec![1],
            };
            let one = |first| recording.case([fault(*call, Occurrence::from(first), action)]);
            cases.extend(firsts.into_iter().map(one));
        }
    }
    cases
}

fn is_by_bytes(call: Sysno, action: Action) -> bool {
    action == Action::Short(1) && actions(call).contains(&Action::Short(100))
}

/// A small generator of numbers that a seed repeats (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % end.max(1) as u64) as usize
    }
}

fn together(recording: &Recording, extent: Extent, seed: u64) -> Vec<Case> {
    let mut choices = Vec::new();
    for (call, count) in &recording.counts {
        let mut actions = actions(*call);
        actions.retain(|action| can_end(*action));
        if !actions.is_empty() {
            choices.push((*call, *count, actions));
        }
    }
    let name: u64 = recording.program.bytes().map(u64::from).sum();
    let mut random = Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ name);
    let runs = if extent == Extent::Sample { 10 } else { 200 };
    let one = |_| {
        let faults = 2 + random.below(4);
        let conditions: Vec<_> = (0..faults)
            .map(|_| {
                let (call, count, actions) = &choices[random.below(choices.len())];
                let first = 1 + random.below(*count as usize) as u64;
                let action = actions[random.below(actions.len())];
                fault(*call, Occurrence::once(first), action)
            })
            .collect();
        recording.case(conditions)
    };
    (0..runs).map(one).collect()
}

fn allocations(recording: &Recording, for_good: bool) -> Vec<Case> {
    (1..=recording.allocations)
        .map(|first| Condition::Allocation(Occurrence { first, for_good }))
        .map(|condition| recording.case([condition]))
        .collect()
}

/// Each newer call that the program makes, and all of them at once.
fn answers(recording: &Recording, extent: Extent) -> Vec<Case> {
    let mut cases = Vec::new();
    for error in [Errno::ENOSYS, Errno::EPERM] {
        let all = calls::newer().map(|call| Condition::Answer(call, error));
        cases.push(recording.case(all));
        for call in calls::newer() {
            let is_made = recording.counts.iter().any(|(made, _)| *made == call);
            if extent == Extent::Full || is_made {
                cases.push(recording.case([Condition::Answer(call, error)]));
            }
        }
    }
    cases
}

fn limits(recording: &Recording, extent: Extent) -> Vec<Case> {
    let step = if extent == Extent::Sample { 5 } else { 1 };
    let descriptors = (3..30)
        .step_by(step)
        .map(|most| (Resource::Descriptors, most));
    let memory = (0..24)
        .step_by(2 * step)
        .map(|part| (Resource::Memory, (8 + 4 * part) << 20));
    let processes = [(Resource::Processes, 1)];
    descriptors
        .chain(memory)
        .chain(processes)
        .map(|(resource, value)| recording.case([Condition::Limit(resource, value)]))
        .collect()
}

fn closed(recording: &Recording) -> Vec<Case> {
    ["0", "1", "2", "01", "012"]
        .into_iter()
        .map(|digits| recording.case([Condition::Closed(digits.into())]))
        .collect()
}

fn storms(recording: &Recording, extent: Extent) -> Vec<Case> {
    let periods: &[u32] = match extent {
        Extent::Sample => &[200],
        Extent::Full => &[150, 200, 300, 500, 1000, 2000],
    };
    periods
        .iter()
        .map(|microseconds| recording.case([Condition::Storm(*microseconds)]))
        .collect()
}

/// A tmpfs(5) gives whole pages, also to folders.
fn disks(recording: &Recording, extent: Extent) -> Vec<Case> {
    if !DISK_PROGRAMS.contains(&recording.program.as_str()) {
        return Vec::new();
    }
    let step = if extent == Extent::Sample { 8 } else { 1 };
    (1..50)
        .step_by(step)
        .map(|pages| recording.case([Condition::Disk(pages * 4096)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        Recording {
            program: "udp".into(),
            conditions: Vec::new(),
            counts: vec![(Sysno::bind, 1), (Sysno::read, 9)],
            allocations: 3,
        }
    }

    #[test]
    fn the_first_calls_and_some_up_to_the_last_fail() {
        assert_eq!(occurrences(9, Extent::Full), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let spread = [9, 12, 15, 18, 21, 24, 27, 30];
        assert_eq!(occurrences(30, Extent::Full)[8..], spread);
        assert_eq!(occurrences(1, Extent::Full), [1]);
        assert_eq!(occurrences(20, Extent::Sample), [1]);
    }

    #[test]
    fn a_seed_repeats_and_another_one_does_not() {
        let lines = |seed| -> Vec<String> {
            let cases = together(&recording(), Extent::Full, seed);
            cases.iter().map(Case::to_string).collect()
        };
        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
    }

    #[test]
    fn every_allocation_fails() {
        let lines: Vec<_> = allocations(&recording(), true)
            .iter()
            .map(Case::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "udp allocation#1..",
                "udp allocation#2..",
                "udp allocation#3.."
            ]
        );
    }

    #[test]
    fn what_is_to_be_repeated_does_not_last() {
        let cases = lasting(&recording(), Extent::Full);
        assert!(!cases.is_empty());
        assert!(cases.iter().all(|case| !case.to_string().contains("EINTR")));
    }
}
