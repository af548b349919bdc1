//! `cargo xtask clients`: unchanged programs of Debian packages, run on this library.
//!
//! A client is a file here, with what it runs in `conformance/clients/NAME/`. See `sandbox.rs` for
//! what a check runs in and how it shows that the library is the one in use.

mod built;
mod cmake;
mod dns;
mod lua;
mod node;
mod report;
mod sandbox;
pub mod timing;
mod uvloop;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::tools::{self, Library};
use crate::{Outcome, packages};
use report::Row;

/// A program, or several of one kind, of Debian's.
pub struct Client {
    pub name: &'static str,
    /// The packages; the version of the first stands in the table.
    pub packages: &'static [&'static str],
    /// What has to be made before the checks; the only step that may use the network.
    pub prepare: Option<fn(&Workshop) -> Outcome>,
    pub checks: &'static [Check],
}

/// One thing that has to work.
pub struct Check {
    pub name: &'static str,
    /// What passes when it passes, for the table.
    pub claim: &'static str,
    /// A program and its arguments. `@file` stands for the path of a file in
    /// `conformance/clients/NAME/`, `%file` for one in `Workshop::made`.
    pub command: &'static [&'static str],
    /// Names and values; `@` and `%` as in the command.
    pub environment: &'static [(&'static str, &'static str)],
}

/// The seconds that a check may take: far more than any needs, since machines may be slow and busy.
const LIMIT_SECONDS: u64 = 300;

/// Where the checks find what they need.
pub struct Workshop {
    /// The repository.
    pub root: PathBuf,
    pub library: Library,
    /// The file that every program has to have mapped.
    pub file: PathBuf,
    /// `target/clients`.
    pub folder: PathBuf,
    /// The unpacked packages: laid over `/usr` and `/etc` where a check runs.
    pub packages: PathBuf,
    pub portable: bool,
}

impl Workshop {
    /// The folder of what a client's `prepare` makes.
    pub fn made(&self, client: &str) -> PathBuf {
        let poller = if self.portable { "portable" } else { "epoll" };
        self.folder.join("made").join(poller).join(client)
    }

    /// The folder of the scripts of a client.
    pub fn scripts(&self, client: &str) -> PathBuf {
        self.root.join("conformance/clients").join(client)
    }

    /// A command among the unpacked packages, with the machine's network, to prepare something.
    pub fn command(&self, program: &[&str]) -> Command {
        sandbox::command(self, sandbox::Network::Machine, program)
    }
}

const CLIENTS: &[Client] = &[
    node::CLIENT,
    uvloop::CLIENT,
    cmake::CLIENT,
    lua::NEOVIM,
    lua::LUV,
    dns::BIND,
    dns::KRESD,
    built::UVLOOP,
    built::ADDON,
];

#[derive(clap::Args, Debug)]
pub struct Options {
    /// Only checks whose name has TEXT in it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    filter: String,
    /// How often each check runs
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// How long a check may take
    #[arg(long, value_name = "SECONDS", default_value_t = LIMIT_SECONDS)]
    limit: u64,
    /// On the portable poller
    #[arg(long = "portable-poller")]
    portable: bool,
    /// On the libuv.so.1 of this folder, to compare with
    #[arg(long, value_name = "FOLDER")]
    library: Option<PathBuf>,
    /// Put the table into docs/compatibility.md
    #[arg(long, conflicts_with_all = ["filter", "portable", "library"])]
    write: bool,
    /// Say what there is, and run nothing
    #[arg(long)]
    list: bool,
}

impl Options {
    /// Whether a check is to run: its name is `client::check`.
    fn takes(&self, client: &Client, check: &Check) -> bool {
        full_name(client, check).contains(&self.filter)
    }
}

fn full_name(client: &Client, check: &Check) -> String {
    format!("{}::{}", client.name, check.name)
}

/// A client, and the checks of it that are wanted.
type Wanted = Vec<(&'static Client, Vec<&'static Check>)>;

pub fn run(root: &Path, options: Options) -> Outcome {
    let wanted = wanted(&options);
    if wanted.is_empty() {
        return Err(format!("no check is called *{}*", options.filter));
    }
    if options.list {
        for (client, checks) in &wanted {
            for check in checks {
                println!("{}  {}", full_name(client, check), check.claim);
            }
        }
        return Ok(());
    }
    sandbox::need_root()?;
    tools::need(&[("cc", "gcc"), ("make", "make"), ("ip", "iproute2")])?;
    let mut library = Library::build(root, options.portable)?;
    let folder = root.join("target/clients");
    let packages: Vec<&str> = wanted
        .iter()
        .flat_map(|(client, _)| client.packages.iter().copied())
        .collect();
    let unpacked = packages::unpack(&folder, &packages)?;
    if let Some(folder) = &options.library {
        library.folder = folder.clone();
    }
    let file = library.file()?;
    let workshop = Workshop {
        root: root.to_path_buf(),
        library,
        file,
        packages: unpacked.folder.clone(),
        folder,
        portable: options.portable,
    };
    println!("the library is {}", workshop.file.display());
    let rows = run_checks(&workshop, &unpacked, &wanted, &options);
    report(root, &workshop, &rows, options.write)
}

fn wanted(options: &Options) -> Wanted {
    CLIENTS
        .iter()
        .map(|client| {
            let takes = |check: &&Check| options.takes(client, check);
            (client, client.checks.iter().filter(takes).collect())
        })
        .filter(|(_, checks): &(_, Vec<_>)| !checks.is_empty())
        .collect()
}

fn run_checks(
    workshop: &Workshop,
    unpacked: &packages::Unpacked,
    wanted: &Wanted,
    options: &Options,
) -> Vec<Row> {
    let limit = Duration::from_secs(options.limit);
    let mut rows = Vec::new();
    for (client, checks) in wanted {
        let package = client.packages[0];
        let version = unpacked.version(package);
        println!("{} ({package} {version})", client.name);
        let prepared = client.prepare.map_or(Ok(()), |prepare| prepare(workshop));
        for check in checks {
            let mut row = Row::new(client.name, package, &version, check);
            for _ in 0..options.repeat {
                let begin = Instant::now();
                let result = prepared
                    .clone()
                    .and_then(|()| sandbox::check(workshop, client, check, limit));
                row.add(result, begin.elapsed());
            }
            rows.push(row);
        }
    }
    rows
}

fn report(root: &Path, workshop: &Workshop, rows: &[Row], write: bool) -> Outcome {
    report::summary(rows);
    let failed = rows.iter().filter(|row| !row.passed()).count();
    if failed > 0 {
        return Err(format!(
            "{failed} of {} checks failed; what they printed is in {}",
            rows.len(),
            sandbox::logs(workshop).display()
        ));
    }
    if write {
        report::write(root, rows)?;
    }
    println!("all {} checks passed", rows.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::parse;

    #[test]
    fn options_are_read() {
        let options: Options = parse("--filter node:: --repeat 3 --portable-poller").unwrap();
        assert_eq!(
            (options.filter.as_str(), options.repeat, options.portable),
            ("node::", 3, true)
        );
        assert!(parse::<Options>("--repeat many").is_err());
        assert!(parse::<Options>("--filter").is_err());
        assert!(parse::<Options>("--nothing").is_err());
        assert!(parse::<Options>("--write --filter node").is_err());
    }

    #[test]
    fn names_of_checks_are_unique() {
        let mut names: Vec<String> = CLIENTS
            .iter()
            .flat_map(|client| client.checks.iter().map(|check| full_name(client, check)))
            .collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
