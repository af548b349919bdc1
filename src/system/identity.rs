//! Users, groups, the host, the process and its priority.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html>

use core::ffi::{CStr, c_char, c_int, c_ulong};

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result, set_errno};
use crate::sys::{cvt, typed};
use crate::text::{c_str, c_strs};
use crate::text_buffer::TextBuffer;
use crate::zeroed::{Zeroable, zeroed};

/// Calls a function of the user or group database. The buffer for its strings grows until they
/// fit.
fn look_up<T: Zeroable, R>(
    mut call: impl FnMut(&mut T, *mut c_char, usize, &mut *mut T) -> c_int,
    work: impl FnOnce(&T) -> Result<R>,
) -> Result<R> {
    let mut memory: alloc::Vec<u8> = alloc::vec();
    let mut room = 2000;
    loop {
        memory.try_reserve_exact(room).map_err(|_| Errno::ENOMEM)?;
        let mut entry: T = zeroed();
        let mut found = core::ptr::null_mut();
        match call(&mut entry, memory.as_mut_ptr().cast(), room, &mut found) {
            0 if found.is_null() => return Err(Errno::ENOENT),
            0 => return work(&entry),
            libc::EINTR => {}
            libc::ERANGE => room *= 2,
            number => return Err(Errno::from_system(number)),
        }
    }
}

fn with_user<R>(uid: uv_uid_t, work: impl FnOnce(&libc::passwd) -> Result<R>) -> Result<R> {
    look_up(
        // SAFETY: all four are valid for the call.
        |entry, memory, room, found| unsafe { libc::getpwuid_r(uid, entry, memory, room, found) },
        work,
    )
}

/// Calls `work` with the home folder that the user database has for this process's user.
pub(super) fn with_home(work: impl FnOnce(&[u8]) -> Result) -> Result {
    with_user(typed::geteuid(), |user| {
        // SAFETY: a string of the entry.
        work(unsafe { text(user.pw_dir) }.to_bytes())
    })
}

/// Puts strings into one block, one after the other.
struct Block {
    start: *mut c_char,
    used: usize,
}

impl Block {
    fn new(size: usize) -> Result<Block> {
        let start = alloc::malloc(size.max(1)).cast::<c_char>();
        if start.is_null() {
            Err(Errno::ENOMEM)
        } else {
            Ok(Block { start, used: 0 })
        }
    }

    /// The block must have been made large enough.
    fn put(&mut self, text: &CStr) -> *mut c_char {
        let bytes = text.to_bytes_with_nul();
        let place = self.start.wrapping_add(self.used);
        // SAFETY: the block's size is the sum of what is put into it.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), place, bytes.len()) };
        self.used += bytes.len();
        place
    }
}

/// A text of an entry, empty for null.
///
/// # Safety
/// The requirements of [`c_str`] apply.
unsafe fn text<'a>(text: *const c_char) -> &'a CStr {
    // SAFETY: the caller vouches for the text.
    unsafe { c_str(text) }.unwrap_or(c"")
}

fn copy_user(user: &libc::passwd) -> Result<uv_passwd_t> {
    // SAFETY: strings of the entry, which outlives them here.
    let parts = [user.pw_name, user.pw_dir, user.pw_shell].map(|part| unsafe { text(part) });
    let mut block = Block::new(parts.iter().map(|part| part.count_bytes() + 1).sum())?;
    let [username, homedir, shell] = parts.map(|part| block.put(part));
    Ok(uv_passwd_t {
        username,
        uid: c_ulong::from(user.pw_uid),
        gid: c_ulong::from(user.pw_gid),
        shell,
        homedir,
    })
}

/// # Safety
/// `into` must be null or writable.
unsafe fn get_user(into: *mut uv_passwd_t, uid: uv_uid_t) -> Result {
    if into.is_null() {
        return Err(Errno::EINVAL);
    }
    let copy = with_user(uid, copy_user)?;
    // SAFETY: the caller vouches for the memory.
    unsafe { into.write(copy) };
    Ok(())
}

/// The names of a group's members.
fn members(group: &libc::group) -> impl Iterator<Item = &CStr> {
    // SAFETY: the array of the entry, which outlives the names.
    unsafe { c_strs(group.gr_mem.cast_const().cast()) }
}

fn copy_group(group: &libc::group) -> Result<uv_group_t> {
    // SAFETY: a string of the entry, which outlives it here.
    let name = unsafe { text(group.gr_name) };
    let count = members(group).count();
    let pointers = (count + 1) * size_of::<*mut c_char>();
    let strings: usize = members(group).map(|name| name.count_bytes() + 1).sum();
    let mut block = Block::new(pointers + strings + name.count_bytes() + 1)?;
    // The list of pointers comes first, where the block is aligned for it.
    let list = block.start.cast::<*mut c_char>();
    block.used = pointers;
    for (index, member) in members(group).enumerate() {
        let copy = block.put(member);
        // SAFETY: below the number of members, for which there is room.
        unsafe { list.add(index).write(copy) };
    }
    // SAFETY: the block has memory for the end of the list.
    unsafe { list.add(count).write(core::ptr::null_mut()) };
    let groupname = block.put(name);
    Ok(uv_group_t {
        groupname,
        gid: c_ulong::from(group.gr_gid),
        members: list,
    })
}

/// Copies a terminated field of `utsname`, cut to the field's size in libuv.
fn copy_field(from: &[c_char]) -> [c_char; 256] {
    let mut to = [0; 256];
    let length = from
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(from.len())
        .min(to.len() - 1);
    to[..length].copy_from_slice(&from[..length]);
    to
}

// C entry points

/// Writes the current user's entry of the user database to `pwd`; free it with `uv_os_free_passwd`.
///
/// Returns 0 or an error: `UV_ENOENT` for a user that is not there, `UV_EINVAL`, `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_get_passwd>
///
/// # Safety
/// `pwd` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_get_passwd(pwd: *mut uv_passwd_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { get_user(pwd, typed::geteuid()) }.into_code()
}

/// Writes a user's entry of the user database to `pwd`; free it with `uv_os_free_passwd`.
///
/// Returns 0 or an error, as `uv_os_get_passwd` does.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_get_passwd2>
///
/// # Safety
/// `pwd` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_get_passwd2(pwd: *mut uv_passwd_t, uid: uv_uid_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { get_user(pwd, uid) }.into_code()
}

/// Frees what `uv_os_get_passwd` wrote; doing so twice is harmless.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_free_passwd>
///
/// # Safety
/// `pwd` must be null or come from `uv_os_get_passwd`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_free_passwd(pwd: *mut uv_passwd_t) {
    // SAFETY: common pointer contract; the strings are one block, which begins with the name.
    unsafe {
        if let Some(user) = pwd.as_mut() {
            alloc::free(user.username.cast());
            user.username = core::ptr::null_mut();
            user.shell = core::ptr::null_mut();
            user.homedir = core::ptr::null_mut();
        }
    }
}

/// Writes a group's entry of the group database to `grp`; free it with `uv_os_free_group`.
///
/// Returns 0 or an error: `UV_ENOENT` for a group that is not there, `UV_EINVAL`, `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_get_group>
///
/// # Safety
/// `grp` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_get_group(grp: *mut uv_group_t, gid: uv_uid_t) -> c_int {
    if grp.is_null() {
        return UV_EINVAL;
    }
    look_up(
        // SAFETY: all four are valid for the call.
        |entry, memory, room, found| unsafe { libc::getgrgid_r(gid, entry, memory, room, found) },
        copy_group,
    )
    // SAFETY: common pointer contract.
    .map(|copy| unsafe { grp.write(copy) })
    .into_code()
}

/// Frees what `uv_os_get_group` wrote; doing so twice is harmless.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_free_group>
///
/// # Safety
/// `grp` must be null or come from `uv_os_get_group`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_free_group(grp: *mut uv_group_t) {
    // SAFETY: common pointer contract; all is one block, which begins with the list.
    unsafe {
        if let Some(group) = grp.as_mut() {
            alloc::free(group.members.cast());
            group.members = core::ptr::null_mut();
            group.groupname = core::ptr::null_mut();
        }
    }
}

/// This process's id.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_getpid>
#[unsafe(no_mangle)]
pub extern "C" fn uv_os_getpid() -> uv_pid_t {
    typed::getpid()
}

/// The id of this process's parent.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_getppid>
#[unsafe(no_mangle)]
pub extern "C" fn uv_os_getppid() -> uv_pid_t {
    typed::getppid()
}

/// Writes a process's priority, −20 (highest) to 19, to `priority`; process 0 is this one.
///
/// Returns 0 or an error: `UV_ESRCH`, `UV_EINVAL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_getpriority>
///
/// # Safety
/// `priority` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_getpriority(pid: uv_pid_t, priority: *mut c_int) -> c_int {
    if priority.is_null() {
        return UV_EINVAL;
    }
    // −1 is a priority as well, so `errno` decides.
    set_errno(0);
    let value = typed::getpriority(libc::PRIO_PROCESS, pid as libc::id_t);
    if value == -1 && Errno::last().code() != 0 {
        return Errno::last().code();
    }
    // SAFETY: common pointer contract.
    unsafe { priority.write(value) };
    0
}

/// Sets a process's priority, −20 (highest) to 19; process 0 is this one.
///
/// Returns 0 or an error: `UV_EINVAL` for other numbers, `UV_ESRCH`, `UV_EACCES`, `UV_EPERM`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_setpriority>
#[unsafe(no_mangle)]
pub extern "C" fn uv_os_setpriority(pid: uv_pid_t, priority: c_int) -> c_int {
    if !(UV_PRIORITY_HIGHEST..=UV_PRIORITY_LOW).contains(&priority) {
        return UV_EINVAL;
    }
    cvt(typed::setpriority(
        libc::PRIO_PROCESS,
        pid as libc::id_t,
        priority,
    ))
    .map(drop)
    .into_code()
}

/// Writes the host's name to `buffer`.
///
/// Returns 0 or an error: `UV_ENOBUFS` with the size needed in `*size`, `UV_EINVAL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_gethostname>
///
/// # Safety
/// `buffer` must be writable for `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_gethostname(buffer: *mut c_char, size: *mut usize) -> c_int {
    let mut name = [0u8; UV_MAXHOSTNAMESIZE as usize];
    // SAFETY: common pointer contract.
    let buffer = unsafe { TextBuffer::new(buffer, size) };
    buffer
        .and_then(|buffer| {
            // SAFETY: the memory is as long as is said; the longest name fills it.
            cvt(unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) })?;
            let length = name
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(name.len());
            buffer.put(&name[..length])
        })
        .into_code()
}

/// Writes the system's names and versions to `buffer`. Returns 0 or an error: `UV_EINVAL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_uname>
///
/// # Safety
/// `buffer` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_os_uname(buffer: *mut uv_utsname_t) -> c_int {
    if buffer.is_null() {
        return UV_EINVAL;
    }
    let mut names: libc::utsname = zeroed();
    cvt(typed::uname(&mut names))
        .map(|_| {
            let copy = uv_utsname_t {
                sysname: copy_field(&names.sysname),
                release: copy_field(&names.release),
                version: copy_field(&names.version),
                machine: copy_field(&names.machine),
            };
            // SAFETY: common pointer contract.
            unsafe { buffer.write(copy) };
        })
        .into_code()
}
