//! Processors: their models and times, and how many of them this process may use.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_cpu_info>

use core::ffi::{c_int, c_uint};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::arm;
use super::cgroup::{Cgroup, Level, Version};
use super::proc::{Path, number, read_small};
use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::not_null;
use crate::sys::typed;

/// The content of a file whose size is not known beforehand.
fn read_all(path: &core::ffi::CStr) -> Result<alloc::Vec<u8>> {
    let mut memory: alloc::Vec<u8> = alloc::vec();
    let mut room = 16 * 1024;
    loop {
        memory.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
        memory.resize(room, 0);
        let length = read_small(path, &mut memory).ok_or(Errno::ENOENT)?.len();
        if length < room {
            memory.truncate(length);
            return Ok(memory);
        }
        memory.clear();
        room *= 4;
    }
}

/// Parses a line of /proc/stat: the processor's number, and its times in ticks: user, nice,
/// system, idle, waiting, interrupts.
fn times_of(line: &[u8]) -> Option<(usize, [u64; 6])> {
    let rest = line.strip_prefix(b"cpu")?;
    let index = number(
        rest.first()
            .filter(|byte| byte.is_ascii_digit())
            .map(|_| rest)?,
    )?;
    let mut words = rest
        .split(|byte| *byte == b' ')
        .skip(1)
        .filter(|word| !word.is_empty());
    let mut times = [0; 6];
    for time in &mut times {
        *time = number(words.next()?)?;
    }
    Some((index as usize, times))
}

/// The value of a line `name : value` of /proc/cpuinfo.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line
        .strip_prefix(name)?
        .trim_ascii_start()
        .strip_prefix(b":")?;
    Some(rest.trim_ascii())
}

fn hexadecimal(text: &[u8]) -> Option<u32> {
    let digits = core::str::from_utf8(text.strip_prefix(b"0x")?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// The highest clock in MHz that the kernel's frequency scaling allows. Reading the current one
/// would make the kernel measure it.
fn scaled_speed(index: usize) -> Option<c_int> {
    let mut digits = [0u8; 20];
    let text = decimal(index, &mut digits);
    let path = Path::join(&[
        b"/sys/devices/system/cpu/cpu",
        text,
        b"/cpufreq/scaling_max_freq",
    ])?;
    let mut memory = [0; 32];
    read_small(path.as_c_str(), &mut memory)
        .and_then(number)
        .map(|khz| (khz / 1000) as c_int)
}

fn decimal(mut value: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}

/// A processor, with what the files say about it.
#[derive(Clone, Copy)]
struct Cpu<'a> {
    index: usize,
    times: [u64; 6],
    model: &'a [u8],
    mhz: c_int,
}

fn parse<'a>(stat: &[u8], info: &'a [u8]) -> Result<alloc::Vec<Cpu<'a>>> {
    let mut cpus = alloc::vec();
    for line in stat.split(|byte| *byte == b'\n') {
        if let Some((index, times)) = times_of(line) {
            alloc::push(
                &mut cpus,
                Cpu {
                    index,
                    times,
                    model: b"unknown",
                    mhz: 0,
                },
            )?;
        }
    }
    let mut current = None;
    let mut implementer = None;
    for line in info.split(|byte| *byte == b'\n') {
        if let Some(value) = value_of(line, b"processor") {
            let index = number(value).map(|index| index as usize);
            current = index.and_then(|index| cpus.iter().position(|cpu| cpu.index == index));
        }
        let Some(cpu) = current.and_then(|at: usize| cpus.get_mut(at)) else {
            continue;
        };
        if let Some(model) = value_of(line, b"model name") {
            cpu.model = model;
        } else if let Some(mhz) = value_of(line, b"cpu MHz").and_then(number) {
            cpu.mhz = mhz as c_int;
        } else if let Some(value) = value_of(line, b"CPU implementer") {
            implementer = hexadecimal(value);
        } else if let Some(value) = value_of(line, b"CPU part") {
            let name = implementer.zip(hexadecimal(value));
            if let Some(name) = name.and_then(|(by, part)| arm::name_of(by, part)) {
                cpu.model = name.as_bytes();
            }
        }
    }
    Ok(cpus)
}

/// The result for C: one block, with the processors first and the names of their models after
/// them.
fn list() -> Result<(*mut uv_cpu_info_t, usize)> {
    let stat = read_all(c"/proc/stat")?;
    let info = read_all(c"/proc/cpuinfo").unwrap_or(alloc::vec());
    let cpus = parse(&stat, &info)?;
    let ticks = typed::sysconf(libc::_SC_CLK_TCK).max(1) as u64;
    let names: usize = cpus.iter().map(|cpu| cpu.model.len() + 1).sum();
    let size = cpus.len() * size_of::<uv_cpu_info_t>();
    let block = alloc::calloc(1, (size + names).max(1)).cast::<uv_cpu_info_t>();
    if block.is_null() {
        return Err(Errno::ENOMEM);
    }
    let mut name = block.wrapping_byte_add(size).cast::<u8>();
    for (at, cpu) in cpus.iter().enumerate() {
        let [user, nice, sys, idle, _, irq] = cpu.times.map(|time| time * 1000 / ticks);
        let info = uv_cpu_info_t {
            model: name.cast(),
            speed: scaled_speed(cpu.index).unwrap_or(cpu.mhz),
            cpu_times: uv_cpu_times_s {
                user,
                nice,
                sys,
                idle,
                irq,
            },
        };
        // SAFETY: the block has room for all processors and names, and is zero where the names
        // end.
        unsafe {
            block.add(at).write(info);
            core::ptr::copy_nonoverlapping(cpu.model.as_ptr(), name, cpu.model.len());
        }
        name = name.wrapping_add(cpu.model.len() + 1);
    }
    Ok((block, cpus.len()))
}

/// A quota in whole processors, at least 1; `quota` and `period` are in microseconds.
fn whole_processors(quota: Option<u64>, period: Option<u64>) -> Option<u64> {
    match (quota, period) {
        (Some(quota), Some(period)) if quota > 0 && period > 0 => Some((quota / period).max(1)),
        _ => None,
    }
}

/// Parses `quota period` of cpu.max, and returns whole processors; "max" is no quota.
fn parse_cpu_max(text: &[u8]) -> Option<u64> {
    let mut words = text.split(|byte| *byte == b' ');
    whole_processors(words.next().and_then(number), words.next().and_then(number))
}

/// A group's own quota, in processors.
fn quota_of(level: Level) -> Option<u64> {
    let mut memory = [0; 64];
    match level.version() {
        Version::Two => parse_cpu_max(level.read(c"cpu.max", &mut memory)?),
        // "-1" is no quota.
        Version::One => whole_processors(
            number(level.read(c"cpu.cfs_quota_us", &mut memory)?),
            level.value(c"cpu.cfs_period_us"),
        ),
    }
}

/// The least quota of this process's group and those above, in processors.
fn quota() -> Option<u64> {
    let group = Cgroup::of_self(c"cpu")?;
    group.levels().filter_map(quota_of).min()
}

/// The number of processors that the calling thread may run on.
pub(crate) fn affinity() -> usize {
    // Enough for 65,536 processors: `cpu_set_t` has 1,024, and the call fails on machines with
    // more.
    let mut set = [0u64; 1024];
    // SAFETY: writes within the size of the set, in words of this size.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), set.as_mut_ptr().cast()) } == 0 {
        return set.iter().map(|word| word.count_ones() as usize).sum();
    }
    typed::sysconf(libc::_SC_NPROCESSORS_ONLN).max(1) as usize
}

/// The number of threads of this process that can run at once, as of the first call.
pub(crate) fn processors() -> usize {
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    let mut known = KNOWN.load(Relaxed);
    if known == 0 {
        known = affinity().max(1);
        KNOWN.store(known, Relaxed);
    }
    known
}

// C entry points

/// The number of threads that can run at once: the processors that this process may use, by its
/// affinity and its control group's quota; at least 1.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_available_parallelism>
#[unsafe(no_mangle)]
pub extern "C" fn uv_available_parallelism() -> c_uint {
    let processors = affinity() as u64;
    quota()
        .map_or(processors, |quota| quota.min(processors))
        .max(1) as c_uint
}

/// Lists the processors with their models, clocks in MHz, and times in milliseconds. Free the list
/// with `uv_free_cpu_info`.
///
/// Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_cpu_info>
///
/// # Safety
/// Both must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_cpu_info(
    cpu_infos: *mut *mut uv_cpu_info_t,
    count: *mut c_int,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        not_null(cpu_infos).write(core::ptr::null_mut());
        not_null(count).write(0);
    }
    list()
        .map(|(infos, number)| {
            // SAFETY: common pointer contract.
            unsafe {
                cpu_infos.write(infos);
                count.write(number as c_int);
            }
        })
        .into_code()
}

/// Frees what `uv_cpu_info` listed.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_free_cpu_info>
///
/// # Safety
/// The list must come from `uv_cpu_info`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_free_cpu_info(cpu_infos: *mut uv_cpu_info_t, count: c_int) {
    let _ = count;
    // SAFETY: common pointer contract; all is one block.
    unsafe { alloc::free(cpu_infos.cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_put_together_from_both_files() {
        let stat = b"cpu  1 2 3 4 5 6 0\ncpu0 10 20 30 40 50 60 0 0\ncpu2 1 1 1 1 1 1\nintr 5\n";
        let info = b"processor\t: 0\nmodel name\t: Fast One\ncpu MHz\t\t: 2500.123\n\n\
                     processor\t: 2\nmodel name\t: Slow: Two\n";
        let cpus = parse(stat, info).unwrap();
        assert_eq!(cpus.len(), 2);
        assert_eq!(
            (cpus[0].index, cpus[0].model, cpus[0].mhz),
            (0, &b"Fast One"[..], 2500)
        );
        assert_eq!(cpus[0].times, [10, 20, 30, 40, 50, 60]);
        assert_eq!(
            (cpus[1].index, cpus[1].model, cpus[1].mhz),
            (2, &b"Slow: Two"[..], 0)
        );
    }

    #[test]
    fn arm_names_come_from_their_numbers() {
        let stat = b"cpu0 1 1 1 1 1 1\ncpu1 1 1 1 1 1 1\n";
        let info = b"processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n\
                     processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xfff\n";
        let cpus = parse(stat, info).unwrap();
        assert_eq!(cpus[0].model, b"Neoverse-N1");
        assert_eq!(cpus[1].model, b"unknown");
    }

    #[test]
    fn lines_cut_short_are_left_out() {
        assert_eq!(times_of(b"cpu3 1 2 3"), None);
        assert_eq!(times_of(b"cpu"), None);
        assert_eq!(times_of(b""), None);
    }

    #[test]
    fn quotas_are_whole_processors_and_at_least_one() {
        assert_eq!(parse_cpu_max(b"max 100000\n"), None);
        assert_eq!(parse_cpu_max(b"250000 100000\n"), Some(2));
        assert_eq!(parse_cpu_max(b"50000 100000\n"), Some(1));
        assert_eq!(parse_cpu_max(b""), None);
        assert_eq!(parse_cpu_max(b"5 0"), None);
    }

    #[test]
    fn decimals() {
        let mut digits = [0; 20];
        assert_eq!(decimal(0, &mut digits), b"0");
        assert_eq!(decimal(1234, &mut digits), b"1234");
    }
}
