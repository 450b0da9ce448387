//! How often an action may be taken from one address: GCRA, as the rates of API keys, in a table
//! of a fixed size, or in what machines share, where that is named: then the table has this
//! process's part, and is asked while the others cannot be. An IPv6 network of 64 bits counts as
//! one address. Callers without an address count together.
//!
//! When a table's place is full, the entry goes that has the least to say; an entry that is used
//! up stays for as long as others have more to drain.

use super::address::network;
use super::decision::{Rated, push_policy};
use crate::apikey::{gcra, parse_rate, rate_left, settled, unit_and_burst, unit_of};
use crate::base::clock::{Clock, NANOS, date_at, plausible_nanos};
use crate::base::process::brief;
use crate::base::reach::beyond_memory;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Counted, Counter, LimitsState, Rate, SharedLimits, share};
use core::net::IpAddr;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, OnceLock};

/// Places that are locked apart, and how many addresses each holds.
const PLACES: usize = 4096;
const WAYS: usize = 16;

/// How many names are remembered with their rates: more than a service has.
const MOST_NAMES: usize = 4096;

/// A limit of a demand.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    /// What is limited: demands of one name count together.
    name: String,
    rate: Rate,
    /// The name in quotes, and what `RateLimit-Policy` says of it.
    shown: String,
    policy: String,
}

impl Limit {
    /// # Errors
    /// `InvalidConfiguration`: the name is not 1 to 64 visible ASCII characters without quotes and
    /// backslashes, or the rate is malformed.
    pub(super) fn new(name: &str, rate: &str) -> Result<Self> {
        let is_plain = |byte: u8| matches!(byte, b'!'..=b'~') && !b"\"\\".contains(&byte);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err(NAME.about_claim("limit"));
        }
        let rate = parse_rate(rate).map_err(|error| {
            error.with_kind(ErrorKind::InvalidConfiguration).about_claim("limit")
        })?;
        let shown = format!("\"{name}\"");
        let mut policy = Vec::new();
        push_policy(&mut policy, &shown, rate);
        let policy = String::from_utf8(policy).unwrap_or_default();
        Ok(Self { name: name.to_owned(), rate, shown, policy })
    }

    pub(super) fn is_named_as(&self, other: &Self) -> bool {
        self.name == other.name
    }

    /// Name and rate.
    fn described(&self, rate: Rate) -> String {
        format!("{}:{}/{}s", self.name, rate.burst, rate.period)
    }

    /// What is left of it.
    pub(super) fn rated(&self, taken: &Taken) -> Rated<'_> {
        let left = rate_left(taken.rate, taken.tat, taken.now);
        Rated { name: &self.shown, policy: Some(&self.policy), left }
    }
}

/// What addresses have used.
pub(super) struct Limiter {
    seed: RandomState,
    places: OnceLock<Box<[Mutex<Place>]>>,
    /// The rate of each name that a demand has been seen with.
    rates: Mutex<HashMap<String, Rate>>,
    ipv6_prefix: u8,
    clock: Arc<dyn Clock>,
    shared: Option<Arc<dyn SharedLimits>>,
}

/// Whose entry it is, 0 for nobody's, and when all that was used will have drained.
type Place = [(u64, u64); WAYS];

/// What a request has taken, to be given back if it is refused after all.
pub(super) struct Taken {
    key: u64,
    rate: Rate,
    tat: u64,
    now: u64,
    /// Where machines have counted it together.
    counter: Option<Counter>,
}

impl Limiter {
    pub(super) fn new(
        ipv6_prefix: u8,
        clock: Arc<dyn Clock>,
        shared: Option<Arc<dyn SharedLimits>>,
    ) -> Self {
        let (places, rates) = (OnceLock::new(), Mutex::default());
        Self { seed: RandomState::new(), places, rates, ipv6_prefix, clock, shared }
    }

    /// What this process knows of what machines share.
    pub(super) fn state(&self) -> Option<LimitsState> {
        self.shared.as_ref().map(|shared| shared.state())
    }

    /// That what counts together has one rate: the first that is seen is the one.
    ///
    /// # Errors
    /// `InvalidConfiguration`: another demand gives this name another rate.
    pub(super) fn agree(&self, limits: &[Limit]) -> Result<()> {
        let mut rates = brief(&self.rates);
        for limit in limits {
            match rates.get(&limit.name) {
                Some(rate) if *rate != limit.rate => {
                    let (given, known) = (limit.described(limit.rate), limit.described(*rate));
                    return Err(TWO_RATES.comparing("limit", &given, &known));
                }
                Some(_) => {}
                None if rates.len() >= MOST_NAMES => {}
                None => drop(rates.insert(limit.name.clone(), limit.rate)),
            }
        }
        Ok(())
    }

    /// Takes one from the limit of this address.
    ///
    /// # Errors
    /// `RateLimited`, with the time to wait.
    pub(super) fn take(&self, limit: &Limit, address: Option<IpAddr>) -> Result<Taken> {
        let clock = &*self.clock;
        let now = if clock.is_system() { date_at(clock.monotonic()) } else { clock.now_nanos() };
        plausible_nanos(now)?;
        let who = address.map_or(u128::MAX, |address| network(address, self.ipv6_prefix));
        let key = self.seed.hash_one((&*limit.name, who)).max(1);
        let Some(shared) = &self.shared else { return self.take_here(key, limit.rate, now) };
        beyond_memory()?;
        let known: &[u8] = if address.is_some() { b"address" } else { b"nobody" };
        let parts: [&[u8]; 4] = [b"guard", limit.name.as_bytes(), known, &who.to_be_bytes()];
        let counter = Counter::of(&parts);
        match shared.take(&counter, limit.rate, 1, true) {
            Ok(Counted::Taken(debt)) => {
                let tat = now.saturating_add(debt);
                self.know(key, tat);
                Ok(Taken { key, rate: limit.rate, tat, now, counter: Some(counter) })
            }
            Ok(Counted::Wait(wait)) => {
                self.know(key, now.saturating_add(used(limit.rate, wait)));
                Err(too_often(wait))
            }
            Err(_) => self.take_here(key, share(limit.rate, shared.sharers()), now),
        }
    }

    /// Takes one from what this process counts.
    fn take_here(&self, key: u64, rate: Rate, now: u64) -> Result<Taken> {
        let Some(place) = self.place(key) else { return Err(ErrorKind::Internal.into()) };
        let mut place = brief(place);
        let Some(entry) = entry_of(&mut place, key) else {
            return Err(ErrorKind::Internal.into());
        };
        let known = if entry.0 == key { entry.1 } else { 0 };
        let tat = gcra(known, now, rate, 1).map_err(|wait| {
            // The clock stepped back. Written down, or it would be ahead until the old time comes.
            if known != 0 {
                entry.1 = settled(known, now, rate);
            }
            too_often(wait)
        })?;
        *entry = (key, tat);
        Ok(Taken { key, rate, tat, now, counter: None })
    }

    /// Notes what all have used: it counts when this process is alone.
    fn know(&self, key: u64, tat: u64) {
        let Some(place) = self.place(key) else { return };
        let mut place = brief(place);
        if let Some(entry) = entry_of(&mut place, key) {
            let known = if entry.0 == key { entry.1 } else { 0 };
            *entry = (key, known.max(tat));
        }
    }

    /// Gives back what a refused request has taken.
    pub(super) fn give_back(&self, taken: &Taken) {
        if let (Some(counter), Some(shared)) = (&taken.counter, &self.shared) {
            // If it is in vain, the unit drains.
            let _ = shared.give_back(counter, taken.rate);
        }
        let Some(place) = self.place(taken.key) else { return };
        let mut place = brief(place);
        if let Some(entry) = place.iter_mut().find(|(own, _)| *own == taken.key) {
            entry.1 = entry.1.saturating_sub(unit_of(taken.rate));
        }
    }

    fn place(&self, key: u64) -> Option<&Mutex<Place>> {
        let places =
            self.places.get_or_init(|| (0..PLACES).map(|_| Mutex::new([(0, 0); WAYS])).collect());
        #[expect(clippy::cast_possible_truncation, reason = "fewer places than 2^32")]
        places.get(key as usize % PLACES)
    }
}

/// The entry of this key, or else the one that has drained first, which has the least to say.
fn entry_of(place: &mut Place, key: u64) -> Option<&mut (u64, u64)> {
    let at = place.iter().position(|(own, _)| *own == key);
    let least = || (0..WAYS).min_by_key(|at| place.get(*at).map_or(0, |(_, tat)| *tat));
    at.or_else(least).and_then(|at| place.get_mut(at))
}

/// What has been used of a rate, as the time in which it drains, when a unit is to be waited for so
/// long.
fn used(rate: Rate, wait: u64) -> u64 {
    let (unit, burst) = unit_and_burst(rate);
    burst.saturating_add(wait).saturating_sub(unit).min(burst)
}

#[cold]
fn too_often(wait: u64) -> Error {
    TOO_OFTEN.retry_after_ms(wait.div_ceil(NANOS / 1000))
}

/// What a request has taken from all of its limits, in their order. There is one, nearly always.
#[derive(Default)]
pub(super) struct TakenAll {
    first: Option<Taken>,
    more: Vec<Taken>,
}

impl TakenAll {
    pub(super) fn push(&mut self, taken: Taken) {
        match self.first {
            None => self.first = Some(taken),
            Some(_) => self.more.push(taken),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Taken> {
        self.first.iter().chain(&self.more)
    }
}

const TOO_OFTEN: Error = Error::new(
    ErrorKind::RateLimited,
    "There were too many requests from this address for this action.",
);
const TWO_RATES: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Two demands have a limit of one name with two rates, and what has one name counts together: give both one rate, or each its name.",
);
const NAME: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A limit's name is 1 to 64 visible ASCII characters without quotes and backslashes; what has the same name counts together.",
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::FixedClock;
    use core::net::Ipv4Addr;

    #[test]
    fn a_million_addresses_take_no_more_room_and_drive_out_nobody_who_is_used_up() {
        let limiter = Limiter::new(64, Arc::new(FixedClock::new(1_800_000_000)), None);
        let limit = Limit::new("log-in", "5/min").unwrap();
        let victim = Some(IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)));
        let admitted = (0..20).filter(|_| limiter.take(&limit, victim).is_ok()).count();
        assert_eq!(admitted, 5);
        for number in 0..200_000_u32 {
            let _ = limiter.take(&limit, Some(IpAddr::from(Ipv4Addr::from(number))));
        }
        assert!(limiter.take(&limit, victim).is_err());
        let places = limiter.places.get().unwrap();
        assert_eq!(places.len() * WAYS, 65_536);
    }
}
