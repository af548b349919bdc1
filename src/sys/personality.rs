//! The name of a function for unwinding, which the compiler requires of a library without std.
//!
//! core is compiled for programs that unwind, and names this function in its tables. Nothing unwinds
//! here. In a Rust program that does unwind, std's function takes its place.
//!
//! On PowerPC `build.rs` has it made of `personality.s`.

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
core::arch::global_asm!(
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    "ud2"
);
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "powerpc64")))]
core::arch::global_asm!(
    ".weak rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    ".long 0"
);
