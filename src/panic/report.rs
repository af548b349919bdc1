//! The line that is printed when the process ends.

use core::ffi::CStr;
use core::fmt::{Display, Write};
use core::panic::Location;

use crate::text::Text;

/// Says what went wrong, and ends the process. No memory is taken: the heap may be what is broken.
/// (To tell `entry`, glibc may have taken some.)
pub(super) fn end(
    entry: Option<&CStr>,
    message: impl Display,
    location: Option<&Location<'_>>,
) -> ! {
    let mut line = Text::<512>::new();
    let _ = line.write_str("oxuv: ");
    if let Some(entry) = entry {
        let _ = write!(line, "{}: ", entry.to_str().unwrap_or("uv_?"));
    }
    let _ = match location {
        Some(at) => writeln!(line, "{message} ({}:{})", at.file(), at.line()),
        None => writeln!(line, "{message}"),
    };
    let bytes = line.as_bytes();
    // SAFETY: reads the text.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
    // SAFETY: takes no arguments.
    unsafe { libc::abort() }
}
