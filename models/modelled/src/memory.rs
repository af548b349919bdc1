//! Memory for the library and for models. It is at the same addresses in every run of a model, and
//! what was freed is not given out again in that run.

use core::ffi::c_void;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::objects;

const ARENA_BYTES: usize = 16 << 20;
/// What each block begins with: its size. Blocks are aligned to it.
const HEADER_BYTES: usize = 16;

#[repr(align(64))]
struct Arena(core::cell::UnsafeCell<[u8; ARENA_BYTES]>);

// SAFETY: each block has one owner.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(core::cell::UnsafeCell::new([0; ARENA_BYTES]));
/// What is in use, and what of it is older than all models.
static USED: AtomicUsize = AtomicUsize::new(0);
static OLD: AtomicUsize = AtomicUsize::new(0);

fn base() -> *mut u8 {
    ARENA.0.get().cast()
}

/// What was allocated by now stays for all models.
pub fn keep() {
    OLD.store(USED.load(Relaxed), Relaxed);
}

/// Takes back all memory of the last run.
pub fn begin() {
    let old = OLD.load(Relaxed);
    let used = USED.swap(old, Relaxed);
    // SAFETY: within the arena, and nobody's memory any more.
    unsafe { base().add(old).write_bytes(0, used - old) };
}

/// Memory for an object, all zeros.
pub extern "C" fn allocate(bytes: usize) -> *mut c_void {
    let size = bytes.next_multiple_of(HEADER_BYTES) + HEADER_BYTES;
    let begin = USED.fetch_add(size, Relaxed);
    if begin + size > ARENA_BYTES {
        return core::ptr::null_mut();
    }
    // SAFETY: within the arena, and nobody else's.
    unsafe {
        let block = base().add(begin);
        block.cast::<usize>().write(size - HEADER_BYTES);
        block.add(HEADER_BYTES).cast()
    }
}

/// As `calloc`.
pub extern "C" fn zeroed(count: usize, bytes: usize) -> *mut c_void {
    allocate(count * bytes)
}

fn size(block: *mut c_void) -> usize {
    // SAFETY: what `allocate` wrote before the block.
    unsafe { block.cast::<u8>().sub(HEADER_BYTES).cast::<usize>().read() }
}

/// As `realloc`.
pub extern "C" fn reallocate(block: *mut c_void, bytes: usize) -> *mut c_void {
    let new = allocate(bytes);
    if !block.is_null() && !new.is_null() {
        let common = size(block).min(bytes);
        // SAFETY: both blocks are as large.
        unsafe {
            new.cast::<u8>()
                .copy_from_nonoverlapping(block.cast(), common)
        };
        free(block);
    }
    new
}

/// As `free`.
pub extern "C" fn free(block: *mut c_void) {
    if !block.is_null() {
        objects::free(block.addr()..block.addr() + size(block));
    }
}
