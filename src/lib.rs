//! libuv, rebuilt in Rust behind the same C ABI.
//!
//! # Where things are
//!
//! | functions | file |
//! |---|---|
//! | `uv_loop_…`, `uv_default_loop` | `driver/lifecycle.rs` |
//! | `uv_library_shutdown` | `driver/process_wide.rs` |
//! | `uv_run`, `uv_stop`, `uv_backend_timeout` | `driver/run.rs` |
//! | `uv_walk`, `uv_print_…_handles` | `driver/walk.rs` |
//! | `uv_close`, `uv_cancel` | `driver/close.rs`, `driver/cancel.rs` |
//! | `uv_now`, `uv_update_time`, `uv_backend_fd`, `uv_loop_alive`, `uv_loop_size`, `uv_loop_…_data` | `event_loop/mod.rs` |
//! | `uv_metrics_…` | `event_loop/metrics.rs` |
//! | `uv_ref`, `uv_is_active`, `uv_fileno`, `uv_handle_…` | `handle.rs` |
//! | `uv_req_…` | `request.rs` |
//! | `uv_timer_…` | `timer/` |
//! | `uv_prepare_…`, `uv_check_…`, `uv_idle_…` | `prepare_check_idle.rs` |
//! | `uv_async_…` | `async_handle/` |
//! | `uv_poll_…` | `poll.rs` |
//! | `uv_listen`, `uv_accept`, `uv_shutdown`, `uv_read_…`, `uv_write…`, `uv_try_write…` | `stream/` |
//! | `uv_tcp_…`, `uv_pipe_…`, `uv_socketpair`, `uv_tty_…`, `uv_guess_handle` | `stream/tcp.rs`, `pipe.rs`, `tty.rs` |
//! | `uv_udp_…` | `udp/` |
//! | `uv_spawn`, `uv_kill`, `uv_process_…` | `process/` |
//! | `uv_signal_…` | `signal/` |
//! | `uv_fs_event_…`, `uv_fs_poll_…` | `fs_event/`, `fs_poll.rs` |
//! | `uv_fs_…` | `fs/` |
//! | `uv_queue_work`, `uv_getaddrinfo`, `uv_getnameinfo`, `uv_random` | `work/` |
//! | `uv_ip4_addr`, `uv_inet_…`, `uv_interface_addresses`, `uv_wtf8_…` | `net/` |
//! | `uv_os_…`, `uv_cwd`, `uv_cpu_info`, `uv_hrtime`, memory, title | `system/` |
//! | `uv_thread_…`, `uv_key_…` | `thread.rs` |
//! | `uv_mutex_…`, `uv_rwlock_…`, `uv_sem_…`, `uv_cond_…`, `uv_barrier_…`, `uv_once` | `sync.rs` |
//! | `uv_dl…` | `dl.rs` |
//! | `uv_err_name`, `uv_strerror`, `uv_translate_sys_error` | `error_names.rs` |
//! | `uv_replace_allocator` | `alloc.rs` |
//!
//! The table of layers in `ARCHITECTURE.md` says which of these files may use which.
//! `tests/layers.rs` checks it.
//!
//! # From Rust
//!
//! A Rust program that depends on this crate calls the functions here; the types are in [`abi`]. It
//! keeps the feature `std`, which is on by default: without it this crate says what happens at a
//! panic, and so does std ("duplicate lang item `panic_impl`").
//!
//! # The common pointer contract
//!
//! Every entry point trusts its caller in this. Its section "Safety" adds what else it needs:
//!
//! - A pointer is not null, unless said otherwise, and points to memory of its type that is live
//!   for the call. What must be "initialised" was initialised by its `uv_…_init` and is not
//!   closed. What must be "writable" may contain anything.
//! - A loop, its handles and its requests are used by one thread at a time. Any thread may call
//!   `uv_async_send`, the functions of `sync.rs` and `thread.rs`, and those that touch no loop.
//! - A handle stays in place until its close callback is called, and a request until its own
//!   callback is. A buffer stays in place as long as its request.
//! - Strings are terminated by a zero byte and do not change during the call.
//!
//! A null pointer where none is allowed ends the process with a line that names the function. A
//! handle of the wrong kind, or memory that is no handle, is `UV_EINVAL`. Functions that stop a
//! handle do nothing with it instead.

// The shipped library has no std (`panic/handler.rs` says why). Tests and some builds do.
#![no_std]
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_macros))]

#[cfg(any(panic = "unwind", feature = "std"))]
extern crate std;

pub mod abi;
mod alloc;
mod async_handle;
mod backend;
mod buffers;
mod dl;
mod driver;
mod error_names;
mod errors;
mod event_loop;
mod fs;
mod fs_event;
mod fs_poll;
mod handle;
mod list;
mod net;
mod observe;
mod panic;
mod poll;
mod prepare_check_idle;
mod process;
mod request;
mod signal;
mod spin;
mod stream;
mod sync;
mod sys;
mod system;
mod text;
mod text_buffer;
mod thread;
mod timer;
mod udp;
mod view;
mod work;
mod zeroed;

use core::ffi::{c_char, c_uint};

// For Rust programs that depend on this crate. Nothing in these files is public but the entry points.
pub use self::alloc::*;
pub use self::async_handle::*;
pub use self::dl::*;
pub use self::driver::cancel::*;
pub use self::driver::close::*;
pub use self::driver::lifecycle::*;
pub use self::driver::process_wide::*;
pub use self::driver::run::*;
pub use self::driver::walk::*;
pub use self::error_names::*;
pub use self::event_loop::metrics::*;
pub use self::event_loop::*;
pub use self::fs::attributes::*;
pub use self::fs::copy::*;
pub use self::fs::directories::*;
pub use self::fs::files::*;
pub use self::fs::links::*;
pub use self::fs::request::*;
pub use self::fs::status::*;
pub use self::fs::times::*;
pub use self::fs_event::*;
pub use self::fs_poll::*;
pub use self::handle::*;
pub use self::net::address::*;
pub use self::net::interfaces::*;
pub use self::net::wtf8::*;
pub use self::poll::*;
pub use self::prepare_check_idle::*;
pub use self::process::*;
pub use self::request::*;
pub use self::signal::*;
pub use self::stream::pipe::*;
pub use self::stream::read::*;
pub use self::stream::tcp::*;
pub use self::stream::tty::*;
pub use self::stream::write::*;
pub use self::stream::*;
pub use self::sync::*;
pub use self::system::clock::*;
pub use self::system::cpu::*;
pub use self::system::environment::*;
pub use self::system::identity::*;
pub use self::system::memory::*;
pub use self::system::title::*;
pub use self::thread::*;
pub use self::timer::*;
pub use self::udp::multicast::*;
pub use self::udp::receive::*;
pub use self::udp::send::*;
pub use self::udp::*;
pub use self::work::dns::*;
pub use self::work::random::*;
pub use self::work::user_work::*;

/// What the files say of themselves, where `readelf --notes` looks.
#[repr(C)]
struct Note<const N: usize> {
    name_bytes: u32,
    text_bytes: u32,
    kind: u32,
    /// Padded to whole words, as the text is by the alignment of the struct.
    name: [u8; 8],
    text: [u8; N],
}

const IDENTITY: &[u8] = concat!(
    "oxuv ",
    env!("CARGO_PKG_VERSION"),
    ": libuv rebuilt in Rust\0"
)
.as_bytes();

// SAFETY: what linkers expect in a section of notes.
#[used]
#[unsafe(link_section = ".note.oxuv")]
static NOTE: Note<{ IDENTITY.len() }> = Note {
    name_bytes: 5,
    text_bytes: IDENTITY.len() as u32,
    kind: 1,
    name: *b"oxuv\0\0\0\0",
    text: match IDENTITY.first_chunk() {
        Some(text) => *text,
        None => unreachable!(),
    },
};

// C entry points

/// The version of libuv that this library answers for, as `UV_VERSION_HEX` encodes it.
///
/// <https://docs.libuv.org/en/v1.x/version.html#c.uv_version>
#[unsafe(no_mangle)]
pub extern "C" fn uv_version() -> c_uint {
    abi::UV_VERSION_HEX as c_uint
}

/// The version of libuv that this library answers for, as a string such as `"1.53.0"`.
///
/// It is libuv's version, and does not tell this library from libuv. The files do: `readelf --notes`
/// shows a note of the owner `oxuv`, and `strings` finds its text, such as
/// `oxuv 1.53.0: libuv rebuilt in Rust`. Programs that the archive is linked into have both.
///
/// <https://docs.libuv.org/en/v1.x/version.html#c.uv_version_string>
#[unsafe(no_mangle)]
pub extern "C" fn uv_version_string() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
