//! A program at a terminal of its own, which `script` (util-linux) makes: raw mode, keys, window
//! size, and the terminal as it was afterwards.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::{Demo, Report};
use crate::tools;

/// The script of the shell at the terminal: it runs the program, and compares the settings.
const SHELL_SCRIPT: &str = r#"stty rows 40 columns 100
before=$(stty -g)
"$OXUV_DEMO_PROGRAM" || echo "it failed"
[ "$before" = "$(stty -g)" ] && echo "the terminal is as it was"
"#;

/// The other side of the terminal.
struct Session {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    shown: String,
}

impl Session {
    /// Reads until the text was shown; what was shown since the last time.
    fn wait_for(&mut self, text: &str) -> Result<String, String> {
        let mut part = [0; 4096];
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return Ok(std::mem::replace(&mut self.shown, rest));
            }
            match self.screen.read(&mut part) {
                Ok(size) if size > 0 => self
                    .shown
                    .push_str(&String::from_utf8_lossy(&part[..size]).replace('\r', "")),
                _ => return Err(format!("no {text:?} in {:?}", self.shown)),
            }
        }
    }

    fn press(&mut self, keys: &[u8]) -> Result<(), String> {
        self.keys.write_all(keys).map_err(|error| error.to_string())
    }

    fn run(&mut self) -> Result<Report, String> {
        self.wait_for("100 columns, 40 rows\n")?;
        self.wait_for("raw mode in process ")?;
        let process = self.wait_for("\n")?;
        let mapped = tools::mapped_library(process.trim().parse().map_err(|_| process.clone())?)?;
        // Nothing of this would come as it is, and at once, but in raw mode: an interrupt, an
        // arrow.
        self.press(b"a\x03\x1b[A")?;
        for key in ["61", "03", "1b", "5b", "41"] {
            self.wait_for(&format!("key {key}\n"))?;
        }
        self.press(b"w")?;
        self.wait_for("132 columns, 40 rows\n")?;
        self.press(b"q")?;
        self.wait_for("bye\n")?;
        self.wait_for("the terminal is as it was\n")?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("script ended with {status}"));
        }
        Ok(Report {
            mapped,
            result: "raw mode, keys, a window made wider, and the terminal as it was".into(),
        })
    }
}

pub(super) fn session(demo: &Demo) -> Result<Report, String> {
    let program = demo.example("terminal")?;
    let mut child = demo
        .library
        .command("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            SHELL_SCRIPT,
            "/dev/null",
        ])
        .env("SHELL", "/bin/sh")
        .env("OXUV_DEMO_PROGRAM", program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (Some(keys), Some(screen)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("no pipes".into());
    };
    let mut session = Session {
        child,
        keys,
        screen,
        shown: String::new(),
    };
    let result = session.run();
    if result.is_err() {
        let _ = session.child.kill();
        let _ = session.child.wait();
    }
    result
}
