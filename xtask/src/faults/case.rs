//! What a run is: a program, and the conditions under which it runs. Its text is the line that
//! replays it, such as `udp sendmsg#2=ENOMEM` or `tcp_echo closed:01 allocation#3..`.

use std::fmt;
use std::str::FromStr;

use syscalls::{Errno, Sysno};

/// One run of a program.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    pub program: String,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// The tracer interferes with a system call.
    Call(CallFault),
    /// The allocator fails.
    Allocation(Occurrence),
    /// A filter answers a system call with an error, from the first one on.
    Answer(Sysno, Errno),
    /// A limit of setrlimit(2).
    Limit(Resource, u64),
    /// Standard descriptors that are closed, as digits.
    Closed(String),
    /// A signal comes every so many microseconds.
    Storm(u32),
    /// The program's folder has so many bytes in all.
    Disk(u64),
    /// The loop's thread does file operations, although the process is traced or filtered.
    Inline,
}

/// Which of a program's calls: number `first`, and all later ones if `for_good`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Occurrence {
    pub first: u64,
    pub for_good: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct CallFault {
    pub call: Sysno,
    pub when: Occurrence,
    pub action: Action,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Action {
    /// The call is not done and returns the error.
    Fail(Errno),
    /// The call is done and returns the error all the same.
    DoneBut(Errno),
    /// The call is to transfer at most so many bytes, buffers or messages.
    Short(u64),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Resource {
    Descriptors,
    Processes,
    Memory,
}

impl Resource {
    const ALL: [(Resource, &str, u32); 3] = [
        (Resource::Descriptors, "nofile", libc::RLIMIT_NOFILE),
        (Resource::Processes, "nproc", libc::RLIMIT_NPROC),
        (Resource::Memory, "as", libc::RLIMIT_AS),
    ];

    fn name(self) -> &'static str {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.map_or("", |row| row.1)
    }

    /// The number that setrlimit(2) knows it by.
    pub fn number(self) -> u32 {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.map_or(0, |row| row.2)
    }
}

impl Occurrence {
    pub fn once(first: u64) -> Occurrence {
        Occurrence {
            first,
            for_good: false,
        }
    }

    pub fn from(first: u64) -> Occurrence {
        Occurrence {
            first,
            for_good: true,
        }
    }

    pub fn has(self, number: u64) -> bool {
        number == self.first || (self.for_good && number > self.first)
    }
}

impl Case {
    pub fn new(program: &str, conditions: Vec<Condition>) -> Case {
        Case {
            program: program.into(),
            conditions,
        }
    }

    pub fn calls(&self) -> impl Iterator<Item = &CallFault> {
        self.conditions
            .iter()
            .filter_map(|condition| match condition {
                Condition::Call(fault) => Some(fault),
                _ => None,
            })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.program)?;
        self.conditions
            .iter()
            .try_for_each(|condition| write!(to, " {condition}"))
    }
}

impl fmt::Display for Occurrence {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.for_good { ".." } else { "" };
        write!(to, "{}{end}", self.first)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Fail(error) => write!(to, "{}", name_of(*error)),
            Action::DoneBut(error) => write!(to, "done:{}", name_of(*error)),
            Action::Short(count) => write!(to, "short:{count}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Call(fault) => {
                write!(to, "{}#{}={}", fault.call.name(), fault.when, fault.action)
            }
            Condition::Allocation(when) => write!(to, "allocation#{when}"),
            Condition::Answer(call, error) => {
                write!(to, "answer:{}={}", call.name(), name_of(*error))
            }
            Condition::Limit(resource, value) => write!(to, "limit:{}={value}", resource.name()),
            Condition::Closed(digits) => write!(to, "closed:{digits}"),
            Condition::Storm(microseconds) => write!(to, "storm:{microseconds}"),
            Condition::Disk(bytes) => write!(to, "disk:{bytes}"),
            Condition::Inline => write!(to, "inline"),
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(line: &str) -> Result<Case, String> {
        let mut words = line.split_whitespace();
        let program = words.next().ok_or("a line begins with a program")?;
        let conditions = words
            .map(|word| parse_condition(word).ok_or_else(|| format!("`{word}` is no condition")))
            .collect::<Result<_, _>>()?;
        Ok(Case::new(program, conditions))
    }
}

fn parse_condition(word: &str) -> Option<Condition> {
    if word == "inline" {
        return Some(Condition::Inline);
    }
    if let Some((name, rest)) = word.split_once('#') {
        return match name {
            "allocation" => Some(Condition::Allocation(parse_occurrence(rest)?)),
            _ => parse_call(name, rest),
        };
    }
    let (kind, value) = word.split_once(':')?;
    match kind {
        "answer" => {
            let (call, error) = value.split_once('=')?;
            Some(Condition::Answer(call.parse().ok()?, error_named(error)?))
        }
        "limit" => {
            let (name, number) = value.split_once('=')?;
            let row = Resource::ALL.iter().find(|row| row.1 == name)?;
            Some(Condition::Limit(row.0, number.parse().ok()?))
        }
        "closed" => Some(Condition::Closed(value.into())),
        "storm" => Some(Condition::Storm(value.parse().ok()?)),
        "disk" => Some(Condition::Disk(value.parse().ok()?)),
        _ => None,
    }
}

fn parse_call(name: &str, rest: &str) -> Option<Condition> {
    let (when, action) = rest.split_once('=')?;
    let action = match action.split_once(':') {
        None => Action::Fail(error_named(action)?),
        Some(("done", error)) => Action::DoneBut(error_named(error)?),
        Some(("short", count)) => Action::Short(count.parse().ok()?),
        Some(_) => return None,
    };
    Some(Condition::Call(CallFault {
        call: name.parse().ok()?,
        when: parse_occurrence(when)?,
        action,
    }))
}

fn parse_occurrence(text: &str) -> Option<Occurrence> {
    let (number, for_good) = match text.strip_suffix("..") {
        Some(number) => (number, true),
        None => (text, false),
    };
    let first = number.parse().ok().filter(|first| *first > 0)?;
    Some(Occurrence { first, for_good })
}

pub fn name_of(error: Errno) -> &'static str {
    error.name().unwrap_or("an unknown error")
}

pub fn error_named(name: &str) -> Option<Errno> {
    (1..=133)
        .map(Errno::new)
        .find(|error| error.name() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for line in [
            "udp",
            "udp sendmsg#2=ENOMEM",
            "udp sendmsg#2..=short:1 close#1=done:EINTR",
            "udp allocation#3.. inline",
            "udp answer:statx=ENOSYS limit:nofile=7 closed:01 storm:150 disk:65536",
        ] {
            assert_eq!(line.parse::<Case>().unwrap().to_string(), line);
        }
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "",
            "udp nothing#1=EIO",
            "udp read#0=EIO",
            "udp read#1=ENOTHING",
            "udp read#1=x:1",
            "udp limit:x=1",
            "udp x",
        ] {
            assert!(line.parse::<Case>().is_err(), "{line}");
        }
    }

    #[test]
    fn for_good_is_from_there_on() {
        assert!(Occurrence::once(2).has(2) && !Occurrence::once(2).has(3));
        assert!(Occurrence::from(2).has(3) && !Occurrence::from(2).has(1));
    }
}
