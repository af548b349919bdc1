//! Name lookups: `getaddrinfo` and `getnameinfo` on the thread pool.
//!
//! A request with a callback is the pool's until the callback is about to run. One without a
//! callback is done at once, on the calling thread, and needs no loop. An address lookup keeps
//! copies of its arguments in one block of memory, which is freed before the callback.
//!
//! A lookup that needs no server (numbers for numbers) is done inline: on the pool it could be
//! queued behind lookups that wait for a server. Its callback still runs when the loop polls.
//!
//! <https://docs.libuv.org/en/v1.x/dns.html>

use core::ffi::{CStr, c_char, c_int};
use core::ptr;

use crate::abi::*;
use crate::alloc;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::net::address;
use crate::net::idna::{HOST_BYTES, to_ascii};
use crate::net::sockaddr::Address;
use crate::observe::call_back;
use crate::request::Request;
use crate::sys::resolver;
use crate::text::c_str;
use crate::view::{addr, get, pointee, set, upcast, view};

use super::pooled::{self, Pooled, has_job};
use super::queue::Kind;

view!(
    /// A lookup of a name's addresses.
    AddressLookup => uv_getaddrinfo_t
);
has_job!(AddressLookup => uv_getaddrinfo_t);

view!(
    /// A lookup of an address's names.
    NameLookup => uv_getnameinfo_t
);
has_job!(NameLookup => uv_getnameinfo_t);

/// What to resolve, as the caller gave it.
#[derive(Clone, Copy)]
struct Query<'a> {
    node: Option<&'a CStr>,
    service: Option<&'a CStr>,
    hints: Option<&'a libc::addrinfo>,
}

/// Whether it is an IPv4 or IPv6 address in its usual form.
fn is_address(node: &CStr) -> bool {
    let text = node.to_bytes();
    address::parse_v4(text).is_ok() || address::parse_v6(text).is_ok()
}

/// Copies a terminated text, and returns where the copy is; null for no bytes at all.
///
/// # Safety
/// `at` must be writable for the length of `text`.
unsafe fn put(text: &[u8], at: *mut u8) -> *mut c_char {
    if text.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: the caller vouches for the memory at `at`, which does not overlap the text.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), at, text.len()) };
    at.cast()
}

impl AddressLookup {
    upcast!(request: Request);
    pointee!(event_loop: Loop = r#loop);

    /// Initialises the request with copies of what to resolve.
    fn init(self, event_loop: *mut uv_loop_t, query: Query) -> Result {
        if query.node.is_none() && query.service.is_none() {
            return Err(Errno::EINVAL);
        }
        let mut buffer = [0u8; HOST_BYTES];
        let node = match query.node {
            Some(node) => to_ascii(node.to_bytes(), &mut buffer)?,
            None => &[],
        };
        let service = query.service.map_or(&[][..], CStr::to_bytes_with_nul);
        self.copy(query.hints, node, service)?;
        set!(self.r#loop = event_loop);
        set!(self.addrinfo = ptr::null_mut());
        set!(self.retcode = 0);
        Ok(())
    }

    /// Copies the hints, the node and the service to one block. The two texts are terminated or
    /// absent.
    fn copy(self, hints: Option<&libc::addrinfo>, node: &[u8], service: &[u8]) -> Result {
        let hints_size = hints.map_or(0, size_of_val);
        let block = alloc::malloc(hints_size + node.len() + service.len()).cast::<u8>();
        if block.is_null() {
            return Err(Errno::ENOMEM);
        }
        set!(self.hints = ptr::null_mut());
        if let Some(hints) = hints {
            set!(self.hints = block.cast());
            // SAFETY: the block begins with memory for them, aligned by malloc.
            unsafe { get!(self.hints).write(*hints) };
        }
        let node_at = block.wrapping_add(hints_size);
        // SAFETY: the three parts make up the block.
        set!(self.hostname = unsafe { put(node, node_at) });
        // SAFETY: as above.
        set!(self.service = unsafe { put(service, node_at.wrapping_add(node.len())) });
        Ok(())
    }

    fn free_copies(self) {
        let parts = [
            get!(self.hints).cast(),
            get!(self.hostname),
            get!(self.service),
        ];
        set!(self.hints = ptr::null_mut());
        set!(self.hostname = ptr::null_mut());
        set!(self.service = ptr::null_mut());
        // The block begins with the first part that is there.
        if let Some(block) = parts.into_iter().find(|part| !part.is_null()) {
            // SAFETY: taken by `copy`, and nothing refers to it any more.
            unsafe { alloc::free(block.cast()) };
        }
    }

    /// Resolves the name, blocking until the answer.
    fn resolve(self) {
        let (node, service) = (get!(self.hostname), get!(self.service));
        // SAFETY: the arguments are null or copies made by `copy`.
        match unsafe { resolver::addresses(node, service, get!(self.hints)) } {
            Ok(list) => set!(self.addrinfo = list),
            Err(error) => set!(self.retcode = error.code()),
        }
    }

    fn start(self, event_loop: Loop, callback: uv_getaddrinfo_cb) {
        self.request().start(event_loop, UV_GETADDRINFO);
        set!(self.cb = callback);
        if self.is_numeric() {
            pooled::run_at_once::<AddressLookup>(event_loop, self);
        } else {
            pooled::submit::<AddressLookup>(event_loop, self);
        }
    }

    /// Whether the arguments are numbers, so that no server is needed.
    fn is_numeric(self) -> bool {
        // SAFETY: null or a copy made by `copy`.
        let (node, service) = unsafe { (c_str(get!(self.hostname)), c_str(get!(self.service))) };
        let has_number = service.is_none_or(|service| {
            let digits = service.to_bytes();
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        });
        has_number && node.is_some_and(is_address)
    }

    fn wait(self) -> Result {
        self.request().init(UV_GETADDRINFO);
        self.resolve();
        self.free_copies();
        match get!(self.retcode) {
            0 => Ok(()),
            code => Err(Errno::from_code(code)),
        }
    }

    fn finish(self, status: c_int) {
        self.request().finish(self.event_loop());
        self.free_copies();
        if status == UV_ECANCELED {
            set!(self.retcode = UV_EAI_CANCELED);
        }
        self.invoke(get!(self.retcode), get!(self.addrinfo));
    }

    fn invoke(self, status: c_int, list: *mut libc::addrinfo) {
        if let Some(callback) = get!(self.cb) {
            // SAFETY: the user's callback gets the request it was given for, which nothing here
            // touches afterwards.
            unsafe { call_back!(AddressInfo: callback(self.raw(), status, list)) }
        }
    }
}

impl NameLookup {
    upcast!(request: Request);
    pointee!(event_loop: Loop = r#loop);

    fn init(self, event_loop: *mut uv_loop_t, address: Address, flags: c_int) {
        set!(self.storage = address.copy());
        set!(self.r#loop = event_loop);
        set!(self.flags = flags);
        set!(self.retcode = 0);
    }

    /// Resolves the address, blocking until the answer.
    fn resolve(self) {
        let (host, service) = (addr!(self.host), addr!(self.service));
        // SAFETY: the storage holds an address as long as its family says, and the buffers are
        // members of the request.
        let result = unsafe {
            Address::from_ptr(addr!(self.storage).cast()).and_then(|address| {
                let flags = get!(self.flags);
                resolver::names(address.as_ptr(), address.length(), host, service, flags)
            })
        };
        set!(self.retcode = result.into_code());
    }

    fn start(self, event_loop: Loop, callback: uv_getnameinfo_cb) {
        self.request().start(event_loop, UV_GETNAMEINFO);
        set!(self.getnameinfo_cb = callback);
        const NUMBERS: c_int = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
        if get!(self.flags) & NUMBERS == NUMBERS {
            pooled::run_at_once::<NameLookup>(event_loop, self);
        } else {
            pooled::submit::<NameLookup>(event_loop, self);
        }
    }

    fn wait(self) -> Result {
        self.request().init(UV_GETNAMEINFO);
        self.resolve();
        match get!(self.retcode) {
            0 => Ok(()),
            code => Err(Errno::from_code(code)),
        }
    }

    fn finish(self, status: c_int) {
        self.request().finish(self.event_loop());
        if status == UV_ECANCELED {
            set!(self.retcode = UV_EAI_CANCELED);
        }
        match get!(self.retcode) {
            0 => self.invoke(0, addr!(self.host).cast(), addr!(self.service).cast()),
            code => self.invoke(code, ptr::null(), ptr::null()),
        }
    }

    fn invoke(self, status: c_int, host: *const c_char, service: *const c_char) {
        if let Some(callback) = get!(self.getnameinfo_cb) {
            // SAFETY: the user's callback gets the request it was given for, which nothing here
            // touches afterwards.
            unsafe { call_back!(NameInfo: callback(self.raw(), status, host, service)) }
        }
    }
}

impl Pooled for AddressLookup {
    type Request = AddressLookup;
    const KIND: Kind = Kind::Slow;

    fn run(lookup: AddressLookup) {
        lookup.resolve();
    }

    fn done(lookup: AddressLookup, status: c_int) {
        lookup.finish(status);
    }
}

impl Pooled for NameLookup {
    type Request = NameLookup;
    const KIND: Kind = Kind::Slow;

    fn run(lookup: NameLookup) {
        lookup.resolve();
    }

    fn done(lookup: NameLookup, status: c_int) {
        lookup.finish(status);
    }
}

// C entry points

/// Resolves the addresses of `node`, the port of `service`, or both; either may be `NULL`.
/// `hints`, which may be `NULL`, narrows the answer, as for `getaddrinfo(3)`. A name with letters
/// beyond ASCII is resolved in its IDNA form.
///
/// `getaddrinfo_cb` is called with 0 and a list to be freed with `uv_freeaddrinfo`, or with one of
/// the `UV_EAI_…` codes (`UV_EAI_CANCELED` after `uv_cancel`) and `NULL`. If it is `NULL`, the
/// call blocks until the answer, which it leaves in `req->addrinfo`; `loop` is not used then.
///
/// Returns 0 or an error: `UV_EINVAL` when `node` and `service` are `NULL` or `node` is no valid
/// name, `UV_ENOMEM`. Without a callback, also the `UV_EAI_…` codes.
///
/// <https://docs.libuv.org/en/v1.x/dns.html#c.uv_getaddrinfo>
///
/// # Safety
/// `loop` must be initialised, unless the callback is `NULL`; `req` must stay in place until the
/// callback; the other arguments are only used by the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getaddrinfo(
    r#loop: *mut uv_loop_t,
    req: *mut uv_getaddrinfo_t,
    getaddrinfo_cb: uv_getaddrinfo_cb,
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
) -> c_int {
    if req.is_null() || r#loop.is_null() && getaddrinfo_cb.is_some() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let (lookup, query) = unsafe {
        let query = Query {
            node: c_str(node),
            service: c_str(service),
            hints: hints.as_ref(),
        };
        (AddressLookup::from_ptr(req), query)
    };
    if let Err(error) = lookup.init(r#loop, query) {
        return error.code();
    }
    if getaddrinfo_cb.is_none() {
        return lookup.wait().into_code();
    }
    // SAFETY: common pointer contract.
    lookup.start(unsafe { Loop::from_ptr(r#loop) }, getaddrinfo_cb);
    0
}

/// Frees a list of addresses; `NULL` is allowed.
///
/// <https://docs.libuv.org/en/v1.x/dns.html#c.uv_freeaddrinfo>
///
/// # Safety
/// `ai` must be `NULL` or come from `uv_getaddrinfo`, and not be used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_freeaddrinfo(ai: *mut libc::addrinfo) {
    // SAFETY: common pointer contract.
    unsafe { resolver::free_addresses(ai) }
}

/// Resolves the names of the host and the service that an IPv4 or IPv6 address belongs to. `flags`
/// are those of `getnameinfo(3)`.
///
/// `getnameinfo_cb` is called with 0 and the two names, which are `req->host` and `req->service`,
/// or with one of the `UV_EAI_…` codes (`UV_EAI_CANCELED` after `uv_cancel`) and `NULL`s. If it is
/// `NULL`, the call blocks until the answer; `loop` is not used then.
///
/// Returns 0 or an error: `UV_EINVAL` for other kinds of addresses. Without a callback, also the
/// `UV_EAI_…` codes.
///
/// <https://docs.libuv.org/en/v1.x/dns.html#c.uv_getnameinfo>
///
/// # Safety
/// `loop` must be initialised, unless the callback is `NULL`; `req` must stay in place until the
/// callback; `addr` must be as long as its family says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_getnameinfo(
    r#loop: *mut uv_loop_t,
    req: *mut uv_getnameinfo_t,
    getnameinfo_cb: uv_getnameinfo_cb,
    addr: *const libc::sockaddr,
    flags: c_int,
) -> c_int {
    if req.is_null() {
        return UV_EINVAL;
    }
    // SAFETY: common pointer contract.
    let (lookup, address) = match unsafe { Address::from_ptr(addr) } {
        // SAFETY: common pointer contract.
        Ok(address) => (unsafe { NameLookup::from_ptr(req) }, address),
        Err(error) => return error.code(),
    };
    lookup.init(r#loop, address, flags);
    if getnameinfo_cb.is_none() {
        return lookup.wait().into_code();
    }
    // SAFETY: common pointer contract.
    lookup.start(unsafe { Loop::from_ptr(r#loop) }, getnameinfo_cb);
    0
}
