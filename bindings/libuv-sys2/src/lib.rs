//! libuv's functions and types for Rust, by the names that bindgen gives them. What is behind them is
//! oxuv, which is compiled in; no C is. The functions are documented in `include/uv.h`.

#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

// Has the functions that the bindings declare.
extern crate uv as _;

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
