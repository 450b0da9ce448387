//! The process itself, which may have been forked from the one that opened something, and a thread of
//! its own that ticks.

use arc_swap::ArcSwap;
use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The number of this process: another one after a fork.
pub(crate) fn id() -> u32 {
    std::process::id()
}

/// The lock, whoever died holding it: only for what cannot be left half done, or is put right by the
/// next load.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock within this process: one that was held during a fork is never let go of in the child, which gets another.
pub(crate) struct OwnLock<T>(ArcSwap<Held<T>>);

struct Held<T> {
    pid: u32,
    mutex: Mutex<T>,
}

impl<T: Default> OwnLock<T> {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(Held { pid: id(), mutex: Mutex::default() }))
    }

    /// Works while nobody else in this process does.
    pub(crate) fn locked<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut lock(&self.held().mutex))
    }

    /// As [`Self::locked`]; `None` if somebody else is at it.
    pub(crate) fn try_locked<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let held = self.held();
        let mut guard = match held.mutex.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(work(&mut guard))
    }

    fn held(&self) -> Arc<Held<T>> {
        let held = self.0.load_full();
        if held.pid == id() {
            return held;
        }
        // Two threads of a new child may come here; both end with the one that was first.
        self.0.compare_and_swap(&held, Arc::new(Held { pid: id(), mutex: Mutex::default() }));
        self.0.load_full()
    }
}

/// A thread that does something every so often until it is stopped.
pub(crate) struct Ticker {
    /// The process whose thread it is; a child has none.
    pid: u32,
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
        Some(Self { pid: id(), stop, thread })
    }

    /// Stops the thread and waits for its end, so that nothing of it runs when the library is
    /// unloaded. On the thread itself, and in a child that has no such thread, does not wait.
    pub(crate) fn stop(self) {
        if self.pid != id() {
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
