//! `oxuv env`: the variables that the library reads, and the values in force.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::process::ExitCode;

/// The numbers of threads that the pool may have, and how many it has by default.
const MAX_THREADS: i64 = 1024;
const DEFAULT_THREADS: i64 = 4;

/// How a value is read.
enum Kind {
    /// As atoi(3) reads a number, brought into the range from 1 to [`MAX_THREADS`].
    Threads,
    /// Decimal digits, from the first number to the second.
    Number(u64, u64),
    /// A file.
    File,
    /// Of libuv's, without a meaning here.
    Unread,
}

/// A variable.
struct Variable {
    name: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
}

const VARIABLES: [Variable; 6] = [
    Variable {
        name: "UV_THREADPOOL_SIZE",
        kind: Kind::Threads,
        default: "4",
        about: "the greatest number of threads of the pool",
    },
    Variable {
        name: "UV_USE_IO_URING",
        kind: Kind::Unread,
        default: "not read",
        about: "libuv's; this library has no io_uring",
    },
    Variable {
        name: "OXUV_FS_INLINE",
        kind: Kind::Number(0, 1),
        default: "where it is safe",
        about: "whether the loop's thread answers what the kernel has in memory",
    },
    Variable {
        name: "OXUV_SPIN_US",
        kind: Kind::Number(0, 1000),
        default: "50",
        about: "how long a wait spins at most, in microseconds",
    },
    Variable {
        name: "OXUV_TRACE",
        kind: Kind::File,
        default: "off",
        about: "where to record what loops do",
    },
    Variable {
        name: "OXUV_STALL_MS",
        kind: Kind::Number(1, 3_600_000),
        default: "off",
        about: "names callbacks that take longer, in milliseconds",
    },
];

/// A value that is in force.
#[derive(Debug, PartialEq)]
struct Value {
    text: String,
    is_set: bool,
    /// What is wrong with the variable's own value.
    fault: Option<String>,
}

impl Variable {
    fn value(&self, set: Option<&OsStr>) -> Value {
        // An empty variable is not set, but for the two numbers, where it is a wrong one.
        let is_number = matches!(self.kind, Kind::Number(..));
        let set = set.filter(|value| !value.is_empty() || is_number && self.default != "off");
        let Some(set) = set else {
            return self.default_value(None);
        };
        let text = set.to_string_lossy();
        let read = match &self.kind {
            Kind::Threads => Ok(threads(&text)),
            Kind::Number(least, most) => number(&text, *least, *most)
                .ok_or_else(|| format!("not a number from {least} to {most}")),
            Kind::File => Ok(text.to_string()),
            Kind::Unread => return self.default_value(None),
        };
        match read {
            Ok(text) => Value {
                text,
                is_set: true,
                fault: None,
            },
            Err(reason) => self.default_value(Some(format!("{text:?} is {reason}"))),
        }
    }

    fn default_value(&self, fault: Option<String>) -> Value {
        Value {
            text: self.default.to_string(),
            is_set: false,
            fault,
        }
    }
}

fn number(text: &str, least: u64, most: u64) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = text.parse().ok()?;
    (least..=most).contains(&number).then(|| number.to_string())
}

/// The number of threads: white space, a sign and digits count, and nothing behind them.
fn threads(text: &str) -> String {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|letter: char| !letter.is_ascii_digit());
    let digits = &digits[..end.unwrap_or(digits.len())];
    let number = match digits {
        "" => DEFAULT_THREADS,
        _ if digits.bytes().all(|digit| digit == b'0') => 1,
        _ if sign < 0 => DEFAULT_THREADS,
        // More digits than a number can have mean a large one.
        _ => digits.parse().unwrap_or(MAX_THREADS).clamp(1, MAX_THREADS),
    };
    number.to_string()
}

/// Prints the list; the status is 1 if a value is wrong.
pub fn run() -> ExitCode {
    let (text, is_right) = listed(std::env::vars_os().collect());
    print!("{text}");
    match is_right {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

/// The list for an environment, and whether all values are right.
fn listed(environment: Vec<(OsString, OsString)>) -> (String, bool) {
    let mut text = String::new();
    let mut faults = Vec::new();
    for variable in &VARIABLES {
        let set = environment.iter().find(|(name, _)| name == variable.name);
        let value = variable.value(set.map(|(_, value)| value.as_os_str()));
        let from = match value.is_set {
            true => "environment",
            false => "default",
        };
        let (name, shown, about) = (variable.name, value.text, variable.about);
        let _ = writeln!(text, "{name:19} {shown:17} {from:12} {about}");
        faults.extend(value.fault.map(|fault| format!("{name}: {fault}")));
    }
    for (name, _) in environment {
        let name = name.to_string_lossy();
        let is_known = VARIABLES.iter().any(|variable| variable.name == name);
        // What the project's own tests and benchmarks read.
        let is_other = ["OXUV_TEST_", "OXUV_BENCH_"]
            .iter()
            .any(|start| name.starts_with(start));
        if name.starts_with("OXUV_") && !is_known && !is_other {
            faults.push(format!("{name}: nothing reads it"));
        }
    }
    for fault in &faults {
        let _ = writeln!(text, "wrong: {fault}");
    }
    (text, faults.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(variables: &[(&str, &str)]) -> (String, bool) {
        let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        listed(variables.iter().map(owned).collect())
    }

    #[test]
    fn defaults_are_told() {
        let (text, is_right) = list(&[("PATH", "/bin")]);
        assert!(is_right);
        assert_eq!(text.lines().count(), VARIABLES.len());
        assert!(
            text.contains("OXUV_SPIN_US        50                default "),
            "{text}"
        );
    }

    #[test]
    fn values_are_told() {
        let (text, is_right) = list(&[("OXUV_SPIN_US", "0"), ("OXUV_TRACE", "a.json")]);
        assert!(is_right);
        assert!(
            text.contains("OXUV_SPIN_US        0                 environment"),
            "{text}"
        );
        assert!(
            text.contains("OXUV_TRACE          a.json            environment"),
            "{text}"
        );
    }

    #[test]
    fn wrong_values_are_told_and_do_not_count() {
        for (name, value) in [
            ("OXUV_SPIN_US", "1001"),
            ("OXUV_SPIN_US", ""),
            ("OXUV_FS_INLINE", "yes"),
            ("OXUV_STALL_MS", "0"),
            ("OXUV_SPIN", "1"),
        ] {
            let (text, is_right) = list(&[(name, value)]);
            assert!(!is_right, "{name}={value}");
            assert!(text.contains(&format!("wrong: {name}: ")), "{text}");
            assert!(!text.contains("environment"), "{text}");
        }
    }

    #[test]
    fn threads_are_counted_as_the_library_does() {
        for (text, number) in [
            ("8", "8"),
            (" 8x", "8"),
            ("0", "1"),
            ("-3", "4"),
            ("", "4"),
            ("x", "4"),
            ("5000", "1024"),
            ("99999999999999999999", "1024"),
        ] {
            assert_eq!(threads(text), number, "{text:?}");
        }
    }
}
