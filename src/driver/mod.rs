//! The top of the library: what makes, runs and ends loops.
//!
//! Only these files know all kinds of handles and requests. Nothing below knows them.

pub(crate) mod cancel;
mod changes;
pub(crate) mod close;
mod dispatch;
mod instruments;
pub(crate) mod lifecycle;
mod poll;
pub(crate) mod process_wide;
pub(crate) mod run;
pub(crate) mod walk;
