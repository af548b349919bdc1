//! Dependencies run one way: down the table of layers in ARCHITECTURE.md.
//!
//! An *arrow* leads from a file of `src/` to another one that it names: in `use`, in `mod name;`,
//! or in a path. Unit tests are left out. An arrow may stay in its layer or lead to a lower one,
//! and files form no circle, but for those of one folder that name its `mod.rs`.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Files by their path below `src/`, such as `stream/tcp.rs`.
type Files = BTreeMap<String, String>;
/// From each file to those that it names.
type Arrows = BTreeMap<String, BTreeSet<String>>;
/// `crate::stream::tcp` is `["stream", "tcp"]`.
type Module = Vec<String>;

fn module_of(file: &str) -> Module {
    let path = file.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("mod").unwrap_or(path);
    path.split('/')
        .filter(|name| !name.is_empty() && *name != "lib")
        .map(String::from)
        .collect()
}

/// The code of a file, without comments and unit tests, in words, `::`, strings and single
/// characters.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |at: char| at.is_ascii_alphanumeric() || at == '_';
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines() {
        is_test = (is_test || line.starts_with("mod tests {")) && line != "}";
        if is_test {
            continue;
        }
        let mut rest = line.split("//").next().unwrap();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => rest[1..].find('"').map_or(1, |end| end + 2),
                _ if is_word(first) => rest.find(|at| !is_word(at)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            if !first.is_whitespace() {
                found.push(&rest[..length]);
            }
            rest = &rest[length..];
        }
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|at: char| at.is_ascii_alphabetic() || at == '_')
}

/// Reads one file: what it names, as modules and what is in them.
struct Reader<'a> {
    module: Module,
    tokens: std::iter::Peekable<std::vec::IntoIter<&'a str>>,
    /// What short names stand for: those of `use`, and the modules in this one.
    known: BTreeMap<String, Module>,
    named: BTreeSet<Module>,
}

impl<'a> Reader<'a> {
    fn read(file: &str, text: &'a str) -> BTreeSet<Module> {
        let mut reader = Reader {
            module: module_of(file),
            tokens: tokens(text).into_iter().peekable(),
            known: BTreeMap::new(),
            named: BTreeSet::new(),
        };
        // Twice: paths may come before the `use` that explains them.
        reader.pass();
        reader.tokens = tokens(text).into_iter().peekable();
        reader.pass();
        reader.named
    }

    fn pass(&mut self) {
        while let Some(token) = self.tokens.next() {
            match token {
                "use" => self.read_use(&[]),
                "mod" => self.read_mod(),
                _ if is_name(token) => self.read_path(token),
                _ => {}
            }
        }
    }

    fn read_mod(&mut self) {
        let name = self.tokens.next().unwrap();
        if self.tokens.peek() == Some(&";") {
            let mut child = self.module.clone();
            child.push(name.to_string());
            self.known.insert(name.to_string(), child.clone());
            self.named.insert(child);
        }
    }

    fn read_path(&mut self, first: &str) {
        let mut path = vec![first.to_string()];
        while self.tokens.next_if(|token| *token == "::").is_some() {
            match self.tokens.next_if(|token| is_name(token)) {
                Some(name) => path.push(name.to_string()),
                None => break,
            }
        }
        if path.len() > 1 {
            self.named.extend(self.resolve(&path));
        }
    }

    /// One branch of a tree of imports, behind `before`, with its end.
    fn read_use(&mut self, before: &[String]) {
        let mut path = before.to_vec();
        let mut alias = None;
        let mut is_empty = true;
        while let Some(token) = self.tokens.next_if(|token| !matches!(*token, "," | "}")) {
            is_empty = false;
            match token {
                ";" => break,
                "{" => {
                    self.read_branches(&path);
                    return;
                }
                "as" => alias = self.tokens.next(),
                "self" if !path.is_empty() => {}
                _ if is_name(token) => path.push(token.to_string()),
                _ => {}
            }
        }
        // A comma may end a list.
        if is_empty {
            return;
        }
        let Some(named) = self.resolve(&path) else {
            return;
        };
        let short = alias.or(path.last().map(String::as_str)).unwrap();
        self.known.insert(short.to_string(), named.clone());
        self.named.insert(named);
    }

    fn read_branches(&mut self, before: &[String]) {
        loop {
            self.read_use(before);
            if self.tokens.next() != Some(",") {
                return;
            }
        }
    }

    /// A path from the crate's root on; `None` if it leads out of the crate, or is not known.
    fn resolve(&self, path: &[String]) -> Option<Module> {
        let mut names = path.iter().peekable();
        let first = names.next()?;
        let mut found = match first.as_str() {
            "crate" => Module::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len() - 1].to_vec(),
            name => self.known.get(name)?.clone(),
        };
        while names.next_if(|name| *name == "super").is_some() {
            found.pop();
        }
        found.extend(names.cloned());
        Some(found)
    }
}

fn arrows(files: &Files) -> Arrows {
    let by_module: BTreeMap<Module, &String> =
        files.keys().map(|file| (module_of(file), file)).collect();
    let file_of = |named: &Module| {
        let mut lengths = (0..=named.len()).rev();
        lengths.find_map(|length| by_module.get(&named[..length]).copied())
    };
    let read = |(file, text): (&String, &String)| {
        let named = Reader::read(file, text);
        let mut targets: BTreeSet<String> = named.iter().filter_map(file_of).cloned().collect();
        targets.remove(file);
        (file.clone(), targets)
    };
    files.iter().map(read).collect()
}

/// The paths of each layer, the highest one first: the table below "## Layers".
fn layers(document: &str) -> Vec<Vec<String>> {
    let section = document.split("\n## Layers\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cell = row.split('|').nth(2).unwrap();
        let paths = cell.split('`').skip(1).step_by(2);
        paths.map(String::from).collect()
    })
    .collect()
}

/// The layer of a file, by the longest path that names it or a folder that it is in.
fn layer_of(layers: &[Vec<String>], file: &str) -> Option<usize> {
    let is_in = |path: &String| file == path || path.ends_with('/') && file.starts_with(path);
    let all = layers.iter().enumerate();
    all.flat_map(|(layer, paths)| paths.iter().map(move |path| (layer, path)))
        .filter(|(_, path)| is_in(path))
        .max_by_key(|(_, path)| path.len())
        .map(|(layer, _)| layer)
}

/// Files without a layer, paths without files, and arrows that run up.
fn faults(layers: &[Vec<String>], arrows: &Arrows) -> Vec<String> {
    let mut found = Vec::new();
    for (file, targets) in arrows {
        let Some(from) = layer_of(layers, file) else {
            found.push(format!("{file} is in no layer"));
            continue;
        };
        for target in targets {
            if layer_of(layers, target).is_some_and(|to| to < from) {
                found.push(format!("{file} -> {target} runs up"));
            }
        }
    }
    for path in layers.iter().flatten() {
        let is_used = |file: &String| file == path || path.ends_with('/') && file.starts_with(path);
        if !arrows.keys().any(is_used) {
            found.push(format!("{path} is in the table, and in src/ no more"));
        }
    }
    found
}

fn reachable<'a>(arrows: &'a Arrows, from: &'a str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<&str> = vec![from];
    while let Some(file) = todo.pop() {
        let targets = arrows.get(file).into_iter().flatten();
        todo.extend(targets.map(String::as_str).filter(|at| found.insert(*at)));
    }
    found
}

/// The largest sets of files in which each leads to each.
fn circles(arrows: &Arrows) -> BTreeSet<BTreeSet<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|file| (file.as_str(), reachable(arrows, file)))
        .collect();
    let circle_of = |file: &str| -> BTreeSet<String> {
        let round = reached[file].iter();
        let round = round.filter(|at| reached.get(*at).is_some_and(|all| all.contains(file)));
        round.map(|at| at.to_string()).collect()
    };
    let all = arrows.keys().map(|file| circle_of(file));
    all.filter(|circle| !circle.is_empty()).collect()
}

/// Whether `child` is in the folder whose `mod.rs` is `parent`.
fn is_parent(parent: &str, child: &str) -> bool {
    parent
        .strip_suffix("mod.rs")
        .is_some_and(|folder| child != parent && child.starts_with(folder))
}

/// Circles, but for those of a folder that would be none if its files did not name its `mod.rs`.
fn forbidden_circles(arrows: &Arrows) -> BTreeSet<BTreeSet<String>> {
    let mut down = arrows.clone();
    for (file, targets) in &mut down {
        targets.retain(|target| !is_parent(target, file));
    }
    let spans_folders = |circle: &BTreeSet<String>| {
        let is_top = |file: &String| circle.iter().all(|at| at == file || is_parent(file, at));
        !circle.iter().any(is_top)
    };
    let wide = circles(arrows).into_iter().filter(spans_folders);
    wide.chain(circles(&down)).collect()
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read_folder(&path, &format!("{name}/"), files);
        } else if name.ends_with(".rs") {
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn library() -> (Vec<Vec<String>>, Arrows) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Files::new();
    read_folder(&root.join("src"), "", &mut files);
    assert!(files.len() > 100, "the sources are not found any more");
    let document = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let layers = layers(&document);
    assert!(layers.len() > 5, "the table is not found any more");
    (layers, arrows(&files))
}

#[test]
fn arrows_run_down_the_table() {
    let (layers, arrows) = library();
    let found = faults(&layers, &arrows);
    assert!(found.is_empty(), "see ARCHITECTURE.md: {found:#?}");
}

#[test]
fn files_form_no_circle() {
    let (_, arrows) = library();
    let found = forbidden_circles(&arrows);
    assert!(found.is_empty(), "{found:#?}");
}

// What these tests would say of a library that breaks the rules.

fn made_up(files: &[(&str, &str)]) -> Arrows {
    let files = files.iter();
    arrows(&files.map(|(a, b)| (a.to_string(), b.to_string())).collect())
}

const TABLE: &str = "\n## Layers\n\n| layer | files | |\n|---|---|---|\n\
                     | top | `top/` | `x` |\n| bottom | `low.rs` `top/state.rs` | |\n\n## Next\n";

#[test]
fn an_arrow_that_runs_up_is_noticed() {
    let layers = layers(TABLE);
    let sound = [
        ("top/mod.rs", "mod run;\nmod state;"),
        ("top/run.rs", "use super::state;\nuse crate::low;"),
        ("top/state.rs", "// crate::top"),
        ("low.rs", "use core::mem;"),
    ];
    assert!(faults(&layers, &made_up(&sound)).is_empty());
    for up in [
        "use crate::top::Run;",
        "pub(crate) use crate::{\n    errors,\n    top::{run::{self, Run}, state},\n};",
        "fn low() { crate::top::run::run() }",
        "use super::top as above;\nfn low() { above::run() }",
        "use crate::top::*;",
    ] {
        let mut broken = sound;
        broken[3].1 = up;
        assert!(!faults(&layers, &made_up(&broken)).is_empty(), "{up}");
    }
    let mut broken = sound;
    broken[2].1 = "use super::Run;";
    assert_eq!(
        faults(&layers, &made_up(&broken)),
        ["top/state.rs -> top/mod.rs runs up"]
    );
}

#[test]
fn a_file_without_a_layer_is_noticed_and_a_layer_without_a_file() {
    let found = faults(
        &layers(TABLE),
        &made_up(&[("new.rs", ""), ("low.rs", ""), ("top/run.rs", "")]),
    );
    let gone = "top/state.rs is in the table, and in src/ no more";
    assert_eq!(found, ["new.rs is in no layer", gone]);
}

#[test]
fn a_circle_is_noticed() {
    let names = |circles: BTreeSet<BTreeSet<String>>| -> Vec<Vec<String>> {
        circles.into_iter().map(Vec::from_iter).collect()
    };
    let parent_and_child = made_up(&[
        ("a/mod.rs", "mod b;\nmod c;\nuse b::B;"),
        ("a/b.rs", "use super::A;\nuse super::c::C;"),
        (
            "a/c.rs",
            "mod tests {\n    use super::super::b;\n}\nuse super::A;",
        ),
    ]);
    assert!(names(forbidden_circles(&parent_and_child)).is_empty());
    let siblings = made_up(&[
        ("a/mod.rs", "mod b;\nmod c;"),
        ("a/b.rs", "use super::c::C;"),
        ("a/c.rs", "fn c() { super::b::b(); }"),
    ]);
    assert_eq!(names(forbidden_circles(&siblings)), [["a/b.rs", "a/c.rs"]]);
    let through_a_parent = made_up(&[
        ("a/mod.rs", "mod b;\nuse crate::d::D;"),
        ("a/b.rs", "use super::A;"),
        ("d.rs", "use crate::a::b::B;"),
    ]);
    assert_eq!(
        names(forbidden_circles(&through_a_parent)),
        [["a/b.rs", "a/mod.rs", "d.rs"]]
    );
}
