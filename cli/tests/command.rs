//! The command, with a small C program on the library.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A folder of these tests.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn checked(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{text}");
    output
}

/// The folder of the library and the instruments, which these tests build themselves: cargo builds
/// neither for the tests of another package.
fn library() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = folder().join("target");
        checked(
            Command::new(env!("CARGO"))
                .current_dir(root())
                .args([
                    "build",
                    "--quiet",
                    "--offline",
                    "--package",
                    "oxuv",
                    "--lib",
                ])
                .args(["--package", "oxuv_diagnose"])
                .arg("--target-dir")
                .arg(&target),
        );
        target.join("debug")
    })
}

/// Compiles the program; what is linked and how is for the caller to say.
fn compiled(name: &str, link: impl FnOnce(&mut Command)) -> PathBuf {
    let program = folder().join(name);
    let mut command = Command::new("cc");
    command
        .arg(format!("-I{}", root().join("include").display()))
        .arg("-o")
        .arg(&program)
        .arg(root().join("cli/tests/program.c"));
    link(&mut command);
    checked(&mut command);
    program
}

/// The program, linked to libuv.so.1 without a search path.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        compiled("program", |cc| {
            cc.arg(library().join("libuv.so.1"));
        })
    })
}

fn oxuv(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oxuv"));
    command.args(arguments);
    command
}

/// `oxuv run` of the program.
fn run(options: &[&str], arguments: &[&str]) -> Output {
    run_program(program(), options, arguments)
}

fn run_program(program: &Path, options: &[&str], arguments: &[&str]) -> Output {
    oxuv(&["run", "--library"])
        .arg(library())
        .args(options)
        .arg("--")
        .arg(program)
        .args(arguments)
        .output()
        .unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_program_runs_on_the_library_and_that_is_proved() {
    let output = run(&[], &[]);
    let told = errors(&output);
    assert!(output.status.success(), "{told}");
    let file = library().join("libuv.so").canonicalize().unwrap();
    assert!(
        told.contains(&format!("ran on {}", file.display())),
        "{told}"
    );
    assert!(told.contains("oxuv 1.53.0"), "{told}");
    assert_eq!(errors(&run(&["--quiet"], &[])), "");
}

#[test]
fn the_status_is_passed_on() {
    assert_eq!(run(&[], &["exit", "7"]).status.code(), Some(7));
    let killed = run(&[], &["killed", "9"]);
    assert_eq!(killed.status.signal(), Some(9), "{}", errors(&killed));
    let aborted = run(&[], &["killed", "6"]);
    assert_eq!(aborted.status.signal(), Some(6));
}

#[test]
fn what_cannot_be_run_has_the_status_of_env() {
    let status = |program: &str| {
        let output = run_program(Path::new(program), &[], &[]);
        assert!(errors(&output).contains(program));
        output.status.code()
    };
    assert_eq!(status("/no/such/program"), Some(127));
    assert_eq!(status("/etc/passwd"), Some(126));
    let output = oxuv(&["run", "--library", "/proc", "--", "true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn signals_are_passed_on() {
    let mut child = oxuv(&["run", "--library"])
        .arg(library())
        .arg(program())
        .arg("wait")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    // SAFETY: the child is this test's, and has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    assert_eq!(lines.next().unwrap().unwrap(), "signal 15");
    assert!(child.wait().unwrap().success());
}

#[test]
fn options_become_variables() {
    let value = |options: &[&str], name: &str| {
        let output = run(options, &["variable", name]);
        text(&output).trim().to_string()
    };
    let trace = folder().join("variable.json");
    let trace = trace.to_str().unwrap();
    assert_eq!(value(&["--trace", trace], "OXUV_TRACE"), trace);
    assert_eq!(value(&["--stall", "50"], "OXUV_STALL_MS"), "50");
    assert_eq!(value(&[], "OXUV_TRACE"), "(not set)");
}

#[test]
fn a_search_path_of_the_programs_own_is_overcome() {
    // A library that is not this one: an empty one of its name.
    let other = folder().join("other");
    std::fs::create_dir_all(&other).unwrap();
    checked(
        Command::new("cc")
            .args([
                "-shared",
                "-Wl,-soname,libuv.so.1",
                "-x",
                "c",
                "/dev/null",
                "-o",
            ])
            .arg(other.join("libuv.so.1")),
    );
    let program = compiled("with_rpath", |cc| {
        cc.arg(library().join("libuv.so.1")).arg(format!(
            "-Wl,--disable-new-dtags,-rpath,{}",
            other.display()
        ));
    });
    let output = run_program(&program, &[], &["exit", "3"]);
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    assert!(errors(&output).contains(" ran on "), "{}", errors(&output));
}

#[test]
fn programs_that_do_not_run_on_it_are_told_apart() {
    let needs_none = run_program(Path::new("/bin/true"), &[], &[]);
    assert!(needs_none.status.success());
    assert!(errors(&needs_none).contains("did not run on this library"));
    let linked = compiled("static", |cc| {
        cc.arg(library().join("libuv.a"))
            .args(["-lpthread", "-ldl", "-lm", "-lgcc_s"]);
    });
    let output = run_program(&linked, &[], &[]);
    let told = errors(&output);
    assert!(
        told.contains("ran on what is linked into it: oxuv"),
        "{told}"
    );
}

#[test]
fn the_functions_of_a_file_are_told() {
    let output = oxuv(&["check"]).arg(program()).output().unwrap();
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    for expected in [
        "uv_timer_start",
        "uv_signal_start",
        "has all of them",
        "here: ",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    assert!(!told.contains("uv_fs_open"), "{told}");
    let output = oxuv(&["check", "/etc/passwd"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    let output = oxuv(&["check", env!("CARGO_BIN_EXE_oxuv")])
        .output()
        .unwrap();
    assert!(
        text(&output).contains("needs no libuv"),
        "{}",
        text(&output)
    );
}

#[test]
fn wrong_variables_are_told() {
    let output = oxuv(&["env"]).env("OXUV_SPIN_US", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("wrong: OXUV_SPIN_US"),
        "{}",
        text(&output)
    );
    assert!(text(&output).contains("UV_THREADPOOL_SIZE"));
}

#[test]
fn a_trace_becomes_a_page() {
    let trace = folder().join("trace.json");
    let output = run(&["--trace", trace.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{}", errors(&output));
    let output = oxuv(&["report"]).arg(&trace).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let page = std::fs::read_to_string(trace.with_extension("html")).unwrap();
    assert!(page.contains("on_timer"), "the callback is not named");
    let output = oxuv(&["report", "/etc/passwd"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(
        errors(&output).contains("not a trace"),
        "{}",
        errors(&output)
    );
}
