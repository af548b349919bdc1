//! `bindings HEADER [clang arguments]`: the Rust bindings that bindgen makes of a header's
//! functions, types and constants whose names begin with `uv` or `UV`, with its default settings.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(header) = arguments.next() else {
        eprintln!("usage: bindings HEADER [clang arguments]");
        return ExitCode::from(2);
    };
    let builder = bindgen::Builder::default()
        .header(header)
        .clang_args(arguments)
        .allowlist_item("(uv|UV).*")
        .generate_comments(false)
        .formatter(bindgen::Formatter::None);
    match builder.generate() {
        Ok(bindings) => {
            println!("{bindings}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
