//! The documents for people: what they name exists, links lead somewhere, and each C test file has
//! its place.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that are no part of the project's own text.
const LEFT_OUT: &[&str] = &["target", ".git"];

/// Records of what was once, which may name what is gone.
const RECORDS: &[&str] = &[
    "CHANGELOG.md",
    "benches/notes.md",
    "docs/performance.md",
    "docs/compatibility.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() && !LEFT_OUT.contains(&name.as_str()) {
            files_below(&path, found);
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).unwrap().to_path_buf());
        }
    }
}

/// Every file of the repository, by its path from the root.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below(root(), &mut found);
    found
}

/// The documents and their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let all = files().into_iter();
    let found: Vec<_> = all
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .map(|path| (path.clone(), read(&path)))
        .collect();
    assert!(found.len() > 10, "the documents are not found any more");
    found
}

/// The documents that describe the present state, without records of the past.
fn current_documents() -> impl Iterator<Item = (PathBuf, String)> {
    documents()
        .into_iter()
        .filter(|(path, _)| !RECORDS.iter().any(|record| path == Path::new(record)))
}

/// The text of blocks between ``` of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, block) in text.split("```").enumerate() {
        let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
        if index % 2 == 1 && first == language {
            found.push(rest.to_string());
        }
    }
    found
}

/// What stands between backquotes outside of blocks.
fn codes(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    let codes = prose
        .iter()
        .flat_map(|part| part.split('`').skip(1).step_by(2));
    codes.map(str::to_string).collect()
}

/// The anchor that a heading has on a page.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// What is wrong with a link of a document.
fn fault_of_link(document: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => document.to_path_buf(),
        file => document.parent().unwrap().join(file),
    };
    if !root().join(&path).exists() {
        return Some(format!("{}: {target} is not there", document.display()));
    }
    let has_anchor = wanted.is_empty()
        || read(&path)
            .lines()
            .any(|line| line.starts_with('#') && anchor(line) == wanted);
    (!has_anchor).then(|| format!("{}: {target} has no such heading", document.display()))
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for link in text.split("](").skip(1) {
            links += 1;
            wrong.extend(fault_of_link(&path, link.split(')').next().unwrap()));
        }
    }
    assert!(links > 20, "links are not found any more");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a word in backquotes is the name of a file of this repository.
fn is_file_name(word: &str) -> bool {
    const ENDS: &[&str] = &["rs", "c", "cc", "md", "tsv", "toml", "in", "suppr", "supp"];
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    let end = word.rsplit_once('.').map_or("", |(_, end)| end);
    word.chars().all(is_plain) && !word.starts_with('.') && word != "main.rs" && ENDS.contains(&end)
}

/// Whether a file is there: from the root, or anywhere by the end of its path.
fn is_there(word: &str, files: &[PathBuf]) -> bool {
    files.iter().any(|path| path.ends_with(word))
}

#[test]
fn files_that_documents_name_are_there() {
    let files = files();
    let mut named = 0;
    let mut missing = Vec::new();
    for (path, text) in current_documents() {
        for word in codes(&text).iter().filter(|word| is_file_name(word)) {
            named += 1;
            if !is_there(word, &files) {
                missing.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(named > 100, "names of files are not found any more");
    assert!(missing.is_empty(), "no such files: {missing:#?}");
}

/// The commands in blocks and backquotes of current documents, without comments.
fn commands() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, text) in current_documents() {
        let blocks = blocks(&text, "sh");
        let lines = blocks.iter().flat_map(|block| block.lines());
        let all = lines.map(str::to_string).chain(codes(&text));
        found.extend(all.map(|line| line.split(" #").next().unwrap().trim().to_string()));
    }
    found
}

/// The first word after each occurrence of `before` in a command.
fn words_after<'a>(command: &'a str, before: &str) -> Vec<&'a str> {
    command
        .split(before)
        .skip(1)
        .map(|rest| rest.split([' ', '`']).next().unwrap())
        .collect()
}

fn xtask_commands() -> BTreeSet<String> {
    let text = read("xtask/src/main.rs");
    let variants = text.split("enum Command {\n").nth(1).unwrap();
    let variants = variants.split("\n}").next().unwrap();
    let lines = variants.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with("///"))
        .map(|line| kebab(line.split(['(', ',']).next().unwrap()))
        .collect()
}

/// `NodeTiming` as clap calls it: `node-timing`.
fn kebab(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What is wrong with a command.
fn fault_of_command(command: &str, xtask: &BTreeSet<String>) -> Option<String> {
    for name in words_after(command, "cargo xtask ") {
        if !xtask.contains(name) && !name.starts_with('<') {
            return Some(format!("{command}: cargo xtask has no {name}"));
        }
    }
    for name in words_after(command, "--test ") {
        let places = [format!("tests/{name}.rs"), format!("tests/{name}/main.rs")];
        if !places.iter().any(|place| root().join(place).exists()) {
            return Some(format!("{command}: there is no tests/{name}.rs"));
        }
    }
    let c_tests = command.contains("--test c_tests -- ");
    let filter = c_tests.then(|| words_after(command, " -- ")[0]);
    if let Some((file, test)) = filter.and_then(|filter| filter.split_once("::")) {
        let source = root().join(format!("c_tests/{file}.c"));
        let text = std::fs::read_to_string(source).unwrap_or_default();
        if text.is_empty() || (!test.is_empty() && !text.contains(&format!("({test})"))) {
            return Some(format!("{command}: there is no C test {file}::{test}"));
        }
    }
    if command.starts_with("cargo bench -- ") {
        let options = command.split(' ').skip(3);
        for option in options.filter(|word| word.starts_with("--")) {
            if !bench_results::options::Options::has(option) {
                return Some(format!("{command}: cargo bench has no {option}"));
            }
        }
    }
    for name in words_after(command, "--package ") {
        let folders = ["xtask", "benches/suite", "cli"];
        let manifests = folders.map(|folder| read(format!("{folder}/Cargo.toml")));
        let is_name = |text: &String| text.contains(&format!("name = \"{name}\""));
        if !manifests.iter().any(is_name) {
            return Some(format!("{command}: there is no package {name}"));
        }
    }
    None
}

#[test]
fn commands_that_documents_name_exist() {
    let xtask = xtask_commands();
    assert!(
        xtask.contains("headers") && xtask.contains("node-timing"),
        "{xtask:?}"
    );
    let commands = commands();
    let wrong: Vec<String> = commands
        .iter()
        .filter_map(|command| fault_of_command(command, &xtask))
        .collect();
    assert!(commands.iter().any(|line| line.starts_with("cargo bench")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn variables_that_documents_name_are_read() {
    let mut code = String::new();
    for path in files() {
        let is_code = path.extension().is_some_and(|end| end == "rs");
        if is_code && !path.ends_with("documents.rs") {
            code += &read(path);
        }
    }
    let is_name = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    let mut wrong = BTreeSet::new();
    for (_, text) in current_documents() {
        for rest in text.split("OXUV_").skip(1) {
            let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
            let name = format!("OXUV_{}", &rest[..end]);
            // A macro of the C tests, or the beginning that all have.
            if name != "OXUV_" && name != "OXUV_ONLY" && !code.contains(&name) {
                wrong.insert(name);
            }
        }
    }
    assert!(wrong.is_empty(), "nothing reads {wrong:?}");
}

/// Whether `name` is what `pattern` says, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[test]
fn each_file_of_the_c_tests_has_one_place() {
    let text = read("c_tests/README.md");
    let rows = text.lines().filter(|line| line.starts_with("| "));
    // The last column of each row.
    let places = rows.filter_map(|row| row.trim_end_matches(" |").rsplit("| ").next());
    let patterns: Vec<String> = places.flat_map(codes).collect();
    let mut files = Vec::new();
    files_below(&root().join("c_tests"), &mut files);
    let names: Vec<&str> = files
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .filter(|name| !name.ends_with(".md"))
        .collect();
    assert!(names.len() > 50, "the C tests are not found any more");
    let mut wrong = Vec::new();
    for name in &names {
        let places = patterns.iter().filter(|pattern| matches(pattern, name));
        match places.count() {
            0 => wrong.push(format!("{name} is in no row")),
            1 => {}
            _ => wrong.push(format!("{name} is in several rows")),
        }
    }
    for pattern in &patterns {
        if pattern.starts_with('*') || !names.iter().any(|name| matches(pattern, name)) {
            wrong.push(format!("{pattern} stands for no file, or for any"));
        }
    }
    assert!(wrong.is_empty(), "c_tests/README.md: {wrong:#?}");
}

#[test]
fn the_example_of_a_c_test_compiles() {
    let text = read("c_tests/README.md");
    let example = &blocks(&text, "c")[0];
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("example_of_a_test.c");
    std::fs::write(&file, example).unwrap();
    let output = Command::new("cc")
        .args(["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"])
        .args(["-Wno-unused-parameter", "-fsyntax-only"])
        .args(["-Ic_tests", "-Iinclude"])
        .arg(file)
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn the_steps_of_the_gate_are_those_of_the_document() {
    let script = read(".ci/run");
    let steps = script
        .lines()
        .filter_map(|line| line.strip_prefix("step \""));
    let steps: Vec<&str> = steps
        .map(|step| step.trim_end_matches('"'))
        .filter(|step| *step != "everything passed")
        .collect();
    let text = read("CONTRIBUTING.md");
    let section = text.split("## What the gate runs").nth(1).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    let listed: Vec<&str> = rows
        .skip(1)
        .map(|row| row[2..].split(" | ").next().unwrap())
        .collect();
    assert_eq!(steps, listed);
}

#[test]
fn the_first_commands_of_the_readme_are_the_demo_and_the_tests() {
    let text = read("README.md");
    let blocks = blocks(&text, "sh");
    let commands: Vec<&str> = blocks[0]
        .lines()
        .map(|line| line.split('#').next().unwrap().trim())
        .collect();
    assert_eq!(commands, ["cargo xtask demo", "cargo test"]);
}

/// `cargo bench -- --rewrite` writes it.
#[test]
fn the_chart_of_the_readme_is_that_of_the_record() {
    let record = root().join("benches/recorded.tsv");
    let recorded = bench_results::record::Recorded::read(&record).unwrap();
    let chart = bench_results::highlights::chart(&recorded);
    assert!(chart == read("docs/performance-highlights.svg"), "stale");
    assert!(read("README.md").contains("](docs/performance-highlights.svg)"));
}

#[test]
fn the_changelog_knows_this_version() {
    let heading = format!("\n## {}", env!("CARGO_PKG_VERSION"));
    assert!(read("CHANGELOG.md").contains(&heading));
}

#[test]
fn terms_of_the_glossary_are_used() {
    let mut text = String::new();
    for path in files() {
        if path.starts_with("src") || path.ends_with("ARCHITECTURE.md") {
            text += &read(path).to_lowercase().replace('_', " ");
        }
    }
    let glossary = read("docs/glossary.md");
    let rows = glossary.lines().filter(|line| line.starts_with("| "));
    let terms: Vec<&str> = rows
        .skip(1)
        .map(|row| row[2..].split(" | ").next().unwrap())
        .collect();
    assert!(terms.len() >= 25, "the terms are not found any more");
    let mut sorted = terms.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), terms.len(), "a term stands twice");
    let unused: Vec<_> = terms.iter().filter(|term| !text.contains(**term)).collect();
    assert!(unused.is_empty(), "nothing uses {unused:?}");
}

/// The rules above find what breaks them.
#[test]
fn breaches_are_noticed() {
    let xtask = BTreeSet::from([String::from("demo")]);
    let is_wrong = |command: &str| fault_of_command(command, &xtask).is_some();
    assert!(is_wrong("cargo xtask nothing"));
    assert!(!is_wrong("cargo xtask demo --portable-poller"));
    assert!(is_wrong("cargo test --test nothing"));
    assert!(is_wrong("cargo test --test c_tests -- nothing::"));
    assert!(is_wrong("cargo test --test c_tests -- timer::nothing"));
    assert!(!is_wrong("cargo test --test c_tests -- timer::"));
    assert!(is_wrong("cargo bench -- --nothing"));
    assert!(is_wrong("cargo test --package nothing"));
    let readme = Path::new("README.md");
    assert!(fault_of_link(readme, "docs/nothing.md").is_some());
    assert!(fault_of_link(readme, "ARCHITECTURE.md#nothing").is_some());
    assert!(fault_of_link(readme, "ARCHITECTURE.md#rules").is_none());
    assert!(is_file_name("stream/nothing.rs") && !is_there("stream/nothing.rs", &files()));
    assert!(matches("fs_*.c", "fs_a.c") && !matches("fs_*.c", "fs.c"));
}
