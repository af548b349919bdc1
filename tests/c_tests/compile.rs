//! C programs, compiled when their sources have changed: for the tests, and the benchmarks as well.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Whether a program was built by this very command after its inputs were written.
pub fn is_up_to_date(program: &Path, command: &[String], inputs: &[PathBuf]) -> bool {
    let modified = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|data| data.modified())
            .ok()
    };
    let Some(built) = modified(program) else {
        return false;
    };
    let is_newer = |input: &PathBuf| modified(input).unwrap_or(SystemTime::now()) > built;
    let same_command = std::fs::read_to_string(program.with_extension("command"))
        .is_ok_and(|recorded| recorded == command.join("\n"));
    same_command && !inputs.iter().any(is_newer)
}

/// Compiles a program, and records by which command.
pub fn compile(command: &[String], program: &Path) -> Result<(), String> {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .output()
        .map_err(|error| format!("{}: {error}", command[0]))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{}\n{errors}", command.join(" ")));
    }
    std::fs::write(program.with_extension("command"), command.join("\n"))
        .map_err(|error| error.to_string())
}
