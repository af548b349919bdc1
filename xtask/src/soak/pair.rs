//! A run: a server and a client beside each other, from their start to their end.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::process::{Process, Sample};
use super::program::{Folder, Program};
use crate::Outcome;
use crate::tools::{self, Library};

/// Descriptors of a process that are no connections, and connections that are being closed.
const RESERVE: u64 = 500;
/// How often the processes are looked at.
const STEP: Duration = Duration::from_millis(200);
const STEPS_A_SECOND: u64 = 5;

/// How long a run is, and how much is in it.
#[derive(Clone)]
pub struct Extent {
    pub connections: u64,
    /// Seconds in which the client ran.
    pub seconds: u64,
    pub longest_pause_ms: u64,
    /// Seconds without progress until something counts as lost.
    pub patience: u64,
    pub seed: u64,
}

/// What was measured of both, second by second.
pub struct Samples {
    pub server: Vec<Sample>,
    pub client: Vec<Sample>,
}

/// What runs are made with.
pub struct Bench(Program);

impl Extent {
    pub fn long(minutes: u64, seed: u64) -> Extent {
        Extent {
            connections: 0,
            seconds: 60 * minutes,
            longest_pause_ms: 4000,
            // The machine may have other work.
            patience: 300,
            seed,
        }
    }

    /// Enough to find a mutant.
    pub fn short() -> Extent {
        Extent {
            connections: 200,
            seconds: 10,
            longest_pause_ms: 20,
            patience: 5,
            seed: 1,
        }
    }
}

/// How many descriptors a process may have.
pub fn limit_of_descriptors() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes one structure.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => limit.rlim_max,
        _ => 1024,
    }
}

pub fn within(limit: u64, connections: u64) -> u64 {
    connections.min(limit.saturating_sub(RESERVE))
}

impl Bench {
    /// Builds the program to run on this library, or on another one.
    pub fn build(root: &Path, library: Option<&Path>) -> Result<Bench, String> {
        let own = Library::build(root, false)?;
        let run_on = library.unwrap_or(&own.folder);
        Program::build(root, &own, run_on).map(Bench)
    }

    /// A folder for a run. Its name is short: the path of a socket has room for some 100 bytes.
    fn make_folder(&self) -> Result<Folder, String> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let number = RUNS.fetch_add(1, Relaxed);
        let folder = Folder::new(self.0.folder.join(number.to_string()))?;
        for side in ["server", "client"] {
            std::fs::create_dir(folder.join(side)).map_err(|error| error.to_string())?;
        }
        Ok(folder)
    }

    fn command(
        &self,
        side: &str,
        folder: &Folder,
        extent: &Extent,
        mutant: Option<&str>,
    ) -> Command {
        let mut command = Command::new(&self.0.path);
        command
            .current_dir(folder.path())
            .env("LD_LIBRARY_PATH", self.0.folder.path())
            // What it is, and the name of its folder.
            .args([side, side])
            .arg(extent.connections.to_string())
            .arg(extent.longest_pause_ms.to_string())
            .arg(extent.patience.to_string())
            .arg(extent.seed.to_string());
        if let Some(mutant) = mutant {
            command.env("LD_PRELOAD", &self.0.mutants);
            command.env("SOAK_MUTANT", mutant);
        }
        command
    }

    /// Runs both processes. What is wrong is an error.
    pub fn run(
        &self,
        extent: &Extent,
        mutant: Option<&str>,
        is_shown: bool,
    ) -> Result<Samples, String> {
        let folder = self.make_folder()?;
        let mut server = Process::start(self.command("server", &folder, extent, mutant))?;
        let port = wait_for_port(&mut server, extent)?;
        self.check_library(&server)?;
        let mut command = self.command("client", &folder, extent, mutant);
        command.args(["server", &port]);
        let mut pair = Pair {
            server,
            client: Process::start(command)?,
        };
        pair.follow(extent, is_shown)?;
        pair.client.end();
        pair.wait_for(extent, |pair| Ok(pair.have_ended()?.1))?;
        pair.server.end();
        pair.wait_for(extent, |pair| Ok(pair.have_ended()?.0))?;
        Ok(Samples {
            server: pair.server.samples(),
            client: pair.client.samples(),
        })
    }

    fn check_library(&self, process: &Process) -> Outcome {
        let mapped = tools::mapped_library(process.id())?;
        match mapped == self.0.folder.join("libuv.so.1") {
            true => Ok(()),
            false => Err(format!("the program has loaded {}", mapped.display())),
        }
    }
}

fn wait_for_port(server: &mut Process, extent: &Extent) -> Result<String, String> {
    for _ in 0..STEPS_A_SECOND * extent.patience {
        if let Some(port) = server.port() {
            return Ok(port);
        }
        server.has_ended().map_err(|(_, fault)| fault)?;
        std::thread::sleep(STEP);
    }
    Err("hang: the server does not listen".into())
}

/// Both processes.
struct Pair {
    server: Process,
    client: Process,
}

impl Pair {
    /// Whether the server has ended, and whether the client has. Of two faults the first one counts:
    /// the other process complains that this one is gone.
    fn have_ended(&mut self) -> Result<(bool, bool), String> {
        let mut both = (self.server.has_ended(), self.client.has_ended());
        if both.0.is_err() || both.1.is_err() {
            std::thread::sleep(STEP);
            both = (self.server.has_ended(), self.client.has_ended());
        }
        match both {
            (Ok(server), Ok(client)) => Ok((server, client)),
            (Err((_, fault)), Ok(_)) | (Ok(_), Err((_, fault))) => Err(fault),
            (Err(server), Err(client)) => Err(if server.0 < client.0 {
                server.1
            } else {
                client.1
            }),
        }
    }

    /// Looks at the processes until the client has run for long enough.
    fn follow(&mut self, extent: &Extent, is_shown: bool) -> Outcome {
        let mut seen = 0;
        let mut quiet_steps = 0;
        let shown_every = (extent.seconds / 60).clamp(5, 60) as usize;
        while (self.client.count() as u64) < extent.seconds {
            std::thread::sleep(STEP);
            if self.have_ended()? != (false, false) {
                return Err("lost: a process has ended by itself".into());
            }
            let count = self.client.count().min(self.server.count());
            quiet_steps = if count == seen { quiet_steps + 1 } else { 0 };
            if quiet_steps > 2 * STEPS_A_SECOND * extent.patience {
                return Err("hang: a process says nothing any more".into());
            }
            if is_shown && count / shown_every > seen / shown_every {
                self.show(count);
            }
            seen = count;
        }
        Ok(())
    }

    fn show(&self, second: usize) {
        let (Some(client), Some(server)) = (self.client.last(), self.server.last()) else {
            return;
        };
        let megabytes = |bytes| bytes / 1_000_000;
        println!(
            "  {second} s: {} open of {} connections, {} MB verified; client {} MB, {} descriptors; \
             server {} MB, {} descriptors",
            client.open,
            client.made,
            megabytes(client.bytes + server.bytes),
            megabytes(client.memory),
            client.descriptors,
            megabytes(server.memory),
            server.descriptors
        );
    }

    /// Waits until a process that was told to end has ended.
    fn wait_for(
        &mut self,
        extent: &Extent,
        has_ended: impl Fn(&mut Pair) -> Result<bool, String>,
    ) -> Outcome {
        for _ in 0..3 * STEPS_A_SECOND * extent.patience {
            if has_ended(self)? {
                return Ok(());
            }
            std::thread::sleep(STEP);
        }
        Err("hang: a process does not end".into())
    }
}
