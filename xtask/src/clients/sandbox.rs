//! What a check runs in: namespaces of its own, in which the unpacked packages lie over `/usr` and
//! `/etc`, loopback is the only network, and all processes end with the first.
//!
//! How a check shows that the library is in use: once it has loaded its libuv, it prints the line
//! `ready` and waits for a line on its standard input. At each such line every process of the
//! sandbox is inspected from outside: at least one has to have this library mapped, none another
//! libuv. A check passes when it was inspected and ended with status 0; the last line that it
//! printed is shown.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{Check, Client, Workshop, full_name};
use crate::Outcome;
use crate::tools;

/// The network that a command sees.
#[derive(Clone, Copy, PartialEq)]
pub enum Network {
    Loopback,
    Machine,
}

/// Namespaces, network devices and mounts want root.
pub fn need_root() -> Outcome {
    tools::need_root("each program runs in namespaces of its own")
}

/// The shell is the first process, so that it reaps what the program leaves behind. The packages
/// lie over the machine's own folders read-only.
const ENTER_SCRIPT: &str = r#"
set -e
packages=$1 loopback=$2
shift 2
mount -t overlay overlay -o "lowerdir=$packages/usr:/usr" /usr
mount -t overlay overlay -o "lowerdir=$packages/etc:/etc" /etc
[ "$loopback" = no ] || ip link set lo up
status=0
env LD_LIBRARY_PATH="$OXUV_LIBRARY" "$@" || status=$?
exit $status
"#;

/// A command among the unpacked packages. It has this library; a check has no environment of the
/// caller's.
pub fn command(workshop: &Workshop, network: Network, program: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).args([
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--ipc",
    ]);
    let loopback = network == Network::Loopback;
    if loopback {
        command.arg("--net");
    }
    command
        .args(["sh", "-c", ENTER_SCRIPT, "sh"])
        .arg(&workshop.packages)
        .arg(if loopback { "yes" } else { "no" })
        .args(program);
    if loopback {
        // What fetches packages may need settings of this machine's.
        command.env_clear();
    }
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("OXUV_LIBRARY", &workshop.library.folder);
    command
}

/// The folder of what the checks print.
pub fn logs(workshop: &Workshop) -> PathBuf {
    workshop.folder.join("logs")
}

/// Runs a check; the last line that it printed, or why it failed and the end of what it printed.
pub fn check(
    workshop: &Workshop,
    client: &Client,
    check: &Check,
    limit: Duration,
) -> Result<String, String> {
    fs::create_dir_all(logs(workshop)).map_err(|error| error.to_string())?;
    let log = logs(workshop).join(format!(
        "{}.log",
        full_name(client, check).replace("::", "-")
    ));
    run_check(workshop, client, check, limit, &log).map_err(|error| {
        let printed = fs::read(&log).unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        let lines: Vec<&str> = printed.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        format!("{error}\n    {}", last.join("\n    "))
    })
}

/// How many lines of a failed check are shown.
const SHOWN_LINES: usize = 20;

fn run_check(
    workshop: &Workshop,
    client: &Client,
    check: &Check,
    limit: Duration,
    log: &Path,
) -> Result<String, String> {
    let io = |error: std::io::Error| error.to_string();
    let log = fs::File::create(log).map_err(io)?;
    let scratch = Scratch::new(check.name)?;
    let resolved = |word: &&str| resolve(workshop, client, word);
    let words: Vec<String> = check.command.iter().map(resolved).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = command(workshop, Network::Loopback, &words);
    command
        .current_dir(&scratch.0)
        .env("HOME", &scratch.0)
        .env("TMPDIR", &scratch.0)
        .env("OXUV_MADE", workshop.made(client.name))
        .env("OXUV_SCRIPTS", workshop.scripts(client.name))
        .envs(
            check
                .environment
                .iter()
                .map(|(name, value)| (*name, resolve(workshop, client, value))),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log.try_clone().map_err(io)?)
        // A group of its own: what a check sends to its group stays there.
        .process_group(0);
    let child = command
        .spawn()
        .map_err(|error| format!("unshare: {error}"))?;
    let mut running = Running::new(child)?;
    let result = running.read_to_end(&workshop.file, log, Instant::now() + limit);
    if result.is_err() {
        // Its first process ends with it, and all others with that.
        let _ = running.child.kill();
    }
    let status = running.child.wait().map_err(io)?;
    let last = result?;
    if !status.success() {
        return Err(format!("ended with {status}; {last}"));
    }
    if running.inspections == 0 {
        return Err("never said that it was ready".into());
    }
    Ok(last)
}

fn resolve(workshop: &Workshop, client: &Client, word: &str) -> String {
    let path = match word.split_at_checked(1) {
        Some(("@", file)) => workshop.scripts(client.name).join(file),
        Some(("%", file)) => workshop.made(client.name).join(file),
        _ => return word.to_string(),
    };
    path.to_string_lossy().into_owned()
}

/// A folder for one run, gone with it. Its path is short enough for the address of a Unix socket.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Scratch, String> {
        let path = std::env::temp_dir().join(format!("oxuv-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A check under way.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// How often the processes were inspected.
    inspections: u32,
}

impl Running {
    fn new(mut child: Child) -> Result<Running, String> {
        let output = child.stdout.take().ok_or("no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // Whatever is no text is shown as well as it can be.
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Running {
            input: child.stdin.take(),
            child,
            lines,
            inspections: 0,
        })
    }

    /// Reads what the check prints to its end, and returns the last line.
    fn read_to_end(
        &mut self,
        file: &Path,
        mut log: fs::File,
        end: Instant,
    ) -> Result<String, String> {
        let mut last = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return Ok(last),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("reached its time limit; last line: {last}"));
                }
            };
            let _ = writeln!(log, "{line}");
            if line.trim() == "ready" {
                self.inspect(file)?;
                // The check may have closed its input.
                let _ = self.input.as_mut().map(|input| input.write_all(b"go\n"));
            } else if !line.trim().is_empty() {
                last = line.trim().to_string();
            }
        }
    }

    /// Checks which libraries the processes of the sandbox have mapped.
    fn inspect(&mut self, file: &Path) -> Outcome {
        let mut ours = 0;
        for pid in processes_of(self.child.id())? {
            // A process may end at any time.
            let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
            for library in libraries(&maps) {
                if library != file {
                    return Err(format!("process {pid} has {} mapped", library.display()));
                }
                ours += 1;
            }
        }
        self.inspections += 1;
        match ours {
            0 => Err("no process has the library mapped".into()),
            _ => Ok(()),
        }
    }
}

/// The processes in the namespace that `unshare` made for its child.
fn processes_of(unshare: u32) -> Result<Vec<u32>, String> {
    let path = format!("/proc/{unshare}/ns/pid_for_children");
    let namespace = fs::read_link(&path).map_err(|error| format!("{path}: {error}"))?;
    let entries = fs::read_dir("/proc").map_err(|error| error.to_string())?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|link| link == namespace)
        })
        .collect())
}

/// Each `libuv` among the lines of a `/proc/PID/maps`, once.
fn libraries(maps: &str) -> Vec<PathBuf> {
    let is_libuv = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.starts_with("libuv.so") || name.starts_with("libuv-")
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for line in maps.lines() {
        // The path is the rest of the line after five columns, and may have blanks in it.
        let Some(path) = line.find('/').map(|at| &line[at..]) else {
            continue;
        };
        let path = PathBuf::from(path);
        if is_libuv(&path.to_string_lossy()) && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_libuv_of_the_maps_is_found_once() {
        let maps = "\
7f00-7f01 r--p 00000000 fd:00 12 /a b/target/release/libuv.so\n\
7f01-7f02 r-xp 00001000 fd:00 12 /a b/target/release/libuv.so\n\
7f02-7f03 r--p 00000000 fd:00 13 /usr/lib/libuv.so.1.0.0\n\
7f03-7f04 r--p 00000000 fd:00 14 /usr/lib/libuvloop.so\n\
7f04-7f05 rw-p 00000000 00:00 0 \n\
7f05-7f06 rw-p 00000000 00:00 0 [stack]\n";
        assert_eq!(
            libraries(maps),
            [
                PathBuf::from("/a b/target/release/libuv.so"),
                PathBuf::from("/usr/lib/libuv.so.1.0.0")
            ]
        );
        assert!(libraries("").is_empty());
    }
}
