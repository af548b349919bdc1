//! Memory that the library takes for the program.
//!
//! Every byte goes through the functions of `uv_replace_allocator`, collections included, and
//! every allocation can fail with `UV_ENOMEM`. The process's global allocator is not used: in a
//! static link it belongs to other Rust code as well.
//!
//! <https://docs.libuv.org/en/v1.x/misc.html#c.uv_replace_allocator>

use core::alloc::Layout;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use allocator_api2::alloc::{AllocError, Allocator};

use crate::abi::*;
use crate::errors::{Errno, Result, keeping_errno};

type Malloc = unsafe extern "C" fn(usize) -> *mut c_void;
type Realloc = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type Calloc = unsafe extern "C" fn(usize, usize) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);

static MALLOC: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
static REALLOC: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
static CALLOC: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
static FREE: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// The alignment of every block of `malloc`, in bytes.
const MALLOC_ALIGN: usize = 2 * size_of::<usize>();

#[inline(never)]
pub(crate) fn malloc(size: usize) -> *mut c_void {
    let replaced = MALLOC.load(Relaxed);
    if replaced.is_null() {
        // SAFETY: malloc takes any size.
        return unsafe { libc::malloc(size) };
    }
    // SAFETY: only `uv_replace_allocator` stores here, a function of this type.
    unsafe { core::mem::transmute::<*mut c_void, Malloc>(replaced)(size) }
}

pub(crate) fn calloc(count: usize, size: usize) -> *mut c_void {
    let replaced = CALLOC.load(Relaxed);
    if replaced.is_null() {
        // SAFETY: calloc takes any sizes.
        return unsafe { libc::calloc(count, size) };
    }
    // SAFETY: only `uv_replace_allocator` stores here, a function of this type.
    unsafe { core::mem::transmute::<*mut c_void, Calloc>(replaced)(count, size) }
}

/// # Safety
/// `block` must be null or a live block of this module's.
#[inline(never)]
pub(crate) unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let replaced = REALLOC.load(Relaxed);
    if replaced.is_null() {
        // SAFETY: the caller vouches for the block.
        return unsafe { libc::realloc(block, size) };
    }
    // SAFETY: only `uv_replace_allocator` stores here, a function of this type; the caller
    // vouches for the block.
    unsafe { core::mem::transmute::<*mut c_void, Realloc>(replaced)(block, size) }
}

/// Frees a block. `errno` stays as it is, since callers report errors after cleaning up.
///
/// # Safety
/// `block` must be null or a live block of this module's, not used afterwards.
pub(crate) unsafe fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    let replaced = FREE.load(Relaxed);
    keeping_errno(|| {
        if replaced.is_null() {
            // SAFETY: the caller vouches for the block.
            unsafe { libc::free(block) };
        } else {
            // SAFETY: only `uv_replace_allocator` stores here, a function of this type; the caller
            // vouches for the block.
            unsafe { core::mem::transmute::<*mut c_void, Free>(replaced)(block) };
        }
    });
}

/// A C string of its own memory, to be released with [`free`].
pub(crate) fn duplicate(text: &CStr) -> Result<*mut c_char> {
    duplicate_bytes(text.to_bytes_with_nul())
}

/// A copy of `bytes` in memory of its own, to be released with [`free`].
pub(crate) fn duplicate_bytes(bytes: &[u8]) -> Result<*mut c_char> {
    let copy = malloc(bytes.len().max(1)).cast::<u8>();
    if copy.is_null() {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: the new block has room for all of `bytes`.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len()) };
    Ok(copy.cast())
}

/// The replaced allocator, for the collections of `allocator-api2`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Heap;

// SAFETY: blocks come from malloc-like functions, which give each block to one owner, and stay
// valid until they are freed through any copy of this zero-sized type.
unsafe impl Allocator for Heap {
    fn allocate(&self, layout: Layout) -> core::result::Result<NonNull<[u8]>, AllocError> {
        if layout.align() > MALLOC_ALIGN {
            return Err(AllocError);
        }
        let block = malloc(layout.size().max(1)).cast::<u8>();
        let block = NonNull::new(block).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        // SAFETY: the block came from `allocate`.
        unsafe { free(block.as_ptr().cast()) };
    }

    unsafe fn grow(
        &self,
        block: NonNull<u8>,
        _old: Layout,
        new: Layout,
    ) -> core::result::Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the block came from `allocate`, with malloc's alignment.
        let block = unsafe { realloc(block.as_ptr().cast(), new.size().max(1)) }.cast::<u8>();
        let block = NonNull::new(block).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(block, new.size()))
    }
}

/// A growable array on the replaced allocator. Growing it goes through [`push`] or `try_reserve`.
pub(crate) type Vec<T> = allocator_api2::vec::Vec<T, Heap>;

/// An owned value on the replaced allocator.
pub(crate) type Box<T> = allocator_api2::boxed::Box<T, Heap>;

/// An empty array; takes no memory.
pub(crate) const fn vec<T>() -> Vec<T> {
    Vec::new_in(Heap)
}

/// Moves a value to the heap.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>> {
    Box::try_new_in(value, Heap).map_err(|_| Errno::ENOMEM)
}

/// Appends a value.
pub(crate) fn push<T>(vec: &mut Vec<T>, value: T) -> Result<()> {
    if vec.len() == vec.capacity() {
        vec.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    }
    vec.push(value);
    Ok(())
}

// C entry points

/// Makes the library use other functions for all its memory.
///
/// Call it before any other function of the library: blocks that were taken before are freed by
/// the new functions. Returns 0, or `UV_EINVAL` when one of the functions is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/misc.html#c.uv_replace_allocator>
///
/// # Safety
/// The functions must do what `malloc`, `realloc`, `calloc` and `free` promise, on every thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_replace_allocator(
    malloc_func: uv_malloc_func,
    realloc_func: uv_realloc_func,
    calloc_func: uv_calloc_func,
    free_func: uv_free_func,
) -> c_int {
    let (Some(malloc), Some(realloc), Some(calloc), Some(free)) =
        (malloc_func, realloc_func, calloc_func, free_func)
    else {
        return UV_EINVAL;
    };
    MALLOC.store(malloc as *mut c_void, Relaxed);
    REALLOC.store(realloc as *mut c_void, Relaxed);
    CALLOC.store(calloc as *mut c_void, Relaxed);
    FREE.store(free as *mut c_void, Relaxed);
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vec_grows_through_the_heap() {
        let mut numbers = vec();
        for n in 0..1000 {
            push(&mut numbers, n).unwrap();
        }
        assert!(numbers.iter().copied().eq(0..1000));
    }

    #[test]
    fn a_duplicate_is_equal_and_separate() {
        let copy = duplicate(c"hello").unwrap();
        // SAFETY: `duplicate` returns a terminated string of its own.
        assert_eq!(unsafe { CStr::from_ptr(copy) }, c"hello");
        // SAFETY: the block is live and not used again.
        unsafe { free(copy.cast()) };
    }
}
