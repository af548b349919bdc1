//! What `search.js` searches: a list of everything that has a name or a heading. It is a script and
//! not data, because pages that are opened as files may not load data.

use serde_json::{Value, json};

use super::documents::Section;
use crate::api::{Api, Kind};

/// So much of a section's text is searched; tables of measurements are long.
const MOST_LETTERS: usize = 3000;

pub fn index(api: &Api, sections: &[Section]) -> String {
    let mut entries: Vec<Value> = Vec::new();
    for (chapter, item) in api.items() {
        let kind = match item.kind {
            Kind::Function => "function",
            Kind::Callback => "callback",
            Kind::Type => "type",
            Kind::Enumeration => "constants",
            Kind::Constant => "macro",
        };
        let last = item.name.rsplit(' ').next().unwrap_or_default();
        let address = format!("{}.html#c.{last}", chapter.name);
        let text = item.docs.plain_text();
        entries.push(json!([item.name, kind, address, text]));
        if item.kind == Kind::Enumeration {
            let members = item
                .members
                .iter()
                .filter(|member| member.name != item.name);
            for member in members {
                let address = format!("{}.html#c.{}", chapter.name, member.name);
                let text = member.docs.plain_text();
                entries.push(json!([member.name, "constant", address, text]));
            }
        }
    }
    for content in &api.contents {
        let address = format!("{}.html", content.chapter.name);
        let (title, about) = (content.chapter.title, content.chapter.about);
        entries.push(json!([title, "chapter", address, about]));
    }
    for section in sections {
        let text: String = section.text.chars().take(MOST_LETTERS).collect();
        let (title, address) = (&section.title, &section.address);
        entries.push(json!([title, section.document, address, text]));
    }
    format!("const searchIndex = {};\n", Value::Array(entries))
}
