//! Takes requests from the rate of a key. The number of [`gcra`] stands in a table that the
//! processes of one machine share, or, where there is no table or no room in it, in the memory of
//! this process.
//!
//! The time is the wall clock's, which means the same to all processes and after a reboot. A clock
//! that steps ahead forgives what would have drained meanwhile; one that steps back makes a key
//! wait for one period at most. Processes that share a table must agree about the time, whatever
//! clock they were given.

use super::format::KeyId;
use super::hot::Hot;
use super::limit::{gcra, rescale, settled, unit_and_burst, unit_of};
use super::mirror::hash;
use super::profile::Profile;
use crate::base::clock::{Clock, NANOS, date_at, plausible_nanos};
use crate::base::reach::beyond_memory;
use crate::crypto::hash::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{
    ApiKeyStore, Counted, Counter, Entry, LimitPlace, LimitTable, Limits, Rate, SharedLimits, share,
};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often a place in the table is tried that others keep changing.
const TRIES: usize = 1000;

/// Where this process counts.
pub(super) struct Counts {
    /// Where the table is; none if each process counts for itself.
    place: Option<LimitPlace>,
    state: ArcSwap<State>,
    /// A key was not counted in the table because there was no room.
    full: AtomicBool,
    /// Whether the clock is the operating system's, of which one reading is enough.
    is_system: bool,
}

enum State {
    /// No key with a rate has been verified yet.
    Untouched,
    Shared(LimitTable),
    /// Machines share the counters; this process counts its part while they cannot be asked.
    Elsewhere(Arc<dyn SharedLimits>),
    /// There is no table, for this reason.
    Alone(Error),
}

/// One request, and the key that it is made with.
pub(super) struct Request<'a> {
    /// The hash of the key's id: see [`hash_of`].
    pub(super) hash: u64,
    pub(super) rate: Rate,
    /// Nanoseconds since the Unix epoch.
    pub(super) now: u64,
    pub(super) cost: u32,
    /// The time that this process knows of.
    pub(super) own: &'a AtomicU64,
}

impl Counts {
    /// # Errors
    /// `InvalidArgument` and those of the file system: the path that was named is not a folder.
    pub(super) fn new(limits: &Limits, store: &dyn ApiKeyStore, clock: &dyn Clock) -> Result<Self> {
        let file = store.file();
        let (place, state) = match (limits, &file) {
            (Limits::Off, _) => (None, State::Alone(OFF)),
            (Limits::Shared(limits), _) => (None, State::Elsewhere(Arc::clone(limits))),
            (Limits::Beside, None) => (None, State::Alone(NOWHERE)),
            (Limits::Beside, Some(file)) => (Some(LimitPlace::beside(file)), State::Untouched),
            (Limits::Folder(folder), file) => {
                // Stores of the same name do not mix.
                let name = file.as_ref().map_or_else(
                    || "gatekey.limits".to_owned(),
                    |file| {
                        let digest = sha256(file.as_os_str().as_encoded_bytes());
                        let first = digest.first_chunk().copied().unwrap_or_default();
                        format!("{:016x}.limits", u64::from_be_bytes(first))
                    },
                );
                (Some(LimitPlace::in_folder(folder, &name)?), State::Untouched)
            }
        };
        let (state, full) = (ArcSwap::from_pointee(state), AtomicBool::new(false));
        Ok(Self { place, state, full, is_system: clock.is_system() })
    }

    /// Opens the table now.
    ///
    /// # Errors
    /// Those of [`LimitTable::open`]; then this process counts for itself.
    #[cold]
    pub(super) fn open(&self, store: &dyn ApiKeyStore) -> Result<()> {
        let Some(place) = &self.place else { return self.check() };
        // Without a lock, which a fork could leave held: what two threads open is the same table.
        match LimitTable::open(place, store.api_key_count().unwrap_or(0)) {
            Ok(table) => self.state.store(Arc::new(State::Shared(table))),
            Err(error) => {
                self.state.store(Arc::new(State::Alone(error.clone())));
                return Err(error);
            }
        }
        self.full.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the table is shared; why not otherwise.
    fn check(&self) -> Result<()> {
        match &**self.state.load() {
            State::Alone(error) => Err(error.clone()),
            State::Shared(_) if self.full.load(Ordering::Relaxed) => Err(FULL),
            State::Elsewhere(limits) => limits.check(),
            State::Shared(_) | State::Untouched => Ok(()),
        }
    }

    /// Opens the table first.
    pub(super) fn check_now(&self, store: &dyn ApiKeyStore) -> Result<()> {
        self.look(store);
        if matches!(&**self.state.load(), State::Untouched) {
            self.open(store)?;
        }
        self.check()
    }

    /// Opens the table again if someone has deleted, replaced, cut off or overwritten it. For each
    /// look at the store, so that few requests are counted in memory that is gone.
    pub(super) fn notice(&self, store: &dyn ApiKeyStore) {
        if matches!(&**self.state.load(), State::Shared(table) if !table.is_current()) {
            let _ = self.open(store);
        }
    }

    /// As [`Self::notice`], and opens it if it could not be opened before. Not on
    /// the way of a request.
    pub(super) fn look(&self, store: &dyn ApiKeyStore) {
        let again = match &**self.state.load() {
            State::Untouched | State::Elsewhere(_) => false,
            State::Shared(table) => !table.is_current(),
            State::Alone(_) => self.place.is_some(),
        };
        if again {
            // If it is in vain, this process counts for itself, and `check` says why.
            let _ = self.open(store);
        }
    }

    /// Whether the clock is the operating system's.
    /// What machines share, if that is where it counts.
    pub(super) fn shared(&self) -> Option<Arc<dyn SharedLimits>> {
        match &**self.state.load() {
            State::Elsewhere(limits) => Some(Arc::clone(limits)),
            _ => None,
        }
    }

    #[inline]
    pub(super) const fn is_system(&self) -> bool {
        self.is_system
    }

    /// The date, in nanoseconds, when the monotonic clock reads `monotonic`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the clock cannot be right.
    #[inline]
    pub(super) fn now(&self, clock: &dyn Clock, monotonic: u64) -> Result<u64> {
        let now = if self.is_system { date_at(monotonic) } else { clock.now_nanos() };
        plausible_nanos(now)?;
        Ok(now)
    }

    /// Takes the request's cost from the rate; unless `really`, only tells whether that would do.
    /// When all that was used will have drained; how many nanoseconds to wait if it is refused: see
    /// [`gcra`].
    #[inline]
    pub(super) fn take(
        &self,
        request: &Request<'_>,
        store: &dyn ApiKeyStore,
        really: bool,
    ) -> Result<u64, u64> {
        let state = self.state.load();
        match &**state {
            State::Shared(table) => match take_shared(table, request, really) {
                Some(taken) => return taken,
                None => self.full.store(true, Ordering::Relaxed),
            },
            State::Elsewhere(limits) => return take_elsewhere(&**limits, request, really),
            State::Alone(_) => {}
            State::Untouched => return self.take_first(request, store, really),
        }
        take_alone(request, really)
    }

    #[cold]
    fn take_first(
        &self,
        request: &Request<'_>,
        store: &dyn ApiKeyStore,
        really: bool,
    ) -> Result<u64, u64> {
        // Nothing is counted; the answer is not used then.
        if beyond_memory().is_err() {
            return Err(u64::MAX);
        }
        // If it is in vain, this process counts for itself, and `check` says why.
        let _ = self.open(store);
        self.take(request, store, really)
    }

    /// Makes what was used under the old rate count under the new one: once, by the first process
    /// that hears of it. A key that has lost its rate begins afresh.
    pub(super) fn rescale(&self, hash: u64, now: u64, old: Option<Rate>, new: Option<Rate>) {
        let state = self.state.load();
        let State::Shared(table) = &**state else { return };
        for _ in 0..TRIES {
            let Some((cell, entry)) = table.find(hash) else { return };
            let (old, new) = match (old, new) {
                (Some(old), Some(new)) => (old, new),
                (Some(_), None) if !cell.clear(entry) => continue,
                // What another process has counted since the key was given a rate stays.
                _ => return,
            };
            let (old_code, new_code) = (code(unit_of(old)), code(unit_of(new)));
            // Someone has done so, or the two are less than a thousandth apart and count as one.
            if entry.unit != old_code || old_code == new_code {
                return;
            }
            let tat = rescale(entry.tat, now, Some(old), Some(new));
            if cell.exchange(entry, Entry::new(hash, new_code, tat)).is_ok() {
                return;
            }
        }
    }
}

/// Takes from what machines share; while they cannot be asked, from this process's part.
fn take_elsewhere(
    limits: &dyn SharedLimits,
    request: &Request<'_>,
    really: bool,
) -> Result<u64, u64> {
    // Nothing is counted; the answer is not used then.
    if beyond_memory().is_err() {
        return Err(u64::MAX);
    }
    let Request { hash, rate, now, cost, own } = *request;
    if cost > rate.burst {
        return Err(u64::MAX);
    }
    let counter = Counter::of(&[b"api key", &hash.to_be_bytes()]);
    match limits.take(&counter, rate, cost, really) {
        Ok(Counted::Taken(debt)) => {
            let tat = now.saturating_add(debt);
            if really {
                // What this process knows of counts when it is alone.
                own.fetch_max(settled(tat, now, rate), Ordering::Relaxed);
            }
            Ok(tat)
        }
        Ok(Counted::Wait(wait)) => {
            let (unit, burst) = unit_and_burst(rate);
            let debt = burst.saturating_add(wait).saturating_sub(unit * u64::from(cost));
            own.fetch_max(now.saturating_add(debt.min(burst)), Ordering::Relaxed);
            Err(wait)
        }
        Err(_) => {
            let part = share(rate, limits.sharers());
            if cost > part.burst {
                // More than this process has of it at once: when there is a server again.
                return Err(TOO_MUCH_ALONE);
            }
            take_alone(&Request { rate: part, ..*request }, really)
        }
    }
}

/// How many nanoseconds a request waits whose cost is more than this process's part of a rate.
const TOO_MUCH_ALONE: u64 = 3 * NANOS;

/// Takes from the time in the table; `None` if there is no room for it.
#[inline]
fn take_shared(
    table: &LimitTable,
    request: &Request<'_>,
    really: bool,
) -> Option<Result<u64, u64>> {
    let Request { hash, rate, now, cost, own } = *request;
    let unit = code(unit_of(rate));
    for _ in 0..TRIES {
        let Some((cell, entry)) = table.find(hash) else {
            match begin(table, request, unit, really) {
                Begun::Done(taken) => return Some(taken),
                Begun::Full => return None,
                Begun::Again => continue,
            }
        };
        let known = if entry.unit == unit { entry.tat } else { converted(entry, rate, now) };
        match gcra(known, now, rate, cost) {
            Ok(new) if !really => return Some(Ok(new)),
            Ok(new) => {
                if cell.exchange(entry, Entry::new(hash, unit, new)).is_ok() {
                    own.store(new, Ordering::Relaxed);
                    return Some(Ok(new));
                }
            }
            Err(wait) => {
                // The clock stepped back, or the rate has changed. Written down, or the time would
                // be too far ahead for ever, or drain as slowly or as fast as under the old rate.
                let right = Entry::new(hash, unit, settled(known, now, rate));
                if right != entry {
                    let _ = cell.exchange(entry, right);
                }
                return Some(Err(wait));
            }
        }
    }
    None
}

enum Begun {
    Done(Result<u64, u64>),
    /// Another was faster.
    Again,
    Full,
}

/// Takes from the time of a key that is not in the table.
#[cold]
fn begin(table: &LimitTable, request: &Request<'_>, unit: u16, really: bool) -> Begun {
    let Request { hash, rate, now, cost, own } = *request;
    // What this process knows of stays used, should someone have deleted the table.
    let new = match gcra(own.load(Ordering::Relaxed), now, rate, cost) {
        Ok(new) if !really => return Begun::Done(Ok(new)),
        Ok(new) => new,
        Err(wait) => return Begun::Done(Err(wait)),
    };
    let Some((cell, spare)) = table.room(hash, now) else { return Begun::Full };
    let entry = Entry::new(hash, unit, new);
    if cell.exchange(spare, entry).is_err() {
        return Begun::Again;
    }
    // Another process may have begun in another place at this moment; one place must count all.
    if table.is_elsewhere(hash, cell) && cell.clear(entry) {
        return Begun::Again;
    }
    own.store(new, Ordering::Relaxed);
    Begun::Done(Ok(new))
}

/// Takes from the time in the memory of this process.
fn take_alone(request: &Request<'_>, really: bool) -> Result<u64, u64> {
    let Request { rate, now, cost, own, .. } = *request;
    let mut known = own.load(Ordering::Relaxed);
    loop {
        match gcra(known, now, rate, cost) {
            Ok(new) if !really => return Ok(new),
            Ok(new) => {
                match own.compare_exchange_weak(known, new, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => return Ok(new),
                    Err(current) => known = current,
                }
            }
            Err(wait) => {
                // The clock stepped back. Written down, or it would be a whole burst ahead for
                // ever.
                let right = settled(known, now, rate);
                if right != known {
                    let _ = own.compare_exchange(known, right, Ordering::AcqRel, Ordering::Relaxed);
                }
                return Err(wait);
            }
        }
    }
}

/// The hash that a key is found by in the table: of its id, which nothing changes. Part of the
/// table's format.
#[inline]
pub(super) fn hash_of(hot: &Hot, profile: &Profile) -> u64 {
    // An imported key is found by a tag in memory, which differs under another pepper.
    let is_own = hot.key >> 127 == 0;
    let id = if is_own { None } else { KeyId::from_text(profile.id()) };
    hash(id.map_or(hot.key, KeyId::to_u128))
}

/// The time of an entry that was written under another rate, of which only the code of the unit is
/// known: at most a thousandth more was used.
#[cold]
fn converted(entry: Entry, rate: Rate, now: u64) -> u64 {
    let (unit, burst) = unit_and_burst(rate);
    let debt = u128::from(entry.tat.saturating_sub(now)) * u128::from(unit);
    let debt = debt.div_ceil(u128::from(decode(entry.unit).max(1)));
    now.saturating_add(u64::try_from(debt).unwrap_or(u64::MAX).min(burst))
}

/// A unit's nanoseconds (below 2^55) in 16 bits, rounded down to 11 significant ones.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "below 47 * 1024")]
const fn code(unit: u64) -> u16 {
    let shift = (u64::BITS - 11).saturating_sub(unit.leading_zeros());
    ((shift as u64) << 10).wrapping_add(unit >> shift) as u16
}

const fn decode(code: u16) -> u64 {
    match (code >> 10).checked_sub(1) {
        Some(shift) if shift < 54 => (1024 + (code & 1023)) as u64 * (1 << shift),
        _ => code as u64,
    }
}

const OFF: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Limits are off: each process counts the rates of keys for itself, and forgets them at its end.",
);
const NOWHERE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The store has no file to count rates beside, so that each process counts for itself; name a folder for \
     the limits.",
);
const FULL: Error = Error::new(
    ErrorKind::StoreFull,
    "The file of the rate limits is full, so that each process counts some keys for itself; delete it, and a \
     larger one is made.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_in_sixteen_bits_is_at_most_a_thousandth_too_small() {
        let mut units: Vec<u64> = (0..3000).collect();
        units.extend(
            (11..55).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1, 3 << (bit - 1)]),
        );
        for unit in units {
            let back = decode(code(unit));
            assert!(back <= unit && unit - back <= unit / 1024, "{unit} became {back}");
        }
        let longest = Rate { burst: 1, period: 366 * 86_400 };
        assert!(decode(code(unit_of(longest))) > 31_000_000 * 1_000_000_000);
    }

    #[test]
    fn units_used_stay_used_under_another_rate() {
        let (old, new) = (Rate { burst: 10, period: 3600 }, Rate { burst: 100, period: 60 });
        let now = 1_800_000_000_000_000_000;
        let used = gcra(0, now, old, 4).unwrap();
        let tat = converted(Entry::new(7, code(unit_of(old)), used), new, now);
        assert!(gcra(tat, now, new, 95).is_ok() && gcra(tat, now, new, 97).is_err());
        // Lowered: no more than all of it.
        let all = gcra(0, now, new, 100).unwrap();
        let tat = converted(Entry::new(7, code(unit_of(new)), all), old, now);
        assert_eq!(tat, now + 3600 * 1_000_000_000);
    }
}
