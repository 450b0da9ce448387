//! Work that may use memory only: for callers on whom others wait, such as an event loop or a
//! thread that holds an interpreter's lock. They try in memory first, and go elsewhere only when
//! they must.

use crate::error::{Error, ErrorKind, Result};
use std::cell::Cell;

/// How far the work of this thread may go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// As usual: disks, networks and slow hashes.
    Anything,
    /// All but other servers.
    Machine,
    /// Memory only.
    Memory,
}

/// How far it may go, and what it has wanted beyond that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    within: Within,
    /// A disk, a slow hash, or a lock that others hold while they wait.
    pub(crate) wanted_more: bool,
    /// Another server.
    pub(crate) wanted_others: bool,
}

impl Reach {
    const fn of(within: Within) -> Self {
        Self { within, wanted_more: false, wanted_others: false }
    }
}

thread_local! {
    static REACH: Cell<Reach> = const { Cell::new(Reach::of(Within::Anything)) };
}

/// What the refused work sees; its caller sees `None`.
const NEEDS_MORE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "More than memory is needed for this; try again where it may wait.",
);

/// Does the work if memory is enough for it. `None`: it needs a disk, a network, a slow hash, or a
/// lock that others hold while they wait for one of those. Then do it where it may wait.
///
/// This costs a nanosecond or two, so it is meant for calls that are nearly always over in a
/// microsecond: [`crate::ApiKeys::verify`], [`crate::Verifier::verify`], [`crate::Signer::sign`].
/// Of these, one that ends with `None` has taken nothing from a rate or credits and noted no use.
/// It is about this thread only. Operations with public keys are not refused; see
/// [`crate::Verifier::is_symmetric`].
///
/// A [`crate::Clock`], [`crate::jwk::KeySource`], [`crate::jwt::RevocationList`],
/// [`crate::store::Backend`] or [`crate::transport::Transport`] of the program's own is called as
/// usual; it can ask [`beyond_memory`].
///
/// ```
/// use gatekey::{ApiKeys, Peppers, Secret};
/// use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
/// use gatekey::reach::in_memory;
/// use gatekey::store::MemoryStore;
/// use std::sync::Arc;
///
/// let peppers = Peppers::new(&[(1, Secret::new(vec![7; 32]))])?; // from a file, in production
/// let keys = ApiKeys::open(Arc::new(MemoryStore::new()), peppers, ApiKeyOptions::new())?;
/// let key = keys.create(&KeySpec::new("acme"))?.secret;
///
/// let verify = || keys.verify(key.expose(), &Check::new());
/// let granted = match in_memory(verify) {
///     Some(decided) => decided?,
///     None => std::thread::scope(|scope| scope.spawn(verify).join()).unwrap()?,
/// };
/// assert_eq!(granted.owner(), "acme");
/// # Ok::<(), gatekey::Error>(())
/// ```
#[inline]
pub fn in_memory<T>(work: impl FnOnce() -> T) -> Option<T> {
    let (done, reach) = within(Within::Memory, work);
    if reach == Reach::of(Within::Memory) { Some(done) } else { None }
}

/// Does the work, and tells what it has wanted beyond its reach; what it says then is of no use.
#[inline]
pub(crate) fn within<T>(most: Within, work: impl FnOnce() -> T) -> (T, Reach) {
    // Found once: this is most of what it costs.
    REACH.with(|reach| {
        let _restored = Restored { reach, before: reach.replace(Reach::of(most)) };
        let done = work();
        (done, reach.get())
    })
}

/// Whether this thread may ask other servers itself.
#[inline]
pub(crate) fn may_ask() -> bool {
    REACH.get().within == Within::Anything
}

/// Whether this thread may use memory only, for what can as well be left for another time.
#[inline]
pub(crate) fn is_in_memory() -> bool {
    REACH.get().within == Within::Memory
}

/// Said by what is about to ask a disk or a network, or to wait for someone who does.
///
/// # Errors
/// `StoreUnavailable`: this thread is inside of [`in_memory`], which ends with `None` now.
#[inline]
pub fn beyond_memory() -> Result<()> {
    let reach = REACH.get();
    if reach.within == Within::Memory {
        REACH.set(Reach { wanted_more: true, ..reach });
        return Err(NEEDS_MORE);
    }
    Ok(())
}

/// Said by what is about to ask another server, or to wait for someone who does.
///
/// # Errors
/// `StoreUnavailable`: this thread may not.
#[inline]
pub(crate) fn beyond_machine() -> Result<()> {
    let reach = REACH.get();
    if reach.within == Within::Anything {
        return Ok(());
    }
    REACH.set(Reach { wanted_others: true, ..reach });
    Err(NEEDS_MORE)
}

/// What holds around the work, again at its end, and when it panics.
struct Restored<'a> {
    reach: &'a Cell<Reach>,
    before: Reach,
}

impl Drop for Restored<'_> {
    #[inline]
    fn drop(&mut self) {
        self.reach.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_enough_until_more_is_asked_for() {
        assert_eq!(in_memory(|| 1), Some(1));
        assert!(beyond_memory().is_ok());
        assert_eq!(in_memory(|| beyond_memory().is_err()), None);
        // Who swallows the error does not get away with it.
        assert_eq!(
            in_memory(|| {
                let _ = beyond_memory();
                1
            }),
            None
        );
        assert!(beyond_memory().is_ok());
    }

    #[test]
    fn each_level_and_each_thread_has_its_own() {
        let outer = in_memory(|| {
            assert_eq!(in_memory(beyond_memory), None);
            let elsewhere = std::thread::scope(|scope| scope.spawn(beyond_memory).join());
            assert!(elsewhere.unwrap().is_ok());
            1
        });
        assert_eq!(outer, Some(1));
        assert!(beyond_memory().is_ok());
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let caught = std::panic::catch_unwind(|| {
            in_memory(|| assert!(std::env::args().count() == usize::MAX))
        });
        assert!(caught.is_err());
        assert!(beyond_memory().is_ok());
    }
}
