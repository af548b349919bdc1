//! The options of the command.

use std::path::PathBuf;

pub struct Options {
    pub first: u64,
    pub seeds: u64,
    pub operations: u64,
    /// `address` or `thread`.
    pub sanitizer: Option<String>,
    /// A folder with another `libuv.so.1`.
    pub library: Option<PathBuf>,
}

pub const HELP: &str = "\
cargo xtask sequences: random calls of the API, checked against a model and against libuv.

  --seeds N           how many sequences in each mode (100)
  --first N           the first seed (1)
  --operations N      calls in a sequence (20000)
  --sanitizer NAME    address or thread, on both sides of the API
  --library FOLDER    on the libuv.so.1 of that folder; not compared
  --help
";

impl Options {
    /// `None` if help was asked for.
    pub fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
        let mut options = Options {
            first: 1,
            seeds: 100,
            operations: 20_000,
            sanitizer: None,
            library: None,
        };
        let mut parser = lexopt::Parser::from_args(arguments);
        match options.read(&mut parser) {
            Ok(true) => Ok(Some(options)),
            Ok(false) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reads all options; whether there is something to do.
    fn read(&mut self, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        use lexopt::prelude::*;
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(false),
                Long("seeds") => self.seeds = parser.value()?.parse()?,
                Long("first") => self.first = parser.value()?.parse()?,
                Long("operations") => self.operations = parser.value()?.parse()?,
                Long("library") => self.library = Some(parser.value()?.into()),
                Long("sanitizer") => {
                    self.sanitizer = Some(one_of(parser.value()?, &["address", "thread"])?);
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(true)
    }
}

fn one_of(value: std::ffi::OsString, names: &[&str]) -> Result<String, lexopt::Error> {
    let value = value.to_string_lossy().into_owned();
    match names.contains(&value.as_str()) {
        true => Ok(value),
        false => Err(format!("{value}: not one of {}", names.join(", ")).into()),
    }
}
