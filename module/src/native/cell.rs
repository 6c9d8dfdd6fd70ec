//! The one global: the module's state, touched on the server's main thread only.

use std::cell::RefCell;

use crate::state::State;

struct MainThread(RefCell<Option<State>>);

// SAFETY: the server runs commands, timers, events and type callbacks on its main thread; the one
// callback that may run elsewhere, `free`, does not come here. A forked child has its own copy.
unsafe impl Sync for MainThread {}

static STATE: MainThread = MainThread(RefCell::new(None));

/// Runs `f` with the state. No call of the server may be made inside: it could call back.
pub(crate) fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
    let mut state = STATE.0.borrow_mut();
    f(state.get_or_insert_with(State::new))
}
