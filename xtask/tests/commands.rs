//! What the commands say to a person: help, and one line when something is wrong.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// The id of an ordinary user.
const NOBODY: u32 = 65534;

fn run(words: &[&str]) -> Output {
    Command::new(XTASK).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The names of the commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = text(&run(&["--help"]).stdout);
    let list = help.split("Commands:\n").nth(1).unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split_whitespace().next().unwrap().to_string())
        .collect()
}

/// The only line of standard error.
fn only_line(output: &Output) -> String {
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors.trim_end().to_string()
}

#[test]
fn every_command_has_help() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for name in &commands {
        for option in ["--help", "-h"] {
            let output = run(&[name, option]);
            let help = text(&output.stdout);
            assert!(output.status.success(), "{name}");
            assert!(help.contains(&format!("cargo xtask {name}")), "{help}");
        }
    }
}

#[test]
fn no_command_is_answered_by_the_list() {
    let output = run(&[]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("headers"));
}

#[test]
fn a_wrong_option_is_one_line() {
    for name in commands() {
        let output = run(&[&name, "--nothing"]);
        assert!(!output.status.success(), "{name}");
        assert!(only_line(&output).contains("--nothing"), "{name}");
    }
    for words in [
        &["nothing"][..],
        &["headers", "word"],
        &["conformance", "--swap", "nothing"],
        &["sequences", "--sanitizer", "nothing"],
        &["faults", "--write"],
        &["fuzz", "--seconds"],
    ] {
        let output = run(words);
        assert!(!output.status.success(), "{words:?}");
        assert!(only_line(&output).starts_with("error: "), "{words:?}");
    }
}

/// Nothing is found, and so nothing can be installed either.
#[test]
fn a_missing_program_is_named_in_one_line() {
    for (name, tool) in [("fuzz", "clang"), ("reproducible", "make"), ("msrv", "gcc")] {
        let mut command = Command::new(XTASK);
        let output = command.arg(name).env("PATH", "/nowhere").output().unwrap();
        assert!(!output.status.success(), "{name}");
        let line = only_line(&output);
        assert!(line.contains("missing programs: apt-get install"), "{line}");
        assert!(line.contains(tool), "{line}");
    }
}

#[test]
fn who_is_not_root_is_told_so_in_one_line() {
    let folder = std::env::temp_dir().join(format!("xtask-commands-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    // Where an ordinary user can run it.
    let program = folder.join("xtask");
    std::fs::copy(XTASK, &program).unwrap();
    let mut command = Command::new(&program);
    if std::fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0)
    {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.arg("swap").current_dir("/").output();
    std::fs::remove_dir_all(&folder).unwrap();
    let output = output.unwrap();
    assert!(!output.status.success());
    assert!(only_line(&output).contains("needs root"));
}
