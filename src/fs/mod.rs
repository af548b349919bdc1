//! File system operations.
//!
//! Each is an implementation of [`operation::Operation`] beside its entry point, which fills in a
//! request; its outcome is in `result`, `ptr`, `path` and `statbuf`:
//!
//! ```text
//! uv_fs_rename              links.rs      what the arguments mean
//!   start::<Rename>         dispatch.rs   NULL checks; here or on the pool: decided in one place
//!     FsRequest::init       request.rs    the fields, and which memory they own
//!     Rename::perform       links.rs
//!       sys::path::rename
//! ```
//!
//! Without a callback the operation is done before the call returns, in the calling thread and with
//! the caller's own strings. No loop is needed then, and any thread may call. With a callback it is
//! done with copies of the strings, and the request belongs to the library until the callback. It
//! is done inline if the kernel has the answer in memory (`inline.rs`), and otherwise by the pool.
//! `uv_fs_req_cleanup` releases what a request owns.
//!
//! <https://docs.libuv.org/en/v1.x/fs.html>

pub(crate) mod allowance;
pub(crate) mod attributes;
mod cancel;
pub(crate) mod changes;
pub(crate) mod copy;
pub(crate) mod directories;
mod dispatch;
pub(crate) mod files;
mod inline;
pub(crate) mod links;
mod listing;
mod mounts;
mod operation;
pub(crate) mod request;
pub(crate) mod status;
pub(crate) mod times;

pub(crate) use cancel::cancel;
pub(crate) use request::FsRequest;
pub(crate) use status::start_stat as stat;
