//! The declarations of a generated header, each with the comment before it.
//!
//! This reads the form that `cargo xtask headers` writes, not C in general: a declaration begins at
//! the start of a line, right after its comment.

/// A declaration as the header has it.
#[derive(Debug)]
pub struct Found {
    /// The chapters that the headline above it names.
    pub chapters: Vec<&'static str>,
    /// The lines of its comment, without the comment's own marks.
    pub docs: Vec<String>,
    /// From its first word to its semicolon, or a macro with all its lines.
    pub text: String,
}

/// A member of a struct, a union or an enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub docs: Vec<String>,
    /// Without the semicolon or comma at its end.
    pub text: String,
}

const BEGINNINGS: &[&str] = &["UV_EXTERN ", "typedef ", "struct ", "union ", "enum "];

/// All declarations of a header, in order.
pub fn declarations(header: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut chapters = Vec::new();
    let mut docs = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("/* ----") {
            let headline = up_to(line, &mut lines, |text| text.ends_with("*/"));
            chapters = super::chapters::linked(&headline);
        } else if line.starts_with("/**") {
            docs = comment(&up_to(line, &mut lines, |text| text.ends_with("*/")));
        } else if is_define(line) {
            let text = up_to(line, &mut lines, |text| !text.ends_with('\\'));
            found.push(Found {
                chapters: chapters.clone(),
                docs: std::mem::take(&mut docs),
                text,
            });
        } else if BEGINNINGS.iter().any(|begin| line.starts_with(begin)) {
            let text = up_to(line, &mut lines, is_complete);
            found.push(Found {
                chapters: chapters.clone(),
                docs: std::mem::take(&mut docs),
                text,
            });
        } else {
            docs.clear();
        }
    }
    found
}

/// The paragraphs of the comment at the start of a header.
pub fn introduction(header: &str) -> Vec<String> {
    let text = header.split("*/").next().unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches(['/', '*', ' ']).trim())
        .collect();
    let paragraphs = lines.split(|line| line.is_empty());
    paragraphs.map(|lines| lines.join(" ")).collect()
}

fn is_define(line: &str) -> bool {
    let directive = line.strip_prefix('#').map(str::trim_start);
    directive.is_some_and(|rest| rest.starts_with("define "))
}

/// The line and those after it, until they are what is wanted.
fn up_to<'a>(
    line: &str,
    lines: &mut impl Iterator<Item = &'a str>,
    is_end: impl Fn(&str) -> bool,
) -> String {
    let mut text = line.to_string();
    while !is_end(&text) {
        let Some(next) = lines.next() else { break };
        text.push('\n');
        text.push_str(next);
    }
    text
}

fn is_complete(text: &str) -> bool {
    text.ends_with(';') && text.matches('{').count() == text.matches('}').count()
}

/// The lines of a comment without its stars.
fn comment(text: &str) -> Vec<String> {
    let inner = text.trim().trim_start_matches("/**").trim_end_matches("*/");
    let line = |line: &str| {
        let line = line.trim();
        line.strip_prefix('*').unwrap_or(line).trim().to_string()
    };
    inner.lines().map(line).collect()
}

/// What stands between the outermost braces, or after the name of a macro that has members.
pub fn body(text: &str) -> Option<String> {
    if is_define(text) {
        let lines = text.lines().skip(1);
        let lines = lines.map(|line| line.trim_end_matches('\\').trim_end());
        return Some(lines.collect::<Vec<_>>().join("\n"));
    }
    let (start, end) = (text.find('{')?, text.rfind('}')?);
    Some(text[start + 1..end].to_string())
}

/// The members in a body. Macros that stand for members of their own are members without a blank
/// in their text.
pub fn members(body: &str, separator: char) -> Vec<Member> {
    let mut found = Vec::new();
    let mut docs = Vec::new();
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.starts_with("/**") {
            docs = comment(&up_to(line, &mut lines, |text| text.ends_with("*/")));
        } else if !line.is_empty() && !line.starts_with('#') {
            let is_end = |text: &str| {
                let closed = text.matches('{').count() == text.matches('}').count();
                closed && (text.ends_with(separator) || is_macro(text) || separator == ',')
            };
            let text = up_to(line, &mut lines, is_end);
            found.push(Member {
                docs: std::mem::take(&mut docs),
                text: text.trim_end_matches(separator).to_string(),
            });
        }
    }
    found
}

/// Whether a line is a macro for members, such as `UV_HANDLE_FIELDS`.
pub fn is_macro(text: &str) -> bool {
    text.starts_with("UV_") && text.ends_with("_FIELDS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_have_their_comment_and_chapter() {
        let header = "\
/* ---- Timers:
 *      https://docs.libuv.org/en/v1.x/timer.html ---- */

/** A timer
 * is due. */
typedef void (*uv_timer_cb)(uv_timer_t *handle);
/** Nobody's. */

struct uv_timer_s {
  int a;
};
# define X 1
#define Y(XX) \\
  XX(a)
";
        let found = declarations(header);
        let texts: Vec<&str> = found.iter().map(|f| f.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "typedef void (*uv_timer_cb)(uv_timer_t *handle);",
                "struct uv_timer_s {\n  int a;\n};",
                "# define X 1",
                "#define Y(XX) \\\n  XX(a)",
            ]
        );
        assert_eq!(found[0].docs, ["A timer", "is due."]);
        assert_eq!(found[0].chapters, ["timer"]);
        assert!(found[1].docs.is_empty());
    }

    #[test]
    fn the_introduction_has_paragraphs() {
        let header = "/* A:\n * b.\n *\n * C. */\n\n/* D. */";
        assert_eq!(introduction(header), ["A: b.", "C."]);
    }

    #[test]
    fn members_are_told_apart() {
        let text = "struct a {\n  UV_HANDLE_FIELDS\n  /** One. */\n  union {\n    int b;\n  } c;\n  \
                    int d[2];\n};";
        let found = members(&body(text).unwrap(), ';');
        let texts: Vec<&str> = found.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(
            texts,
            ["UV_HANDLE_FIELDS", "union {\n    int b;\n  } c", "int d[2]"]
        );
        assert_eq!(found[1].docs, ["One."]);
        let text = "enum {\n  /** First. */\n  A = 1,\n  B\n}";
        let found = members(&body(text).unwrap(), ',');
        let texts: Vec<&str> = found.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(texts, ["A = 1", "B"]);
    }
}
