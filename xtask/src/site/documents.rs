//! The documents of the repository as pages: Markdown in which names of the API are links.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use maud::{PreEscaped, html};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{Names, Page};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Using,
    Project,
}

pub struct Document {
    file: &'static str,
    pub page: &'static str,
    /// What the navigation calls it.
    pub short: &'static str,
    pub group: Group,
}

const fn using(file: &'static str, page: &'static str, short: &'static str) -> Document {
    Document {
        file,
        page,
        short,
        group: Group::Using,
    }
}

const fn project(file: &'static str, page: &'static str, short: &'static str) -> Document {
    Document {
        group: Group::Project,
        ..using(file, page, short)
    }
}

/// In the order of the navigation. What these link to beside each other is copied.
pub const DOCUMENTS: &[Document] = &[
    using("README.md", "index.html", "oxuv"),
    using("docs/packaging.md", "packaging.html", "Packaging"),
    using(
        "docs/differences.md",
        "differences.html",
        "Differences from libuv",
    ),
    using(
        "docs/compatibility.md",
        "compatibility.html",
        "Compatibility",
    ),
    using("docs/performance.md", "performance.html", "Performance"),
    using("docs/reliability.md", "reliability.html", "Reliability"),
    using("docs/diagnosis.md", "diagnosis.html", "Seeing inside"),
    using("CHANGELOG.md", "changelog.html", "Changes"),
    using("SECURITY.md", "security.html", "Security"),
    project("ARCHITECTURE.md", "architecture.html", "Architecture"),
    project("CONTRIBUTING.md", "contributing.html", "Contributing"),
    project("docs/glossary.md", "glossary.html", "Glossary"),
    project("docs/guards.md", "guards.html", "Guards"),
    project("c_tests/README.md", "c-tests.html", "The C tests"),
];

/// What a heading stands above, for the search.
pub struct Section {
    pub document: &'static str,
    pub title: String,
    pub address: String,
    pub text: String,
}

#[derive(Default)]
pub struct Documents {
    pub pages: Vec<Page>,
    pub sections: Vec<Section>,
    /// Other files that documents link to: the name in the site, and the file.
    pub copied: BTreeMap<String, PathBuf>,
}

impl Documents {
    pub fn read(root: &Path, names: &Names) -> Result<Documents, String> {
        let mut documents = Documents::default();
        for document in DOCUMENTS {
            let text = std::fs::read_to_string(root.join(document.file))
                .map_err(|error| format!("{}: {error}", document.file))?;
            let page = documents.page(document, &text, names);
            documents.pages.push(page);
        }
        Ok(documents)
    }

    fn page(&mut self, document: &Document, text: &str, names: &Names) -> Page {
        let mut events: Vec<Event> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
        let folder = Path::new(document.file).parent().unwrap_or(Path::new(""));
        for event in &mut events {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                *dest_url = self.address(folder, dest_url).into();
            }
        }
        name_headings(&mut events);
        self.sections.extend(sections(document, &events));
        let title = self.sections.iter().find(|s| s.document == document.short);
        let title = title.map_or(document.short.to_string(), |section| section.title.clone());
        let mut content = String::new();
        pulldown_cmark::html::push_html(&mut content, with_names(events, names).into_iter());
        Page {
            file: document.page.into(),
            title,
            content: html! { article { (PreEscaped(content)) } },
        }
    }

    /// Where a link of a document leads in the site.
    fn address(&mut self, folder: &Path, target: &str) -> String {
        if target.contains("://") || target.starts_with('#') || target.starts_with("mailto:") {
            return target.to_string();
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = plain_path(&folder.join(file));
        let page = DOCUMENTS.iter().find(|page| Path::new(page.file) == file);
        let mut address = match page {
            Some(document) => document.page.to_string(),
            None => {
                let mut name = format!("files/{}", file.display());
                if file.extension().is_some_and(|end| end == "rs") {
                    // Browsers show it, and do not offer to save it.
                    name.push_str(".txt");
                }
                self.copied.insert(name.clone(), file);
                name
            }
        };
        if !anchor.is_empty() {
            address = format!("{address}#{anchor}");
        }
        address
    }
}

/// A path without `..` in it.
fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Gives each heading the anchor that links expect: that of the repository's web page.
fn name_headings(events: &mut [Event]) {
    for at in 0..events.len() {
        let anchor = anchor(&heading_text(&events[at..]));
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(anchor.into());
        }
    }
}

/// The text of the heading that begins here; empty for what is none.
fn heading_text(events: &[Event]) -> String {
    if !matches!(events[0], Event::Start(Tag::Heading { .. })) {
        return String::new();
    }
    let inside = events
        .iter()
        .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    inside.filter_map(text_of).collect()
}

fn text_of<'a>(event: &'a Event) -> Option<&'a str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        Event::SoftBreak | Event::HardBreak => Some(" "),
        _ => None,
    }
}

fn anchor(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let letters = letters.chars().map(|l| if l == ' ' { '-' } else { l });
    letters
        .filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter))
        .collect()
}

/// A section for each heading.
fn sections(document: &Document, events: &[Event]) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::Heading { level, id, .. }) => {
                let anchor = id.as_deref().unwrap_or_default();
                let address = match level {
                    HeadingLevel::H1 => document.page.to_string(),
                    _ => format!("{}#{anchor}", document.page),
                };
                found.push(Section {
                    document: document.short,
                    title: heading_text(&events[at..]),
                    address,
                    text: String::new(),
                });
            }
            Event::End(TagEnd::Paragraph | TagEnd::TableCell | TagEnd::Item) => {
                found.last_mut().into_iter().for_each(|s| s.text.push(' '));
            }
            event => {
                if let (Some(section), Some(text)) = (found.last_mut(), text_of(event)) {
                    section.text.push_str(text);
                }
            }
        }
    }
    found
}

/// Makes links of names between backquotes, lets wide tables scroll, and leaves comments out.
fn with_names<'a>(events: Vec<Event<'a>>, names: &Names) -> Vec<Event<'a>> {
    let mut out = Vec::new();
    let mut in_link = false;
    for event in events {
        match event {
            Event::Start(Tag::Link { .. }) => in_link = true,
            Event::End(TagEnd::Link) => in_link = false,
            Event::Start(Tag::Table(_)) => out.push(raw("<div class=\"scroll\">".into())),
            _ => {}
        }
        let address = match &event {
            Event::Code(text) if !in_link => names.address(text),
            _ => None,
        };
        match (event, address) {
            (Event::Html(text) | Event::InlineHtml(text), _) if text.starts_with("<!--") => {}
            (Event::Code(text), Some(address)) => {
                let link = html! { a href=(address) { code { (text.as_ref()) } } };
                out.push(raw(link.into_string().into()));
            }
            (event @ Event::End(TagEnd::Table), _) => {
                out.push(event);
                out.push(raw("</div>".into()));
            }
            (event, _) => out.push(event),
        }
    }
    out
}

fn raw(text: CowStr) -> Event {
    Event::InlineHtml(text)
}

/// Markdown within a line, such as a cell of a table.
pub fn inline(text: &str, names: &Names) -> String {
    let events = Parser::new(text).filter(|event| {
        !matches!(
            event,
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)
        )
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, with_names(events.collect(), names).into_iter());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_or_copies() {
        let mut documents = Documents::default();
        let docs = Path::new("docs");
        assert_eq!(
            documents.address(docs, "../README.md#faq"),
            "index.html#faq"
        );
        assert_eq!(
            documents.address(docs, "differences.md"),
            "differences.html"
        );
        assert_eq!(documents.address(docs, "https://a.b"), "https://a.b");
        assert_eq!(documents.address(docs, "../src/a.rs"), "files/src/a.rs.txt");
        assert_eq!(
            documents.copied["files/src/a.rs.txt"],
            Path::new("src/a.rs")
        );
    }

    #[test]
    fn headings_have_the_anchors_of_repositories() {
        assert_eq!(
            anchor("How `uv_run` works, and why"),
            "how-uv_run-works-and-why"
        );
    }

    #[test]
    fn names_between_backquotes_are_links() {
        let names = BTreeMap::from([("uv_run".to_string(), "loop.html#c.uv_run".to_string())]);
        let names = Names(names);
        let text = inline("a `uv_run` <!-- x --> `b`", &names);
        let link = "<a href=\"loop.html#c.uv_run\"><code>uv_run</code></a>";
        assert_eq!(text, format!("a {link}  <code>b</code>"));
    }
}
