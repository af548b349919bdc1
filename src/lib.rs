//! libuv, rebuilt in Rust behind the same C ABI.

pub mod abi;
mod alloc;
mod dl;
mod errors;
mod list;
mod net;
mod panic;
mod sync;
mod sys;
mod system;
mod thread;
mod view;
