//! `oxuv check`: which functions of libuv a file needs, and which of them behave otherwise here.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::ExitCode;

use crate::differences;
use crate::elf::Facts;
use crate::line::CheckOptions;

/// The functions of this library, one a line, with types behind them.
const FUNCTIONS: &str = include_str!("../../tests/abi/prototypes.tsv");

/// How many names of functions are in a line.
const NAMES_A_LINE: usize = 4;

/// All functions that this library has.
fn functions() -> BTreeSet<&'static str> {
    let lines = FUNCTIONS.lines().skip(1);
    lines.filter_map(|line| line.split('\t').next()).collect()
}

pub fn run(options: &CheckOptions) -> Result<ExitCode, String> {
    let facts = Facts::read(&options.file)?;
    let (text, is_complete) = told(&options.file.display().to_string(), &facts);
    print!("{text}");
    Ok(match is_complete {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

/// What is to be said of a file, and whether all is there that it needs.
fn told(file: &str, facts: &Facts) -> (String, bool) {
    let mut text = String::new();
    if facts.needs.is_empty() {
        text.push_str(&without_needs(file, facts));
        return (text, true);
    }
    let known = functions();
    let missing: Vec<&str> = facts
        .needs
        .iter()
        .map(String::as_str)
        .filter(|name| !known.contains(name))
        .collect();
    let count = facts.needs.len();
    let _ = writeln!(text, "{file} needs {} of libuv:", functions_text(count));
    let needs: Vec<&str> = facts.needs.iter().map(String::as_str).collect();
    text.push_str(&columns(&needs));
    if missing.is_empty() {
        let _ = writeln!(text, "\nThis library has all of them.");
    } else {
        let _ = writeln!(
            text,
            "\nThis library lacks {}:",
            functions_text(missing.len())
        );
        text.push_str(&columns(&missing));
    }
    if !facts.asks_for_library() {
        let _ = writeln!(
            text,
            "\nThe file does not name libuv.so.1: what loads it has to have a libuv."
        );
    }
    add_differences(&mut text, &facts.needs);
    (text, missing.is_empty())
}

/// What is to be said of a file that takes no function of libuv from elsewhere.
fn without_needs(file: &str, facts: &Facts) -> String {
    match (&facts.note, facts.is_libuv(), facts.asks_for_library()) {
        (Some(note), ..) => format!("{file} needs no other libuv: it is, or has in it, {note}\n"),
        (None, true, _) => format!(
            "{file} needs no other libuv: it has one in it. It does not run on this library, unless \
             it is linked anew.\n"
        ),
        (None, false, true) => {
            format!("{file} loads libuv.so.1, and calls none of its functions by name\n")
        }
        (None, false, false) if facts.has_symbols => format!("{file} needs no libuv\n"),
        (None, false, false) => format!(
            "{file} needs no libuv, unless one is linked into it: its table of functions is \
             stripped\n"
        ),
    }
}

fn add_differences(text: &mut String, needs: &BTreeSet<String>) {
    let all = differences::all();
    let (general, special): (Vec<_>, Vec<_>) = all.iter().partition(|row| row.is_general());
    let special: Vec<_> = special
        .into_iter()
        .filter(|row| needs.iter().any(|function| row.concerns(function)))
        .collect();
    if special.is_empty() {
        let _ = writeln!(text, "\nNone of them behaves otherwise than in libuv.");
    } else {
        let _ = writeln!(text, "\nWhat behaves otherwise than in libuv:");
    }
    for row in special {
        let _ = writeln!(
            text,
            "\n  {}\n    libuv: {}\n    here:  {}",
            row.place, row.libuv, row.here
        );
    }
    let _ = writeln!(
        text,
        "\n{} more differences are about no single function: docs/differences.md has them.",
        general.len()
    );
}

fn functions_text(count: usize) -> String {
    match count {
        1 => "1 function".to_string(),
        _ => format!("{count} functions"),
    }
}

/// Names in columns.
fn columns(names: &[&str]) -> String {
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0) + 2;
    let mut text = String::new();
    for line in names.chunks(NAMES_A_LINE) {
        let line: String = line.iter().map(|name| format!("{name:width$}")).collect();
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(needs: &[&str]) -> Facts {
        Facts {
            needs: needs.iter().map(|name| name.to_string()).collect(),
            libraries: vec!["libuv.so.1".to_string()],
            has_symbols: true,
            ..Facts::default()
        }
    }

    #[test]
    fn all_functions_are_known() {
        assert_eq!(functions().len(), 319);
    }

    #[test]
    fn what_is_missing_is_told() {
        let (text, is_complete) = told("a", &facts(&["uv_run", "uv_of_tomorrow"]));
        assert!(!is_complete);
        assert!(
            text.contains("lacks 1 function:\n  uv_of_tomorrow\n"),
            "{text}"
        );
        assert!(told("a", &facts(&["uv_run"])).1);
    }

    #[test]
    fn differences_of_what_is_needed_are_told() {
        let (text, _) = told("a", &facts(&["uv_walk"]));
        assert!(text.contains("`uv_walk` within a walk"), "{text}");
        assert!(!text.contains("uv_pipe_chmod"), "{text}");
    }

    #[test]
    fn files_without_needs_are_told_apart() {
        let mut none = facts(&[]);
        none.libraries.clear();
        assert_eq!(told("a", &none).0, "a needs no libuv\n");
        none.has_symbols = false;
        assert!(told("a", &none).0.contains("stripped"));
        none.has.insert("uv_run".to_string());
        assert!(told("a", &none).0.contains("has one in it"));
        none.note = Some("oxuv 1.53.0".to_string());
        assert!(told("a", &none).0.contains("oxuv 1.53.0"));
    }
}
