//! The options of the command.

use std::path::PathBuf;

pub struct Options {
    /// `None` is the gate's: one minute, and the mutants.
    pub minutes: Option<u64>,
    pub connections: u64,
    pub seed: u64,
    /// A folder with another `libuv.so.1`.
    pub library: Option<PathBuf>,
    /// Record it in the document.
    pub write: bool,
}

pub const HELP: &str = "\
cargo xtask soak: thousands of connections for a long time; nothing may be lost, and nothing may grow.

  --minutes N       how long; without it one minute, after the mutants
  --connections N   how many are kept open (10000), within the limit of descriptors
  --seed N          another choice of messages (1)
  --library FOLDER  on the libuv.so.1 of that folder, such as libuv's own
  --write           with --minutes: summary and plot into docs/reliability.md
  --help";

impl Options {
    /// `None` if help was asked for.
    pub fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
        let mut options = Options {
            minutes: None,
            connections: 10_000,
            seed: 1,
            library: None,
            write: false,
        };
        let mut parser = lexopt::Parser::from_args(arguments);
        let is_asked = options
            .read(&mut parser)
            .map_err(|error| error.to_string())?;
        if options.write && options.minutes.is_none() {
            return Err("--write is for --minutes".into());
        }
        Ok(is_asked.then_some(options))
    }

    /// Reads all options; whether there is something to do.
    fn read(&mut self, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        use lexopt::prelude::*;
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(false),
                Long("minutes") => self.minutes = Some(parser.value()?.parse()?),
                Long("connections") => self.connections = parser.value()?.parse()?,
                Long("seed") => self.seed = parser.value()?.parse()?,
                Long("library") => self.library = Some(parser.value()?.into()),
                Long("write") => self.write = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(true)
    }
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
        let options = parse("--minutes 60 --connections 500 --seed 3 --write");
        let options = options.unwrap().unwrap();
        assert_eq!((options.minutes, options.connections), (Some(60), 500));
        assert_eq!((options.seed, options.write), (3, true));
        assert!(parse("--help").unwrap().is_none());
    }

    #[test]
    fn others_are_refused() {
        for line in ["--nothing", "word", "--minutes x", "--write"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
