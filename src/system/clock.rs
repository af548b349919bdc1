//! Clocks, load and resource usage.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html>

use core::ffi::{c_int, c_long, c_uint};

use super::proc::read_small;
use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::not_null;
use crate::sys::{clock, cvt, typed};
use crate::zeroed::zeroed;

fn read_clock(id: uv_clock_id) -> Result<uv_timespec64_t> {
    let id = match id {
        UV_CLOCK_MONOTONIC => libc::CLOCK_MONOTONIC,
        UV_CLOCK_REALTIME => libc::CLOCK_REALTIME,
        _ => return Err(Errno::EINVAL),
    };
    clock::time(id)
}

fn usage(who: c_int) -> Result<uv_rusage_t> {
    let mut usage: libc::rusage = zeroed();
    cvt(typed::getrusage(who, &mut usage))?;
    let time = |time: libc::timeval| uv_timeval_t {
        tv_sec: time.tv_sec as c_long,
        tv_usec: time.tv_usec as c_long,
    };
    Ok(uv_rusage_t {
        ru_utime: time(usage.ru_utime),
        ru_stime: time(usage.ru_stime),
        ru_maxrss: usage.ru_maxrss as u64,
        ru_ixrss: usage.ru_ixrss as u64,
        ru_idrss: usage.ru_idrss as u64,
        ru_isrss: usage.ru_isrss as u64,
        ru_minflt: usage.ru_minflt as u64,
        ru_majflt: usage.ru_majflt as u64,
        ru_nswap: usage.ru_nswap as u64,
        ru_inblock: usage.ru_inblock as u64,
        ru_oublock: usage.ru_oublock as u64,
        ru_msgsnd: usage.ru_msgsnd as u64,
        ru_msgrcv: usage.ru_msgrcv as u64,
        ru_nsignals: usage.ru_nsignals as u64,
        ru_nvcsw: usage.ru_nvcsw as u64,
        ru_nivcsw: usage.ru_nivcsw as u64,
    })
}

/// Seconds since the system started. A container may have a /proc/uptime of its own, which counts
/// from the container's start.
fn uptime() -> Result<f64> {
    let mut memory = [0; 64];
    let of_container = read_small(c"/proc/uptime", &mut memory).and_then(decimal);
    if let Some(seconds) = of_container {
        return Ok(seconds);
    }
    let time = clock::time(libc::CLOCK_BOOTTIME)?;
    Ok(time.tv_sec as f64 + f64::from(time.tv_nsec) / 1e9)
}

/// The decimal number that a text begins with. Up to 15 digits it is the nearest `f64`, as from core's
/// parser, which would add 18 kB to the library. More than fit into 64 bits are no number.
fn decimal(text: &[u8]) -> Option<f64> {
    let mut digits = 0u64;
    // What the digits have to be divided by; none before the point.
    let mut divisor = None;
    let mut count = 0;
    for byte in text {
        match (byte, divisor) {
            (b'0'..=b'9', _) => {
                digits = digits
                    .checked_mul(10)?
                    .checked_add(u64::from(byte - b'0'))?;
                divisor = match divisor {
                    Some(divisor) => Some(u64::checked_mul(divisor, 10)?),
                    None => None,
                };
                count += 1;
            }
            (b'.', None) => divisor = Some(1),
            (b'.', Some(_)) => return None,
            _ => break,
        }
    }
    (count > 0).then(|| digits as f64 / divisor.unwrap_or(1) as f64)
}

/// The average number of tasks that ran or waited, for the last 1, 5 and 15 minutes. A container
/// may have a /proc/loadavg of its own.
fn load() -> Option<[f64; 3]> {
    let mut memory = [0; 64];
    let of_container = read_small(c"/proc/loadavg", &mut memory).and_then(three_decimals);
    of_container.or_else(load_of_system)
}

fn load_of_system() -> Option<[f64; 3]> {
    /// A load of 1, as the kernel counts it (`SI_LOAD_SHIFT`).
    const LOAD_UNIT: f64 = 65536.0;
    let mut info: libc::sysinfo = zeroed();
    cvt(typed::sysinfo(&mut info)).ok()?;
    Some(info.loads.map(|load| load as f64 / LOAD_UNIT))
}

/// The first three decimal numbers of a text, separated by white space.
fn three_decimals(text: &[u8]) -> Option<[f64; 3]> {
    let mut words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(decimal);
    let mut next = || words.next().flatten();
    Some([next()?, next()?, next()?])
}

// C entry points

/// Nanoseconds of a clock that only goes forward, from some moment in the past.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_hrtime>
#[unsafe(no_mangle)]
pub extern "C" fn uv_hrtime() -> u64 {
    clock::monotonic_ns()
}

/// Writes a clock's time to `ts`. Returns 0, `UV_EINVAL` for an unknown clock, or `UV_EFAULT` for
/// a `NULL` pointer.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_clock_gettime>
///
/// # Safety
/// `ts` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_clock_gettime(
    clock_id: uv_clock_id,
    ts: *mut uv_timespec64_t,
) -> c_int {
    if ts.is_null() {
        return UV_EFAULT;
    }
    match read_clock(clock_id) {
        Ok(time) => {
            // SAFETY: common pointer contract.
            unsafe { ts.write(time) };
            0
        }
        Err(error) => error.code(),
    }
}

/// Writes the time of day to `tv`. Returns 0, or `UV_EINVAL` for a `NULL` pointer.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_gettimeofday>
///
/// # Safety
/// `tv` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_gettimeofday(tv: *mut uv_timeval64_t) -> c_int {
    if tv.is_null() {
        return UV_EINVAL;
    }
    match read_clock(UV_CLOCK_REALTIME) {
        Ok(time) => {
            let time = uv_timeval64_t {
                tv_sec: time.tv_sec,
                tv_usec: time.tv_nsec / 1000,
            };
            // SAFETY: common pointer contract.
            unsafe { tv.write(time) };
            0
        }
        Err(error) => error.code(),
    }
}

/// Blocks the thread for `msec` milliseconds, whatever signals arrive.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_sleep>
#[unsafe(no_mangle)]
pub extern "C" fn uv_sleep(msec: c_uint) {
    let mut left = clock::timespec(u64::from(msec) * 1_000_000);
    while cvt(typed::nanosleep(&{ left }, &mut left)) == Err(Errno::EINTR) {}
}

/// Writes the seconds since the system started to `uptime`, suspended time included. Returns 0 or
/// an error.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_uptime>
///
/// # Safety
/// `uptime` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_uptime(uptime: *mut f64) -> c_int {
    self::uptime()
        // SAFETY: common pointer contract.
        .map(|seconds| unsafe { not_null(uptime).write(seconds) })
        .into_code()
}

/// Writes the load of the last 1, 5 and 15 minutes to `avg`; zeros if it is not known.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_loadavg>
///
/// # Safety
/// `avg` must be writable for three numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_loadavg(avg: *mut f64) {
    let loads = load().unwrap_or_default();
    // SAFETY: common pointer contract.
    unsafe { not_null(avg).cast::<[f64; 3]>().write_unaligned(loads) };
}

/// Writes the resources that the process has used to `rusage`: processor time, memory (`ru_maxrss`
/// in KiB), faults and so on.
///
/// Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_getrusage>
///
/// # Safety
/// `rusage` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getrusage(rusage: *mut uv_rusage_t) -> c_int {
    // SAFETY: common pointer contract.
    usage(libc::RUSAGE_SELF)
        .map(|usage| unsafe { not_null(rusage).write(usage) })
        .into_code()
}

/// Writes the resources that the calling thread has used to `rusage`.
///
/// Returns 0 or an error; `UV_ENOTSUP` on systems that do not count by thread.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_getrusage_thread>
///
/// # Safety
/// `rusage` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getrusage_thread(rusage: *mut uv_rusage_t) -> c_int {
    // SAFETY: common pointer contract.
    usage(libc::RUSAGE_THREAD)
        .map(|usage| unsafe { not_null(rusage).write(usage) })
        .into_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_end_where_they_end() {
        assert_eq!(decimal(b"6063.37 9781.88\n"), Some(6063.37));
        assert_eq!(decimal(b"12\n"), Some(12.0));
        assert_eq!(decimal(b"12."), Some(12.0));
        assert_eq!(decimal(b".25"), Some(0.25));
        let (long, small) = (b"99999999999999999999.5", b"0.00000000000000000001");
        for bad in [&b""[..], b" 1", b".", b"1.2.3", b"max", long, small] {
            assert_eq!(decimal(bad), None);
        }
    }

    #[test]
    fn decimals_are_what_core_makes_of_them() {
        for hundredths in (0..10_000_000_000_u64).step_by(9_876_543) {
            let text = std::format!("{}.{:02}", hundredths / 100, hundredths % 100);
            assert_eq!(decimal(text.as_bytes()), text.parse().ok());
        }
    }

    #[test]
    fn a_load_is_three_decimals() {
        let load = Some([0.52, 1.0, 20.07]);
        assert_eq!(three_decimals(b"0.52 1.00 20.07 2/345 6789\n"), load);
        assert_eq!(three_decimals(b" 0.52\t1\n20.07"), load);
        for bad in [&b""[..], b"0.52 1.00", b"0.52 x 20.07", b"max 1 1"] {
            assert_eq!(three_decimals(bad), None);
        }
    }

    #[test]
    fn the_system_knows_its_load() {
        let loads = load_of_system().unwrap();
        assert!(loads.into_iter().all(|load| load >= 0.0));
    }
}
