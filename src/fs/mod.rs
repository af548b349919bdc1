//! File system operations.
//!
//! An operation is a request that is filled in by its entry point, performed by the function of
//! its type, and told by `result`, `ptr`, `path` and `statbuf`:
//!
//! ```text
//! uv_fs_rename              names.rs      what the arguments mean
//!   dispatch::start         dispatch.rs   NULL checks; here or on the pool: decided in one place
//!     FsRequest::init       request.rs    the fields, and who owns what they point to
//!     dispatch::perform     dispatch.rs   the operation of the request's type
//!       names::rename       names.rs
//!         sys::path::rename
//! ```
//!
//! Without a callback the operation is done before the call returns, in the calling thread and
//! with the caller's own strings; no loop is needed, and any thread may call. With one it is done
//! with copies of the strings, and the request is the library's until the callback: in place, if the
//! answer is in memory (`in_place.rs`), or else on a thread of the pool. `uv_fs_req_cleanup` releases what a request owns.
//!
//! <https://docs.libuv.org/en/v1.x/fs.html>

mod attributes;
mod budget;
mod copy;
mod directories;
mod dispatch;
mod files;
mod in_place;
mod locality;
mod names;
pub(crate) mod request;
pub(crate) mod status;
mod times;

pub(crate) use budget::Budget;
pub(crate) use dispatch::cancel;
pub(crate) use request::uv_fs_req_cleanup;
pub(crate) use status::uv_fs_stat;
