//! One of the two processes: started, listened to, and measured from outside.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

/// What a process had done, and how large it was, after a second in which it ran.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sample {
    /// Connections that are open.
    pub open: u64,
    /// Descriptors, counted by the process at the same moment.
    pub descriptors: u64,
    /// All that follow are totals since the beginning.
    pub made: u64,
    pub resets: u64,
    /// Bytes that were verified.
    pub bytes: u64,
    pub files: u64,
    pub children: u64,
    pub watches: u64,
    pub jobs: u64,
    pub timers: u64,
    /// Resident memory, in bytes.
    pub memory: u64,
}

/// What a process has said.
#[derive(Default)]
struct Heard {
    port: Option<String>,
    samples: Vec<Sample>,
    /// With the time at which it was heard.
    fault: Option<(Instant, String)>,
    is_right: bool,
    /// Whatever else it, or the library, has written.
    other: String,
}

/// A process, ended at the latest when this value goes.
pub struct Process {
    child: Child,
    /// The process ends by itself once this is closed.
    input: Option<ChildStdin>,
    heard: Arc<Mutex<Heard>>,
    /// Threads that hear all until its end.
    listeners: Vec<JoinHandle<()>>,
}

fn listen(from: impl Read + Send + 'static, heard: &Arc<Mutex<Heard>>, pid: u32) -> JoinHandle<()> {
    let heard = heard.clone();
    std::thread::spawn(move || {
        let lines = BufReader::new(from).lines().map_while(Result::ok);
        lines.for_each(|line| heard.lock().unwrap().hear(&line, pid));
    })
}

impl Process {
    /// Starts a command whose lines are those of the program in `xtask/soak/`.
    pub fn start(mut command: Command) -> Result<Process, String> {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let mut listeners = Vec::new();
        if let Some(output) = child.stdout.take() {
            listeners.push(listen(output, &heard, child.id()));
        }
        if let Some(errors) = child.stderr.take() {
            listeners.push(listen(errors, &heard, child.id()));
        }
        Ok(Process {
            input: child.stdin.take(),
            child,
            heard,
            listeners,
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn port(&self) -> Option<String> {
        self.heard.lock().unwrap().port.clone()
    }

    pub fn samples(&self) -> Vec<Sample> {
        self.heard.lock().unwrap().samples.clone()
    }

    pub fn count(&self) -> usize {
        self.heard.lock().unwrap().samples.len()
    }

    pub fn last(&self) -> Option<Sample> {
        self.heard.lock().unwrap().samples.last().copied()
    }

    /// Tells the process to end.
    pub fn end(&mut self) {
        self.input = None;
    }

    /// Whether it has ended, with everything right. A fault is an error, with its time.
    pub fn has_ended(&mut self) -> Result<bool, (Instant, String)> {
        let status =
            (self.child.try_wait()).map_err(|error| (Instant::now(), error.to_string()))?;
        if status.is_some() {
            self.listeners
                .drain(..)
                .for_each(|thread| drop(thread.join()));
        }
        let heard = self.heard.lock().unwrap();
        match (&heard.fault, status) {
            (Some(fault), _) => Err(fault.clone()),
            (None, None) => Ok(false),
            (None, Some(status)) if status.success() => Ok(heard.is_right),
            (None, Some(status)) => {
                let what = format!("abort: a process ended with {status}: {}", heard.other);
                Err((Instant::now(), what))
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Heard {
    fn hear(&mut self, line: &str, pid: u32) {
        match line.split_once(' ') {
            Some(("port", port)) => self.port = Some(port.into()),
            Some(("fault", what)) => self.fault = Some((Instant::now(), what.into())),
            Some(("sample", numbers)) => {
                if let Some(sample) = parse(numbers) {
                    self.samples.push(measured(sample, pid));
                }
            }
            _ if line == "right" => self.is_right = true,
            _ => self.other += &format!("{line}\n"),
        }
    }
}

fn parse(numbers: &str) -> Option<Sample> {
    let mut numbers = numbers.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Sample {
        open: next()?,
        descriptors: next()?,
        made: next()?,
        resets: next()?,
        bytes: next()?,
        files: next()?,
        children: next()?,
        watches: next()?,
        jobs: next()?,
        timers: next()?,
        ..Sample::default()
    })
}

/// With the memory that the kernel says the process has.
fn measured(sample: Sample, pid: u32) -> Sample {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    Sample {
        memory: 1024 * kib.unwrap_or(0),
        ..sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let mut heard = Heard::default();
        let pid = std::process::id();
        for line in ["port 5", "sample 1 2 3 4 5 6 7 8 9 10", "strange", "right"] {
            heard.hear(line, pid);
        }
        assert_eq!(heard.port.as_deref(), Some("5"));
        let sample = heard.samples[0];
        assert_eq!((sample.open, sample.descriptors), (1, 2));
        assert_eq!((sample.bytes, sample.timers), (5, 10));
        assert!(sample.memory > 0);
        assert!(heard.is_right && heard.fault.is_none());
        assert_eq!(heard.other, "strange\n");
        heard.hear("fault lost: x", pid);
        assert_eq!(heard.fault.unwrap().1, "lost: x");
    }
}
