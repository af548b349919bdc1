//! The entries of a directory, in order, as `uv_fs_scandir` returns them.

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::abi::*;
use crate::alloc::{self, Heap};
use crate::errors::{Errno, Result};
use crate::sys::dir::{Directory, Entry};

type Compare = unsafe extern "C" fn(*const c_void, *const c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    /// <https://man7.org/linux/man-pages/man3/qsort.3.html>; the libc crate has glibc's only.
    fn qsort_r(
        entries: *mut c_void,
        count: usize,
        size: usize,
        compare: Compare,
        argument: *mut c_void,
    );
}

/// The entries that `uv_fs_scandir` found, in order; `req->ptr` points to it.
pub(super) struct Listing {
    /// The names, terminated, one after the other.
    names: alloc::Vec<u8>,
    entries: alloc::Vec<Found>,
}

/// Where the name of an entry begins among the names, and the type of the entry. It is as long as a
/// pointer: for larger ones glibc's sorting calls sysinfo(2) where libuv's does not, and a sandbox
/// may not allow that.
#[derive(Clone, Copy)]
struct Found {
    start: u32,
    kind: uv_dirent_type_t,
}

impl Listing {
    pub(super) fn read(path: &CStr) -> Result<Listing> {
        let mut listing = Listing {
            names: alloc::vec(),
            entries: alloc::vec(),
        };
        let mut directory = Directory::open(path)?;
        while let Some(entry) = directory.next()? {
            let found = Found {
                start: u32::try_from(listing.names.len()).map_err(|_| Errno::ENOMEM)?,
                kind: entry.kind,
            };
            alloc::push(&mut listing.entries, found)?;
            append(&mut listing.names, &entry)?;
        }
        listing.sort();
        Ok(listing)
    }

    /// Sorts by the bytes of the names, so that the order does not depend on the locale.
    /// libc does it, since core's sorting alone is a fiftieth of this library.
    fn sort(&mut self) {
        // SAFETY: `compare` gets pointers to entries and the names that they are from. libc moves
        // entries as memory, which they allow.
        unsafe {
            qsort_r(
                self.entries.as_mut_ptr().cast(),
                self.entries.len(),
                size_of::<Found>(),
                compare,
                self.names.as_mut_ptr().cast(),
            );
        }
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, index: usize) -> Option<uv_dirent_t> {
        let found = self.entries.get(index)?;
        Some(uv_dirent_t {
            name: self.names[found.start as usize..].as_ptr().cast(),
            r#type: found.kind,
        })
    }

    /// # Safety
    /// `listing` must be null or what `scandir` left in `req->ptr`, not used afterwards.
    pub(super) unsafe fn free(listing: *mut c_void) {
        if !listing.is_null() {
            // SAFETY: `scandir` made it of such a box.
            drop(unsafe { alloc::Box::from_raw_in(listing.cast::<Listing>(), Heap) });
        }
    }
}

/// # Safety
/// The first two must point to entries of a listing, the third to the beginning of its names.
unsafe extern "C" fn compare(
    one: *const c_void,
    other: *const c_void,
    names: *mut c_void,
) -> c_int {
    let name = |entry: *const c_void| {
        // SAFETY: the caller vouches for the entry.
        let found = unsafe { *entry.cast::<Found>() };
        names.cast::<c_char>().wrapping_add(found.start as usize)
    };
    // SAFETY: a terminated name begins at each of these places.
    unsafe { libc::strcmp(name(one), name(other)) }
}

/// Appends the name of an entry, terminated.
pub(super) fn append(names: &mut alloc::Vec<u8>, entry: &Entry<'_>) -> Result {
    let name = entry.name.to_bytes_with_nul();
    names.try_reserve(name.len()).map_err(|_| Errno::ENOMEM)?;
    names.extend_from_slice(name);
    Ok(())
}
