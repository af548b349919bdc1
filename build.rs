//! Link arguments of the shared library, and the name it is loaded by.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// The name that programs linked to libuv ask the loader for.
const SONAME: &str = "libuv.so.1";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    // Nothing that would keep it loaded: plug-ins take it out again by dlclose().
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,relro,-z,now");
    // By it debuggers find the debug information, which is kept apart when it is installed.
    println!("cargo::rustc-cdylib-link-arg=-Wl,--build-id=sha1");
    // Where two libuvs are in one process, each calls its own functions, at its end too.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic-functions");
    link_soname();
    if env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("musl") {
        // Without std Rust names it for glibc only.
        println!("cargo::rustc-cdylib-link-arg=-lc");
    }
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("powerpc64") {
        assemble("src/sys/personality.s");
    }
}

/// Has the C compiler's assembler make what Rust assembles on other machines. On PowerPC it does so
/// from Rust 1.95 on.
fn assemble(source: &str) {
    println!("cargo::rerun-if-changed={source}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let compiler = env::var_os("RUSTC_LINKER").unwrap_or("cc".into());
    let object = out.join("assembled.o");
    run(Command::new(compiler)
        .args(["-c", source, "-o"])
        .arg(&object));
    run(Command::new("ar")
        .arg("crs")
        .args([out.join("libassembled.a"), object]));
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static:+whole-archive=assembled");
}

fn run(command: &mut Command) {
    let status = command.status();
    assert!(
        status.as_ref().is_ok_and(|status| status.success()),
        "{command:?}: {status:?}"
    );
}

/// Cargo writes `libuv.so` only, while every program asks for the soname: without this link
/// beside it, `LD_LIBRARY_PATH` on the target folder would silently load the system's libuv.
fn link_soname() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // <target>/<profile>/build/<package>-<hash>/out
    let Some(profile_dir) = out.ancestors().nth(3) else {
        return;
    };
    for dir in [profile_dir.to_path_buf(), profile_dir.join("deps")] {
        let link = dir.join(SONAME);
        let _ = fs::remove_file(&link);
        if let Err(error) = std::os::unix::fs::symlink("libuv.so", &link) {
            println!("cargo::warning=cannot make {}: {error}", link.display());
        }
    }
}
