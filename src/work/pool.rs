//! The thread pool.

use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::event_loop::Loop;

pub(crate) unsafe fn cancel(_on: Loop, _work: *mut uv__work) -> Result {
    Err(Errno::EINVAL)
}

pub(crate) fn loop_init(_on: Loop) -> Result {
    Ok(())
}

pub(crate) fn loop_cleanup(_on: Loop) {}
