//! libuv, rebuilt in Rust behind the same C ABI.
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_macros))]

pub mod abi;
mod alloc;
mod async_handle;
mod backend;
mod dl;
mod errors;
mod event_loop;
mod fs;
mod fs_event;
mod fs_poll;
mod handle;
mod list;
mod net;
mod panic;
mod phases;
mod poll;
mod process;
mod request;
mod signal;
mod stream;
mod sync;
mod sys;
mod system;
mod thread;
mod timer;
mod udp;
mod view;
mod work;

use std::ffi::{c_char, c_uint};

// C entry points

/// The version of libuv that this library answers for, as `UV_VERSION_HEX` encodes it.
///
/// <https://docs.libuv.org/en/v1.x/version.html#c.uv_version>
#[unsafe(no_mangle)]
pub extern "C" fn uv_version() -> c_uint {
    abi::UV_VERSION_HEX as c_uint
}

/// The same as a string, such as `"1.53.0"`.
///
/// <https://docs.libuv.org/en/v1.x/version.html#c.uv_version_string>
#[unsafe(no_mangle)]
pub extern "C" fn uv_version_string() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
