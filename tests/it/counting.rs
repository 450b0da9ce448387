//! A global allocator that counts what each thread asks of it.
//!
//! Shared with `tests/no_alloc.rs`. Counting is per thread, so tests that run side by side do not
//! disturb one another.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    // During thread teardown the counters are gone; nothing is measured then.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    let _ = BYTES.try_with(|total| total.set(total.get() + bytes as u64));
}

#[expect(
    unsafe_code,
    reason = "an allocator cannot be written without; it only forwards to the system's"
)]
// SAFETY: every call is forwarded unchanged to `System`, which upholds the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(old, layout) }
    }
}

/// What one call asked of the allocator, on this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Calls of alloc, alloc_zeroed and realloc.
    pub(crate) calls: u64,
    /// Bytes asked for by them.
    pub(crate) bytes: u64,
}

/// Runs `work` and counts; dropping its result is not counted (freeing never is).
pub(crate) fn count<T>(work: impl FnOnce() -> T) -> (T, Asked) {
    let before = (CALLS.get(), BYTES.get());
    let result = work();
    (result, Asked { calls: CALLS.get() - before.0, bytes: BYTES.get() - before.1 })
}

#[test]
fn the_counter_counts() {
    let (text, asked) = count(|| String::from("one"));
    assert_eq!((text.as_str(), asked.calls, asked.bytes), ("one", 1, 3));
    let ((), asked) = count(|| ());
    assert_eq!(asked, Asked { calls: 0, bytes: 0 });
}
