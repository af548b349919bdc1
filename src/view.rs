//! Views: how Rust code touches objects that C owns.
//!
//! A handle, request or loop lives in the caller's memory, and C may call back into the library
//! on the pointer in hand at any time. So no `&` or `&mut` to such an object is ever made: a *view*
//! is a copyable pointer, and its fields are read and written in place, one at a time, by the three
//! macros below. A view is made by one `unsafe` call at the entry point, whose contract is the
//! common pointer contract of the crate documentation; everything after it is ordinary Rust.
//!
//! A field that was read into a local is stale after a callback: read it again.

/// Declares a view: `view!(/// docs  Timer => uv_timer_t);`
macro_rules! view {
    ($(#[$attribute:meta])* $name:ident => $raw:ty) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name(core::ptr::NonNull<$raw>);

        impl $name {
            /// Wraps the pointer that an entry point was given; null ends the process.
            ///
            /// # Safety
            /// `pointer` must be null or point to memory of this type. That holds as long as the
            /// view or a copy of it is used. The fields used must be initialised, and no other
            /// thread may use them at that time.
            #[inline]
            pub(crate) unsafe fn from_ptr(pointer: *const $raw) -> Self {
                match core::ptr::NonNull::new(pointer.cast_mut()) {
                    Some(pointer) => Self(pointer),
                    None => $crate::panic::misuse(concat!("null pointer to ", stringify!($raw))),
                }
            }

            /// The pointer that C knows the object by.
            #[inline]
            pub(crate) fn raw(self) -> *mut $raw {
                self.0.as_ptr()
            }
        }
    };
}

/// Reads a field: `get!(timer.repeat)`.
macro_rules! get {
    ($view:ident . $($field:tt)+) => {{
        #[allow(unused_unsafe, reason = "used within unsafe blocks as well")]
        // SAFETY: a view stands for a live object (contract of `from_ptr`), and no reference to
        // the object exists.
        let value = unsafe { (*$view.raw()).$($field)+ };
        value
    }};
}

/// Writes a field: `set!(timer.repeat = 5)`.
macro_rules! set {
    ($view:ident . $($field:ident).+ = $value:expr) => {{
        let value = $value;
        // SAFETY: a view stands for a live object (contract of `from_ptr`), and no reference to
        // the object exists.
        unsafe { (*$view.raw()).$($field).+ = value }
    }};
}

/// The address of a field: `addr!(timer.node.queue)`.
macro_rules! addr {
    ($view:ident . $($field:tt)+) => {{
        #[allow(unused_unsafe, reason = "used within unsafe blocks as well")]
        // SAFETY: a view stands for a live object (contract of `from_ptr`); no reference is made.
        let address = unsafe { &raw mut (*$view.raw()).$($field)+ };
        address
    }};
}

/// The object that a member belongs to: `owner!(io, uv_poll_t, io_watcher)`, a raw pointer.
///
/// Use it only on a pointer to that member of such an object.
macro_rules! owner {
    ($member:expr, $owner:ty, $($field:tt)+) => {
        $member
            .cast::<u8>()
            .wrapping_sub(core::mem::offset_of!($owner, $($field)+))
            .cast::<$owner>()
    };
}

pub(crate) use {addr, get, owner, set, view};
