//! Sizes, offsets and constants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The tables of this folder that are copies. `cargo xtask targets` has made the others.
pub const FILES: &[&str] = &[
    "constants.tsv",
    "layout-aarch64.tsv",
    "layout-x86_64.tsv",
    "prototypes.tsv",
];

/// The root of the repository.
pub fn root() -> &'static Path {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap()
}

fn folder() -> PathBuf {
    root().join("tests/abi")
}

/// A table as it stands.
pub fn text(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}

/// The rows of a table, without its heading.
fn rows(file: &str) -> Vec<Vec<String>> {
    let text = text(file);
    let lines = text.lines().skip(1);
    lines
        .map(|line| line.split('\t').map(str::to_string).collect())
        .collect()
}

/// A type, typedef or field: what C calls it, and two numbers.
pub struct Row {
    /// The name in C, such as `struct uv_loop_s.active_reqs.count`.
    pub c_name: String,
    /// Size of a type, offset of a field.
    pub first: usize,
    /// Alignment of a type, size of a field.
    pub second: usize,
    /// The C type of a typedef or field; `(anonymous)` where it has no name.
    pub c_type: String,
}

/// The layout of this processor's types, by names without `struct` and `union`.
#[derive(Default)]
pub struct Layout {
    pub types: BTreeMap<String, Row>,
    pub typedefs: BTreeMap<String, Row>,
    pub fields: BTreeMap<String, Row>,
}

/// None where there is no table for the processor.
pub fn layout() -> Option<Layout> {
    let library = if cfg!(target_env = "musl") {
        "-musl"
    } else {
        ""
    };
    let file = format!("layout-{}{library}.tsv", std::env::consts::ARCH);
    if !folder().join(&file).exists() {
        eprintln!("skipped: there is no {file}");
        return None;
    }
    let mut layout = Layout::default();
    for row in rows(&file) {
        let c_name = row[1].clone();
        let bare = c_name.replace("struct ", "").replace("union ", "");
        let (first, second) = (row[2].parse().unwrap(), row[3].parse().unwrap());
        let map = match row[0].as_str() {
            "type" => &mut layout.types,
            "typedef" => &mut layout.typedefs,
            "field" => &mut layout.fields,
            other => panic!("unknown kind of row {other}"),
        };
        let c_type = row[4].clone();
        map.insert(
            bare,
            Row {
                c_name,
                first,
                second,
                c_type,
            },
        );
    }
    Some(layout)
}

/// A row of `constants.tsv`.
pub struct Constant {
    pub name: String,
    /// None for macros that are no integers.
    pub value: Option<i64>,
    /// The enumeration it belongs to (`enum …` if that is a tag only, `int` if it has no name),
    /// or `macro`.
    pub place: String,
}

/// Enumerators that `constants.tsv` lacks, since their enumerations have no name.
const NAMELESS: &[(&str, i64)] = &[
    ("UV_PIPE_NO_TRUNCATE", 1),
    ("UV_THREAD_PRIORITY_HIGHEST", 2),
    ("UV_THREAD_PRIORITY_ABOVE_NORMAL", 1),
    ("UV_THREAD_PRIORITY_NORMAL", 0),
    ("UV_THREAD_PRIORITY_BELOW_NORMAL", -1),
    ("UV_THREAD_PRIORITY_LOWEST", -2),
];

pub fn constants() -> Vec<Constant> {
    let nameless = NAMELESS.iter().map(|(name, value)| Constant {
        name: name.to_string(),
        value: Some(*value),
        place: String::from("int"),
    });
    let rows = rows("constants.tsv").into_iter();
    rows.map(|row| Constant {
        name: row[0].clone(),
        value: (!row[1].is_empty()).then(|| row[1].parse().unwrap()),
        place: row[2].clone(),
    })
    .chain(nameless)
    .collect()
}

/// Flags of `open(2)` whose numbers are different on other processors than x86.
pub fn differs_by_processor(name: &str) -> bool {
    const FLAGS: &[&str] = &["DIRECT", "DIRECTORY", "NOFOLLOW"];
    !cfg!(target_arch = "x86_64")
        && name
            .strip_prefix("UV_FS_O_")
            .is_some_and(|flag| FLAGS.contains(&flag))
}
