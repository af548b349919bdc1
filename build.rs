//! Link arguments of the shared library, and the name it is loaded by.

use std::path::PathBuf;
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
