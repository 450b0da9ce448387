//! Open files that a forked child must not keep: a lock of `flock` belongs to the open file and not
//! to the process, so that a child's copy of the descriptor keeps it when the parent has been
//! killed. What the parent holds stands in a table of a fixed size, and the child closes it first
//! of all, which allocates nothing and takes no lock.
//!
//! A bare system call that goes round `pthread_atfork` still copies the descriptors.

use super::process::{close_copied, enter, generation};
use std::fmt;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

/// What is open at once, at most; what is beyond it is copied into children.
static OPEN: [AtomicI32; 256] = [const { AtomicI32::new(NONE) }; 256];
const NONE: i32 = -1;

/// Something with a descriptor, which only the process has that opened it.
pub(crate) struct OnlyHere<T: AsRawFd> {
    /// There until it is dropped.
    held: Option<T>,
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
        Ok(Self { held: Some(held), place, generation: generation() })
    }

    /// What is held; none in a child, where it is closed.
    pub(crate) fn get(&self) -> Option<&T> {
        self.held.as_ref().filter(|_| self.generation == generation())
    }

    /// As [`Self::get`], to be changed.
    #[cfg(feature = "sqlite")]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.held.as_mut().filter(|_| self.generation == generation())
    }
}

impl<T: AsRawFd> Drop for OnlyHere<T> {
    fn drop(&mut self) {
        let _inside = enter();
        let Some(held) = self.held.take() else { return };
        let descriptor = held.as_raw_fd();
        let is_open = self.place.is_none_or(|place| {
            place.compare_exchange(descriptor, NONE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        // In a child, the number may be that of another file by now.
        if !is_open {
            std::mem::forget(held);
        }
    }
}

impl<T: AsRawFd> fmt::Debug for OnlyHere<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlyHere")
            .field("descriptor", &self.held.as_ref().map(AsRawFd::as_raw_fd))
            .finish()
    }
}

/// In a child, before anything else: closes what is the parent's.
pub(super) fn close_in_child() {
    for place in &OPEN {
        let descriptor = place.swap(NONE, Ordering::AcqRel);
        if descriptor != NONE {
            close_copied(descriptor);
        }
    }
}
