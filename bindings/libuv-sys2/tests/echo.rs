//! The example, as a test.

#[path = "../examples/echo.rs"]
mod echo;

#[test]
fn a_client_gets_back_what_it_sends() {
    assert_eq!(echo::run(), b"hello from Rust");
}

#[test]
fn the_library_is_compiled_in() {
    // SAFETY: they are static.
    let version = unsafe { std::ffi::CStr::from_ptr(libuv_sys2::uv_version_string()) };
    assert_eq!(version, c"1.53.0");
}
