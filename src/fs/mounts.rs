//! Which file systems are on this machine.
//!
//! Files of others (NFS, FUSE, …) may need another machine or process for the simplest question,
//! and even to ask what kind of file system it is may have to wait. So a worker of the pool asks,
//! once for each mount, and the loop's thread goes by what is known.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::cached;

/// Room for so many mounts; more take each other's places.
const SLOTS: usize = 64;

/// Mounts and, in the lowest bit, whether they are local; 0 where nothing is known.
static MOUNTS: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// File systems whose answers come from memory or from a disk of this machine, as statfs(2) calls
/// them: ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, ramfs, SquashFS, EROFS, ISO 9660, FAT, exFAT.
const LOCAL: [i64; 11] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0x0102_1994,
    0x8584_58f6,
    0x7371_7368,
    0xe0f5_e1e2,
    0x9660,
    0x4d44,
    0x2011_bab0,
];

fn slot(mount: u64) -> &'static AtomicU64 {
    let mixed = mount.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    &MOUNTS[mixed as usize % SLOTS]
}

/// Whether a mount (`cached::Status::mount`) is of a local file system, if that is known.
pub(super) fn is_local(mount: u64) -> Option<bool> {
    let entry = slot(mount).load(Relaxed);
    (mount != 0 && entry >> 1 == mount).then_some(entry & 1 != 0)
}

/// Finds out about the mount that an open file is in. May wait.
pub(super) fn learn(fd: c_int) {
    let (Ok(status), Ok(kind)) = (cached::status(fd), cached::file_system(fd)) else {
        return;
    };
    if status.mount != 0 {
        let entry = status.mount << 1 | u64::from(LOCAL.contains(&kind));
        slot(status.mount).store(entry, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_known() {
        let Ok(proc) = cached::locate(c"/proc/self", true) else {
            return;
        };
        let mount = cached::status(proc.fd()).unwrap().mount;
        learn(proc.fd());
        // Kernels that number mounts anew know nothing of this one.
        assert_eq!(is_local(mount), (mount != 0).then_some(false));
        assert_eq!(is_local(mount + 1), None);
        assert_eq!(is_local(0), None);
    }
}
