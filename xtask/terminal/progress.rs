//! How far something is: bars on a terminal, plain lines elsewhere.

use std::fmt::Display;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// What is at the bottom of the terminal. Hidden where standard error is none.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How long nothing is printed where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Prints a line, above what shows progress.
pub fn say(text: impl Display) {
    BARS.suspend(|| println!("{text}"));
}

/// Something is being done that takes a while. On a terminal the time runs until this is dropped.
#[must_use = "it ends when it is dropped"]
pub struct Working(ProgressBar);

/// Says what is being done. Results go to standard output, and this does not.
pub fn working(text: impl Display) -> Working {
    BARS.suspend(|| eprintln!("{text}"));
    let spinner = BARS.add(ProgressBar::new_spinner());
    if !BARS.is_hidden() {
        spinner.set_style(style("  {spinner} {elapsed}"));
        spinner.enable_steady_tick(Duration::from_millis(100));
    }
    Working(spinner)
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        BARS.remove(&self.0);
    }
}

/// Many steps, which any thread can take. It draws only when one is taken, so that what is measured
/// between them is not disturbed.
pub struct Progress {
    bar: ProgressBar,
    total: u64,
    begun: Instant,
    /// When a plain line was printed.
    shown: Mutex<Instant>,
}

impl Progress {
    /// Progress of `total` steps.
    pub fn new(total: usize) -> Progress {
        let bar = BARS.add(ProgressBar::new(total as u64));
        bar.set_style(style(
            "  {bar:40} {pos} of {len}, {elapsed}, {eta} left {msg}",
        ));
        bar.tick();
        Progress {
            bar,
            total: total as u64,
            begun: Instant::now(),
            shown: Mutex::new(Instant::now()),
        }
    }

    /// A step is done. `note` is what else there is to say, such as a number of failures.
    pub fn step(&self, note: impl Display) {
        let note = note.to_string();
        self.bar.set_message(note.clone());
        self.bar.inc(1);
        let mut shown = self.shown.lock().unwrap_or_else(|error| error.into_inner());
        if BARS.is_hidden() && shown.elapsed() >= BETWEEN_LINES {
            *shown = Instant::now();
            let (done, seconds) = (self.bar.position(), self.begun.elapsed().as_secs());
            eprintln!("{}", plain(done, self.total, seconds, &note));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        BARS.remove(&self.bar);
    }
}

fn plain(done: u64, total: u64, seconds: u64, note: &str) -> String {
    let line = format!("  {done} of {total} after {seconds} s {note}");
    line.trim_end().to_string()
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_say_how_far_it_is() {
        assert_eq!(plain(3, 9, 12, ""), "  3 of 9 after 12 s");
        assert_eq!(
            plain(3, 9, 12, "no faults"),
            "  3 of 9 after 12 s no faults"
        );
    }

    #[test]
    fn steps_and_lines_need_no_terminal() {
        let _working = working("something");
        let progress = Progress::new(2);
        progress.step("");
        say("a line");
        progress.step("the last");
        assert_eq!(progress.bar.position(), 2);
    }
}
