//! Bindings that are compiled against this library: its header, its `pkg-config` file.

use std::path::PathBuf;
use std::process::Command;

use super::{Check, Client, Workshop};
use crate::Outcome;
use crate::tools::run;

pub const UVLOOP: Client = Client {
    name: "uvloop-built",
    packages: &[
        "python3-dev",
        "python3-pip",
        "python3-setuptools",
        "python3-wheel",
        "pkg-config",
        "gcc",
        "libc6-dev",
        "procps",
        "openssl",
    ],
    prepare: Some(build_uvloop),
    checks: &[
        Check {
            name: "streams",
            claim: "PyPI's uvloop, compiled against this library: streams",
            command: &["python3", "@../uvloop/streams.py"],
            environment: PATHS,
        },
        Check {
            name: "datagrams",
            claim: "PyPI's uvloop: datagrams",
            command: &["python3", "@../uvloop/datagrams.py"],
            environment: PATHS,
        },
        Check {
            name: "subprocesses",
            claim: "PyPI's uvloop: subprocesses",
            command: &["python3", "@../uvloop/subprocesses.py"],
            environment: PATHS,
        },
        Check {
            name: "signals",
            claim: "PyPI's uvloop: signals",
            command: &["python3", "@../uvloop/signals.py"],
            environment: PATHS,
        },
        Check {
            name: "executors",
            claim: "PyPI's uvloop: executors, timers, names, forks",
            command: &["python3", "@../uvloop/executors.py"],
            environment: PATHS,
        },
    ],
};

/// Before Debian's own, should that be there as well.
const PATHS: &[(&str, &str)] = &[("PYTHONPATH", "%uvloop")];

pub const ADDON: Client = Client {
    name: "addon",
    packages: &["libnode-dev", "nodejs"],
    prepare: Some(build_addon),
    checks: &[Check {
        name: "napi",
        claim: "a native addon of Node's, compiled with this library's header, works on Node's loop",
        command: &["node", "@addon.js"],
        environment: &[],
    }],
};

fn build_uvloop(workshop: &Workshop) -> Outcome {
    let prefix = install(workshop)?;
    let made = workshop.made("uvloop-built");
    let script = workshop.scripts("uvloop-built").join("build.sh");
    let words = [&script, &made, &prefix].map(|path| path.to_string_lossy().into_owned());
    let _compiling = terminal::working("  compiling uvloop");
    run(&mut workshop.command(&["sh", &words[0], &words[1], &words[2]])).map(drop)
}

fn build_addon(workshop: &Workshop) -> Outcome {
    let made = workshop.made("addon");
    std::fs::create_dir_all(&made).map_err(|error| format!("{}: {error}", made.display()))?;
    let _compiling = terminal::working("  compiling the addon");
    run(Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"])
        // As node-gyp does: what the addon calls is found in the process that loads it.
        .args(["-shared", "-fPIC", "-o"])
        .arg(made.join("addon.node"))
        .arg(workshop.scripts("addon").join("addon.c"))
        .arg(format!("-I{}", workshop.library.include.display()))
        .arg("-isystem")
        .arg(workshop.packages.join("usr/include/node")))
    .map(drop)
}

/// Installs the library as its users do; the prefix.
fn install(workshop: &Workshop) -> Result<PathBuf, String> {
    let prefix = workshop.made("prefix");
    run(Command::new("make")
        .arg("-C")
        .arg(&workshop.root)
        .args(["-s", "install"])
        .arg(format!("PREFIX={}", prefix.display()))
        .arg(format!("BUILD_DIR={}", workshop.library.folder.display())))?;
    Ok(prefix)
}
