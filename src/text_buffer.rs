//! Returning text in buffers of the caller's. `*size` is the size of the buffer. It becomes the
//! text's length without the terminator, or, with `UV_ENOBUFS`, the size that is needed.

use core::ffi::c_char;

use crate::errors::{Errno, Result};

/// A caller's buffer for one text.
pub(crate) struct TextBuffer<'a> {
    start: *mut c_char,
    size: &'a mut usize,
}

impl TextBuffer<'_> {
    /// Wraps a buffer. `UV_EINVAL` for null pointers, and for a buffer of size 0.
    ///
    /// # Safety
    /// Both must be null or valid, `start` for `*size` bytes, while the buffer is used.
    pub(crate) unsafe fn new<'a>(start: *mut c_char, size: *mut usize) -> Result<TextBuffer<'a>> {
        // SAFETY: the caller vouches for the pointer.
        match unsafe { size.as_mut() } {
            Some(size) if !start.is_null() && *size > 0 => Ok(TextBuffer { start, size }),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The size of the buffer, in bytes.
    pub(crate) fn room(&self) -> usize {
        *self.size
    }

    /// Writes the text and its terminator, if they fit.
    pub(crate) fn put(self, text: &[u8]) -> Result {
        self.put_both(text, b"\0")
    }

    /// Writes the text without a terminator, if it fits.
    pub(crate) fn put_unterminated(self, text: &[u8]) -> Result {
        self.put_both(text, b"")
    }

    fn put_both(self, text: &[u8], end: &[u8]) -> Result {
        let needed = text.len() + end.len();
        if needed > *self.size {
            *self.size = needed;
            return Err(Errno::ENOBUFS);
        }
        let end_at = self.start.wrapping_add(text.len());
        // SAFETY: contract of `new`; the text and its end fit.
        unsafe {
            core::ptr::copy_nonoverlapping(text.as_ptr().cast(), self.start, text.len());
            core::ptr::copy_nonoverlapping(end.as_ptr().cast(), end_at, end.len());
        }
        *self.size = text.len();
        Ok(())
    }

    /// Writes nothing: there is no text, so the size becomes 0.
    pub(crate) fn leave_empty(self) {
        *self.size = 0;
    }
}
