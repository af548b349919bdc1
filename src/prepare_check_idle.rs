//! Prepare, check and idle handles: a callback once an iteration. Prepare callbacks run right
//! before the loop polls, check callbacks right after, and idle callbacks before the prepare
//! phase. A started idle handle keeps the loop from blocking. Handles of a phase run in the
//! reverse order of their starts.
//!
//! <https://docs.libuv.org/en/v1.x/prepare.html>, `check.html`, `idle.html`

use core::ffi::c_int;

use crate::abi::*;
use crate::errors::{Errno, IntoCode, Result};
use crate::event_loop::Loop;
use crate::handle::Handle;
use crate::list::{Linked, List, linked, local};
use crate::observe::call_back;
use crate::view::{get, member, set, upcast, view};

view!(
    /// A prepare handle.
    Prepare => uv_prepare_t
);
view!(
    /// A check handle.
    Check => uv_check_t
);
view!(
    /// An idle handle.
    Idle => uv_idle_t
);

/// What the three kinds have in common.
trait Phase: Linked<Member = Self> + Copy {
    const KIND: uv_handle_type;
    /// The started handles of the kind.
    fn started(event_loop: Loop) -> List<Self>;
    fn handle(self) -> Handle;
    fn has_callback(self) -> bool;
    fn invoke(self);
}

fn init<P: Phase>(phase: P, event_loop: Loop) {
    phase.handle().init(event_loop, P::KIND);
    P::link(phase).init();
}

/// Starts, with `set_callback` storing the callback; starting a started handle changes nothing.
fn start<P: Phase>(phase: P, has_callback: bool, set_callback: impl FnOnce()) -> Result {
    let handle = phase.handle();
    handle.expect(P::KIND)?;
    if handle.is_active() {
        return Ok(());
    }
    if !has_callback {
        return Err(Errno::EINVAL);
    }
    set_callback();
    P::started(handle.event_loop()).push_front(phase);
    handle.start();
    Ok(())
}

/// Stops, if it is started and of this kind.
fn stop<P: Phase>(phase: P) {
    if phase.handle().is_active() && phase.handle().expect(P::KIND).is_ok() {
        P::link(phase).remove();
        phase.handle().stop();
    }
}

fn run<P: Phase>(event_loop: Loop) {
    if P::started(event_loop).is_empty() {
        return;
    }
    local!(todo);
    P::started(event_loop).take(todo);
    while let Some(phase) = todo.pop_front() {
        P::started(event_loop).push_back(phase);
        debug_assert!(phase.has_callback());
        phase.invoke();
    }
}

pub(crate) fn run_idle(event_loop: Loop) {
    run::<Idle>(event_loop);
}

pub(crate) fn run_prepare(event_loop: Loop) {
    run::<Prepare>(event_loop);
}

pub(crate) fn run_check(event_loop: Loop) {
    run::<Check>(event_loop);
}

/// Implements `Phase` for a view. The three kinds differ in names only.
macro_rules! phase {
    ($view:ident, $raw:ident, $kind:ident, $list:ident, $callback:ident) => {
        impl Phase for $view {
            const KIND: uv_handle_type = $kind;

            fn started(event_loop: Loop) -> List<Self> {
                event_loop.$list()
            }

            upcast!(handle: Handle);

            fn has_callback(self) -> bool {
                get!(self.$callback).is_some()
            }

            fn invoke(self) {
                if let Some(callback) = get!(self.$callback) {
                    // SAFETY: the user's callback gets the handle it was registered for, which
                    // nothing here touches afterwards.
                    unsafe { call_back!(Phase: callback(self.raw())) }
                }
            }
        }

        linked!(link: $view in $raw.queue);

        impl Loop {
            member!(
                /// The started handles of the kind.
                pub(crate) $list: List<$view> = $list
            );
        }

        impl $view {
            pub(crate) fn stop(self) {
                stop(self);
            }
        }
    };
}

phase!(
    Prepare,
    uv_prepare_t,
    UV_PREPARE,
    prepare_handles,
    prepare_cb
);
phase!(Check, uv_check_t, UV_CHECK, check_handles, check_cb);
phase!(Idle, uv_idle_t, UV_IDLE, idle_handles, idle_cb);

// C entry points

/// Initialises a prepare handle, which is not started. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/prepare.html#c.uv_prepare_init>
///
/// # Safety
/// `loop` must be initialised, `prepare` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_prepare_init(
    r#loop: *mut uv_loop_t,
    prepare: *mut uv_prepare_t,
) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { init(Prepare::from_ptr(prepare), Loop::from_ptr(r#loop)) };
    0
}

/// Starts the handle: `cb` is called once an iteration, right before the loop polls.
///
/// Returns 0, also when it was started already, or `UV_EINVAL` when `cb` is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/prepare.html#c.uv_prepare_start>
///
/// # Safety
/// `prepare` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_prepare_start(prepare: *mut uv_prepare_t, cb: uv_prepare_cb) -> c_int {
    // SAFETY: common pointer contract.
    let phase = unsafe { Prepare::from_ptr(prepare) };
    start(phase, cb.is_some(), || set!(phase.prepare_cb = cb)).into_code()
}

/// Stops the handle. Returns 0, also for one not started.
///
/// <https://docs.libuv.org/en/v1.x/prepare.html#c.uv_prepare_stop>
///
/// # Safety
/// `prepare` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_prepare_stop(prepare: *mut uv_prepare_t) -> c_int {
    // SAFETY: common pointer contract.
    stop(unsafe { Prepare::from_ptr(prepare) });
    0
}

/// Initialises a check handle, which is not started. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/check.html#c.uv_check_init>
///
/// # Safety
/// `loop` must be initialised, `check` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_check_init(r#loop: *mut uv_loop_t, check: *mut uv_check_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { init(Check::from_ptr(check), Loop::from_ptr(r#loop)) };
    0
}

/// Starts the handle: `cb` is called once an iteration, right after the loop polled.
///
/// Returns 0, also when it was started already, or `UV_EINVAL` when `cb` is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/check.html#c.uv_check_start>
///
/// # Safety
/// `check` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_check_start(check: *mut uv_check_t, cb: uv_check_cb) -> c_int {
    // SAFETY: common pointer contract.
    let phase = unsafe { Check::from_ptr(check) };
    start(phase, cb.is_some(), || set!(phase.check_cb = cb)).into_code()
}

/// Stops the handle. Returns 0, also for one not started.
///
/// <https://docs.libuv.org/en/v1.x/check.html#c.uv_check_stop>
///
/// # Safety
/// `check` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_check_stop(check: *mut uv_check_t) -> c_int {
    // SAFETY: common pointer contract.
    stop(unsafe { Check::from_ptr(check) });
    0
}

/// Initialises an idle handle, which is not started. Returns 0.
///
/// <https://docs.libuv.org/en/v1.x/idle.html#c.uv_idle_init>
///
/// # Safety
/// `loop` must be initialised, `idle` writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_idle_init(r#loop: *mut uv_loop_t, idle: *mut uv_idle_t) -> c_int {
    // SAFETY: common pointer contract.
    unsafe { init(Idle::from_ptr(idle), Loop::from_ptr(r#loop)) };
    0
}

/// Starts the handle: `cb` is called once an iteration, before the prepare handles, and the loop
/// does not block.
///
/// Returns 0, also when it was started already, or `UV_EINVAL` when `cb` is `NULL`.
///
/// <https://docs.libuv.org/en/v1.x/idle.html#c.uv_idle_start>
///
/// # Safety
/// `idle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_idle_start(idle: *mut uv_idle_t, cb: uv_idle_cb) -> c_int {
    // SAFETY: common pointer contract.
    let phase = unsafe { Idle::from_ptr(idle) };
    start(phase, cb.is_some(), || set!(phase.idle_cb = cb)).into_code()
}

/// Stops the handle. Returns 0, also for one not started.
///
/// <https://docs.libuv.org/en/v1.x/idle.html#c.uv_idle_stop>
///
/// # Safety
/// `idle` must be initialised.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn uv_idle_stop(idle: *mut uv_idle_t) -> c_int {
    // SAFETY: common pointer contract.
    stop(unsafe { Idle::from_ptr(idle) });
    0
}
