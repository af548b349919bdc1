//! Whether another program can see or change this thread's system calls.

use core::ffi::CStr;

use super::proc::{field_of, number, read_small};

/// The status of the process and of the calling thread. PRoot shows a process itself in the first,
/// and PRoot's own thread in the second.
const STATUS_FILES: [&CStr; 2] = [c"/proc/self/status", c"/proc/thread-self/status"];

/// Whether the calling thread is traced (strace, PRoot), filtered (seccomp), or about to be.
/// Before it installs a filter, a process gives up new privileges as a rule. `None` if the files
/// cannot be read.
pub(crate) fn is_supervised() -> Option<bool> {
    let mut memory = [0; 4096];
    for place in STATUS_FILES {
        let is_supervised = supervision_in(read_small(place, &mut memory)?)?;
        if is_supervised {
            return Some(true);
        }
    }
    Some(false)
}

fn supervision_in(status: &[u8]) -> Option<bool> {
    for name in ["TracerPid:", "NoNewPrivs:", "Seccomp:"] {
        let field = field_of(status, name.as_bytes())?;
        if number(field)? != 0 {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(tracer: u32, privileges: u32, filter: u32) -> std::string::String {
        std::format!(
            "Name:\tSeccomp:\nTracerPid:\t{tracer}\nNoNewPrivs:\t{privileges}\nSeccomp:\t{filter}\n\
             Seccomp_filters:\t0\n"
        )
    }

    #[test]
    fn any_of_the_three_counts() {
        let said = |tracer, privileges, filter| {
            supervision_in(status(tracer, privileges, filter).as_bytes())
        };
        assert_eq!(said(0, 0, 0), Some(false));
        assert_eq!(said(17, 0, 0), Some(true));
        assert_eq!(said(0, 1, 0), Some(true));
        assert_eq!(said(0, 0, 2), Some(true));
    }

    #[test]
    fn what_is_missing_is_not_taken_for_a_no() {
        let whole = status(0, 0, 0);
        for end in 0..whole.find("Seccomp:\t0").unwrap() + "Seccomp:\t".len() {
            assert_eq!(supervision_in(&whole.as_bytes()[..end]), None);
        }
    }
}
