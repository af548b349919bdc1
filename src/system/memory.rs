//! Memory: of the machine, free, and what of it this process may use.
//!
//! The limits of the process's control group count, and those of the groups above it.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_free_memory>

use core::ffi::{CStr, c_int, c_ulong};

use super::cgroup::{Cgroup, Level, Version};
use super::proc::{field_of, number, read_small};
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::not_null;
use crate::sys::{large, typed};
use crate::zeroed::zeroed;

/// The value of version 1 for no limit, in bytes: as many whole pages as a signed number counts.
const NO_LIMIT_BYTES: u64 = i64::MAX as u64 - 0xffff;

/// A field of /proc/meminfo, in bytes.
fn meminfo(name: &[u8]) -> Option<u64> {
    let mut memory = [0; 4096];
    let text = read_small(c"/proc/meminfo", &mut memory)?;
    Some(number(field_of(text, name)?)? * 1024)
}

/// A field of sysinfo(2), in bytes, for systems without /proc.
#[allow(clippy::unnecessary_cast, reason = "32 bits on some machines")]
fn sysinfo(pick: impl FnOnce(&libc::sysinfo) -> c_ulong) -> u64 {
    let mut info: libc::sysinfo = zeroed();
    if typed::sysinfo(&mut info) != 0 {
        return 0;
    }
    pick(&info) as u64 * u64::from(info.mem_unit)
}

fn total() -> u64 {
    meminfo(b"MemTotal:").unwrap_or_else(|| sysinfo(|info| info.totalram))
}

fn free() -> u64 {
    meminfo(b"MemAvailable:").unwrap_or_else(|| sysinfo(|info| info.freeram))
}

/// A group's own limit; `None` when it is not known, the largest number when there is none.
fn limit(level: Level) -> Option<u64> {
    let names: [&CStr; 2] = match level.version() {
        Version::Two => [c"memory.max", c"memory.high"],
        Version::One => [c"memory.limit_in_bytes", c"memory.soft_limit_in_bytes"],
    };
    let least = names
        .into_iter()
        .filter_map(|name| level.value(name))
        .min()?;
    Some(if least >= NO_LIMIT_BYTES {
        u64::MAX
    } else {
        least
    })
}

/// The rest of a group's limit, in bytes; `None` if it sets none.
fn rest(level: Level) -> Option<u64> {
    let limit = limit(level).filter(|limit| (1..u64::MAX).contains(limit))?;
    let used = match level.version() {
        Version::Two => level.value(c"memory.current"),
        Version::One => level.value(c"memory.usage_in_bytes"),
    }?;
    Some(limit.saturating_sub(used))
}

/// A resource limit of the process, in bytes; `None` if there is none.
fn resource_limit(resource: typed::Resource) -> Option<u64> {
    let mut limit: large::rlimit = zeroed();
    let known = typed::getrlimit(resource, &mut limit) == 0;
    (known && limit.rlim_cur != large::NO_LIMIT).then_some(limit.rlim_cur)
}

/// The least limit on this process, in bytes; 0 when none is known, the largest number when there
/// is none.
fn constraint() -> u64 {
    let of_groups = least_of_groups(limit).filter(|limit| *limit > 0);
    [libc::RLIMIT_AS, libc::RLIMIT_DATA]
        .into_iter()
        .filter_map(resource_limit)
        .fold(of_groups, |least, limit| {
            Some(least.map_or(limit, |least| least.min(limit)))
        })
        .unwrap_or(0)
}

/// The least value of the process's control group and those above it.
fn least_of_groups(value: fn(Level) -> Option<u64>) -> Option<u64> {
    Cgroup::of_self(c"memory")?.levels().filter_map(value).min()
}

/// The free memory, in bytes, cut to the limits of the groups.
fn available() -> u64 {
    least_of_groups(rest).map_or_else(free, |rest| rest.min(free()))
}

fn resident() -> Result<usize> {
    let mut memory = [0; 256];
    let text = read_small(c"/proc/self/statm", &mut memory).ok_or(Errno::last())?;
    let pages = text
        .split(|byte| *byte == b' ')
        .nth(1)
        .and_then(number)
        .ok_or(Errno::EINVAL)?;
    let page = typed::sysconf(libc::_SC_PAGESIZE) as u64;
    Ok((pages * page) as usize)
}

// C entry points

/// Writes the memory that this process occupies, in bytes, to `rss`. Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_resident_set_memory>
///
/// # Safety
/// `rss` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_resident_set_memory(rss: *mut usize) -> c_int {
    // SAFETY: common pointer contract.
    resident()
        .map(|bytes| unsafe { not_null(rss).write(bytes) })
        .into_code()
}

/// The memory that is free or can be made free, in bytes; 0 when it is not known.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_free_memory>
#[unsafe(no_mangle)]
pub extern "C" fn uv_get_free_memory() -> u64 {
    free()
}

/// The memory of the machine, in bytes; 0 when it is not known.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_total_memory>
#[unsafe(no_mangle)]
pub extern "C" fn uv_get_total_memory() -> u64 {
    total()
}

/// The memory that this process may use, in bytes, by its control group and its resource limits. 0
/// when no limit is known, `UINT64_MAX` when there could be one and is none.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_constrained_memory>
#[unsafe(no_mangle)]
pub extern "C" fn uv_get_constrained_memory() -> u64 {
    constraint()
}

/// The memory that this process can still take, in bytes: the free memory, cut to the rest of its
/// control group's limit.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_available_memory>
#[unsafe(no_mangle)]
pub extern "C" fn uv_get_available_memory() -> u64 {
    available()
}
