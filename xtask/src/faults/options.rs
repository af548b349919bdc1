//! The options of the command.

use std::path::PathBuf;

use super::plan::Extent;

const CONDITIONS: &str = "\
A line that replays a run names a program and then conditions:
  read#2=EIO        the second read(2) fails; 2.. for all from the second one on
  close#1=done:EIO  the first close(2) is done, but reports an error
  write#1=short:10  the first write(2) takes ten bytes at most
  allocation#3      the third allocation fails; 3.. as above
  answer:statx=ENOSYS  limit:nofile=9  closed:01  storm:150  disk:65536  inline";

#[derive(clap::Args, Debug)]
#[command(after_help = CONDITIONS)]
pub struct Options {
    /// Run a fixed part, for the gate; this is the default
    #[arg(long, overrides_with = "full")]
    sample: bool,
    /// Run everything
    #[arg(long, overrides_with = "sample")]
    full: bool,
    /// Run this program only; may be repeated
    #[arg(long = "program", value_name = "NAME")]
    pub programs: Vec<String>,
    /// Make another choice of random faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Make one run, such as `udp sendmsg#2=ENOMEM`, and show what it wrote
    #[arg(long, value_name = "LINE")]
    pub replay: Option<String>,
    /// Run on the libuv.so.1 of this folder, such as libuv's own
    #[arg(long, value_name = "FOLDER")]
    pub library: Option<PathBuf>,
    /// Run on a library with a mistake in it, which has to be found
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<String>,
    /// Only let some allocations fail under valgrind, which looks for lost memory
    #[arg(long)]
    pub valgrind: bool,
    /// Run on libuv as well, and put both into docs/reliability.md
    #[arg(long, requires = "full", conflicts_with = "programs")]
    pub write: bool,
}

impl Options {
    pub fn extent(&self) -> Extent {
        match self.full {
            true => Extent::Full,
            false => Extent::Sample,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::parse;

    #[test]
    fn options_are_read() {
        let options: Options = parse("--full --program udp --seed 7 --library there").unwrap();
        assert_eq!(options.extent(), Extent::Full);
        assert_eq!(options.programs, ["udp"]);
        assert_eq!(options.seed, 7);
        assert_eq!(options.library, Some("there".into()));
        assert_eq!(parse::<Options>("").unwrap().extent(), Extent::Sample);
    }

    #[test]
    fn others_are_refused() {
        for line in ["--nothing", "word", "--seed x", "--write", "--program"] {
            assert!(parse::<Options>(line).is_err(), "{line}");
        }
        assert!(parse::<Options>("--write --full --program udp").is_err());
    }
}
