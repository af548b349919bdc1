//! `cargo xtask abi`: what a program sees of the library, compared by abidiff with what it sees of
//! libuv. The libraries are compared by their debug information, and the headers by what a C
//! compiler makes of them. Then copies of ours are spoiled, to see that abidiff would report it.
//! The headers' macros are compared, and the Rust bindings that bindgen makes of the headers.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::tools;
use crate::upstream::Upstream;
use crate::{bindings, document, macros};

const SUPPRESSIONS: &str = "conformance/abi.suppr";

/// Something to do to a description of our library, that abidiff has to notice.
struct Damage {
    what: &'static str,
    /// The first line of a block of the description, and the last.
    block: (&'static str, &'static str),
    /// The text to replace in the block, once. `None`: the whole block goes.
    change: Option<(&'static str, &'static str)>,
}

const TIMER: (&str, &str) = (
    "<class-decl name='uv_timer_s' size-in-bits=",
    "</class-decl>",
);
const BIND: (&str, &str) = ("<function-decl name='uv_tcp_bind'", "</function-decl>");

const DAMAGES: &[Damage] = &[
    Damage {
        what: "a function is gone",
        block: BIND,
        change: None,
    },
    Damage {
        what: "a struct has grown",
        block: TIMER,
        change: Some(("size-in-bits='1216'", "size-in-bits='1280'")),
    },
    Damage {
        what: "a member has moved",
        block: TIMER,
        change: Some(("layout-offset-in-bits='64'", "layout-offset-in-bits='72'")),
    },
    Damage {
        what: "a function returns another type",
        block: BIND,
        change: Some(("<return type-id='", "<return type-id='type-id-1' was='")),
    },
];

#[derive(clap::Args)]
pub struct Options {
    /// Put what was compared into docs/compatibility.md
    #[arg(long)]
    write: bool,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    // bindgen loads the library that comes with clang.
    tools::need(&[
        ("cc", "gcc"),
        ("abidiff", "abigail-tools"),
        ("clang", "clang"),
    ])?;
    let folder = root.join("target/abi");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let building = terminal::working("building both libraries with debug information");
    let upstream = Upstream::with_debug_information(root)?;
    let theirs = upstream.library()?;
    let ours = build(root, &folder)?;
    drop(building);
    let names = functions(&theirs)?;
    let missing = missing(&names, &functions(&ours)?);
    if !missing.is_empty() {
        return Err(format!("functions that are missing: {}", missing.join(" ")));
    }
    println!("  {} functions, all there", names.len());
    let more = self::missing(&needed(&ours)?, &needed(&theirs)?);
    if !more.is_empty() {
        return Err(format!("libraries to load beside: {}", more.join(" ")));
    }
    let short = short(&imports(&ours)?, &imports(&theirs)?);
    if !short.is_empty() {
        return Err(format!("called by another name: {}", short.join(" ")));
    }
    println!("  libc's functions for files are called by the same names");
    let [their_headers, our_headers] = [&upstream.source, root].map(|from| from.join("include"));
    let [their_types, our_types] = [
        types(&folder, "header-libuv", &their_headers, &names)?,
        types(&folder, "header-oxuv", &our_headers, &names)?,
    ];
    compare(root, &folder, "libraries", theirs, ours)?;
    compare(root, &folder, "headers", their_types, our_types)?;
    macros::compare(&their_headers, &our_headers)?;
    bindings::compare(root, &folder, &their_headers, &our_headers)?;
    if options.write {
        document::write_section(root, document::COMPATIBILITY, "abi", &section(names.len()))?;
    }
    Ok(())
}

/// Compares two files, and proves that differences would have been reported.
fn compare(
    root: &Path,
    folder: &Path,
    what: &'static str,
    theirs: PathBuf,
    ours: PathBuf,
) -> Outcome {
    let pair = Pair { what, theirs, ours };
    pair.compare(root)?;
    for damage in DAMAGES.iter().filter(|damage| pair.has(damage)) {
        pair.notice(root, folder, damage)?;
    }
    Ok(())
}

/// The release build with everything about types in its debug information.
fn build(root: &Path, folder: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    tools::run(
        Command::new(cargo)
            .current_dir(root)
            .env("CARGO_PROFILE_RELEASE_DEBUG", "2")
            .env("CARGO_PROFILE_RELEASE_SPLIT_DEBUGINFO", "off")
            // Has no part in types, and takes long.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .args(["build", "--release", "--lib", "--no-default-features"])
            .args(["--quiet", "--target-dir"])
            .arg(folder),
    )?;
    let library = folder.join("release/libuv.so");
    library
        .canonicalize()
        .map_err(|error| format!("{}: {error}", library.display()))
}

/// The functions of libuv's that a shared library offers.
fn functions(library: &Path) -> Result<Vec<String>, String> {
    let mut names = symbols(library, "--defined-only")?;
    names.retain(|name| name.starts_with("uv_"));
    Ok(names)
}

/// The functions that it takes from other libraries.
fn imports(library: &Path) -> Result<Vec<String>, String> {
    symbols(library, "--undefined-only")
}

fn symbols(library: &Path, which: &str) -> Result<Vec<String>, String> {
    let output = tools::run(
        Command::new("nm")
            .args(["--dynamic", which, "--format=posix"])
            .arg(library),
    )?;
    Ok(names(&String::from_utf8_lossy(&output.stdout)))
}

/// Names in order, and without versions.
fn names(output: &str) -> Vec<String> {
    let mut names: Vec<String> = output
        .lines()
        .filter_map(|line| line.split([' ', '@']).next())
        .map(String::from)
        .collect();
    names.sort_unstable();
    names
}

/// Functions that ours imports by the short name, and theirs by the one for large files (`open64`).
/// Shims that replace what libuv calls would not see it.
fn short(ours: &[String], theirs: &[String]) -> Vec<String> {
    let is_short = |name: &&String| theirs.contains(&format!("{name}64"));
    ours.iter().filter(is_short).cloned().collect()
}

/// The libraries that are loaded with a library, which every program pays for when it starts.
fn needed(library: &Path) -> Result<Vec<String>, String> {
    let output = tools::run(
        Command::new("readelf")
            .args(["--dynamic", "--wide"])
            .arg(library),
    )?;
    let mut needed: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_string()))
        .collect();
    needed.sort_unstable();
    Ok(needed)
}

/// The names that one list has and the other has not; both are in order.
fn missing(theirs: &[String], ours: &[String]) -> Vec<String> {
    let is_missing = |name: &&String| ours.binary_search(name).is_err();
    theirs.iter().filter(is_missing).cloned().collect()
}

/// A library with a pointer to every function, which brings in every type that a program can
/// reach by the header.
fn types(
    folder: &Path,
    name: &str,
    include: &Path,
    functions: &[String],
) -> Result<PathBuf, String> {
    let mut text = String::from("#include <uv.h>\n");
    for function in functions {
        let _ = writeln!(text, "__typeof__({function})* type_of_{function};");
    }
    let source = folder.join("types.c");
    std::fs::write(&source, text).map_err(|error| error.to_string())?;
    let library = folder.join(name).with_extension("so");
    tools::run(
        Command::new("cc")
            .args(["-g", "-shared", "-fPIC", "-I"])
            .arg(include)
            .arg("-o")
            .args([&library, &source]),
    )?;
    Ok(library)
}

/// The report of abidiff; `None` if there is no difference.
fn differences(root: &Path, theirs: &Path, ours: &Path) -> Result<Option<String>, String> {
    let output = Command::new("abidiff")
        .args(["--no-added-syms", "--suppr"])
        .arg(root.join(SUPPRESSIONS))
        .args([theirs, ours])
        .output()
        .map_err(|error| format!("abidiff: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => Ok(None),
        // Bits: 1 error, 2 misuse, 4 a change, 8 an incompatible one.
        Some(status) if status & 3 == 0 => Ok(Some(text)),
        _ => Err(format!(
            "abidiff: {}\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Two files to compare. The headers' file names start with `header`, by which the suppressions
/// know them.
struct Pair {
    what: &'static str,
    theirs: PathBuf,
    ours: PathBuf,
}

impl Pair {
    fn compare(&self, root: &Path) -> Outcome {
        match differences(root, &self.theirs, &self.ours)? {
            None => {
                println!("  the {} agree", self.what);
                Ok(())
            }
            Some(text) => Err(format!("the {} differ:\n{text}", self.what)),
        }
    }

    /// Whether there is something to damage: the headers' file has no functions, just types.
    fn has(&self, damage: &Damage) -> bool {
        self.what == "libraries" || damage.block == TIMER
    }

    /// Proves that abidiff reports a damage.
    fn notice(&self, root: &Path, folder: &Path, damage: &Damage) -> Outcome {
        let good = folder.join(format!("{}-good.abi", self.what));
        tools::run(
            Command::new("abidw")
                .arg("--out-file")
                .arg(&good)
                .arg(&self.ours),
        )?;
        let text = std::fs::read_to_string(&good).map_err(|error| error.to_string())?;
        let spoiled = spoil(&text, damage)
            .ok_or_else(|| format!("`{}`: nothing to try it on", damage.what))?;
        let bad = folder.join(format!("{}-bad.abi", self.what));
        std::fs::write(&bad, spoiled).map_err(|error| error.to_string())?;
        if differences(root, &self.theirs, &good)?.is_some() {
            return Err("abidiff finds differences in a mere description of our side".into());
        }
        match differences(root, &self.theirs, &bad)? {
            Some(_) => {
                println!("  noticed when {}", damage.what);
                Ok(())
            }
            None => Err(format!("abidiff does not notice when {}", damage.what)),
        }
    }
}

/// The description with the damage done.
fn spoil(text: &str, damage: &Damage) -> Option<String> {
    let (first, last) = damage.block;
    let begin = text.find(first)?;
    let end = begin + text[begin..].find(last)? + last.len();
    let block = &text[begin..end];
    let changed = match damage.change {
        None => String::new(),
        Some((old, new)) if block.contains(old) => block.replacen(old, new, 1),
        Some(_) => return None,
    };
    let mut spoiled = format!("{}{changed}{}", &text[..begin], &text[end..]);
    if damage.change.is_none() {
        let name = first.split('\'').nth(1)?;
        let symbol = format!("<elf-symbol name='{name}'");
        spoiled = spoiled
            .lines()
            .filter(|line| !line.contains(&symbol))
            .collect::<Vec<_>>()
            .join("\n");
    }
    Some(spoiled)
}

fn section(functions: usize) -> String {
    let mut text = format!(
        "`cargo xtask abi` compares, with `abidiff` of Debian's abigail-tools:\n\n\
         | what | result |\n|---|---|\n\
         | functions of libuv's shared library | all {functions} are there |\n\
         | the functions for files that it calls | the same names as libuv's, such as `open64` |\n\
         | the libraries, by their debug information | no function or type differs |\n\
         | the headers, as a C compiler sees them | no function or type differs |\n\
         | the headers' macros, by the preprocessor | none is missing, the maps have the same rows |\n\
         | Rust bindings, by bindgen as C and as C++ | no name, constant, layout or signature differs |\n"
    );
    for damage in DAMAGES {
        let _ = writeln!(
            text,
            "| a spoiled copy of ours: {} | noticed |",
            damage.what
        );
    }
    let _ = write!(
        text,
        "\nWhat it is to pass over, and why, is in `{SUPPRESSIONS}`."
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<abi>\n<elf-symbol name='uv_tcp_bind' type='func'/>\n\
        <function-decl name='uv_tcp_bind' x>\n<return type-id='type-id-10'/>\n</function-decl>\n\
        <class-decl name='uv_timer_s' size-in-bits='1216'>\n\
        <data-member layout-offset-in-bits='64'/>\n</class-decl>\n</abi>";

    #[test]
    fn every_damage_spoils() {
        for damage in DAMAGES {
            let spoiled = spoil(TEXT, damage).unwrap();
            assert_ne!(spoiled, TEXT, "{}", damage.what);
        }
        let gone = spoil(TEXT, &DAMAGES[0]).unwrap();
        assert!(!gone.contains("uv_tcp_bind"), "{gone}");
        assert!(spoil("<abi/>", &DAMAGES[0]).is_none());
    }

    #[test]
    fn finds_what_is_missing() {
        let theirs = names("uv_b T 10 4\nuv_a T 0 4\n");
        assert_eq!(theirs, ["uv_a", "uv_b"]);
        assert_eq!(missing(&theirs, &names("uv_b T 0 4\n")), ["uv_a"]);
    }

    #[test]
    fn finds_short_names() {
        let theirs = names("open64@GLIBC_2.2.5 U\nread U\nstat64 U\n");
        assert_eq!(theirs, ["open64", "read", "stat64"]);
        assert_eq!(
            short(&names("open U\nread U\nstat64 U\n"), &theirs),
            ["open"]
        );
        assert!(short(&theirs, &theirs).is_empty());
    }
}
