//! The options of the command.

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

#[derive(Debug, PartialEq)]
pub struct Options {
    /// A test is run when its name has one of these in it; all are when there is none.
    pub filters: Vec<String>,
    pub repeat: usize,
    pub jobs: usize,
    pub portable: bool,
    pub swaps: Vec<Swap>,
    pub users: Vec<User>,
    /// Whether to put the tables into the documentation.
    pub write: bool,
}

pub const USAGE: &str = "[--filter TEXT]… [--repeat N] [--jobs N] [--portable-poller] \
    [--swap binary|source|both] [--user root|ordinary|both] [--write]";

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options {
            filters: Vec::new(),
            repeat: 1,
            jobs: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            portable: false,
            swaps: vec![Swap::Binary, Swap::Source],
            users: vec![User::Root, User::Ordinary],
            write: false,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--portable-poller" => options.portable = true,
                "--write" => options.write = true,
                "--filter" => options.filters.push(value(word, words.next())?.into()),
                "--repeat" => options.repeat = number(word, words.next())?,
                "--jobs" => options.jobs = number(word, words.next())?,
                "--swap" => options.swaps = swaps(value(word, words.next())?)?,
                "--user" => options.users = users(value(word, words.next())?)?,
                _ => return Err(format!("unknown option {word}; there are: {USAGE}")),
            }
        }
        if options.write && !options.filters.is_empty() {
            return Err("--write is for whole runs, not with --filter".into());
        }
        Ok(options)
    }

    pub fn wants(&self, test: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|part| test.contains(part))
    }

    pub fn poller(&self) -> &'static str {
        if self.portable {
            "portable poller"
        } else {
            "epoll"
        }
    }
}

fn value<'a>(option: &str, word: Option<&'a String>) -> Result<&'a str, String> {
    word.map(String::as_str)
        .ok_or_else(|| format!("{option} needs a value"))
}

fn number(option: &str, word: Option<&String>) -> Result<usize, String> {
    match value(option, word)?.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} needs a number above 0")),
    }
}

fn swaps(word: &str) -> Result<Vec<Swap>, String> {
    match word {
        "binary" => Ok(vec![Swap::Binary]),
        "source" => Ok(vec![Swap::Source]),
        "both" => Ok(vec![Swap::Binary, Swap::Source]),
        _ => Err("--swap is binary, source or both".into()),
    }
}

fn users(word: &str) -> Result<Vec<User>, String> {
    match word {
        "root" => Ok(vec![User::Root]),
        "ordinary" => Ok(vec![User::Ordinary]),
        "both" => Ok(vec![User::Root, User::Ordinary]),
        _ => Err("--user is root, ordinary or both".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Options::parse(&words)
    }

    #[test]
    fn everything_is_run_by_default() {
        let options = parse("").unwrap();
        assert_eq!(options.swaps, [Swap::Binary, Swap::Source]);
        assert_eq!(options.users, [User::Root, User::Ordinary]);
        assert!(options.wants("tcp_open"));
    }

    #[test]
    fn filters_add_up() {
        let options = parse("--filter udp --filter pipe --repeat 3 --swap source").unwrap();
        assert!(options.wants("udp_open") && options.wants("pipe_close"));
        assert!(!options.wants("tcp_open"));
        assert_eq!(options.repeat, 3);
        assert_eq!(options.swaps, [Swap::Source]);
    }

    #[test]
    fn mistakes_are_reported() {
        for line in ["--repeat", "--repeat 0", "--swap c", "--user me", "--what"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("--write --filter x").is_err());
    }
}
