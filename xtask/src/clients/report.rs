//! The report at the terminal, and the table in docs/compatibility.md.

use std::path::Path;
use std::time::Duration;

use super::Check;
use crate::Outcome;

/// The outcome of a check, over all its runs.
pub struct Row {
    client: &'static str,
    package: String,
    name: &'static str,
    claim: &'static str,
    runs: u32,
    failures: u32,
}

impl Row {
    pub fn new(client: &'static str, package: &str, version: &str, check: &Check) -> Row {
        Row {
            client,
            package: format!("{package} {version}"),
            name: check.name,
            claim: check.claim,
            runs: 0,
            failures: 0,
        }
    }

    /// Notes a run, and prints its outcome.
    pub fn add(&mut self, result: Result<String, String>, time: Duration) {
        self.runs += 1;
        let seconds = time.as_secs_f32();
        match result {
            Ok(text) => println!("  ok      {:24} {seconds:5.1} s  {text}", self.name),
            Err(error) => {
                self.failures += 1;
                println!("  FAILED  {:24} {seconds:5.1} s  {error}", self.name);
            }
        }
    }

    pub fn passed(&self) -> bool {
        self.runs > 0 && self.failures == 0
    }
}

pub fn summary(rows: &[Row]) {
    println!();
    for row in rows {
        let verdict = if row.passed() { "passed" } else { "FAILED" };
        println!(
            "{verdict} {:>3}/{:<3} {:16} {:24} {}",
            row.runs - row.failures,
            row.runs,
            row.client,
            row.name,
            row.claim
        );
    }
    println!();
}

const BEGIN: &str = "<!-- clients:begin -->";
const END: &str = "<!-- clients:end -->";

/// Puts the table between the marks in docs/compatibility.md.
pub fn write(root: &Path, rows: &[Row]) -> Outcome {
    let path = root.join("docs/compatibility.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "# Compatibility\n".into());
    std::fs::write(&path, replace(&text, &table(rows)))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

const INTRODUCTION: &str = "
`cargo xtask clients`: programs as Debian packages them, which map this library in place of libuv, \
and two bindings compiled against it. Each check runs in a network of its own with loopback only.

";

fn table(rows: &[Row]) -> String {
    let mut text = String::from(INTRODUCTION);
    text += "| client | package | what passes |\n|---|---|---|\n";
    for row in rows {
        text += &format!("| {} | {} | {} |\n", row.client, row.package, row.claim);
    }
    text
}

/// The document with another section between the marks, which are added when missing.
fn replace(document: &str, section: &str) -> String {
    let section = format!("{BEGIN}\n{section}{END}");
    match (document.find(BEGIN), document.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            let after = &document[end + END.len()..];
            format!("{}{section}{after}", &document[..begin])
        }
        _ => format!(
            "{}\n\n## Programs of Debian 12\n\n{section}\n",
            document.trim_end()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_section_changes() {
        let first = replace("# Title\n\ntext\n", "a\n");
        assert!(first.starts_with("# Title\n\ntext\n\n## "));
        assert!(first.ends_with(&format!("{BEGIN}\na\n{END}\n")));
        let more = format!("{first}\nafter\n");
        let second = replace(&more, "b\n");
        assert!(second.contains(&format!("{BEGIN}\nb\n{END}\n\nafter\n")));
        assert!(!second.contains("\na\n"));
    }
}
