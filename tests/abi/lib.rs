//! libuv's ABI as tables: what the types, constants and functions of libuv 1.53 are, as programs
//! built for it have them compiled in. The tests and `cargo xtask` read them.

#![allow(clippy::disallowed_types, clippy::disallowed_macros)]

pub mod prototypes;
pub mod tables;
