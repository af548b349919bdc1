//! `cargo xtask swap`: our Debian package takes the place of libuv's in a Debian 12 of its own, which
//! debootstrap makes in `target/swap/root`. Programs of Debian's do their work there on libuv, on this
//! library, and on libuv again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::package::Package;
use crate::tools;

const RELEASE: &str = "bookworm";

/// What is installed: the programs, and what their work needs.
const PACKAGES: &str = "cmake make gcc libc6-dev nodejs neovim bind9 bind9-dnsutils python3-uvloop";

/// A program is a script in `conformance/swap/`.
const PROGRAMS: &[&str] = &["cmake", "node", "neovim", "bind", "uvloop"];

/// Written when everything is installed.
const STAMP: &str = "swap-is-ready";

/// No service of a package starts in the folder.
const NO_SERVICES: &str = "#!/bin/sh\nexit 101\n";

/// A Debian in a folder.
struct Debian(PathBuf);

pub fn run(root: &Path) -> Outcome {
    tools::need_root("debootstrap makes a Debian in a folder, and programs run in it")?;
    tools::need(&[
        ("debootstrap", "debootstrap"),
        ("ip", "iproute2"),
        ("unshare", "util-linux"),
    ])?;
    let package = Package::built(root)?;
    let debian = Debian::ensure(&root.join("target/swap/root"))?;
    let original = debian.restore()?;
    println!("on libuv, Debian's {original}");
    debian.try_all(root, upstream(&original))?;
    let deb = package.deb("libuv1");
    println!("installing {}", deb.display());
    fs::copy(&deb, debian.0.join("tmp/libuv1.deb"))
        .map_err(|error| format!("{}: {error}", deb.display()))?;
    debian.script("dpkg --install /tmp/libuv1.deb", &[])?;
    println!("on this library, as {}", debian.installed()?);
    let tried = debian.try_all(root, &tools::version(root)?);
    let back = debian.restore()?;
    tried?;
    println!("on libuv again, {back}");
    debian.try_all(root, upstream(&back))
}

/// The version without Debian's own part.
fn upstream(version: &str) -> &str {
    version.split('-').next().unwrap_or(version)
}

impl Debian {
    /// Makes it, where it is not there.
    fn ensure(folder: &Path) -> Result<Debian, String> {
        let debian = Debian(folder.to_path_buf());
        if folder.join(STAMP).exists() {
            return Ok(debian);
        }
        let making = terminal::working(format_args!("making a Debian 12 in {}", folder.display()));
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        tools::run(
            Command::new("debootstrap")
                .args(["--variant=minbase", RELEASE])
                .arg(folder),
        )?;
        let write = |name: &str, text: &str| {
            fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        write("usr/sbin/policy-rc.d", NO_SERVICES)?;
        tools::run(
            Command::new("chmod")
                .arg("755")
                .arg(folder.join("usr/sbin/policy-rc.d")),
        )?;
        // Kept packages are where libuv comes back from.
        write(
            "etc/apt/apt.conf.d/keep",
            "APT::Keep-Downloaded-Packages \"true\";\n",
        )?;
        drop(making);
        let _installing = terminal::working(format_args!("installing {PACKAGES}"));
        tools::run(
            Command::new("chroot")
                .arg(folder)
                .args(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"])
                .args(["apt-get", "install", "-y", "-qq", "--no-install-recommends"])
                .args(PACKAGES.split(' ')),
        )?;
        write(STAMP, "")?;
        Ok(debian)
    }

    /// The version of the package that has libuv's place.
    fn installed(&self) -> Result<String, String> {
        let output = self.script("dpkg-query --show --showformat='${Version}' libuv1", &[])?;
        Ok(output)
    }

    /// Debian's own libuv, from what apt has kept; its version.
    fn restore(&self) -> Result<String, String> {
        self.script(
            "deb=$(ls /var/cache/apt/archives/libuv1_*.deb)\n\
             version=$(dpkg-deb --field $deb Version)\n\
             apt-get install -y -qq --no-download --allow-downgrades --reinstall libuv1=$version",
            &[],
        )?;
        self.installed()
    }

    /// Has every program do its work.
    fn try_all(&self, root: &Path, version: &str) -> Outcome {
        for program in PROGRAMS {
            let file = root.join(format!("conformance/swap/{program}.sh"));
            let script = fs::read_to_string(&file)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            let script = format!(
                "rm -rf /tmp/work && mkdir /tmp/work && chmod 777 /tmp/work && cd /tmp/work\n{script}"
            );
            let printed = self
                .script(&script, &[version])
                .map_err(|error| format!("{program}: {error}"))?;
            println!(
                "  {program}: {}",
                printed.trim().lines().last().unwrap_or("")
            );
        }
        Ok(())
    }

    /// Runs a script in the folder, with namespaces of its own: loopback is its only network, and
    /// no process outlives it.
    fn script(&self, script: &str, arguments: &[&str]) -> Result<String, String> {
        let output = tools::run(
            Command::new("unshare")
                .args(["--net", "--mount", "--pid", "--fork", "--kill-child"])
                .args(["sh", "-ec", ENTER, "sh"])
                .arg(&self.0)
                .arg(script)
                .args(arguments),
        )?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

const ENTER: &str = r#"
root=$1 script=$2
shift 2
ip link set lo up
mount -t proc proc "$root/proc"
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/tmp \
  DEBIAN_FRONTEND=noninteractive timeout 120 sh -ec "$script" sh "$@"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_libuv_is_the_package_s_first_part() {
        assert_eq!(upstream("1.44.2-1+deb12u1"), "1.44.2");
        assert_eq!(upstream("1.53.0"), "1.53.0");
    }
}
