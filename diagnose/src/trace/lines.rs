//! Makes lines of a trace from records: slices from beginnings and ends, and what belongs together
//! on several threads.
//!
//! A slice is written when it ends, as one event of the kind X. If it is still open when the writer
//! has nothing more to do, its beginning is written as B, and its end later as E. So a file shows
//! what ran when the program crashed.

use std::collections::HashMap;
use std::fmt::Write;

use super::ring::Record;
use crate::events::{Event, Phase};
use crate::names;
use crate::symbols::Symbols;

/// A part of time on a thread: a callback, a job, or a wait.
struct Slice {
    category: &'static str,
    name: String,
    begin_ns: u64,
    arguments: String,
    /// Whether its beginning is in the file.
    is_written: bool,
}

/// What is known of a thread.
#[derive(Default)]
struct Thread {
    open: Vec<Slice>,
    iteration: Option<(u64, u64)>,
    phase: Option<(u32, u64)>,
    /// Whether something happened in the phase.
    has_content: bool,
    run: Option<u64>,
    /// What a stream has received, whose read callback comes next: its address, and the bytes.
    received: Option<(usize, usize)>,
}

/// A job from its submission to its callback.
struct Job {
    number: u64,
    name: String,
    queued_ns: u64,
    begin_ns: u64,
    end_ns: u64,
    thread: i32,
    is_inline: bool,
    job: usize,
}

/// The lines of one trace.
pub(super) struct Lines {
    /// What is to be written next.
    pub(super) text: String,
    process: u32,
    symbols: Symbols,
    threads: HashMap<i32, Thread>,
    /// By their requests.
    jobs: HashMap<usize, Job>,
    /// The requests of jobs, by their jobs.
    requests: HashMap<usize, usize>,
    /// By what each loop was woken last: the number of the arrow, and the cause.
    woken: HashMap<usize, (u64, String)>,
    iterations: u64,
    numbers: u64,
}

fn us(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
}

/// A text as JSON, with its quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for at in text.chars() {
        match at {
            '"' | '\\' => out.extend(['\\', at]),
            at if at < ' ' => {
                let _ = write!(out, "\\u{:04x}", at as u32);
            }
            at => out.push(at),
        }
    }
    out.push('"');
    out
}

impl Lines {
    /// The beginning of a file. It is valid at any time, for the bracket at its end may be missing.
    pub(super) fn new(process: u32, program: &str) -> Lines {
        let name = quoted(program);
        let text = format!(
            "[{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{process},\"tid\":{process},\
             \"args\":{{\"name\":{name}}}}}"
        );
        Lines {
            text,
            process,
            symbols: Symbols::default(),
            threads: HashMap::new(),
            jobs: HashMap::new(),
            requests: HashMap::new(),
            woken: HashMap::new(),
            iterations: 0,
            numbers: 0,
        }
    }

    fn event(&mut self, kind: &str, name: &str, category: &str, thread: i32, ns: u64, rest: &str) {
        let _ = write!(
            self.text,
            ",\n{{\"name\":{},\"cat\":\"{category}\",\"ph\":\"{kind}\",\"pid\":{},\"tid\":{thread},\
             \"ts\":{}{rest}}}",
            quoted(name),
            self.process,
            us(ns),
        );
    }

    fn whole(&mut self, slice: &Slice, thread: i32, end_ns: u64) {
        let (kind, time, length) = match slice.is_written {
            true => ("E", end_ns, String::new()),
            false => {
                let length = end_ns.saturating_sub(slice.begin_ns);
                ("X", slice.begin_ns, format!(",\"dur\":{}", us(length)))
            }
        };
        let rest = format!("{length},\"args\":{{{}}}", slice.arguments);
        self.event(kind, &slice.name, slice.category, thread, time, &rest);
    }

    fn instant(&mut self, name: &str, category: &str, thread: i32, ns: u64, arguments: &str) {
        let rest = format!(",\"s\":\"t\",\"args\":{{{arguments}}}");
        self.event("i", name, category, thread, ns, &rest);
    }

    /// The name of a thread.
    pub(super) fn name_thread(&mut self, thread: i32, name: &str) {
        self.threads.remove(&thread);
        let rest = format!(",\"args\":{{\"name\":{}}}", quoted(name));
        self.event("M", "thread_name", "", thread, 0, &rest);
    }

    /// That records were dropped.
    pub(super) fn dropped(&mut self, thread: i32, ns: u64, count: usize, all: usize) {
        let arguments = format!("\"count\":{count},\"all\":{all}");
        self.instant("events dropped", "trace", thread, ns, &arguments);
    }

    /// Writes the beginnings of all slices that are open.
    pub(super) fn show_open(&mut self) {
        let mut threads = std::mem::take(&mut self.threads);
        for (&thread, state) in &mut threads {
            for slice in state.open.iter_mut().filter(|slice| !slice.is_written) {
                let rest = format!(",\"args\":{{{}}}", slice.arguments);
                self.event(
                    "B",
                    &slice.name,
                    slice.category,
                    thread,
                    slice.begin_ns,
                    &rest,
                );
                slice.is_written = true;
            }
        }
        self.threads = threads;
    }

    /// Ends the file.
    pub(super) fn end(&mut self) {
        self.show_open();
        self.text.push_str("\n]\n");
    }

    /// Takes the next record of a thread.
    pub(super) fn add(&mut self, thread: i32, record: &Record) {
        let mut state = self.threads.remove(&thread).unwrap_or_default();
        if record.event != Event::PhaseBegins as u32 {
            state.has_content = true;
        }
        self.take(&mut state, thread, record);
        self.threads.insert(thread, state);
    }

    fn take(&mut self, state: &mut Thread, thread: i32, record: &Record) {
        let is = |event: Event| record.event == event as u32;
        let ns = record.time_ns;
        if is(Event::PhaseBegins) {
            self.begin_phase(state, thread, record);
        } else if is(Event::RunBegins) {
            // What woke it before ended no wait.
            self.woken.remove(&record.object);
            state.run = Some(ns);
        } else if is(Event::RunEnds) {
            self.end_run(state, thread, record);
        } else if is(Event::BlockBegins) {
            let timeout = record.detail as isize;
            let arguments = format!("\"loop\":\"{:#x}\",\"timeout_ms\":{timeout}", record.object);
            state.open.push(Slice {
                category: "block",
                name: "block".to_string(),
                begin_ns: ns,
                arguments,
                is_written: false,
            });
        } else if is(Event::BlockEnds) {
            self.end_block(state, thread, record);
        } else if is(Event::CallbackBegins) {
            self.begin_callback(state, thread, record);
        } else if is(Event::CallbackEnds) || is(Event::JobEnds) {
            if is(Event::JobEnds) {
                self.note_end(record);
            }
            if let Some(slice) = state.open.pop() {
                self.whole(&slice, thread, ns);
            }
        } else if is(Event::Received) {
            state.received = Some((record.object, record.detail));
        } else {
            self.take_other(state, thread, record);
        }
    }

    fn take_other(&mut self, state: &mut Thread, thread: i32, record: &Record) {
        let is = |event: Event| record.event == event as u32;
        let (ns, object) = (record.time_ns, record.object);
        if is(Event::JobQueued) || is(Event::DoneInline) {
            self.queue(thread, record, is(Event::DoneInline));
        } else if is(Event::JobBegins) {
            self.begin_job(state, thread, record);
        } else if is(Event::LoopWoken) {
            self.wake(thread, record);
        } else if is(Event::Sent) {
            let arguments = format!("\"handle\":\"{object:#x}\",\"bytes\":{}", record.detail);
            self.instant("sent", "bytes", thread, ns, &arguments);
        } else if is(Event::LoopInitialised) {
            let arguments = format!("\"loop\":\"{object:#x}\"");
            self.instant("uv_loop_init", "loop", thread, ns, &arguments);
        } else if is(Event::LoopClosed) {
            let arguments = format!("\"loop\":\"{object:#x}\"");
            self.instant("uv_loop_close", "loop", thread, ns, &arguments);
        }
    }

    fn end_phase(&mut self, state: &mut Thread, thread: i32, ns: u64) {
        let Some((phase, begin_ns)) = state.phase.take() else {
            return;
        };
        if state.has_content || phase == Phase::Poll as u32 {
            let rest = format!(",\"dur\":{}", us(ns.saturating_sub(begin_ns)));
            self.event("X", names::phase(phase), "phase", thread, begin_ns, &rest);
        }
    }

    fn end_iteration(&mut self, state: &mut Thread, thread: i32, ns: u64) {
        let Some((number, begin_ns)) = state.iteration.take() else {
            return;
        };
        let length = us(ns.saturating_sub(begin_ns));
        let rest = format!(",\"dur\":{length},\"args\":{{\"number\":{number}}}");
        self.event("X", "iteration", "iteration", thread, begin_ns, &rest);
    }

    /// An iteration begins where a phase comes that is not later in it than the one before.
    fn begin_phase(&mut self, state: &mut Thread, thread: i32, record: &Record) {
        // Timers come last, but for those before the first iteration.
        let place = |phase: u32| {
            if phase == Phase::Timers as u32 {
                7
            } else {
                phase
            }
        };
        let (ns, phase) = (record.time_ns, record.what);
        let is_next = match state.phase {
            Some((before, _)) => place(phase) <= place(before),
            None => true,
        };
        self.end_phase(state, thread, ns);
        if is_next {
            self.end_iteration(state, thread, ns);
            self.iterations += 1;
            state.iteration = Some((self.iterations, ns));
        }
        state.phase = Some((phase, ns));
        state.has_content = false;
    }

    fn end_run(&mut self, state: &mut Thread, thread: i32, record: &Record) {
        let ns = record.time_ns;
        self.end_phase(state, thread, ns);
        self.end_iteration(state, thread, ns);
        let Some(begin_ns) = state.run.take() else {
            return;
        };
        let length = us(ns.saturating_sub(begin_ns));
        let rest = format!(
            ",\"dur\":{length},\"args\":{{\"loop\":\"{:#x}\"}}",
            record.object
        );
        self.event("X", "uv_run", "run", thread, begin_ns, &rest);
    }

    fn end_block(&mut self, state: &mut Thread, thread: i32, record: &Record) {
        let Some(mut slice) = state.open.pop() else {
            return;
        };
        let woken = self.woken.remove(&record.object);
        let woken = woken.filter(|_| record.detail > 0);
        let cause = match (&woken, record.detail) {
            (Some((_, cause)), _) => cause.clone(),
            (None, 0) => "timeout".to_string(),
            (None, _) => "descriptors".to_string(),
        };
        let _ = write!(
            slice.arguments,
            ",\"ready\":{},\"ended_by\":{}",
            record.detail,
            quoted(&cause)
        );
        self.whole(&slice, thread, record.time_ns);
        if let Some((number, _)) = woken {
            let rest = format!(",\"id\":{number},\"bp\":\"e\"");
            self.event("f", "wake-up", "wake-up", thread, record.time_ns, &rest);
        }
    }

    fn wake(&mut self, thread: i32, record: &Record) {
        let cause = match record.detail {
            0 => "completion".to_string(),
            handle => format!("async {handle:#x}"),
        };
        let arguments = format!(
            "\"loop\":\"{:#x}\",\"cause\":{}",
            record.object,
            quoted(&cause)
        );
        self.numbers += 1;
        let (number, ns) = (self.numbers, record.time_ns);
        self.instant("wake-up", "wake-up", thread, ns, &arguments);
        self.event(
            "s",
            "wake-up",
            "wake-up",
            thread,
            ns,
            &format!(",\"id\":{number}"),
        );
        self.woken.insert(record.object, (number, cause));
    }

    fn queue(&mut self, thread: i32, record: &Record, is_inline: bool) {
        let name = names::job(record.what & 0xffff, record.what >> 16);
        let (ns, request) = (record.time_ns, record.detail);
        self.numbers += 1;
        let number = self.numbers;
        if is_inline {
            let arguments = format!("\"request\":\"{request:#x}\"");
            self.instant(&format!("{name} inline"), "job", thread, ns, &arguments);
        } else {
            let rest = format!(",\"id\":{number},\"args\":{{\"request\":\"{request:#x}\"}}");
            self.event("b", &name, "queue", thread, ns, &rest);
        }
        let job = Job {
            number,
            name,
            queued_ns: ns,
            begin_ns: ns,
            end_ns: ns,
            thread,
            is_inline,
            job: record.object,
        };
        self.jobs.insert(request, job);
        self.requests.insert(record.object, request);
    }

    fn begin_job(&mut self, state: &mut Thread, thread: i32, record: &Record) {
        let ns = record.time_ns;
        let request = self.requests.get(&record.object).copied().unwrap_or(0);
        let mut name = "job".to_string();
        let mut waited = 0;
        if let Some(job) = self.jobs.get_mut(&request) {
            job.begin_ns = ns;
            job.thread = thread;
            waited = ns.saturating_sub(job.queued_ns);
            name.clone_from(&job.name);
        }
        let arguments = format!("\"request\":\"{request:#x}\",\"queued_us\":{}", us(waited));
        state.open.push(Slice {
            category: "job",
            name,
            begin_ns: ns,
            arguments,
            is_written: false,
        });
    }

    fn note_end(&mut self, record: &Record) {
        let request = self.requests.get(&record.object).copied().unwrap_or(0);
        if let Some(job) = self.jobs.get_mut(&request) {
            job.end_ns = record.time_ns;
        }
    }

    fn begin_callback(&mut self, state: &mut Thread, thread: i32, record: &Record) {
        let (ns, object) = (record.time_ns, record.object);
        let (callback, kind) = (record.what & 0xffff, record.what >> 16);
        let is_request = crate::objects::is_of_request(callback);
        let kind = match is_request {
            true => names::request(kind),
            false => names::handle(kind),
        };
        let name = match names::callback(callback) {
            "phase" => kind,
            name => name,
        };
        let role = if is_request { "request" } else { "handle" };
        let symbol = quoted(self.symbols.name(record.detail));
        let mut arguments =
            format!("\"symbol\":{symbol},\"{role}\":\"{object:#x}\",\"type\":\"{kind}\"");
        if let Some((_, bytes)) = state.received.take_if(|(handle, _)| *handle == object) {
            let _ = write!(arguments, ",\"bytes\":{bytes}");
        }
        // A job's own callback is no delivery.
        if name != "work" {
            self.deliver(thread, ns, object, &mut arguments);
        }
        state.open.push(Slice {
            category: "callback",
            name: name.to_string(),
            begin_ns: ns,
            arguments,
            is_written: false,
        });
    }

    /// A job's callback begins: how long each part took.
    fn deliver(&mut self, thread: i32, ns: u64, request: usize, arguments: &mut String) {
        let Some(job) = self.jobs.remove(&request) else {
            return;
        };
        self.requests.remove(&job.job);
        if job.is_inline {
            arguments.push_str(",\"inline\":true");
            return;
        }
        let _ = write!(
            arguments,
            ",\"queued_us\":{},\"ran_us\":{},\"waited_us\":{},\"worker\":{}",
            us(job.begin_ns.saturating_sub(job.queued_ns)),
            us(job.end_ns.saturating_sub(job.begin_ns)),
            us(ns.saturating_sub(job.end_ns)),
            job.thread,
        );
        let rest = format!(",\"id\":{}", job.number);
        self.event("e", &job.name, "queue", thread, ns, &rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(records: &[(i32, u64, Event, u32, usize, usize)]) -> Vec<String> {
        let mut lines = Lines::new(1, "a \"program\"");
        for &(thread, time_ns, event, what, object, detail) in records {
            let record = Record {
                time_ns,
                event: event as u32,
                what,
                object,
                detail,
            };
            lines.add(thread, &record);
        }
        lines.end();
        lines.text.split(",\n").map(String::from).collect()
    }

    #[test]
    fn a_callback_is_one_slice() {
        let all = lines(&[
            (7, 1_000, Event::CallbackBegins, 13 << 16 | 3, 0x10, 1),
            (7, 3_500, Event::CallbackEnds, 3, 0, 0),
        ]);
        assert_eq!(
            all[1],
            "{\"name\":\"timer\",\"cat\":\"callback\",\"ph\":\"X\",\"pid\":1,\"tid\":7,\"ts\":1.000,\
             \"dur\":2.500,\"args\":{\"symbol\":\"0x1\",\"handle\":\"0x10\",\"type\":\"timer\"}}\n]\n"
        );
    }

    #[test]
    fn what_runs_at_the_end_is_shown() {
        let all = lines(&[(7, 1_000, Event::CallbackBegins, 3, 0x10, 1)]);
        assert!(all[1].contains("\"ph\":\"B\""), "{all:?}");
    }

    #[test]
    fn a_job_knows_how_long_it_was_queued_and_ran() {
        let all = lines(&[
            (1, 0, Event::JobQueued, 6 | 6 << 16, 0x30, 0x20),
            (2, 2_000, Event::JobBegins, 0, 0x30, 0),
            (2, 5_000, Event::JobEnds, 0, 0x30, 0),
            (2, 6_000, Event::LoopWoken, 0, 0x40, 0),
            (1, 9_000, Event::CallbackBegins, 18 | 6 << 16, 0x20, 1),
            (1, 9_500, Event::CallbackEnds, 18, 0, 0),
        ]);
        let all = all.join("\n");
        assert!(
            all.contains("\"name\":\"fs stat\",\"cat\":\"job\",\"ph\":\"X\""),
            "{all}"
        );
        let times = "\"queued_us\":2.000,\"ran_us\":3.000,\"waited_us\":4.000,\"worker\":2";
        assert!(all.contains(times), "{all}");
        assert!(all.contains("\"cause\":\"completion\""), "{all}");
    }

    #[test]
    fn an_iteration_ends_with_the_next_one() {
        let poll = Phase::Poll as u32;
        let all = lines(&[
            (1, 0, Event::RunBegins, 0, 0x40, 0),
            (1, 1_000, Event::PhaseBegins, poll, 0x40, 0),
            (1, 2_000, Event::PhaseBegins, Phase::Check as u32, 0x40, 0),
            (1, 3_000, Event::PhaseBegins, poll, 0x40, 0),
            (1, 4_000, Event::RunEnds, 0, 0x40, 0),
        ]);
        let count = |name: &str| all.iter().filter(|line| line.contains(name)).count();
        assert_eq!(count("\"iteration\",\"cat\""), 2);
        assert_eq!(count("\"name\":\"check\""), 0);
        assert_eq!(count("\"name\":\"poll\""), 2);
        assert_eq!(count("\"uv_run\""), 1);
    }

    #[test]
    fn a_wait_tells_what_ended_it() {
        let all = lines(&[
            (1, 0, Event::BlockBegins, 0, 0x40, usize::MAX),
            (2, 1_000, Event::LoopWoken, 0, 0x40, 0x50),
            (1, 2_000, Event::BlockEnds, 0, 0x40, 1),
        ]);
        let all = all.join("\n");
        assert!(
            all.contains("\"timeout_ms\":-1,\"ready\":1,\"ended_by\":\"async 0x50\""),
            "{all}"
        );
    }
}
