//! One run of a program, its system calls interfered with by ptrace(2). A filter, which the program
//! installs, stops it only at the calls that are of interest. Threads and forks are followed; a
//! process that has executed another program is left alone.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use libc::{c_int, c_long, pid_t};
use syscalls::Sysno;

use super::calls::count_argument;
use super::case::{Action, CallFault};

/// How the program ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum End {
    Exit(i32),
    Signal(i32),
    /// It was stopped after the time limit.
    TimeLimit,
}

/// What was seen of a run.
pub struct Observation {
    pub end: End,
    /// How often a fault took effect.
    pub injected: u64,
    /// How often each call was made that stops for the tracer.
    pub counts: HashMap<Sysno, u64>,
}

/// How long a program may run.
pub struct Limits {
    pub time: Duration,
    /// Seconds of processor time after which it spins.
    pub cpu_seconds: u64,
}

/// A stop of a tracee, as waitpid(2) reports it.
enum Stop {
    Exited(End),
    Event(c_int),
    SystemCall,
    Signal(c_int),
}

fn decode(status: c_int) -> Stop {
    if libc::WIFEXITED(status) {
        return Stop::Exited(End::Exit(libc::WEXITSTATUS(status)));
    }
    if libc::WIFSIGNALED(status) {
        return Stop::Exited(End::Signal(libc::WTERMSIG(status)));
    }
    match (libc::WSTOPSIG(status), status >> 16) {
        (signal, 0) if signal == libc::SIGTRAP | 0x80 => Stop::SystemCall,
        (signal, 0) => Stop::Signal(signal),
        (_, event) => Stop::Event(event),
    }
}

/// A thread that is traced.
#[derive(Default)]
struct Tracee {
    /// It runs another program by now.
    is_other: bool,
    /// What its present call is to return once it is done.
    result: Option<i64>,
    /// Its first stop has been seen.
    is_begun: bool,
}

struct Tracer<'a> {
    main: pid_t,
    faults: Vec<&'a CallFault>,
    tracees: HashMap<pid_t, Tracee>,
    injected: u64,
    counts: HashMap<Sysno, u64>,
}

/// Runs a command to its end. With `traced` it stops at the calls that its filter lists.
pub fn run(
    command: &mut Command,
    faults: Vec<&CallFault>,
    traced: bool,
    limits: &Limits,
) -> io::Result<Observation> {
    let most_cpu = limits.cpu_seconds;
    // SAFETY: the child calls nothing but system calls before it executes the program.
    unsafe { command.pre_exec(move || prepare_child(traced, most_cpu)) };
    command.process_group(0);
    // A tracer is a thread: the child is waited for by the one that has made it.
    let child = command.spawn()?;
    let mut tracer = Tracer {
        main: child.id() as pid_t,
        faults,
        tracees: HashMap::new(),
        injected: 0,
        counts: HashMap::new(),
    };
    let end = with_time_limit(tracer.main, limits.time, || tracer.follow(traced))?;
    Ok(Observation {
        end,
        injected: tracer.injected,
        counts: tracer.counts,
    })
}

fn prepare_child(traced: bool, most_cpu_seconds: u64) -> io::Result<()> {
    let cpu = libc::rlimit {
        rlim_cur: most_cpu_seconds,
        rlim_max: most_cpu_seconds + 1,
    };
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain system calls on values of this function's.
    let failed = unsafe {
        libc::setrlimit(libc::RLIMIT_CPU, &cpu) != 0
            || libc::setrlimit(libc::RLIMIT_CORE, &no_core) != 0
            || (traced && libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0)
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Ends the process group when the time is over.
fn with_time_limit(
    group: pid_t,
    limit: Duration,
    follow: impl FnOnce() -> io::Result<End>,
) -> io::Result<End> {
    let is_done = Mutex::new(false);
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let done = is_done.lock().unwrap();
            let (done, _) = changed
                .wait_timeout_while(done, limit, |done| !*done)
                .unwrap();
            if *done {
                return false;
            }
            kill(-group);
            true
        });
        let end = follow();
        *is_done.lock().unwrap() = true;
        changed.notify_all();
        let is_over = watch.join().unwrap();
        end.map(|end| if is_over { End::TimeLimit } else { end })
    })
}

fn kill(pid: pid_t) {
    // SAFETY: a child of this thread's, not waited for yet, or the group that it leads.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Waits for a child or tracee of this very thread.
fn wait() -> io::Result<(pid_t, Stop)> {
    loop {
        let mut status = 0;
        // SAFETY: stores one integer.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
        if pid > 0 {
            return Ok((pid, decode(status)));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// A request that takes and returns no memory. A tracee that was killed meanwhile is no failure.
fn ask(request: libc::c_uint, pid: pid_t, data: c_long) {
    // SAFETY: these requests do not touch this process's memory.
    unsafe { libc::ptrace(request, pid, 0 as c_long, data) };
}

fn registers(pid: pid_t) -> Option<libc::user_regs_struct> {
    let mut found = std::mem::MaybeUninit::<libc::user_regs_struct>::uninit();
    // SAFETY: the kernel fills the structure, or fails.
    let code = unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0 as c_long, found.as_mut_ptr()) };
    // SAFETY: filled, since the call succeeded.
    (code == 0).then(|| unsafe { found.assume_init() })
}

fn set_registers(pid: pid_t, registers: &libc::user_regs_struct) {
    // SAFETY: the kernel reads the structure.
    unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0 as c_long, registers) };
}

fn argument(registers: &mut libc::user_regs_struct, index: usize) -> &mut u64 {
    match index {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        2 => &mut registers.rdx,
        3 => &mut registers.r10,
        4 => &mut registers.r8,
        _ => &mut registers.r9,
    }
}

/// Whether a descriptor of a process is a socket to the kernel. Only libc has those, for the addresses
/// of interfaces, and ends the process when they fail.
fn is_netlink(process: pid_t, fd: c_int) -> bool {
    // SAFETY: these calls take numbers; what they return is owned from here on.
    let copy = unsafe {
        let process = libc::syscall(libc::SYS_pidfd_open, process, 0) as c_int;
        let copy = libc::syscall(libc::SYS_pidfd_getfd, process, fd, 0) as c_int;
        libc::close(process);
        copy
    };
    let mut domain: c_int = 0;
    let mut size = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: stores at most `size` bytes; the copy is not used afterwards.
    let code = unsafe {
        let value = (&raw mut domain).cast();
        let code = libc::getsockopt(copy, libc::SOL_SOCKET, libc::SO_DOMAIN, value, &mut size);
        libc::close(copy);
        code
    };
    code == 0 && domain == libc::AF_NETLINK
}

/// Whether the kernel could answer this very call so. Only to add a descriptor to a poller takes
/// memory and rights. An eventfd that does not block is never interrupted, and one that could not be
/// written to would have woken its reader before.
fn is_plausible(
    main: pid_t,
    pid: pid_t,
    registers: &libc::user_regs_struct,
    fault: &CallFault,
) -> bool {
    match fault.call {
        Sysno::epoll_ctl => registers.rsi as c_int == libc::EPOLL_CTL_ADD,
        Sysno::read | Sysno::write => {
            let link = format!("/proc/{pid}/fd/{}", registers.rdi as c_int);
            let target = std::fs::read_link(link);
            target.is_ok_and(|to| to.as_os_str() != "anon_inode:[eventfd]")
        }
        Sysno::recvmsg | Sysno::recvfrom | Sysno::sendto | Sysno::sendmsg => {
            !is_netlink(main, registers.rdi as c_int)
        }
        _ => true,
    }
}

impl Tracer<'_> {
    /// Follows the program to its end, and ends what it has left behind.
    fn follow(&mut self, traced: bool) -> io::Result<End> {
        if traced {
            self.begin()?;
        }
        let end = loop {
            let (pid, stop) = wait()?;
            if let Stop::Exited(end) = stop {
                self.tracees.remove(&pid);
                if pid == self.main {
                    break end;
                }
                continue;
            }
            self.on_stop(pid, stop);
        };
        self.tracees.keys().copied().for_each(kill);
        while wait().is_ok() {}
        Ok(end)
    }

    /// The program's first stop is that of its execution.
    fn begin(&mut self) -> io::Result<()> {
        let options = libc::PTRACE_O_TRACESECCOMP
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_EXITKILL
            | libc::PTRACE_O_TRACESYSGOOD;
        let (pid, stop) = wait()?;
        if !matches!(stop, Stop::Signal(libc::SIGTRAP)) {
            return Err(io::Error::other("the program could not be traced"));
        }
        ask(libc::PTRACE_SETOPTIONS, pid, options.into());
        self.tracee(pid).is_begun = true;
        ask(libc::PTRACE_CONT, pid, 0);
        Ok(())
    }

    fn tracee(&mut self, pid: pid_t) -> &mut Tracee {
        self.tracees.entry(pid).or_default()
    }

    fn on_stop(&mut self, pid: pid_t, stop: Stop) {
        match stop {
            Stop::Event(libc::PTRACE_EVENT_SECCOMP) => return self.on_call(pid),
            Stop::Event(libc::PTRACE_EVENT_EXEC) => self.tracee(pid).is_other = true,
            Stop::SystemCall => self.on_result(pid),
            Stop::Signal(signal) => {
                let tracee = self.tracee(pid);
                let is_first = !std::mem::replace(&mut tracee.is_begun, true);
                let passed = if is_first && signal == libc::SIGSTOP {
                    0
                } else {
                    signal
                };
                let request = match tracee.result {
                    Some(_) => libc::PTRACE_SYSCALL,
                    None => libc::PTRACE_CONT,
                };
                return ask(request, pid, passed.into());
            }
            Stop::Event(_) | Stop::Exited(_) => {}
        }
        ask(libc::PTRACE_CONT, pid, 0);
    }

    /// The program is about to make a call.
    fn on_call(&mut self, pid: pid_t) {
        let is_other = self.tracee(pid).is_other;
        let found = registers(pid).filter(|_| !is_other);
        let Some((mut registers, call)) =
            found.and_then(|registers| Some((registers, Sysno::new(registers.orig_rax as usize)?)))
        else {
            return ask(libc::PTRACE_CONT, pid, 0);
        };
        let number = self.counts.entry(call).or_default();
        *number += 1;
        let hits = |fault: &&&CallFault| fault.call == call && fault.when.has(*number);
        let fault = self.faults.iter().find(hits);
        let action = fault
            .filter(|fault| is_plausible(self.main, pid, &registers, fault))
            .map(|fault| fault.action);
        let mut request = libc::PTRACE_CONT;
        match action {
            Some(Action::Fail(error)) => {
                // No call has this number, so the kernel does none.
                registers.orig_rax = u64::MAX;
                registers.rax = (-i64::from(error.into_raw())) as u64;
                set_registers(pid, &registers);
                self.injected += 1;
            }
            Some(Action::DoneBut(error)) => {
                self.tracee(pid).result = Some(-i64::from(error.into_raw()));
                self.injected += 1;
                request = libc::PTRACE_SYSCALL;
            }
            Some(Action::Short(most)) => {
                let count = argument(&mut registers, count_argument(call));
                if *count > most {
                    *count = most;
                    set_registers(pid, &registers);
                    self.injected += 1;
                }
            }
            None => {}
        }
        ask(request, pid, 0);
    }

    /// A call has been done that is to return something else.
    fn on_result(&mut self, pid: pid_t) {
        let Some(result) = self.tracee(pid).result.take() else {
            return;
        };
        if let Some(mut registers) = registers(pid) {
            registers.rax = result as u64;
            set_registers(pid, &registers);
        }
    }
}
