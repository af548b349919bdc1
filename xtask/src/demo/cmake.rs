//! An unmodified program of a Debian package on the library: cmake configures and builds a small
//! project, and ctest runs its tests.

use std::path::PathBuf;

use super::{Demo, Report};
use crate::tools::{find_library, run};

const LISTS: &str = r#"cmake_minimum_required(VERSION 3.18)
project(small C)
# What this very cmake has mapped: the shell's parent.
execute_process(COMMAND sh -c "cat /proc/$PPID/maps" OUTPUT_FILE ${CMAKE_BINARY_DIR}/maps)
file(GLOB parts ${CMAKE_SOURCE_DIR}/part_*.c)
add_executable(small main.c ${parts})
enable_testing()
foreach(number RANGE 1 20)
  add_test(NAME sum_${number} COMMAND small ${number})
endforeach()
add_test(NAME maps_of_ctest COMMAND sh -c "cat /proc/$PPID/maps > maps_of_ctest")
"#;

const MAIN: &str = r#"#include <stdlib.h>
int part_1(int), part_2(int), part_3(int);
int main(int argc, char** argv) {
  int n = argc > 1 ? atoi(argv[1]) : 0;
  return part_1(n) + part_2(n) + part_3(n) != 6 * n;
}
"#;

pub(super) fn project(demo: &Demo) -> Result<Report, String> {
    let source = demo.folder.join("project");
    let build = demo.folder.join("project-build");
    let write = |name: &str, text: &str| {
        std::fs::write(source.join(name), text).map_err(|error| format!("{name}: {error}"))
    };
    std::fs::create_dir_all(&source).map_err(|error| error.to_string())?;
    write("CMakeLists.txt", LISTS)?;
    write("main.c", MAIN)?;
    for part in 1..=3 {
        write(
            &format!("part_{part}.c"),
            &format!("int part_{part}(int n);\nint part_{part}(int n) {{ return {part} * n; }}\n"),
        )?;
    }
    run(demo
        .library
        .command("cmake")
        .arg("-S")
        .arg(&source)
        .arg("-B")
        .arg(&build))?;
    run(demo
        .library
        .command("cmake")
        .arg("--build")
        .arg(&build)
        .args(["--parallel", "2"]))?;
    let tests = run(demo
        .library
        .command("ctest")
        .current_dir(&build)
        .args(["-j", "4"]))?;
    let tests = String::from_utf8_lossy(&tests.stdout);
    let is_summary = |line: &&str| line.contains("tests passed");
    let summary = tests.lines().find(is_summary).unwrap_or("").trim();
    if !summary.starts_with("100% tests passed") {
        return Err(format!("ctest: {summary}"));
    }
    let mapped = mapped_by(&build.join("maps"))?;
    let by_ctest = mapped_by(&build.join("maps_of_ctest"))?;
    if by_ctest != mapped {
        return Err(format!("ctest had {} mapped", by_ctest.display()));
    }
    Ok(Report {
        mapped,
        result: format!("cmake, make and ctest -j4: {summary}"),
    })
}

fn mapped_by(file: &std::path::Path) -> Result<PathBuf, String> {
    let maps = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    find_library(&maps).ok_or_else(|| "no libuv was mapped".into())
}
