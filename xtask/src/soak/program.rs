//! The C program of `xtask/soak/`, the library that it runs on, and the file that makes it meet
//! mistakes: in a folder of this command's own, where nobody builds anew while it runs for an hour.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{self, Library};

const SOURCES: [&str; 7] = [
    "main.c", "data.c", "peers.c", "client.c", "server.c", "files.c", "jobs.c",
];

/// A folder of this process's own, gone with this value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: PathBuf) -> Result<Folder, String> {
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Program {
    /// Has `libuv.so.1`, and all that follows.
    pub folder: Folder,
    pub path: PathBuf,
    /// To be loaded before the library.
    pub mutants: PathBuf,
}

impl Program {
    /// Compiles the program for a library, and takes a copy of the `libuv.so.1` that it is to run on.
    pub fn build(root: &Path, library: &Library, run_on: &Path) -> Result<Program, String> {
        let folder = root.join(format!("target/soak/{}", std::process::id()));
        let folder = Folder::new(folder)?;
        let wanted = run_on.join("libuv.so.1");
        std::fs::copy(&wanted, folder.join("libuv.so.1"))
            .map_err(|error| format!("{}: {error}", wanted.display()))?;
        let program = Program {
            path: folder.join("soak"),
            mutants: folder.join("mutants.so"),
            folder,
        };
        let sources = root.join("xtask/soak");
        let mut cc = compiler(library);
        cc.args(SOURCES.map(|name| sources.join(name)));
        cc.arg("-o").arg(&program.path);
        cc.arg(library.file()?).arg("-lpthread");
        tools::run(&mut cc)?;
        let mut cc = compiler(library);
        cc.args(["-shared", "-fPIC"]).arg(sources.join("mutants.c"));
        tools::run(cc.arg("-o").arg(&program.mutants).arg("-ldl"))?;
        Ok(program)
    }
}

fn compiler(library: &Library) -> Command {
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g"]);
    cc.args(["-Wall", "-Wextra", "-Werror"]);
    cc.arg(format!("-I{}", library.include.display()));
    cc
}
