//! Runs every C test of `c_tests/` as a test of its own.
fn main() {}
