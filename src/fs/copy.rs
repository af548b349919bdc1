//! Copying: from one descriptor to another (`uv_fs_sendfile`), and whole files (`uv_fs_copyfile`).
//!
//! The kernel has ways to copy that move no data through this process. Each works only for some
//! kinds of files, on some file systems, in some versions. So where one fails the next one takes
//! over; an error of reading or writing is final.

use core::ffi::{CStr, c_char, c_int};

use super::dispatch::start;
use super::operation::Operation;
use super::request::FsRequest;
use crate::abi::*;
use crate::errors::{Errno, Result};
use crate::sys::fd::OwnedFd;
use crate::sys::stat::{Target, status};
use crate::sys::{file, path};
use crate::view::get;
use crate::{alloc, buffers};

/// The size of the buffer, in bytes, where the kernel does not copy.
const COPY_BUFFER_BYTES: usize = 64 * 1024;

fn chunk(length: usize) -> Result<alloc::Vec<u8>> {
    let mut memory = alloc::vec();
    let length = length.min(COPY_BUFFER_BYTES);
    memory
        .try_reserve_exact(length)
        .map_err(|_| Errno::ENOMEM)?;
    memory.resize(length, 0);
    Ok(memory)
}

// Descriptor to descriptor.

pub(super) struct Sendfile;

impl Operation for Sendfile {
    const KIND: uv_fs_type = UV_FS_SENDFILE;

    fn perform(request: FsRequest) -> Result<usize> {
        sendfile(request)
    }
}

fn sendfile(request: FsRequest) -> Result<usize> {
    let (out, from) = (get!(request.file), get!(request.flags));
    let (offset, length) = (get!(request.off), request.length());
    let mut sent = 0;
    loop {
        let at = offset.saturating_add_unsigned(sent as u64);
        match file::sendfile(out, from, Some(at), length - sent) {
            Ok(0) => return Ok(sent),
            Ok(count) => sent += count,
            // Not possible for these kinds of files, or in this sandbox.
            Err(Errno::EINVAL | Errno::ESPIPE | Errno::ENOSYS | Errno::EPERM | Errno::EIO)
                if sent == 0 =>
            {
                return relay(out, from, offset, length);
            }
            Err(Errno::EAGAIN) => file::wait_until_writable(out)?,
            Err(error) if sent == 0 => return Err(error),
            Err(_) => return Ok(sent),
        }
        if sent == length {
            return Ok(sent);
        }
    }
}

/// Sends by reading and writing. `from` may be a pipe or a socket, which has no offset.
fn relay(out: c_int, from: c_int, offset: i64, length: usize) -> Result<usize> {
    let mut memory = chunk(length)?;
    let mut has_offset = true;
    let mut sent = 0;
    while sent < length {
        let room = memory.len().min(length - sent);
        let at = has_offset.then(|| offset.saturating_add_unsigned(sent as u64));
        let data = match file::read_slice(from, &mut memory[..room], at) {
            Err(Errno::ESPIPE) if has_offset => {
                has_offset = false;
                continue;
            }
            Err(error) if sent == 0 => return Err(error),
            Err(_) | Ok(0) => break,
            Ok(count) => &memory[..count],
        };
        let written = match send_all(out, data) {
            Err(error) if sent == 0 => return Err(error),
            Err(_) => break,
            Ok(count) => count,
        };
        sent += written;
        if written < data.len() {
            break;
        }
    }
    Ok(sent)
}

/// Writes all of `data`, or less after an error; returns how many bytes were written.
fn send_all(out: c_int, data: &[u8]) -> Result<usize> {
    let mut written = 0;
    while written < data.len() {
        match file::write_slice(out, &data[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(Errno::EAGAIN) => file::wait_until_writable(out)?,
            Err(error) if written == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(written)
}

// File to file.

fn open(path: &CStr, flags: c_int, mode: libc::mode_t) -> Result<OwnedFd> {
    file::open(path, flags, mode).and_then(OwnedFd::above_standard)
}

fn status_of(file: &OwnedFd) -> Result<uv_stat_t> {
    status(Target::Descriptor(file.raw()))
}

fn is_a(kind: libc::mode_t, status: &uv_stat_t) -> bool {
    status.st_mode as libc::mode_t & libc::S_IFMT == kind
}

fn permissions(status: &uv_stat_t) -> libc::mode_t {
    status.st_mode as libc::mode_t & 0o7777
}

pub(super) struct Copyfile;

impl Operation for Copyfile {
    const KIND: uv_fs_type = UV_FS_COPYFILE;

    fn perform(request: FsRequest) -> Result<usize> {
        copyfile(request)
    }
}

fn copyfile(request: FsRequest) -> Result<usize> {
    let flags = get!(request.flags);
    let source = open(request.path(), libc::O_RDONLY, 0)?;
    let is = status_of(&source)?;
    if is_a(libc::S_IFDIR, &is) {
        return Err(Errno::EISDIR);
    }
    let exclusive = flags & UV_FS_COPYFILE_EXCL != 0;
    let (target, is_new) = open_target(request.new_path(), permissions(&is), exclusive)?;
    let was = status_of(&target)?;
    if (is.st_dev, is.st_ino) == (was.st_dev, was.st_ino) {
        return Ok(0);
    }
    let mut copy = Copy {
        source: source.raw(),
        target: target.raw(),
        is,
        was,
        is_new,
        changed: is_new,
    };
    let outcome = copy.run(flags).inspect(|()| copy.set_times());
    // While it is open, no other file has its number.
    if outcome.is_err() {
        copy.remove(request.new_path());
        return outcome.map(|()| 0);
    }
    target
        .close()
        .inspect_err(|_| copy.remove(request.new_path()))
        .map(|()| 0)
}

/// Opens the target, and says whether there was none before.
fn open_target(path: &CStr, mode: libc::mode_t, exclusive: bool) -> Result<(OwnedFd, bool)> {
    let flags = libc::O_WRONLY | libc::O_CREAT;
    if exclusive {
        return Ok((open(path, flags | libc::O_EXCL, mode)?, true));
    }
    match open(path, libc::O_WRONLY, 0) {
        Err(Errno::ENOENT) => Ok((open(path, flags, mode)?, true)),
        result => Ok((result?, false)),
    }
}

/// A file that is copied to another.
struct Copy {
    source: c_int,
    target: c_int,
    is: uv_stat_t,
    /// The target as it was found.
    was: uv_stat_t,
    is_new: bool,
    /// The target was changed: if it does not become a copy, it has to be removed.
    changed: bool,
}

impl Copy {
    fn run(&mut self, flags: c_int) -> Result {
        if !is_a(libc::S_IFREG, &self.was) {
            // A device or a pipe takes the data and nothing else.
            return self.copy_data();
        }
        // Before the data: writing then takes set-user-id bits away, as it should.
        self.set_attributes()?;
        if flags & (UV_FS_COPYFILE_FICLONE | UV_FS_COPYFILE_FICLONE_FORCE) != 0 {
            match file::clone(self.target, self.source) {
                Ok(()) => return self.cut_to_size(),
                Err(error) if flags & UV_FS_COPYFILE_FICLONE_FORCE != 0 => return Err(error),
                Err(_) => {}
            }
        }
        self.changed = true;
        if self.was.st_size > 0 {
            file::ftruncate(self.target, 0)?;
        }
        self.copy_data()
    }

    /// Removes a file that did not become a copy, unless the path leads to another file by now.
    fn remove(&self, path: &CStr) {
        if !self.changed || !is_a(libc::S_IFREG, &self.was) {
            return;
        }
        let is_same =
            |found: uv_stat_t| (found.st_dev, found.st_ino) == (self.was.st_dev, self.was.st_ino);
        if status(Target::Path(path)).is_ok_and(is_same) {
            let _ = path::unlink(path);
        }
    }

    /// Cuts what a longer target has at its end, which cloning leaves.
    fn cut_to_size(&mut self) -> Result {
        self.changed = true;
        if self.was.st_size > self.is.st_size {
            file::ftruncate(self.target, self.is.st_size as i64)?;
        }
        Ok(())
    }

    /// Copies the times where that is allowed. Comes after the data, since writing changes them.
    fn set_times(&self) {
        if is_a(libc::S_IFREG, &self.was) {
            let times = [self.is.st_atim, self.is.st_mtim].map(|time| libc::timespec {
                tv_sec: time.tv_sec,
                tv_nsec: time.tv_nsec,
            });
            let _ = file::futimens(self.target, &times);
        }
    }

    /// Copies the owner where that is allowed, and permissions in any case.
    fn set_attributes(&self) -> Result {
        let mode = permissions(&self.is);
        if mode != permissions(&self.was) {
            match file::fchmod(self.target, mode) {
                Err(Errno::EPERM) if self.has_no_permissions() => {}
                result => result?,
            }
        }
        let owner = (self.is.st_uid as uv_uid_t, self.is.st_gid as uv_gid_t);
        if owner != (self.was.st_uid as uv_uid_t, self.was.st_gid as uv_gid_t)
            && file::fchown(self.target, owner.0, owner.1).is_ok()
            && mode & (libc::S_ISUID | libc::S_ISGID) != 0
        {
            // Changing the owner clears these bits.
            let _ = file::fchmod(self.target, mode);
        }
        Ok(())
    }

    /// Whether the file system refuses to set permissions. A new file that has others than asked
    /// for shows that, too.
    fn has_no_permissions(&self) -> bool {
        const SMB: u64 = 0x517b;
        const CIFS: u64 = 0xff53_4d42;
        const SMB2: u64 = 0xfe53_4d42;
        let kind = || path::file_system_type(self.target);
        self.is_new || matches!(kind(), Ok(SMB | CIFS | SMB2))
    }

    /// Copies from the positions of both files, as many bytes as the source's status said. Files
    /// without a size, such as those of /proc, are copied to their end. Of devices nothing is
    /// copied.
    fn copy_data(&self) -> Result {
        let mut left = match self.is.st_size {
            0 if !is_a(libc::S_IFREG, &self.is) && !is_a(libc::S_IFIFO, &self.is) => 0,
            0 => u64::MAX,
            size => size,
        };
        self.copy_by_call(&mut left, |most| {
            file::copy_file_range(self.target, self.source, most)
        });
        self.copy_by_call(&mut left, |most| {
            file::sendfile(self.target, self.source, None, most)
        });
        self.copy_by_reading(left)
    }

    /// Copies with a call of the kernel, until it fails or has nothing more.
    fn copy_by_call(&self, left: &mut u64, some: impl Fn(usize) -> Result<usize>) {
        while *left > 0 {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            let Ok(count @ 1..) = some(most) else { return };
            *left -= count as u64;
        }
    }

    /// Copies the rest by reading and writing; usually there is none.
    fn copy_by_reading(&self, mut left: u64) -> Result {
        let mut memory = alloc::vec();
        while left > 0 {
            if memory.is_empty() {
                memory = chunk(COPY_BUFFER_BYTES)?;
            }
            let room = memory
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = file::read_slice(self.source, &mut memory[..room], None)?;
            if count == 0 {
                break;
            }
            let mut data = &memory[..count];
            while !data.is_empty() {
                match send_all(self.target, data)? {
                    0 => return Err(Errno::EIO),
                    // The next attempt returns the error that made this one short.
                    taken => data = &data[taken..],
                }
            }
            left -= count as u64;
        }
        Ok(())
    }
}

// C entry points

/// Copies a file with its permissions, and with its owner and its times (of the last access and the
/// last change) where that is allowed. `flags` are bits of
///
/// - `UV_FS_COPYFILE_EXCL`: fail with `UV_EEXIST` when `new_path` exists, which is overwritten
///   otherwise,
/// - `UV_FS_COPYFILE_FICLONE`: have the two files use one copy of the data until one is changed,
///   where the file system can do that,
/// - `UV_FS_COPYFILE_FICLONE_FORCE`: as `UV_FS_COPYFILE_FICLONE`, but fail where the file system
///   cannot do that.
///
/// Copying a file to itself has no effect. If copying fails half-way, `new_path` is removed, unless
/// it leads to another file by then.
///
/// Returns 0, or an error such as `UV_ENOENT`, `UV_EISDIR`, or `UV_EINVAL` for other flags. With a
/// callback only errors that prevent the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_copyfile>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_copyfile(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    path: *const c_char,
    new_path: *const c_char,
    flags: c_int,
    cb: uv_fs_cb,
) -> c_int {
    const KNOWN: c_int =
        UV_FS_COPYFILE_EXCL | UV_FS_COPYFILE_FICLONE | UV_FS_COPYFILE_FICLONE_FORCE;
    // SAFETY: common pointer contract.
    unsafe {
        start::<Copyfile>(r#loop, req, cb, |request| {
            if flags & !KNOWN != 0 {
                return Err(Errno::EINVAL);
            }
            request.set_flags(flags);
            request.keep_paths(path, new_path)
        })
    }
}

/// Copies up to `length` bytes, from `in_offset` in `in_fd`, to the position of `out_fd`, which may
/// be a socket, and waits while it is full. Where sendfile(2) does not do it for these kinds of
/// files, it is done by reading and writing; pipes and sockets are read without regard to the
/// offset.
///
/// Returns how many bytes were copied, or an error if none were, such as `UV_EBADF`. At the end of
/// `in_fd`, or after an error, that is less than `length`. With a callback only errors that prevent
/// the start are returned.
///
/// <https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_sendfile>
///
/// # Safety
/// The requirements of `uv_fs_open` apply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_fs_sendfile(
    r#loop: *mut uv_loop_t,
    req: *mut uv_fs_t,
    out_fd: uv_file,
    in_fd: uv_file,
    in_offset: i64,
    length: usize,
    cb: uv_fs_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe {
        start::<Sendfile>(r#loop, req, cb, |request| {
            if in_offset < 0 {
                return Err(Errno::EINVAL);
            }
            buffers::check_length(length)?;
            request.set_file(out_fd);
            request.set_flags(in_fd);
            request.set_offset(in_offset);
            request.set_length(length);
            Ok(())
        })
    }
}
