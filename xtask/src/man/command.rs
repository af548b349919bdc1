//! The man pages of the command `oxuv`, in `man/man1/`, and what completes it in shells, in
//! `cli/completions/`. They are made of its command line.

use std::collections::BTreeMap;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use oxuv_cli::line::Line;

/// Where the man pages lie in the repository.
pub const FOLDER: &str = "man/man1";
const COMPLETIONS: &str = "cli/completions";

/// The completions: the name of the file where a shell looks for it, and the shell.
const SHELLS: [(&str, Shell); 3] = [
    ("oxuv.bash", Shell::Bash),
    ("_oxuv", Shell::Zsh),
    ("oxuv.fish", Shell::Fish),
];

/// Writes the files, or leaves them as they are; returns what is stale.
pub fn write(root: &Path, date: &str, check: bool) -> Result<Vec<String>, String> {
    let mut stale = Vec::new();
    for (name, text) in files(date)? {
        let file = root.join(&name);
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        if !check {
            let written = std::fs::create_dir_all(file.parent().unwrap_or(root))
                .and_then(|()| std::fs::write(&file, text));
            written.map_err(|error| format!("{name}: {error}"))?;
        }
        stale.push(name);
    }
    Ok(stale)
}

/// The files by their names.
fn files(date: &str) -> Result<BTreeMap<String, String>, String> {
    let mut command = Line::command();
    command.build();
    let mut files = BTreeMap::new();
    for one in std::iter::once(&command).chain(command.get_subcommands()) {
        let name = one.get_display_name().unwrap_or(one.get_name()).to_string();
        let page = clap_mangen::Man::new(one.clone())
            .title(name.to_uppercase())
            .date(date)
            .manual("oxuv");
        let mut text = Vec::new();
        let rendered = page.render(&mut text);
        rendered.map_err(|error| format!("{name}: {error}"))?;
        files.insert(format!("{FOLDER}/{name}.1"), as_text(text));
    }
    for (name, shell) in SHELLS {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Line::command(), "oxuv", &mut text);
        files.insert(format!("{COMPLETIONS}/{name}"), as_text(text));
    }
    Ok(files)
}

fn as_text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_and_each_shell_a_file() {
        let files = files("2026-12-01").unwrap();
        for name in ["oxuv", "oxuv-run", "oxuv-check", "oxuv-env", "oxuv-report"] {
            assert!(files.contains_key(&format!("{FOLDER}/{name}.1")), "{name}");
        }
        assert!(files["man/man1/oxuv-run.1"].contains("OXUV_TRACE"));
        assert!(files["cli/completions/_oxuv"].starts_with("#compdef oxuv"));
    }
}
