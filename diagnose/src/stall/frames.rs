//! The functions that another thread is in, found while it runs.
//!
//! The thread is interrupted by a signal, whose handler stores addresses and does nothing else. A
//! thread that sleeps in a call of the system's which a signal would end early is left alone: of it
//! only the calling function is known.

use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicI32, AtomicUsize};

use crate::symbols::describe;
use crate::thread::Semaphore;

/// The most functions that a report lists.
const MOST: usize = 48;
/// How long the watcher waits for the thread, in milliseconds.
const ANSWER_MS: u64 = 200;

static FRAMES: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Where the thread was interrupted.
static PLACE: AtomicUsize = AtomicUsize::new(0);
/// The thread that is asked, 0 for none: a signal that comes late is ignored.
static ASKED: AtomicI32 = AtomicI32::new(0);
/// The signal; 0 if all are in use.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static ANSWER: Semaphore = Semaphore::new();

/// Takes a signal that the program does not handle.
pub(super) fn start() {
    ANSWER.init();
    // The first call of the unwinder takes memory, which a signal handler must not.
    backtrace::trace(|_| false);
    let free = (libc::SIGRTMIN() + 1..libc::SIGRTMAX())
        .rev()
        .find(|&signal| is_free(signal));
    let Some(signal) = free else { return };
    let mut action = core::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeros are a value of the struct, and the handler has the type that the flag asks for.
    unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&mut action.sa_mask);
        if libc::sigaction(signal, action, core::ptr::null_mut()) == 0 {
            SIGNAL.store(signal, Relaxed);
        }
    }
}

fn is_free(signal: c_int) -> bool {
    let mut action = core::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is valid; zeros are a value.
    unsafe {
        let result = libc::sigaction(signal, core::ptr::null(), action.as_mut_ptr());
        result == 0 && action.assume_init().sa_sigaction == libc::SIG_DFL
    }
}

unsafe extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: asks for the thread's number.
    let own = unsafe { libc::gettid() };
    if ASKED.compare_exchange(own, 0, Acquire, Relaxed).is_err() {
        return;
    }
    // SAFETY: errno belongs to this thread.
    let errno = unsafe { *libc::__errno_location() };
    let mut count = 0;
    // SAFETY: one thread is asked at a time, and the unwinder takes no lock of this crate's.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            FRAMES[count].store(frame.ip().addr(), Relaxed);
            count += 1;
            count < MOST
        });
    }
    // SAFETY: the kernel's context of this signal.
    PLACE.store(unsafe { place(context) }, Relaxed);
    COUNT.store(count, Release);
    ANSWER.post();
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Where the thread was interrupted, 0 if that is not known on this machine.
unsafe fn place(context: *mut c_void) -> usize {
    let context = context.cast::<libc::ucontext_t>();
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller vouches for the context.
    return unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as usize };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the caller vouches for the context.
    return unsafe { (*context).uc_mcontext.pc as usize };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = context;
        0
    }
}

/// Lines that tell where a thread is.
pub(super) fn of_thread(thread: i32) -> Vec<String> {
    if let Some(place) = place_of_sleep(thread) {
        let name = describe(place);
        return vec![
            format!("in {name}"),
            "it sleeps in a call that a signal would end, so its callers are not known".into(),
        ];
    }
    let signal = SIGNAL.load(Relaxed);
    if signal == 0 {
        return vec!["the program handles all signals, so its functions are not known".into()];
    }
    ASKED.store(thread, Release);
    // SAFETY: a thread of this process, or none any more.
    let result = unsafe {
        let process = libc::getpid();
        libc::syscall(libc::SYS_tgkill, process, thread, signal)
    };
    if result != 0 || !ANSWER.wait(ANSWER_MS) {
        ASKED.store(0, Relaxed);
        return vec!["the thread does not take signals, so its functions are not known".into()];
    }
    described()
}

fn described() -> Vec<String> {
    let count = COUNT.load(Acquire);
    let place = PLACE.load(Relaxed);
    let all: Vec<usize> = FRAMES[..count]
        .iter()
        .map(|frame| frame.load(Relaxed))
        .filter(|&frame| frame != 0)
        .collect();
    // What comes before is the handler's own.
    let first = all.iter().position(|&frame| frame == place).unwrap_or(0);
    let mut lines = Vec::new();
    for (index, &frame) in all[first..].iter().enumerate() {
        // A caller's address is the one that the call returns to.
        let name = describe(if index == 0 { frame } else { frame - 1 });
        let is_last = name.starts_with("uv_run ") || name.starts_with("uv_run at");
        lines.push(format!("{index:2} {name}"));
        if is_last {
            break;
        }
    }
    lines
}

/// Where the thread calls the system, if it sleeps in a call that a signal ends though its handler
/// has `SA_RESTART` (signal(7)). What the kernel tells is looked at a moment before the signal.
fn place_of_sleep(thread: i32) -> Option<usize> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let call: libc::c_long = words.first()?.parse().ok()?;
    let place = words.last()?.strip_prefix("0x")?;
    let place = usize::from_str_radix(place, 16).ok()?;
    ends_early(call).then_some(place)
}

fn ends_early(call: libc::c_long) -> bool {
    #[cfg(target_arch = "x86_64")]
    if matches!(
        call,
        libc::SYS_poll | libc::SYS_select | libc::SYS_epoll_wait | libc::SYS_pause
    ) {
        return true;
    }
    matches!(
        call,
        libc::SYS_nanosleep
            | libc::SYS_clock_nanosleep
            | libc::SYS_ppoll
            | libc::SYS_pselect6
            | libc::SYS_epoll_pwait
            | libc::SYS_futex
            | libc::SYS_rt_sigtimedwait
            | libc::SYS_rt_sigsuspend
            | libc::SYS_semtimedop
            | libc::SYS_msgrcv
            | libc::SYS_msgsnd
            | libc::SYS_io_getevents
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            | libc::SYS_sendto
            | libc::SYS_sendmsg
            | libc::SYS_connect
            | libc::SYS_accept4
    )
}
