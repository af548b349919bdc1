//! Compares bindgen's bindings of libuv's header with those of ours: equal names, constants,
//! layouts and signatures, in C and in C++. Rust programs reach the library by such bindings.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};

use crate::Outcome;
use crate::macros::Macros;
use crate::tools::run;

const PACKAGE: &str = "bindings";

/// The items of bindings by name, each with the text that must be equal.
type Things = BTreeMap<String, String>;

/// Compares the bindings of both folders of headers.
pub fn compare(root: &Path, folder: &Path, theirs: &Path, ours: &Path) -> Outcome {
    let program = build(root)?;
    let header = folder.join("bindings.h");
    std::fs::write(&header, structs_of_members(&Macros::read(theirs)?))
        .map_err(|error| format!("{}: {error}", header.display()))?;
    for (language, options) in [
        ("C", ["-xc", "-std=gnu11"]),
        ("C++", ["-xc++", "-std=gnu++17"]),
    ] {
        let read = |include: &Path| {
            let output = run(Command::new(&program)
                .arg(&header)
                .args(options)
                .arg(format!("-I{}", include.display())))?;
            things(&String::from_utf8_lossy(&output.stdout))
        };
        let (theirs, ours) = (read(theirs)?, read(ours)?);
        let different = differences(&theirs, &ours);
        if !different.is_empty() {
            let list = different.join("\n  ");
            return Err(format!(
                "bindgen, as {language}, shows differences:\n  {list}"
            ));
        }
        println!(
            "  bindgen makes equal bindings of both headers as {language}: {} items",
            theirs.len()
        );
    }
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let target = root.join("target/bindings");
    run(
        Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .args(["build", "--quiet", "--locked", "--package", PACKAGE])
            .arg("--manifest-path")
            .arg(root.join("conformance/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target),
    )?;
    Ok(target.join("debug").join(PACKAGE))
}

/// Macros that programs cannot use: libuv's uv.h undefines a part of them.
const IN_PARTS: &[&str] = &["UV_REQ_FIELDS", "UV_STREAM_FIELDS"];

/// A header with a struct for each `UV_…_FIELDS` macro of libuv's.
fn structs_of_members(macros: &Macros) -> String {
    let mut text = String::from("#include <uv.h>\n");
    let names = macros.names().filter(|name| name.ends_with("_FIELDS"));
    for name in names.filter(|name| !IN_PARTS.contains(name)) {
        let _ = writeln!(text, "struct uv_made_of_{name} {{ int first; {name} }};");
    }
    text
}

/// Takes bindings apart.
fn things(bindings: &str) -> Result<Things, String> {
    let mut file = syn::parse_file(bindings).map_err(|error| format!("bindgen: {error}"))?;
    NoNames.visit_file_mut(&mut file);
    Ok(file.items.iter().flat_map(parts).collect())
}

/// What an item consists of: name and text of each part.
fn parts(item: &syn::Item) -> Vec<(String, String)> {
    let name = match item {
        syn::Item::Const(item) if item.ident == "_" => return layouts(item),
        syn::Item::ForeignMod(block) => return block.items.iter().map(foreign).collect(),
        syn::Item::Const(item) => item.ident.to_string(),
        syn::Item::Type(item) => item.ident.to_string(),
        syn::Item::Struct(item) => item.ident.to_string(),
        syn::Item::Union(item) => item.ident.to_string(),
        other => other.to_token_stream().to_string(),
    };
    vec![(name, item.to_token_stream().to_string())]
}

fn foreign(item: &syn::ForeignItem) -> (String, String) {
    let text = item.to_token_stream().to_string();
    match item {
        syn::ForeignItem::Fn(item) => (item.sig.ident.to_string(), text),
        _ => (text.clone(), text),
    }
}

/// The sizes, alignments and offsets that bindings assert, such as
/// `["Size of uv_buf_t"][size_of::<uv_buf_t>() - 16usize]`.
fn layouts(item: &syn::ItemConst) -> Vec<(String, String)> {
    let syn::Expr::Block(block) = &*item.expr else {
        return Vec::new();
    };
    let statements = block.block.stmts.iter();
    let texts = statements.map(|statement| statement.to_token_stream().to_string());
    texts
        .map(|text| {
            let (name, value) = text.split_once(']').unwrap_or((&text, ""));
            (name.to_string(), value.to_string())
        })
        .collect()
}

/// Takes away what programs do not see: the names of parameters.
struct NoNames;

impl VisitMut for NoNames {
    fn visit_bare_fn_arg_mut(&mut self, argument: &mut syn::BareFnArg) {
        argument.name = None;
        visit_mut::visit_bare_fn_arg_mut(self, argument);
    }

    fn visit_foreign_item_fn_mut(&mut self, function: &mut syn::ForeignItemFn) {
        for argument in &mut function.sig.inputs {
            if let syn::FnArg::Typed(argument) = argument {
                *argument.pat = syn::parse_quote!(_);
            }
        }
        visit_mut::visit_foreign_item_fn_mut(self, function);
    }
}

fn differences(theirs: &Things, ours: &Things) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in theirs {
        match ours.get(name) {
            None => found.push(format!("{name} is missing")),
            Some(other) if other != value => {
                found.push(format!("{name} is\n    {other}\n  instead of\n    {value}"));
            }
            Some(_) => {}
        }
    }
    let more = ours.keys().filter(|name| !theirs.contains_key(*name));
    found.extend(more.map(|name| format!("{name} is not in libuv's")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDINGS: &str = r#"
        pub const UV_VERSION_MAJOR: u32 = 1;
        #[repr(C)]
        #[derive(Copy, Clone)]
        pub struct uv_buf_t { pub base: *mut c_char, pub len: usize }
        const _: () = {
            ["Size of uv_buf_t"][::std::mem::size_of::<uv_buf_t>() - 16usize];
            ["Offset of field: uv_buf_t::len"][::std::mem::offset_of!(uv_buf_t, len) - 8usize];
        };
        pub type uv_close_cb = ::std::option::Option<unsafe extern "C" fn(handle: *mut uv_handle_t)>;
        unsafe extern "C" { pub fn uv_buf_init(base: *mut c_char, len: c_uint) -> uv_buf_t; }
    "#;

    fn changes(old: &str, new: &str) -> Vec<String> {
        assert!(BINDINGS.contains(old), "{old}");
        let changed = BINDINGS.replacen(old, new, 1);
        differences(&things(BINDINGS).unwrap(), &things(&changed).unwrap())
    }

    #[test]
    fn reports_what_differs() {
        for (old, new, name) in [
            ("MAJOR: u32 = 1", "MAJOR: u32 = 2", "UV_VERSION_MAJOR is"),
            ("MAJOR: u32", "MAJOR: i32", "UV_VERSION_MAJOR is"),
            ("pub len: usize", "pub length: usize", "uv_buf_t is"),
            ("derive(Copy, Clone)", "derive(Clone)", "uv_buf_t is"),
            ("8usize", "4usize", "Offset of field: uv_buf_t::len"),
            ("16usize", "24usize", "Size of uv_buf_t"),
            ("fn(handle: *mut", "fn(handle: *const", "uv_close_cb is"),
            ("len: c_uint", "len: usize", "uv_buf_init is"),
        ] {
            let found = changes(old, new);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(name), "{found:?}");
        }
        let renamed = changes("struct uv_buf_t", "struct uv__buf");
        assert_eq!(
            renamed,
            ["uv_buf_t is missing", "uv__buf is not in libuv's"]
        );
    }

    #[test]
    fn names_of_parameters_are_the_same_to_programs() {
        assert!(changes("fn(handle:", "fn(arg1:").is_empty());
        assert!(
            changes(
                "base: *mut c_char, len: c_uint",
                "arg1: *mut c_char, arg2: c_uint"
            )
            .is_empty()
        );
    }
}
