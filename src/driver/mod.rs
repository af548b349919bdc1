//! The top of the library: what makes, runs and ends loops.
//!
//! Only these files know all kinds of handles and requests. Nothing below knows them.

mod cancel;
mod changes;
mod close;
mod dispatch;
mod lifecycle;
mod poll;
mod process_wide;
mod run;
mod walk;
