//! What behaves otherwise here than in libuv: the table of `docs/differences.md`, by functions.

/// The document, as it was when the command was built.
const DOCUMENT: &str = include_str!("../../docs/differences.md");

/// Functions that act on any stream.
const OF_STREAMS: [&str; 8] = [
    "uv_stream_",
    "uv_read_",
    "uv_write",
    "uv_try_write",
    "uv_tcp_",
    "uv_pipe_",
    "uv_tty_",
    "uv_listen",
];

/// The functions that take a callback of another name.
const TAKERS: [(&str, &str); 4] = [
    ("uv_alloc_cb", "uv_read_start"),
    ("uv_connect_cb", "uv_tcp_connect"),
    ("uv_exit_cb", "uv_spawn"),
    ("uv_fs_event_cb", "uv_fs_event_start"),
];

/// A row of the table. The texts are Markdown.
pub struct Difference {
    /// The function or situation.
    pub place: &'static str,
    pub libuv: &'static str,
    pub here: &'static str,
}

/// All rows.
pub fn all() -> Vec<Difference> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| "));
    let row = |line: &'static str| {
        let mut columns = line.trim_matches('|').split(" | ").map(str::trim);
        Some(Difference {
            place: columns.next()?,
            libuv: columns.next()?,
            here: columns.next()?,
        })
    };
    // The first row is the heading.
    rows.skip(1).filter_map(row).collect()
}

impl Difference {
    /// Whether it is about something that a program with this function may do.
    pub fn concerns(&self, function: &str) -> bool {
        self.names().any(|name| is_about(name, function))
    }

    /// Whether it is about all of the API.
    pub fn is_general(&self) -> bool {
        self.names().next().is_none()
    }

    /// The names of the API in the first column.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let codes = self.place.split('`').skip(1).step_by(2);
        codes.filter(|name| name.starts_with("uv_"))
    }
}

/// Whether a name of the table stands for a function: its own, the beginning of it, the type that
/// it acts on, or the callback that it is given.
fn is_about(name: &str, function: &str) -> bool {
    if let Some((beginning, _)) = name.split_once('…') {
        return function.starts_with(beginning);
    }
    if name == "uv_stream_t" {
        return OF_STREAMS.iter().any(|start| function.starts_with(start));
    }
    if let Some(kind) = name.strip_suffix("_t") {
        let rest = function.strip_prefix(kind);
        return rest.is_some_and(|rest| rest.starts_with('_'));
    }
    let taker = TAKERS.iter().find(|(callback, _)| *callback == name);
    let taker = taker.map(|(_, taker)| *taker).or(name.strip_suffix("_cb"));
    name == function || taker == Some(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let all = all();
        assert!(all.len() > 50, "{}", all.len());
        assert!(all.iter().any(|row| row.concerns("uv_close")));
        assert!(all.iter().any(Difference::is_general));
        assert!(
            all.iter()
                .all(|row| !row.here.is_empty() && !row.here.ends_with('|'))
        );
    }

    #[test]
    fn names_stand_for_functions() {
        assert!(is_about("uv_close", "uv_close"));
        assert!(!is_about("uv_close", "uv_closed"));
        assert!(is_about("uv_fs_…", "uv_fs_open"));
        assert!(is_about("uv_poll_t", "uv_poll_start"));
        assert!(!is_about("uv_poll_t", "uv_pollute"));
        assert!(is_about("uv_exit_cb", "uv_spawn"));
        assert!(is_about("uv_stream_t", "uv_read_start"));
    }
}
