//! The pages of the API: a chapter each, an overview, and the list of all names. Anchors are those
//! of docs.libuv.org.

use maud::{Markup, PreEscaped, html};

use super::{Names, Page, documents};
use crate::api::differences::Difference;
use crate::api::docs::{Block, Docs};
use crate::api::{Api, Content, Item, Kind};

pub fn pages(api: &Api, names: &Names) -> Vec<Page> {
    let reference = Reference { api, names };
    let mut pages: Vec<Page> = api.contents.iter().map(|c| reference.chapter(c)).collect();
    pages.push(reference.overview());
    pages.push(reference.all_names());
    pages
}

struct Reference<'a> {
    api: &'a Api,
    names: &'a Names,
}

impl Reference<'_> {
    fn chapter(&self, content: &Content) -> Page {
        let chapter = content.chapter;
        let of = |kinds: &[Kind]| -> Vec<&Item> {
            let items = content.items.iter();
            items.filter(|item| kinds.contains(&item.kind)).collect()
        };
        let functions = of(&[Kind::Function]);
        let differences = self.api.differences.iter();
        let general = differences.filter(|difference| {
            let in_chapter = difference.chapters.contains(&chapter.name);
            let has_own_box = functions
                .iter()
                .any(|function| difference.names.contains(&function.name));
            in_chapter && !has_own_box
        });
        let link = format!("https://docs.libuv.org/en/v1.x/{}.html", chapter.name);
        let content = html! {
            h1 { (chapter.title) }
            p.lead { (chapter.about) " In libuv's own documentation: " a href=(link) { (chapter.name) ".html" } "." }
            (self.differences(&general.collect::<Vec<_>>()))
            (self.contents(&functions))
            (self.section("Types", &of(&[Kind::Type])))
            (self.section("Callbacks", &of(&[Kind::Callback])))
            (self.section("Constants", &of(&[Kind::Enumeration])))
            (self.macros(&of(&[Kind::Constant])))
            (self.section("Functions", &functions))
        };
        Page {
            file: format!("{}.html", chapter.name),
            title: chapter.title.into(),
            content,
        }
    }

    /// The functions of a chapter at a glance.
    fn contents(&self, functions: &[&Item]) -> Markup {
        html! {
            @if functions.len() > 1 {
                table.contents {
                    @for item in functions {
                        tr {
                            td { a href={ "#c." (item.name) } { code { (item.name) } } }
                            td { (self.text(item.docs.summary())) }
                        }
                    }
                }
            }
        }
    }

    fn section(&self, title: &str, items: &[&Item]) -> Markup {
        html! {
            @if !items.is_empty() {
                h2 id=(title.to_lowercase()) { (title) }
                @for item in items { (self.item(item)) }
            }
        }
    }

    fn item(&self, item: &Item) -> Markup {
        let last = item.name.rsplit(' ').next().unwrap_or_default();
        let differences = self.api.differences.iter();
        let own = differences.filter(|difference| {
            item.kind == Kind::Function && difference.names.contains(&item.name)
        });
        html! {
            section.item id={ "c." (last) } {
                h3 { a href={ "#c." (last) } { code { (item.name) } } }
                @if item.kind != Kind::Enumeration {
                    pre { code { (self.code(&item.declaration)) } }
                }
                (self.docs(&item.docs))
                (self.members(item))
                (self.differences(&own.collect::<Vec<_>>()))
            }
        }
    }

    fn docs(&self, docs: &Docs) -> Markup {
        html! {
            (self.blocks(&docs.about))
            (self.blocks(&docs.returns))
            @if let Some(precondition) = &docs.precondition {
                p.precondition { b { "Precondition: " } (self.text(precondition)) }
            }
            @if let Some(link) = &docs.link {
                p.more { a href=(link) { "libuv's own documentation" } }
            }
        }
    }

    fn blocks(&self, blocks: &[Block]) -> Markup {
        html! {
            @for block in blocks {
                @match block {
                    Block::Paragraph(text) => p { (self.text(text)) },
                    Block::List(entries) => ul {
                        @for entry in entries { li { (self.text(entry)) } }
                    },
                }
            }
        }
    }

    fn members(&self, item: &Item) -> Markup {
        let is_enumeration = item.kind == Kind::Enumeration;
        let own_name = item.name.as_str();
        html! {
            @if !item.members.is_empty() {
                div.scroll { table.members {
                    @for member in &item.members {
                        @let anchor = format!("c.{}", member.name);
                        @let id = (is_enumeration && member.name != own_name).then_some(anchor);
                        tr id=[id] {
                            @if member.name.is_empty() {
                                td colspan="2" {
                                    "the members of " code { (self.code(&member.declaration)) }
                                }
                            } @else {
                                td { code { (self.code(&member.declaration)) } }
                                td { (self.text(&member.docs.plain_text())) }
                            }
                        }
                    }
                } }
            }
        }
    }

    fn macros(&self, items: &[&Item]) -> Markup {
        html! {
            @if !items.is_empty() {
                h2 id="macros" { "Macros" }
                div.scroll { table.members {
                    @for item in items {
                        tr id={ "c." (item.name) } {
                            td { code { (item.name) } }
                            td { code { (item.declaration) } }
                            td { (self.text(&item.docs.plain_text())) }
                        }
                    }
                } }
            }
        }
    }

    /// The box that says what this library decides otherwise.
    fn differences(&self, found: &[&Difference]) -> Markup {
        html! {
            @if !found.is_empty() {
                aside.differs {
                    h4 { "Differs from libuv" }
                    div.scroll { table {
                        tr { th { "where" } th { "libuv" } th { "here" } }
                        @for difference in found {
                            tr {
                                @for cell in [&difference.place, &difference.libuv, &difference.here] {
                                    td { (PreEscaped(documents::inline(cell, self.names))) }
                                }
                            }
                        }
                    } }
                    p.more { a href="differences.html" { "All differences" } }
                }
            }
        }
    }

    fn overview(&self) -> Page {
        let differences = self.api.differences.iter();
        let general = differences.filter(|difference| difference.chapters.is_empty());
        let content = html! {
            h1 { "The API" }
            p { "All functions of libuv 1.53, in the chapters of its documentation. Programs include "
                code { "<uv.h>" } ", and are linked to " code { "libuv" } "." }
            p { (self.text(&self.api.rules)) }
            (self.differences(&general.collect::<Vec<_>>()))
            @for content in &self.api.contents {
                h2 { a href={ (content.chapter.name) ".html" } { (content.chapter.title) } }
                p { (content.chapter.about) }
                p.names {
                    @for item in content.items.iter().filter(|item| item.kind == Kind::Function) {
                        (self.code(&item.name)) " "
                    }
                }
            }
        };
        Page {
            file: "api.html".into(),
            title: "The API".into(),
            content,
        }
    }

    fn all_names(&self) -> Page {
        let content = html! {
            h1 { "All names" }
            p { "Functions, types, callbacks, constants and macros, in the order of the alphabet." }
            ul.columns-list {
                @for (name, address) in &self.names.0 {
                    li { a href=(address) { code { (name) } } }
                }
            }
        };
        Page {
            file: "names.html".into(),
            title: "All names".into(),
            content,
        }
    }

    /// Text in which names of the API are links.
    fn text(&self, text: &str) -> Markup {
        self.linked(text, true)
    }

    /// A declaration in which names of the API are links.
    fn code(&self, text: &str) -> Markup {
        self.linked(text, false)
    }

    fn linked(&self, text: &str, as_code: bool) -> Markup {
        let parts = words(text);
        html! {
            @for part in parts {
                @match self.names.address(part) {
                    Some(address) if as_code => { a href=(address) { code { (part) } } },
                    Some(address) => { a href=(address) { (part) } },
                    None => { (part) },
                }
            }
        }
    }
}

/// A text as names and what is between them.
fn words(text: &str) -> Vec<&str> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = is_name(first);
        let end = rest.find(|letter| is_name(letter) != kind);
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(part);
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_names_and_the_rest() {
        assert_eq!(words("a_b, (c)"), ["a_b", ", (", "c", ")"]);
        assert_eq!(words("…x"), ["…", "x"]);
    }
}
