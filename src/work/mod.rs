//! Work that would block the loop: the thread pool, and what runs on it alone.

pub(crate) mod completions;
mod dns;
pub(crate) mod pool;
pub(crate) mod pooled;
pub(crate) mod queue;
mod random;
mod user_work;
mod worker;
