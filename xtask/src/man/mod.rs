//! The man pages of `man/man3/`: one for each function, one for each chapter with its types,
//! callbacks and constants, and `libuv(3)`, which lists the chapters. `cargo xtask headers` writes
//! them from the same text as the headers.

pub mod command;
mod roff;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::api::chapters::Chapter;
use crate::api::differences::Difference;
use crate::api::docs::Block;
use crate::api::{Api, Content, Item, Kind};
use crate::tools;
use roff::Page;

/// Where they lie in the repository.
pub const FOLDER: &str = "man/man3";

/// A file of the folder.
#[derive(PartialEq)]
pub enum File {
    Page(String),
    /// A symbolic link to the page that explains this name as well.
    Link(String),
}

impl File {
    fn read(path: &Path) -> Option<File> {
        match std::fs::read_link(path) {
            Ok(target) => Some(File::Link(target.to_str()?.to_string())),
            Err(_) => std::fs::read_to_string(path).ok().map(File::Page),
        }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        if path.symlink_metadata().is_ok() {
            std::fs::remove_file(path)?;
        }
        match self {
            File::Page(text) => std::fs::write(path, text),
            File::Link(target) => std::os::unix::fs::symlink(target, path),
        }
    }
}

/// All files by their names.
pub fn files(root: &Path) -> Result<BTreeMap<String, File>, String> {
    let api = Api::read(root)?;
    let writer = Writer {
        api: &api,
        names: api.names().keys().map(|name| name.to_string()).collect(),
        date: date(root)?,
        version: tools::version(root)?,
    };
    let mut files = BTreeMap::new();
    let mut add = |name: &str, file| files.insert(format!("{name}.3"), file);
    add("libuv", File::Page(writer.overview()));
    for content in &api.contents {
        let chapter = chapter_page(content.chapter);
        for item in &content.items {
            let name = &item.name;
            match item.kind {
                Kind::Function => {
                    add(name, File::Page(writer.function(content.chapter, item)));
                }
                Kind::Type | Kind::Callback => {
                    add(name, File::Link(format!("{chapter}.3")));
                }
                Kind::Enumeration | Kind::Constant => {}
            }
        }
        add(&chapter, File::Page(writer.chapter(content)));
    }
    Ok(files)
}

/// Writes the folder, or leaves it as it is; returns what is stale in it.
pub fn write(root: &Path, check: bool) -> Result<Vec<String>, String> {
    let folder = root.join(FOLDER);
    let failed = |error: std::io::Error| format!("{FOLDER}: {error}");
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let files = files(root)?;
    let mut stale = Vec::new();
    for (name, file) in &files {
        let path = folder.join(name);
        if File::read(&path).as_ref() != Some(file) {
            stale.push(format!("{FOLDER}/{name}"));
            if !check {
                file.write(&path).map_err(failed)?;
            }
        }
    }
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !files.contains_key(&name) {
            stale.push(format!("{FOLDER}/{name}"));
            if !check {
                std::fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
    }
    stale.extend(command::write(root, &date(root)?, check)?);
    Ok(stale)
}

/// The day of the newest release, as Debian's changelog has it.
fn date(root: &Path) -> Result<String, String> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let changelog = std::fs::read_to_string(root.join("debian/changelog"))
        .map_err(|error| format!("debian/changelog: {error}"))?;
    let date = crate::package::newest(&changelog).map(|(_, date)| date);
    let words: Vec<&str> = date.unwrap_or_default().split(' ').collect();
    let month = words.get(2).and_then(|month| MONTHS.find(month));
    match (words.as_slice(), month) {
        ([_, day, _, year, ..], Some(at)) => Ok(format!("{year}-{:02}-{day:0>2}", at / 3 + 1)),
        _ => Err("debian/changelog: no date".into()),
    }
}

/// The name of a chapter's page.
fn chapter_page(chapter: &Chapter) -> String {
    format!("libuv-{}", chapter.name.replace('_', "-"))
}

struct Writer<'a> {
    api: &'a Api,
    /// All names of the API, which pages set in bold.
    names: BTreeSet<String>,
    date: String,
    version: String,
}

impl Writer<'_> {
    fn page(&self, name: &str) -> Page<'_> {
        Page::new(name, &self.date, &self.version, &self.names)
    }

    fn function(&self, chapter: &Chapter, item: &Item) -> String {
        let mut page = self.page(&item.name);
        page.name(&[&item.name], item.docs.summary());
        page.section("SYNOPSIS");
        page.code(&format!("#include <uv.h>\n\n{}", item.declaration));
        page.section("DESCRIPTION");
        page.blocks(&item.docs.about);
        if item.docs.about.is_empty() {
            page.blocks(&item.docs.returns);
        } else if !item.docs.returns.is_empty() {
            page.section("RETURN VALUE");
            page.blocks(&item.docs.returns);
        }
        if let Some(precondition) = &item.docs.precondition {
            page.section("PRECONDITION");
            page.paragraph(precondition);
        }
        let differences = self.api.differences.iter();
        self.differences(
            &mut page,
            differences.filter(|difference| difference.names.contains(&item.name)),
        );
        page.section("SEE ALSO");
        page.references(&self.related(chapter, item));
        if let Some(link) = &item.docs.link {
            page.link("libuv's own documentation", link);
        }
        page.finish()
    }

    /// The pages that a function's page names: those of what its text names, the chapter's and
    /// the overview.
    fn related(&self, chapter: &Chapter, item: &Item) -> Vec<String> {
        let mut text = format!("{} {}", item.docs.plain_text(), item.declaration);
        text += item.docs.precondition.as_deref().unwrap_or_default();
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let words: BTreeSet<&str> = text.split(|letter| !is_word(letter)).collect();
        let has_page = |item: &Item| !matches!(item.kind, Kind::Constant | Kind::Enumeration);
        let pages = self.api.items().map(|(_, other)| other);
        let pages = pages.filter(|other| has_page(other) && words.contains(other.name.as_str()));
        let mut found: Vec<String> = pages
            .map(|other| other.name.clone())
            .filter(|name| *name != item.name)
            .collect();
        found.sort_unstable();
        found.extend([chapter_page(chapter), "libuv".into()]);
        found
    }

    fn differences<'d>(&self, page: &mut Page, found: impl Iterator<Item = &'d Difference>) {
        let found: Vec<&Difference> = found.collect();
        if found.is_empty() {
            return;
        }
        page.section("DIFFERS FROM LIBUV");
        for difference in found {
            page.tagged(&difference.place);
            page.text(&format!("libuv: {}.", difference.libuv));
            page.line_break();
            page.text(&format!("oxuv: {}.", difference.here));
        }
    }

    fn chapter(&self, content: &Content) -> String {
        let name = chapter_page(content.chapter);
        let mut page = self.page(&name);
        let of = |kinds: &[Kind]| -> Vec<&Item> {
            let items = content.items.iter();
            items.filter(|item| kinds.contains(&item.kind)).collect()
        };
        let explained = of(&[Kind::Type, Kind::Callback]);
        let mut names = vec![name.as_str()];
        names.extend(explained.iter().map(|item| item.name.as_str()));
        page.name(&names, content.chapter.about.trim_end_matches('.'));
        page.section("SYNOPSIS");
        page.code("#include <uv.h>");
        page.section("DESCRIPTION");
        page.paragraph(content.chapter.about);
        for (title, kinds) in [
            ("Types", &[Kind::Type][..]),
            ("Callbacks", &[Kind::Callback]),
            ("Constants", &[Kind::Enumeration]),
        ] {
            self.explained(&mut page, title, &of(kinds));
        }
        self.constants(&mut page, &of(&[Kind::Constant]));
        page.subsection("Functions");
        for item in of(&[Kind::Function]) {
            page.reference_with_text(&item.name, item.docs.summary());
        }
        let differences = self.api.differences.iter();
        self.differences(
            &mut page,
            differences.filter(|difference| difference.chapters.contains(&content.chapter.name)),
        );
        page.section("SEE ALSO");
        page.references(&["libuv".into()]);
        let link = format!(
            "https://docs.libuv.org/en/v1.x/{}.html",
            content.chapter.name
        );
        page.link("libuv's own documentation", &link);
        page.finish()
    }

    /// Types, callbacks or enumerations with their members.
    fn explained(&self, page: &mut Page, title: &str, items: &[&Item]) {
        if items.is_empty() {
            return;
        }
        page.subsection(title);
        for item in items {
            match item.kind {
                Kind::Callback => page.tagged_code(&item.declaration),
                _ => page.tagged(&item.name),
            }
            page.text(&item.docs.plain_text());
            if !item.members.is_empty() {
                page.begin_indent();
            }
            for member in &item.members {
                if member.name.is_empty() {
                    page.tagged(&format!("the members of {}", member.declaration));
                } else {
                    page.tagged_code(&member.declaration);
                    page.text(&member.docs.plain_text());
                }
            }
            if !item.members.is_empty() {
                page.end_indent();
            }
        }
    }

    fn constants(&self, page: &mut Page, items: &[&Item]) {
        if items.is_empty() {
            return;
        }
        page.subsection("Macros");
        for item in items {
            page.tagged_code(format!("{} {}", item.name, item.declaration).trim());
            page.text(&item.docs.plain_text());
        }
    }

    fn overview(&self) -> String {
        let mut page = self.page("libuv");
        page.name(&["libuv"], "asynchronous I/O on event loops");
        page.section("SYNOPSIS");
        page.code("#include <uv.h>\n\ncc program.c $(pkg-config --cflags --libs libuv)");
        page.section("DESCRIPTION");
        for text in [
            "A program has event loops, and handles and requests on them. Handles live for a while \
             and call back repeatedly; a request is for one operation, and calls back once.",
            "This library is oxuv: libuv, rebuilt in Rust behind the same C ABI.",
            &self.api.rules,
            "Each function has a page of its own. The chapters have their types, callbacks and \
             constants:",
        ] {
            page.paragraph(text);
        }
        for content in &self.api.contents {
            let text = format!("{}. {}", content.chapter.title, content.chapter.about);
            page.reference_with_text(&chapter_page(content.chapter), &text);
        }
        let general = self.api.differences.iter();
        self.differences(
            &mut page,
            general.filter(|difference| difference.chapters.is_empty()),
        );
        page.section("SEE ALSO");
        page.link("libuv's own documentation", "https://docs.libuv.org");
        page.finish()
    }
}

impl Page<'_> {
    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Paragraph(text) => self.paragraph(text),
                Block::List(entries) => {
                    for entry in entries {
                        self.bullet(entry);
                    }
                }
            }
        }
    }
}
