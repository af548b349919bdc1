//! Events: what the library reports to an instrument, and the instrument's interface.
//!
//! The library and the instruments in `diagnose/` are compiled with this file. An instrument is of
//! the same release as the library, so there is no other version to be compatible with.

use core::ffi::c_void;

/// The number of events below. The library and the instrument must have the same one.
pub const EVENT_COUNT: u32 = 26;

/// An event. Its `object` is the handle, request or loop. The comments say what its `what` and its
/// `detail` are.
#[allow(
    dead_code,
    reason = "the library reports more of them than instruments look at"
)]
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A handle is initialised. Of this and the next five, `what` is its type, and `detail` its loop.
    HandleInitialised,
    /// The initialisation failed.
    HandleDropped,
    /// The handle became active.
    HandleStarted,
    /// The handle is no longer active.
    HandleStopped,
    /// `uv_close` was called.
    HandleClosing,
    /// The close callback is about to run. The memory is the program's again.
    HandleClosed,

    /// A request is active. `what`: its type. `detail`: its loop.
    RequestStarted,
    /// The request's callback is about to run. The memory is the program's again. `what` and
    /// `detail` as above.
    RequestEnded,

    /// The loop is initialised.
    LoopInitialised,
    /// `uv_loop_close` succeeded.
    LoopClosed,
    /// `uv_loop_close` failed with `UV_EBUSY`.
    LoopBusy,
    /// In a forked child, `uv_loop_fork` was called.
    LoopForked,

    /// `uv_run` was called. `what`: the mode.
    RunBegins,
    /// `uv_run` returns. `what`: whether anything is alive.
    RunEnds,
    /// A phase of an iteration begins. `what`: a [`Phase`].
    PhaseBegins,
    /// The loop is about to block. `detail`: for how many milliseconds, or −1.
    BlockBegins,
    /// The loop no longer blocks. `detail`: the number of descriptors that are ready.
    BlockEnds,
    /// A callback of the program is about to be called. `what`: a [`Callback`]. `detail`: its
    /// address.
    CallbackBegins,
    /// The callback returned: the one of this thread that began last. `what`: as above. No object,
    /// since it may be gone.
    CallbackEnds,

    /// A job is given to the pool. `object`: the job, a member of its request. `detail`: the
    /// request.
    JobQueued,
    /// A job begins to run: on a worker, or on the loop's thread if it cannot block or there is no
    /// worker. `object`: the job.
    JobBegins,
    /// The job has run. `object`: the job.
    JobEnds,
    /// A file operation was done inline instead. `object`: its job. `detail`: its request.
    DoneInline,

    /// A thread woke the loop, which blocks. `detail`: the async handle that was sent, or 0 for a
    /// completion.
    LoopWoken,
    /// A handle received bytes. `detail`: how many.
    Received,
    /// A handle sent bytes. `detail`: how many.
    Sent,
}

const _: () = assert!(Event::Sent as u32 + 1 == EVENT_COUNT);

/// The phases of an iteration.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Timers that are due.
    Timers,
    /// Callbacks put off to this iteration.
    Pending,
    /// Idle handles.
    Idle,
    /// Prepare handles.
    Prepare,
    /// Messages and descriptors.
    Poll,
    /// Check handles.
    Check,
    /// Handles that were closed.
    Closing,
}

/// The kinds of callbacks. `object` is the handle or request that the callback is given.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callback {
    /// `uv_close_cb`, of a handle.
    Close,
    /// `uv_alloc_cb`, of a handle.
    Alloc,
    /// `uv_walk_cb`, of a handle.
    Walk,
    /// `uv_timer_cb`.
    Timer,
    /// `uv_prepare_cb`, `uv_check_cb` or `uv_idle_cb`.
    Phase,
    /// `uv_async_cb`.
    Async,
    /// `uv_poll_cb`.
    Poll,
    /// `uv_signal_cb`.
    Signal,
    /// `uv_exit_cb`, of a process.
    Exit,
    /// `uv_fs_event_cb`.
    FsEvent,
    /// `uv_fs_poll_cb`.
    FsPoll,
    /// `uv_connection_cb`, of a stream.
    Connection,
    /// `uv_read_cb`, of a stream.
    Read,
    /// `uv_write_cb`, of a request.
    Write,
    /// `uv_connect_cb`, of a request.
    Connect,
    /// `uv_shutdown_cb`, of a request.
    Shutdown,
    /// `uv_udp_recv_cb`, of a handle.
    UdpReceive,
    /// `uv_udp_send_cb`, of a request.
    UdpSend,
    /// `uv_fs_cb`, of a request.
    Fs,
    /// `uv_work_cb`, of a request, on a worker.
    Work,
    /// `uv_after_work_cb`, of a request.
    AfterWork,
    /// `uv_getaddrinfo_cb`, of a request.
    AddressInfo,
    /// `uv_getnameinfo_cb`, of a request.
    NameInfo,
    /// `uv_random_cb`, of a request.
    Random,
}

/// An instrument's function. It is called on the thread on which the event happens, must not call
/// the library, and must leave errno as it is.
///
/// # Safety
/// `what` and `detail` must be those of the event.
pub type Report =
    unsafe extern "C" fn(event: Event, what: u32, object: *const c_void, detail: usize);

/// The one function that the object with the instruments exports, as `oxuv_diagnose_start`. It is
/// given the library's [`EVENT_COUNT`], and returns the function that events are reported to;
/// `None` if nothing is to be observed.
pub type Start = unsafe extern "C" fn(event_count: u32) -> Option<Report>;
