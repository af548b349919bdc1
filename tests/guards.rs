//! The tests as a whole: what `docs/guards.md` names exists, and no function of the API is left out
//! of the C tests.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use abi_tables::prototypes;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The C tests' sources by their names, without comments and the insides of strings.
fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("c_tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "c") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            sources.insert(name, code_of(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    sources
}

/// C without its comments, and with every string empty.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
        } else if rest.starts_with('/') {
            code.push('/');
            rest = &rest[1..];
        } else {
            code.push_str("\"\"");
            rest = after_literal(rest);
        }
    }
    code.push_str(rest);
    code
}

/// What comes after the string or character that `text` begins with.
fn after_literal(text: &str) -> &str {
    let quote = text.as_bytes()[0];
    let mut at = 1;
    while at < text.len() && text.as_bytes()[at] != quote {
        at += if text.as_bytes()[at] == b'\\' { 2 } else { 1 };
    }
    text.get(at + 1..).unwrap_or("")
}

/// `file::test` of every Rust test beside this one.
fn rust_tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "rs") {
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            for after in text.split("#[test]\nfn ").skip(1) {
                let name = after.split('(').next().unwrap();
                tests.insert(format!("{file}::{name}"));
            }
        }
    }
    tests
}

/// `file::test` of every C test.
fn tests_of(sources: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (file, code) in sources {
        for line in code.lines().filter(|line| line.starts_with("TEST_")) {
            let Some((kind, name)) = line.split_once('(') else {
                continue;
            };
            let name = name.split([')', ',']).next().unwrap();
            if kind == "TEST_FS" {
                tests.insert(format!("{file}::{name}_sync"));
                tests.insert(format!("{file}::{name}_async"));
            } else {
                tests.insert(format!("{file}::{name}"));
            }
        }
    }
    tests
}

#[test]
fn every_test_that_the_guards_name_exists() {
    let mut tests = tests_of(&sources());
    tests.extend(rust_tests());
    let text = std::fs::read_to_string(root().join("docs/guards.md")).unwrap();
    let named: BTreeSet<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.contains("::"))
        .collect();
    assert!(named.len() > 50, "the table is not read any more");
    let missing: Vec<&&str> = named
        .iter()
        .filter(|test| !tests.contains(**test))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn every_row_of_the_guards_names_a_test() {
    let text = std::fs::read_to_string(root().join("docs/guards.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let without: Vec<&str> = rows
        .filter(|row| !row.contains("::") && !row.contains("---") && !row.ends_with("test |"))
        .collect();
    assert!(without.is_empty(), "{without:#?}");
}

/// How a function's name is used in the tests.
#[derive(Default)]
struct Use {
    is_called: bool,
    /// Not a statement of its own: something is done with what it returns.
    has_checked_result: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether what stands before a call ends a statement, so that the call is one.
fn begins_statement(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty()
        || before.ends_with([';', '{', '}', ')', ':'])
        || ["else", "do"].iter().any(|word| before.ends_with(word))
}

fn uses(code: &str, found: &mut BTreeMap<String, Use>) {
    let mut at = 0;
    while at < code.len() {
        let length = code[at..].bytes().take_while(|&byte| is_word(byte)).count();
        if length == 0 {
            at += code[at..].chars().next().unwrap().len_utf8();
            continue;
        }
        let (word, before, after) = (&code[at..at + length], &code[..at], &code[at + length..]);
        at += length;
        let is_called = after.starts_with('(');
        // FS(stat, …) of fs.h is uv_fs_stat in all its forms, whose result is asked for.
        if is_called && (word == "FS" || word == "FS_KEEP") {
            let name = after[1..].split([',', ')']).next().unwrap();
            let this = found.entry(format!("uv_fs_{name}")).or_default();
            (this.is_called, this.has_checked_result) = (true, true);
        }
        // Handed to a helper, which calls it.
        let is_handed_on = after.starts_with([',', ')']) && before.trim_end().ends_with(['(', ',']);
        if word.starts_with("uv_") && (is_called || is_handed_on) {
            let this = found.entry(word.into()).or_default();
            this.is_called = true;
            this.has_checked_result |= !is_called || !begins_statement(before);
        }
    }
}

#[test]
fn every_function_is_called_and_its_result_checked() {
    let mut found = BTreeMap::new();
    for code in sources().values() {
        uses(code, &mut found);
    }
    let functions = prototypes::read(root()).unwrap();
    assert_eq!(functions.len(), 319);
    let mut wrong = Vec::new();
    for function in functions {
        let name = function.name;
        match found.get(&name) {
            None => wrong.push(format!("{name}: never called")),
            Some(used) if function.returns != "void" && !used.has_checked_result => {
                wrong.push(format!("{name}: its result is never checked"));
            }
            Some(used) => assert!(used.is_called),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
