//! A server on loopback echoes what a client of the same loop sends, and both close.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{addr_of_mut, null_mut};

use libuv_sys2::*;

const MESSAGE: &[u8] = b"hello from Rust";

/// What the callbacks share, by `loop->data`. It stays in place while the loop runs.
struct Echo {
    server: MaybeUninit<uv_tcp_t>,
    accepted: MaybeUninit<uv_tcp_t>,
    client: MaybeUninit<uv_tcp_t>,
    connect: MaybeUninit<uv_connect_t>,
    /// One for the client, one for the server.
    writes: [MaybeUninit<uv_write_t>; 2],
    buffer: [u8; 64],
    received: Vec<u8>,
}

fn check(status: c_int) {
    // SAFETY: the string is static.
    let text = unsafe { CStr::from_ptr(uv_strerror(status)) };
    assert!(status >= 0, "{}", text.to_string_lossy());
}

/// The state that belongs to a handle's loop.
///
/// # Safety
/// The handle is one of [`run`]'s.
unsafe fn echo_of(handle: *mut uv_handle_t) -> *mut Echo {
    // SAFETY: `run` sets the loop's data before it makes a handle.
    unsafe { (*(*handle).loop_).data.cast() }
}

unsafe fn write(stream: *mut uv_stream_t, request: *mut uv_write_t, bytes: &[u8]) {
    let buffer = uv_buf_t {
        base: bytes.as_ptr().cast_mut().cast(),
        len: bytes.len(),
    };
    // SAFETY: the bytes are static or in `Echo`, and are not changed until they are written.
    check(unsafe { uv_write(request, stream, &buffer, 1, None) });
}

unsafe extern "C" fn on_alloc(handle: *mut uv_handle_t, _size: usize, buffer: *mut uv_buf_t) {
    // SAFETY: of the two streams one has sent on what it read before the other reads.
    unsafe {
        let bytes = addr_of_mut!((*echo_of(handle)).buffer);
        buffer.write(uv_buf_t {
            base: bytes.cast::<c_char>(),
            len: 64,
        });
    }
}

/// The server sends back what it reads, until the client closes.
unsafe extern "C" fn on_server_read(
    stream: *mut uv_stream_t,
    length: isize,
    buffer: *const uv_buf_t,
) {
    // SAFETY: the buffer is `Echo`'s, of which `length` bytes were read.
    unsafe {
        if length < 0 {
            return uv_close(stream.cast(), None);
        }
        let echo = echo_of(stream.cast());
        let bytes = std::slice::from_raw_parts((*buffer).base.cast(), length as usize);
        write(stream, addr_of_mut!((*echo).writes[1]).cast(), bytes);
    }
}

unsafe extern "C" fn on_client_read(
    stream: *mut uv_stream_t,
    length: isize,
    buffer: *const uv_buf_t,
) {
    check(length as c_int);
    // SAFETY: as above.
    unsafe {
        let echo = echo_of(stream.cast());
        let bytes = std::slice::from_raw_parts((*buffer).base.cast::<u8>(), length as usize);
        let received = &mut *addr_of_mut!((*echo).received);
        received.extend_from_slice(bytes);
        if received.len() == MESSAGE.len() {
            uv_close(stream.cast(), None);
            uv_close(addr_of_mut!((*echo).server).cast(), None);
        }
    }
}

unsafe extern "C" fn on_connection(server: *mut uv_stream_t, status: c_int) {
    check(status);
    // SAFETY: there is one client, so `accepted` is not in use yet.
    unsafe {
        let echo = echo_of(server.cast());
        let accepted = addr_of_mut!((*echo).accepted).cast();
        check(uv_tcp_init((*server).loop_, accepted));
        check(uv_accept(server, accepted.cast()));
        check(uv_read_start(
            accepted.cast(),
            Some(on_alloc),
            Some(on_server_read),
        ));
    }
}

unsafe extern "C" fn on_connect(request: *mut uv_connect_t, status: c_int) {
    check(status);
    // SAFETY: a request knows its handle.
    unsafe {
        let stream = (*request).handle;
        let echo = echo_of(stream.cast());
        check(uv_read_start(stream, Some(on_alloc), Some(on_client_read)));
        write(stream, addr_of_mut!((*echo).writes[0]).cast(), MESSAGE);
    }
}

/// What came back.
pub fn run() -> Vec<u8> {
    let mut memory = Box::new(Echo {
        server: MaybeUninit::uninit(),
        accepted: MaybeUninit::uninit(),
        client: MaybeUninit::uninit(),
        connect: MaybeUninit::uninit(),
        writes: [const { MaybeUninit::uninit() }; 2],
        buffer: [0; 64],
        received: Vec::new(),
    });
    let echo: *mut Echo = &mut *memory;
    let mut on = Box::new(MaybeUninit::<uv_loop_t>::uninit());
    let on: *mut uv_loop_t = on.as_mut_ptr();
    // SAFETY: the loop and all handles stay in place until `uv_run` has closed them.
    unsafe {
        check(uv_loop_init(on));
        (*on).data = echo.cast::<c_void>();
        let server = addr_of_mut!((*echo).server).cast::<uv_tcp_t>();
        let client = addr_of_mut!((*echo).client).cast::<uv_tcp_t>();
        let mut address = MaybeUninit::<sockaddr_in>::zeroed();
        check(uv_ip4_addr(c"127.0.0.1".as_ptr(), 0, address.as_mut_ptr()));
        check(uv_tcp_init(on, server));
        check(uv_tcp_bind(server, address.as_ptr().cast(), 0));
        check(uv_listen(server.cast(), 1, Some(on_connection)));
        let mut length = size_of::<sockaddr_in>() as c_int;
        check(uv_tcp_getsockname(
            server,
            address.as_mut_ptr().cast(),
            &mut length,
        ));
        check(uv_tcp_init(on, client));
        let request = addr_of_mut!((*echo).connect).cast();
        check(uv_tcp_connect(
            request,
            client,
            address.as_ptr().cast(),
            Some(on_connect),
        ));
        check(uv_run(on, uv_run_mode_UV_RUN_DEFAULT));
        (*on).data = null_mut();
        check(uv_loop_close(on));
    }
    memory.received
}

#[allow(dead_code, reason = "the test has a main of its own")]
fn main() {
    println!("{}", String::from_utf8_lossy(&run()));
}
