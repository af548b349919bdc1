//! The binary packages: built without a network by a Rust of Debian's, and tried in a folder.

use std::path::Path;
use std::process::Command;

use super::Package;
use crate::Outcome;
use crate::msrv::Toolchain;
use crate::targets::machine::{Builder, Machine};
use crate::tools::{self, run};

/// The library, what programs are built with, and the command with the instruments; `-dbgsym` has
/// the debug information.
pub const NAMES: [&str; 4] = ["libuv1", "libuv1-dev", "libuv1-dbgsym", "oxuv"];

impl Package {
    /// Builds, and has lintian look at the result.
    pub fn build(&self, root: &Path) -> Outcome {
        tools::need(&[("unshare", "util-linux"), ("lintian", "lintian")])?;
        let tools = Tools::prepare(root, self.machine)?;
        let building = terminal::working("building the packages, without a network");
        let mut build = without_network();
        build.current_dir(self.tree());
        // No check for the packages of Rust: it is unpacked only.
        build.args(["dpkg-buildpackage", "-us", "-uc", "-b", "-d"]);
        if let Some(machine) = self.machine {
            build.arg(format!("-a{}", machine.name));
        }
        tools.toolchain().prepare(&mut build);
        run(build.env_remove("CARGO_TARGET_DIR").env_remove("MAKEFLAGS"))?;
        drop(building);
        for name in NAMES {
            let file = self.deb(name);
            if !file.exists() {
                return Err(format!("dpkg-buildpackage made no {}", file.display()));
            }
            println!("  {}", file.display());
        }
        let changes = format!("oxuv_{}_{}.changes", self.version, self.architecture());
        for file in [self.file("dsc"), self.folder.join(changes)] {
            let output = run(Command::new("lintian")
                .args(["--allow-root", "--fail-on", "error"])
                .arg(file))?;
            print!("{}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(())
    }

    /// Unpacks them into a folder, builds a program with what is there, and runs it.
    pub fn check(&self, root: &Path) -> Outcome {
        tools::need(&[("cc", "gcc"), ("pkg-config", "pkg-config")])?;
        let tools = Tools::prepare(root, self.machine)?;
        let installed = self.folder.join("installed");
        let _ = std::fs::remove_dir_all(&installed);
        for name in NAMES {
            run(Command::new("dpkg")
                .arg("-x")
                .arg(self.deb(name))
                .arg(&installed))?;
        }
        let libraries = installed.join("usr/lib").join(match self.machine {
            Some(machine) => machine.multiarch(),
            None => "x86_64-linux-gnu",
        });
        let file = libraries.join("libuv.so.1.0.0");
        let dynamic = run(Command::new("readelf").arg("-d").arg(&file))?;
        if !String::from_utf8_lossy(&dynamic.stdout).contains("soname: [libuv.so.1]") {
            return Err(format!("{}: the soname is not libuv.so.1", file.display()));
        }
        let flags = run(Command::new("pkg-config")
            .args(["--cflags", "--libs", "libuv"])
            .env("PKG_CONFIG_LIBDIR", libraries.join("pkgconfig"))
            .env("PKG_CONFIG_SYSROOT_DIR", &installed))?;
        let flags = String::from_utf8_lossy(&flags.stdout).into_owned();
        let program = self.folder.join("program");
        let compiler = tools.compiler();
        run(Command::new(&compiler[0])
            .args(&compiler[1..])
            .arg("-o")
            .arg(&program)
            .arg(root.join("tests/abi/installed.c"))
            .arg(format!("-I{}", installed.join("usr/include").display()))
            .args(flags.split_whitespace()))?;
        run(tools
            .command(root, &program)
            .arg(&file)
            .env("LD_LIBRARY_PATH", &libraries))?;
        if let Tools::Own(_) = tools {
            self.check_command(&installed, &program, &file)?;
        }
        println!("a program was built with them, and runs");
        Ok(())
    }
}

impl Package {
    /// The command runs a program on the library, which finds its instruments.
    fn check_command(&self, installed: &Path, program: &Path, library: &Path) -> Outcome {
        let trace = self.folder.join("trace.json");
        let _ = std::fs::remove_file(&trace);
        let output = run(Command::new(installed.join("usr/bin/oxuv"))
            .args(["run", "--trace"])
            .args([&trace, program])
            .arg(library))?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        match told.contains(" ran on ") && trace.exists() {
            true => Ok(()),
            false => Err(format!("oxuv run: {told}")),
        }
    }
}

/// The compilers that build the packages, and programs with them: those of this machine, or those
/// for another one.
enum Tools {
    Own(Toolchain),
    Cross(Builder),
}

impl Tools {
    fn prepare(root: &Path, machine: Option<&'static Machine>) -> Result<Tools, String> {
        Ok(match machine {
            None => Tools::Own(Toolchain::ensure(root)?),
            Some(machine) => Tools::Cross(machine.prepare(root)?),
        })
    }

    fn toolchain(&self) -> &Toolchain {
        match self {
            Tools::Own(toolchain) => toolchain,
            Tools::Cross(builder) => &builder.toolchain,
        }
    }

    /// The C compiler, and the options that its programs are linked with.
    fn compiler(&self) -> Vec<String> {
        match self {
            Tools::Own(_) => vec!["cc".into()],
            Tools::Cross(builder) => builder.machine.linker(),
        }
    }

    /// A command that runs a program which was built with that compiler.
    fn command(&self, root: &Path, program: &Path) -> Command {
        match self {
            Tools::Own(_) => Command::new(program),
            Tools::Cross(builder) => builder.command(root, program),
        }
    }
}

/// A command that sees no network device but loopback, which is down.
fn without_network() -> Command {
    let mut command = Command::new("unshare");
    if tools::need_root("").is_err() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "--"]);
    command
}
