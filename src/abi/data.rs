//! Plain data that functions take and return.

use core::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};

use super::*;

/// A time in seconds and nanoseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timespec_t {
    /// Seconds.
    pub tv_sec: c_long,
    /// Nanoseconds.
    pub tv_nsec: c_long,
}

/// A time in seconds and nanoseconds, valid beyond 2038 on any system.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timespec64_t {
    /// Seconds.
    pub tv_sec: i64,
    /// Nanoseconds.
    pub tv_nsec: i32,
}

/// A time in seconds and microseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timeval_t {
    /// Seconds.
    pub tv_sec: c_long,
    /// Microseconds.
    pub tv_usec: c_long,
}

/// A time in seconds and microseconds, valid beyond 2038 on any system.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_timeval64_t {
    /// Seconds.
    pub tv_sec: i64,
    /// Microseconds.
    pub tv_usec: i32,
}

/// The status of a file, from the stat family.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_stat_t {
    /// Device that contains the file.
    pub st_dev: u64,
    /// Type and permissions.
    pub st_mode: u64,
    /// Number of hard links.
    pub st_nlink: u64,
    /// The owner's user id.
    pub st_uid: u64,
    /// The owner's group id.
    pub st_gid: u64,
    /// Device that the file is, if it is one.
    pub st_rdev: u64,
    /// Inode number.
    pub st_ino: u64,
    /// Size in bytes.
    pub st_size: u64,
    /// Preferred size of reads and writes, in bytes.
    pub st_blksize: u64,
    /// Number of blocks of 512 bytes.
    pub st_blocks: u64,
    /// Always 0 on Linux.
    pub st_flags: u64,
    /// Always 0 on Linux.
    pub st_gen: u64,
    /// Last read.
    pub st_atim: uv_timespec_t,
    /// Last change of the contents.
    pub st_mtim: uv_timespec_t,
    /// Last change of the inode.
    pub st_ctim: uv_timespec_t,
    /// Creation.
    pub st_birthtim: uv_timespec_t,
}

/// A member of [`uv_stdio_container_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__stdio_data {
    /// With `UV_CREATE_PIPE` and `UV_INHERIT_STREAM`.
    pub stream: *mut uv_stream_t,
    /// With `UV_INHERIT_FD`.
    pub fd: c_int,
}

/// One of a child's standard descriptors.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_stdio_container_s {
    /// How the descriptor is made: `enum uv_stdio_flags`.
    pub flags: uv_stdio_flags,
    /// The stream or the descriptor.
    pub data: uv__stdio_data,
}

/// See [`uv_stdio_container_s`].
pub type uv_stdio_container_t = uv_stdio_container_s;

/// How to start a process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_process_options_s {
    /// Called when the process has ended; may be null.
    pub exit_cb: uv_exit_cb,
    /// The program, found along `PATH` if it has no slash.
    pub file: *const c_char,
    /// Its arguments, the first being its own name, ended by a null pointer.
    pub args: *mut *mut c_char,
    /// Its environment, ended by a null pointer; null for the caller's own.
    pub env: *mut *mut c_char,
    /// Its working directory; null for the caller's own.
    pub cwd: *const c_char,
    /// Bits of `enum uv_process_flags`.
    pub flags: c_uint,
    /// Number of descriptors in `stdio`.
    pub stdio_count: c_int,
    /// The child's descriptors 0, 1, 2 and so on.
    pub stdio: *mut uv_stdio_container_t,
    /// User id, with `UV_PROCESS_SETUID`.
    pub uid: uv_uid_t,
    /// Group id, with `UV_PROCESS_SETGID`.
    pub gid: uv_gid_t,
}

/// See [`uv_process_options_s`].
pub type uv_process_options_t = uv_process_options_s;

/// Milliseconds that a processor spent.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_cpu_times_s {
    /// In programs.
    pub user: u64,
    /// In programs of low priority.
    pub nice: u64,
    /// In the kernel.
    pub sys: u64,
    /// Doing nothing.
    pub idle: u64,
    /// In interrupts.
    pub irq: u64,
}

/// One processor.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_cpu_info_s {
    /// The model's name.
    pub model: *const c_char,
    /// Clock rate in MHz.
    pub speed: c_int,
    /// How the time was spent.
    pub cpu_times: uv_cpu_times_s,
}

/// See [`uv_cpu_info_s`].
pub type uv_cpu_info_t = uv_cpu_info_s;

/// A member of [`uv_interface_address_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__if_address {
    /// IPv4.
    pub address4: libc::sockaddr_in,
    /// IPv6.
    pub address6: libc::sockaddr_in6,
}

/// A member of [`uv_interface_address_s`] that has no type name in libuv.
#[repr(C)]
#[derive(Clone, Copy)]
pub union uv__if_netmask {
    /// IPv4.
    pub netmask4: libc::sockaddr_in,
    /// IPv6.
    pub netmask6: libc::sockaddr_in6,
}

/// One address of a network interface.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_interface_address_s {
    /// Name of the interface.
    pub name: *mut c_char,
    /// Hardware address.
    pub phys_addr: [c_char; 6],
    /// Non-zero for a loopback interface.
    pub is_internal: c_int,
    /// The address; its `sin_family` says which member to use.
    pub address: uv__if_address,
    /// The net mask, of the family of the address.
    pub netmask: uv__if_netmask,
}

/// See [`uv_interface_address_s`].
pub type uv_interface_address_t = uv_interface_address_s;

/// A user.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_passwd_s {
    /// Name.
    pub username: *mut c_char,
    /// User id.
    pub uid: c_ulong,
    /// Group id.
    pub gid: c_ulong,
    /// Shell.
    pub shell: *mut c_char,
    /// Home folder.
    pub homedir: *mut c_char,
}

/// See [`uv_passwd_s`].
pub type uv_passwd_t = uv_passwd_s;

/// A group.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_group_s {
    /// Name.
    pub groupname: *mut c_char,
    /// Group id.
    pub gid: c_ulong,
    /// User names, ended by a null pointer.
    pub members: *mut *mut c_char,
}

/// See [`uv_group_s`].
pub type uv_group_t = uv_group_s;

/// The result of `uv_os_uname`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_utsname_s {
    /// Name of the system, such as "Linux".
    pub sysname: [c_char; 256],
    /// The kernel's release.
    pub release: [c_char; 256],
    /// The kernel's version.
    pub version: [c_char; 256],
    /// Processor, such as "x86_64".
    pub machine: [c_char; 256],
}

/// See [`uv_utsname_s`].
pub type uv_utsname_t = uv_utsname_s;

/// The status of a file system, from `uv_fs_statfs`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_statfs_s {
    /// Type of file system, a magic number.
    pub f_type: u64,
    /// Block size in bytes.
    pub f_bsize: u64,
    /// Number of blocks.
    pub f_blocks: u64,
    /// Free blocks.
    pub f_bfree: u64,
    /// Free blocks for users without privileges.
    pub f_bavail: u64,
    /// Number of inodes.
    pub f_files: u64,
    /// Free inodes.
    pub f_ffree: u64,
    /// Fragment size in bytes.
    pub f_frsize: u64,
    /// Reserved.
    pub f_spare: [u64; 3],
}

/// See [`uv_statfs_s`].
pub type uv_statfs_t = uv_statfs_s;

/// A directory entry.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_dirent_s {
    /// Name, without folder.
    pub name: *const c_char,
    /// Its type; `UV_DIRENT_UNKNOWN` if the file system does not report it.
    pub r#type: uv_dirent_type_t,
}

/// See [`uv_dirent_s`].
pub type uv_dirent_t = uv_dirent_s;

/// Resource usage.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_rusage_t {
    /// Processor time in programs.
    pub ru_utime: uv_timeval_t,
    /// Processor time in the kernel.
    pub ru_stime: uv_timeval_t,
    /// Largest resident set, in kilobytes.
    pub ru_maxrss: u64,
    /// Unused on Linux.
    pub ru_ixrss: u64,
    /// Unused on Linux.
    pub ru_idrss: u64,
    /// Unused on Linux.
    pub ru_isrss: u64,
    /// Page faults without input.
    pub ru_minflt: u64,
    /// Page faults with input.
    pub ru_majflt: u64,
    /// Unused on Linux.
    pub ru_nswap: u64,
    /// Input operations.
    pub ru_inblock: u64,
    /// Output operations.
    pub ru_oublock: u64,
    /// Unused on Linux.
    pub ru_msgsnd: u64,
    /// Unused on Linux.
    pub ru_msgrcv: u64,
    /// Unused on Linux.
    pub ru_nsignals: u64,
    /// Context switches by waiting.
    pub ru_nvcsw: u64,
    /// Context switches by preemption.
    pub ru_nivcsw: u64,
}

/// An environment variable.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_env_item_s {
    /// Name.
    pub name: *mut c_char,
    /// Value.
    pub value: *mut c_char,
}

/// See [`uv_env_item_s`].
pub type uv_env_item_t = uv_env_item_s;

/// Counters of a loop.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct uv_metrics_s {
    /// Iterations of the loop.
    pub loop_count: u64,
    /// Events handled.
    pub events: u64,
    /// Events that were there already when the loop polled.
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
    /// The caller's array for `uv_fs_readdir`.
    pub dirents: *mut uv_dirent_t,
    /// Number of entries that fit into `dirents`.
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
    /// Bits of `uv_thread_create_flags`.
    pub flags: c_uint,
    /// In bytes, with `UV_THREAD_HAS_STACK_SIZE`; 0 for the default.
    pub stack_size: usize,
}

/// See [`uv_thread_options_s`].
pub type uv_thread_options_t = uv_thread_options_s;
