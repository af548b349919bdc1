//! The options of the command.

use std::path::PathBuf;

use super::plan::Extent;

#[derive(Debug)]
pub struct Options {
    pub extent: Extent,
    /// Run these programs only; all if there are none.
    pub programs: Vec<String>,
    /// Run this line, and nothing else.
    pub replay: Option<String>,
    /// A folder with another `libuv.so.1`.
    pub library: Option<PathBuf>,
    pub mutant: Option<String>,
    /// Some allocations fail under valgrind, and nothing else is done.
    pub valgrind: bool,
    pub seed: u64,
    /// Run on libuv too, and record both in the document.
    pub write: bool,
}

pub const HELP: &str = "\
cargo xtask faults: runs C programs while system calls, allocations and limits fail under them.

  --sample          a fixed part, for the gate (the default)
  --full            everything
  --program NAME    this program only; may be repeated
  --seed N          another choice of random faults
  --replay LINE     one run, such as `udp sendmsg#2=ENOMEM`, and what it wrote
  --library FOLDER  on the libuv.so.1 of that folder, such as libuv's own
  --mutant NAME     on a library with a mistake in it, which has to be found
  --valgrind        only this: some allocations fail under valgrind, which looks for lost memory
  --write           with --full: on libuv as well, and both into docs/reliability.md
  --help

A line that replays a run names a program and then conditions:
  read#2=EIO        the second read(2) fails; 2.. for all from the second one on
  close#1=done:EIO  the first close(2) is done, but reports an error
  write#1=short:10  the first write(2) takes ten bytes at most
  allocation#3      the third allocation fails; 3.. as above
  answer:statx=ENOSYS  limit:nofile=9  closed:01  storm:150  disk:65536  inline";

impl Options {
    /// `None` if help was asked for.
    pub fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut options = Options {
            extent: Extent::Sample,
            programs: Vec::new(),
            replay: None,
            library: None,
            mutant: None,
            valgrind: false,
            seed: 1,
            write: false,
        };
        loop {
            match options
                .next(&mut parser)
                .map_err(|error| error.to_string())?
            {
                Step::Option => {}
                Step::Help => return Ok(None),
                Step::End => break,
            }
        }
        if options.write && (options.extent != Extent::Full || !options.programs.is_empty()) {
            return Err("--write is for --full, and for all programs".into());
        }
        Ok(Some(options))
    }

    fn next(&mut self, parser: &mut lexopt::Parser) -> Result<Step, lexopt::Error> {
        use lexopt::prelude::*;
        let Some(argument) = parser.next()? else {
            return Ok(Step::End);
        };
        match argument {
            Short('h') | Long("help") => return Ok(Step::Help),
            Long("sample") => self.extent = Extent::Sample,
            Long("full") => self.extent = Extent::Full,
            Long("valgrind") => self.valgrind = true,
            Long("write") => self.write = true,
            Long("program") => self.programs.push(parser.value()?.string()?),
            Long("replay") => self.replay = Some(parser.value()?.string()?),
            Long("library") => self.library = Some(parser.value()?.into()),
            Long("mutant") => self.mutant = Some(parser.value()?.string()?),
            Long("seed") => self.seed = parser.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
        Ok(Step::Option)
    }
}

enum Step {
    Option,
    Help,
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_are_read() {
        let options = parse("--full --program udp --seed 7 --library there").unwrap();
        let options = options.unwrap();
        assert_eq!(options.extent, Extent::Full);
        assert_eq!(options.programs, ["udp"]);
        assert_eq!(options.seed, 7);
        assert_eq!(options.library, Some("there".into()));
        assert!(parse("--help").unwrap().is_none());
    }

    #[test]
    fn others_are_refused() {
        for line in ["--nothing", "word", "--seed x", "--write", "--program"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
