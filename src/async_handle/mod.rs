//! Async handles: waking the loop from other threads and from signal handlers.
//!
//! A send marks its handle pending and, if it was not, puts it on a lock-free stack of the loop.
//! The loop takes the stack whenever it polls. Only while it blocks there, or does not run, does a
//! send wake it, by writing to its eventfd, and only the first one does. So a send costs as much
//! with many handles as with one, and many sends cost at most one wake-up. Handles that were not
//! sent cost nothing. The callbacks of handles that are pending together run in the order in which
//! the handles were made (`walk`): programs rely on that.
//!
//! The eventfd is watched for changes, not for its count, and so is never read: each write is one
//! event.
//!
//! A handle may be closed while another thread is in the middle of a send. `pending` counts the
//! senders that are putting it on the stack, and closing waits for those. A sender that finds the
//! handle pending has nothing to do, so closing need not wait for it.
//!
//! Every atomic operation but the mark that the loop runs is sequentially consistent. Programs
//! such as BIND rely on a send and the callback being full fences.
//!
//! <https://docs.libuv.org/en/v1.x/async.html>

mod order;
pub(crate) mod walk;

use core::ffi::c_int;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use order::Place;
use walk::Walk;

use crate::abi::*;
use crate::backend::ready;
use crate::errors::{IntoCode, Result};
use crate::event_loop::Loop;
use crate::event_loop::io::{Io, Watcher};
use crate::handle::{Handle, flags};
use crate::list::{Link, Linked, List, linked};
use crate::observe::{self, Event, call_back};
use crate::sys::fd;
use crate::sys::memory::prefetch;
use crate::sys::shared::{self, AtomicI32, fence};
use crate::view::{addr, beginning, container, get, member, set, upcast, view};

/// Bits of `uv_async_t.pending`: the handle was sent, and its callback has not begun. Above that
/// bit is the number of senders that are putting it on the stack.
const PENDING: c_int = 1;
const SENDER: c_int = 2;

view!(
    /// An async handle.
    Async => uv_async_t
);
linked!(
    /// The link on the stack of the sent handles.
    sent_link: Async in uv_async_t.queue
);

impl Async {
    upcast!(pub(crate) handle: Handle);

    /// `UV_EINVAL` for another kind of handle.
    #[inline]
    fn expected(self) -> Result<Async> {
        self.handle().expect(UV_ASYNC).map(|()| self)
    }

    fn pending<'a>(self) -> &'a AtomicI32 {
        // SAFETY: aligned, live, and accessed atomically only once the handle is initialised.
        unsafe { AtomicI32::from_ptr(addr!(self.pending)) }
    }

    container!(from_place: Place in uv_async_t.u);

    fn place(self) -> Place {
        // SAFETY: the handle has no other use for this memory, which has room for a place.
        unsafe { Place::from_ptr(beginning(addr!(self.u.reserved))) }
    }

    pub(crate) fn init(self, event_loop: Loop, callback: uv_async_cb) -> Result {
        start_listening(event_loop)?;
        event_loop.async_walk(|walk| walk.insert(event_loop.async_handles(), self.place()))?;
        self.handle().init(event_loop, UV_ASYNC);
        set!(self.async_cb = callback);
        set!(self.pending = 0);
        self.handle().start();
        Ok(())
    }

    /// Initialises a handle of the library itself, which `uv_walk` skips and which does not keep
    /// the loop alive.
    pub(crate) fn init_internal(self, event_loop: Loop, callback: uv_async_cb) -> Result {
        self.init(event_loop, callback)?;
        self.handle().unreference();
        self.handle().add(flags::INTERNAL);
        Ok(())
    }

    /// Sends the handle, from any thread or a signal handler.
    pub(crate) fn send(self) {
        // This is before the mark, so that both are fetched at once.
        prefetch(addr!(self.queue));
        let event_loop = self.handle().event_loop();
        if self.begin_send() {
            self.finish_send(event_loop);
        }
    }

    /// Puts the handle, which this thread has marked pending, on the stack. From then on it may be
    /// closed.
    fn finish_send(self, event_loop: Loop) {
        // The close of a handle waits for its senders, so this part of the loop is live.
        let state = event_loop.asyncs();
        // SAFETY: the handle is live, since closing it waits for this sender, and in no other list.
        unsafe { state.push_sent(self.sent_link().raw()) };
        if state.wake() {
            let own = self.raw().addr();
            observe::report(Event::LoopWoken, 0, event_loop.raw(), own);
        }
        // This releases the use of the handle and its loop to `close`, which acquires it.
        self.pending().fetch_sub(SENDER, SeqCst);
    }

    /// Marks the handle pending. Returns whether it was not; then the caller counts as a sender.
    fn begin_send(self) -> bool {
        // This is fetched together with the rest of the handle. It is nearly always 0; if not, the
        // exchange below finds out.
        let early = self.pending().load(Relaxed);
        // The thread that clears the mark must see what this one did before. If nothing is written
        // here, this fence, together with the one after clearing, ensures that: either this thread
        // sees the mark cleared, or the other one sees what this one did. It has to be a fence, since
        // what the program wrote before may be ordinary memory. A load with acquire can overtake
        // such a write on ARM (`LDAR`) and on x86-64; `dmb`, `sync` and `mfence` hold it back.
        fence(SeqCst);
        let mut seen = match early & PENDING {
            0 => early,
            _ => self.pending().load(SeqCst),
        };
        while seen & PENDING == 0 {
            let next = (seen | PENDING) + SENDER;
            match self
                .pending()
                .compare_exchange_weak(seen, next, SeqCst, SeqCst)
            {
                Ok(_) => return true,
                Err(other) => seen = other,
            }
        }
        false
    }

    pub(crate) fn close(self) {
        // From here on sends have no effect. Changes of one word that read and write at once are in
        // one order on every processor. So a sender came before this, and is counted, or finds the
        // mark. The load acquires what the last sender has released.
        let was_pending = self.pending().fetch_or(PENDING, SeqCst) & PENDING != 0;
        while self.pending().load(SeqCst) >= SENDER {
            // SAFETY: takes no arguments.
            unsafe { shared::sched_yield() };
        }
        let event_loop = self.handle().event_loop();
        if was_pending {
            collect_sent(event_loop);
        }
        event_loop.async_walk(|walk| walk.remove(event_loop.async_handles(), self.place()));
        self.handle().stop();
    }

    fn invoke(self) {
        if let Some(callback) = get!(self.async_cb) {
            // SAFETY: the user's callback gets the handle it was registered for, which nothing
            // here touches afterwards.
            unsafe { call_back!(Async: callback(self.raw())) }
        }
    }
}

/// Marks the handles that were sent.
#[inline]
fn collect_sent(event_loop: Loop) {
    if !event_loop.asyncs().any_sent() {
        return;
    }
    event_loop.async_walk(|walk| {
        // SAFETY: links on the stack are members of live handles, and this thread's once taken.
        for link in unsafe { event_loop.asyncs().take_sent() } {
            // SAFETY: as above.
            let handle = unsafe { Async::member(Link::from_ptr(link)) };
            walk.mark(handle.place());
        }
    });
}

/// Begins a walk, which [`deliver`] continues. Completions are delivered between the two: what
/// their callbacks do counts as done at the beginning of the walk.
#[inline]
pub(crate) fn begin(event_loop: Loop) {
    event_loop.async_walk(|walk| walk.begin());
}

/// Runs the callbacks of the sent handles; returns how many.
pub(crate) fn deliver(event_loop: Loop) -> u64 {
    let mut count = 0;
    loop {
        // Other threads may have sent, or the last callback.
        collect_sent(event_loop);
        let Some(place) = event_loop.async_walk(|walk| walk.next()) else {
            break;
        };
        let handle = Async::from_place(place);
        handle.pending().fetch_and(!PENDING, SeqCst);
        // The callback must not read before the mark is cleared: `begin_send` has the other fence.
        // On ARM an exchange does not hold back the loads behind it until its write is seen.
        fence(SeqCst);
        handle.invoke();
        count += 1;
    }
    event_loop.async_walk(Walk::end);
    count
}

impl Loop {
    member!(
        /// Async handles that are not closing, in the order in which their callbacks run.
        async_handles: List<Place> = async_handles
    );
    member!(async_watcher: Io = async_io_watcher);
}

/// Initialises the loop's list of async handles, and its watcher.
pub(crate) fn loop_init(event_loop: Loop) {
    event_loop.async_handles().init();
    event_loop.async_watcher().init(Watcher::Async, -1);
}

/// Opens the loop's eventfd, unless it is open.
fn start_listening(event_loop: Loop) -> Result {
    if let Some(wakeup) = event_loop.async_watcher().open_eventfd(event_loop)? {
        event_loop.asyncs().set_wakeup_fd(wakeup);
        event_loop
            .async_watcher()
            .start(event_loop, ready::READABLE | ready::EDGE);
    }
    Ok(())
}

pub(crate) fn loop_cleanup(event_loop: Loop) {
    event_loop
        .async_watcher()
        .close_eventfd(event_loop, Watcher::Async);
}

/// In a forked child: drops the sends of the parent, and opens a new eventfd, since the old one is
/// shared.
pub(crate) fn loop_fork(event_loop: Loop) -> Result {
    event_loop.asyncs().reset_after_fork();
    for place in event_loop.async_handles().iter() {
        event_loop.async_walk(|walk| walk.unmark(place));
        Async::from_place(place).pending().store(0, SeqCst);
    }
    loop_cleanup(event_loop);
    // If no new one can be opened, nothing may write to the old number, which another descriptor
    // may get.
    event_loop.asyncs().set_wakeup_fd(-1);
    start_listening(event_loop)?;
    event_loop.asyncs().reset_wake_after_fork();
    Ok(())
}

/// The loop was woken. The messages are delivered whenever it polls, so there is no more to do.
pub(crate) fn on_readable(event_loop: Loop) {
    if ready::EDGE == 0 {
        fd::eventfd_drain(event_loop.async_watcher().fd());
    }
}

// C entry points

/// Initialises an async handle, active from the start. `async_cb`, which may be `NULL`, is called
/// on the loop's thread after `uv_async_send`.
///
/// The callbacks of handles that are pending together run in the order in which the handles were
/// made.
///
/// Returns 0 or an error, such as `UV_EMFILE` or `UV_ENOMEM`.
///
/// <https://docs.libuv.org/en/v1.x/async.html#c.uv_async_init>
///
/// # Safety
/// `loop` must be initialised, `async` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_async_init(
    r#loop: *mut uv_loop_t,
    r#async: *mut uv_async_t,
    async_cb: uv_async_cb,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { Async::from_ptr(r#async).init(Loop::from_ptr(r#loop), async_cb) }.into_code()
}

/// Wakes the loop, which then calls the handle's callback; once for several sends before that. May
/// be called from any thread and from signal handlers. Sending to a closing handle has no effect.
///
/// Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/async.html#c.uv_async_send>
///
/// # Safety
/// `async` must be initialised, and its memory not yet released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_async_send(r#async: *mut uv_async_t) -> c_int {
    // SAFETY: common pointer contract, except that other threads may use the handle: sending
    // touches atomic fields and what does not change while the handle is open.
    unsafe { Async::from_ptr(r#async) }
        .expected()
        .map(Async::send)
        .into_code()
}
