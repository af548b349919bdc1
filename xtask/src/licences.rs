//! `cargo xtask licences`: every crate of the workspace is one that `deny.toml` allows, and
//! `docs/sbom.cdx.json` (CycloneDX) lists what is compiled into the libraries.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::deny::Rules;
use crate::tools;

const SBOM: &str = "docs/sbom.cdx.json";

/// What may be compiled into the libraries, and so into programs under any licence.
const ANYWHERE: &[&str] = &["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];

#[derive(Debug, PartialEq)]
struct Crate {
    name: String,
    version: String,
    licence: String,
}

#[derive(clap::Args)]
pub struct Options {
    /// Write nothing, and fail where docs/sbom.cdx.json is stale
    #[arg(long)]
    check: bool,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    let inside = tree(root, &["--package", "oxuv", "--edges", "normal"])?;
    let all = tree(root, &["--workspace", "--target", "all", "--all-features"])?;
    let rules = Rules::read(root)?;
    rules.check(root)?;
    let tools: Vec<&str> = rules.licences.iter().map(String::as_str).collect();
    for (crates, allowed) in [(&inside, ANYWHERE), (&all, &tools[..])] {
        if let Some(found) = crates.iter().find(|one| !is_allowed(&one.licence, allowed)) {
            return Err(format!(
                "{} {}: its licence is not allowed there: `{}`",
                found.name, found.version, found.licence
            ));
        }
    }
    println!("{} crates, {} of them compiled in", all.len(), inside.len());
    let text = sbom(&tools::version(root)?, &inside);
    let file = root.join(SBOM);
    if !options.check {
        return std::fs::write(&file, text).map_err(|error| format!("{SBOM}: {error}"));
    }
    match std::fs::read_to_string(&file) {
        Ok(written) if written == text => Ok(()),
        _ => Err(format!("{SBOM} is stale: cargo xtask licences writes it")),
    }
}

/// The crates that cargo names, in order and each once.
fn tree(root: &Path, arguments: &[&str]) -> Result<Vec<Crate>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = tools::run(
        Command::new(cargo)
            .current_dir(root)
            .args(["tree", "--locked", "--prefix", "none"])
            .args(["--format", "{p}|{l}"])
            .args(arguments),
    )?;
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines such as `libc v0.2.1 (proc-macro) (*)|MIT OR Apache-2.0`.
fn parse(printed: &str) -> Vec<Crate> {
    let one = |line: &str| {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split(' ');
        Some(Crate {
            name: words.next()?.to_string(),
            version: words.next()?.strip_prefix('v')?.to_string(),
            licence: licence.trim_end_matches("(*)").trim().to_string(),
        })
    };
    let mut crates: Vec<Crate> = printed.lines().filter_map(one).collect();
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    crates.dedup();
    crates
}

/// Whether a licence of a choice is allowed, of each choice that an expression demands.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let choice = |choice: &str| {
        let choice = choice.trim_matches(|c| matches!(c, '(' | ')' | ' '));
        let names = choice.split('/').flat_map(|part| part.split(" OR "));
        names.into_iter().any(|name| allowed.contains(&name.trim()))
    };
    expression.split(" AND ").all(choice)
}

fn sbom(version: &str, inside: &[Crate]) -> String {
    let mut components = Vec::new();
    for one in inside.iter().filter(|one| one.name != "oxuv") {
        let (name, version) = (&one.name, &one.version);
        components.push(component(
            name,
            &format!("\"version\": \"{version}\", \"purl\": \"pkg:cargo/{name}@{version}\", "),
            &one.licence,
        ));
    }
    // They come with the compiler, and have its version.
    for name in ["alloc", "compiler_builtins", "core"] {
        components.push(component(
            name,
            "\"group\": \"rust-lang\", ",
            "MIT OR Apache-2.0",
        ));
    }
    let mut text = String::from(
        "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,\n",
    );
    let own = format!("\"version\": \"{version}\", \"purl\": \"pkg:cargo/oxuv@{version}\", ");
    let _ = writeln!(
        text,
        "  \"metadata\": {{\n    \"component\": {}\n  }},",
        component("oxuv", &own, "MIT")
    );
    let _ = writeln!(
        text,
        "  \"components\": [\n    {}\n  ]\n}}",
        components.join(",\n    ")
    );
    text
}

fn component(name: &str, more: &str, licence: &str) -> String {
    format!(
        "{{ \"type\": \"library\", \"name\": \"{name}\", {more}\"licenses\": [{{ \"expression\": \"{licence}\" }}] }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_tree_are_read_once() {
        let printed = "b v1.0.0 (proc-macro)|MIT\na v0.2.1|MIT OR Apache-2.0\na v0.2.1|MIT OR Apache-2.0 (*)\n";
        let crates = parse(printed);
        let names: Vec<&str> = crates.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(crates[0].licence, "MIT OR Apache-2.0");
    }

    #[test]
    fn one_of_each_choice_has_to_be_allowed() {
        assert!(is_allowed("MIT OR Apache-2.0", &["MIT"]));
        assert!(is_allowed("MIT/Apache-2.0", &["MIT"]));
        assert!(is_allowed(
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            &["MIT", "Unicode-3.0"]
        ));
        assert!(!is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &["MIT"]));
        assert!(!is_allowed("GPL-3.0", &["MIT"]));
        assert!(!is_allowed("", &["MIT"]));
    }
}
