//! Time and randomness from C. A callback is a function, a pointer that it is given back, and a
//! function that releases that pointer when the last handle that uses it is gone.

use super::boundary::{Fault, Outcome};
use crate::random::SecureRandom;
use crate::{Clock, ErrorKind};
use libc::c_void;
use std::sync::Arc;

/// A clock, of dates. Called from any thread that verifies or signs, from several at once; must not
/// throw or jump out. How old something is that was read from a store or fetched (max_stale, the 50
/// ms within which changes of other processes are seen) is measured by the system's time, with that
/// in suspend: it may stand still.
///
/// @param user The pointer that the clock was registered with.
/// @return Whole seconds since 1970-01-01T00:00:00Z. After the year 9999, such as UINT64_MAX of a
/// clock that failed, calls that need the time fail with GK_STATUS_INVALID_CONFIGURATION.
pub type gk_clock_fn = Option<unsafe extern "C" fn(user: *mut c_void) -> u64>;

/// A source of randomness. Called like a gk_clock_fn.
///
/// @param user The pointer that the source was registered with.
/// @param out Where to write unpredictable bytes.
/// @param len How many.
/// @return True if all of them were written; false fails the call with
/// GK_STATUS_RANDOM_UNAVAILABLE.
pub type gk_random_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, out: *mut u8, len: usize) -> bool>;

/// Releases the pointer that a callback was registered with. Called exactly once, from any thread,
/// when no handle uses the callback any more.
///
/// @param user The pointer that the callback was registered with.
pub type gk_release_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// The pointer that belongs to a callback.
pub(super) struct User {
    pub(super) data: *mut c_void,
    pub(super) release: gk_release_fn,
}

// SAFETY: anyone who registers a callback promises that it may be called and released on any thread
// and by several at once; the pointer itself is never dereferenced here.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: registered together with this pointer, and called this once.
            unsafe { release(self.data) }
        }
    }
}

struct CallbackClock {
    now: unsafe extern "C" fn(user: *mut c_void) -> u64,
    user: User,
}

impl Clock for CallbackClock {
    fn now(&self) -> u64 {
        // SAFETY: registered together with this pointer, which is not released yet.
        unsafe { (self.now)(self.user.data) }
    }
}

struct CallbackRandom {
    fill: unsafe extern "C" fn(user: *mut c_void, out: *mut u8, len: usize) -> bool,
    user: User,
}

impl SecureRandom for CallbackRandom {
    fn fill(&self, out: &mut [u8]) -> crate::Result<()> {
        // SAFETY: registered together with this pointer, which is not released yet; `out` is
        // writable for its length.
        let filled = unsafe { (self.fill)(self.user.data, out.as_mut_ptr(), out.len()) };
        if filled { Ok(()) } else { Err(ErrorKind::RandomUnavailable.into()) }
    }
}

/// The clock; takes the pointer over in any case.
pub(super) fn clock(
    now: gk_clock_fn,
    data: *mut c_void,
    release: gk_release_fn,
) -> Outcome<Arc<dyn Clock>> {
    let user = User { data, release };
    let now = now.ok_or(Fault::Null("now"))?;
    Ok(Arc::new(CallbackClock { now, user }))
}

/// The source of randomness; takes the pointer over in any case.
pub(super) fn random(
    fill: gk_random_fn,
    data: *mut c_void,
    release: gk_release_fn,
) -> Outcome<Arc<dyn SecureRandom>> {
    let user = User { data, release };
    let fill = fill.ok_or(Fault::Null("fill"))?;
    Ok(Arc::new(CallbackRandom { fill, user }))
}
