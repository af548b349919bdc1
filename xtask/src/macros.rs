//! The macros that libuv's headers define, and what the maps among them expand to: ours have them
//! all.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::tools::run;

/// Macros that ours define beside those of libuv's headers, by the beginning of their names, and
/// why.
const ADDITIONAL_MACROS: &[(&str, &str)] = &[
    ("UV__RB_", "how <uv/tree.h> is made"),
    ("UV__ERR", AT_THE_END),
    ("UV_REQ_TYPE_PRIVATE", AT_THE_END),
    ("UV_ASYNC_PRIVATE_FIELDS", AT_THE_END),
    ("UV_CHECK_PRIVATE_FIELDS", AT_THE_END),
    ("UV_FS_EVENT_PRIVATE_FIELDS", AT_THE_END),
    ("UV_GETADDRINFO_PRIVATE_FIELDS", AT_THE_END),
    ("UV_GETNAMEINFO_PRIVATE_FIELDS", AT_THE_END),
    ("UV_IDLE_PRIVATE_FIELDS", AT_THE_END),
    ("UV_LOOP_PRIVATE_FIELDS", AT_THE_END),
    ("UV_PREPARE_PRIVATE_FIELDS", AT_THE_END),
    ("UV_REQ_PRIVATE_FIELDS", AT_THE_END),
    ("UV_SIGNAL_PRIVATE_FIELDS", AT_THE_END),
    ("UV_STREAM_PRIVATE_FIELDS", AT_THE_END),
    ("UV_TCP_PRIVATE_FIELDS", AT_THE_END),
    ("UV_TIMER_PRIVATE_FIELDS", AT_THE_END),
    ("UV_WORK_PRIVATE_FIELDS", AT_THE_END),
];

const AT_THE_END: &str = "defined by libuv's uv/unix.h, too, and undefined at the end of its uv.h";

/// Lists that programs expand with a macro of their own.
const MAPS: &[&str] = &["UV_ERRNO_MAP", "UV_HANDLE_TYPE_MAP", "UV_REQ_TYPE_MAP"];

/// The compiler's options for each language and set of names that the macros are compared in.
const COMPILER_OPTIONS: &[&[&str]] = &[&["-xc"], &["-xc", "-D_GNU_SOURCE"], &["-xc++"]];

/// Macros by name, with the number of their parameters if they have any.
pub struct Macros(BTreeMap<String, Option<usize>>);

impl Macros {
    /// The macros of a folder of headers, those of the system's headers included.
    pub fn read(include: &Path) -> Result<Macros, String> {
        Macros::read_as(include, &["-xc"])
    }

    fn read_as(include: &Path, options: &[&str]) -> Result<Macros, String> {
        let text = "#include <uv.h>\n#include <uv/tree.h>\n";
        Ok(Macros::parse(&preprocess(include, options, "-dM", text)?))
    }

    /// Reads lines such as `#define UV__ERR(x) (-(x))`.
    fn parse(text: &str) -> Macros {
        let defines = text
            .lines()
            .filter_map(|line| line.strip_prefix("#define "));
        let pairs = defines.map(|define| {
            let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
            let end = define.find(|c| !is_name(c)).unwrap_or(define.len());
            let (name, rest) = define.split_at(end);
            let list = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
            let parameters = list.map(|(list, _)| list.split(',').count());
            (name.to_string(), parameters)
        });
        Macros(pairs.collect())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What the preprocessor makes of a text.
fn preprocess(
    include: &Path,
    options: &[&str],
    option: &str,
    text: &str,
) -> Result<String, String> {
    let source = std::env::temp_dir().join(format!("oxuv-macros-{}.h", std::process::id()));
    std::fs::write(&source, text).map_err(|error| error.to_string())?;
    let output = run(Command::new("cc")
        .args(options)
        .args(["-E", "-P", option, "-I"])
        .arg(include)
        .arg(&source));
    let _ = std::fs::remove_file(&source);
    Ok(String::from_utf8_lossy(&output?.stdout).into_owned())
}

/// Compares the macros of both folders of headers.
pub fn compare(theirs: &Path, ours: &Path) -> Outcome {
    for options in COMPILER_OPTIONS {
        let [their_macros, our_macros] = [
            Macros::read_as(theirs, options)?,
            Macros::read_as(ours, options)?,
        ];
        let different = differences(&their_macros, &our_macros);
        if !different.is_empty() {
            return Err(format!(
                "the macros differ ({options:?}):\n  {}",
                different.join("\n  ")
            ));
        }
        for map in MAPS {
            // Nothing defines XX, so that the lists stay as they are.
            let text = format!("#include <uv.h>\nMAP: {map}(XX)\n");
            let rows = |include| preprocess(include, options, "-P", &text).map(|text| rows(&text));
            if rows(theirs)? != rows(ours)? {
                return Err(format!(
                    "{map} has other rows than libuv's, or in another order"
                ));
            }
        }
        println!("  the macros agree ({})", options.join(" "));
    }
    Ok(())
}

/// What stands behind `MAP:`, without spaces.
fn rows(text: &str) -> String {
    let map = text.split_once("MAP:").map_or("", |(_, map)| map);
    map.split_whitespace().collect()
}

fn differences(theirs: &Macros, ours: &Macros) -> Vec<String> {
    let mut found = Vec::new();
    for (name, parameters) in &theirs.0 {
        match ours.0.get(name) {
            None => found.push(format!("{name} is missing")),
            Some(other) if other != parameters => {
                found.push(format!("{name} has other parameters"));
            }
            Some(_) => {}
        }
    }
    for name in ours.0.keys().filter(|name| !theirs.0.contains_key(*name)) {
        let is_ours = ["UV_", "RB_"].iter().any(|start| name.starts_with(start));
        let is_known = ADDITIONAL_MACROS
            .iter()
            .any(|(start, _)| name.starts_with(start));
        if is_ours && !is_known {
            found.push(format!("{name} is not in libuv's"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_what_differs() {
        let theirs = Macros::parse("#define UV_A 1\n#define UV_B(x,y) x\n#define UV_C\n");
        let ours = Macros::parse(
            "#define UV_A (1)\n#define UV_B(x) x\n#define UV_D\n#define UV__RB_X\n#define NULL 0\n",
        );
        let expected = [
            "UV_B has other parameters",
            "UV_C is missing",
            "UV_D is not in libuv's",
        ];
        assert_eq!(differences(&theirs, &ours), expected);
        assert!(differences(&theirs, &theirs).is_empty());
    }

    #[test]
    fn reads_the_rows_of_a_map() {
        assert_eq!(rows("int x;\nMAP: XX(A, a)\n  XX(B, b)"), "XX(A,a)XX(B,b)");
    }
}
