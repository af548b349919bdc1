//! Structs and unions, and the `UV_…_FIELDS` macros that programs may build their own with.
//!
//! A macro is a run of fields of one struct. Where a struct has such a run the header uses the
//! macro, so that the shared fields are written, and documented, once.

use super::cdecl::{Field, Item, Items};
use super::comment::comment;

/// A run of fields: the macro, a struct that has it, its first and last field.
type Run = (&'static str, &'static str, &'static str, &'static str);

/// Shorter runs stand after the longer ones that contain them.
const RUNS: &[Run] = &[
    ("UV_HANDLE_FIELDS", "uv_handle_s", "data", "flags"),
    (
        "UV_HANDLE_PRIVATE_FIELDS",
        "uv_handle_s",
        "next_closing",
        "flags",
    ),
    (
        "UV_STREAM_FIELDS",
        "uv_stream_s",
        "write_queue_size",
        "queued_fds",
    ),
    (
        "UV_STREAM_PRIVATE_FIELDS",
        "uv_stream_s",
        "connect_req",
        "queued_fds",
    ),
    ("UV_REQ_FIELDS", "uv_req_s", "data", "write_extra"),
    ("UV_LOOP_PRIVATE_FIELDS", "uv_loop_s", "flags", "inotify_fd"),
    (
        "UV_PLATFORM_LOOP_FIELDS",
        "uv_loop_s",
        "inotify_read_watcher",
        "inotify_fd",
    ),
    (
        "UV_ASYNC_PRIVATE_FIELDS",
        "uv_async_s",
        "async_cb",
        "pending",
    ),
    ("UV_CHECK_PRIVATE_FIELDS", "uv_check_s", "check_cb", "queue"),
    (
        "UV_CONNECT_PRIVATE_FIELDS",
        "uv_connect_s",
        "queue",
        "queue",
    ),
    ("UV_DIR_PRIVATE_FIELDS", "uv_dir_s", "dir", "dir"),
    ("UV_FS_EVENT_PRIVATE_FIELDS", "uv_fs_event_s", "cb", "wd"),
    (
        "UV_PLATFORM_FS_EVENT_FIELDS",
        "uv_fs_event_s",
        "watchers",
        "wd",
    ),
    ("UV_FS_PRIVATE_FIELDS", "uv_fs_s", "new_path", "bufsml"),
    (
        "UV_GETADDRINFO_PRIVATE_FIELDS",
        "uv_getaddrinfo_s",
        "work_req",
        "retcode",
    ),
    (
        "UV_GETNAMEINFO_PRIVATE_FIELDS",
        "uv_getnameinfo_s",
        "work_req",
        "retcode",
    ),
    ("UV_IDLE_PRIVATE_FIELDS", "uv_idle_s", "idle_cb", "queue"),
    (
        "UV_PIPE_PRIVATE_FIELDS",
        "uv_pipe_s",
        "pipe_fname",
        "pipe_fname",
    ),
    (
        "UV_POLL_PRIVATE_FIELDS",
        "uv_poll_s",
        "io_watcher",
        "io_watcher",
    ),
    (
        "UV_PREPARE_PRIVATE_FIELDS",
        "uv_prepare_s",
        "prepare_cb",
        "queue",
    ),
    (
        "UV_PROCESS_PRIVATE_FIELDS",
        "uv_process_s",
        "queue",
        "status",
    ),
    (
        "UV_SIGNAL_PRIVATE_FIELDS",
        "uv_signal_s",
        "tree_entry",
        "dispatched_signals",
    ),
    (
        "UV_TIMER_PRIVATE_FIELDS",
        "uv_timer_s",
        "timer_cb",
        "start_id",
    ),
    ("UV_TTY_PRIVATE_FIELDS", "uv_tty_s", "orig_termios", "mode"),
    (
        "UV_UDP_PRIVATE_FIELDS",
        "uv_udp_s",
        "alloc_cb",
        "write_completed_queue",
    ),
    (
        "UV_UDP_SEND_PRIVATE_FIELDS",
        "uv_udp_send_s",
        "queue",
        "bufsml",
    ),
    (
        "UV_WORK_PRIVATE_FIELDS",
        "uv_work_s",
        "work_req",
        "work_req",
    ),
    ("UV_WRITE_PRIVATE_FIELDS", "uv_write_s", "queue", "bufsml"),
];

/// Runs that other structs share: handles, streams, requests.
const SHARED: &[&str] = &["UV_HANDLE_FIELDS", "UV_STREAM_FIELDS", "UV_REQ_FIELDS"];

/// A macro with its fields, cut out of its struct.
struct FieldMacro {
    name: &'static str,
    owner: &'static str,
    fields: Vec<Field>,
}

/// All the macros.
pub struct FieldMacros(Vec<FieldMacro>);

impl FieldMacros {
    pub fn new(types: &Items) -> Result<FieldMacros, String> {
        let macros = RUNS.iter().map(|&(name, owner, first, last)| {
            let fields = cut(types, owner, first, last)
                .ok_or_else(|| format!("{name}: {owner} has no fields {first} to {last}"))?;
            Ok(FieldMacro {
                name,
                owner,
                fields,
            })
        });
        macros.collect::<Result<_, String>>().map(FieldMacros)
    }

    /// `#define NAME …`, with a backslash at the end of each line but the last.
    pub fn define(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|m| m.name == name)?;
        let body = self.body(found.owner, &found.fields, Some(name));
        let lines: Vec<&str> = body.lines().collect();
        let mut out = format!("#define {name}");
        for line in lines {
            let pad = 78usize.saturating_sub(out.lines().last().map_or(0, str::len));
            out.push_str(&format!("{:pad$} \\\n{line}", ""));
        }
        Some(out + "\n")
    }

    /// The definition of a struct or union, without comment.
    pub fn define_type(&self, item: &Item) -> String {
        let owner = item.text.rsplit(' ').next().unwrap_or_default();
        format!(
            "{} {{\n{}}};\n",
            item.text,
            self.body(owner, &item.fields, None)
        )
    }

    fn body(&self, owner: &str, mut fields: &[Field], inside: Option<&str>) -> String {
        let mut out = String::new();
        while let Some(field) = fields.first() {
            match self.at(owner, fields, inside) {
                Some(found) => {
                    out.push_str(&format!("  {}\n", found.name));
                    fields = &fields[found.fields.len()..];
                }
                None => {
                    out.push_str(&print_field(field));
                    fields = &fields[1..];
                }
            }
        }
        out
    }

    /// The macro that stands for the first of these fields.
    fn at(&self, owner: &str, fields: &[Field], inside: Option<&str>) -> Option<&FieldMacro> {
        self.0.iter().find(|m| {
            Some(m.name) != inside
                && (m.owner == owner || SHARED.contains(&m.name))
                && fields.len() >= m.fields.len()
                && m.fields.iter().zip(fields).all(|(a, b)| a.text == b.text)
        })
    }
}

fn cut(types: &Items, owner: &str, first: &str, last: &str) -> Option<Vec<Field>> {
    let fields = &types.get(owner)?.fields;
    let start = fields.iter().position(|f| f.name == first)?;
    let end = fields.iter().position(|f| f.name == last)?;
    fields.get(start..=end).map(<[Field]>::to_vec)
}

fn print_field(field: &Field) -> String {
    let docs: &[String] = match field.docs.as_slice() {
        [only] if only == "Private." || only.starts_with("See [") => &[],
        docs => docs,
    };
    // In C99 and C++ unnamed members are an extension that GCC and clang mark like this.
    let text = if field.name == "write_extra" {
        let members = ["void *reserved2[1];", &field.text].join("\n    ");
        format!("__extension__ union {{\n    {members}\n  }};")
    } else {
        field.text.clone()
    };
    format!("{}  {text}\n", comment(docs, "  "))
}
