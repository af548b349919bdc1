//! Plain data that calls take and return.

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};

use super::*;

/// A time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timespec_t {
    /// Private.
    pub tv_sec: c_long,
    /// Private.
    pub tv_nsec: c_long,
}

/// A time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timespec64_t {
    /// Private.
    pub tv_sec: i64,
    /// Private.
    pub tv_nsec: i32,
}

/// A time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timeval_t {
    /// Private.
    pub tv_sec: c_long,
    /// Private.
    pub tv_usec: c_long,
}

/// A time.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timeval64_t {
    /// Private.
    pub tv_sec: i64,
    /// Private.
    pub tv_usec: i32,
}

/// What the stat family reports.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_stat_t {
    /// Private.
    pub st_dev: u64,
    /// Private.
    pub st_mode: u64,
    /// Private.
    pub st_nlink: u64,
    /// Private.
    pub st_uid: u64,
    /// Private.
    pub st_gid: u64,
    /// Private.
    pub st_rdev: u64,
    /// Private.
    pub st_ino: u64,
    /// Private.
    pub st_size: u64,
    /// Private.
    pub st_blksize: u64,
    /// Private.
    pub st_blocks: u64,
    /// Private.
    pub st_flags: u64,
    /// Private.
    pub st_gen: u64,
    /// Private.
    pub st_atim: uv_timespec_t,
    /// Private.
    pub st_mtim: uv_timespec_t,
    /// Private.
    pub st_ctim: uv_timespec_t,
    /// Private.
    pub st_birthtim: uv_timespec_t,
}

/// A member of `uv_stdio_container_s` that has no type name in C.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__stdio_data {
    /// See `flags`.
    pub stream: *mut uv_stream_t,
    /// See `flags`.
    pub fd: c_int,
}

/// One of a child's standard descriptors.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_stdio_container_s {
    /// Private: state bits.
    pub flags: uv_stdio_flags,
    /// The user's own pointer; the library never touches it.
    pub data: uv__stdio_data,
}

/// See [`uv_stdio_container_s`].

pub type uv_stdio_container_t = uv_stdio_container_s;

/// How to start a process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_process_options_s {
    /// Called when the process has ended.
    pub exit_cb: uv_exit_cb,
    /// Private: descriptor.
    pub file: *const c_char,
    /// Private.
    pub args: *mut *mut c_char,
    /// Private.
    pub env: *mut *mut c_char,
    /// Private.
    pub cwd: *const c_char,
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub stdio_count: c_int,
    /// Private.
    pub stdio: *mut uv_stdio_container_t,
    /// User id.
    pub uid: uv_uid_t,
    /// Group id.
    pub gid: uv_gid_t,
}

/// See [`uv_process_options_s`].

pub type uv_process_options_t = uv_process_options_s;

/// Milliseconds that a processor spent.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_cpu_times_s {
    /// Private.
    pub user: u64,
    /// Private.
    pub nice: u64,
    /// Private.
    pub sys: u64,
    /// Private.
    pub idle: u64,
    /// Private.
    pub irq: u64,
}

/// One processor.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_cpu_info_s {
    /// Private.
    pub model: *const c_char,
    /// Private.
    pub speed: c_int,
    /// Private.
    pub cpu_times: uv_cpu_times_s,
}

/// See [`uv_cpu_info_s`].

pub type uv_cpu_info_t = uv_cpu_info_s;

/// A member of `uv_interface_address_s` that has no type name in C.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__if_address {
    /// By address family.
    pub address4: libc::sockaddr_in,
    /// By address family.
    pub address6: libc::sockaddr_in6,
}

/// A member of `uv_interface_address_s` that has no type name in C.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__if_netmask {
    /// By address family.
    pub netmask4: libc::sockaddr_in,
    /// By address family.
    pub netmask6: libc::sockaddr_in6,
}

/// One address of a network interface.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_interface_address_s {
    /// Name.
    pub name: *mut c_char,
    /// Private.
    pub phys_addr: [c_char; 6],
    /// Private.
    pub is_internal: c_int,
    /// Private.
    pub address: uv__if_address,
    /// Private.
    pub netmask: uv__if_netmask,
}

/// See [`uv_interface_address_s`].

pub type uv_interface_address_t = uv_interface_address_s;

/// A user.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_passwd_s {
    /// Private.
    pub username: *mut c_char,
    /// User id.
    pub uid: c_ulong,
    /// Group id.
    pub gid: c_ulong,
    /// Private.
    pub shell: *mut c_char,
    /// Private.
    pub homedir: *mut c_char,
}

/// See [`uv_passwd_s`].

pub type uv_passwd_t = uv_passwd_s;

/// A group.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_group_s {
    /// Private.
    pub groupname: *mut c_char,
    /// Group id.
    pub gid: c_ulong,
    /// Private.
    pub members: *mut *mut c_char,
}

/// See [`uv_group_s`].

pub type uv_group_t = uv_group_s;

/// What `uv_os_uname` reports.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_utsname_s {
    /// Private.
    pub sysname: [c_char; 256],
    /// Private.
    pub release: [c_char; 256],
    /// Private.
    pub version: [c_char; 256],
    /// Private.
    pub machine: [c_char; 256],
}

/// See [`uv_utsname_s`].

pub type uv_utsname_t = uv_utsname_s;

/// What `uv_fs_statfs` reports.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_statfs_s {
    /// Private.
    pub f_type: u64,
    /// Private.
    pub f_bsize: u64,
    /// Private.
    pub f_blocks: u64,
    /// Private.
    pub f_bfree: u64,
    /// Private.
    pub f_bavail: u64,
    /// Private.
    pub f_files: u64,
    /// Private.
    pub f_ffree: u64,
    /// Private.
    pub f_frsize: u64,
    /// Private.
    pub f_spare: [u64; 3],
}

/// See [`uv_statfs_s`].

pub type uv_statfs_t = uv_statfs_s;

/// A directory entry.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_dirent_s {
    /// Name.
    pub name: *const c_char,
    /// What it is. Read-only.
    pub r#type: uv_dirent_type_t,
}

/// See [`uv_dirent_s`].

pub type uv_dirent_t = uv_dirent_s;

/// Resource usage.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_rusage_t {
    /// Private.
    pub ru_utime: uv_timeval_t,
    /// Private.
    pub ru_stime: uv_timeval_t,
    /// Private.
    pub ru_maxrss: u64,
    /// Private.
    pub ru_ixrss: u64,
    /// Private.
    pub ru_idrss: u64,
    /// Private.
    pub ru_isrss: u64,
    /// Private.
    pub ru_minflt: u64,
    /// Private.
    pub ru_majflt: u64,
    /// Private.
    pub ru_nswap: u64,
    /// Private.
    pub ru_inblock: u64,
    /// Private.
    pub ru_oublock: u64,
    /// Private.
    pub ru_msgsnd: u64,
    /// Private.
    pub ru_msgrcv: u64,
    /// Private.
    pub ru_nsignals: u64,
    /// Private.
    pub ru_nvcsw: u64,
    /// Private.
    pub ru_nivcsw: u64,
}

/// An environment variable.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_env_item_s {
    /// Name.
    pub name: *mut c_char,
    /// Private.
    pub value: *mut c_char,
}

/// See [`uv_env_item_s`].

pub type uv_env_item_t = uv_env_item_s;

/// Counters of a loop.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_metrics_s {
    /// Private.
    pub loop_count: u64,
    /// Private.
    pub events: u64,
    /// Private.
    pub events_waiting: u64,
    /// Private.
    pub reserved: [*mut u64; 13],
}

/// See [`uv_metrics_s`].

pub type uv_metrics_t = uv_metrics_s;

/// An open directory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_dir_s {
    /// Private.
    pub dirents: *mut uv_dirent_t,
    /// Private.
    pub nentries: usize,
    /// Private.
    pub reserved: [*mut c_void; 4],
    /// Private.
    pub dir: *mut libc::DIR,
}

/// See [`uv_dir_s`].

pub type uv_dir_t = uv_dir_s;

/// How to start a thread.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_thread_options_s {
    /// Private: state bits.
    pub flags: c_uint,
    /// Private.
    pub stack_size: usize,
}

/// See [`uv_thread_options_s`].

pub type uv_thread_options_t = uv_thread_options_s;
