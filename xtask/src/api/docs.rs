//! Comments of the header as parts that a page shows in its own way.

/// A paragraph, or the entries of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Paragraph(String),
    List(Vec<String>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Docs {
    /// What it is or does.
    pub about: Vec<Block>,
    pub returns: Vec<Block>,
    /// What a call demands of its caller.
    pub precondition: Option<String>,
    /// Its place in libuv's own documentation.
    pub link: Option<String>,
}

impl Docs {
    /// Reads the lines of a comment, without the comment's own marks.
    pub fn read(lines: &[String]) -> Docs {
        let mut docs = Docs::default();
        let mut in_returns = false;
        for block in blocks(lines) {
            match block {
                Block::Paragraph(text) => {
                    in_returns = text.starts_with("Returns ");
                    docs.add(text, in_returns);
                }
                list if in_returns => docs.returns.push(list),
                list => docs.about.push(list),
            }
        }
        docs
    }

    fn add(&mut self, text: String, is_result: bool) {
        if let Some(link) = text.strip_prefix("See https://") {
            self.link = Some(format!("https://{link}"));
        } else if let Some(precondition) = text.strip_prefix("Precondition: ") {
            self.precondition = Some(capitalised(precondition));
        } else if is_result {
            self.returns.push(Block::Paragraph(text));
        } else {
            self.about.push(Block::Paragraph(text));
        }
    }

    /// The first sentence, without its full stop.
    pub fn summary(&self) -> &str {
        let first = self.about.first().or(self.returns.first());
        match first {
            Some(Block::Paragraph(text)) => first_sentence(text),
            _ => "",
        }
    }

    pub fn is_private(&self) -> bool {
        self.summary().starts_with("Private")
    }

    /// Whether a type is for programs, and what is in it is not.
    pub fn hides_members(&self) -> bool {
        self.plain_text().ends_with(" Private.")
    }

    /// All of it in one line, for a table or a search.
    pub fn plain_text(&self) -> String {
        let mut parts: Vec<&str> = Vec::new();
        for block in self.about.iter().chain(&self.returns) {
            match block {
                Block::Paragraph(text) => parts.push(text),
                Block::List(entries) => parts.extend(entries.iter().map(String::as_str)),
            }
        }
        parts.join(" ")
    }
}

fn capitalised(text: &str) -> String {
    // A parameter keeps its name.
    let word = text.split(' ').next().unwrap_or_default();
    match ["the", "a", "an", "all", "both"].contains(&word) {
        true => text[..1].to_uppercase() + &text[1..],
        false => text.to_string(),
    }
}

/// Up to the first full stop that ends a sentence, or a colon or semicolon.
fn first_sentence(text: &str) -> &str {
    let ends = [". ", ": ", "; "].iter().filter_map(|end| text.find(end));
    let end = ends.min().unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// Blank lines separate blocks; an entry of a list begins with a dash.
fn blocks(lines: &[String]) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for line in lines {
        let text = line.trim();
        if text.is_empty() {
            open = false;
        } else if let Some(entry) = text.strip_prefix("- ") {
            match found.last_mut() {
                Some(Block::List(entries)) if open => entries.push(entry.to_string()),
                _ => found.push(Block::List(vec![entry.to_string()])),
            }
            open = true;
        } else if open {
            match found.last_mut().expect("an open block is there") {
                Block::Paragraph(paragraph) => append(paragraph, text),
                Block::List(entries) => {
                    append(entries.last_mut().expect("a list has entries"), text);
                }
            }
        } else {
            found.push(Block::Paragraph(text.to_string()));
            open = true;
        }
    }
    found
}

fn append(paragraph: &mut String, line: &str) {
    paragraph.push(' ');
    paragraph.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Docs {
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        Docs::read(&lines)
    }

    #[test]
    fn a_comment_has_parts() {
        let docs = read(
            "Starts it. Soon.\n\n- one\n- two,\n  long\n\nReturns 0 or\nan error.\n\n\
             See\nhttps://docs.libuv.org/x\n\nPrecondition: the loop must be\ninitialised.",
        );
        let list = Block::List(vec!["one".into(), "two, long".into()]);
        assert_eq!(
            docs.about,
            [Block::Paragraph("Starts it. Soon.".into()), list]
        );
        let returns = Block::Paragraph("Returns 0 or an error.".into());
        assert_eq!(docs.returns, [returns]);
        assert_eq!(docs.link.as_deref(), Some("https://docs.libuv.org/x"));
        let precondition = "The loop must be initialised.";
        assert_eq!(docs.precondition.as_deref(), Some(precondition));
        assert_eq!(docs.summary(), "Starts it");
    }

    #[test]
    fn private_things_are_known() {
        assert!(read("Private: a link.").is_private());
        assert!(!read("Called for private things.").is_private());
    }
}
