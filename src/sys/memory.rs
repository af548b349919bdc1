//! Prefetching memory into the processor's cache.

/// Has the processor fetch an object that is used soon: its first and its last cache line. Any
/// address is valid, also one that is not mapped.
#[inline]
pub(crate) fn prefetch<T>(object: *const T) {
    let first = object.cast::<i8>();
    prefetch_line(first);
    prefetch_line(first.wrapping_add(size_of::<T>() - 1));
}

#[inline]
fn prefetch_line(address: *const i8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: changes nothing that a program sees, and does not fault.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address)
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: changes nothing that a program sees, and does not fault.
    unsafe {
        core::arch::asm!(
            "prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly)
        )
    };
    // Without it all works, and takes longer.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
