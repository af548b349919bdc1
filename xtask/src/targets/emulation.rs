//! Programs of other machines run as if they were this machine's: Linux hands them to an emulator.
//! That holds in a namespace of users that the command runs in, and nowhere else.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The emulator of a kind of machine, and the programs that it is for.
pub struct Emulator {
    /// A program of Debian's qemu-user.
    pub program: &'static str,
    /// Whether its programs have words of 64 bits, and begin with the largest byte.
    pub is_64_bit: bool,
    pub is_big_endian: bool,
    /// The machine's number in the header of a program, as `<elf.h>` has it.
    pub elf_machine: u16,
}

/// Where Linux shows its emulators, in a file each.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// Has Linux use an emulator (`$1`, a line for `/proc/sys/fs/binfmt_misc/register`), and becomes
/// the command behind it. The namespace has all users and groups of the outer one, which only the
/// outer one can arrange: it does when it hears of the inner one, which waits for that.
const SCRIPT: &str = r#"
line=$1; shift
folder=$(mktemp -d); trap 'rm -r "$folder"' EXIT
mkfifo "$folder/made" "$folder/mapped"
unshare --user --mount bash -euc '
  folder=$1; line=$2; shift 2
  echo > "$folder/made"; read -r _ < "$folder/mapped"
  mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
  printf "%s" "$line" > /proc/sys/fs/binfmt_misc/register
  exec "$@"' bash "$folder" "$line" "$@" &
read -r _ < "$folder/made"
for ids in uid_map gid_map; do echo "0 0 4294967295" > "/proc/$!/$ids"; done
echo > "$folder/mapped"
wait $!
"#;

impl Emulator {
    /// A command that becomes the one of its arguments, with the emulator at hand.
    pub fn command(&self) -> Command {
        let mut command = Command::new("bash");
        command.args(["-euc", SCRIPT, "bash", &self.line()]);
        command
    }

    /// Whether Linux uses the emulator for what this process starts.
    pub fn is_at_hand(&self) -> bool {
        Path::new(BINFMT).join(self.program).exists()
    }

    /// Says which files are programs for the emulator: those whose first bytes are these, where
    /// the mask has a bit. Its own name is kept from the programs, and it is found in any folder
    /// that they make their root.
    fn line(&self) -> String {
        let program = PathBuf::from("/usr/bin").join(self.program);
        let (magic, mask) = (
            self.header(),
            [&[0xff; 7][..], &[0; 9], &[0xfe, 0xff], &[0xff; 2]],
        );
        let mut mask = mask.concat();
        // 2 is a program, 3 one whose place in memory is chosen when it starts.
        if self.is_big_endian {
            mask.swap(16, 17);
        }
        let text = |bytes: &[u8]| -> String {
            bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
        };
        format!(
            ":{}:M::{}:{}:{}:PF",
            self.program,
            text(&magic),
            text(&mask),
            program.display()
        )
    }

    /// The beginning of a program.
    fn header(&self) -> Vec<u8> {
        let class = if self.is_64_bit { 2 } else { 1 };
        let order = if self.is_big_endian { 2 } else { 1 };
        let numbers = [2, self.elf_machine].map(|number| match self.is_big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        });
        let mut header = b"\x7fELF".to_vec();
        header.extend([class, order, 1]);
        header.extend([0; 9]);
        header.extend(numbers.concat());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_header() {
        let emulator = |is_big_endian| Emulator {
            program: "qemu-x",
            is_64_bit: true,
            is_big_endian,
            elf_machine: 183,
        };
        let little = emulator(false).line();
        assert!(little.starts_with(":qemu-x:M::\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00"));
        assert!(little.contains("\\x02\\x00\\xb7\\x00:\\xff"), "{little}");
        assert!(
            little.ends_with("\\xfe\\xff\\xff\\xff:/usr/bin/qemu-x:PF"),
            "{little}"
        );
        let big = emulator(true).line();
        assert!(big.contains("\\x00\\x02\\x00\\xb7:\\xff"), "{big}");
        assert!(
            big.ends_with("\\xff\\xfe\\xff\\xff:/usr/bin/qemu-x:PF"),
            "{big}"
        );
    }
}
