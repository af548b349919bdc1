//! The kinds of machines that Debian has beside amd64, and what is needed to build for one: Rust's
//! standard library, fetched into `target/`, and a C compiler.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::emulation::Emulator;
use crate::msrv::Toolchain;
use crate::tools;

/// A kind of machine.
pub struct Machine {
    /// Debian's name.
    pub name: &'static str,
    /// Rust's name of the target.
    pub triple: &'static str,
    /// Rust's name of the processor, by which the table of layouts is called.
    pub processor: &'static str,
    /// The prefix of its C compiler, and the folder below `/usr` with its C library.
    gnu: &'static str,
    /// Debian's packages of the compiler and of the C library.
    packages: [&'static str; 2],
    /// What loads its programs, in the folder of its C library; none if its compiler knows.
    loader: Option<&'static str>,
    /// The version of Rust whose standard library Debian has for it; none if Debian has none.
    rust: Option<&'static str>,
    /// The program that runs its programs; none where this machine does.
    pub emulator: Option<Emulator>,
}

/// All of them; those that need no emulator first.
pub const MACHINES: &[Machine] = &[
    Machine {
        name: "i386",
        triple: "i686-unknown-linux-gnu",
        processor: "x86",
        gnu: "i686-linux-gnu",
        packages: ["gcc-i686-linux-gnu", "libc6-dev-i386-cross"],
        loader: Some("ld-linux.so.2"),
        rust: Some("1.85"),
        emulator: None,
    },
    Machine {
        name: "arm64",
        triple: "aarch64-unknown-linux-gnu",
        processor: "aarch64",
        gnu: "aarch64-linux-gnu",
        packages: ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        loader: Some("ld-linux-aarch64.so.1"),
        rust: Some("1.96"),
        emulator: Some(Emulator {
            program: "qemu-aarch64",
            is_64_bit: true,
            is_big_endian: false,
            elf_machine: 183,
        }),
    },
    Machine {
        name: "armhf",
        triple: "armv7-unknown-linux-gnueabihf",
        processor: "arm",
        gnu: "arm-linux-gnueabihf",
        packages: ["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"],
        loader: Some("ld-linux-armhf.so.3"),
        rust: Some("1.85"),
        emulator: Some(Emulator {
            program: "qemu-arm",
            is_64_bit: false,
            is_big_endian: false,
            elf_machine: 40,
        }),
    },
    Machine {
        name: "ppc64el",
        triple: "powerpc64le-unknown-linux-gnu",
        processor: "powerpc64",
        gnu: "powerpc64le-linux-gnu",
        packages: ["gcc-powerpc64le-linux-gnu", "libc6-dev-ppc64el-cross"],
        loader: Some("ld64.so.2"),
        rust: Some("1.85"),
        emulator: Some(Emulator {
            program: "qemu-ppc64le",
            is_64_bit: true,
            is_big_endian: false,
            elf_machine: 21,
        }),
    },
    Machine {
        name: "s390x",
        triple: "s390x-unknown-linux-gnu",
        processor: "s390x",
        gnu: "s390x-linux-gnu",
        packages: ["gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"],
        loader: Some("ld64.so.1"),
        rust: Some("1.85"),
        emulator: Some(Emulator {
            program: "qemu-s390x",
            is_64_bit: true,
            is_big_endian: true,
            elf_machine: 22,
        }),
    },
    // Not another machine, but another C library.
    Machine {
        name: "musl",
        triple: "x86_64-unknown-linux-musl",
        processor: "x86_64-musl",
        gnu: "x86_64-linux-musl",
        packages: ["musl-tools", "musl-dev"],
        loader: None,
        rust: None,
        emulator: None,
    },
];

/// What builds for a machine.
pub struct Builder {
    pub machine: &'static Machine,
    pub toolchain: Toolchain,
    /// A folder for what is made, below the project's `target`.
    pub folder: PathBuf,
}

impl Machine {
    pub fn named(name: &str) -> Option<&'static Machine> {
        MACHINES.iter().find(|machine| machine.name == name)
    }

    /// Its emulator, if this process has to arrange for it.
    pub fn missing_emulator(&'static self) -> Option<&'static Emulator> {
        self.emulator
            .as_ref()
            .filter(|emulator| !emulator.is_at_hand())
    }

    /// The C compiler.
    pub fn compiler(&self) -> String {
        format!("{}-gcc", self.gnu)
    }

    /// The C compiler, and the options that programs are linked with.
    pub fn linker(&self) -> Vec<String> {
        let mut words = vec![self.compiler()];
        words.extend(self.link_flags());
        words
    }

    /// The name of the folder that Debian has its libraries in.
    pub fn multiarch(&self) -> &'static str {
        match self.name {
            "i386" => "i386-linux-gnu",
            _ => self.gnu,
        }
    }

    /// The options of the C compiler: files may be large, as libuv is built. With 64 bits they may be
    /// anyway, and the option would only rename functions.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = self.link_flags();
        let is_64_bit = self
            .emulator
            .as_ref()
            .is_some_and(|emulator| emulator.is_64_bit);
        if !is_64_bit {
            flags.push(String::from("-D_FILE_OFFSET_BITS=64"));
        }
        if self.has_own_linker() {
            // The kernel's headers are beside those of the machine's own C library.
            for folder in ["/usr/include", "/usr/include/x86_64-linux-gnu"] {
                flags.extend([String::from("-idirafter"), folder.into()]);
            }
        }
        flags
    }

    /// What a program is linked with, to find the C library where this machine has it.
    pub fn link_flags(&self) -> Vec<String> {
        let Some(loader) = self.loader else {
            return Vec::new();
        };
        let libraries = self.libraries();
        let libraries = libraries.display();
        vec![
            format!("-Wl,--dynamic-linker={libraries}/{loader}"),
            format!("-Wl,-rpath,{libraries}"),
        ]
    }

    /// Whether its compiler knows how programs are linked that run here.
    pub fn has_own_linker(&self) -> bool {
        self.loader.is_none()
    }

    fn libraries(&self) -> PathBuf {
        Path::new("/usr").join(self.gnu).join("lib")
    }

    fn toolchain(&self, root: &Path) -> Result<Toolchain, String> {
        let Some(version) = self.rust else {
            return Toolchain::installed(self.triple);
        };
        let fetch = || {
            let toolchain = Toolchain::of_version(root, version)?;
            toolchain.add_target(self.name)?;
            Ok(toolchain)
        };
        fetch().map_err(|error: String| not_fetched(&error))
    }

    /// Gets what is needed to build for it.
    pub fn prepare(&'static self, root: &Path) -> Result<Builder, String> {
        let [compiler, library] = self.packages;
        let libc = match self.loader {
            Some(_) => self.libraries().join("libc.so.6"),
            None => Path::new("/usr/lib").join(self.gnu).join("libc.a"),
        };
        tools::need(&[
            (&self.compiler(), compiler),
            (&libc.to_string_lossy(), library),
        ])?;
        if let Some(emulator) = &self.emulator {
            tools::need(&[(emulator.program, "qemu-user"), ("unshare", "util-linux")])?;
        }
        let toolchain = self.toolchain(root)?;
        let folder = root.join("target/targets").join(self.name);
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Builder {
            machine: self,
            toolchain,
            folder,
        })
    }
}

/// What apt says, in a line: its first complaint tells most.
fn not_fetched(error: &str) -> String {
    let is_complaint = |line: &&str| line.starts_with("E: ");
    let line = error.lines().find(is_complaint);
    let line = line.or(error.lines().next()).unwrap_or_default();
    format!("Debian's packages cannot be fetched: {line}")
}

impl Builder {
    /// The cargo of the machine's toolchain.
    pub fn cargo(&self, root: &Path) -> Command {
        let cargo = self.toolchain.cargo();
        let mut command = self.command(root, cargo.get_program());
        self.toolchain.prepare(&mut command);
        command
    }

    /// A command that can run the machine's programs, and have a cargo link them.
    pub fn command(&self, root: &Path, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.machine.emulator {
            None => Command::new(program),
            Some(emulator) => {
                let mut command = emulator.command();
                command.arg(program);
                command
            }
        };
        command.current_dir(root);
        command.env_remove("CARGO_BUILD_TARGET");
        command.env_remove("CARGO_TARGET_DIR");
        command.env(self.linker_variable(), self.machine.compiler());
        command
    }

    /// The variable that tells a cargo what links for the machine.
    pub fn linker_variable(&self) -> String {
        let triple = self.machine.triple.replace('-', "_").to_uppercase();
        format!("CARGO_TARGET_{triple}_LINKER")
    }

    /// The folder with the toolchain's `bin`.
    pub fn toolchain(&self) -> PathBuf {
        self.toolchain.folder()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_says_is_one_line() {
        let error = "apt-get: exit status: 100\nE: No way to the archive\nE: Unable to lock\n";
        assert!(not_fetched(error).ends_with("cannot be fetched: E: No way to the archive"));
        assert!(not_fetched("apt-get is not installed").ends_with(": apt-get is not installed"));
    }
}
