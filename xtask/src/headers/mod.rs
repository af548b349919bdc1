//! `cargo xtask headers`: the C headers from the Rust source, and the man pages from the headers.
//!
//! `header/` holds one template for each header: its text, in the order of the API's chapters,
//! with lines that start with `%%` where generated text goes (see [`template`]). Declarations
//! and their comments come from `src/`, printed by cbindgen; constants, enumerations and the
//! table of errors come from the syntax of `src/abi/`. What is placed nowhere, or twice, is an
//! error. The result is committed under `include/`; `--check` fails when it is stale.

mod cdecl;
mod comment;
mod fields;
mod source;
mod template;

use std::fs;
use std::path::{Path, PathBuf};

use abi_tables::prototypes;

/// The headers, relative to `include/`; the template of each is `header/<name>.in`.
const HEADERS: &[&str] = &[
    "uv/version.h",
    "uv/errno.h",
    "uv/threadpool.h",
    "uv/linux.h",
    "uv/tree.h",
    "uv/unix.h",
    "uv.h",
];

#[derive(clap::Args)]
pub struct Options {
    /// Write nothing, and fail where include/, man/ or the command's completions are stale
    #[arg(long)]
    check: bool,
}

pub fn run(root: &Path, options: &Options) -> Result<(), String> {
    let mut stale = Vec::new();
    for (path, text) in generate(root)? {
        let file = root.join("include").join(&path);
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        if options.check {
            stale.push(format!("include/{path}"));
            continue;
        }
        let folder = file.parent().unwrap_or(root);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, text));
        written.map_err(|e| format!("{}: {e}", file.display()))?;
    }
    stale.extend(crate::man::write(root, options.check)?);
    if stale.is_empty() || !options.check {
        return Ok(());
    }
    Err(format!(
        "these are stale: {}; run `cargo xtask headers` and commit the result",
        stale.join(", ")
    ))
}

/// The sources that the templates are filled from.
struct Sources {
    abi: source::Abi,
    functions: Vec<source::EntryPoints>,
    items: cdecl::Items,
    prototypes: Vec<prototypes::Prototype>,
}

impl Sources {
    fn read(root: &Path) -> Result<Sources, String> {
        let abi = source::read_abi(&source::rust_files(&root.join("src/abi"))?)?;
        let mut functions = Vec::new();
        for file in source::rust_files(&root.join("src"))? {
            let mut found = source::entry_points(&file)?;
            found.file = relative(root, &file);
            functions.push(found);
        }
        let items = cdecl::items(&abi, &functions)?;
        let prototypes = prototypes::read(root)?;
        Ok(Sources {
            abi,
            functions,
            items,
            prototypes,
        })
    }

    fn page(&self) -> Result<template::Page<'_>, String> {
        template::Page::new(&self.abi, &self.items, &self.functions, &self.prototypes)
    }
}

/// All headers: path below `include/`, and text.
fn generate(root: &Path) -> Result<Vec<(String, String)>, String> {
    let sources = Sources::read(root)?;
    let mut page = sources.page()?;
    let mut out = Vec::new();
    for header in HEADERS {
        let path = root.join("header").join(format!("{header}.in"));
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let filled = page
            .fill(&text)
            .map_err(|e| format!("header/{header}.in: {e}"))?;
        out.push((header.to_string(), filled));
    }
    page.finish()?;
    Ok(out)
}

fn relative(root: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(root).unwrap_or(file).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_names_too_much_or_too_little_is_refused() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let sources = Sources::read(root).unwrap();
        let mut page = sources.page().unwrap();
        let placed = page.fill("%% functions src/poll.rs\n").unwrap();
        assert!(placed.contains("uv_poll_init("), "{placed}");

        // A file that does not exist, one without functions, and one whose functions were placed
        // before.
        for path in ["src/gone.rs", "src/view.rs", "src/poll.rs"] {
            let refused = page.fill(&format!("%% functions {path}\n"));
            assert!(refused.is_err_and(|error| error.contains(path)), "{path}");
        }
        let error = page.finish().unwrap_err();
        assert!(error.contains("uv_timer_init"), "{error}");
        assert!(error.contains("uv_timer_s"), "{error}");
        assert!(error.contains("UV_RUN_DEFAULT"), "{error}");
        assert!(!error.contains("uv_poll_init"), "{error}");
    }
}
