//! libuv, rebuilt in Rust behind the same C ABI.
pub mod abi;
