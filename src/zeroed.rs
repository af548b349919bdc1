//! Zeroed memory for C's structs, which a call fills.

use crate::abi::{
    uv__if_address, uv__if_netmask, uv__io_t, uv_fs_t, uv_handle_t, uv_stat_t, uv_timer_t,
};

/// A type of C's for which all bytes zero is a value.
///
/// # Safety
/// It must consist of numbers, pointers and `Option`s of functions.
pub(crate) unsafe trait Zeroable {}

macro_rules! zeroable {
    ($($type:ty),+ $(,)?) => {
        $(
            // SAFETY: C's struct of numbers, pointers and `Option`s of functions.
            unsafe impl Zeroable for $type {}
        )+
    };
}

zeroable!(
    libc::Dl_info,
    libc::cpu_set_t,
    libc::group,
    libc::group_source_req,
    libc::msghdr,
    libc::passwd,
    libc::pthread_condattr_t,
    libc::pthread_mutexattr_t,
    libc::rlimit64,
    libc::rusage,
    libc::sched_param,
    libc::sigaction,
    libc::sigset_t,
    libc::sockaddr,
    libc::sockaddr_in,
    libc::sockaddr_in6,
    libc::sockaddr_storage,
    libc::sockaddr_un,
    libc::stat64,
    libc::statfs64,
    libc::statx,
    libc::sysinfo,
    libc::termios,
    libc::utsname,
    libc::winsize,
    uv__if_address,
    uv__if_netmask,
    uv__io_t,
    uv_fs_t,
    uv_handle_t,
    uv_stat_t,
    uv_timer_t,
);

/// A value of zeros.
#[inline]
#[allow(clippy::disallowed_methods, reason = "the one place that it is for")]
pub(crate) const fn zeroed<T: Zeroable>() -> T {
    // SAFETY: zeros are a value of a `Zeroable` type.
    unsafe { core::mem::zeroed() }
}
