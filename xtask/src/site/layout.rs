//! The frame of all pages: navigation, search and foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Page;
use super::documents::{DOCUMENTS, Group};
use crate::api::Api;

/// A whole page.
pub fn frame(page: &Page, api: &Api, version: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (page.title) " · oxuv " (version) }
                link rel="stylesheet" href="style.css";
                script src="search-index.js" defer {}
                script src="search.js" defer {}
            }
            body {
                a.skip href="#content" { "To the text" }
                header {
                    a.home href="index.html" { "oxuv " (version) }
                    div.search role="search" {
                        input #search type="search" autocomplete="off" spellcheck="false"
                            placeholder="Search: a function, a type, a word  ( / )"
                            aria-label="Search the documentation" aria-controls="results";
                        ol #results hidden {}
                    }
                }
                div.columns {
                    nav aria-label="Pages" {
                        details #pages open { summary { "Pages" } (navigation(&page.file, api)) }
                    }
                    main #content { (page.content) }
                }
                footer {
                    "oxuv is libuv, rebuilt in Rust behind the same C ABI. Made from the headers "
                    "and documents of the repository by " code { "cargo xtask site" } "."
                }
                (PreEscaped(FOLD_ON_SMALL_SCREENS))
            }
        }
    }
}

/// On a narrow screen the list of pages would stand before the text.
const FOLD_ON_SMALL_SCREENS: &str = "<script>if (matchMedia('(max-width: 60rem)').matches) \
    document.getElementById('pages').open = false;</script>";

fn navigation(current: &str, api: &Api) -> Markup {
    let entry = |file: &str, title: &str| {
        let here = (file == current).then_some("page");
        html! { li { a href=(file) aria-current=[here] { (title) } } }
    };
    let documents = |group: Group| {
        html! {
            ul {
                @for document in DOCUMENTS.iter().filter(|document| document.group == group) {
                    (entry(document.page, document.short))
                }
            }
        }
    };
    html! {
        h2 { "Using it" }
        (documents(Group::Using))
        h2 { "The API" }
        ul {
            (entry("api.html", "Overview"))
            (entry("names.html", "All names"))
            @for content in &api.contents {
                (entry(&format!("{}.html", content.chapter.name), content.chapter.title))
            }
        }
        h2 { "The project" }
        (documents(Group::Project))
    }
}
