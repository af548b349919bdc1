//! `cargo xtask site`: the documentation as a web site under `target/site/`, without a network. It
//! has the chapters of the API from the headers, and the documents of the repository. It works from
//! files, and its search does so as well.

mod browser;
mod documents;
mod layout;
mod links;
mod manual;
mod reference;
mod report;
mod search;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::api::{Api, Kind};
use crate::tools;

/// Files that are copied as they are.
const ASSETS: &[(&str, &str)] = &[
    ("style.css", include_str!("../../site/style.css")),
    ("search.js", include_str!("../../site/search.js")),
];

#[derive(clap::Args)]
pub struct Options {
    /// Open it in a browser as well, and check the man pages
    #[arg(long)]
    test: bool,
}

pub fn run(root: &Path, options: &Options) -> Outcome {
    let site = Site::build(root)?;
    println!("{}", site.folder.join("index.html").display());
    if options.test {
        browser::check(&site)?;
        report::check(&site.folder)?;
        manual::check(root)?;
    }
    Ok(())
}

/// Where each name of the API is explained.
pub struct Names(BTreeMap<String, String>);

impl Names {
    fn of(api: &Api) -> Names {
        let mut names = BTreeMap::new();
        for (name, (chapter, _)) in api.names() {
            let address = format!("{}.html#c.{name}", chapter.name);
            names.insert(name.to_string(), address);
        }
        Names(names)
    }

    /// The page and anchor of a name, if it is one of the API.
    pub fn address(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A page before the frame is put around it.
pub struct Page {
    /// The name of its file.
    pub file: String,
    pub title: String,
    pub content: maud::Markup,
}

/// The site as it lies in its folder.
pub struct Site {
    pub folder: PathBuf,
    /// The names of its pages.
    pub pages: Vec<String>,
}

impl Site {
    /// Writes all of it anew. A link that leads nowhere is an error.
    fn build(root: &Path) -> Result<Site, String> {
        let api = Api::read(root)?;
        let names = Names::of(&api);
        let mut documents = documents::Documents::read(root, &names)?;
        let mut pages = std::mem::take(&mut documents.pages);
        pages.extend(reference::pages(&api, &names));
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (name, text) in ASSETS {
            files.insert(name.to_string(), text.as_bytes().to_vec());
        }
        let index = search::index(&api, &documents.sections);
        files.insert("search-index.js".into(), index.into_bytes());
        for (name, file) in &documents.copied {
            let content = std::fs::read(root.join(file));
            let content = content.map_err(|error| format!("{}: {error}", file.display()))?;
            files.insert(name.clone(), content);
        }
        let version = tools::version(root)?;
        let mut written = Vec::new();
        for page in &pages {
            let text = layout::frame(page, &api, &version).into_string();
            written.push(page.file.clone());
            files.insert(page.file.clone(), text.into_bytes());
        }
        links::check(&files)?;
        let functions = api.items().filter(|(_, item)| item.kind == Kind::Function);
        println!(
            "{} pages, {} functions, {} deliberate differences",
            written.len(),
            functions.count(),
            api.differences.len()
        );
        let folder = root.join("target/site");
        write(&folder, &files)?;
        Ok(Site {
            folder,
            pages: written,
        })
    }
}

fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Outcome {
    let _ = std::fs::remove_dir_all(folder);
    for (name, content) in files {
        let file = folder.join(name);
        let written = std::fs::create_dir_all(file.parent().unwrap_or(folder))
            .and_then(|()| std::fs::write(&file, content));
        written.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_is_built_and_has_no_dead_link() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let site = Site::build(root).unwrap();
        let text = std::fs::read_to_string(site.folder.join("tcp.html")).unwrap();
        assert!(text.contains("id=\"c.uv_tcp_connect\""));
        assert!(text.contains("Differs from libuv"));
        assert!(site.pages.len() > 35);
    }
}
