//! Numbers from environment variables.
//!
//! `UV_THREADPOOL_SIZE` is read as in libuv: the number at its beginning counts. A wrong value of
//! a variable of this library's own is reported in one line on the standard error stream.

use core::ffi::CStr;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::environment::variable;
use crate::sys::file;
use crate::text::Text;

/// The number at the beginning of a variable's value, as atoi(3) finds it. A number beyond 64 bits
/// becomes the nearest one that is not.
pub(crate) fn leading_number(name: &CStr) -> Option<i64> {
    number_at_start(variable(name)?)
}

/// Parses white space, a sign and digits; the first two are optional.
fn number_at_start(text: &[u8]) -> Option<i64> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte))?;
    let (sign, digits) = match &text[start..] {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    let add = |number: i64, digit: &u8| {
        number
            .saturating_mul(10)
            .saturating_add(sign * i64::from(digit - b'0'))
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, add))
}

/// A variable of this library's own: a number from 0 to `max`, in decimal digits only.
pub(crate) struct Setting {
    name: &'static CStr,
    max: usize,
    /// The text for the default, for the report of a wrong value.
    default: &'static str,
    is_reported: AtomicBool,
}

impl Setting {
    pub(crate) const fn new(name: &'static CStr, max: usize, default: &'static str) -> Setting {
        Setting {
            name,
            max,
            default,
            is_reported: AtomicBool::new(false),
        }
    }

    /// The variable's number; `None` if it is not set. A wrong value counts as not set, and is
    /// reported once.
    pub(crate) fn value(&self) -> Option<usize> {
        let text = variable(self.name)?;
        let value = parse(text, self.max);
        if value.is_none() && !self.is_reported.swap(true, Relaxed) {
            // An error of the standard error stream cannot be reported.
            let _ = file::write_slice(libc::STDERR_FILENO, self.report(text).as_bytes());
        }
        value
    }

    fn report(&self, text: &[u8]) -> Text<256> {
        /// The part of a wrong value that is reported.
        const MAX_SHOWN_BYTES: usize = 32;
        let mut line = Text::new();
        let name = self.name.to_str().unwrap_or("");
        let Setting { max, default, .. } = self;
        for text in ["oxuv: ", name, "="] {
            let _ = line.write_str(text);
        }
        for letter in text.iter().take(MAX_SHOWN_BYTES).copied() {
            for letter in core::ascii::escape_default(letter) {
                let _ = line.write_char(letter.into());
            }
        }
        let _ = write!(line, ": not a number from 0 to {max}; using the default, ");
        let _ = line.write_str(default);
        let _ = line.write_str("\n");
        line
    }
}

fn parse(text: &[u8], max: usize) -> Option<usize> {
    // `parse` accepts a sign as well.
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = core::str::from_utf8(text).ok()?.parse().ok()?;
    (number <= max).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_as_atoi_finds_them() {
        for text in [
            "8",
            "8 ",
            " 8",
            "+8",
            "8x",
            "\t8",
            "\n\x0b\x0c\r 8",
            "008",
            "8.9",
            "8-1",
            "8\u{e9}",
        ] {
            assert_eq!(number_at_start(text.as_bytes()), Some(8), "{text:?}");
        }
        for text in ["0", "-0", "+0", "0x8", "0 8"] {
            assert_eq!(number_at_start(text.as_bytes()), Some(0), "{text:?}");
        }
        assert_eq!(number_at_start(b" -8"), Some(-8));
        assert_eq!(number_at_start(b"99999999999999999999"), Some(i64::MAX));
        assert_eq!(number_at_start(b"-99999999999999999999"), Some(i64::MIN));
    }

    #[test]
    fn without_a_digit_there_is_no_number() {
        for text in [
            "", " ", "x8", "+", "-", "+-8", "--8", "+ 8", "\u{a0}8", ".8",
        ] {
            assert_eq!(number_at_start(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn settings_are_digits_within_their_range() {
        assert_eq!(parse(b"0", 1), Some(0));
        assert_eq!(parse(b"01", 1), Some(1));
        for text in [
            "",
            "2",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1x",
            "18446744073709551616",
        ] {
            assert_eq!(parse(text.as_bytes(), 1), None, "{text:?}");
        }
    }

    #[test]
    fn a_report_is_one_line_with_all_there_is_to_know() {
        let setting = Setting::new(c"OXUV_X", 1000, "50");
        assert_eq!(
            setting.report(b"a\nb").as_bytes(),
            b"oxuv: OXUV_X=a\\nb: not a number from 0 to 1000; using the default, 50\n"
        );
        let long = setting.report(&[0xff; 1000]);
        assert_eq!(long.as_bytes().last(), Some(&b'\n'));
    }
}
