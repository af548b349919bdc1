//! `cargo xtask node-timing`: Debian's Node.js on libuv and on this library, in turn. Each series
//! is a process that awaits one operation after the other (`conformance/clients/node/timing.js`).

use std::collections::BTreeMap;
use std::path::Path;

use terminal::Progress;

use super::{Workshop, node, sandbox};
use crate::tools::{self, Library};
use crate::upstream::Upstream;
use crate::{Outcome, packages};

#[derive(clap::Args)]
pub struct Options {
    /// How many series each library has
    #[arg(long, value_name = "N", default_value_t = 7)]
    series: u32,
    /// How many milliseconds each operation is repeated
    #[arg(long = "ms", value_name = "N", default_value_t = 500)]
    milliseconds: u32,
}

/// The times of one kind of operation in one library's series, in microseconds.
#[derive(Default)]
struct Times {
    wall: Vec<f64>,
    processor: Vec<f64>,
}

type Series = BTreeMap<String, [Times; 2]>;

pub fn run(root: &Path, options: &Options) -> Outcome {
    sandbox::need_root()?;
    let upstream = Upstream::ensure(root)?;
    let ours = Library::build(root, false)?;
    let folder = root.join("target/clients");
    let unpacked = packages::unpack(&folder, node::CLIENT.packages)?;
    let workshop = |library: Library| -> Result<Workshop, String> {
        Ok(Workshop {
            root: root.to_path_buf(),
            file: library.file()?,
            library,
            folder: folder.clone(),
            packages: unpacked.folder.clone(),
            portable: false,
        })
    };
    let theirs = Library {
        folder: upstream.build,
        include: ours.include.clone(),
    };
    let sides = [workshop(theirs)?, workshop(ours)?];
    let mut found = Series::new();
    let progress = Progress::new(options.series as usize);
    for _ in 0..options.series {
        for (side, workshop) in sides.iter().enumerate() {
            measure(workshop, options.milliseconds, side, &mut found)?;
        }
        progress.step("");
    }
    drop(progress);
    show(&mut found);
    Ok(())
}

fn measure(workshop: &Workshop, milliseconds: u32, side: usize, found: &mut Series) -> Outcome {
    let script = workshop.scripts("node").join("timing.js");
    let (script, milliseconds) = (script.to_string_lossy(), milliseconds.to_string());
    let program = ["node", &script, &milliseconds];
    let output = tools::run(&mut sandbox::command(
        workshop,
        sandbox::Network::Loopback,
        &program,
    ))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, wall, processor] = words[..] else {
            return Err(format!("unexpected line: {line}"));
        };
        let times = &mut found.entry(name.into()).or_default()[side];
        let number = |text: &str| text.parse().map_err(|_| format!("no number: {line}"));
        times.wall.push(number(wall)?);
        times.processor.push(number(processor)?);
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn show(found: &mut Series) {
    println!("µs an operation: median (worst); times libuv, and its processor time");
    println!(
        "{:<15} {:>17} {:>17} {:>7} {:>7}",
        "", "libuv", "oxuv", "times", "CPU"
    );
    for (name, [theirs, ours]) in found {
        let [before, now] = [theirs, ours].map(|times| {
            let wall = median(&mut times.wall);
            let worst = times.wall.last().copied().unwrap_or(f64::NAN);
            (wall, worst, median(&mut times.processor))
        });
        println!(
            "{name:<15} {:>8.1} ({:>6.1}) {:>8.1} ({:>6.1}) {:>7.2} {:>7.2}",
            before.0,
            before.1,
            now.0,
            now.1,
            before.0 / now.0,
            now.2 / before.2
        );
    }
}
