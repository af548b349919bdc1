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

/// The address of what an object begins with, or has room for.
///
/// That it is large enough is checked when the library is compiled.
#[inline]
pub(crate) fn beginning<Object, Beginning>(object: *mut Object) -> *mut Beginning {
    const {
        assert!(size_of::<Beginning>() <= size_of::<Object>());
        assert!(align_of::<Beginning>() <= align_of::<Object>());
    };
    object.cast()
}

/// The kind of object that this one begins with: `upcast!(handle: Handle);` in the `impl` of a
/// view.
macro_rules! upcast {
    ($(#[$attribute:meta])* $visibility:vis $name:ident : $base:ident) => {
        $(#[$attribute])*
        #[inline]
        $visibility fn $name(self) -> $base {
            // SAFETY: the object begins with the fields of its base, and so lives as long
            // (`tests/abi.rs` checks the layout of what C declares).
            unsafe { $base::from_ptr($crate::view::beginning(self.raw())) }
        }
    };
}

/// A member that has a view of its own: `member!(io: Io = io_watcher);` in the `impl` of a view.
macro_rules! member {
    (
        $(#[$attribute:meta])*
        $visibility:vis $name:ident : $view:ident $(< $link:ty >)? = $($field:tt)+
    ) => {
        $(#[$attribute])*
        #[inline]
        $visibility fn $name(self) -> $view $(< $link >)? {
            // SAFETY: the member lies within the object, and so lives as long.
            unsafe { $view::from_ptr($crate::view::addr!(self.$($field)+)) }
        }
    };
}

/// An object that a field points to: `pointee!(event_loop: Loop = r#loop);` in the `impl` of a view.
///
/// Use it only for a field that points to what outlives the object, as a loop outlives its handles
/// and its active requests.
macro_rules! pointee {
    (
        $(#[$attribute:meta])*
        $visibility:vis $name:ident : $view:ident = $($field:tt)+
    ) => {
        $(#[$attribute])*
        #[inline]
        $visibility fn $name(self) -> $view {
            // SAFETY: the field points to an object that outlives this one.
            unsafe { $view::from_ptr($crate::view::get!(self.$($field)+)) }
        }
    };
}

/// The way back from a member to its object: `container!(from_io: Io in uv_poll_t.io_watcher);` in
/// the `impl` of the object's view.
///
/// Use the function only on that member of such an object.
macro_rules! container {
    (
        $(#[$attribute:meta])*
        $visibility:vis $name:ident : $member:ident in $raw:ident . $($field:tt)+
    ) => {
        $(#[$attribute])*
        #[inline]
        $visibility fn $name(member: $member) -> Self {
            // SAFETY: the member lies within an object of this kind, which lives as long.
            unsafe { Self::from_ptr($crate::view::owner!(member.raw(), $raw, $($field)+)) }
        }
    };
}

pub(crate) use {addr, container, get, member, owner, pointee, set, upcast, view};
