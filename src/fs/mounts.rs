//! Knows which mounts have their files on this machine.
//!
//! A file of any other mount (NFS, 9p, FUSE, …) may need another machine or process for the
//! simplest query. Even asking for the kind of file system may block. So a worker of the pool asks,
//! once for each mount, and the loop's thread uses what is known.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::nonblocking_fs::{self, FIRST_UNIQUE_MOUNT};

/// How many mounts are remembered, in half a kilobyte: usually more than a program works in. A
/// later mount overwrites the one in its slot.
const MOUNT_SLOTS: usize = 64;

/// Entries (see [`entry`]); 0 where nothing is known.
static MOUNTS: [AtomicU64; MOUNT_SLOTS] = [const { AtomicU64::new(0) }; MOUNT_SLOTS];

/// File systems whose answers come from memory or from a disk of this machine, by the type of
/// statfs(2). In this order: ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, SquashFS, EROFS, ISO 9660, FAT,
/// exFAT.
const LOCAL_FILE_SYSTEMS: [i64; 10] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0x0102_1994,
    0x7371_7368,
    0xe0f5_e1e2,
    0x9660,
    0x4d44,
    0x2011_bab0,
];

/// The value that is stored for a mount. The lowest bit says whether it is local, the bits above
/// are the mount's number. Where a later mount may get that number, 32 bits between them are the
/// device, whose number has no more.
fn entry(mount: u64, device: u64, is_local: bool) -> u64 {
    let mount = match mount >= FIRST_UNIQUE_MOUNT {
        true => mount << 1,
        false => mount << 33 | (device & 0xffff_ffff) << 1,
    };
    mount | u64::from(is_local)
}

fn slot(mount: u64) -> &'static AtomicU64 {
    &MOUNTS[(mount % MOUNT_SLOTS as u64) as usize]
}

/// Whether a mount ([`nonblocking_fs::mount`]) is of a local file system, if that is known.
pub(super) fn is_local(mount: u64) -> Option<bool> {
    let entry = slot(mount).load(Relaxed);
    let known = match mount >= FIRST_UNIQUE_MOUNT {
        true => entry >> 1,
        false => entry >> 33,
    };
    (known == mount).then_some(entry & 1 != 0)
}

/// Whether the number of a local mount belongs to another mount since it was learned: the device of
/// one of its files shows that. It is forgotten then.
pub(super) fn is_stale(mount: u64, device: u64) -> bool {
    let is_as_learned = slot(mount).load(Relaxed) == entry(mount, device, true);
    if !is_as_learned {
        slot(mount).store(0, Relaxed);
    }
    !is_as_learned
}

/// Learns whether the mount of an open file is local. May block.
pub(super) fn learn(fd: c_int) {
    let Some(mount) = nonblocking_fs::mount(fd) else {
        return;
    };
    if let (Ok(status), Ok(kind)) = (nonblocking_fs::status(fd), nonblocking_fs::file_system(fd)) {
        let entry = entry(mount, status.st_dev, LOCAL_FILE_SYSTEMS.contains(&kind));
        slot(mount).store(entry, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_that_was_learned_is_known() {
        let root = nonblocking_fs::locate(c"/", true).unwrap();
        let Some(mount) = nonblocking_fs::mount(root.raw()) else {
            return;
        };
        learn(root.raw());
        let kind = nonblocking_fs::file_system(root.raw()).unwrap();
        assert_eq!(is_local(mount), Some(LOCAL_FILE_SYSTEMS.contains(&kind)));
        assert_eq!(is_local(mount + MOUNT_SLOTS as u64), None);
        let device = nonblocking_fs::status(root.raw()).unwrap().st_dev;
        if is_local(mount) == Some(true) {
            assert!(!is_stale(mount, device));
        }
    }

    /// Numbers that no mount of the other test has.
    #[test]
    fn the_device_shows_that_a_number_is_reused() {
        let (mount, device) = (70_001, 0x801);
        slot(mount).store(entry(mount, device, true), Relaxed);
        assert_eq!(is_local(mount), Some(true));
        assert!(!is_stale(mount, device));
        assert!(is_stale(mount, device + 1));
        assert_eq!(is_local(mount), None);
    }

    #[test]
    fn a_unique_number_goes_for_every_device() {
        let mount = FIRST_UNIQUE_MOUNT + 70_002;
        slot(mount).store(entry(mount, 0x801, true), Relaxed);
        assert!(!is_stale(mount, 0x802));
        assert_eq!(is_local(mount), Some(true));
        slot(mount).store(entry(mount, 0x801, false), Relaxed);
        assert_eq!(is_local(mount), Some(false));
    }
}
