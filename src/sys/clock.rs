//! The clocks, and libc's type for times.

use super::{cvt, typed};
use crate::abi::uv_timespec64_t;
use crate::errors::Result;

/// Seconds as libc's type, which the libc crate calls deprecated for musl.
#[allow(deprecated)]
pub(crate) type Seconds = libc::time_t;

/// The time of the monotonic clock, in nanoseconds.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = timespec(0);
    // The clock exists on every system supported.
    typed::clock_gettime(libc::CLOCK_MONOTONIC, &mut time);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The time of a clock of libc's.
#[allow(clippy::unnecessary_cast, reason = "32 bits on some machines")]
pub(crate) fn time(clock: libc::clockid_t) -> Result<uv_timespec64_t> {
    let mut time = timespec(0);
    cvt(typed::clock_gettime(clock, &mut time))?;
    Ok(uv_timespec64_t {
        tv_sec: time.tv_sec as i64,
        tv_nsec: time.tv_nsec as i32,
    })
}

/// Nanoseconds as libc's type; the longest time that it has a value for if `ns` is longer.
#[inline]
pub(crate) fn timespec(ns: u64) -> libc::timespec {
    let seconds = Seconds::try_from(ns / 1_000_000_000);
    libc::timespec {
        tv_sec: seconds.unwrap_or(Seconds::MAX),
        tv_nsec: (ns % 1_000_000_000) as _,
    }
}
