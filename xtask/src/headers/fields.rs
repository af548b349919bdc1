//! Structs and unions, and the `UV_…_FIELDS` macros that programs may build their own with.
//!
//! A macro is a run of fields of one struct. Where a struct has such a run the header uses the
//! macro, so that the common fields are written, and documented, once.
//!
//! Rust has a name for every type, C need not: a type of [`NAMELESS`] is written out where a field
//! has it. Generators of bindings make names of their own for such types, which programs use.

use std::collections::BTreeMap;

use super::cdecl::{Field, Item, Items};
use super::comment::comment;

/// Structs and unions that have no name in C.
pub const NAMELESS: &[&str] = &[
    "uv__active_reqs",
    "uv__handle_u",
    "uv__if_address",
    "uv__if_netmask",
    "uv__signal_tree",
    "uv__stdio_data",
    "uv__timer_heap",
    "uv__timer_node",
    "uv__udp_addr",
];

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

/// Runs that several structs have: handles, streams, requests.
const COMMON: &[&str] = &["UV_HANDLE_FIELDS", "UV_STREAM_FIELDS", "UV_REQ_FIELDS"];

/// A macro with its fields, cut out of its struct.
struct FieldMacro {
    name: &'static str,
    owner: &'static str,
    fields: Vec<Field>,
}

/// All the macros, and the types that have no name in C.
pub struct FieldMacros {
    macros: Vec<FieldMacro>,
    /// By their declarations in Rust's view of C, such as `union uv__handle_u`.
    nameless: BTreeMap<String, Vec<Field>>,
}

impl FieldMacros {
    pub fn new(types: &Items) -> Result<FieldMacros, String> {
        let nameless = NAMELESS.iter().map(|name| {
            let item = types
                .get(name)
                .ok_or_else(|| format!("there is no type {name}"))?;
            Ok((item.text.clone(), item.fields.clone()))
        });
        let nameless = nameless.collect::<Result<_, String>>()?;
        let macros = RUNS.iter().map(|&(name, owner, first, last)| {
            let fields = cut(types, owner, first, last)
                .ok_or_else(|| format!("{name}: {owner} has no fields {first} to {last}"))?;
            Ok(FieldMacro {
                name,
                owner,
                fields,
            })
        });
        let macros = macros.collect::<Result<_, String>>()?;
        Ok(FieldMacros { macros, nameless })
    }

    /// `#define NAME …`, with a backslash at the end of each line but the last.
    pub fn define(&self, name: &str) -> Option<String> {
        let found = self.macros.iter().find(|m| m.name == name)?;
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
                    out.push_str(&self.print_field(field, "  "));
                    fields = &fields[1..];
                }
            }
        }
        out
    }

    /// The macro that stands for the first of these fields.
    fn at(&self, owner: &str, fields: &[Field], inside: Option<&str>) -> Option<&FieldMacro> {
        self.macros.iter().find(|m| {
            Some(m.name) != inside
                && (m.owner == owner || COMMON.contains(&m.name))
                && fields.len() >= m.fields.len()
                && m.fields.iter().zip(fields).all(|(a, b)| a.text == b.text)
        })
    }

    fn print_field(&self, field: &Field, indent: &str) -> String {
        let docs: &[String] = match field.docs.as_slice() {
            [only] if only == "Private." || only.starts_with("See [") => &[],
            docs => docs,
        };
        let docs = comment(docs, indent);
        let deeper = format!("{indent}  ");
        // In C99 and C++ unnamed members are an extension that GCC and clang mark like this.
        if field.name == "write_extra" {
            let members = ["void *reserved2[1];", &field.text].join(&format!("\n{deeper}"));
            return format!(
                "{docs}{indent}__extension__ union {{\n{deeper}{members}\n{indent}}};\n"
            );
        }
        let (ty, declarator) = split_type(&field.text);
        match self.nameless.get(ty) {
            None => format!("{docs}{indent}{}\n", field.text),
            Some(fields) => {
                let keyword = ty.split(' ').next().unwrap_or(ty);
                let fields = fields.iter().map(|f| self.print_field(f, &deeper));
                let fields: String = fields.collect();
                format!("{docs}{indent}{keyword} {{\n{fields}{indent}}} {declarator}\n")
            }
        }
    }
}

/// `union uv__handle_u u;` is the type `union uv__handle_u` and the declarator `u;`.
fn split_type(text: &str) -> (&str, &str) {
    let mut spaces = text.match_indices(' ').map(|(at, _)| at);
    match spaces.nth(1) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

fn cut(types: &Items, owner: &str, first: &str, last: &str) -> Option<Vec<Field>> {
    let fields = &types.get(owner)?.fields;
    let start = fields.iter().position(|f| f.name == first)?;
    let end = fields.iter().position(|f| f.name == last)?;
    fields.get(start..=end).map(<[Field]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, text: &str) -> Field {
        Field {
            name: name.to_string(),
            docs: vec![format!("The {name}.")],
            text: text.to_string(),
        }
    }

    #[test]
    fn a_type_without_a_name_is_written_out() {
        let inner = vec![field("fd", "int fd;"), field("all", "void *all[4];")];
        let macros = FieldMacros {
            macros: Vec::new(),
            nameless: BTreeMap::from([("union uv__handle_u".to_string(), inner)]),
        };
        let expected = "  /** The u. */\n  union {\n    /** The fd. */\n    int fd;\n    \
            /** The all. */\n    void *all[4];\n  } u;\n";
        let printed = macros.print_field(&field("u", "union uv__handle_u u;"), "  ");
        assert_eq!(printed, expected);
        let pointer = macros.print_field(&field("h", "struct uv_handle_s *h;"), "  ");
        assert_eq!(pointer, "  /** The h. */\n  struct uv_handle_s *h;\n");
    }
}
