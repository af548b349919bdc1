//! The entries of a directory, in order, as `uv_fs_scandir` returns them.

use core::ffi::{CStr, c_void};

use crate::abi::*;
use crate::alloc::{self, Heap};
use crate::errors::{Errno, Result};
use crate::sys::dir::{Directory, Entry};

/// The entries that `uv_fs_scandir` found, in order; `req->ptr` points to it.
pub(super) struct Listing {
    /// The names, terminated, one after the other.
    names: alloc::Vec<u8>,
    /// Where each name begins in `names`, and the type of the entry.
    entries: alloc::Vec<(usize, uv_dirent_type_t)>,
}

impl Listing {
    pub(super) fn read(path: &CStr) -> Result<Listing> {
        let mut listing = Listing {
            names: alloc::vec(),
            entries: alloc::vec(),
        };
        let mut directory = Directory::open(path)?;
        while let Some(entry) = directory.next()? {
            alloc::push(&mut listing.entries, (listing.names.len(), entry.kind))?;
            append(&mut listing.names, &entry)?;
        }
        listing.sort();
        Ok(listing)
    }

    /// Sorts by the bytes of the names, so that the order does not depend on the locale.
    fn sort(&mut self) {
        let names = &self.names;
        self.entries
            .sort_unstable_by(|a, b| name_at(names, a.0).cmp(name_at(names, b.0)));
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, index: usize) -> Option<uv_dirent_t> {
        let (start, kind) = *self.entries.get(index)?;
        Some(uv_dirent_t {
            name: self.names[start..].as_ptr().cast(),
            r#type: kind,
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

fn name_at(names: &[u8], start: usize) -> &[u8] {
    let rest = &names[start..];
    rest.split(|byte| *byte == 0).next().unwrap_or(rest)
}

/// Appends the name of an entry, terminated.
pub(super) fn append(names: &mut alloc::Vec<u8>, entry: &Entry<'_>) -> Result {
    let name = entry.name.to_bytes_with_nul();
    names.try_reserve(name.len()).map_err(|_| Errno::ENOMEM)?;
    names.extend_from_slice(name);
    Ok(())
}
