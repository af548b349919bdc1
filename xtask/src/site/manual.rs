//! The man pages as `man` shows them: formatted without a warning, and found by each name.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::man;
use crate::tools::{self, run};

pub fn check(root: &Path) -> Outcome {
    tools::need(&[("man", "man-db"), ("groff", "groff"), ("mandoc", "mandoc")])?;
    let folder = root.join("man");
    let files = man::files(root)?.into_iter();
    let pages = files.filter(|(_, file)| matches!(file, man::File::Page(_)));
    let pages: Vec<PathBuf> = pages
        .map(|(name, _)| Path::new("man3").join(name))
        .collect();
    let mandoc = ["mandoc", "-Tlint"];
    let groff = ["groff", "-man", "-Tutf8", "-ww", "-z"];
    for tool in [&mandoc[..], &groff] {
        let output = run(Command::new(tool[0])
            .current_dir(&folder)
            .args(&tool[1..])
            .args(&pages))?;
        let complaints = [output.stdout, output.stderr].concat();
        if !complaints.is_empty() {
            return Err(String::from_utf8_lossy(&complaints).into_owned());
        }
    }
    // A function, a callback that is on the page of its chapter, the overview, and the command.
    for (name, expected) in [
        (
            "uv_tcp_init",
            "int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *handle);",
        ),
        ("uv_read_cb", "ssize_t nread"),
        ("libuv", "libuv-fs-event(3)"),
        ("oxuv", "oxuv-run(1)"),
        ("oxuv-run", "OXUV_TRACE"),
    ] {
        let output = run(Command::new("man")
            .args(["--warnings=all", "--pager=cat", "-M"])
            .arg(&folder)
            .arg(name)
            .env("LC_ALL", "C.UTF-8")
            .env("MANWIDTH", "100"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !text.contains(expected) || !output.stderr.is_empty() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "man {name} shows no `{expected}`: {text}{complaint}"
            ));
        }
    }
    println!("{} man pages are formatted without a warning", pages.len());
    Ok(())
}
