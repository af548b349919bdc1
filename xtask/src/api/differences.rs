//! What is decided otherwise than in libuv: the table of `docs/differences.md`, row by row.

use super::Api;

pub const FILE: &str = "docs/differences.md";

/// A row. The texts are Markdown.
#[derive(Debug)]
pub struct Difference {
    /// The function or situation.
    pub place: String,
    pub libuv: String,
    pub here: String,
    /// What the place names: functions, types, callbacks and constants of the API.
    pub names: Vec<String>,
    /// The chapters of these.
    pub chapters: Vec<&'static str>,
}

/// Reads the table. What it names has to be there.
pub fn read(document: &str, api: &Api) -> Result<Vec<Difference>, String> {
    let known = api.names();
    let mut found = Vec::new();
    for (place, libuv, here) in rows(document) {
        let mut names = Vec::new();
        let mut chapters = Vec::new();
        for name in place.split('`').skip(1).step_by(2) {
            let place = match name.split_once('…') {
                Some((begin, _)) => known.iter().find(|(name, _)| name.starts_with(begin)),
                None => known.get_key_value(name),
            };
            let is_wanted = name.starts_with("uv_") || name.starts_with("UV_");
            match place {
                Some((_, (chapter, item))) => {
                    if !name.contains('…') {
                        names.push(item.name.clone());
                    }
                    if !chapters.contains(&chapter.name) {
                        chapters.push(chapter.name);
                    }
                }
                None if name == "UV_THREADPOOL_SIZE" => chapters.push("threadpool"),
                None if is_wanted => return Err(format!("{FILE}: the API has no {name}")),
                None => {}
            }
        }
        found.push(Difference {
            place,
            libuv,
            here,
            names,
            chapters,
        });
    }
    match found.len() {
        0 => Err(format!("{FILE}: the table is not found any more")),
        _ => Ok(found),
    }
}

/// The rows below the head of the table.
fn rows(document: &str) -> impl Iterator<Item = (String, String, String)> {
    let rows = document.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let mut cells = cells.splitn(3, " | ").map(str::to_string);
        Some((cells.next()?, cells.next()?, cells.next()?))
    });
    rows.skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read() {
        let document =
            "# D\n\nText.\n\n| where | libuv | here |\n|---|---|---|\n| a `b` | c | d |\n";
        let rows: Vec<_> = rows(document).collect();
        assert_eq!(rows, [("a `b`".into(), "c".into(), "d".into())]);
    }
}
