//! Threads and thread-local keys.
//!
//! <https://docs.libuv.org/en/v1.x/threading.html>

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::panic::{misuse, not_null};
use crate::sys::{cvt, cvt_number, large, typed};
use crate::zeroed::zeroed;

/// The stack of glibc's threads, in bytes, when the limit is "unlimited".
const DEFAULT_STACK_BYTES: usize = 2 << 20;
/// The size of a thread's name with its terminator, in bytes.
const NAME_BYTES: usize = 16;

fn page_size() -> usize {
    usize::try_from(typed::sysconf(libc::_SC_PAGESIZE)).unwrap_or(4096)
}

/// The smallest stack of a thread, in bytes.
fn least_stack() -> usize {
    libc::PTHREAD_STACK_MIN.max(8192)
}

/// The default stack of a thread, in bytes: the limit, as for the main thread.
fn default_stack() -> usize {
    let mut limit: large::rlimit = zeroed();
    let known = typed::getrlimit(libc::RLIMIT_STACK, &mut limit) == 0;
    if !known || limit.rlim_cur == large::NO_LIMIT {
        return DEFAULT_STACK_BYTES;
    }
    // A limit that is larger than memory can be is none.
    usize::try_from(limit.rlim_cur)
        .map(|limit| limit / page_size() * page_size())
        .ok()
        .filter(|size| *size >= least_stack())
        .unwrap_or(DEFAULT_STACK_BYTES)
}

fn stack_size(requested: usize) -> usize {
    if requested == 0 {
        return default_stack();
    }
    requested
        .checked_next_multiple_of(page_size())
        .unwrap_or(requested)
        .max(least_stack())
}

type Entry = unsafe extern "C" fn(*mut c_void);
type SystemEntry = extern "C" fn(*mut c_void) -> *mut c_void;

/// Starts the program's function as the thread's own. There is no frame of this library below it
/// that `pthread_exit` would have to unwind.
///
/// # Safety
/// `thread` must be writable, and `entry` null or a function that takes `argument`.
unsafe fn create(
    thread: *mut uv_thread_t,
    stack: usize,
    entry: uv_thread_cb,
    argument: *mut c_void,
) -> Result {
    let entry = entry.ok_or(Errno::EINVAL)?;
    // SAFETY: only C calls it. By the calling convention a result that is not written is whatever
    // its register has, and nothing reads it.
    let entry = unsafe { core::mem::transmute::<Entry, SystemEntry>(entry) };
    let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: the attributes are initialised before they are used, and destroyed after; the caller
    // vouches for the rest.
    unsafe {
        cvt_number(libc::pthread_attr_init(attributes))?;
        let result = cvt_number(libc::pthread_attr_setstacksize(attributes, stack))
            .and_then(|()| cvt_number(libc::pthread_create(thread, attributes, entry, argument)));
        libc::pthread_attr_destroy(attributes);
        result
    }
}

/// The number of bytes of `name` that fit into `room` bytes without cutting a UTF-8 character.
fn fitting(name: &[u8], room: usize) -> usize {
    if name.len() <= room {
        return name.len();
    }
    // A byte that begins with the bits 10 continues a character.
    (0..=room)
        .rev()
        .find(|end| name[*end] & 0xc0 != 0x80)
        .unwrap_or(0)
}

fn scheduling(thread: uv_thread_t) -> Result<(c_int, libc::sched_param)> {
    let mut policy = 0;
    let mut parameters: libc::sched_param = zeroed();
    // SAFETY: writes both; the thread is the caller's to vouch for.
    cvt_number(unsafe { libc::pthread_getschedparam(thread, &mut policy, &mut parameters) })?;
    Ok((policy, parameters))
}

fn is_self(thread: uv_thread_t) -> bool {
    typed::pthread_equal(thread, typed::pthread_self()) != 0
}

fn own_kernel_id() -> libc::id_t {
    // SAFETY: takes no memory.
    unsafe { libc::syscall(libc::SYS_gettid) as libc::id_t }
}

/// The nice value that one of the five thread priorities stands for.
fn nice_of(priority: c_int) -> Option<c_int> {
    (UV_THREAD_PRIORITY_LOWEST..=UV_THREAD_PRIORITY_HIGHEST)
        .contains(&priority)
        .then_some(-2 * priority)
}

fn get_priority(thread: uv_thread_t) -> Result<c_int> {
    let (policy, parameters) = scheduling(thread)?;
    if policy == libc::SCHED_OTHER && is_self(thread) {
        return Ok(typed::getpriority(libc::PRIO_PROCESS, own_kernel_id()));
    }
    Ok(parameters.sched_priority)
}

fn set_priority(thread: uv_thread_t, priority: c_int) -> Result {
    let nice = nice_of(priority).ok_or(Errno::EINVAL)?;
    let (policy, mut parameters) = scheduling(thread)?;
    let least = typed::sched_get_priority_min(policy);
    let most = typed::sched_get_priority_max(policy);
    if policy == libc::SCHED_OTHER && is_self(thread) {
        let result = typed::setpriority(libc::PRIO_PROCESS, own_kernel_id(), nice);
        return cvt(result).map(drop);
    }
    // The five priorities spread evenly over the policy's range.
    parameters.sched_priority = least + (most - least) * (priority - UV_THREAD_PRIORITY_LOWEST) / 4;
    // SAFETY: reads the parameters; the thread is the caller's to vouch for.
    cvt_number(unsafe { libc::pthread_setschedparam(thread, policy, &parameters) })
}

fn mask_size() -> usize {
    libc::CPU_SETSIZE as usize
}

/// # Safety
/// `thread` must be running, and `mask` have [`mask_size`] bytes.
unsafe fn get_affinity(thread: uv_thread_t, mask: *mut c_char) -> Result {
    let mut set: libc::cpu_set_t = zeroed();
    let size = size_of_val(&set);
    // SAFETY: the set has the size that is passed; the caller vouches for the thread.
    cvt_number(unsafe { libc::pthread_getaffinity_np(thread, size, &mut set) })?;
    for cpu in 0..mask_size() {
        // SAFETY: the caller vouches for the mask, which has a byte for each bit of the set.
        unsafe { *mask.add(cpu) = c_char::from(libc::CPU_ISSET(cpu, &set)) };
    }
    Ok(())
}

/// # Safety
/// `thread` must be running, and `mask` have [`mask_size`] bytes.
unsafe fn set_affinity(thread: uv_thread_t, mask: *const c_char) -> Result {
    let mut set: libc::cpu_set_t = zeroed();
    for cpu in 0..mask_size() {
        // SAFETY: the caller vouches for the mask.
        if unsafe { *mask.add(cpu) } != 0 {
            // SAFETY: the mask has a byte for each bit of the set.
            unsafe { libc::CPU_SET(cpu, &mut set) };
        }
    }
    let size = size_of_val(&set);
    // SAFETY: the set has the size that is passed; the caller vouches for the thread.
    cvt_number(unsafe { libc::pthread_setaffinity_np(thread, size, &set) })
}

// C entry points

/// Starts a thread that runs `entry` with `arg`, with a stack as large as the main thread's limit.
///
/// Returns 0 or an error, such as `UV_EAGAIN` or `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_create>
///
/// # Safety
/// `tid` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_create(
    tid: *mut uv_thread_t,
    entry: uv_thread_cb,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { create(not_null(tid), default_stack(), entry, arg) }.into_code()
}

/// Starts a thread that runs `entry` with `arg`, with options. With `UV_THREAD_HAS_STACK_SIZE` in
/// `params->flags`, the stack has `params->stack_size` bytes, rounded up to pages and to the
/// system's minimum; 0 means the default.
///
/// Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_create_ex>
///
/// # Safety
/// `tid` must be writable, `params` null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_create_ex(
    tid: *mut uv_thread_t,
    params: *const uv_thread_options_t,
    entry: uv_thread_cb,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: common pointer contract.
    let requested = match unsafe { params.as_ref() } {
        Some(options) if options.flags & UV_THREAD_HAS_STACK_SIZE != 0 => options.stack_size,
        _ => 0,
    };
    // SAFETY: common pointer contract.
    unsafe { create(not_null(tid), stack_size(requested), entry, arg) }.into_code()
}

/// Binds a thread to the processors that are marked in `cpumask`, one byte for each. The previous
/// mask is written to `oldmask`, unless that is `NULL`.
///
/// Returns 0 or an error: `UV_EINVAL` when `mask_size` is less than `uv_cpumask_size()`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_setaffinity>
///
/// # Safety
/// `tid` must be a running thread; the masks must have `mask_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_setaffinity(
    tid: *mut uv_thread_t,
    cpumask: *mut c_char,
    oldmask: *mut c_char,
    mask_size: usize,
) -> c_int {
    if mask_size < self::mask_size() {
        return UV_EINVAL;
    }
    if !oldmask.is_null() {
        // SAFETY: common pointer contract.
        if let Err(error) = unsafe { get_affinity(*not_null(tid), oldmask) } {
            return error.code();
        }
    }
    // SAFETY: common pointer contract.
    unsafe { set_affinity(*not_null(tid), cpumask) }.into_code()
}

/// Marks in `cpumask` the processors that a thread may run on, one byte for each.
///
/// Returns 0 or an error: `UV_EINVAL` when `mask_size` is less than `uv_cpumask_size()`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_getaffinity>
///
/// # Safety
/// `tid` must be a running thread; the mask must have `mask_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_getaffinity(
    tid: *mut uv_thread_t,
    cpumask: *mut c_char,
    mask_size: usize,
) -> c_int {
    if mask_size < self::mask_size() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    unsafe { get_affinity(*not_null(tid), cpumask) }.into_code()
}

/// The processor that the calling thread runs on, or an error.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_getcpu>
#[unsafe(no_mangle)]
pub extern "C" fn uv_thread_getcpu() -> c_int {
    cvt(typed::sched_getcpu()).into_code()
}

/// The size of a processor mask in bytes.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_cpumask_size>
#[unsafe(no_mangle)]
pub extern "C" fn uv_cpumask_size() -> c_int {
    mask_size() as c_int
}

/// The calling thread.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_self>
#[unsafe(no_mangle)]
pub extern "C" fn uv_thread_self() -> uv_thread_t {
    typed::pthread_self()
}

/// Waits for a thread to end. Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_join>
///
/// # Safety
/// `tid` must be a thread that was not joined or detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_join(tid: *mut uv_thread_t) -> c_int {
    // SAFETY: common pointer contract.
    cvt_number(unsafe { libc::pthread_join(*not_null(tid), core::ptr::null_mut()) }).into_code()
}

/// Detaches a thread, which then need not be joined. Returns 0 or an error.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_detach>
///
/// # Safety
/// `tid` must be a thread that was not joined or detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_detach(tid: *mut uv_thread_t) -> c_int {
    // SAFETY: common pointer contract.
    cvt_number(unsafe { libc::pthread_detach(*not_null(tid)) }).into_code()
}

/// Non-zero when both are one thread.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_equal>
///
/// # Safety
/// Both must be readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_equal(t1: *const uv_thread_t, t2: *const uv_thread_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { libc::pthread_equal(*not_null(t1.cast_mut()), *not_null(t2.cast_mut())) }
}

/// Names the calling thread; the name is cut to 15 bytes, between characters.
///
/// Returns 0 or an error: `UV_EINVAL` for a `NULL` name.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_setname>
///
/// # Safety
/// `name` must be null or a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_setname(name: *const c_char) -> c_int {
    if name.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let mut cut = [0u8; NAME_BYTES];
    let length = fitting(name, NAME_BYTES - 1);
    cut[..length].copy_from_slice(&name[..length]);
    // SAFETY: the name is terminated.
    cvt_number(unsafe { libc::pthread_setname_np(libc::pthread_self(), cut.as_ptr().cast()) })
        .into_code()
}

/// Writes a thread's name to `name`, cut to `size` bytes with its terminator.
///
/// Returns 0 or an error: `UV_EINVAL` for a `NULL` name or a size of 0.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_getname>
///
/// # Safety
/// `tid` must be a running thread, `name` null or writable for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_getname(
    tid: *mut uv_thread_t,
    name: *mut c_char,
    size: usize,
) -> c_int {
    if name.is_null() || size == 0 {
        return UV_EINVAL;
    }
    let mut full = [0u8; NAME_BYTES];
    // SAFETY: the buffer has the length that is passed; common pointer contract.
    let result =
        unsafe { libc::pthread_getname_np(*not_null(tid), full.as_mut_ptr().cast(), full.len()) };
    if let Err(error) = cvt_number(result) {
        return error.code();
    }
    let length = full
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(full.len())
        .min(size - 1);
    // SAFETY: `length + 1 <= size`; common pointer contract.
    unsafe {
        core::ptr::copy_nonoverlapping(full.as_ptr().cast(), name, length);
        *name.add(length) = 0;
    }
    0
}

/// Sets a thread's priority to one of the five `UV_THREAD_PRIORITY_…`. For a thread of the ordinary
/// scheduling class this works on the calling thread.
///
/// Returns 0 or an error: `UV_EINVAL` for another number, `UV_EPERM`, `UV_EACCES`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_setpriority>
///
/// # Safety
/// `tid` must be a running thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_setpriority(tid: uv_thread_t, priority: c_int) -> c_int {
    set_priority(tid, priority).into_code()
}

/// Writes a thread's priority, as the system counts it, to `priority`.
///
/// Returns 0 or an error: `UV_EINVAL` for a `NULL` pointer, `UV_ESRCH`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_thread_getpriority>
///
/// # Safety
/// `tid` must be a running thread, `priority` null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_thread_getpriority(tid: uv_thread_t, priority: *mut c_int) -> c_int {
    if priority.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    get_priority(tid)
        .map(|value| unsafe { priority.write(value) })
        .into_code()
}

/// Makes a key under which each thread keeps a pointer of its own, `NULL` to begin with.
///
/// Returns 0 or an error, such as `UV_EAGAIN`.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_key_create>
///
/// # Safety
/// `key` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_create(key: *mut uv_key_t) -> c_int {
    // SAFETY: common pointer contract.
    cvt_number(unsafe { libc::pthread_key_create(not_null(key), None) }).into_code()
}

/// Deletes a key.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_key_delete>
///
/// # Safety
/// `key` must have been made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_delete(key: *mut uv_key_t) {
    // SAFETY: common pointer contract.
    if unsafe { libc::pthread_key_delete(*not_null(key)) } != 0 {
        misuse("not a key");
    }
}

/// The calling thread's pointer under a key.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_key_get>
///
/// # Safety
/// `key` must have been made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_get(key: *mut uv_key_t) -> *mut c_void {
    // SAFETY: common pointer contract.
    unsafe { libc::pthread_getspecific(*not_null(key)) }
}

/// Sets the calling thread's pointer under a key.
///
/// <https://docs.libuv.org/en/v1.x/threading.html#c.uv_key_set>
///
/// # Safety
/// `key` must have been made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_key_set(key: *mut uv_key_t, value: *mut c_void) {
    // SAFETY: common pointer contract.
    if unsafe { libc::pthread_setspecific(*not_null(key), value) } != 0 {
        misuse("not a key");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(fitting(b"short", 15), 5);
        assert_eq!(fitting(b"exactly fifteen", 15), 15);
        assert_eq!(fitting(b"more than fifteen", 15), 15);
        // Three bytes each: five fit, a sixth would be cut.
        assert_eq!(fitting("€€€€€€".as_bytes(), 15), 15);
        assert_eq!(fitting("a€€€€€".as_bytes(), 15), 13);
    }

    #[test]
    fn stacks_are_whole_pages_and_large_enough() {
        assert_eq!(stack_size(1), least_stack());
        assert_eq!(stack_size(1 << 20), 1 << 20);
        assert_eq!(stack_size((1 << 20) + 1), (1 << 20) + page_size());
        assert!(stack_size(0) >= least_stack());
    }
}
