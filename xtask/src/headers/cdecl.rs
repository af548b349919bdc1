//! C declarations as cbindgen prints them, taken apart into items.

use std::collections::BTreeMap;

use super::source::{Abi, EntryPoints};

/// A doc comment, in Rust's Markdown, and the declaration it stands above.
pub struct Item {
    pub docs: Vec<String>,
    /// One line, without the final semicolon; for structs and unions the part before the brace.
    pub text: String,
    /// Of structs and unions.
    pub fields: Vec<Field>,
}

/// A member of a struct or union.
#[derive(Clone)]
pub struct Field {
    pub name: String,
    pub docs: Vec<String>,
    /// One line, with the semicolon.
    pub text: String,
}

/// Items by name, in the order of their source.
#[derive(Default)]
pub struct Items {
    by_name: BTreeMap<String, Item>,
    order: Vec<String>,
}

impl Items {
    pub fn get(&self, name: &str) -> Option<&Item> {
        self.by_name.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.order.retain(|name| keep(name));
        self.by_name.retain(|name, _| keep(name));
    }

    fn add(&mut self, name: &str, item: Item) -> Result<(), String> {
        self.order.push(name.to_string());
        match self.by_name.insert(name.to_string(), item) {
            None => Ok(()),
            Some(_) => Err(format!("{name} is declared twice")),
        }
    }
}

/// System types that C knows by their tag.
const TAGGED: &[&str] = &[
    "addrinfo",
    "sockaddr",
    "sockaddr_in",
    "sockaddr_in6",
    "sockaddr_storage",
    "termios",
];

/// System types that C knows by another name: its programs for Linux are compiled with
/// `_FILE_OFFSET_BITS=64` where that makes a difference.
const RENAMED: &[(&str, &str)] = &[("dirent64", "struct dirent"), ("off64_t", "off_t")];

fn config(types: &[String]) -> cbindgen::Config {
    let rename = TAGGED
        .iter()
        .map(|t| (t.to_string(), format!("struct {t}")))
        .chain(
            RENAMED
                .iter()
                .map(|(rust, c)| (rust.to_string(), c.to_string())),
        )
        .collect();
    cbindgen::Config {
        language: cbindgen::Language::C,
        style: cbindgen::Style::Tag,
        documentation_style: cbindgen::DocumentationStyle::Cxx,
        no_includes: true,
        usize_is_size_t: true,
        // Every declaration on one line: wrapping is done later.
        line_length: 100_000,
        export: cbindgen::ExportConfig {
            include: types.to_vec(),
            item_types: vec![
                cbindgen::ItemType::Structs,
                cbindgen::ItemType::Unions,
                cbindgen::ItemType::Typedefs,
                cbindgen::ItemType::Functions,
            ],
            rename,
            ..Default::default()
        },
        ..Default::default()
    }
}

/// The types of the ABI and the entry points.
///
/// cbindgen gets to see these only, not the crate: it tries to make C of all that it finds, and
/// gives up on some of what is private.
pub fn items(abi: &Abi, functions: &[EntryPoints]) -> Result<Items, String> {
    let types = &abi.types;
    let functions: String = functions.iter().map(|f| f.rust.as_str()).collect();
    let file = format!("oxuv-headers-{}.rs", std::process::id());
    let file = std::env::temp_dir().join(file);
    std::fs::write(&file, abi.rust.clone() + &functions)
        .map_err(|e| format!("{}: {e}", file.display()))?;
    let builder = cbindgen::Builder::new()
        .with_config(config(types))
        .with_src(&file);
    let bindings = builder.generate().map_err(|e| format!("cbindgen: {e}"));
    let _ = std::fs::remove_file(&file);
    let bindings = bindings?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).map_err(|e| e.to_string())?;
    // Rust's isize is C's ssize_t in this API; cbindgen knows it as a difference of pointers.
    let mut items = parse(&text.replace("ptrdiff_t", "ssize_t"))?;
    // Without the integers that stand for enumerations.
    items.retain(|name| abi.enumerations.iter().all(|(n, _)| n != name));
    // Types whose tag is their name: C has them as a typedef, too.
    for name in types.iter().filter(|n| n.ends_with("_t")) {
        if items.get(name).is_some_and(|i| !i.fields.is_empty()) {
            for item in items.by_name.values_mut() {
                untag(name, item);
            }
        }
    }
    Ok(items)
}

/// Inside declarations, `struct uv_buf_t` becomes `uv_buf_t`.
fn untag(name: &str, item: &mut Item) {
    let tagged = format!("struct {name} ");
    let plain = format!("{name} ");
    if item.fields.is_empty() {
        item.text = item.text.replace(&tagged, &plain);
    }
    for field in &mut item.fields {
        field.text = field.text.replace(&tagged, &plain);
    }
}

fn parse(text: &str) -> Result<Items, String> {
    let mut items = Items::default();
    let mut docs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(doc) = doc_line(line) {
            docs.push(doc);
        } else if let Some(head) = line.strip_suffix(" {") {
            let fields = parse_fields(&mut lines)?;
            let name = last_word(head).to_string();
            let docs = std::mem::take(&mut docs);
            let text = head.to_string();
            items.add(&name, Item { docs, text, fields })?;
        } else if let Some(text) = line.strip_suffix(';') {
            let name = declared_name(text).to_string();
            let docs = std::mem::take(&mut docs);
            let text = text.to_string();
            items.add(
                &name,
                Item {
                    docs,
                    text,
                    fields: Vec::new(),
                },
            )?;
        } else if !line.is_empty() {
            return Err(format!("cannot make sense of cbindgen's line {line:?}"));
        }
    }
    Ok(items)
}

fn parse_fields<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    let mut docs = Vec::new();
    for line in lines {
        let line = line.trim_start();
        if line == "};" {
            return Ok(fields);
        }
        if let Some(doc) = doc_line(line) {
            docs.push(doc);
            continue;
        }
        let text = line
            .strip_suffix(';')
            .ok_or_else(|| format!("{line:?} is no field"))?;
        fields.push(Field {
            name: declared_name(text).to_string(),
            docs: std::mem::take(&mut docs),
            text: line.to_string(),
        });
    }
    Err("a struct without an end".to_string())
}

fn doc_line(line: &str) -> Option<String> {
    let text = line.strip_prefix("///")?;
    Some(text.strip_prefix(' ').unwrap_or(text).to_string())
}

/// The name that a declaration declares.
fn declared_name(text: &str) -> &str {
    let end = match (text.find("(*"), text.find('(')) {
        // A pointer to a function: the name stands inside the first parentheses.
        (Some(pointer), Some(open)) if pointer == open => {
            let rest = &text[pointer + 2..];
            return &rest[..rest.find(')').unwrap_or(rest.len())];
        }
        (_, Some(open)) => open,
        _ => text.find('[').unwrap_or(text.len()),
    };
    last_word(&text[..end])
}

fn last_word(text: &str) -> &str {
    let word = text.trim_end().rsplit(' ').next().unwrap_or(text);
    word.trim_start_matches('*')
}
