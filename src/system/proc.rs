//! Reading small files of /proc and /sys, and parsing them.

use core::ffi::CStr;

use crate::sys::file;

/// Reads the beginning of a file, as much as fits into `memory`.
pub(super) fn read_small<'a>(path: &CStr, memory: &'a mut [u8]) -> Option<&'a [u8]> {
    let file = file::open(path, libc::O_RDONLY, 0).ok()?;
    let file = file.above_standard().ok()?;
    let mut length = 0;
    // A read may return less than there is.
    while length < memory.len() {
        let rest = &mut memory[length..];
        match file::read_slice(file.raw(), rest, None) {
            Ok(0) | Err(_) => break,
            Ok(count) => length += count,
        }
    }
    Some(&memory[..length])
}

/// The number at the beginning of a text, after spaces.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    core::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

/// The rest of the line that begins with `name`.
pub(super) fn field_of<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    text.split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(name))
}

/// The size of a buffer for a group's path with the names around it, in bytes.
const PATH_BYTES: usize = 1200;

/// A path put together in place.
pub(super) struct Path {
    bytes: [u8; PATH_BYTES],
    length: usize,
}

impl Path {
    /// `None` when the parts are too long together.
    pub(super) fn join(parts: &[&[u8]]) -> Option<Path> {
        let mut path = Path {
            bytes: [0; PATH_BYTES],
            length: 0,
        };
        for part in parts {
            let end = path.length + part.len();
            if end >= path.bytes.len() {
                return None;
            }
            path.bytes[path.length..end].copy_from_slice(part);
            path.length = end;
        }
        Some(path)
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_the_beginning_of_their_line() {
        let text = b"MemTotal:       24617796 kB\nMemFree:        100 kB\n";
        assert_eq!(field_of(text, b"MemFree:").and_then(number), Some(100));
        assert_eq!(
            field_of(text, b"MemTotal:").and_then(number),
            Some(24_617_796)
        );
        assert_eq!(field_of(text, b"Free:"), None);
    }

    #[test]
    fn numbers_end_where_they_end() {
        assert_eq!(number(b"  42 kB"), Some(42));
        assert_eq!(number(b"max"), None);
        assert_eq!(number(b""), None);
        assert_eq!(number(b"99999999999999999999999"), None);
    }

    #[test]
    fn paths_that_are_too_long_are_none() {
        assert!(Path::join(&[&[b'x'; PATH_BYTES]]).is_none());
        assert_eq!(Path::join(&[b"/a", b"/b"]).unwrap().as_c_str(), c"/a/b");
    }
}
