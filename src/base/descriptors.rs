//! Open files that a forked child must not keep: a lock of `flock` belongs to the open file and not to the process, so
//! that a child's copy of the descriptor keeps it when the parent has been killed. What the parent holds stands in a
//! table of a fixed size, and the child closes it first of all, which allocates nothing and takes no lock.
//!
//! A bare system call that goes round `pthread_atfork` copies the descriptors all the same.

#![allow(
    unsafe_code,
    reason = "in a child, descriptors are closed behind the back of what holds them; see above"
)]

use super::process::{enter, generation};
use std::fmt;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

/// What is open at once, at most; what is beyond it is copied into children.
static OPEN: [AtomicI32; 256] = [const { AtomicI32::new(NONE) }; 256];
const NONE: i32 = -1;

/// Something with a descriptor, which only the process has that opened it.
pub(crate) struct OnlyHere<T: AsRawFd> {
    held: ManuallyDrop<T>,
    place: Option<&'static AtomicI32>,
    generation: u64,
}

impl<T: AsRawFd> OnlyHere<T> {
    /// Opens it. No fork comes between the opening and the entry in the table.
    ///
    /// # Errors
    /// Those of `open`.
    pub(crate) fn open<E>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        let _inside = enter();
        let held = open()?;
        let descriptor = held.as_raw_fd();
        let place = OPEN.iter().find(|place| {
            place.compare_exchange(NONE, descriptor, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        Ok(Self { held: ManuallyDrop::new(held), place, generation: generation() })
    }

    /// What is held; none in a child, where it is closed.
    pub(crate) fn get(&self) -> Option<&T> {
        (self.generation == generation()).then_some(&self.held)
    }

    /// As [`Self::get`], to be changed.
    #[cfg(feature = "sqlite")]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        (self.generation == generation()).then_some(&mut *self.held)
    }
}

impl<T: AsRawFd> Drop for OnlyHere<T> {
    fn drop(&mut self) {
        let _inside = enter();
        let descriptor = self.held.as_raw_fd();
        let is_open = self.place.is_none_or(|place| {
            place.compare_exchange(descriptor, NONE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        // In a child, the number may be that of another file by now.
        if is_open {
            // SAFETY: this once, and nothing is done with it afterwards.
            unsafe { ManuallyDrop::drop(&mut self.held) };
        }
    }
}

impl<T: AsRawFd> fmt::Debug for OnlyHere<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlyHere").field("descriptor", &self.held.as_raw_fd()).finish()
    }
}

/// In a child, before anything else: closes what is the parent's.
pub(super) fn close_in_child() {
    for place in &OPEN {
        let descriptor = place.swap(NONE, Ordering::AcqRel);
        if descriptor != NONE {
            // SAFETY: opened by the process that this one is a copy of, and used by no thread that is there: who holds
            // it finds its place empty, and leaves the number alone.
            let _ = unsafe { libc::close(descriptor) };
        }
    }
}
