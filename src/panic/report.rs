//! The line that is printed when the process ends.

use core::ffi::CStr;
use core::fmt::{Display, Write};
use core::panic::Location;

use crate::text::Text;

/// Prints what went wrong, and ends the process. It takes no memory, since the heap may be broken.
/// (Finding `entry` may have made glibc take some.)
pub(super) fn end(
    entry: Option<&CStr>,
    message: &dyn Display,
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
