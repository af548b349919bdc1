//! Memory: what there is, what is free, and what of it this process may use.
//!
//! Limits of control groups count, those of the groups above included.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_free_memory>

use std::ffi::{CStr, c_int};

use super::cgroup::{Cgroup, Group, Version};
use super::proc::{field_of, number, read_small};
use crate::errors::{Errno, IntoCode, Result};

/// What version 1 says where there is no limit: as many whole pages as a signed number counts.
const NO_LIMIT: u64 = i64::MAX as u64 - 0xffff;

/// A field of /proc/meminfo, in bytes.
fn meminfo(name: &[u8]) -> Option<u64> {
    let mut memory = [0; 4096];
    let text = read_small(c"/proc/meminfo", &mut memory)?;
    Some(number(field_of(text, name)?)? * 1024)
}

/// The same by a system call, where there is no /proc.
fn sysinfo(pick: impl FnOnce(&libc::sysinfo) -> u64) -> u64 {
    // SAFETY: all zero is valid, and the call fills it.
    let mut info: libc::sysinfo = unsafe { std::mem::zeroed() };
    // SAFETY: writes one sysinfo.
    if unsafe { libc::sysinfo(&mut info) } != 0 {
        return 0;
    }
    pick(&info) * u64::from(info.mem_unit)
}

fn total() -> u64 {
    meminfo(b"MemTotal:").unwrap_or_else(|| sysinfo(|info| info.totalram))
}

fn free() -> u64 {
    meminfo(b"MemAvailable:").unwrap_or_else(|| sysinfo(|info| info.freeram))
}

/// The limit that a group sets; `None` when it has no say, the largest number when it sets none.
fn limit_of(version: Version, group: &Group) -> Option<u64> {
    let names: [&CStr; 2] = match version {
        Version::Two => [c"memory.max", c"memory.high"],
        Version::One => [c"memory.limit_in_bytes", c"memory.soft_limit_in_bytes"],
    };
    let least = names
        .into_iter()
        .filter_map(|name| group.value(name))
        .min()?;
    Some(if least >= NO_LIMIT { u64::MAX } else { least })
}

/// What a group has left of a limit.
fn left_of(limit: u64, version: Version, group: &Group) -> u64 {
    let used = match version {
        Version::Two => group.value(c"memory.current"),
        Version::One => group.value(c"memory.usage_in_bytes"),
    };
    limit.saturating_sub(used.unwrap_or(0))
}

/// The least limit of this process's group and those above; 0 when none is known.
fn constraint() -> u64 {
    Cgroup::of_self(c"memory")
        .and_then(|cgroup| {
            cgroup
                .groups()
                .filter_map(|group| limit_of(cgroup.version, &group))
                .min()
        })
        .unwrap_or(0)
}

/// What is free, or left of a limit if that is less.
fn available() -> u64 {
    let Some(cgroup) = Cgroup::of_self(c"memory") else {
        return free();
    };
    cgroup
        .groups()
        .filter_map(|group| {
            let limit = limit_of(cgroup.version, &group).filter(|limit| *limit < u64::MAX)?;
            Some(left_of(limit, cgroup.version, &group))
        })
        .fold(free(), u64::min)
}

fn resident() -> Result<usize> {
    let mut memory = [0; 256];
    let text = read_small(c"/proc/self/statm", &mut memory).ok_or(Errno::last())?;
    let pages = text
        .split(|byte| *byte == b' ')
        .nth(1)
        .and_then(number)
        .ok_or(Errno::EINVAL)?;
    // SAFETY: takes no memory.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
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
        .map(|bytes| unsafe { rss.write(bytes) })
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

/// The memory that this process's control group, or one above it, may use, in bytes: 0 when that is
/// not known, `UINT64_MAX` when there is no limit.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_constrained_memory>
#[unsafe(no_mangle)]
pub extern "C" fn uv_get_constrained_memory() -> u64 {
    constraint()
}

/// The memory that this process can still take, in bytes: what is free, or what its control group
/// or one above it has left, if that is less.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_get_available_memory>
#[unsafe(no_mangle)]
pub extern "C" fn uv_get_available_memory() -> u64 {
    available()
}
