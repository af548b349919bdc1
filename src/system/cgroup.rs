//! The control group of this process, of version 1 or 2.

use std::ffi::CStr;

use super::proc::{Path, number, read_small};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    One,
    Two,
}

/// A group: where its controller is mounted, and its path below that.
pub(super) struct Cgroup {
    pub(super) version: Version,
    controller: &'static CStr,
    path: [u8; 256],
    length: usize,
}

/// The group's path for a controller, in the text of /proc/self/cgroup.
fn find<'a>(text: &'a [u8], controller: &[u8]) -> Option<(Version, &'a [u8])> {
    let mut unified = None;
    for line in text.split(|byte| *byte == b'\n') {
        // hierarchy:controllers:path
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (_, Some(names), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if names.is_empty() {
            unified = Some((Version::Two, path));
        } else if names
            .split(|byte| *byte == b',')
            .any(|name| name == controller)
        {
            return Some((Version::One, path));
        }
    }
    unified
}

impl Cgroup {
    /// This process's group for a controller.
    pub(super) fn of_self(controller: &'static CStr) -> Option<Cgroup> {
        let mut memory = [0; 4096];
        let text = read_small(c"/proc/self/cgroup", &mut memory)?;
        let (version, found) = find(text, controller.to_bytes())?;
        let mut path = [0; 256];
        path.get_mut(..found.len())?.copy_from_slice(found);
        Some(Cgroup {
            version,
            controller,
            path,
            length: found.len(),
        })
    }

    /// The text of a file of the group that is `length` bytes of the path below the mount.
    fn read<'a>(&self, length: usize, file: &CStr, memory: &'a mut [u8]) -> Option<&'a [u8]> {
        let below = self.path[..length]
            .strip_suffix(b"/")
            .unwrap_or(&self.path[..length]);
        let path = match self.version {
            Version::Two => Path::join(&[b"/sys/fs/cgroup", below, b"/", file.to_bytes()]),
            Version::One => Path::join(&[
                b"/sys/fs/cgroup/",
                self.controller.to_bytes(),
                below,
                b"/",
                file.to_bytes(),
            ]),
        }?;
        read_small(path.as_c_str(), memory)
    }

    /// The lengths of the group's own path and of those above it.
    fn ancestry(&self) -> impl Iterator<Item = usize> {
        let path = &self.path[..self.length];
        let above = (0..path.len()).rev().filter(move |at| path[*at] == b'/');
        std::iter::once(self.length).chain(above)
    }

    /// The number in a file of the group; what is no number ("max") is the largest.
    pub(super) fn value(&self, file: &CStr) -> Option<u64> {
        let mut memory = [0; 64];
        self.read(self.length, file, &mut memory)
            .map(|text| number(text).unwrap_or(u64::MAX))
    }

    /// The least number in a file of this group and of those above it.
    pub(super) fn least(&self, file: &CStr) -> Option<u64> {
        let mut memory = [0; 64];
        self.ancestry()
            .filter_map(|length| {
                let text = self.read(length, file, &mut memory)?;
                Some(number(text).unwrap_or(u64::MAX))
            })
            .min()
    }

    /// Calls `each` with the text of a file of this group and of each above it.
    pub(super) fn each(&self, file: &CStr, mut each: impl FnMut(&[u8])) {
        let mut memory = [0; 64];
        for length in self.ancestry() {
            if let Some(text) = self.read(length, file, &mut memory) {
                each(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unified_hierarchy_is_version_two() {
        assert_eq!(
            find(b"0::/user.slice/a\n", b"memory"),
            Some((Version::Two, &b"/user.slice/a"[..]))
        );
    }

    #[test]
    fn a_controller_of_version_one_goes_first() {
        let text = b"5:cpu,cpuacct:/c\n4:memory:/docker/x\n0::/unified\n";
        assert_eq!(
            find(text, b"memory"),
            Some((Version::One, &b"/docker/x"[..]))
        );
        assert_eq!(find(text, b"cpu"), Some((Version::One, &b"/c"[..])));
        assert_eq!(find(text, b"pids"), Some((Version::Two, &b"/unified"[..])));
    }

    #[test]
    fn nonsense_is_no_group() {
        assert_eq!(find(b"", b"memory"), None);
        assert_eq!(find(b"garbage\n1:\n", b"memory"), None);
    }
}
