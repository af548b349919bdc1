//! The sides that are compared: folders with libuv's test runner and the library that it runs on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::options::Swap;
use crate::targets;
use crate::targets::machine::Machine;
use crate::tools::{self, Library, run};
use crate::upstream::{self, Upstream};

/// The libraries that every program is linked with, libuv's first.
const LIBRARIES: &[&str] = &["-luv", "-lpthread", "-ldl", "-lrt"];

/// A folder with `uv_run_tests` and `libuv.so.1`.
pub struct Side {
    pub folder: PathBuf,
    /// `None`: libuv itself.
    pub swap: Option<Swap>,
}

impl Side {
    pub fn name(&self) -> &'static str {
        self.swap.map_or("libuv", Swap::name)
    }
}

/// The libraries and tools that both sides of a comparison are made of.
pub struct Parts {
    pub upstream: Upstream,
    pub library: Library,
    /// The C compiler, and options for it to link programs with.
    pub compiler: Vec<String>,
}

impl Parts {
    /// For this machine.
    pub fn build(root: &Path, portable: bool) -> Result<Parts, String> {
        Ok(Parts {
            upstream: Upstream::ensure(root)?,
            library: Library::build(root, portable)?,
            compiler: vec!["cc".into()],
        })
    }

    /// For another kind of machine.
    pub fn build_for(root: &Path, machine: &'static Machine) -> Result<Parts, String> {
        let builder = machine.prepare(root)?;
        Ok(Parts {
            upstream: Upstream::of_machine(root, &builder)?,
            library: targets::build(root, &builder)?,
            compiler: machine.linker(),
        })
    }
}

/// libuv's side first, then one for each swap; they and what they are made of lie in a folder.
pub fn prepare(folder: &Path, parts: &Parts, swaps: &[Swap]) -> Result<Vec<Side>, String> {
    let sides_folder = folder.join("sides");
    let Parts {
        upstream, library, ..
    } = parts;
    let theirs = upstream.library()?;
    let ours = library.file()?;
    let first = Side {
        folder: sides_folder.join("libuv"),
        swap: None,
    };
    place(&first, &theirs)?;
    let objects = upstream::objects(&upstream.build.join("CMakeFiles/uv_run_tests.dir"))?;
    let program = first.folder.join("uv_run_tests");
    link(&parts.compiler, &objects, &program, &upstream.build)?;
    let mut sides = vec![first];
    for swap in swaps {
        let side = Side {
            folder: sides_folder.join(swap.name()),
            swap: Some(*swap),
        };
        place(&side, &ours)?;
        let target = side.folder.join("uv_run_tests");
        match swap {
            Swap::Binary => copy(&program, &target)?,
            Swap::Source => {
                let objects = compile(folder, parts)?;
                link(&parts.compiler, &objects, &target, &library.folder)?;
            }
        }
        sides.push(side);
    }
    Ok(sides)
}

/// Proves from its memory map that a side's program runs on that side's own file.
pub fn check_map(side: &Side, maps: &str) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let file = side.folder.join("libuv.so.1");
    let inode = fs::metadata(&file)
        .map_err(|error| format!("{}: {error}", file.display()))?
        .ino();
    let mapped = inodes(maps);
    if mapped.is_empty() || mapped.iter().any(|found| *found != inode) {
        return Err(format!("{}: another libuv is mapped:\n{maps}", side.name()));
    }
    Ok(())
}

/// The inodes in the lines of a `/proc/PID/maps` that name libuv.
fn inodes(maps: &str) -> Vec<u64> {
    maps.lines()
        .filter(|line| line.contains("libuv"))
        .filter_map(|line| line.split_whitespace().nth(4)?.parse().ok())
        .collect()
}

fn place(side: &Side, library: &Path) -> Result<(), String> {
    fs::create_dir_all(&side.folder).map_err(|error| error.to_string())?;
    copy(library, &side.folder.join("libuv.so.1"))
}

/// A new file each time: another run of this command may have the old one mapped.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let _ = fs::remove_file(to);
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| format!("{}: {error}", from.display()))
}

/// Links a test runner so that children which lose the environment find the same library: the one
/// beside the program.
fn link(
    compiler: &[String],
    objects: &[PathBuf],
    program: &Path,
    library: &Path,
) -> Result<(), String> {
    let _ = fs::remove_file(program);
    let mut cc = Command::new(&compiler[0]);
    cc.args(&compiler[1..]);
    cc.arg("-o").arg(program).args(objects);
    cc.arg("-L").arg(library);
    cc.args(["-Wl,-rpath,$ORIGIN", "-Wl,--enable-new-dtags"]);
    run(cc.args(LIBRARIES)).map(drop)
}

/// Compiles the sources of the test runner with this library's headers, with the flags that they
/// are compiled with otherwise; the objects. make finds out what has to be done anew.
fn compile(folder: &Path, parts: &Parts) -> Result<Vec<PathBuf>, String> {
    tools::need(&[("make", "make")])?;
    let Parts {
        upstream, library, ..
    } = parts;
    let folder = folder.join("source-objects");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let theirs = upstream.build.join("CMakeFiles/uv_run_tests.dir");
    let sources: Vec<PathBuf> = upstream::objects(&theirs)?
        .iter()
        .filter_map(|path| path.file_stem())
        .map(|name| upstream.source.join("test").join(name))
        .collect();
    let flags = read(&theirs.join("flags.make"))?;
    let mut makefile = format!(
        "cc = {}\nours = {}\ntheirs = {}\nflags = {} {}\nall:\n",
        parts.compiler[0],
        library.include.display(),
        upstream.source.join("include").display(),
        variable(&flags, "C_DEFINES"),
        variable(&flags, "C_FLAGS"),
    );
    let mut objects = Vec::new();
    for source in sources {
        let object = folder.join(source.file_name().unwrap_or_default());
        let object = object.with_extension("o");
        makefile.push_str(&rule(&object, &source, &read(&source)?));
        objects.push(object);
    }
    let path = folder.join("Makefile");
    // Every object depends on it, so it is left alone when it is right.
    if fs::read_to_string(&path).map_or(true, |old| old != makefile) {
        fs::write(&path, makefile).map_err(|error| error.to_string())?;
    }
    let jobs = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    run(Command::new("make")
        .args(["--silent", &format!("-j{jobs}"), "-C"])
        .arg(&folder))?;
    Ok(objects)
}

/// How make gets an object. A few tests take in private sources of libuv's, which want private
/// headers; these tests alone see libuv's folder behind this library's.
fn rule(object: &Path, source: &Path, text: &str) -> String {
    let private = text.contains("#include \"../src/");
    format!(
        "all: {object}\n\
         {object}: {source} Makefile $(ours)/uv.h $(wildcard $(ours)/uv/*.h)\n\
         \t$(cc) $(flags) -I$(ours){more} -c -o $@ $<\n",
        object = object.display(),
        source = source.display(),
        more = if private { " -idirafter $(theirs)" } else { "" },
    )
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A variable of the file in which cmake keeps a target's flags.
fn variable<'a>(flags: &'a str, name: &str) -> &'a str {
    flags
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))
        .map_or("", str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flags() {
        let flags = "# comment\nC_DEFINES = -DX=1 -D_GNU_SOURCE\n\nC_FLAGS = -O3 -std=gnu11\n";
        assert_eq!(variable(flags, "C_DEFINES"), "-DX=1 -D_GNU_SOURCE");
        assert_eq!(variable(flags, "C_FLAGS"), "-O3 -std=gnu11");
        assert_eq!(variable(flags, "C_INCLUDES"), "");
    }

    #[test]
    fn only_tests_of_private_sources_see_private_headers() {
        let made = |text| rule(Path::new("/o/a.o"), Path::new("/s/a.c"), text);
        assert!(!made("#include \"uv.h\"\n").contains("theirs"));
        assert!(made("#include \"../src/idna.c\"\n").contains("-idirafter $(theirs)"));
    }

    #[test]
    fn reads_inodes() {
        let maps = "7f00-7f01 r-xp 00000000 fe:00 1234   /tmp/side/libuv.so.1\n\
                    7f02-7f03 r-xp 00000000 fe:00 99     /lib/libc.so.6\n";
        assert_eq!(inodes(maps), [1234]);
    }
}
