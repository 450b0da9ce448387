//! One request's key: parse and checksum, id, MAC, status, times, environment and tenant, address,
//! scopes, rate, credits. Nothing is consumed until everything before has passed; the store is
//! asked only for an id that is not in memory and for more credits.

use super::apikeys::{ApiKeys, Inner};
use super::feed::{foreign_key, words};
use super::format::{self, KeyId, Presented};
use super::hash::{Candidate, Part, Proved};
use super::hot::Hot;
use super::limit::{RateLeft, rate_left};
use super::limits::{Request, hash_of};
use super::mirror::Slot;
use super::profile::{Profile, Rare, unpack_rate};
use crate::base::clock::NANOS;
use crate::base::presented::{not_an_api_key, recognized};
use crate::base::process::lock;
use crate::base::reach::beyond_memory;
use crate::base::text::lacking;
use crate::crypto::constant_time_eq_words;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Credits, KeyRecord, Rate};
use core::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a request needs apart from a good key.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Check<'a> {
    scopes: &'a [&'a str],
    any_scopes: &'a [&'a str],
    ip: Option<IpAddr>,
    tenant: Option<&'a str>,
    cost: u32,
}

impl Default for Check<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Check<'a> {
    /// No scope, no address, any tenant, a cost of 1.
    pub const fn new() -> Self {
        Self { scopes: &[], any_scopes: &[], ip: None, tenant: None, cost: 1 }
    }

    /// All of these scopes.
    pub const fn scopes(mut self, scopes: &'a [&'a str]) -> Self {
        self.scopes = scopes;
        self
    }

    /// At least one of these scopes; none for any.
    pub const fn any_scopes(mut self, scopes: &'a [&'a str]) -> Self {
        self.any_scopes = scopes;
        self
    }

    /// The caller's address; a key that is limited to addresses is refused without one.
    pub const fn ip(mut self, ip: IpAddr) -> Self {
        self.ip = Some(ip);
        self
    }

    /// The tenant that the key must belong to.
    pub const fn tenant(mut self, tenant: &'a str) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// How many units of the rate and how many credits the request takes; 0 takes none, which suits
    /// a `whoami`.
    pub const fn cost(mut self, cost: u32) -> Self {
        self.cost = cost;
        self
    }
}

/// A key that may do what was asked: the proof that it was verified.
#[derive(Clone)]
pub struct Grant {
    profile: Profile,
    hot: Hot,
    proved: Proved,
    last_used: u64,
    uses: u64,
    /// What was used of the rate, this request included, and when: see [`gcra`].
    ///
    /// [`gcra`]: super::limit::gcra
    taken: Option<Taken>,
}

/// A rate after a request has taken from it: when all that was used will have drained, and when
/// that was known, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy)]
struct Taken {
    rate: Rate,
    tat: u64,
    now: u64,
}

impl Grant {
    /// Which proof of the key the text was proved by.
    pub(super) const fn proved(&self) -> Proved {
        self.proved
    }

    /// The MAC of the key's current proof.
    pub(super) fn mac(&self) -> [u8; 32] {
        let proof = self.profile.rare().and_then(|rare| rare.proof.as_ref());
        proof.map_or_else(|| super::feed::bytes(&self.hot.mac), |proof| proof.0.mac)
    }

    /// The key's id.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.profile.id()
    }

    /// Whose key it is.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.profile.owner()
    }

    /// The tenant; empty where there is one only.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.profile.tenant()
    }

    /// The key's scopes, ascending, separated by spaces (RFC 6749 section 3.3).
    #[must_use]
    pub fn scopes(&self) -> &str {
        self.profile.scopes()
    }

    /// When the key stops being valid, in seconds since the Unix epoch.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        (self.hot.expires_at != u64::MAX).then_some(self.hot.expires_at)
    }

    /// What is left of the key's rate after this request; `None` if it has no rate, or the request
    /// took nothing.
    #[must_use]
    pub fn rate_left(&self) -> Option<RateLeft> {
        let Taken { rate, tat, now } = self.taken?;
        Some(rate_left(rate, tat, now))
    }

    /// Everything about the key.
    #[must_use]
    pub fn record(&self) -> KeyRecord {
        self.profile.record(&self.hot, self.last_used, self.uses)
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Grant({})", self.key_id())
    }
}

/// For the log: the caller gets the same answer as for an unknown key.
const MALFORMED: Error = Error::new(
    ErrorKind::MalformedApiKey,
    "The text does not have the form of an API key, such as gk_live_, an id, a secret and a checksum, or the checksum is wrong: it \
     was cut or mistyped.",
);
const ELSEWHERE: Error = Error::new(
    ErrorKind::UnknownApiKey,
    "The API key begins with another `prefix` or `env` than those of this service: it is for another one.",
);
const OTHER_TENANT: Error = Error::new(
    ErrorKind::UnknownApiKey,
    "The API key is of another tenant than the call demands (`tenant`).",
);
const DAMAGED: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The row of this API key is damaged or under an unknown pepper; only this key is denied.",
);
const BUSY: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "The API key was changed by other calls at each attempt; try again.",
);

impl ApiKeys {
    /// Verifies a presented key and takes the request's cost from its limits.
    ///
    /// # Errors
    /// `MissingCredentials` for no text, `MalformedApiKey`, `UnknownApiKey`, `BadApiKeySecret`,
    /// `ApiKeyDisabled`, `ApiKeyRevoked`, `ApiKeyExpired`, `ApiKeyNotYetValid`, `ApiKeyAddress`,
    /// `InsufficientScope`, `RateLimited`, `CreditsExhausted`: the first of these that holds;
    /// nothing is consumed. `StoreUnavailable`: the store has been silent for too long, or this
    /// key's row is damaged. `InvalidConfiguration`: the clock is before 1970 or after the
    /// year 9999. Of a refusal after the secret was proved, [`Error::api_key_id`] tells the key's
    /// id.
    pub fn verify(&self, presented: impl AsRef<[u8]>, check: &Check<'_>) -> Result<Grant> {
        let presented = presented.as_ref();
        let inner = &self.inner;
        if let Some(id) = format::peek_id(presented) {
            inner.mirror.prefetch_index(id.to_u128());
        }
        match format::parse(presented) {
            Some(parsed) => inner.verify_native(&parsed, check),
            None => inner.verify_other(presented, check),
        }
    }
}

impl ApiKeys {
    /// The rate of the key with this id, if it has one and is in memory: for a caller whose key was
    /// proved and is used too often.
    pub(crate) fn rate_of(&self, id: &str) -> Option<Rate> {
        let key = self.inner.known_as(KeyId::from_text(id)?).0?;
        let (hot, _) = self.inner.mirror.find(key)?.1.read()?;
        unpack_rate(hot.rate)
    }
}

impl Inner {
    fn verify_native(
        self: &Arc<Self>,
        presented: &Presented<'_>,
        check: &Check<'_>,
    ) -> Result<Grant> {
        let key = presented.id.to_u128();
        let now = self.clock.monotonic();
        self.be_fresh(now)?;
        self.mirror.prefetch_slot(key);
        // Before the key is looked up: its record arrives meanwhile, and an id that does not exist
        // costs as much as one that does. Nearly all keys are under the active pepper.
        let active = self.peppers.active();
        let early = self.peppers.mac_native(active, &presented.id, presented.secret);
        let Some((place, slot)) = self.find(key, now)? else {
            let is_of_here = presented.env == self.env && presented.prefix == self.prefix;
            return Err(if is_of_here { ErrorKind::UnknownApiKey.into() } else { ELSEWHERE });
        };
        let mac = |pepper| {
            if pepper == active {
                return early;
            }
            self.peppers.mac_native(pepper, &presented.id, presented.secret)
        };
        let proves = |hot: &Hot, slot: &Slot| {
            if hot.has(Hot::SIMPLE)
                && let Some(mac) = mac(hot.pepper)
                && constant_time_eq_words(&words(&mac), &hot.mac)
            {
                return Ok(Some(Proved::Current(Part::Whole)));
            }
            if !hot.has(Hot::PREVIOUS) && hot.has(Hot::SIMPLE) {
                return Ok(None);
            }
            let candidate = Candidate::Native { id: presented.id, secret: presented.secret };
            self.proves_otherwise(slot, candidate)
        };
        let grant = self.grant(key, place, slot, now, check, &proves, Some(presented))?;
        if grant.hot.has(Hot::UPGRADE) {
            let candidate = Candidate::Native { id: presented.id, secret: presented.secret };
            self.upgrades.note(self, &grant, candidate);
        }
        Ok(grant)
    }

    /// What is not of the format of our keys.
    #[cold]
    fn verify_other(self: &Arc<Self>, presented: &[u8], check: &Check<'_>) -> Result<Grant> {
        self.be_open()?;
        if presented.is_empty() {
            return Err(ErrorKind::MissingCredentials.into());
        }
        let outcome = if self.feed.has_foreign() {
            self.verify_foreign(presented, check)
        } else {
            Err(MALFORMED)
        };
        outcome.map_err(|error| match error.kind() {
            ErrorKind::MalformedApiKey => recognized(error, presented, not_an_api_key),
            _ => error,
        })
    }

    /// A key of another format, imported: found by all of it, or by what it begins with.
    #[cold]
    fn verify_foreign(self: &Arc<Self>, presented: &[u8], check: &Check<'_>) -> Result<Grant> {
        // In the words for a wrong secret, so that they do not tell which keys there are.
        let mut outcome = Err(ErrorKind::MalformedApiKey.into());
        if presented.len() > super::import::LONGEST {
            return outcome;
        }
        let now = self.clock.monotonic();
        self.be_fresh(now)?;
        for (kind, text, rest) in super::import::lookups(presented) {
            for pepper in self.peppers.ids() {
                let Some(tag) = self.peppers.lookup_tag(pepper, kind, &text) else { continue };
                let key = foreign_key(tag);
                let Some((place, slot)) = self.mirror.find(key) else { continue };
                let candidate = Candidate::Foreign { whole: presented, kind, lookup: &text, rest };
                let proves = |_: &Hot, slot: &Slot| self.proves_otherwise(slot, candidate);
                outcome = self.grant(key, place, slot, now, check, &proves, None);
                match &outcome {
                    Ok(grant) => {
                        if grant.hot.has(Hot::UPGRADE) {
                            self.upgrades.note(self, grant, candidate);
                        }
                        return outcome;
                    }
                    // A longer part of the text may be the look-up of another key.
                    Err(error) if error.kind() == ErrorKind::BadApiKeySecret => {}
                    Err(_) => return outcome,
                }
            }
        }
        outcome
    }

    /// The slot of a key; one that is not in memory may have come to the store a moment ago.
    #[inline]
    fn find(&self, key: u128, now: u64) -> Result<Option<(u32, &Slot)>> {
        if let Some(found) = self.mirror.find(key) {
            return Ok(Some(found));
        }
        self.find_late(key, now)
    }

    #[cold]
    fn find_late(&self, key: u128, now: u64) -> Result<Option<(u32, &Slot)>> {
        if self.is_in_touch(now) {
            return Ok(self.mirror.find(key));
        }
        match self.sync(now, true) {
            Ok(_) => Ok(self.mirror.find(key)),
            // The clock; what was closed.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidConfiguration | ErrorKind::InvalidArgument
                ) =>
            {
                Err(error)
            }
            // Not in memory, and what is in the store cannot be known.
            Err(error) => Err(error.with_kind(ErrorKind::StoreUnavailable)),
        }
    }

    /// Everything from the MAC on.
    #[inline]
    #[expect(
        clippy::too_many_arguments,
        reason = "what a request and a slot have to do with each other"
    )]
    fn grant(
        self: &Arc<Self>,
        key: u128,
        place: u32,
        slot: &Slot,
        now: u64,
        check: &Check<'_>,
        proves: &dyn Fn(&Hot, &Slot) -> Result<Option<Proved>>,
        presented: Option<&Presented<'_>>,
    ) -> Result<Grant> {
        // A key may change between the look at its hot part and the look at the rest; then once
        // more.
        for _ in 0..64 {
            let (hot, sequence) = slot.read().ok_or(BUSY)?;
            if hot.key != key {
                return Err(ErrorKind::UnknownApiKey.into());
            }
            if hot.has(Hot::DAMAGED) {
                return Err(DAMAGED);
            }
            let profile = slot.profile(&hot);
            let proved = proves(&hot, slot)?;
            if !slot.is_at(sequence) {
                continue;
            }
            let Some(proved) = proved else { return Err(ErrorKind::BadApiKeySecret.into()) };
            let wall = self.wall()?;
            // A caller with the key's secret may be told apart from others, in the logs of the
            // service.
            let taken = match self.admit(&hot, slot, &profile, now, wall, check, presented) {
                Ok(taken) => taken,
                // The key's credits were set again, or the key is gone: it is there when the store
                // is looked at.
                Err(error) if error.kind() == ErrorKind::StoreConflict => {
                    self.sync_now()?;
                    continue;
                }
                Err(error) => return Err(error.about_api_key(profile.id())),
            };
            let last_used = slot.last_used.load(Ordering::Relaxed);
            self.mirror.used(place, slot, wall);
            let uses = slot.uses.load(Ordering::Relaxed);
            return Ok(Grant { profile, hot, proved, last_used, uses, taken });
        }
        Err(BUSY)
    }

    /// Everything after the proof.
    #[inline]
    #[expect(
        clippy::too_many_arguments,
        reason = "what a request and a slot have to do with each other"
    )]
    fn admit(
        &self,
        hot: &Hot,
        slot: &Slot,
        profile: &Profile,
        now: u64,
        wall: u64,
        check: &Check<'_>,
        presented: Option<&Presented<'_>>,
    ) -> Result<Option<Taken>> {
        may_be_used(hot, wall)?;
        self.belongs(hot, profile, presented, check)?;
        if hot.has(Hot::CIDRS) {
            is_allowed(profile, check.ip)?;
        }
        if !check.scopes.is_empty() && !profile.has_scopes(check.scopes) {
            return Err(lacking(check.scopes));
        }
        let has_one = |wanted: &&str| profile.has_scopes(&[*wanted]);
        if !check.any_scopes.is_empty() && !check.any_scopes.iter().any(has_one) {
            return Err(lacking(check.any_scopes));
        }
        if check.cost > 0 && (hot.rate != 0 || hot.has(Hot::CREDITS)) {
            return self.take(hot, slot, profile, now, wall, check.cost);
        }
        Ok(None)
    }

    #[inline]
    fn belongs(
        &self,
        hot: &Hot,
        profile: &Profile,
        presented: Option<&Presented<'_>>,
        check: &Check<'_>,
    ) -> Result<()> {
        let text_fits = presented.is_none_or(|presented| {
            let prefix = if hot.has(Hot::PREFIX) { profile.prefix() } else { &self.prefix };
            presented.env == self.env && presented.prefix == prefix
        });
        if !text_fits || hot.has(Hot::ELSEWHERE) {
            return Err(ELSEWHERE);
        }
        match check.tenant {
            Some(tenant) if tenant != profile.tenant() => Err(OTHER_TENANT),
            _ => Ok(()),
        }
    }

    /// Takes the cost from the rate and from the credits, or from neither.
    fn take(
        &self,
        hot: &Hot,
        slot: &Slot,
        profile: &Profile,
        now: u64,
        wall: u64,
        cost: u32,
    ) -> Result<Option<Taken>> {
        let Some(rate) = unpack_rate(hot.rate) else {
            if let Some(rare) = profile.rare() {
                self.spend(slot, profile.id(), rare, u64::from(cost), wall)?;
            }
            return Ok(None);
        };
        let now = self.counts.now(&*self.clock, now)?;
        let request = Request { hash: hash_of(hot, profile), rate, now, cost, own: &slot.tat };
        let taken = |tat: u64| Some(Taken { rate, tat, now });
        let Some(rare) = profile.rare().filter(|_| hot.has(Hot::CREDITS)) else {
            return self.counts.take(&request, &*self.store, true).map(taken).map_err(too_often);
        };
        self.counts.take(&request, &*self.store, false).map_err(too_often)?;
        self.spend(slot, profile.id(), rare, u64::from(cost), wall)?;
        self.counts.take(&request, &*self.store, true).map(taken).map_err(|wait| {
            // Someone else took the last of the rate in between.
            slot.lease.fetch_add(u64::from(cost), Ordering::Relaxed);
            too_often(wait)
        })
    }

    /// Spends from what is leased; leases more where that is not enough.
    fn spend(&self, slot: &Slot, id: &str, rare: &Rare, cost: u64, wall: u64) -> Result<()> {
        if self.is_own() && spend_leased(slot, cost) {
            return Ok(());
        }
        if let Some(refill_at) = rare.is_dry(wall, cost.saturating_sub(leased(slot))) {
            return Err(no_credits(refill_at, wall));
        }
        beyond_memory()?;
        let own = self.own();
        drop(self.writer(&own)?); // after a fork, what the parent has leased is not ours
        let _one = lock(&own.leasing);
        if spend_leased(slot, cost) {
            return Ok(());
        }
        let Credits { limit, set_in, .. } = rare.credits.unwrap_or_default();
        let need = cost.saturating_sub(leased(slot));
        let want = need.max((limit / 64).clamp(1, 1024));
        // A refill is dated for good: by what is believed of the clock.
        let wall = self.dates()?.surely;
        let lease = self.store.lease_credits(id, set_in, need, want, wall)?;
        slot.lease.fetch_add(lease.granted.min(want), Ordering::Relaxed);
        if spend_leased(slot, cost) {
            return Ok(());
        }
        // If credits are set again, the feed tells; if another process gives some back, the next
        // second.
        let refill_at = lease.refill_at.unwrap_or(u64::MAX);
        rare.dry.left.store(lease.remaining, Ordering::Relaxed);
        rare.dry.refill_at.store(refill_at, Ordering::Relaxed);
        rare.dry.until.store(refill_at.min(wall.saturating_add(1)), Ordering::Relaxed);
        Err(no_credits(refill_at, wall))
    }
}

fn leased(slot: &Slot) -> u64 {
    slot.lease.load(Ordering::Relaxed)
}

fn spend_leased(slot: &Slot, cost: u64) -> bool {
    let take = |leased: u64| leased.checked_sub(cost);
    slot.lease.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take).is_ok()
}

#[cold]
fn too_often(wait: u64) -> Error {
    let error = Error::from(ErrorKind::RateLimited);
    match wait {
        u64::MAX => Error::new(
            ErrorKind::RateLimited,
            "The request costs more than the API key's rate limit ever allows at once, however long it waits: lower the `cost`, or \
             raise the `rate`.",
        ),
        nanoseconds => error.retry_after_ms(nanoseconds.div_ceil(NANOS / 1000)),
    }
}

#[cold]
fn no_credits(refill_at: u64, wall: u64) -> Error {
    let error = Error::from(ErrorKind::CreditsExhausted);
    match refill_at {
        u64::MAX => error,
        at => error.retry_after_ms(at.saturating_sub(wall).saturating_mul(1000)),
    }
}

#[inline]
fn may_be_used(hot: &Hot, wall: u64) -> Result<()> {
    let kind = if hot.has(Hot::REVOKED) {
        ErrorKind::ApiKeyRevoked
    } else if hot.has(Hot::DISABLED) {
        ErrorKind::ApiKeyDisabled
    } else if wall >= hot.expires_at {
        ErrorKind::ApiKeyExpired
    } else if wall < hot.not_before {
        ErrorKind::ApiKeyNotYetValid
    } else {
        return Ok(());
    };
    Err(kind.into())
}

fn is_allowed(profile: &Profile, ip: Option<IpAddr>) -> Result<()> {
    let cidrs = profile.rare().map_or(&[][..], |rare| &rare.cidrs);
    match ip {
        Some(ip) if cidrs.iter().any(|cidr| cidr.contains(ip)) => Ok(()),
        Some(_) => Err(ErrorKind::ApiKeyAddress.into()),
        None => Err(Error::new(
            ErrorKind::ApiKeyAddress,
            "The API key is limited to addresses, and the caller's is not known: an IPv4 or IPv6 address was not given.",
        )),
    }
}
