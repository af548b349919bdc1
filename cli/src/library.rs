//! Where the library is that programs are run on.

use std::path::{Path, PathBuf};

use crate::elf::Facts;

/// The name that programs ask the dynamic linker for.
const SONAME: &str = "libuv.so.1";

/// The folders of libraries below a prefix, on the machines that this library is built for.
const FOLDERS: [&str; 3] = ["lib", "lib64", "lib/x86_64-linux-gnu"];

/// The library.
pub struct Library {
    /// The folder that the dynamic linker has to search.
    pub folder: PathBuf,
    /// The file, without symbolic links.
    pub file: PathBuf,
    /// What its note says of it.
    pub note: String,
}

impl Library {
    /// The library in a folder, or without one that which is installed with this command.
    pub fn find(folder: Option<&Path>) -> Result<Library, String> {
        if let Some(folder) = folder {
            return Library::in_folder(folder);
        }
        let own = std::env::current_exe().map_err(|error| format!("where am I: {error}"))?;
        let tried = folders_of(&own);
        let found = tried.iter().find_map(|at| Library::in_folder(at).ok());
        found.ok_or_else(|| {
            let tried: Vec<String> = tried.iter().map(|at| at.display().to_string()).collect();
            let tried = tried.join(", ");
            format!("the library is in none of these: {tried}. Name its folder: --library FOLDER")
        })
    }

    fn in_folder(folder: &Path) -> Result<Library, String> {
        let failed = |error| format!("{}: {error}", folder.join(SONAME).display());
        let folder = folder.canonicalize().map_err(failed)?;
        let file = folder.join(SONAME).canonicalize().map_err(failed)?;
        match Facts::read(&file)?.note {
            Some(note) => Ok(Library { folder, file, note }),
            None => Err(format!("{} is another libuv, not oxuv", file.display())),
        }
    }
}

/// The folders to look into, by the place of this command: beside it, where cargo builds both, and
/// below its prefix.
fn folders_of(own: &Path) -> Vec<PathBuf> {
    let Some(folder) = own.parent() else {
        return Vec::new();
    };
    let mut folders = vec![folder.to_path_buf()];
    if let Some(prefix) = folder.parent() {
        folders.extend(FOLDERS.iter().map(|name| prefix.join(name)));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_the_prefix_is_looked_for() {
        let folders = folders_of(Path::new("/usr/bin/oxuv"));
        assert!(folders.contains(&PathBuf::from("/usr/lib/x86_64-linux-gnu")));
    }

    #[test]
    fn a_folder_without_it_is_named() {
        let error = Library::find(Some(Path::new("/proc"))).err().unwrap();
        assert!(error.contains("/proc/libuv.so.1"), "{error}");
    }
}
