//! Lists of buffers, which `uv_write`, `uv_udp_send` and `uv_fs_read` take, and the copies that
//! requests keep of them.

use core::ffi::{c_int, c_uint};

use crate::abi::uv_buf_t;
use crate::alloc;
use crate::errors::{Errno, Result};

/// The largest number of bytes that Linux transfers in one call.
pub(crate) const MOST_BYTES: usize = 0x7fff_f000;

/// Refuses with `EINVAL` more bytes than one system call transfers.
pub(crate) fn check_length(length: usize) -> Result {
    if length > MOST_BYTES {
        Err(Errno::EINVAL)
    } else {
        Ok(())
    }
}

// Lists are passed to the kernel as they are.
const _: () = assert!(
    size_of::<uv_buf_t>() == size_of::<libc::iovec>()
        && core::mem::offset_of!(uv_buf_t, base) == core::mem::offset_of!(libc::iovec, iov_base)
        && core::mem::offset_of!(uv_buf_t, len) == core::mem::offset_of!(libc::iovec, iov_len)
);

/// A list of buffers of the program's, or a request's copy of one.
#[derive(Clone, Copy)]
pub(crate) struct Buffers {
    first: *const uv_buf_t,
    count: usize,
}

impl Buffers {
    /// Wraps a list.
    ///
    /// # Safety
    /// Unless [`Buffers::check_count`] refuses it, the list must be readable for `count` buffers,
    /// and their memory be there for the operation. That holds as long as the view is used.
    pub(crate) unsafe fn new(first: *const uv_buf_t, count: c_uint) -> Buffers {
        Buffers {
            first,
            count: count as usize,
        }
    }

    /// Wraps a list of one buffer.
    ///
    /// # Safety
    /// The requirements of [`Buffers::new`] apply.
    pub(crate) unsafe fn one(buffer: &uv_buf_t) -> Buffers {
        Buffers {
            first: buffer,
            count: 1,
        }
    }

    /// The list as the kernel takes it.
    pub(crate) fn as_iovecs(self) -> *const libc::iovec {
        self.first.cast()
    }

    pub(crate) fn count(self) -> usize {
        self.count
    }

    /// The buffer at an index, which must be below the count.
    pub(crate) fn get(self, index: usize) -> uv_buf_t {
        debug_assert!(index < self.count);
        // SAFETY: the maker of the view vouches for the list.
        unsafe { *self.first.wrapping_add(index) }
    }

    /// The list without its first buffers, of which it must have `count`.
    pub(crate) fn skip(self, count: usize) -> Buffers {
        Buffers {
            first: self.first.wrapping_add(count),
            count: self.count - count,
        }
    }

    /// How many of the first buffers are empty.
    pub(crate) fn leading_empty(self) -> usize {
        (0..self.count)
            .find(|&index| self.get(index).len > 0)
            .unwrap_or(self.count)
    }

    /// The sum of the lengths, in bytes; `usize::MAX` where it is larger.
    pub(crate) fn total(self) -> usize {
        (0..self.count)
            .map(|index| self.get(index).len)
            .fold(0, usize::saturating_add)
    }

    /// The first buffers, as far as one system call transfers all of them; at least one.
    pub(crate) fn transferable(self) -> Buffers {
        let mut total = 0_usize;
        let fits = |index: &usize| {
            total = total.saturating_add(self.get(*index).len);
            total <= MOST_BYTES
        };
        Buffers {
            first: self.first,
            count: (0..self.count).take_while(fits).count().max(1),
        }
    }

    /// `EINVAL` without buffers, or for more than the largest int: a negative number arrives so.
    pub(crate) fn check_count(self) -> Result {
        if self.first.is_null() || self.count == 0 || self.count > c_int::MAX as usize {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// `EINVAL` as by [`Buffers::check_count`], or for more bytes than one system call transfers:
    /// an `int` could not return the result.
    pub(crate) fn check(self) -> Result {
        self.check_count()?;
        check_length(self.total())
    }
}

/// The members of a request in which it keeps a copy of a list of buffers. What the buffers point
/// to stays the program's.
#[derive(Clone, Copy)]
pub(crate) struct KeptBuffers {
    list: *mut *mut uv_buf_t,
    count: *mut c_uint,
    /// Where the copy is if it fits.
    own: *mut uv_buf_t,
    room: usize,
}

impl KeptBuffers {
    /// # Safety
    /// The pointers must be to members of a request that lives as long as this is used. Its list
    /// must be null, or have been set by [`KeptBuffers::keep`], when it is released or used.
    pub(crate) unsafe fn new<const ROOM: usize>(
        list: *mut *mut uv_buf_t,
        count: *mut c_uint,
        own: *mut [uv_buf_t; ROOM],
    ) -> KeptBuffers {
        KeptBuffers {
            list,
            count,
            own: own.cast(),
            room: ROOM,
        }
    }

    /// Copies a list, into the request itself if it fits.
    pub(crate) fn keep(self, buffers: Buffers) -> Result {
        let copy: *mut uv_buf_t = if buffers.count <= self.room {
            self.own
        } else {
            alloc::calloc(buffers.count, size_of::<uv_buf_t>()).cast()
        };
        if copy.is_null() {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: the view's list is readable, the copy has room for as many, and list and count
        // are members of a live request.
        unsafe {
            core::ptr::copy_nonoverlapping(buffers.first, copy, buffers.count);
            *self.list = copy;
            *self.count = buffers.count as c_uint;
        }
        Ok(())
    }

    /// Frees the copy, and sets the list to null. No effect where it is null already.
    pub(crate) fn release(self) {
        // SAFETY: a member of a live request.
        let copy = unsafe { self.list.replace(core::ptr::null_mut()) };
        if copy != self.own {
            // SAFETY: null, or taken by `keep`, and forgotten above.
            unsafe { alloc::free(copy.cast()) };
        }
    }

    /// The copy.
    pub(crate) fn buffers(self) -> Buffers {
        // SAFETY: members of a live request; the program promises the memory of the buffers.
        unsafe { Buffers::new(*self.list, *self.count) }
    }
}
