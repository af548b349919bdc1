//! Panics where std is part of the library, and perhaps of the program.

use core::fmt::Write;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use super::entry;

type Hook = dyn Fn(&PanicHookInfo<'_>) + Sync + Send + 'static;

// The hook of the program, if that is Rust code and this library is linked into it.
#[allow(clippy::disallowed_types, reason = "the type of std's panic hooks")]
static PREVIOUS: OnceLock<std::boxed::Box<Hook>> = OnceLock::new();

extern "C" fn install() {
    let _ = PREVIOUS.set(std::panic::take_hook());
    // A hook that captures nothing takes no memory.
    #[allow(clippy::disallowed_types, reason = "the type of std's panic hooks")]
    std::panic::set_hook(std::boxed::Box::new(report));
}

#[used]
#[unsafe(link_section = ".init_array")]
static INSTALL: extern "C" fn() = install;

fn report(info: &PanicHookInfo<'_>) {
    let Some(entry) = entry::function() else {
        // Not in a function of this library: the panic is one of a Rust program.
        if let Some(previous) = PREVIOUS.get() {
            previous(info);
        }
        return;
    };
    let payload = info.payload();
    let message = match payload.downcast_ref::<&'static str>() {
        Some(text) => text,
        #[allow(clippy::disallowed_types, reason = "the type of what panic!() formats")]
        None => payload
            .downcast_ref::<std::string::String>()
            .map_or("panic", |text| text),
    };
    super::report::end(
        Some(entry),
        &|line| line.write_str(message),
        info.location(),
    );
}
