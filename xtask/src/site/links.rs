//! No link of the site leads nowhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::Outcome;

/// Checks all links of all pages, by the names of the files and their contents.
pub fn check(files: &BTreeMap<String, Vec<u8>>) -> Outcome {
    let pages: BTreeMap<&str, String> = files
        .iter()
        .filter(|(name, _)| name.ends_with(".html"))
        .map(|(name, content)| (name.as_str(), String::from_utf8_lossy(content).into_owned()))
        .collect();
    let mut anchors = BTreeMap::new();
    for (name, text) in &pages {
        let mut ids = BTreeSet::new();
        for id in values(text, "id") {
            if !ids.insert(id) {
                return Err(format!("{name}: two places have the name {id}"));
            }
        }
        anchors.insert(*name, ids);
    }
    let mut dead = Vec::new();
    for (name, text) in &pages {
        for link in values(text, "href").chain(values(text, "src")) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { name } else { file };
            let ids = anchors.get(file);
            let has_anchor = anchor.is_empty() || ids.is_some_and(|ids| ids.contains(anchor));
            if !files.contains_key(file) || !has_anchor {
                dead.push(format!("{name}: {link}"));
            }
        }
    }
    match dead.is_empty() {
        true => Ok(()),
        false => Err(format!("dead links:\n  {}", dead.join("\n  "))),
    }
}

/// The values of an attribute, as the pages are written: between double quotes.
fn values<'a>(page: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let parts = page.split('<').skip(1);
    let tags = parts.filter_map(|part| part.split('>').next());
    let before = format!(" {attribute}=\"");
    tags.filter_map(move |tag| tag.split(before.as_str()).nth(1)?.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_page(text: &str) -> Outcome {
        let files = BTreeMap::from([
            ("a.html".to_string(), text.as_bytes().to_vec()),
            ("b.html".to_string(), b"<p id=\"c\">".to_vec()),
        ]);
        check(&files)
    }

    #[test]
    fn dead_links_are_found() {
        let good = "<a href=\"b.html#c\"><a href=\"b.html\"><a href=\"https://x.y\"><p id=\"d\">";
        assert_eq!(check_page(good), Ok(()));
        for bad in [
            "<a href=\"c.html\">",
            "<a href=\"b.html#d\">",
            "<img src=\"c.svg\">",
        ] {
            assert!(check_page(bad).is_err(), "{bad}");
        }
        assert!(check_page("<p id=\"d\"><p id=\"d\">").is_err());
    }
}
