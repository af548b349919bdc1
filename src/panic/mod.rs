//! Program errors: they print one line that names the entry function and the mistake, then abort.
//!
//! Nothing unwinds into C: every profile aborts on panic, and `extern "C"` functions would too.
//! The name of the entry function is found on the stack, so that calls pay nothing for it.

// Unit tests keep the test runner's own hook.
#[cfg(not(test))]
mod entry;
#[cfg(not(any(test, panic = "unwind", feature = "std")))]
mod handler;
#[cfg(all(not(test), any(panic = "unwind", feature = "std")))]
mod hook;
#[cfg(not(test))]
mod report;

#[cfg(not(test))]
use core::fmt::Write;

/// Ends the process because of a mistake in the calling program that no error code can report.
///
/// The line names the function that the program called, and no place in this library: each would
/// cost a relocation when a program starts.
#[cold]
#[inline(never)]
pub(crate) fn misuse(mistake: &'static str) -> ! {
    #[cfg(not(test))]
    report::end(entry::function(), &|line| line.write_str(mistake), None);
    #[cfg(test)]
    panic!("{mistake}")
}

/// Returns the pointer. Null, which is not allowed here, ends the process.
#[inline]
pub(crate) fn not_null<T>(pointer: *mut T) -> *mut T {
    if pointer.is_null() {
        misuse("null pointer");
    }
    pointer
}

/// Keeps the frame of an entry point on the stack, where its name is found. It is called last, in
/// entry points that would otherwise end in a jump.
#[inline(always)]
pub(crate) fn keep_frame() {
    core::hint::black_box(());
}
