//! Returning text in buffers of the caller's. `*size` is the size of the buffer. It becomes the
//! text's length without the terminator, or, with `UV_ENOBUFS`, the size that is needed.

use core::ffi::c_char;

use crate::errors::{Errno, Result};

/// A caller's buffer.
pub(super) struct Buffer {
    start: *mut c_char,
    size: *mut usize,
}

impl Buffer {
    /// Wraps a buffer. `UV_EINVAL` for null pointers, and for a buffer of size 0.
    ///
    /// # Safety
    /// Both must be null or valid, `start` for `*size` bytes, while the buffer is used.
    pub(super) unsafe fn new(start: *mut c_char, size: *mut usize) -> Result<Buffer> {
        // SAFETY: the caller vouches for the pointers.
        if start.is_null() || size.is_null() || unsafe { *size } == 0 {
            return Err(Errno::EINVAL);
        }
        Ok(Buffer { start, size })
    }

    pub(super) fn room(&self) -> usize {
        // SAFETY: contract of `new`.
        unsafe { *self.size }
    }

    fn set_size(&self, size: usize) {
        // SAFETY: contract of `new`.
        unsafe { *self.size = size };
    }

    /// Writes the text and its terminator, if they fit.
    pub(super) fn put(&self, text: &[u8]) -> Result {
        if text.len() >= self.room() {
            self.set_size(text.len() + 1);
            return Err(Errno::ENOBUFS);
        }
        // SAFETY: contract of `new`; the text and its terminator fit.
        unsafe {
            core::ptr::copy_nonoverlapping(text.as_ptr().cast(), self.start, text.len());
            *self.start.add(text.len()) = 0;
        }
        self.set_size(text.len());
        Ok(())
    }
}
