//! Fills the templates of `header/`.
//!
//! A line of a template that starts with `%%` is replaced by what it asks for:
//!
//! | line | is replaced by |
//! |---|---|
//! | `%% struct-typedefs` | `typedef struct uv_x_s uv_x_t;` for each struct |
//! | `%% type NAME…` | structs, unions, callbacks and other types |
//! | `%% typedef-enum NAME` | an enumeration and a type of its name |
//! | `%% enum NAME` | an enumeration that has a tag only |
//! | `%% nameless-enum NAME` | the enumerators of an enumeration that has no name in C |
//! | `%% defines PREFIX` | `#define`s for the constants whose names begin like this |
//! | `%% by-hand NAME…` | nothing: the template itself defines these constants |
//! | `%% fields NAME…` | macros that expand to fields |
//! | `%% errno-numbers`, `%% errno-map`, `%% errno-enum` | the error codes |
//! | `%% handle-type-map`, `%% req-type-map` | the handle and request types |
//! | `%% functions PATH…` | the functions of these files or folders, as far as they are not placed |

use std::collections::BTreeSet;

use abi_tables::prototypes::Prototype;

use super::cdecl::{Item, Items};
use super::comment::{WIDTH, comment};
use super::fields::{FieldMacros, NAMELESS};
use super::source::{Abi, Constant, EntryPoints};

/// Functions whose declaration is the table's, because Rust cannot write it: a variable number of
/// arguments. Their comments and places are those of the Rust functions.
const DECLARED_BY_TABLE: &[&str] = &["uv_loop_configure"];

/// What templates are filled from, and what was placed so far.
pub struct Page<'a> {
    abi: &'a Abi,
    items: &'a Items,
    functions: &'a [EntryPoints],
    prototypes: &'a [Prototype],
    macros: FieldMacros,
    placed: BTreeSet<String>,
    /// Structs named `…_t` whose typedef stands before their definition.
    declared: BTreeSet<String>,
}

impl<'a> Page<'a> {
    pub fn new(
        abi: &'a Abi,
        items: &'a Items,
        functions: &'a [EntryPoints],
        prototypes: &'a [Prototype],
    ) -> Result<Page<'a>, String> {
        Ok(Page {
            abi,
            items,
            functions,
            prototypes,
            macros: FieldMacros::new(items)?,
            placed: NAMELESS.iter().map(|name| name.to_string()).collect(),
            declared: BTreeSet::new(),
        })
    }

    pub fn fill(&mut self, template: &str) -> Result<String, String> {
        let mut out = String::new();
        for line in template.lines() {
            match line.strip_prefix("%% ") {
                Some(request) => out.push_str(&self.answer(request)?),
                None => {
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
        while out.contains("\n\n\n") {
            out = out.replace("\n\n\n", "\n\n");
        }
        Ok(out)
    }

    /// Fails when something of the ABI was placed nowhere.
    pub fn finish(&self) -> Result<(), String> {
        let constants = self.abi.constants.iter().map(|c| c.name.as_str());
        let functions = self.prototypes.iter().map(|p| p.name.as_str());
        let all = constants.chain(self.items.names()).chain(functions);
        let missing: Vec<&str> = all.filter(|name| !self.placed.contains(*name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "no template of header/ places {}",
            missing.join(", ")
        ))
    }

    fn answer(&mut self, request: &str) -> Result<String, String> {
        let (verb, names) = request.split_once(' ').unwrap_or((request, ""));
        let names: Vec<&str> = names.split_whitespace().collect();
        let mut out = String::new();
        match (verb, names.as_slice()) {
            ("struct-typedefs", []) => out = self.struct_typedefs()?,
            ("errno-numbers", []) => out = self.errno_numbers(),
            ("errno-map", []) => out = self.errno_map(),
            ("errno-enum", []) => out = self.errno_enum()?,
            ("handle-type-map", []) => out = self.type_map("UV_HANDLE_TYPE_MAP", "uv_handle_type"),
            ("req-type-map", []) => out = self.type_map("UV_REQ_TYPE_MAP", "uv_req_type"),
            ("typedef-enum", [name]) => {
                out =
                    self.enumeration(name, &format!("typedef enum {name}"), &format!(" {name}"))?;
            }
            ("enum", [name]) => out = self.enumeration(name, &format!("enum {name}"), "")?,
            ("nameless-enum", [name]) => out = self.enumeration(name, "enum", "")?,
            ("defines", [prefix]) => out = self.defines(prefix)?,
            ("by-hand", names) => {
                for name in names {
                    self.place(name)?;
                }
            }
            ("functions", paths) => {
                for path in paths {
                    out.push_str(&self.functions_of(path)?);
                }
            }
            ("type", names) => {
                for name in names {
                    out.push_str(&self.define_type(name)?);
                }
            }
            ("fields", names) => {
                for name in names {
                    let text = self.macros.define(name);
                    out.push_str(&text.ok_or_else(|| format!("{name} is no known macro"))?);
                }
            }
            _ => return Err(format!("cannot make sense of `%% {request}`")),
        }
        Ok(out)
    }

    fn place(&mut self, name: &str) -> Result<(), String> {
        match self.placed.insert(name.to_string()) {
            true => Ok(()),
            false => Err(format!("{name} is placed twice")),
        }
    }

    fn struct_typedefs(&mut self) -> Result<String, String> {
        let mut out = String::new();
        for name in self.items.names().collect::<Vec<_>>() {
            let Some(item) = self.items.get(name).filter(|_| !self.placed.contains(name)) else {
                continue;
            };
            if item.text.starts_with("typedef struct uv_") {
                self.place(name)?;
                out.push_str(&format!("{};\n", item.text));
            } else if item.text.starts_with("struct ") && name.ends_with("_t") {
                self.declared.insert(name.to_string());
                out.push_str(&format!("typedef struct {name} {name};\n"));
            }
        }
        Ok(out)
    }

    fn define_type(&mut self, name: &str) -> Result<String, String> {
        let items = self.items;
        let item = items
            .get(name)
            .ok_or_else(|| format!("there is no type {name}"))?;
        self.place(name)?;
        let docs = comment(&item.docs, "");
        if item.fields.is_empty() {
            // A longer comment is set apart from the next line.
            let gap = if docs.lines().count() > 1 { "\n" } else { "" };
            return Ok(format!("{docs}{};\n{gap}", wrap_declaration(&item.text, 1)));
        }
        let text = self.macros.define_type(item);
        if name.ends_with("_t") && !self.declared.contains(name) {
            let body = text.trim_end().trim_end_matches(';');
            return Ok(format!("{docs}typedef {body} {name};\n\n"));
        }
        Ok(format!("{docs}{text}\n"))
    }

    fn enumeration(&mut self, name: &str, start: &str, end: &str) -> Result<String, String> {
        let abi = self.abi;
        let (_, docs) = abi
            .enumerations
            .iter()
            .find(|(n, _)| n == name)
            .ok_or_else(|| format!("there is no enumeration {name}"))?;
        let docs: Vec<String> = docs
            .iter()
            .map(|line| line.replace(" The enumeration has no name in C.", ""))
            .collect();
        let mut out = format!("{}{start} {{\n", comment(&docs, ""));
        let constants: Vec<&Constant> = abi.constants_of(name).collect();
        for (index, constant) in constants.iter().enumerate() {
            self.place(&constant.name)?;
            let comma = if index + 1 < constants.len() { "," } else { "" };
            out.push_str(&comment(own_docs(constant), "  "));
            out.push_str(&format!(
                "  {} = {}{comma}\n",
                constant.name, constant.value
            ));
        }
        Ok(format!("{out}}}{end};\n\n"))
    }

    fn defines(&mut self, prefix: &str) -> Result<String, String> {
        let abi = self.abi;
        let mut out = String::new();
        for constant in abi
            .constants_of("c_int")
            .filter(|c| c.name.starts_with(prefix))
        {
            if self.placed.contains(&constant.name) {
                continue;
            }
            self.place(&constant.name)?;
            out.push_str(&comment(own_docs(constant), ""));
            let value = match constant.value.contains([' ', '-']) {
                true => format!("({})", constant.value),
                false => constant.value.clone(),
            };
            let gap = match constant.name.len() + value.len() + 9 > WIDTH {
                true => " \\\n  ",
                false => " ",
            };
            out.push_str(&format!("#define {}{gap}{value}\n", constant.name));
        }
        match out.is_empty() {
            true => Err(format!("no constant begins with {prefix}")),
            false => Ok(out),
        }
    }

    /// `UV__E…`: from the system's errno.h where it has them.
    fn errno_numbers(&self) -> String {
        let mut out = String::new();
        for (constant, private) in self.error_codes() {
            let value = match &constant.system {
                Some((system, _)) => format!("UV__ERR({system})"),
                None => format!("({})", constant.value),
            };
            out.push_str(&format!("#define {private} {value}\n"));
        }
        out
    }

    fn errno_enum(&mut self) -> Result<String, String> {
        let mut out = String::from("typedef enum uv_errno_t {\n");
        for (constant, private) in self.error_codes().collect::<Vec<_>>() {
            self.place(&constant.name)?;
            out.push_str(&format!("  {} = {private},\n", constant.name));
        }
        self.place("UV_ERRNO_MAX")?;
        Ok(out + "  UV_ERRNO_MAX = UV__EOF - 1\n} uv_errno_t;\n")
    }

    fn error_codes(&self) -> impl Iterator<Item = (&'a Constant, String)> + use<'a> {
        let abi = self.abi;
        let constants = abi
            .constants_of("uv_errno_t")
            .filter(|c| c.name != "UV_ERRNO_MAX");
        constants.map(|c| (c, c.name.replacen("UV_", "UV__", 1)))
    }

    fn errno_map(&self) -> String {
        let rows = self.abi.errors.iter();
        let rows: Vec<String> = rows
            .map(|row| format!("XX({}, \"{}\")", row.name, row.message))
            .collect();
        x_macro("UV_ERRNO_MAP", &rows)
    }

    /// `XX(TCP, tcp)` for each type that has a struct `uv_tcp_s`.
    fn type_map(&self, name: &str, enumeration: &str) -> String {
        let mut rows = Vec::new();
        for constant in self.abi.constants_of(enumeration) {
            let upper = constant.name.trim_start_matches("UV_");
            let lower = match upper {
                "NAMED_PIPE" => "pipe".to_string(),
                _ => upper.to_lowercase(),
            };
            if self.items.get(&format!("uv_{lower}_s")).is_some() {
                rows.push(format!("XX({upper}, {lower})"));
            }
        }
        x_macro(name, &rows)
    }

    /// The functions of a file or folder. A path without any is out of date.
    fn functions_of(&mut self, path: &str) -> Result<String, String> {
        let mut out = String::new();
        for found in self.functions.iter().filter(|f| f.file.starts_with(path)) {
            for name in &found.names {
                if self.placed.contains(name) {
                    continue;
                }
                let Some(prototype) = self.prototypes.iter().find(|p| p.name == *name) else {
                    return Err(format!(
                        "{}: {name} is no function of uv.h",
                        found.file.display()
                    ));
                };
                let item = self.items.get(name);
                let item = item.ok_or_else(|| format!("cbindgen did not print {name}"))?;
                self.place(name)?;
                out.push_str(&declaration(item, prototype));
            }
        }
        match out.is_empty() {
            true => Err(format!("{path} has no functions left to place")),
            false => Ok(out),
        }
    }
}

fn declaration(item: &Item, prototype: &Prototype) -> String {
    let text = match DECLARED_BY_TABLE.contains(&prototype.name.as_str()) {
        true => prototype.declare(&prototype.name),
        false => with_arrays(&item.text, prototype),
    };
    let text = wrap_declaration(&format!("UV_EXTERN {text}"), 0);
    format!("{}{text};\n\n", comment(&item.docs, ""))
}

/// Where the table has an array, `T *name` becomes `T name[2]`: Rust knows pointers only.
fn with_arrays(text: &str, prototype: &Prototype) -> String {
    let Some((head, parameters)) = text.strip_suffix(')').and_then(|t| t.split_once('(')) else {
        return text.to_string();
    };
    let parameters: Vec<&str> = parameters.split(", ").collect();
    if parameters.len() != prototype.parameters.len() {
        return text.to_string();
    }
    let parameters = parameters
        .iter()
        .zip(&prototype.parameters)
        .map(|(ours, table)| {
            let bracket = table.find('[').map(|at| &table[at..]);
            match (ours.rsplit_once('*'), bracket) {
                (Some((ty, name)), Some(bracket)) => format!("{ty}{name}{bracket}"),
                _ => ours.to_string(),
            }
        });
    let parameters: Vec<String> = parameters.collect();
    format!("{head}({})", parameters.join(", "))
}

/// Breaks the last list of parameters (the one after `skip` other parentheses) into lines.
fn wrap_declaration(text: &str, skip: usize) -> String {
    if text.len() < WIDTH {
        return text.to_string();
    }
    let Some((open, _)) = text.match_indices('(').nth(skip) else {
        return text.to_string();
    };
    let (head, rest) = text.split_at(open + 1);
    let aligned = rest.split(", ").collect::<Vec<_>>();
    let width = aligned.iter().map(|p| p.len() + 1).max().unwrap_or(0);
    let indent = if head.len() + width < WIDTH {
        head.len()
    } else {
        4
    };
    let separator = format!(",\n{:indent$}", "");
    let first = if indent == head.len() {
        String::new()
    } else {
        format!("\n{:indent$}", "")
    };
    format!("{head}{first}{}", aligned.join(&separator))
}

/// Docs, unless they only point at the enumeration or repeat the name.
fn own_docs(constant: &Constant) -> &[String] {
    match constant.docs.as_slice() {
        [only] if only.starts_with("See [") || *only == format!("`{}`.", constant.name) => &[],
        docs => docs,
    }
}

fn x_macro(name: &str, rows: &[String]) -> String {
    let mut out = format!("#define {name}(XX)");
    for row in rows {
        let pad = 78usize.saturating_sub(out.lines().last().map_or(0, str::len));
        out.push_str(&format!("{:pad$} \\\n  {row}", ""));
    }
    out + "\n"
}
