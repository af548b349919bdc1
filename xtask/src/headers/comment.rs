//! Doc comments for C readers: Rust's Markdown becomes plain text.

/// The header's line length.
pub const WIDTH: usize = 80;

/// The text of a doc comment as paragraphs: plain text, one string each. A list entry is a
/// paragraph that begins with `- `.
pub fn paragraphs(docs: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    // What the next line is glued to; a heading is glued to the paragraph after it.
    let mut open = false;
    let mut heading = String::new();
    for line in docs.iter().map(|l| l.trim()) {
        if line.is_empty() {
            open = false;
        } else if let Some(title) = line.strip_prefix("# ") {
            heading = heading_text(title);
            open = false;
        } else if open && !is_list_entry(line) {
            let last = all.last_mut().expect("open means that there is one");
            last.push(' ');
            last.push_str(&plain(line));
        } else {
            if is_list_entry(line) && !heading.is_empty() {
                all.push(std::mem::take(&mut heading).trim_end().to_string());
            }
            all.push(std::mem::take(&mut heading) + &plain(line));
            open = true;
        }
    }
    all
}

fn is_list_entry(line: &str) -> bool {
    line.starts_with("- ") || line.starts_with("* ")
}

fn heading_text(title: &str) -> String {
    match title {
        // What Rust calls safety is for C what a call demands of its caller.
        "Safety" => "Precondition: ".to_string(),
        other => format!("{other}: "),
    }
}

/// One line without its marks.
fn plain(line: &str) -> String {
    let line = match line.strip_prefix("* ") {
        Some(rest) => format!("- {rest}"),
        None => line.to_string(),
    };
    let line = line.replace("*/", "* /").replace("/*", "/ *");
    let line = match line.strip_prefix('<').and_then(|l| l.strip_suffix('>')) {
        Some(address) if address.starts_with("http") => format!("See {address}"),
        _ => line,
    };
    ascii(&links(&line).replace(['`'], "").replace("**", ""))
}

/// `[text]` and `[text](target)` become the text; a web address is kept.
fn links(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(open) = rest.find("[`") {
        let Some(close) = rest[open..].find("`]").map(|at| open + at) else {
            break;
        };
        out.push_str(&rest[..open]);
        out.push_str(&rest[open + 2..close]);
        rest = &rest[close + 2..];
        if let Some((_, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            rest = after;
        }
    }
    out + rest
}

/// Typographic signs, as they are written where only ASCII will do.
fn ascii(text: &str) -> String {
    const SIGNS: &[(char, &str)] = &[
        ('…', "..."),
        ('–', "-"),
        ('—', "-"),
        ('−', "-"),
        ('’', "'"),
        ('‘', "'"),
        ('“', "\""),
        ('”', "\""),
        ('→', "->"),
        ('≤', "<="),
        ('≥', ">="),
        ('×', "x"),
        ('µ', "u"),
        ('·', "-"),
    ];
    let mut text = text.to_string();
    for (sign, plain) in SIGNS {
        text = text.replace(*sign, plain);
    }
    text
}

/// Breaks a text at spaces, so that each line has at most `width` characters if it can be.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("never empty");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_string());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// A documentation comment for C, indented, with a line break at its end; empty for an empty doc
/// comment.
pub fn comment(docs: &[String], indent: &str) -> String {
    let paragraphs = paragraphs(docs);
    let one_line = format!("{indent}/** {} */\n", paragraphs.join(" "));
    if paragraphs.is_empty() {
        return String::new();
    }
    if paragraphs.len() == 1 && one_line.trim_end().chars().count() <= WIDTH {
        return one_line;
    }
    let mut lines: Vec<String> = Vec::new();
    for (index, paragraph) in paragraphs.iter().enumerate() {
        let entry = is_list_entry(paragraph);
        if index > 0 && !(entry && is_list_entry(&paragraphs[index - 1])) {
            lines.push(String::new());
        }
        let hang = if entry { "  " } else { "" };
        for (at, line) in wrap(paragraph, WIDTH - indent.len() - 7).iter().enumerate() {
            lines.push(if at == 0 {
                line.clone()
            } else {
                format!("{hang}{line}")
            });
        }
    }
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let start = if index == 0 { "/**" } else { " *" };
        out.push_str(format!("{indent}{start} {line}").trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + " */\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_string).collect()
    }

    #[test]
    fn marks_disappear() {
        let docs = lines("Starts [`uv_run`], see [`x`](crate::x) and `a*`.\n\n<https://a.b/c>");
        let expected = "/** Starts uv_run, see x and a*.\n *\n * See https://a.b/c */\n";
        assert_eq!(comment(&docs, ""), expected);
    }

    #[test]
    fn headings_lead_their_paragraph() {
        let docs =
            lines("Does it.\n\n# Safety\n`x` must be\nvalid.\n\n# Errors\n- `UV_EIO`\n- `b`");
        let expected = [
            "Does it.",
            "Precondition: x must be valid.",
            "Errors:",
            "- UV_EIO",
            "- b",
        ];
        assert_eq!(paragraphs(&docs), expected);
    }

    #[test]
    fn a_comment_cannot_end_early() {
        assert_eq!(comment(&lines("a */ b"), "  "), "  /** a * / b */\n");
    }
}
