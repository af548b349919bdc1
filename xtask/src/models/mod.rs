//! `cargo xtask models`: loom runs small programs on the library (`models/`) in every order of what
//! their threads do. Mistakes made on purpose show that it would find one.

mod mutants;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Instant;

use crate::Outcome;
use crate::tools;

/// Where a sequentially consistent access gets its fences: `models/modelled/src/lib.rs`.
const FENCES: [&str; 2] = ["before", "after"];

#[derive(clap::Args)]
pub struct Options {
    /// More orders: a thread may lose its turn more often
    #[arg(long)]
    full: bool,
    /// Only this model, and the mutants that it has to find
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// How often a thread may lose its turn, instead of the model's own number
    #[arg(long, value_name = "N")]
    preemptions: Option<usize>,
    /// Do not show that mistakes are found
    #[arg(long)]
    no_mutants: bool,
}

/// A model, and how many preemptions it is run with.
struct Model {
    name: String,
    preemptions: usize,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    let begin = Instant::now();
    let program = build(root, root, "models")?;
    let models = list(&program, options)?;
    in_parallel(&models, |model| explore(&program, model))?;
    if !options.no_mutants {
        let mutated = mutants::build(root)?;
        let asked: Vec<_> = mutants::MUTANTS
            .iter()
            .filter(|mutant| models.iter().any(|model| model.name == mutant.model))
            .collect();
        in_parallel(&asked, |mutant| mutants::check(&mutated, mutant, &models))?;
        println!("{} mutants are found", asked.len());
    }
    println!("{} models in {} s", models.len(), begin.elapsed().as_secs());
    Ok(())
}

/// Builds the models on the library in `source`; the program, by a name of its own.
fn build(root: &Path, source: &Path, name: &str) -> Result<PathBuf, String> {
    println!("building {name}");
    let folder = root.join("target/models");
    tools::run(
        Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(source.join("models/Cargo.toml"))
            .arg("--target-dir")
            .arg(&folder),
    )?;
    let program = folder.join(name);
    std::fs::copy(folder.join("debug/models"), &program)
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(program)
}

/// The models that the options ask for.
fn list(program: &Path, options: &Options) -> Result<Vec<Model>, String> {
    let output = tools::run(&mut Command::new(program))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let models: Vec<Model> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?.to_string();
            let [full, gate] = [words.next()?, words.next()?];
            let own = if options.full { full } else { gate };
            Some(Model {
                name,
                preemptions: options.preemptions.or(own.parse().ok())?,
            })
        })
        .filter(|model| {
            options
                .model
                .as_ref()
                .is_none_or(|name| *name == model.name)
        })
        .collect();
    match models.is_empty() {
        true => Err("there is no such model".into()),
        false => Ok(models),
    }
}

fn start(
    program: &Path,
    model: &str,
    preemptions: usize,
    fences: &str,
    mutant: &str,
) -> Result<Output, String> {
    Command::new(program)
        .args([model, &preemptions.to_string(), fences])
        .env("MODELS_MUTANT", mutant)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))
}

/// Explores a model with both translations; fails with the command that shows it again.
fn explore(program: &Path, model: &Model) -> Outcome {
    let begin = Instant::now();
    let mut counts = Vec::new();
    for fences in FENCES {
        let output = start(program, &model.name, model.preemptions, fences, "")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
        if !output.status.success() {
            let (name, preemptions) = (&model.name, model.preemptions);
            let command = format!("{} {name} {preemptions} {fences}", program.display());
            return Err(format!("{command}\n{}", text(&output.stderr)));
        }
        counts.push(text(&output.stdout));
    }
    println!(
        "{}: {} orders, with at most {} preemptions, in {} s",
        model.name,
        counts.join(" + "),
        model.preemptions,
        begin.elapsed().as_secs()
    );
    Ok(())
}

/// Does the work for each, on all processors. Fails with the first failure.
fn in_parallel<T: Sync>(all: &[T], work: impl Fn(&T) -> Outcome + Sync) -> Outcome {
    let next = Mutex::new(all.iter());
    let failure = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let one = next.lock().expect("no thread panics").next();
                    let Some(one) = one else { break };
                    if let Err(error) = work(one) {
                        failure
                            .lock()
                            .expect("no thread panics")
                            .get_or_insert(error);
                    }
                }
            });
        }
    });
    failure
        .into_inner()
        .expect("no thread panics")
        .map_or(Ok(()), Err)
}
