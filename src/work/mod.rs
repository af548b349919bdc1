//! Work that would block the loop: the thread pool, and what runs on it alone.

mod jobs;
pub(crate) mod pool;
mod queue;
mod worker;
