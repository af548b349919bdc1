//! Work that would block the loop: the thread pool, and what runs on it alone.

pub(crate) mod completions;
pub(crate) mod dns;
pub(crate) mod pool;
pub(crate) mod pooled;
pub(crate) mod queue;
pub(crate) mod random;
pub(crate) mod user_work;
mod worker;
