//! `make install` and the built libraries: files, pkg-config, CMake, link lines.
//!
//! What is installed here is the build that cargo made for these tests, not the release build.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

#[path = "install/exports.rs"]
mod exports;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

/// The files that libuv installs below its prefix, and this package as well. Beside them are the man
/// pages.
const FILES: &[&str] = &[
    "include/uv.h",
    "include/uv/errno.h",
    "include/uv/linux.h",
    "include/uv/threadpool.h",
    "include/uv/tree.h",
    "include/uv/unix.h",
    "include/uv/version.h",
    "lib/cmake/libuv/libuvConfig.cmake",
    "lib/cmake/libuv/libuvConfigVersion.cmake",
    "lib/libuv.a",
    "lib/libuv.so",
    "lib/libuv.so.1",
    "lib/libuv.so.1.0.0",
    "lib/pkgconfig/libuv-static.pc",
    "lib/pkgconfig/libuv.pc",
    "share/doc/libuv/LICENSE",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the command and the instruments, with man pages and completions.
const TOOLS: &[&str] = &[
    "bin/oxuv",
    "lib/oxuv/liboxuv_diagnose.so",
    "share/bash-completion/completions/oxuv",
    "share/fish/vendor_completions.d/oxuv.fish",
    "share/man/man1/oxuv-check.1",
    "share/man/man1/oxuv-env.1",
    "share/man/man1/oxuv-report.1",
    "share/man/man1/oxuv-run.1",
    "share/man/man1/oxuv.1",
    "share/zsh/site-functions/_oxuv",
];

/// Where cargo put the libraries that these tests are built with.
fn build_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().to_path_buf()
}

/// An empty folder of its own.
fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn text(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

fn installed(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("skipped: {tool} is not installed");
    }
    found
}

/// `make` for the library alone.
fn make(goal: &str, variables: &[(&str, &Path)]) {
    make_with("", goal, variables);
}

fn make_with(tools: &str, goal: &str, variables: &[(&str, &Path)]) {
    // All use one build folder, so one runs at a time.
    static ONE_MAKE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_MAKE_AT_A_TIME.lock();
    let mut command = Command::new("make");
    command
        .arg(goal)
        .current_dir(root())
        .env_remove("MAKEFLAGS");
    command.arg(format!("BUILD_DIR={}", build_dir().display()));
    command.arg(format!("TOOLS={tools}"));
    for (name, value) in variables {
        command.arg(format!("{name}={}", value.display()));
    }
    run(&mut command);
}

/// A prefix with everything installed, made once.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = fresh("prefix");
        make("install", &[("PREFIX", &prefix)]);
        prefix
    })
}

fn files_below(folder: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(folder).unwrap();
                files.insert(below.to_str().unwrap().to_string());
            }
        }
    }
    files
}

fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let words = text(
        Command::new("pkg-config")
            .args(arguments)
            .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig")),
    );
    words.split_whitespace().map(str::to_string).collect()
}

/// Compiles a test program with what pkg-config says.
fn compile(compiler: &str, source: &str, package: &str, name: &str) -> PathBuf {
    let program = fresh(name).join("program");
    run(Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(root().join("tests/abi").join(source))
        .args(pkg_config(&["--cflags", "--libs", package])));
    program
}

#[test]
fn install_puts_every_file_where_libuv_has_it() {
    if !installed("make") {
        return;
    }
    let mut expected: BTreeSet<String> = FILES.iter().map(|f| f.to_string()).collect();
    let pages = files_below(&root().join("man/man3"));
    assert!(pages.contains("uv_tcp_init.3"), "{pages:?}");
    expected.extend(pages.iter().map(|page| format!("share/man/man3/{page}")));
    let staged = fresh("staged");
    let usr = Path::new("/usr");
    make("install", &[("DESTDIR", &staged), ("PREFIX", usr)]);
    assert_eq!(files_below(&staged.join("usr")), expected);

    let lib = staged.join("usr/lib");
    let target = |name: &str| std::fs::read_link(lib.join(name)).unwrap();
    assert_eq!(target("libuv.so"), Path::new("libuv.so.1"));
    assert_eq!(target("libuv.so.1"), Path::new("libuv.so.1.0.0"));

    make("uninstall", &[("DESTDIR", &staged), ("PREFIX", usr)]);
    assert_eq!(files_below(&staged), BTreeSet::new());
}

/// The command finds the library of its prefix, and the library its instruments.
#[test]
fn the_command_and_the_instruments_are_installed() {
    if !installed("make") || !installed("pkg-config") {
        return;
    }
    let folder = fresh("tools");
    let prefix = folder.join("prefix");
    // Kept from one test to the next, as cargo's own folder is.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools_target");
    let built = target.join("debug");
    let variables = [
        ("PREFIX", &*prefix),
        ("TARGET_DIR", &*target),
        ("TOOLS_DIR", &*built),
        ("PROFILE", Path::new("dev")),
        ("CARGOFLAGS", Path::new("--offline")),
    ];
    let tools = "command instruments";
    make_with(tools, "install", &variables);
    let files = files_below(&prefix);
    let missing: Vec<_> = TOOLS
        .iter()
        .filter(|file| !files.contains(**file))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");

    let program = compile("cc", "installed.c", "libuv", "with_tools");
    let trace = folder.join("trace.json");
    let output = run(Command::new(prefix.join("bin/oxuv"))
        .args(["run", "--trace"])
        .arg(&trace)
        .arg(program)
        .arg(prefix.join("lib/libuv.so.1.0.0")));
    let told = String::from_utf8_lossy(&output.stderr);
    let library = prefix.join("lib/libuv.so.1.0.0");
    assert!(
        told.contains(&format!("ran on {}", library.display())),
        "{told}"
    );
    assert!(trace.exists(), "the instruments were not found: {told}");

    make_with(tools, "uninstall", &variables);
    assert_eq!(files_below(&prefix), BTreeSet::new());
}

/// The build ID of a library, as debuggers use it: a folder and a file.
fn build_id(library: &Path) -> String {
    let notes = text(Command::new("readelf").arg("--notes").arg(library));
    let id = notes.split("Build ID: ").nth(1).expect("a build ID");
    let id = id.split_whitespace().next().unwrap();
    format!("{}/{}.debug", &id[..2], &id[2..])
}

#[test]
fn debug_information_is_kept_apart_where_debuggers_look() {
    if !installed("make") {
        return;
    }
    let staged = fresh("debug");
    let places = [("DESTDIR", &*staged), ("PREFIX", Path::new("/usr"))];
    make("install", &places);
    make("install-debug", &places);
    let library = staged.join("usr/lib/libuv.so.1.0.0");
    let folder = staged.join("usr/lib/debug");
    let file = folder.join(".build-id").join(build_id(&library));
    let sections = |file: &Path| text(Command::new("readelf").arg("-SW").arg(file));
    assert!(sections(&file).contains(".debug_line"));
    assert!(!sections(&library).contains(".debug_"));
    assert!(!sections(&library).contains(".symtab"));
    if installed("gdb") {
        let line = text(
            Command::new("gdb")
                .args(["--batch", "--nx", "-iex"])
                .arg(format!("set debug-file-directory {}", folder.display()))
                .args(["-ex", "info line uv_version"])
                .arg(&library),
        );
        assert!(line.contains("Line ") && line.contains(".rs"), "{line}");
    }
    make("uninstall", &places);
    assert_eq!(files_below(&staged), BTreeSet::new());
}

#[test]
fn libdir_can_be_elsewhere() {
    if !installed("make") {
        return;
    }
    let staged = fresh("multiarch");
    let lib = Path::new("/usr/lib/some-linux-gnu");
    make(
        "install",
        &[
            ("DESTDIR", &staged),
            ("PREFIX", Path::new("/usr")),
            ("LIBDIR", lib),
        ],
    );
    let pc = staged.join("usr/lib/some-linux-gnu/pkgconfig/libuv.pc");
    let pc = std::fs::read_to_string(pc).unwrap();
    assert!(
        pc.contains("\nlibdir=${prefix}/lib/some-linux-gnu\n"),
        "{pc}"
    );
    assert!(!pc.contains('@'), "{pc}");
}

#[test]
fn a_program_links_and_runs_with_the_shared_library() {
    if !installed("pkg-config") || !installed("make") {
        return;
    }
    let version = pkg_config(&["--modversion", "libuv"]);
    assert_eq!(version, [env!("CARGO_PKG_VERSION")]);
    let program = compile("cc", "installed.c", "libuv", "shared");
    let lib = prefix().join("lib");
    run(Command::new(program)
        .arg(lib.join("libuv.so.1.0.0"))
        .env("LD_LIBRARY_PATH", &lib));
}

#[test]
fn a_program_links_and_runs_with_the_archive() {
    if !installed("pkg-config") || !installed("make") {
        return;
    }
    let program = compile("cc", "installed.c", "libuv-static", "static");
    let needed = text(Command::new("readelf").arg("-d").arg(&program));
    assert!(!needed.contains("libuv"), "{needed}");
    run(Command::new(&program)
        .arg(&program)
        .env_remove("LD_LIBRARY_PATH"));
}

/// `uv_version_string` gives libuv's version; a note in the file names the library.
#[test]
fn a_note_says_what_the_library_is() {
    if !installed("pkg-config") || !installed("make") {
        return;
    }
    let expected = format!("oxuv {}: libuv rebuilt in Rust", env!("CARGO_PKG_VERSION"));
    let program = compile("cc", "installed.c", "libuv-static", "note");
    for file in [prefix().join("lib/libuv.so.1.0.0"), program] {
        let strings = text(Command::new("strings").arg(&file));
        assert!(strings.contains(&expected), "{}", file.display());
        let notes = text(
            Command::new("readelf")
                .args(["--notes", "--wide"])
                .arg(&file),
        );
        let owner = notes.lines().any(|line| line.starts_with("  oxuv "));
        assert!(owner, "{notes}");
    }
}

#[test]
fn a_cpp_program_links_and_runs() {
    if !["g++", "pkg-config", "make"]
        .iter()
        .all(|tool| installed(tool))
    {
        return;
    }
    let program = compile("g++", "program.cc", "libuv", "cpp");
    run(Command::new(program).env("LD_LIBRARY_PATH", prefix().join("lib")));
}

/// Rust code that panics and catches the panic, to be called from C.
const OTHER_RUST_CODE: &str = r#"
    #[unsafe(no_mangle)]
    pub extern "C" fn beside(index: usize) -> i32 {
        let nothing: Vec<u32> = Vec::new();
        i32::from(std::panic::catch_unwind(|| nothing[index]).is_err())
    }
"#;

/// A program has std in it, and the archive has std or core: they do not collide, in either order.
#[test]
fn a_program_has_other_rust_code_beside_the_archive() {
    if !installed("rustc") || !installed("make") {
        return;
    }
    let folder = fresh("beside");
    std::fs::write(folder.join("beside.rs"), OTHER_RUST_CODE).unwrap();
    run(Command::new("rustc")
        .current_dir(&folder)
        .args(["--edition", "2024", "--crate-type", "staticlib"])
        .arg("beside.rs"));
    let main = "#include <uv.h>\nint beside(size_t);\n\
                int main(void) { return beside(uv_version()) == 1 ? 0 : 1; }\n";
    std::fs::write(folder.join("main.c"), main).unwrap();
    let archive = prefix().join("lib/libuv.a");
    let other = folder.join("libbeside.a");
    for archives in [[&archive, &other], [&other, &archive]] {
        run(Command::new("cc")
            .current_dir(&folder)
            .arg(format!("-I{}", prefix().join("include").display()))
            .arg("main.c")
            .args(archives)
            .args(["-lpthread", "-ldl", "-lm", "-o", "main"]));
        run(Command::new(folder.join("main")).env_remove("LD_LIBRARY_PATH"));
    }
}

/// The files that build systems read have no path of the prefix in them.
#[test]
fn the_prefix_can_be_moved() {
    if !installed("cmake") || !installed("make") || !installed("pkg-config") {
        return;
    }
    let folder = fresh("moved");
    let prefix = folder.join("before");
    make("install", &[("PREFIX", &prefix)]);
    let moved = folder.join("after");
    std::fs::rename(&prefix, &moved).unwrap();
    try_cmake(&fresh("moved_cmake"), &moved);
    let include = text(
        Command::new("pkg-config")
            .args(["--define-prefix", "--variable=includedir", "libuv"])
            .env("PKG_CONFIG_PATH", moved.join("lib/pkgconfig")),
    );
    assert_eq!(Path::new(include.trim()), moved.join("include"));
}

#[test]
fn cmake_finds_both_libraries() {
    if !installed("cmake") || !installed("make") {
        return;
    }
    try_cmake(&fresh("cmake"), prefix());
}

/// Builds programs with what CMake finds below a prefix, and runs them.
fn try_cmake(folder: &Path, prefix: &Path) {
    let source = root().join("tests/abi/installed.c");
    let project = format!(
        "cmake_minimum_required(VERSION 3.10)\n\
         project(program C)\n\
         find_package(libuv 1.40 CONFIG REQUIRED)\n\
         add_executable(shared \"{0}\")\n\
         target_link_libraries(shared libuv::uv)\n\
         add_executable(static \"{0}\")\n\
         target_link_libraries(static libuv::uv_a)\n",
        source.display()
    );
    std::fs::write(folder.join("CMakeLists.txt"), project).unwrap();
    let build = folder.join("build");
    run(Command::new("cmake")
        .arg("-S")
        .arg(folder)
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    run(Command::new("cmake").arg("--build").arg(&build));
    // Cargo points LD_LIBRARY_PATH at its own folders; CMake wrote the path into the program.
    run(Command::new(build.join("shared"))
        .arg(prefix.join("lib/libuv.so.1.0.0"))
        .env_remove("LD_LIBRARY_PATH"));
    run(Command::new(build.join("static")).arg(build.join("static")));
}

#[test]
fn cmake_takes_the_source_as_a_subdirectory() {
    if !installed("cmake") || !installed("make") {
        return;
    }
    let folder = fresh("subdirectory");
    let project = format!(
        "cmake_minimum_required(VERSION 3.18)\n\
         project(program C)\n\
         add_subdirectory(\"{0}\" libuv)\n\
         add_executable(shared \"{1}\")\n\
         target_link_libraries(shared uv)\n\
         add_executable(static \"{1}\")\n\
         target_link_libraries(static libuv::uv_a)\n",
        root().display(),
        root().join("tests/abi/installed.c").display()
    );
    std::fs::write(folder.join("CMakeLists.txt"), project).unwrap();
    let build = folder.join("build");
    run(Command::new("cmake")
        .arg("-S")
        .arg(&folder)
        .arg("-B")
        .arg(&build)
        .arg("-DOXUV_PROFILE=dev"));
    run(Command::new("cmake").arg("--build").arg(&build));
    run(Command::new(build.join("shared"))
        .arg(build.join("libuv/dev/libuv.so.1"))
        .env_remove("LD_LIBRARY_PATH"));
    run(Command::new(build.join("static")).arg(build.join("static")));
}

#[test]
fn meson_takes_the_source_as_a_subproject() {
    if !installed("meson") || !installed("ninja") || !installed("make") {
        return;
    }
    let folder = fresh("subproject");
    let project = "project('program', 'c')\n\
                   executable('program', 'installed.c', dependencies: dependency('libuv'))\n";
    std::fs::write(folder.join("meson.build"), project).unwrap();
    std::fs::copy(
        root().join("tests/abi/installed.c"),
        folder.join("installed.c"),
    )
    .unwrap();
    std::fs::create_dir(folder.join("subprojects")).unwrap();
    std::os::unix::fs::symlink(root(), folder.join("subprojects/libuv")).unwrap();
    // A wrap says which dependency the subproject provides.
    let wrap = "[wrap-file]\ndirectory = libuv\n\n[provide]\nlibuv = libuv_dep\n";
    std::fs::write(folder.join("subprojects/libuv.wrap"), wrap).unwrap();
    run(Command::new("meson").current_dir(&folder).args([
        "setup",
        "--force-fallback-for=libuv",
        "-Dlibuv:profile=dev",
        "build",
    ]));
    run(Command::new("meson")
        .current_dir(&folder)
        .args(["compile", "-C", "build"]));
    let program = folder.join("build/program");
    run(Command::new(&program).arg(&program));
}

/// The version of the package stands in the header, in the library and in meson.build, too.
#[test]
fn versions_agree() {
    let constants = [
        uv::abi::UV_VERSION_MAJOR,
        uv::abi::UV_VERSION_MINOR,
        uv::abi::UV_VERSION_PATCH,
    ];
    let text = constants.map(|number| number.to_string()).join(".");
    assert_eq!(text, env!("CARGO_PKG_VERSION"));
    let meson = std::fs::read_to_string(root().join("meson.build")).unwrap();
    assert!(meson.contains(&format!("version: '{text}'")));
}

/// Whether a cargo-c has a cargo in it that knows edition 2024: that of Rust 1.85, which is 0.86.
fn is_recent(version: &str) -> bool {
    let cargo = version.split("+cargo-0.").nth(1);
    let minor = cargo.and_then(|minor| minor.trim().split('.').next()?.parse().ok());
    minor.is_some_and(|minor: u32| minor >= 86)
}

#[test]
fn a_cargo_c_that_is_too_old_is_known() {
    assert!(is_recent("cargo-c 0.10.13+cargo-0.88.0\n"));
    assert!(!is_recent("cargo-c 0.9.14+cargo-0.66\n"));
    assert!(!is_recent(""));
}

/// cargo-c is the other way to install: it must lead to the same files, apart from those that it
/// does not know of.
#[test]
fn cargo_c_installs_the_same_files() {
    let Ok(version) = Command::new("cargo-cinstall").arg("--version").output() else {
        eprintln!("skipped: cargo-c is not installed");
        return;
    };
    let errors = String::from_utf8_lossy(&version.stderr).into_owned();
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !is_recent(&version) {
        let name = [version.trim(), errors.trim()].concat();
        eprintln!("skipped: cannot read edition 2024: {name}");
        return;
    }
    let staged = fresh("cargo_c");
    run(Command::new(env!("CARGO"))
        .args([
            "cinstall",
            "--no-default-features",
            "--profile",
            "dev",
            "--offline",
            "--prefix=/usr",
            "--libdir=/usr/lib",
        ])
        .arg(format!("--destdir={}", staged.display()))
        .current_dir(root()));
    let unknown = ["libuv-static.pc", ".cmake", "LICENSE"];
    let expected: BTreeSet<String> = FILES
        .iter()
        .filter(|f| !unknown.iter().any(|end| f.ends_with(end)))
        .map(|f| f.to_string())
        .collect();
    assert_eq!(files_below(&staged.join("usr")), expected);
}
