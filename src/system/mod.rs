//! The machine, the process and its user.

mod arm;
mod buffer;
mod cgroup;
mod clock;
pub(crate) mod cpu;
mod environment;
mod identity;
mod memory;
mod proc;
pub(crate) mod settings;
pub(crate) mod supervision;
pub(crate) mod title;
