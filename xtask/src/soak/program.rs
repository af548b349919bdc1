//! The C program of `xtask/soak/`, and the file that makes it meet mistakes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{self, Library};

const SOURCES: [&str; 7] = [
    "main.c", "data.c", "peers.c", "client.c", "server.c", "files.c", "jobs.c",
];

pub struct Program {
    pub path: PathBuf,
    /// To be loaded before the library.
    pub mutants: PathBuf,
}

impl Program {
    pub fn build(root: &Path, library: &Library) -> Result<Program, String> {
        let folder = root.join("target/soak");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let program = Program {
            path: folder.join("soak"),
            mutants: folder.join("mutants.so"),
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
