//! The clocks that the library itself goes by.

/// Nanoseconds of a clock that only goes forward.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of processor time that the calling thread has used.
pub(crate) fn thread_cpu_ns() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// How often the calling thread has lost the processor to others; 0 where that is not told.
pub(crate) fn preemptions() -> u64 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all-zero is valid.
        let mut used: libc::rusage = unsafe { core::mem::zeroed() };
        // SAFETY: `used` is what is written.
        unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut used) };
        used.ru_nivcsw.max(0) as u64
    }
    #[cfg(not(target_os = "linux"))]
    0
}

#[inline]
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec; the clocks asked for exist on every system supported.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
