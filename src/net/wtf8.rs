//! WTF-8: UTF-8 that can also encode the lone surrogates of ill-formed UTF-16.
//!
//! A surrogate that is half of a pair is always encoded together with the other half.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_utf16_to_wtf8>

use core::ffi::{CStr, c_char, c_int};

use crate::abi::*;
use crate::alloc;
use crate::panic::not_null;

/// The first code point that takes two units in UTF-16.
const SUPPLEMENTARY: u32 = 0x10000;

/// Removes one code point from the front, surrogates included. `None` at the end, and for text
/// that is not WTF-8, which stays as it was.
fn take_code_point(text: &mut &[u8]) -> Option<u32> {
    let continuation = |byte: Option<&u8>| match byte {
        Some(byte @ 0x80..=0xbf) => Some(u32::from(*byte & 0x3f)),
        _ => None,
    };
    let first = *text.first()?;
    let (mut code, length, least) = match first {
        0..=0x7f => (u32::from(first), 1, 0),
        0xc2..=0xdf => (u32::from(first & 0x1f), 2, 0x80),
        0xe0..=0xef => (u32::from(first & 0x0f), 3, 0x800),
        0xf0..=0xf4 => (u32::from(first & 0x07), 4, SUPPLEMENTARY),
        _ => return None,
    };
    for index in 1..length {
        code = code << 6 | continuation(text.get(index))?;
    }
    if code < least || code > char::MAX as u32 {
        return None;
    }
    *text = &text[length..];
    Some(code)
}

/// The number of UTF-16 units of `text`, without a terminator; `None` if it is not WTF-8.
fn utf16_length(mut text: &[u8]) -> Option<usize> {
    let mut length = 0;
    while !text.is_empty() {
        let code = take_code_point(&mut text)?;
        length += if code < SUPPLEMENTARY { 1 } else { 2 };
    }
    Some(length)
}

/// The UTF-16 unit of a code point, or the pair of them.
fn utf16_units(code: u32) -> (u16, Option<u16>) {
    if code < SUPPLEMENTARY {
        return (code as u16, None);
    }
    let offset = code - SUPPLEMENTARY;
    let first = 0xd800 | (offset >> 10) as u16;
    let second = 0xdc00 | (offset & 0x3ff) as u16;
    (first, Some(second))
}

/// The UTF-16 units of `text`, up to the first byte that is not WTF-8.
fn to_utf16(mut text: &[u8]) -> impl Iterator<Item = u16> {
    core::iter::from_fn(move || take_code_point(&mut text))
        .map(utf16_units)
        .flat_map(|(first, second)| core::iter::once(first).chain(second))
}

/// The code points of UTF-16 text: pairs of surrogates joined, lone ones as they are.
struct CodePoints<U: Iterator<Item = u16>>(core::iter::Peekable<U>);

impl<U: Iterator<Item = u16>> Iterator for CodePoints<U> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let unit = u32::from(self.0.next()?);
        if unit & 0xfc00 != 0xd800 {
            return Some(unit);
        }
        match self.0.next_if(|second| second & 0xfc00 == 0xdc00) {
            Some(second) => {
                Some(SUPPLEMENTARY + ((unit & 0x3ff) << 10) + (u32::from(second) & 0x3ff))
            }
            None => Some(unit),
        }
    }
}

fn code_points(units: impl Iterator<Item = u16>) -> impl Iterator<Item = u32> {
    CodePoints(units.peekable())
}

fn wtf8_size(code: u32) -> usize {
    match code {
        0..=0x7f => 1,
        0x80..=0x7ff => 2,
        0x800..SUPPLEMENTARY => 3,
        _ => 4,
    }
}

/// The encoding of a code point in WTF-8: four bytes, and how many of them are used.
fn encode(code: u32) -> ([u8; 4], usize) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    let head = |mark: u8, shift: u32| mark | (code >> shift) as u8;
    let bytes = match wtf8_size(code) {
        1 => [code as u8, 0, 0, 0],
        2 => [head(0xc0, 6), tail(0), 0, 0],
        3 => [head(0xe0, 12), tail(6), tail(0), 0],
        _ => [head(0xf0, 18), tail(12), tail(6), tail(0)],
    };
    (bytes, wtf8_size(code))
}

/// UTF-16 text of the caller's. A negative length means that it ends with a terminator.
#[derive(Clone, Copy)]
struct Utf16 {
    units: *const u16,
    length: isize,
}

impl Utf16 {
    /// # Safety
    /// `units` must be as long as `length` says, as long as the value or a copy of it is used.
    unsafe fn new(units: *const u16, length: isize) -> Self {
        Utf16 { units, length }
    }

    fn units(self) -> impl Iterator<Item = u16> {
        let mut index = 0;
        core::iter::from_fn(move || {
            if self.length >= 0 && index == self.length as usize {
                return None;
            }
            // SAFETY: within the length, or no further than the terminator (contract of `new`);
            // the units need not be aligned.
            let unit = unsafe { self.units.add(index).read_unaligned() };
            if self.length < 0 && unit == 0 {
                return None;
            }
            index += 1;
            Some(unit)
        })
    }

    fn wtf8_length(self) -> usize {
        code_points(self.units()).map(wtf8_size).sum()
    }

    /// Writes the whole code points that fit into `room` bytes, and a terminator. Returns whether
    /// those are all.
    ///
    /// # Safety
    /// `at` must be writable for `room` bytes and the terminator.
    unsafe fn write_wtf8(self, at: *mut u8, room: usize) -> bool {
        let mut length = 0;
        let mut whole = true;
        for code in code_points(self.units()) {
            let (bytes, size) = encode(code);
            if size > room - length {
                whole = false;
                break;
            }
            // SAFETY: within the room, for which the caller vouches.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), at.add(length), size) };
            length += size;
        }
        // SAFETY: the caller vouches for the terminator's room as well.
        unsafe { at.add(length).write(0) };
        whole
    }
}

// C entry points

/// The number of bytes of UTF-16 text in WTF-8, without a terminator. `utf16_len` is the number of
/// units, or -1 when the text is terminated.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_utf16_length_as_wtf8>
///
/// # Safety
/// `utf16` must be as long as `utf16_len` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_utf16_length_as_wtf8(utf16: *const u16, utf16_len: isize) -> usize {
    // SAFETY: common pointer contract.
    unsafe { Utf16::new(utf16, utf16_len) }.wtf8_length()
}

/// Converts UTF-16 text to terminated WTF-8; lone surrogates stay as they are. `utf16_len` is the
/// number of units, or -1 when the text is terminated.
///
/// - With `wtf8_ptr` `NULL`, only the length is stored in `wtf8_len_ptr`.
/// - With `*wtf8_ptr` `NULL`, memory is allocated for the result and stored there. Release it with
///   `free()` or what replaced it.
/// - Otherwise the result goes to `*wtf8_ptr`, which has `*wtf8_len_ptr` bytes and one more for
///   the terminator.
///
/// Lengths do not count the terminator. Returns 0 or an error: `UV_ENOMEM`, or `UV_ENOBUFS` when
/// there is not enough memory at `*wtf8_ptr`. Then `*wtf8_len_ptr` is the length that is needed,
/// and the result is cut between characters.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_utf16_to_wtf8>
///
/// # Safety
/// `utf16` must be as long as `utf16_len` says; the other pointers as described. `wtf8_len_ptr`
/// may be `NULL` when memory is allocated, or when `*wtf8_ptr` is known to be large enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_utf16_to_wtf8(
    utf16: *const u16,
    utf16_len: isize,
    wtf8_ptr: *mut *mut c_char,
    wtf8_len_ptr: *mut usize,
) -> c_int {
    // SAFETY: common pointer contract.
    let text = unsafe { Utf16::new(utf16, utf16_len) };
    let needed = text.wtf8_length();
    let mut room = needed;
    // SAFETY: common pointer contract.
    let given = unsafe { wtf8_len_ptr.as_mut() }.map(|at| core::mem::replace(at, needed));
    if wtf8_ptr.is_null() {
        return 0;
    }
    // SAFETY: common pointer contract.
    let mut memory = unsafe { *wtf8_ptr };
    if memory.is_null() {
        memory = alloc::malloc(needed + 1).cast();
        if memory.is_null() {
            return UV_ENOMEM;
        }
        // SAFETY: common pointer contract.
        unsafe { *wtf8_ptr = memory };
    } else if let Some(given) = given {
        room = given;
    }
    // SAFETY: allocated for all and the terminator, or the caller's.
    if unsafe { text.write_wtf8(memory.cast(), room) } {
        0
    } else {
        UV_ENOBUFS
    }
}

/// The number of UTF-16 units of terminated WTF-8 text, with a terminator; `UV_EINVAL` when it is
/// not WTF-8.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_wtf8_length_as_utf16>
///
/// # Safety
/// `wtf8` must be a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_wtf8_length_as_utf16(wtf8: *const c_char) -> isize {
    // SAFETY: common pointer contract.
    match utf16_length(unsafe { CStr::from_ptr(not_null(wtf8.cast_mut())) }.to_bytes()) {
        Some(length) => length as isize + 1,
        None => UV_EINVAL as isize,
    }
}

/// Converts terminated WTF-8 text, which `uv_wtf8_length_as_utf16` has accepted, to terminated
/// UTF-16. `utf16_len` is the size of `utf16` in units, the terminator included.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_wtf8_to_utf16>
///
/// # Safety
/// `wtf8` must be a terminated string, and `utf16` writable for `utf16_len` units.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_wtf8_to_utf16(wtf8: *const c_char, utf16: *mut u16, utf16_len: usize) {
    // SAFETY: common pointer contract.
    let text = unsafe { CStr::from_ptr(wtf8) }.to_bytes();
    for (index, unit) in to_utf16(text)
        .take(utf16_len.saturating_sub(1))
        .chain([0])
        .take(utf16_len)
        .enumerate()
    {
        // SAFETY: within the room; it need not be aligned.
        unsafe { utf16.add(index).write_unaligned(unit) };
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn units(text: &[u8]) -> Option<Vec<u16>> {
        let units: Vec<u16> = to_utf16(text).collect();
        let length = utf16_length(text)?;
        assert_eq!(units.len(), length);
        Some(units)
    }

    fn bytes(units: &[u16]) -> Vec<u8> {
        let text = Utf16 {
            units: units.as_ptr(),
            length: units.len() as isize,
        };
        let mut bytes = vec![0xaa; text.wtf8_length() + 2];
        // SAFETY: one byte more than is asked for.
        assert!(unsafe { text.write_wtf8(bytes.as_mut_ptr(), text.wtf8_length()) });
        assert_eq!(bytes.pop(), Some(0xaa));
        assert_eq!(bytes.pop(), Some(0));
        bytes
    }

    #[test]
    fn well_formed_text_goes_both_ways() {
        for text in [
            "",
            "abc",
            "é中💩",
            "\u{10ffff}",
            "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}",
        ] {
            let expected: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(units(text.as_bytes()), Some(expected.clone()));
            assert_eq!(bytes(&expected), text.as_bytes());
        }
    }

    #[test]
    fn lone_surrogates_go_both_ways() {
        for (wtf8, utf16) in [
            (&b"\xed\xa0\x80"[..], &[0xd800][..]),
            (b"\xed\xb0\x80", &[0xdc00]),
            (b"\xed\xb0\x80\xed\xa0\x80", &[0xdc00, 0xd800]),
            (b"\xed\xa0\xbdx", &[0xd83d, 0x78]),
        ] {
            assert_eq!(units(wtf8), Some(utf16.to_vec()));
            assert_eq!(bytes(utf16), wtf8);
        }
    }

    #[test]
    fn what_is_no_wtf8_is_refused() {
        for text in [
            &b"\xff"[..],
            b"\x80",
            b"\xc0\x80",
            b"\xc1\xbf",
            b"\xe0\x80\x80",
            b"\xf0\x80\x80\x80",
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            b"\xc3",
            b"a\xc3b",
            b"\xe2\x82",
            b"\xf0\x9f\x92",
        ] {
            assert_eq!(utf16_length(text), None, "{text:x?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_before_a_character() {
        let units = [0x61, 0x4e2d, 0];
        let text = Utf16 {
            units: units.as_ptr(),
            length: -1,
        };
        assert_eq!(text.wtf8_length(), 4);
        for (room, expected) in [(0, 0), (1, 1), (3, 1), (4, 4)] {
            let mut bytes = [0xaa; 6];
            // SAFETY: there is room for what is asked and a terminator.
            let whole = unsafe { text.write_wtf8(bytes.as_mut_ptr(), room) };
            assert_eq!(whole, room == 4);
            assert_eq!(bytes[expected], 0);
            assert!(bytes[room + 1..].iter().all(|byte| *byte == 0xaa));
        }
    }
}
