//! A thread of the library's own that does something every so often.

use super::process::generation;
use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread that does something every so often until it is stopped.
pub(crate) struct Ticker {
    /// The process whose thread it is; a child has none.
    generation: u64,
    stop: Arc<Stop>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Stop {
    told: Mutex<bool>,
    bell: Condvar,
}

thread_local! {
    /// Whether this is the thread of a ticker, which cannot wait for itself.
    static IS_TICKER: Cell<bool> = const { Cell::new(false) };
}

impl Ticker {
    /// Calls `tick` every `milliseconds` until it answers false or the ticker is stopped. `None` if
    /// the system gives no thread.
    pub(crate) fn start(
        milliseconds: u64,
        mut tick: impl FnMut() -> bool + Send + 'static,
    ) -> Option<Self> {
        let stop = Arc::new(Stop::default());
        let own = Arc::clone(&stop);
        let work = move || {
            IS_TICKER.set(true);
            while own.sleep(milliseconds) && tick() {}
        };
        let thread = std::thread::Builder::new().name("gatekey".to_owned()).spawn(work).ok()?;
        Some(Self { generation: generation(), stop, thread })
    }

    /// Stops the thread and waits for its end, so that nothing of it runs when the library is
    /// unloaded. On the thread itself, and in a child that has no such thread, does not wait.
    pub(crate) fn stop(self) {
        if self.generation != generation() {
            std::mem::forget(self);
            return;
        }
        *self.stop.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.bell.notify_all();
        if !IS_TICKER.get() {
            // A tick that panicked has said so already.
            let _ = self.thread.join();
        }
    }
}

impl Stop {
    /// Whether the whole time has passed without a word.
    fn sleep(&self, milliseconds: u64) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let time = Duration::from_millis(milliseconds);
        let told = self.bell.wait_timeout_while(told, time, |told| !*told);
        !*told.unwrap_or_else(PoisonError::into_inner).0
    }
}
