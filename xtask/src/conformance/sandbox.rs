//! The sandbox that one test runs in: network, processes, mounts and `/tmp` of its own. Whatever
//! the test sends, leaves behind or does not end stays inside and is gone with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::options::User;
use super::swaps::Side;

/// The ids of Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

/// The script that runs as the first process of the sandbox. Its arguments: the folder that becomes
/// `/tmp`, the folder of program and library, and then the command that sheds the ids and starts
/// the test.
///
/// The default route leads to a device that swallows everything, so that addresses outside of the
/// machine are reachable in the eyes of the kernel, and no packet gets anywhere.
const SETUP_SCRIPT: &str = r#"
set -e
stage=$1; side=$2; shift 2
ulimit -c 0
mount -t proc proc /proc
ip link set lo up multicast on
if ip link add oxuv0 type dummy 2>/dev/null || ip link add oxuv0 type ifb 2>/dev/null; then
  ip link set oxuv0 up multicast on
  ip addr add 10.99.0.1/24 dev oxuv0
  ip route add default dev oxuv0
  if ip -6 addr add fd99::1/64 dev oxuv0 nodad 2>/dev/null; then
    ip -6 route add default dev oxuv0
  fi
fi
for name in hosts resolv.conf; do
  mount --bind "$stage/$name" "/etc/$name" 2>/dev/null || true
done
mount --bind "$side" "$stage/side"
mount --rbind "$stage" /tmp
cd /tmp/work
"#;

/// Files that replace those of /etc: the name server is on loopback, where none answers, and
/// loopback has its usual names.
const ETC_FILES: &[(&str, &str)] = &[
    ("resolv.conf", "nameserver 127.0.0.1\n"),
    (
        "hosts",
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    ),
];

/// Runs the test; the shell stays, as the process that reaps orphans.
const RUN_SCRIPT: &str = "\nstatus=0; \"$@\" || status=$?; exit $status\n";

/// Starts a helper of the runner that waits for connections, and prints where it has mapped libuv.
const SHOW_MAPS_SCRIPT: &str = r#"
"$@" & pid=$!
tries=0
until grep libuv "/proc/$pid/maps"; do
  tries=$((tries + 1)); [ $tries -lt 600 ]
  sleep 0.05
done
kill $pid
"#;

/// How a test process ended, and everything that it printed.
pub struct Ended {
    /// `None`: it was stopped at the time limit.
    pub status: Option<i32>,
    pub output: String,
}

/// What few tests need besides a sandbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extra {
    Nothing,
    /// A controlling terminal that has a size.
    Terminal,
    /// No `LD_LIBRARY_PATH` in the environment; the library beside the program is found anyway.
    NoLibraryPath,
}

impl Extra {
    /// What a test needs that has skipped itself with this reason.
    pub fn for_reason(why: &str) -> Option<Extra> {
        if why.contains("/dev/tty") {
            Some(Extra::Terminal)
        } else if why.contains("LD_LIBRARY_PATH") {
            Some(Extra::NoLibraryPath)
        } else {
            None
        }
    }
}

/// One run of a test: on which side, as which user, and for how long at most.
pub struct TestRun<'a> {
    pub side: &'a Side,
    pub user: User,
    pub test: &'a str,
    pub extra: Extra,
    pub limit: Duration,
    /// How many times as long the runner lets a test take.
    pub times: u32,
}

/// A place to run tests in, one after the other.
pub struct Sandbox {
    folder: PathBuf,
    /// Whether this process may make namespaces as it is, or needs a user namespace for them.
    privileged: bool,
}

impl Sandbox {
    pub fn new(folder: &Path) -> Result<Sandbox, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Sandbox {
            folder: folder.to_path_buf(),
            privileged: own_uid() == 0,
        })
    }

    pub fn test(&self, test_run: &TestRun, fixtures: &Path) -> Result<Ended, String> {
        self.prepare(test_run.user, fixtures)?;
        self.enter(test_run, RUN_SCRIPT)
    }

    /// The lines of `/proc/PID/maps` that name libuv, of the side's program while it runs.
    pub fn maps(&self, side: &Side, user: User, fixtures: &Path) -> Result<String, String> {
        self.prepare(user, fixtures)?;
        let test_run = TestRun {
            side,
            user,
            test: "tcp4_echo_server",
            extra: Extra::Nothing,
            limit: Duration::from_secs(60),
            times: 1,
        };
        let ended = self.enter(&test_run, SHOW_MAPS_SCRIPT)?;
        match ended.status {
            Some(0) => Ok(ended.output),
            _ => Err(format!(
                "cannot set up namespaces and start the test runner: {}",
                ended.output
            )),
        }
    }

    /// Puts an empty `/tmp` in place, with the working folder that the tests expect.
    fn prepare(&self, user: User, fixtures: &Path) -> Result<(), String> {
        let stage = self.stage();
        let problem = |error: std::io::Error| format!("{}: {error}", stage.display());
        if stage.exists() {
            fs::remove_dir_all(&stage).map_err(problem)?;
        }
        fs::create_dir_all(stage.join("side")).map_err(problem)?;
        for (name, text) in ETC_FILES {
            fs::write(stage.join(name), text).map_err(problem)?;
        }
        let work = stage.join("work");
        copy_folder(fixtures, &work.join("test/fixtures")).map_err(problem)?;
        open_to_all(&stage).map_err(problem)?;
        if self.privileged && user == User::Ordinary {
            give_away(&work).map_err(problem)?;
        }
        Ok(())
    }

    fn enter(&self, test_run: &TestRun, then: &str) -> Result<Ended, String> {
        let output = self.folder.join("output");
        let problem = |error: std::io::Error| format!("{}: {error}", output.display());
        let stdout = File::create(&output).map_err(problem)?;
        let stderr = stdout.try_clone().map_err(problem)?;
        let mut command = Command::new("unshare");
        if !self.privileged {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
        command.args(["sh", "-c", &format!("{SETUP_SCRIPT}{then}"), "sandbox"]);
        command.arg(self.stage()).arg(&test_run.side.folder);
        command.args(self.shed_ids(test_run.user));
        let program = "/tmp/side/uv_run_tests";
        if test_run.extra == Extra::Terminal {
            let line = format!("stty rows 24 cols 80; exec {program} {}", test_run.test);
            command.args([
                "script",
                "--quiet",
                "--return",
                "--command",
                &line,
                "/dev/null",
            ]);
        } else {
            command.args([program, test_run.test]);
        }
        set_environment(&mut command, test_run);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let mut child = command
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let status = wait(&mut child, test_run.limit)?;
        let bytes = fs::read(&output).map_err(problem)?;
        Ok(Ended {
            status,
            output: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    fn stage(&self) -> PathBuf {
        self.folder.join("stage")
    }

    /// The words in front of the program that make it run as the user.
    fn shed_ids(&self, user: User) -> Vec<String> {
        let words = |text: String| text.split(' ').map(String::from).collect();
        match user {
            User::Root => Vec::new(),
            User::Ordinary if self.privileged => words(format!(
                "setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --inh-caps=-all --"
            )),
            User::Ordinary => {
                let uid = own_uid();
                words(format!(
                    "unshare --user --map-user={uid} --map-group={uid} --"
                ))
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // What is left over costs nothing but space.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// All tests get these few variables and no others, so that runs can be compared.
fn set_environment(command: &mut Command, test_run: &TestRun) {
    let path = std::env::var_os("PATH").unwrap_or("/usr/sbin:/usr/bin:/sbin:/bin".into());
    command.env_clear();
    command.env("PATH", path);
    command.env("HOME", "/tmp/work");
    if test_run.extra != Extra::NoLibraryPath {
        command.env("LD_LIBRARY_PATH", "/tmp/side");
    }
    if test_run.times > 1 {
        command.env("UV_TEST_TIMEOUT_MULTIPLIER", test_run.times.to_string());
    }
    if test_run.user == User::Root {
        command.env("UV_RUN_AS_ROOT", "1");
    }
}

/// Waits for the end; at the limit the sandbox is ended, with all its processes.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<i32>, String> {
    let problem = |error: std::io::Error| format!("waiting for a test: {error}");
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().map_err(problem)? {
            return Ok(Some(status.code().unwrap_or(-1)));
        }
        if Instant::now() > deadline {
            child.kill().map_err(problem)?;
            child.wait().map_err(problem)?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The user that this process runs as.
pub fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").map_or(NOBODY, |data| data.uid())
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The permissions that `/tmp` has elsewhere.
fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o1777))
}

/// Makes everything in a folder the ordinary user's.
fn give_away(folder: &Path) -> std::io::Result<()> {
    std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY))?;
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_gets_what_it_asks_for() {
        let terminal = "Cannot open /dev/tty as read-only: No such device or address";
        assert_eq!(Extra::for_reason(terminal), Some(Extra::Terminal));
        let path = "doesn't work with DYLD_LIBRARY_PATH/LD_LIBRARY_PATH/LIBPATH";
        assert_eq!(Extra::for_reason(path), Some(Extra::NoLibraryPath));
        assert_eq!(Extra::for_reason("Test for Windows"), None);
    }
}
