//! Where a program is searched: at its path, or in the directories of the child's `PATH`.

use core::ffi::{CStr, c_char};

use crate::alloc;
use crate::errors::{Errno, Result};
use crate::text::c_strs;

/// The directories that are searched if the environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// Paths to try, one after the other, each with its terminator.
pub(super) struct Candidates {
    paths: alloc::Vec<u8>,
    pub(super) count: usize,
}

impl Candidates {
    /// The paths to try for `file`, for a child with this environment.
    ///
    /// # Safety
    /// `environment` must be null or an array of terminated strings that ends in null.
    pub(super) unsafe fn new(file: &CStr, environment: *const *const c_char) -> Result<Candidates> {
        // SAFETY: the caller vouches for the array.
        let path = unsafe { path_of(environment) };
        Candidates::in_path(file.to_bytes(), path.unwrap_or(DEFAULT_PATH))
    }

    fn in_path(file: &[u8], path: &[u8]) -> Result<Candidates> {
        let mut candidates = Candidates {
            paths: alloc::vec(),
            count: 0,
        };
        if file.contains(&b'/') {
            candidates.add(b"", file)?;
            return Ok(candidates);
        }
        for directory in path.split(|byte| *byte == b':') {
            // The kernel refuses longer paths, and the directories after this one count.
            if directory.len() < libc::PATH_MAX as usize {
                candidates.add(directory, file)?;
            }
        }
        Ok(candidates)
    }

    /// Adds the path of `file` in a directory; an empty name is the working directory.
    fn add(&mut self, directory: &[u8], file: &[u8]) -> Result {
        let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        let size = directory.len() + separator.len() + file.len() + 1;
        self.paths.try_reserve(size).map_err(|_| Errno::ENOMEM)?;
        for part in [directory, separator, file, b"\0"] {
            self.paths.extend_from_slice(part);
        }
        self.count += 1;
        Ok(())
    }

    pub(super) fn as_ptr(&self) -> *const c_char {
        self.paths.as_ptr().cast()
    }
}

/// The environment's first `PATH`.
///
/// # Safety
/// The requirements of [`Candidates::new`] apply; the strings must not change while the result is
/// used.
unsafe fn path_of<'a>(environment: *const *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller vouches for the array and the strings.
    unsafe { c_strs(environment) }.find_map(|text| text.to_bytes().strip_prefix(b"PATH="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(file: &[u8], path: &[u8]) -> std::vec::Vec<std::vec::Vec<u8>> {
        let found = Candidates::in_path(file, path).unwrap();
        let texts: std::vec::Vec<_> = found.paths.split(|byte| *byte == 0).collect();
        assert_eq!(texts.len(), found.count + 1);
        texts[..found.count]
            .iter()
            .map(|text| text.to_vec())
            .collect()
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        assert_eq!(candidates(b"./a", b"/bin"), [b"./a"]);
        assert_eq!(candidates(b"/x/a", b"/bin"), [b"/x/a"]);
    }

    #[test]
    fn a_name_is_searched_in_every_directory() {
        assert_eq!(candidates(b"a", b"/x:y"), [&b"/x/a"[..], b"y/a"]);
        assert_eq!(candidates(b"a", b""), [b"a"]);
        assert_eq!(candidates(b"a", b":/x:"), [&b"a"[..], b"/x/a", b"a"]);
        assert_eq!(candidates(b"", b"/x"), [b"/x/"]);
    }

    #[test]
    fn a_directory_that_is_too_long_is_skipped() {
        let mut path = [b'x'; libc::PATH_MAX as usize + 3];
        path[libc::PATH_MAX as usize] = b':';
        assert_eq!(candidates(b"a", &path), [b"xx/a"]);
    }

    #[test]
    fn the_first_path_counts() {
        let environment = [
            c"A=1".as_ptr(),
            c"MYPATH=/no".as_ptr(),
            c"PATH=/x".as_ptr(),
            c"PATH=/y".as_ptr(),
            core::ptr::null(),
        ];
        // SAFETY: terminated strings, ended by null.
        assert_eq!(unsafe { path_of(environment.as_ptr()) }, Some(&b"/x"[..]));
        // SAFETY: an empty array.
        assert_eq!(unsafe { path_of([core::ptr::null()].as_ptr()) }, None);
        // SAFETY: none, as after `clearenv()`.
        assert_eq!(unsafe { path_of(core::ptr::null()) }, None);
    }
}
