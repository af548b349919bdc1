//! The line that is printed when the process ends.

use core::ffi::CStr;
use core::fmt::{self, Write};
use core::panic::Location;

use crate::text::Text;

/// The line that is printed. What does not fit is cut off.
pub(super) type Line = Text<512>;

/// Prints what went wrong, and ends the process. It takes no memory, since the heap may be broken.
/// (Finding `entry` may have made glibc take some.)
///
/// Texts are written without formatting, which would be a kilobyte of code.
pub(super) fn end(
    entry: Option<&CStr>,
    write_message: &dyn Fn(&mut Line) -> fmt::Result,
    location: Option<&Location<'_>>,
) -> ! {
    let mut line = Line::new();
    let _ = line.write_str("oxuv: ");
    if let Some(entry) = entry {
        let _ = line.write_str(entry.to_str().unwrap_or("uv_?"));
        let _ = line.write_str(": ");
    }
    let _ = write_message(&mut line);
    if let Some(at) = location {
        let _ = line.write_str(" (");
        let _ = line.write_str(at.file());
        let _ = write!(line, ":{})", at.line());
    }
    let _ = line.write_str("\n");
    let bytes = line.as_bytes();
    // SAFETY: reads the text.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
    // SAFETY: takes no arguments.
    unsafe { libc::abort() }
}
