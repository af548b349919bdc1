//! Work that would block the loop: the thread pool, and what runs on it alone.

pub(crate) mod dns;
pub(crate) mod finished;
mod jobs;
pub(crate) mod pool;
pub(crate) mod queue;
pub(crate) mod random;
mod worker;
