//! The bindings are what bindgen makes of the header.

use std::env;
use std::path::PathBuf;

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let include = manifest.join("../../include");
    println!("cargo::rerun-if-changed={}", include.display());
    // For build scripts of dependents that compile C: DEP_UV_INCLUDE.
    println!("cargo::metadata=include={}", include.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    bindgen::Builder::default()
        .header(include.join("uv.h").display().to_string())
        .clang_arg(format!("-I{}", include.display()))
        .allowlist_item("(uv|UV)_.*")
        .layout_tests(false)
        .generate()
        .expect("bindgen reads the header by libclang: apt-get install libclang-dev")
        .write_to_file(out.join("bindings.rs"))
        .expect("OUT_DIR can be written to");
}
