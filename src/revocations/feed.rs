//! How what is in memory follows the store: a look at most every 25 ms, made by whichever
//! verification comes first while the others continue. Nothing that was followed is taken back but
//! what has expired.

use super::Inner;
use super::latest::{Clocks, Latest};
use super::table::{Entry, Table};
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::follow::{Freshness, Look, Looks};
use crate::base::process::{Own, brief};
use crate::base::reach::beyond_memory;
use crate::error::{ErrorKind, Result};
use crate::store::{CLOSED, Fed, LATE, Revocation, RevocationKind, stamp};
use foldhash::quality::RandomState;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The entries that are asked for at a time.
const BATCH: usize = 10_000;
/// Seconds between two purges.
const PURGE_EVERY: u64 = 600;

/// What is known, and how far it has followed.
pub(super) struct Feed {
    hasher: RandomState,
    /// Tokens, sessions, keys: until when they are meant, and before when their tokens were issued.
    names: Table,
    /// Subjects, tenants, all: which tokens of theirs, by the time of issue, and its number in the
    /// feed.
    befores: Table,
    /// Which kinds there are any of: bit `n` for the kind of number `n`, and [`OF_ANY_ISSUER`].
    kinds: AtomicU32,
    fresh: Freshness,
    /// The last change that was followed.
    seq: AtomicU64,
    /// The number of what was revoked last.
    number: AtomicU64,
    /// Which feed the numbers are of; [`OF_SEVERAL`] once they are of more than one.
    feed: AtomicU64,
    pub(super) latest: Latest,
    /// When the feed was last followed to its end, or 0: what comes later was revoked after it.
    followed_at: AtomicU64,
    /// The latest [`Revocation::at`] that is known.
    newest: AtomicU64,
    /// Tokens that were issued before this time may be among those that were forgotten.
    horizon: AtomicU64,
    looks: Own<Looks<Followed>>,
    /// What was followed, is not over, and was not there when all was read again.
    lost: Mutex<HashSet<u64>>,
}

/// What the last look at the store has told.
#[derive(Default)]
struct Followed {
    /// The store's stamp when it was followed to its end.
    stamp: Option<u64>,
    clocks: Clocks,
}

/// The bit of tokens that were revoked without their issuer, so that it may be any.
const OF_ANY_ISSUER: u32 = 1;

/// Numbers of two feeds cannot be compared; it is no feed's own.
const OF_SEVERAL: u64 = u64::MAX - 1;

impl Feed {
    pub(super) fn new(fresh: Freshness) -> Self {
        Self {
            hasher: RandomState::default(),
            names: Table::new(),
            befores: Table::new(),
            kinds: AtomicU32::new(0),
            fresh,
            seq: AtomicU64::new(0),
            number: AtomicU64::new(0),
            feed: AtomicU64::new(0),
            latest: Latest::new(),
            followed_at: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            horizon: AtomicU64::new(0),
            looks: Own::new(),
            lost: Mutex::default(),
        }
    }

    /// From now on nothing is known.
    pub(super) fn stop(&self) {
        self.fresh.stop();
    }

    pub(super) fn looked_ago(&self) -> Option<u64> {
        self.fresh.heard_ago()
    }

    /// Whether it was stopped.
    pub(super) fn is_over(&self) -> bool {
        self.fresh.is_over()
    }

    pub(super) fn len(&self) -> usize {
        self.names.len() + self.befores.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.names.bytes() + self.befores.bytes()
    }

    /// How much of what is known the store lacked when all of it was read again, and lacks still.
    pub(super) fn lost(&self) -> usize {
        brief(&self.lost).len()
    }

    #[inline]
    pub(super) fn horizon(&self) -> u64 {
        self.horizon.load(Ordering::Relaxed)
    }

    /// The latest time at which anything is known to have been revoked or forgotten.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed).max(self.horizon())
    }

    /// Whether anything of this kind was ever revoked.
    #[inline]
    pub(super) fn has(&self, kind: RevocationKind) -> bool {
        self.kinds.load(Ordering::Acquire) & 1 << kind as u32 != 0
    }

    /// Whether any token was ever revoked without its issuer.
    #[inline]
    pub(super) fn has_of_any_issuer(&self) -> bool {
        self.kinds.load(Ordering::Acquire) & OF_ANY_ISSUER != 0
    }

    /// A name as a number; has the memory fetched that [`Self::is_named`] will read.
    #[inline]
    pub(super) fn fetch(&self, kind: RevocationKind, issuer: &str, value: &str) -> u64 {
        let hash = self.hash(kind, issuer, value);
        self.names.fetch(hash);
        hash
    }

    /// Whether exactly this is revoked.
    #[inline]
    pub(super) fn is_named(&self, hash: u64) -> bool {
        self.names.has(hash)
    }

    /// The time before which tokens must not have been issued, and the number of the entry.
    #[inline]
    pub(super) fn before(&self, kind: RevocationKind, issuer: &str, value: &str) -> Option<Entry> {
        self.befores.get(self.hash(kind, issuer, value))
    }

    /// Which feed it is and the number of what was revoked last; `None` if that is not known.
    pub(super) fn place(&self) -> Option<(u64, u64)> {
        let feed = self.feed.load(Ordering::Acquire);
        (feed != 0 && feed != OF_SEVERAL).then(|| (feed, self.number.load(Ordering::Acquire)))
    }

    #[inline]
    fn hash(&self, kind: RevocationKind, issuer: &str, value: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        // The length keeps two pairs of texts apart that are the same when joined.
        hasher.write_u64((issuer.len() as u64) << 8 | u64::from(kind as u8));
        hasher.write(issuer.as_bytes());
        hasher.write(value.as_bytes());
        hasher.finish()
    }

    /// Until the store has been heard of again, nothing is known.
    pub(super) fn forget(&self) {
        self.fresh.forget();
    }

    /// Takes entries over whose numbers are not known yet.
    pub(super) fn follow(&self, entries: &[Revocation]) {
        let looks = self.looks.get();
        let _one = looks.lock();
        self.follow_locked(entries, &[]);
    }

    fn follow_locked(&self, entries: &[Revocation], numbers: &[u64]) {
        let mut kinds = 0;
        if self.lost() > 0 {
            let mut lost = brief(&self.lost);
            for entry in entries {
                lost.remove(&self.hash(entry.kind, &entry.issuer, &entry.value));
            }
        }
        for (at, entry) in entries.iter().enumerate() {
            let hash = self.hash(entry.kind, &entry.issuer, &entry.value);
            let issued_before = self.issued_before(entry);
            match entry.kind {
                RevocationKind::Token | RevocationKind::Session | RevocationKind::Key => {
                    self.names.put(hash, entry.until, issued_before);
                }
                RevocationKind::Subject
                | RevocationKind::Tenant
                | RevocationKind::All
                | RevocationKind::SubjectSoFar
                | RevocationKind::TenantSoFar
                | RevocationKind::AllSoFar => {
                    // After everything that is known.
                    let next = self.number.load(Ordering::Relaxed).saturating_add(1);
                    let number = numbers.get(at).copied().unwrap_or(next);
                    self.befores.put(hash, entry.before, number);
                    if issued_before > entry.before {
                        // For the horizon alone, when the entry is forgotten.
                        self.names.put(hash, entry.until, issued_before);
                    }
                }
            }
            kinds |= 1 << entry.kind as u32;
            if entry.kind == RevocationKind::Token && entry.issuer.is_empty() {
                kinds |= OF_ANY_ISSUER;
            }
        }
        self.kinds.fetch_or(kinds, Ordering::Release);
    }

    /// When the tokens that the entry means were issued, at the latest. If it is dated before the
    /// last look, at which it was not there, then the clock of who revoked them was behind, and
    /// this look says when that was. At the first look, only the entries before it tell.
    fn issued_before(&self, entry: &Revocation) -> u64 {
        let newest = self.newest.fetch_max(entry.at, Ordering::Relaxed);
        match entry.kind {
            RevocationKind::Session
            | RevocationKind::SubjectSoFar
            | RevocationKind::TenantSoFar
            | RevocationKind::AllSoFar => {
                let followed_at = self.followed_at.load(Ordering::Relaxed);
                let latest = self.latest.get();
                let after = if entry.at < followed_at { latest } else { newest };
                // What is dated after the latest time was dated by a clock that is ahead.
                let after = if after > latest { 0 } else { after.saturating_add(1) };
                entry.issued_before().max(after)
            }
            _ => entry.issued_before(), // its times are not those of the revoker's clock
        }
    }

    /// Notes which feed is followed.
    fn be_of(&self, feed: u64) {
        let known = self.feed.load(Ordering::Relaxed);
        if known != feed {
            let is_first = known == 0 && self.befores.len() == 0;
            self.feed.store(if is_first { feed } else { OF_SEVERAL }, Ordering::Release);
        }
    }
}

impl Fed for Inner {
    fn be_fed(&self, stamp: u64, anew: bool) {
        let feed = &self.feed;
        // Who has not used it in this process has nothing of it to be kept.
        if feed.fresh.is_over() || !feed.looks.is_made() {
            return;
        }
        feed.looks.get().feed(&feed.fresh, anew, |followed| {
            let (now, seconds) = (self.clock.monotonic(), self.now()?);
            self.look_at_store(followed, now, seconds, Look::Fed(stamp))
        });
    }
}

impl Inner {
    /// Refuses if what is known is too old; looks at the feed if it is time to. `now` is of the
    /// monotonic clock, `seconds` the date by the clock of who asks.
    #[inline]
    pub(super) fn be_fresh(&self, now: u64, seconds: u64) -> Result<()> {
        if self.feed.fresh.is_recent(now) {
            return Ok(());
        }
        self.look(now, seconds)
    }

    #[cold]
    fn look(&self, now: u64, seconds: u64) -> Result<()> {
        let (fresh, looks) = (&self.feed.fresh, self.feed.looks.get());
        if fresh.is_over() {
            return Err(CLOSED);
        }
        let mut is_late = false;
        let hears = || {
            let heard = self.store.stamp();
            is_late = heard == Err(LATE);
            heard.is_ok()
        };
        // Brought up to date by the store: memory is enough.
        if looks.is_fed() && fresh.go_on(now, hears) {
            self.feed.latest.note(seconds);
            return Ok(());
        }
        beyond_memory()?;
        fresh.after(self.sync(now, seconds, is_late || fresh.wants_look()))
    }

    /// Follows the feed to its end. Unless `wait`, not while another thread does: then it is false.
    pub(super) fn sync(&self, now: u64, seconds: u64, wait: bool) -> Result<bool> {
        let looks = self.feed.looks.get();
        looks.look(wait, |followed| {
            if looks.is_fed() && !self.feed.fresh.is_strict() {
                match self.store.stamp() {
                    Err(error) if error == LATE => {}
                    heard => {
                        heard?;
                        self.feed.latest.note(seconds);
                        self.feed.fresh.heard(now);
                        return Ok(());
                    }
                }
            }
            self.look_at_store(followed, now, seconds, Look::Use)
        })
    }

    /// Follows the feed to where the store stands at this moment.
    pub(super) fn sync_now(&self) -> Result<()> {
        let (now, seconds) = (self.clock.monotonic(), self.now()?);
        let looks = self.feed.looks.get();
        looks.look_now(|followed| self.look_at_store(followed, now, seconds, Look::Now))
    }

    fn look_at_store(
        &self,
        followed: &mut Followed,
        now: u64,
        seconds: u64,
        look: Look,
    ) -> Result<()> {
        let feed = &self.feed;
        let stamp = match look {
            Look::Fed(stamp) => stamp,
            Look::Use if !feed.fresh.is_strict() => stamp(&*self.store)?,
            Look::Use | Look::Now => self.store.stamp_now()?,
        };
        feed.latest.note(seconds);
        if followed.stamp != Some(stamp) {
            // Before the entries: what is forgotten in between is behind the next horizon.
            feed.horizon.fetch_max(self.store.revocation_horizon()?, Ordering::Relaxed);
            self.follow_feed(seconds)?;
            followed.stamp = Some(stamp);
        }
        feed.fresh.heard(now);
        feed.followed_at.store(seconds.min(feed.latest.get()), Ordering::Relaxed);
        if followed.clocks.is_due(seconds, SystemClock.monotonic(), PURGE_EVERY) {
            // Someone who may write will do it.
            let _ = self.purge_locked(seconds);
        }
        Ok(())
    }

    fn follow_feed(&self, now: u64) -> Result<()> {
        let feed = &self.feed;
        let mut begun_anew = false;
        let mut there = HashSet::new();
        loop {
            let changes = self.store.revocations(feed.seq.load(Ordering::Relaxed), BATCH)?;
            if changes.reload {
                if std::mem::replace(&mut begun_anew, true) {
                    return Err(ErrorKind::StoreCorrupt.into());
                }
                feed.seq.store(changes.seq, Ordering::Relaxed);
                feed.followed_at.store(0, Ordering::Relaxed);
                continue;
            }
            if begun_anew {
                let hash = |entry: &Revocation| feed.hash(entry.kind, &entry.issuer, &entry.value);
                there.extend(changes.entries.iter().map(hash));
            }
            if changes.more {
                feed.names.reserve(changes.entries.len());
            }
            feed.be_of(changes.feed);
            feed.follow_locked(&changes.entries, &changes.numbers);
            feed.number.store(changes.number, Ordering::Release);
            feed.seq.store(changes.seq, Ordering::Relaxed);
            if !changes.more {
                if begun_anew {
                    self.note_what_is_lost(&there, now);
                }
                return Ok(());
            }
        }
    }

    /// Notes what is known, is not over, and is not there any more: it stays refused here.
    fn note_what_is_lost(&self, there: &HashSet<u64>, now: u64) {
        let feed = &self.feed;
        let names = feed.names.hashes(&|hash, name| name.time > now && !there.contains(&hash));
        let kept_for = self.kept_for();
        let is_over = |before: u64| before.saturating_add(kept_for) <= now;
        let befores =
            feed.befores.hashes(&|hash, one| !is_over(one.time) && !there.contains(&hash));
        *brief(&feed.lost) = names.into_iter().chain(befores).collect();
    }

    pub(super) fn purge(&self, now: u64) -> Result<u64> {
        let looks = self.feed.looks.get();
        let _one = looks.lock();
        self.purge_locked(now)
    }

    fn purge_locked(&self, now: u64) -> Result<u64> {
        let feed = &self.feed;
        let kept_for = self.kept_for();
        let is_over = |before: u64| before.saturating_add(kept_for) <= now;
        // The horizon comes first: what is forgotten must be behind it already.
        let horizon = [
            feed.names.latest_of(&|name| (name.time <= now).then_some(name.other)),
            feed.befores.latest_of(&|entry| is_over(entry.time).then_some(entry.time)),
        ];
        for at in horizon.into_iter().flatten() {
            feed.horizon.fetch_max(at.min(now), Ordering::Relaxed);
        }
        feed.names.retain(&|until| until > now);
        feed.befores.retain(&|before| !is_over(before));
        brief(&feed.lost).retain(|hash| feed.names.has(*hash) || feed.befores.has(*hash));
        self.store.purge_revocations(now, feed.horizon())
    }
}
