//! Which libuv a process has mapped, and which one the dynamic linker would load.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a file of any libuv is called at the beginning.
const FILE_NAME: &str = "libuv.so";

/// The files of libuv that a process, or one that it has started, has mapped.
pub fn by_process(process: u32) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left = vec![process];
    while let Some(process) = left.pop() {
        // A process that has ended meanwhile has nothing mapped.
        let maps = std::fs::read_to_string(format!("/proc/{process}/maps"));
        found.extend(files(&maps.unwrap_or_default()));
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        left.extend(
            children
                .split_whitespace()
                .filter_map(|one| one.parse::<u32>().ok()),
        );
    }
    found
}

/// The files of libuv in a list of mappings.
fn files(maps: &str) -> BTreeSet<PathBuf> {
    let path = |line: &str| line.find('/').map(|at| PathBuf::from(&line[at..]));
    maps.lines()
        .filter_map(path)
        .filter(|path| is_libuv(path))
        .collect()
}

fn is_libuv(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.starts_with(FILE_NAME))
}

/// The file of libuv that the dynamic linker would load into a program, run by this command.
pub fn by_linker(
    interpreter: &Path,
    program: &Path,
    prepare: impl Fn(&mut Command),
) -> Option<PathBuf> {
    let mut command = Command::new(interpreter);
    command.arg("--list").arg(program);
    prepare(&mut command);
    let output = command.output().ok()?;
    listed(&String::from_utf8_lossy(&output.stdout))
}

/// Lines such as `libuv.so.1 => /usr/lib/libuv.so.1 (0x00007f0000000000)`.
fn listed(list: &str) -> Option<PathBuf> {
    let path = |line: &str| {
        let start = line.find('/')?;
        let end = line.rfind(" (")?;
        Some(PathBuf::from(line.get(start..end)?))
    };
    list.lines().filter_map(path).find(|path| is_libuv(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read() {
        let maps = "7f00-7f01 r-xp 00000000 fe:01 1 /usr/lib/libuv.so.1.0.0\n\
                    7f02-7f03 r-xp 00000000 fe:01 2 /usr/lib/libc.so.6\n\
                    7f04-7f05 rw-p 00000000 00:00 0 [stack]\n";
        assert_eq!(
            files(maps),
            BTreeSet::from(["/usr/lib/libuv.so.1.0.0".into()])
        );
    }

    #[test]
    fn what_the_linker_lists_is_read() {
        let list = "\tlinux-vdso.so.1 (0x1)\n\tlibuv.so.1 => /a b/libuv.so.1 (0x7f00)\n";
        assert_eq!(listed(list), Some("/a b/libuv.so.1".into()));
        assert_eq!(
            listed("\t/opt/libuv.so.1 (0x7f00)\n"),
            Some("/opt/libuv.so.1".into())
        );
        assert_eq!(listed("\tlibuv.so.1 => not found\n"), None);
    }
}
