//! The control group of this process, of version 1 or 2.

use core::ffi::CStr;

use super::proc::{Path, number, read_small};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    One,
    Two,
}

/// The size of a buffer for a group's path, in bytes. Containers in containers have paths of
/// several hundred bytes.
const PATH_BYTES: usize = 1024;

/// A group: where its controller is mounted, and its path below that.
pub(super) struct Cgroup {
    pub(super) version: Version,
    controller: &'static CStr,
    path: [u8; PATH_BYTES],
    length: usize,
}

/// A group or one of those above it, whose limits apply as well.
///
/// A container may see its group's path as it is outside, while its group is at the root of the
/// mount. So paths that do not exist are skipped.
#[derive(Clone, Copy)]
pub(super) struct Level<'a> {
    group: &'a Cgroup,
    path: &'a [u8],
}

/// The version of the group's hierarchy and its path for a controller, in the text of
/// /proc/self/cgroup.
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
        let mut path = [0; PATH_BYTES];
        path.get_mut(..found.len())?.copy_from_slice(found);
        Some(Cgroup {
            version,
            controller,
            path,
            length: found.len(),
        })
    }

    /// The group itself and those above it, up to the root.
    pub(super) fn levels(&self) -> impl Iterator<Item = Level<'_>> {
        let path = &self.path[..self.length];
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let above = (0..path.len()).rev().filter(move |at| path[*at] == b'/');
        core::iter::once(path.len())
            .chain(above)
            .map(|length| Level {
                group: self,
                path: &path[..length],
            })
    }
}

impl Level<'_> {
    pub(super) fn version(&self) -> Version {
        self.group.version
    }

    /// Reads the beginning of one of the group's files into `memory`.
    pub(super) fn read<'m>(&self, file: &CStr, memory: &'m mut [u8]) -> Option<&'m [u8]> {
        let controller: [&[u8]; 2] = match self.group.version {
            Version::Two => [b"", b""],
            Version::One => [b"/", self.group.controller.to_bytes()],
        };
        let path = Path::join(&[
            b"/sys/fs/cgroup",
            controller[0],
            controller[1],
            self.path,
            b"/",
            file.to_bytes(),
        ])?;
        read_small(path.as_c_str(), memory)
    }

    /// The number in one of the group's files. A word such as "max" is the largest number.
    pub(super) fn value(&self, file: &CStr) -> Option<u64> {
        let mut memory = [0; 64];
        self.read(file, &mut memory)
            .map(|text| number(text).unwrap_or(u64::MAX))
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
    fn levels_go_up_to_the_root() {
        let levels = |path: &[u8]| {
            let mut group = Cgroup {
                version: Version::Two,
                controller: c"memory",
                path: [0; PATH_BYTES],
                length: path.len(),
            };
            group.path[..path.len()].copy_from_slice(path);
            group
                .levels()
                .map(|level| level.path.to_vec())
                .collect::<std::vec::Vec<_>>()
        };
        assert_eq!(levels(b"/a/b"), [&b"/a/b"[..], b"/a", b""]);
        assert_eq!(levels(b"/"), [b""]);
    }

    #[test]
    fn nonsense_is_no_group() {
        assert_eq!(find(b"", b"memory"), None);
        assert_eq!(find(b"garbage\n1:\n", b"memory"), None);
    }
}
