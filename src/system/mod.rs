//! The machine, the process and its user.
