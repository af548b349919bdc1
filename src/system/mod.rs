//! The machine, the process and its user.

mod clock;
mod memory;
