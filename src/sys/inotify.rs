//! inotify.

use core::ffi::{CStr, c_int};
use core::fmt::Write;
use core::mem::MaybeUninit;

use super::dir::Directory;
use super::fd::{OwnedFd, own};
use super::{cvt, retry, retry_size, typed};
use crate::errors::Result;
use crate::text::Text;

/// The mask of every watch. A path may be watched already, with this mask: without `IN_MASK_ADD`
/// the kernel would clear the mask before it sets it anew, and lose events between.
const WATCH_MASK: u32 = libc::IN_MASK_ADD
    | libc::IN_ATTRIB
    | libc::IN_MODIFY
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO;

/// The kind of file that may be watched; symbolic links are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Anything,
    Directory,
}

/// An inotify instance, which does not block and is not inherited.
pub(crate) fn open() -> Result<OwnedFd> {
    cvt(typed::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC)).and_then(own)
}

/// Watches a path and returns the watch's number, which is one for all paths to a file.
pub(crate) fn add(fd: c_int, path: &CStr, target: Target) -> Result<c_int> {
    let mask = match target {
        Target::Anything => WATCH_MASK,
        Target::Directory => WATCH_MASK | libc::IN_ONLYDIR,
    };
    retry(|| typed::inotify_add_watch(fd, path, mask))
}

/// Watches an open directory, whatever its path is by now. Where /proc is not mounted this fails
/// with `ENOENT` or `ENOTDIR`.
pub(crate) fn add_open(fd: c_int, directory: &Directory) -> Result<c_int> {
    let mut path = Text::<32>::new();
    let _ = write!(path, "/proc/self/fd/{}", directory.fd());
    add(fd, path.as_c_str(), Target::Directory)
}

/// Ends a watch. That the kernel has ended it before is not an error.
pub(crate) fn remove(fd: c_int, wd: c_int) {
    typed::inotify_rm_watch(fd, wd);
}

/// An event of a watch.
pub(crate) struct Event<'a> {
    /// The watch, or −1 when the kernel's queue was full and events are lost.
    pub(crate) wd: c_int,
    mask: u32,
    /// The entry of the watched directory; `None` for what was watched itself.
    pub(crate) name: Option<&'a CStr>,
}

impl Event<'_> {
    fn has(&self, bits: u32) -> bool {
        self.mask & bits != 0
    }

    pub(crate) fn is_overflow(&self) -> bool {
        self.has(libc::IN_Q_OVERFLOW)
    }

    /// Whether contents or attributes changed.
    pub(crate) fn is_change(&self) -> bool {
        self.has(libc::IN_ATTRIB | libc::IN_MODIFY)
    }

    /// Whether anything but a change happened, or something to a directory.
    pub(crate) fn is_other(&self) -> bool {
        self.has(!(libc::IN_ATTRIB | libc::IN_MODIFY))
    }

    /// Whether a directory of that name was made or moved there.
    pub(crate) fn is_new_directory(&self) -> bool {
        self.has(libc::IN_ISDIR) && self.has(libc::IN_CREATE | libc::IN_MOVED_TO)
    }

    /// Whether the attributes of a directory of that name changed.
    pub(crate) fn is_changed_directory(&self) -> bool {
        self.has(libc::IN_ISDIR) && self.has(libc::IN_ATTRIB)
    }

    pub(crate) fn is_self_moved(&self) -> bool {
        self.has(libc::IN_MOVE_SELF)
    }

    pub(crate) fn is_unmounted(&self) -> bool {
        self.has(libc::IN_UNMOUNT)
    }

    /// Whether the kernel has ended the watch.
    pub(crate) fn is_end(&self) -> bool {
        self.has(libc::IN_IGNORED)
    }
}

/// Room for the events of one read.
#[repr(C, align(8))]
pub(crate) struct Buffer([MaybeUninit<u8>; 16 * 1024]);

impl Buffer {
    pub(crate) fn new() -> Buffer {
        Buffer([MaybeUninit::uninit(); 16 * 1024])
    }

    /// Reads events that are there.
    pub(crate) fn read(&mut self, fd: c_int) -> Result<Events<'_>> {
        let (start, length) = (self.0.as_mut_ptr(), self.0.len());
        // SAFETY: the buffer has that length.
        let count = retry_size(|| unsafe { libc::read(fd, start.cast(), length) })?;
        // SAFETY: the kernel filled the first `count` bytes.
        let bytes = unsafe { core::slice::from_raw_parts(start.cast::<u8>(), count) };
        Ok(Events(bytes))
    }
}

/// The events of one read.
pub(crate) struct Events<'a>(&'a [u8]);

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let header = self.0.get(..size_of::<libc::inotify_event>())?;
        // SAFETY: that many bytes are there, and every value of them is an event's header.
        let header = unsafe {
            header
                .as_ptr()
                .cast::<libc::inotify_event>()
                .read_unaligned()
        };
        let (_, rest) = self.0.split_at(size_of::<libc::inotify_event>());
        let name = rest.get(..header.len as usize)?;
        self.0 = &rest[header.len as usize..];
        let name = CStr::from_bytes_until_nul(name).ok();
        Some(Event {
            wd: header.wd,
            mask: header.mask,
            name: name.filter(|name| !name.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(wd: i32, mask: u32, name: &[u8]) -> std::vec::Vec<u8> {
        let mut bytes = std::vec::Vec::new();
        bytes.extend(wd.to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend((name.len() as u32).to_ne_bytes());
        bytes.extend(name);
        bytes
    }

    #[test]
    fn events_are_parsed() {
        let mut bytes = event(3, libc::IN_CREATE | libc::IN_ISDIR, b"name\0\0\0\0");
        bytes.extend(event(-1, libc::IN_Q_OVERFLOW, b""));
        bytes.extend(event(4, libc::IN_MODIFY, b""));
        let mut events = Events(&bytes);
        let first = events.next().unwrap();
        assert_eq!((first.wd, first.name), (3, Some(c"name")));
        assert!(first.is_new_directory() && first.is_other() && !first.is_change());
        assert!(events.next().unwrap().is_overflow());
        let third = events.next().unwrap();
        assert!(third.name.is_none() && third.is_change() && !third.is_other());
        assert!(events.next().is_none());
    }

    #[test]
    fn a_truncated_event_is_no_event() {
        let bytes = event(3, libc::IN_CREATE, b"name\0\0\0\0");
        for length in 0..bytes.len() {
            assert!(Events(&bytes[..length]).next().is_none());
        }
    }
}
