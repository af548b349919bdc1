//! A Rust program depends on this crate as on any other, whatever its panics do.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

use std::path::Path;
use std::process::{Command, Output};

const MAIN: &str = r#"
    use std::ffi::CStr;

    unsafe extern "C" fn on_timer(timer: *mut uv::abi::uv_timer_t) {
        unsafe { (*timer).data = timer.cast() };
    }

    fn main() {
        let version = unsafe { CStr::from_ptr(uv::uv_version_string()) };
        let mut timer = std::mem::MaybeUninit::<uv::abi::uv_timer_t>::zeroed();
        let timer = timer.as_mut_ptr();
        unsafe {
            let event_loop = uv::uv_default_loop();
            assert_eq!(uv::uv_timer_init(event_loop, timer), 0);
            assert_eq!(uv::uv_timer_start(timer, Some(on_timer), 1, 0), 0);
            assert_eq!(uv::uv_run(event_loop, uv::abi::UV_RUN_DEFAULT), 0);
            assert_eq!((*timer).data, timer.cast());
        }
        // A panic is the program's own.
        let own = std::panic::catch_unwind(|| panic!("of the program"));
        println!("{} {}", version.to_str().unwrap(), own.is_err());
    }
"#;

/// A crate with an ordinary dependency on this one; what `cargo run` makes of it.
fn run(panic: &str) -> Output {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dependent-{panic}"));
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let manifest = format!(
        "[package]\nname = \"dependent\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n\
         [dependencies]\noxuv = {{ path = {root:?} }}\n\n\
         [profile.dev]\npanic = \"{panic}\"\n"
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/main.rs"), MAIN).unwrap();
    // The versions that are here already.
    std::fs::copy(format!("{root}/Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    Command::new(env!("CARGO"))
        .current_dir(&folder)
        .args(["run", "--quiet", "--offline", "--target-dir", "target"])
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_program_whose_panics_unwind_runs() {
    let output = run("unwind");
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let expected = format!("{} true\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&output.stdout), expected);
    assert!(errors.contains("of the program"), "{errors}");
}

#[test]
fn a_program_whose_panics_abort_runs() {
    let output = run("abort");
    let errors = text(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("of the program"), "{errors}");
    assert!(!errors.contains("oxuv"), "{errors}");
}
