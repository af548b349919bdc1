//! Program errors: one line that names the entry function and the mistake, then `abort()`.
//!
//! Nothing unwinds into C: every profile aborts on panic, and `extern "C"` functions would too.
//! The hook finds the name of the entry function on the stack, so that calls pay nothing for it.
#![cfg_attr(test, allow(dead_code, reason = "unit tests keep their own hook"))]

use std::ffi::{CStr, c_int, c_void};
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

type Hook = dyn Fn(&PanicHookInfo<'_>) + Sync + Send + 'static;

// The hook of the program that this library is linked into as Rust code, if it is.
#[allow(clippy::disallowed_types, reason = "the type of std's panic hooks")]
static PREVIOUS: OnceLock<std::boxed::Box<Hook>> = OnceLock::new();

/// Ends the process because of a mistake in the calling program that no error code can report.
#[cold]
#[track_caller]
pub(crate) fn misuse(mistake: &'static str) -> ! {
    panic!("{mistake}")
}

/// Called last in an entry point that would otherwise end in a jump to what it calls, and be gone
/// from the stack where its name is looked for.
#[inline(always)]
pub(crate) fn keep_frame() {
    // SAFETY: does nothing, but not before what comes before it.
    unsafe { std::arch::asm!("", options(nomem, nostack, preserves_flags)) };
}

extern "C" fn install() {
    let _ = PREVIOUS.set(std::panic::take_hook());
    // A hook that captures nothing takes no memory.
    #[allow(clippy::disallowed_types, reason = "the type of std's panic hooks")]
    std::panic::set_hook(std::boxed::Box::new(report));
}

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".init_array")]
static INSTALL: extern "C" fn() = install;

fn report(info: &PanicHookInfo<'_>) {
    let Some(entry) = entry_function() else {
        // Not in a call of ours: a panic of a Rust program around us.
        if let Some(previous) = PREVIOUS.get() {
            previous(info);
        }
        return;
    };
    let message = info.payload_as_str().unwrap_or("panic");
    let entry = entry.to_str().unwrap_or("uv_?");
    let mut line = LineBuffer::default();
    let _ = match info.location() {
        Some(at) => writeln!(
            line,
            "oxuv: {entry}: {message} ({}:{})",
            at.file(),
            at.line()
        ),
        None => writeln!(line, "oxuv: {entry}: {message}"),
    };
    line.flush_to_stderr();
    std::process::abort();
}

/// One line without allocation: the heap may be what is broken.
struct LineBuffer {
    bytes: [u8; 512],
    length: usize,
}

impl Default for LineBuffer {
    fn default() -> Self {
        LineBuffer {
            bytes: [0; 512],
            length: 0,
        }
    }
}

impl Write for LineBuffer {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let room = &mut self.bytes[self.length..];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text[..count]);
        self.length += count;
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl LineBuffer {
    fn flush_to_stderr(&self) {
        // SAFETY: the pointer and the length describe the filled part of the buffer.
        let _ = unsafe { libc::write(2, self.bytes.as_ptr().cast(), self.length) };
    }
}

#[repr(C)]
struct UnwindContext {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        trace: extern "C" fn(*mut UnwindContext, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut UnwindContext) -> usize;
}

/// The innermost public function of this library on the stack.
fn entry_function() -> Option<&'static CStr> {
    let mut found: Option<&'static CStr> = None;
    // SAFETY: the callback gets back the pointer to `found`, which outlives the walk.
    unsafe { _Unwind_Backtrace(look_at_frame, (&raw mut found).cast()) };
    found
}

extern "C" fn look_at_frame(context: *mut UnwindContext, argument: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const STOP: c_int = 5;
    let found = argument.cast::<Option<&'static CStr>>();
    // SAFETY: the unwinder hands in a valid context.
    let address = unsafe { _Unwind_GetIP(context) };
    let Some(symbol) = symbol_at(address.wrapping_sub(1)) else {
        return GO_ON;
    };
    if !symbol.to_bytes().starts_with(b"uv_") {
        return GO_ON;
    }
    // SAFETY: `argument` is the pointer that `entry_function` passed.
    unsafe { *found = Some(symbol) };
    STOP
}

fn symbol_at(address: usize) -> Option<&'static CStr> {
    // SAFETY: an all-zero Dl_info is a valid out parameter.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: dladdr only looks the address up.
    let known = unsafe { libc::dladdr(address as *const c_void, &mut info) };
    if known == 0 || info.dli_sname.is_null() {
        return None;
    }
    // SAFETY: dladdr returned a symbol name of a loaded object, which stays loaded while the
    // process is about to abort.
    Some(unsafe { CStr::from_ptr(info.dli_sname) })
}
