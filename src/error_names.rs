//! The names and texts of error codes.
//!
//! <https://docs.libuv.org/en/v1.x/errors.html>

use core::ffi::{CStr, c_char, c_int};
use core::fmt::Write;

use crate::abi::*;
use crate::alloc;
use crate::panic::not_null;
use crate::text::Text;

/// All names and messages, one behind the other: offsets need no relocation, which pointers do.
struct Texts {
    bytes: [u8; BYTES],
    rows: [Row; ERRORS.len()],
}

/// An error code, and where its texts begin.
#[derive(Clone, Copy)]
struct Row {
    code: c_int,
    name: u16,
    message: u16,
}

impl Row {
    fn name(self) -> &'static CStr {
        text_at(self.name)
    }

    fn message(self) -> &'static CStr {
        text_at(self.message)
    }
}

const BYTES: usize = {
    let (mut bytes, mut index) = (0, 0);
    while index < ERRORS.len() {
        bytes += ERRORS[index].name.to_bytes_with_nul().len();
        bytes += ERRORS[index].message.to_bytes_with_nul().len();
        index += 1;
    }
    assert!(bytes <= u16::MAX as usize);
    bytes
};

static TEXTS: Texts = {
    let row = Row {
        code: 0,
        name: 0,
        message: 0,
    };
    let (mut bytes, mut rows) = ([0; BYTES], [row; ERRORS.len()]);
    let (mut end, mut index) = (0, 0);
    while index < ERRORS.len() {
        let error = &ERRORS[index];
        rows[index].code = error.code;
        rows[index].name = end as u16;
        end = append(&mut bytes, end, error.name);
        rows[index].message = end as u16;
        end = append(&mut bytes, end, error.message);
        index += 1;
    }
    Texts { bytes, rows }
};

/// Copies a text with its terminator; where it ends.
const fn append(bytes: &mut [u8; BYTES], start: usize, text: &CStr) -> usize {
    let text = text.to_bytes_with_nul();
    let mut index = 0;
    while index < text.len() {
        bytes[start + index] = text[index];
        index += 1;
    }
    start + index
}

fn text_at(start: u16) -> &'static CStr {
    TEXTS
        .bytes
        .get(usize::from(start)..)
        .and_then(|bytes| CStr::from_bytes_until_nul(bytes).ok())
        .unwrap_or_default()
}

fn text_of(code: c_int) -> Option<Row> {
    TEXTS.rows.iter().find(|row| row.code == code).copied()
}

/// Writes `text` into a C buffer, cut to its length and terminated.
///
/// # Safety
/// `buffer` must be writable for `length` bytes.
unsafe fn copy_text(text: &CStr, buffer: *mut c_char, length: usize) {
    if length == 0 {
        return;
    }
    let buffer = not_null(buffer);
    let bytes = text.to_bytes();
    let count = bytes.len().min(length - 1);
    // SAFETY: `count + 1 <= length` bytes are written, which the caller vouches for.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), buffer, count);
        *buffer.add(count) = 0;
    }
}

/// The text "Unknown system error N", in a buffer large enough for any `int`.
fn unknown_error(code: c_int) -> Text<40> {
    let mut text = Text::new();
    let _ = write!(text, "Unknown system error {code}");
    text
}

/// A copy that is never freed; libuv's documentation says that it leaks, too.
fn leaked_unknown_error(code: c_int) -> *const c_char {
    match alloc::duplicate(unknown_error(code).as_c_str()) {
        Ok(copy) => copy,
        Err(_) => c"Unknown system error".as_ptr(),
    }
}

// C entry points

/// The name of an error code, such as `"EINVAL"`.
///
/// For a code that is not known this leaks a few bytes of memory; `uv_err_name_r` does not.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_err_name>
#[unsafe(no_mangle)]
pub extern "C" fn uv_err_name(err: c_int) -> *const c_char {
    text_of(err).map_or_else(|| leaked_unknown_error(err), |row| row.name().as_ptr())
}

/// The name of an error code, written to `buf` and cut to `buflen` bytes with its terminator.
///
/// Returns `buf`.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_err_name_r>
///
/// # Safety
/// `buf` must be writable for `buflen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_err_name_r(err: c_int, buf: *mut c_char, buflen: usize) -> *mut c_char {
    let unknown = unknown_error(err);
    let text = text_of(err).map_or_else(|| unknown.as_c_str(), |row| row.name());
    // SAFETY: the caller vouches for the buffer.
    unsafe { copy_text(text, buf, buflen) };
    buf
}

/// The message for an error code, such as `"invalid argument"`.
///
/// For a code that is not known this leaks a few bytes of memory; `uv_strerror_r` does not.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_strerror>
#[unsafe(no_mangle)]
pub extern "C" fn uv_strerror(err: c_int) -> *const c_char {
    text_of(err).map_or_else(|| leaked_unknown_error(err), |row| row.message().as_ptr())
}

/// The message for an error code, written to `buf` and cut to `buflen` bytes with its terminator.
///
/// Returns `buf`.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_strerror_r>
///
/// # Safety
/// `buf` must be writable for `buflen` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_strerror_r(err: c_int, buf: *mut c_char, buflen: usize) -> *mut c_char {
    let unknown = unknown_error(err);
    let text = text_of(err).map_or_else(|| unknown.as_c_str(), |row| row.message());
    // SAFETY: the caller vouches for the buffer.
    unsafe { copy_text(text, buf, buflen) };
    buf
}

/// The error code for an error number of the system. A negative number is returned as it is.
///
/// <https://docs.libuv.org/en/v1.x/errors.html#c.uv_translate_sys_error>
#[unsafe(no_mangle)]
pub extern "C" fn uv_translate_sys_error(sys_errno: c_int) -> c_int {
    if sys_errno <= 0 {
        sys_errno
    } else {
        -sys_errno
    }
}
