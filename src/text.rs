//! Texts of C's, and short ones put together without taking memory.

use core::ffi::{CStr, c_char};
use core::fmt::{Result, Write};

/// A text of C's; `None` for null.
///
/// # Safety
/// `text` must be null or a terminated string, which stays as it is while the result is used.
#[inline]
pub(crate) unsafe fn c_str<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller vouches for the text.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// The texts of an array of C's that null ends; none for null.
///
/// # Safety
/// The array must be null or ended by null, and the texts as [`c_str`] wants them.
pub(crate) unsafe fn c_strs<'a>(array: *const *const c_char) -> impl Iterator<Item = &'a CStr> {
    let mut at = array;
    core::iter::from_fn(move || {
        // SAFETY: the caller vouches for the array, whose end this does not pass.
        let text = unsafe { c_str(*at.as_ref()?) }?;
        at = at.wrapping_add(1);
        Some(text)
    })
}

/// At most `SIZE - 1` bytes of text, and their terminator. What does not fit is cut off.
pub(crate) struct Text<const SIZE: usize> {
    bytes: [u8; SIZE],
    length: usize,
}

impl<const SIZE: usize> Text<SIZE> {
    pub(crate) fn new() -> Self {
        Text {
            bytes: [0; SIZE],
            length: 0,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Up to the first zero byte.
    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

impl<const SIZE: usize> Write for Text<SIZE> {
    fn write_str(&mut self, text: &str) -> Result {
        let end = SIZE.saturating_sub(1);
        let room = &mut self.bytes[self.length..end];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.length += count;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut text = Text::<6>::new();
        let _ = write!(text, "{}-{}", 12, 34);
        assert_eq!(text.as_bytes(), b"12-34");
        let _ = write!(text, "5");
        assert_eq!(text.as_bytes(), b"12-34");
        assert_eq!(text.as_c_str(), c"12-34");
    }
}
