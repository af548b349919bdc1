//! The control group of this process, of version 1 or 2.

use std::ffi::CStr;

use super::proc::{Path, number, read_small};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    One,
    Two,
}

/// The longest path of a group; those of nested containers have a few hundred bytes.
const PATH_SIZE: usize = 1024;

/// Where the process is in a controller's hierarchy.
pub(super) struct Cgroup {
    pub(super) version: Version,
    controller: &'static CStr,
    path: [u8; PATH_SIZE],
    length: usize,
}

/// A group: the process's own or one above it.
pub(super) struct Group<'a> {
    cgroup: &'a Cgroup,
    /// The group's path below the mount, without a slash at its end.
    path: &'a [u8],
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
        let mut path = [0; PATH_SIZE];
        path.get_mut(..found.len())?.copy_from_slice(found);
        Some(Cgroup {
            version,
            controller,
            path,
            length: found.len(),
        })
    }

    /// The process's group, then those above it up to the root. In a container the path may be the
    /// host's, of which only the root can be seen.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let path = &self.path[..self.length];
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let above = (0..path.len()).rev().filter(move |at| path[*at] == b'/');
        std::iter::once(path.len())
            .chain(above)
            .map(move |length| Group {
                cgroup: self,
                path: &path[..length],
            })
    }
}

impl Group<'_> {
    /// The text of a file, as much as fits.
    pub(super) fn text<'a>(&self, file: &CStr, memory: &'a mut [u8]) -> Option<&'a [u8]> {
        let (slash, mount) = match self.cgroup.version {
            Version::Two => (&b""[..], &b""[..]),
            Version::One => (&b"/"[..], self.cgroup.controller.to_bytes()),
        };
        let file = file.to_bytes();
        let path = Path::join(&[b"/sys/fs/cgroup", slash, mount, self.path, b"/", file])?;
        read_small(path.as_c_str(), memory)
    }

    /// The number in a file; what is no number ("max", −1) is the largest.
    pub(super) fn value(&self, file: &CStr) -> Option<u64> {
        let mut memory = [0; 64];
        self.text(file, &mut memory)
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
    fn groups_go_up_to_the_root() {
        let paths = |text: &[u8]| -> Vec<String> {
            let mut path = [0; PATH_SIZE];
            path[..text.len()].copy_from_slice(text);
            let cgroup = Cgroup {
                version: Version::Two,
                controller: c"memory",
                path,
                length: text.len(),
            };
            let path = |group: Group| String::from_utf8(group.path.to_vec()).unwrap();
            cgroup.groups().map(path).collect()
        };
        assert_eq!(paths(b"/a/b"), ["/a/b", "/a", ""]);
        assert_eq!(paths(b"/"), [""]);
    }

    #[test]
    fn nonsense_is_no_group() {
        assert_eq!(find(b"", b"memory"), None);
        assert_eq!(find(b"garbage\n1:\n", b"memory"), None);
    }
}
