//! Host names beyond ASCII, in the form that name servers take: Punycode (RFC 3492) label by label.
//!
//! The text is encoded as it is, without the mappings of UTS #46 (case, width, composition). Those
//! are left to the caller, as in libuv.

use crate::errors::{Errno, Result};

/// The size of a buffer for a host's name and its terminator, in bytes. Longer names are refused,
/// since a cut name would be another host's.
pub(crate) const HOST_BYTES: usize = 256;

/// The prefix of an encoded label (RFC 5890).
const ACE_PREFIX: &[u8] = b"xn--";

// The parameters of RFC 3492, section 5.
const BASE: u32 = 36;
const FIRST_THRESHOLD: u32 = 1;
const LAST_THRESHOLD: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_CODE: u32 = 128;

/// The host's name in ASCII, terminated.
///
/// `UV_EINVAL` for an empty name, one that is not UTF-8 or contains a NUL, and one whose result is
/// longer than `HOST_BYTES`.
pub(crate) fn to_ascii<'a>(name: &[u8], buffer: &'a mut [u8; HOST_BYTES]) -> Result<&'a [u8]> {
    let name = core::str::from_utf8(name).map_err(|_| Errno::EINVAL)?;
    // Every character makes at least one byte, and below this limit the sums of `encode` cannot
    // overflow.
    if name.is_empty() || name.contains('\0') || name.chars().count() >= HOST_BYTES {
        return Err(Errno::EINVAL);
    }
    let mut output = Output {
        buffer: &mut buffer[..],
        length: 0,
    };
    for (index, label) in name.split(is_separator).enumerate() {
        if index > 0 {
            output.push(b'.')?;
        }
        if label.is_ascii() {
            output.extend(label.as_bytes())?;
        } else {
            encode(label, &mut output)?;
        }
    }
    output.push(0)?;
    let length = output.length;
    Ok(&buffer[..length])
}

/// Whether a character is the full stop, or one that IDNA treats like it.
fn is_separator(character: char) -> bool {
    matches!(character, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

/// A buffer being filled.
struct Output<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl Output<'_> {
    fn push(&mut self, byte: u8) -> Result {
        self.extend(&[byte])
    }

    fn extend(&mut self, bytes: &[u8]) -> Result {
        let end = self.length + bytes.len();
        let room = self.buffer.get_mut(self.length..end);
        room.ok_or(Errno::EINVAL)?.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }
}

/// Appends a label that is not all ASCII (RFC 3492, section 6.3).
fn encode(label: &str, output: &mut Output) -> Result {
    output.extend(ACE_PREFIX)?;
    let mut done = 0;
    for byte in label.bytes().filter(u8::is_ascii) {
        output.push(byte)?;
        done += 1;
    }
    if done > 0 {
        output.push(b'-')?;
    }
    let ascii = done;
    let mut bias = INITIAL_BIAS;
    let mut code = INITIAL_CODE;
    let mut delta = 0;
    // By code point, the smallest first, wherever it is.
    while let Some(next) = label.chars().map(u32::from).filter(|c| *c >= code).min() {
        delta += (next - code) * (done + 1);
        for character in label.chars().map(u32::from) {
            if character < next {
                delta += 1;
            } else if character == next {
                encode_number(delta, bias, output)?;
                bias = adapt(delta, done + 1, done == ascii);
                delta = 0;
                done += 1;
            }
        }
        delta += 1;
        code = next + 1;
    }
    Ok(())
}

/// Appends a number of variable length.
fn encode_number(number: u32, bias: u32, output: &mut Output) -> Result {
    let mut rest = number;
    let mut weight = BASE;
    loop {
        let threshold = weight
            .saturating_sub(bias)
            .clamp(FIRST_THRESHOLD, LAST_THRESHOLD);
        if rest < threshold {
            return output.push(digit(rest));
        }
        rest -= threshold;
        output.push(digit(threshold + rest % (BASE - threshold)))?;
        rest /= BASE - threshold;
        weight += BASE;
    }
}

fn digit(value: u32) -> u8 {
    const DIGITS: &[u8; BASE as usize] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    DIGITS[value as usize]
}

/// The bias for the next number (RFC 3492, section 6.1).
fn adapt(delta: u32, characters: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / characters;
    let mut bias = 0;
    while delta > (BASE - FIRST_THRESHOLD) * LAST_THRESHOLD / 2 {
        delta /= BASE - FIRST_THRESHOLD;
        bias += BASE;
    }
    bias + (BASE - FIRST_THRESHOLD + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    fn convert(name: impl AsRef<[u8]>) -> Result<String> {
        let mut buffer = [0; HOST_BYTES];
        let ascii = to_ascii(name.as_ref(), &mut buffer)?;
        let text = ascii.strip_suffix(b"\0").expect("terminated");
        Ok(String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn ascii_stays_as_it_is() {
        for name in [
            ".",
            ".com",
            "example",
            "example-",
            "foo.bar",
            "example.com.",
            "-> $1.00 <-",
        ] {
            assert_eq!(convert(name).unwrap(), name);
        }
    }

    #[test]
    fn labels_are_encoded_one_by_one() {
        for (name, expected) in [
            ("straße.de", "xn--strae-oqa.de"),
            ("café.café.com", "xn--caf-dma.xn--caf-dma.com"),
            ("☃-⌘.com", "xn----dqo34k.com"),
            ("퐀☃-⌘.com", "xn----dqo34kn65z.com"),
            ("💩.la", "xn--ls8h.la"),
            (".ü", ".xn--tda"),
            ("ü.ü.", "xn--tda.xn--tda."),
            ("üëäö♥", "xn--4can8av2009b"),
            ("ශ්‍රී.com", "xn--10cl1a0b660p.com"),
        ] {
            assert_eq!(convert(name).unwrap(), expected);
            assert_eq!(convert(expected).unwrap(), expected, "again");
        }
    }

    #[test]
    fn the_samples_of_the_standard_come_out() {
        for (label, expected) in [
            ("ليهمابتكلموشعربي؟", "xn--egbpdaj6bu4bxfgehfvwxn"),
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
            (
                "Pročprostěnemluvíčesky",
                "xn--Proprostnemluvesky-uyb24dma41a",
            ),
            (
                "почемужеонинеговорятпорусски",
                "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
            ),
            ("3年B組金八先生", "xn--3B-ww4c5e180e575a65lsy2b"),
            ("MajiでKoiする5秒前", "xn--MajiKoi5-783gue6qz075azm5e"),
            ("パフィーdeルンバ", "xn--de-jg4avhby1noc0d"),
        ] {
            assert_eq!(convert(label).unwrap(), expected);
        }
    }

    #[test]
    fn other_full_stops_separate_as_well() {
        for name in ["mañana.com", "mañana。com", "mañana．com", "mañana｡com"] {
            assert_eq!(convert(name).unwrap(), "xn--maana-pta.com");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [
            &b""[..],
            b"\0",
            b"a\0b",
            b"\xC0\x80\xC1\x80.com", // overlong
            b"\xED\xA0\x80",         // a surrogate
            b"\xF4\x90\x80\x80",     // beyond the last code point
            b"\xC3",
            b"a\xFFb",
        ] {
            assert_eq!(convert(name), Err(Errno::EINVAL), "{name:?}");
        }
    }

    #[test]
    fn long_names_are_refused_and_never_cut() {
        assert_eq!(convert("a".repeat(255)).unwrap().len(), 255);
        assert_eq!(convert("a".repeat(256)), Err(Errno::EINVAL));
        let mut letters = 240;
        let mut longest = 0;
        while let Ok(name) = convert("a".repeat(letters) + "ü") {
            assert!(name.starts_with("xn--a"));
            longest = name.len();
            letters += 1;
        }
        assert!((250..=255).contains(&longest), "{longest}");
        assert_eq!(convert("ü".repeat(100_000)), Err(Errno::EINVAL));
        assert_eq!(convert("\u{10ffff}".repeat(255)), Err(Errno::EINVAL));
        assert!(convert("a".repeat(240) + "\u{10ffff}").is_ok());
    }
}
