//! The options of the command.

use crate::targets::machine;
use crate::targets::machine::Machine;

/// The user that a test runs as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum User {
    Root,
    Ordinary,
}

impl User {
    pub fn name(self) -> &'static str {
        match self {
            User::Root => "root",
            User::Ordinary => "ordinary user",
        }
    }
}

/// How this library takes the place of libuv.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Swap {
    /// Programs built with libuv's header and library run on this one.
    Binary,
    /// Programs are built anew with this library's header.
    Source,
}

impl Swap {
    pub fn name(self) -> &'static str {
        match self {
            Swap::Binary => "binary",
            Swap::Source => "source",
        }
    }
}

#[derive(clap::Args)]
pub struct Options {
    /// Only tests whose name has TEXT in it; may be repeated
    #[arg(long = "filter", value_name = "TEXT")]
    pub filters: Vec<String>,
    /// How often each test runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = terminal::above_zero::<usize>)]
    pub repeat: usize,
    /// How many tests run at a time; one for each processor by default
    #[arg(long, value_name = "N", default_value_t = processors(), hide_default_value = true,
        value_parser = terminal::above_zero::<usize>)]
    pub jobs: usize,
    /// On the portable poller
    #[arg(long = "portable-poller")]
    pub portable: bool,
    /// On another kind of machine, by Debian's name such as i386
    #[arg(long, value_name = "NAME", conflicts_with = "portable", value_parser = machine)]
    pub machine: Option<&'static Machine>,
    /// What is swapped for libuv's: binary, source or both
    #[arg(long = "swap", value_name = "WHAT", default_value = "both", value_parser = swaps)]
    pub swaps: Box<[Swap]>,
    /// Who runs the tests: root, ordinary or both
    #[arg(long = "user", value_name = "WHO", default_value = "both", value_parser = users)]
    pub users: Box<[User]>,
    /// Put the tables into docs/compatibility.md
    #[arg(long, conflicts_with = "filters")]
    pub write: bool,
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

impl Options {
    pub fn wants(&self, test: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|part| test.contains(part))
    }

    /// The words by which this run differs from one without options: what the section of the
    /// documentation is named by, and the option itself.
    pub fn kind(&self) -> (String, String) {
        match self.machine {
            Some(machine) => (
                format!("-{}", machine.name),
                format!(" --machine {}", machine.name),
            ),
            None if self.portable => ("-portable-poller".into(), " --portable-poller".into()),
            None => (String::new(), String::new()),
        }
    }

    pub fn poller(&self) -> &'static str {
        if self.portable {
            "portable poller"
        } else {
            "epoll"
        }
    }
}

fn swaps(word: &str) -> Result<Box<[Swap]>, String> {
    match word {
        "binary" => Ok([Swap::Binary].into()),
        "source" => Ok([Swap::Source].into()),
        "both" => Ok([Swap::Binary, Swap::Source].into()),
        _ => Err("not binary, source or both".into()),
    }
}

fn users(word: &str) -> Result<Box<[User]>, String> {
    match word {
        "root" => Ok([User::Root].into()),
        "ordinary" => Ok([User::Ordinary].into()),
        "both" => Ok([User::Root, User::Ordinary].into()),
        _ => Err("not root, ordinary or both".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::parse;

    #[test]
    fn everything_is_run_by_default() {
        let options: Options = parse("").unwrap();
        assert_eq!(*options.swaps, [Swap::Binary, Swap::Source]);
        assert_eq!(*options.users, [User::Root, User::Ordinary]);
        assert!(options.wants("tcp_open"));
    }

    #[test]
    fn filters_add_up() {
        let line = "--filter udp --filter pipe --repeat 3 --swap source";
        let options: Options = parse(line).unwrap();
        assert!(options.wants("udp_open") && options.wants("pipe_close"));
        assert!(!options.wants("tcp_open"));
        assert_eq!(options.repeat, 3);
        assert_eq!(*options.swaps, [Swap::Source]);
    }

    #[test]
    fn mistakes_are_reported() {
        for line in [
            "--repeat",
            "--repeat 0",
            "--swap c",
            "--user me",
            "--what",
            "--write --filter x",
            "--machine pdp11",
            "--machine i386 --portable-poller",
        ] {
            assert!(parse::<Options>(line).is_err(), "{line}");
        }
    }
}
