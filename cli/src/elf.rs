//! What an ELF file says of libuv: what it needs, what it has in it, where it looks for libraries.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, NoteIterator, ProgramHeader, SectionHeader};
use object::{Endianness, FileKind, Object, ObjectSymbol};

/// The owner of the note that this library has, as does a program that it is linked into.
const NOTE_OWNER: &[u8] = b"oxuv";

/// A function by which a libuv is recognised: each has it, whatever else the linker left out.
const TELLING: [&str; 3] = ["uv_run", "uv_version", "uv_loop_init"];

/// What a file says of libuv.
#[derive(Debug, Default, PartialEq)]
pub struct Facts {
    /// The functions of libuv that it takes from another file.
    pub needs: BTreeSet<String>,
    /// The functions of libuv that are in it.
    pub has: BTreeSet<String>,
    /// The libraries that it asks the dynamic linker for.
    pub libraries: Vec<String>,
    /// The dynamic linker that loads it, if it is a program of that kind.
    pub interpreter: Option<PathBuf>,
    /// It has its own search path, which counts before `LD_LIBRARY_PATH`.
    pub has_rpath: bool,
    /// It is, or has in it, this library; the text of its note, such as `oxuv 1.53.0: …`.
    pub note: Option<String>,
    /// Whether there is a table of all functions, and not only of those that are exported.
    pub has_symbols: bool,
}

impl Facts {
    /// Reads a file. `Err` says why it cannot be read, or that it is no ELF file.
    pub fn read(path: &Path) -> Result<Facts, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let data = std::fs::read(path).map_err(|error| failed(&error))?;
        Facts::of(&data).map_err(|error| failed(&error))
    }

    /// Reads the bytes of a file.
    pub fn of(data: &[u8]) -> Result<Facts, String> {
        let no_elf = || "no program or library (ELF)".to_string();
        let mut facts = match FileKind::parse(data).map_err(|_| no_elf())? {
            FileKind::Elf32 => headers::<FileHeader32<Endianness>>(data),
            FileKind::Elf64 => headers::<FileHeader64<Endianness>>(data),
            _ => return Err(no_elf()),
        }
        .map_err(|error| error.to_string())?;
        let file = object::File::parse(data).map_err(|error| error.to_string())?;
        for symbol in file.dynamic_symbols().chain(file.symbols()) {
            let Ok(name) = symbol.name() else { continue };
            if !is_public(name) {
                continue;
            }
            match symbol.is_undefined() {
                true => facts.needs.insert(plain(name)),
                false => facts.has.insert(plain(name)),
            };
        }
        facts.has_symbols = file.symbols().next().is_some();
        // An object file, or an archive's member, takes its own functions from itself.
        facts.needs.retain(|name| !facts.has.contains(name));
        Ok(facts)
    }

    /// Whether a libuv is in it.
    pub fn is_libuv(&self) -> bool {
        self.note.is_some() || TELLING.iter().any(|name| self.has.contains(*name))
    }

    /// Whether it asks for libuv, as far as it says.
    pub fn needs_libuv(&self) -> bool {
        !self.needs.is_empty() || self.asks_for_library()
    }

    /// Whether the dynamic linker looks for a libuv when it loads this.
    pub fn asks_for_library(&self) -> bool {
        self.libraries.iter().any(|name| name == "libuv.so.1")
    }
}

/// A public name of libuv's; those with two underscores are its own.
fn is_public(name: &str) -> bool {
    name.starts_with("uv_") && !name.starts_with("uv__")
}

/// A name without the version that linkers add to it.
fn plain(name: &str) -> String {
    name.split('@').next().unwrap_or(name).to_string()
}

fn headers<H: FileHeader<Endian = Endianness>>(data: &[u8]) -> object::Result<Facts> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let mut facts = Facts::default();
    let sections = header.sections(endian, data)?;
    for program in header.program_headers(endian, data)? {
        if let Some(path) = program.interpreter(endian, data)? {
            facts.interpreter = Some(PathBuf::from(OsStr::from_bytes(path)));
        }
        if let Some(notes) = program.notes(endian, data)? {
            facts.note = facts.note.or(own_note(notes)?);
        }
    }
    // An object file has sections only.
    for section in sections.iter() {
        if let Some(notes) = section.notes(endian, data)? {
            facts.note = facts.note.or(own_note(notes)?);
        }
    }
    let Some((entries, strings)) = sections.dynamic(endian, data)? else {
        return Ok(facts);
    };
    let strings = sections.strings(endian, data, strings)?;
    let mut has_runpath = false;
    for entry in entries {
        let tag: u64 = entry.d_tag(endian).into();
        match u32::try_from(tag) {
            Ok(DT_NEEDED) => {
                let name = entry.string(endian, strings)?;
                facts
                    .libraries
                    .push(String::from_utf8_lossy(name).into_owned());
            }
            Ok(DT_RPATH) => facts.has_rpath = true,
            Ok(DT_RUNPATH) => has_runpath = true,
            _ => {}
        }
    }
    // With a newer search path the older one does not count.
    facts.has_rpath &= !has_runpath;
    Ok(facts)
}

/// The text of this library's note, if it is among these.
fn own_note<H: FileHeader<Endian = Endianness>>(
    mut notes: NoteIterator<'_, H>,
) -> object::Result<Option<String>> {
    while let Some(note) = notes.next()? {
        if note.name() == NOTE_OWNER {
            let text = String::from_utf8_lossy(note.desc());
            return Ok(Some(text.trim_end_matches('\0').to_string()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_elf_file_is_said_to_be_none() {
        assert!(Facts::of(b"#!/bin/sh\n").unwrap_err().contains("ELF"));
        assert!(Facts::of(b"").is_err());
        assert!(Facts::of(b"\x7fELF\x02\x01\x01").is_err());
    }

    #[test]
    fn a_program_without_libuv_needs_none() {
        let facts = Facts::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(!facts.needs_libuv() && !facts.is_libuv());
        assert!(facts.libraries.iter().any(|name| name == "libc.so.6"));
    }

    #[test]
    fn versions_of_names_do_not_count() {
        assert_eq!(plain("uv_run@@LIBUV"), "uv_run");
        assert!(is_public("uv_run") && !is_public("uv__io_poll") && !is_public("run"));
    }
}
