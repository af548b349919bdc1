//! Work that would block the loop.

pub(crate) mod pool;
