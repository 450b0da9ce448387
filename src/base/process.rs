//! The process itself, which may have been forked from the one that opened something, and a thread of
//! its own that ticks.

use std::time::Duration;

/// The number of this process: another one after a fork.
pub(crate) fn id() -> u32 {
    std::process::id()
}

/// Calls `tick` every `milliseconds` on a thread of this process until it answers false. False at
/// once if the system gives no thread.
pub(crate) fn every(milliseconds: u64, mut tick: impl FnMut() -> bool + Send + 'static) -> bool {
    let work = move || {
        loop {
            std::thread::sleep(Duration::from_millis(milliseconds));
            if !tick() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("gatekey".to_owned()).spawn(work).is_ok()
}
