//! The writer: a thread that takes the records of all rings and writes lines of them.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicI32};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::ring::{Record, Ring};
use super::threads;
use super::ticks::{self, Moment};
use crate::thread::{self, Semaphore};

/// How long the writer waits for more records, in milliseconds, if no ring is half full before.
const PAUSE_MS: u64 = 20;
/// How long a process that exits waits for the last records to be written, in milliseconds.
const END_MS: u64 = 5_000;

static WAKEUP: Semaphore = Semaphore::new();
static ENDED: Semaphore = Semaphore::new();
static IS_ENDING: AtomicBool = AtomicBool::new(false);
/// The writer's own thread.
static THREAD: AtomicI32 = AtomicI32::new(0);

/// A file for the trace. If another process is writing to that one, such as the parent of this
/// one, or after a fork, the process's number is added to its name.
pub(super) fn open(path: &Path, is_child: bool) -> Result<File, String> {
    if !is_child {
        if let Some(file) = try_open(path)? {
            return Ok(file);
        }
    }
    let mut other = path.as_os_str().to_owned();
    other.push(format!(".{}", std::process::id()));
    let other = PathBuf::from(other);
    try_open(&other)?.ok_or_else(|| format!("{}: it is in use", other.display()))
}

/// `None` if another process writes to it.
fn try_open(path: &Path) -> Result<Option<File>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut options = File::options();
    let options = options.write(true).create(true).truncate(false);
    let file = options.open(path).map_err(failed)?;
    // SAFETY: a descriptor of this function's. The copy is above those that programs replace.
    let copy = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10) };
    if copy < 0 {
        return Err(failed(std::io::Error::last_os_error()));
    }
    // SAFETY: a new descriptor, which nothing else owns.
    let file = unsafe { File::from_raw_fd(copy) };
    // SAFETY: as above.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        return Ok(None);
    }
    // A pipe or a terminal has no length.
    let _ = file.set_len(0);
    Ok(Some(file))
}

/// Starts the thread.
pub(super) fn start(file: File) -> bool {
    IS_ENDING.store(false, Relaxed);
    WAKEUP.init();
    ENDED.init();
    thread::spawn("oxuv-trace", move || Writer::new(file).run())
}

/// Has the writer take the records now. May be called in a signal handler.
pub(super) fn wake() {
    WAKEUP.post();
}

/// At exit: has the writer write the rest and end, and waits for that.
pub(super) fn end() {
    if THREAD.load(Relaxed) == own_thread() {
        return;
    }
    IS_ENDING.store(true, Release);
    WAKEUP.post();
    ENDED.wait(END_MS);
}

fn own_thread() -> i32 {
    // SAFETY: asks for the thread's number.
    unsafe { libc::gettid() }
}

/// What the writer knows of a ring.
struct Seen {
    uses: u32,
    dropped: usize,
}

struct Writer {
    file: File,
    lines: Lines,
    seen: HashMap<usize, Seen>,
    batch: Vec<(i32, Record)>,
    dropped: usize,
    /// When the records were taken last.
    taken: Moment,
}

impl Writer {
    fn new(file: File) -> Writer {
        THREAD.store(own_thread(), Relaxed);
        let program = std::env::current_exe().unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        Writer {
            file,
            lines: Lines::new(std::process::id(), &name),
            seen: HashMap::new(),
            batch: Vec::new(),
            dropped: 0,
            taken: ticks::moment(),
        }
    }

    fn run(mut self) {
        loop {
            WAKEUP.wait(PAUSE_MS);
            let is_last = IS_ENDING.load(Acquire);
            self.drain();
            match is_last {
                true => self.lines.end(),
                false => self.lines.show_open(),
            }
            if let Err(error) = self.write() {
                eprintln!("oxuv: the trace ends here: {error}");
                super::stop();
                break;
            }
            if is_last {
                break;
            }
        }
        ENDED.post();
    }

    fn write(&mut self) -> std::io::Result<()> {
        let result = self.file.write_all(self.lines.text.as_bytes());
        self.lines.text.clear();
        result
    }

    /// Takes what is in the rings, in the order of time.
    fn drain(&mut self) {
        for ring in threads::RINGS.all() {
            self.drain_ring(ring);
        }
        let now = ticks::moment();
        for (_, record) in &mut self.batch {
            record.time_ns = ticks::to_ns(record.time_ns, self.taken, now);
        }
        self.taken = now;
        // Stable: the records of a ring stay in their order.
        self.batch.sort_by_key(|(_, record)| record.time_ns);
        let batch = std::mem::take(&mut self.batch);
        for (thread, record) in &batch {
            self.lines.add(*thread, record);
        }
        self.batch = batch;
        self.batch.clear();
        let dropped = threads::DROPPED.load(Relaxed);
        if dropped != self.dropped {
            self.lines
                .dropped(0, now.ns, dropped - self.dropped, dropped);
            self.dropped = dropped;
        }
    }

    fn drain_ring(&mut self, ring: &'static Ring) {
        let uses = ring.uses.load(Acquire);
        let thread = ring.thread.load(Relaxed);
        let key = (ring as *const Ring).addr();
        if self.seen.get(&key).is_none_or(|seen| seen.uses != uses) {
            let comm = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
            self.lines
                .name_thread(thread, comm.unwrap_or_default().trim_end());
            let dropped = self.seen.get(&key).map_or(0, |seen| seen.dropped);
            self.seen.insert(key, Seen { uses, dropped });
        }
        let batch = &mut self.batch;
        ring.take(|record| batch.push((thread, record)));
        let all = ring.dropped.load(Relaxed);
        if let Some(seen) = self.seen.get_mut(&key).filter(|seen| seen.dropped != all) {
            let count = all - seen.dropped;
            seen.dropped = all;
            let since = self.taken.ns;
            self.lines.dropped(thread, since, count, all);
        }
    }
}
