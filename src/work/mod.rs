//! Work that would block the loop: the thread pool, and what runs on it alone.

mod dns;
pub(crate) mod finished;
mod jobs;
pub(crate) mod pool;
mod queue;
mod random;
mod worker;
