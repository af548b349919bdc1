//! What the project's commands do at a terminal: they read their options, and show how far they are.

// Std collections are fine here: the bans of the library concern what runs inside other programs.
#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

mod progress;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

pub use progress::{Progress, Working, say, working};

/// Reads a command line, which begins with the program. When there is nothing to do, help or what is
/// wrong has been printed, and the exit code is the error.
pub fn parse<T: clap::Parser>(words: impl IntoIterator<Item = OsString>) -> Result<T, ExitCode> {
    T::try_parse_from(words).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp => {
            print!("{error}");
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprint!("{error}");
            ExitCode::from(2)
        }
        _ => {
            eprintln!("{}", line(&error.to_string()));
            ExitCode::from(2)
        }
    })
}

/// One line of what clap says in several: what is wrong, and perhaps a tip, without the usage.
fn line(text: &str) -> String {
    let is_wanted = |part: &&str| !part.starts_with("Usage:") && !part.starts_with("For more");
    let parts: Vec<String> = text
        .split("\n\n")
        .filter(is_wanted)
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty())
        .collect();
    format!("{} (--help says what there is)", parts.join("; "))
}

/// A number above 0, for `value_parser`.
pub fn above_zero<T: std::str::FromStr + Default + PartialOrd>(text: &str) -> Result<T, String> {
    match text.parse() {
        Ok(number) if number > T::default() => Ok(number),
        _ => Err("not a number above 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser, Debug)]
    #[command(name = "cargo something")]
    struct Options {
        /// Only compares
        #[arg(long)]
        check: bool,
        /// How often
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = above_zero::<u32>)]
        repeat: u32,
    }

    fn refused(words: &str) -> String {
        let words = words.split(' ');
        let error = <Options as clap::Parser>::try_parse_from(words).unwrap_err();
        line(&error.to_string())
    }

    #[test]
    fn mistakes_are_one_line() {
        assert_eq!(
            refused("something --chek"),
            "error: unexpected argument '--chek' found; \
             tip: a similar argument exists: '--check' (--help says what there is)"
        );
        for words in [
            "something word",
            "something --repeat",
            "something --repeat 0",
        ] {
            let line = refused(words);
            assert!(
                line.starts_with("error: ") && !line.contains('\n'),
                "{line}"
            );
        }
    }

    #[test]
    fn options_are_read() {
        let words = ["something", "--repeat", "3"].map(OsString::from);
        let options: Options = parse(words).unwrap();
        assert_eq!((options.check, options.repeat), (false, 3));
    }
}
