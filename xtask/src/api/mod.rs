//! The API as the headers of `include/` describe it, in libuv's chapters: what the documentation
//! site and the man pages are made of.

pub mod chapters;
pub mod differences;
pub mod docs;
mod parse;

use std::collections::BTreeMap;
use std::path::Path;

use chapters::{CHAPTERS, Chapter};
use differences::Difference;
use docs::Docs;
use parse::Found;

/// The headers that programs look into; the others hold private members only.
const HEADERS: &[&str] = &["uv/version.h", "uv/unix.h", "uv.h"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Type,
    Enumeration,
    Callback,
    Constant,
    Function,
}

#[derive(Debug)]
pub struct Item {
    pub kind: Kind,
    /// As programs write it: `uv_tcp_t`, `enum uv_tcp_flags`.
    pub name: String,
    pub docs: Docs,
    /// As the header has it, without members; the value of a constant.
    pub declaration: String,
    pub members: Vec<Member>,
}

#[derive(Debug)]
pub struct Member {
    /// Empty where all members of another type stand.
    pub name: String,
    pub declaration: String,
    pub docs: Docs,
}

/// A chapter and what is in it, in the order of the header.
pub struct Content {
    pub chapter: &'static Chapter,
    pub items: Vec<Item>,
}

pub struct Api {
    /// What holds for all functions, from the start of the header.
    pub rules: String,
    pub contents: Vec<Content>,
    pub differences: Vec<Difference>,
}

impl Api {
    pub fn read(root: &Path) -> Result<Api, String> {
        let mut found = Vec::new();
        for header in HEADERS {
            found.extend(parse::declarations(&text(
                root,
                &format!("include/{header}"),
            )?));
        }
        let mut api = Api::of(&found);
        api.rules = rules(&text(root, "include/uv.h")?)?;
        api.differences = differences::read(&text(root, differences::FILE)?, &api)?;
        Ok(api)
    }

    fn of(found: &[Found]) -> Api {
        let reader = Reader::of(found);
        let mut contents: Vec<Content> = CHAPTERS
            .iter()
            .map(|chapter| Content {
                chapter,
                items: Vec::new(),
            })
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        for one in found {
            let Some(item) = reader
                .item(one)
                .filter(|item| seen.insert(item.name.clone()))
            else {
                continue;
            };
            // A constant of an enumeration may also be a macro, so that the preprocessor knows it.
            seen.extend(item.members.iter().map(|member| member.name.clone()));
            let name = place(&item, one);
            let content = contents.iter_mut().find(|c| c.chapter.name == name);
            content.expect("a chapter of the table").items.push(item);
        }
        Api {
            rules: String::new(),
            contents,
            differences: Vec::new(),
        }
    }

    /// All items, each with the chapter that it is in.
    pub fn items(&self) -> impl Iterator<Item = (&'static Chapter, &Item)> {
        let of = |content: &'_ Content| content.chapter;
        self.contents
            .iter()
            .flat_map(move |content| content.items.iter().map(move |item| (of(content), item)))
    }

    /// Where each name is explained: functions, types, callbacks, constants, members of
    /// enumerations. The chapter, and the item's own name.
    pub fn names(&self) -> BTreeMap<&str, (&'static Chapter, &Item)> {
        let mut names = BTreeMap::new();
        for (chapter, item) in self.items() {
            let last = item.name.rsplit(' ').next().unwrap_or_default();
            names.insert(last, (chapter, item));
            if item.kind == Kind::Enumeration {
                for member in &item.members {
                    names.entry(&member.name).or_insert((chapter, item));
                }
            }
        }
        names
    }
}

fn text(root: &Path, file: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))
}

fn rules(header: &str) -> Result<String, String> {
    let mut paragraphs = parse::introduction(header).into_iter();
    paragraphs
        .find(|paragraph| paragraph.starts_with("Functions that can fail"))
        .ok_or_else(|| "include/uv.h: the rules at its start are not found any more".into())
}

/// The chapter of an item: by the link of its comment, by its name, by the headline above it.
fn place(item: &Item, found: &Found) -> &'static str {
    let link = item.docs.link.as_deref().unwrap_or_default();
    let linked = chapters::linked(link).first().copied();
    let last = item.name.rsplit(' ').next().unwrap_or_default();
    linked
        .or_else(|| chapters::by_name(last))
        .or_else(|| found.chapters.first().copied())
        .unwrap_or("misc")
}

/// What a declaration means depends on others: names of structs, and macros for members.
struct Reader<'a> {
    /// `uv_tcp_s` is `uv_tcp_t`.
    types: BTreeMap<&'a str, &'a str>,
    /// `UV_HANDLE_FIELDS`, and what it stands for.
    fields: BTreeMap<&'a str, &'a str>,
    /// The messages of errors, by their codes.
    messages: BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    fn of(found: &'a [Found]) -> Reader<'a> {
        let mut reader = Reader {
            types: BTreeMap::new(),
            fields: BTreeMap::new(),
            messages: BTreeMap::new(),
        };
        for one in found {
            let alias = one.text.strip_prefix("typedef struct ");
            let alias = alias.and_then(|rest| rest.strip_suffix(';')?.split_once(' '));
            if let Some((tag, name)) = alias.filter(|_| one.docs.is_empty()) {
                reader.types.insert(tag, name);
            }
            let define = one.text.strip_prefix("#define ");
            let name = define.and_then(|rest| rest.split_whitespace().next());
            match name {
                Some(name) if parse::is_macro(name) => {
                    reader.fields.insert(name, &one.text);
                }
                Some(name) if name.starts_with("UV_ERRNO_MAP") => {
                    reader.messages = messages(&one.text);
                }
                _ => {}
            }
        }
        reader
    }

    /// None for what is private, or no declaration of its own.
    fn item(&self, found: &Found) -> Option<Item> {
        let docs = Docs::read(&found.docs);
        let (kind, mut name) = kind_and_name(&found.text)?;
        if let Some(alias) = self.types.get(name.as_str()) {
            name = alias.to_string();
        }
        let members = match kind {
            Kind::Type if !docs.hides_members() => self.members(&found.text, &name),
            Kind::Enumeration => self.enumerators(&found.text),
            Kind::Type | Kind::Constant | Kind::Callback | Kind::Function => Vec::new(),
        };
        if name.is_empty() {
            // An enumeration without a name is known by its first constant.
            name = members.first()?.name.clone();
        }
        let is_public = !docs.is_private() && !is_internal(&name);
        is_public.then(|| Item {
            kind,
            name,
            docs,
            declaration: declaration(&found.text),
            members,
        })
    }

    /// The members that programs may use.
    fn members(&self, text: &str, owner: &str) -> Vec<Member> {
        let all = parse::members(&parse::body(text).unwrap_or_default(), ';');
        let is_plain = !all.iter().any(|member| parse::is_macro(&member.text));
        let mut found = Vec::new();
        for member in all {
            let text = member.text.as_str();
            match base_of(text) {
                Some(base) if base == owner => {
                    let fields = self.fields.get(text).copied().unwrap_or_default();
                    found.extend(self.members(fields, owner));
                }
                Some(base) => found.push(Member {
                    name: String::new(),
                    declaration: base.to_string(),
                    docs: Docs::default(),
                }),
                None if parse::is_macro(text) => {}
                None => found.extend(own_member(&member, is_plain)),
            }
        }
        found
    }

    fn enumerators(&self, text: &str) -> Vec<Member> {
        let body = parse::body(text).unwrap_or_default();
        let all = parse::members(&body, ',').into_iter();
        all.map(|member| {
            let mut words = member.text.split(' ');
            let name = words.next().unwrap_or_default().to_string();
            let mut docs = Docs::read(&member.docs);
            if let Some(message) = self.messages.get(&name) {
                docs = Docs::read(std::slice::from_ref(message));
            }
            // The numbers of errors are the system's.
            let is_internal = words.any(|word| word.starts_with("UV__"));
            Member {
                declaration: match is_internal {
                    true => name.clone(),
                    false => member.text.clone(),
                },
                docs,
                name,
            }
        })
        .collect()
    }
}

/// A member, unless it is private or reserved. In handles, requests and loops only what has a
/// comment is for programs.
fn own_member(member: &parse::Member, is_plain: bool) -> Option<Member> {
    let docs = Docs::read(&member.docs);
    let name = member_name(&member.text);
    let is_reserved = name.starts_with("reserved") || name.starts_with("f_spare");
    let is_public = !docs.is_private() && !is_reserved && (is_plain || !docs.about.is_empty());
    is_public.then(|| Member {
        name,
        declaration: member.text.replace("\n  ", "\n"),
        docs,
    })
}

/// The type whose members a macro stands for.
fn base_of(text: &str) -> Option<&'static str> {
    match text {
        "UV_HANDLE_FIELDS" => Some("uv_handle_t"),
        "UV_STREAM_FIELDS" => Some("uv_stream_t"),
        "UV_REQ_FIELDS" => Some("uv_req_t"),
        _ => None,
    }
}

/// The last name before an array's bracket: `d` of `int d[2]`.
fn member_name(text: &str) -> String {
    if let Some((_, rest)) = text.split_once("(*") {
        return rest.split(')').next().unwrap_or_default().to_string();
    }
    let text = text.split('[').next().unwrap_or_default();
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let name = text.rsplit(|letter| !is_word(letter)).next();
    name.unwrap_or_default().to_string()
}

/// Names that are in the header but not for programs.
fn is_internal(name: &str) -> bool {
    const SOME: &[&str] = &["UV_EXTERN", "UV_DYNAMIC", "UV_REQ_TYPE_PRIVATE"];
    let lower = name.to_lowercase();
    lower.starts_with("uv__")
        || !lower.contains("uv_")
        || lower.contains("_private")
        || lower.ends_with("_fields")
        || lower.ends_with("_h")
        || SOME.contains(&name)
}

/// What a declaration is, and the name in it.
fn kind_and_name(text: &str) -> Option<(Kind, String)> {
    let word = |text: &str| text.split([' ', '(', '\n']).next().map(str::to_string);
    if let Some(rest) = text.strip_prefix("UV_EXTERN ") {
        let (head, _) = rest.split_once('(')?;
        return Some((Kind::Function, head.rsplit([' ', '*']).next()?.to_string()));
    }
    if let Some(rest) = text.strip_prefix('#') {
        let name = word(rest.trim_start().strip_prefix("define ")?)?;
        return Some((Kind::Constant, name));
    }
    if let Some(rest) = text.strip_prefix("typedef ") {
        if let (Some((_, rest)), false) = (rest.split_once("(*"), rest.contains('{')) {
            return Some((Kind::Callback, rest.split(')').next()?.to_string()));
        }
        let name = rest.strip_suffix(';')?.rsplit([' ', '*', '\n']).next()?;
        let is_alias = rest.starts_with("struct uv_") && !rest.contains('{');
        let kind = match rest.starts_with("enum ") {
            true => Kind::Enumeration,
            false => Kind::Type,
        };
        return (!is_alias).then(|| (kind, name.to_string()));
    }
    if !text.contains('{') {
        return None;
    }
    let (keyword, rest) = text.split_once(' ')?;
    let tag = word(rest).filter(|tag| tag != "{").unwrap_or_default();
    match keyword {
        "enum" if tag.is_empty() => Some((Kind::Enumeration, String::new())),
        "enum" => Some((Kind::Enumeration, format!("enum {tag}"))),
        _ => Some((Kind::Type, tag)),
    }
}

/// A declaration as a page shows it.
fn declaration(text: &str) -> String {
    if let Some(function) = text.strip_prefix("UV_EXTERN ") {
        // Parameters stand below each other.
        return function.replace(&format!("\n{:10}", ""), "\n");
    }
    if let Some(rest) = text.strip_prefix('#') {
        let rest = rest.trim_start().trim_start_matches("define ");
        let end = rest.find([' ', '(']).unwrap_or(rest.len());
        let is_plain = rest[end..].starts_with(' ');
        let value = rest[end..].replace("\\\n", "");
        let words: Vec<&str> = value.split_whitespace().collect();
        return match is_plain {
            true => words.join(" "),
            false => String::new(),
        };
    }
    match text.find('{') {
        Some(brace) if text.starts_with("typedef") => text[..brace]
            .trim_start_matches("typedef ")
            .trim()
            .to_string(),
        Some(brace) => text[..brace].trim().to_string(),
        None => text.to_string(),
    }
}

/// The rows of the table of errors.
fn messages(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for row in text.split("XX(").skip(1) {
        if let Some((code, rest)) = row.split_once(", \"") {
            let message = rest.split('"').next().unwrap_or_default();
            found.insert(format!("UV_{code}"), message.to_string());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        Api::read(root).unwrap()
    }

    #[test]
    fn every_function_is_in_its_chapter() {
        let api = api();
        let count = api
            .items()
            .filter(|(_, item)| item.kind == Kind::Function)
            .count();
        assert_eq!(count, 319);
        for (chapter, item) in api.items().filter(|(_, item)| item.kind == Kind::Function) {
            let link = item.docs.link.as_deref().unwrap_or_default();
            assert!(!item.docs.summary().is_empty(), "{}", item.name);
            assert_eq!(chapters::linked(link), [chapter.name], "{}", item.name);
            assert!(item.declaration.ends_with(';'), "{}", item.declaration);
        }
        assert!(api.contents.iter().all(|content| !content.items.is_empty()));
    }

    #[test]
    fn types_have_the_members_that_programs_may_use() {
        let api = api();
        let names = api.names();
        let members = |name: &str| -> Vec<String> {
            let members = names[name].1.members.iter();
            members
                .map(|m| {
                    if m.name.is_empty() {
                        m.declaration.clone()
                    } else {
                        m.name.clone()
                    }
                })
                .collect()
        };
        assert_eq!(members("uv_handle_t"), ["data", "loop", "type"]);
        assert_eq!(members("uv_buf_t"), ["base", "len"]);
        assert_eq!(members("uv_tcp_t"), ["uv_handle_t", "uv_stream_t"]);
        assert_eq!(members("uv_stream_t"), ["uv_handle_t", "write_queue_size"]);
        assert_eq!(members("uv_loop_t"), ["data"]);
        assert!(members("uv_rusage_t").contains(&"ru_maxrss".to_string()));
        for name in [
            "uv_read_cb",
            "UV_RUN_ONCE",
            "UV_TCP_IPV6ONLY",
            "UV_FS_O_APPEND",
            "uv_lib_t",
        ] {
            assert!(names.contains_key(name), "{name}");
        }
        let is_private = |name: &&str| name.contains("__") || name.contains("PRIVATE");
        let private: Vec<_> = names.keys().filter(|name| is_private(name)).collect();
        assert!(private.is_empty(), "{private:?}");
    }

    #[test]
    fn errors_have_their_messages() {
        let api = api();
        let item = api.names()["UV_EINVAL"].1;
        let member = item.members.iter().find(|m| m.name == "UV_EINVAL");
        assert_eq!(member.unwrap().docs.plain_text(), "invalid argument");
        let without = item.members.iter().filter(|m| m.docs.about.is_empty());
        assert_eq!(without.count(), 1, "UV_ERRNO_MAX is no error");
    }
}
