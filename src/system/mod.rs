//! The machine, the process and its user.

mod arm;
mod cgroup;
pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod environment;
pub(crate) mod identity;
pub(crate) mod memory;
mod proc;
pub(crate) mod settings;
pub(crate) mod supervision;
pub(crate) mod title;
