//! How a row of the store becomes what the mirror knows of a key: what is believed of it, and by
//! what it is found.

use super::apikeys::Inner;
use super::feed::{Since, Writer, foreign_key, words};
use super::format::KeyId;
use super::hot::Hot;
use super::import_formats::Schemes;
use super::known::Seen;
use super::limit::rescale;
use super::limits::hash_of;
use super::mirror::Slot;
use super::peppers::needed_peppers;
use super::profile::{Profile, is_simple, pack_rate, unpack_rate};
use crate::error::{ErrorKind, Result};
use crate::store::{KeyStatus, Loaded, StoredKey};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

impl Inner {
    /// Does what a change says; by what the key is found, unless there is no room for it.
    pub(super) fn follow(&self, writer: &mut Writer, loaded: Loaded, since: Since) -> Option<u128> {
        match loaded {
            Loaded::Key(key) => self.keep(writer, &key, since),
            Loaded::Corrupt(id) => {
                let mut key = StoredKey::unknown();
                key.record.id = id;
                self.keep(writer, &key, since)
            }
            Loaded::Removed(id) => self.forget(&mut writer.places, KeyId::from_text(&id)?),
        }
    }

    /// Puts a key as it is now into the mirror.
    pub(super) fn keep(
        &self,
        writer: &mut Writer,
        stored: &StoredKey,
        since: Since,
    ) -> Option<u128> {
        let record = &stored.record;
        // What has no id is no key, and no reason to deny the others.
        let Some(id) = KeyId::from_text(&record.id) else { return Some(0) };
        let (earlier, seen) = self.known_as(id);
        let seen = match since {
            Since::Followed => seen,
            Since::Elsewhere => seen.elsewhere(),
            Since::Restored => Seen::NOTHING,
        };
        let tag = stored.lookup.as_ref().map(|lookup| foreign_key(lookup.tag));
        let named = tag.unwrap_or_else(|| id.to_u128());
        let sealed = self.peppers.check_row(stored);
        let believed = sealed.as_ref().ok().and_then(|()| Profile::new(stored).ok());
        if believed.is_some() && seen.is_after(record) {
            self.feed.known.is_lost(id, seen.is_lost_in(record));
            return Some(earlier.unwrap_or(0)); // an answer that was overtaken by a later one, or a row that was put back
        }
        let is_believed = believed.is_some();
        // A row that is not believed moves no key, and takes no other one's place.
        let key = if is_believed { named } else { earlier.unwrap_or(named) };
        if !is_believed && !self.is_of(id, key) && self.mirror.find(key).is_some() {
            return Some(0);
        }
        if needs_one_of(&writer.missing, stored, &sealed, self.clock.now()) {
            writer.without_pepper += 1;
        }
        let is_lost = is_believed && seen.is_lost_in(record);
        let seen = match is_believed {
            true => {
                Seen { revoked: is_lost || record.status == KeyStatus::Revoked, ..Seen::of(record) }
            }
            false => seen,
        };
        let (mut hot, profile) = match believed {
            Some(profile) => (self.hot(stored, key), profile),
            None => Self::denied(id, key, seen),
        };
        if is_lost {
            hot.flags |= Hot::REVOKED;
        }
        if is_believed {
            self.feed.known.is_lost(id, is_lost);
        }
        let before = earlier.filter(|earlier| *earlier != key);
        let counted = before.and_then(|before| {
            let (_, slot) = self.mirror.find(before).filter(|_| self.is_of(id, before))?;
            Some((slot.read()?.0.rate, slot.tat.load(Ordering::Relaxed)))
        });
        if let Some(before) = before {
            self.remove_own(&mut writer.places, id, before);
        }
        let was_foreign = earlier.is_some_and(|earlier| earlier != id.to_u128());
        self.note(id, key, was_foreign, seen);
        let is_kept = self.put(writer, &hot, profile);
        // Found by another text now, and the same key.
        if let Some((_, tat)) = counted.filter(|(rate, _)| *rate == hot.rate)
            && let Some((_, slot)) = self.mirror.find(key)
        {
            slot.tat.store(tat, Ordering::Relaxed);
        }
        is_kept.then_some(key)
    }

    /// Puts the halves of a key into the mirror, with what continues from before; false if there is
    /// no room.
    fn put(&self, writer: &mut Writer, hot: &Hot, mut profile: Profile) -> bool {
        let known = self.mirror.find(hot.key).map(|(_, slot)| slot);
        let before = known.and_then(Slot::whole_profile);
        if let Some(before) = &before {
            profile.goes_on_from(before);
        }
        let set_in = |profile: &Profile| profile.credits().map(|credits| credits.set_in);
        if let Some(slot) = known
            && before.as_ref().and_then(set_in) != set_in(&profile)
        {
            slot.lease.store(0, Ordering::Relaxed); // of credits that were replaced
        }
        if let Some(slot) = known
            && let Some((old, _)) = slot.read()
            && old.rate != hot.rate
            && let Ok(now) = self.counts.now(&*self.clock, self.clock.monotonic())
        {
            let (old, new) = (unpack_rate(old.rate), unpack_rate(hot.rate));
            let tat = rescale(slot.tat.load(Ordering::Relaxed), now, old, new);
            slot.tat.store(tat, Ordering::Relaxed);
            self.counts.rescale(hash_of(hot, &profile), now, old, new);
        }
        self.mirror.put(&mut writer.places, hot, profile)
    }

    /// A key whose row is not believed: denied, and what was seen of it is not forgotten.
    fn denied(id: KeyId, key: u128, seen: Seen) -> (Hot, Profile) {
        let mut unknown = StoredKey::unknown();
        id.as_str().clone_into(&mut unknown.record.id);
        (unknown.record.version, unknown.record.created_at) = (seen.version, seen.created_at);
        let revoked = if seen.revoked { Hot::REVOKED } else { 0 };
        let hot = Hot { key, flags: Hot::DAMAGED | revoked, ..Hot::default() };
        (hot, Profile::new(&unknown).unwrap_or_else(|_| Profile::empty()))
    }

    fn hot(&self, stored: &StoredKey, key: u128) -> Hot {
        let (record, proof) = (&stored.record, &stored.proof);
        let simple = is_simple(proof);
        let current = simple && proof.peppers.first() == Some(&self.peppers.active())
            || proof.scheme != Schemes::NATIVE
                && Schemes::is_fast(proof.scheme)
                && proof.peppers == [self.peppers.active()];
        let flags = [
            (record.status == KeyStatus::Disabled, Hot::DISABLED),
            (record.status == KeyStatus::Revoked, Hot::REVOKED),
            (record.env != self.env, Hot::ELSEWHERE),
            (simple, Hot::SIMPLE),
            (stored.previous.is_some(), Hot::PREVIOUS),
            (!record.cidrs.is_empty(), Hot::CIDRS),
            (record.credits.is_some(), Hot::CREDITS),
            (record.prefix != self.prefix, Hot::PREFIX),
            (!current, Hot::UPGRADE),
        ];
        Hot {
            key,
            mac: if simple { words(&proof.mac) } else { [0; 4] },
            pepper: proof.peppers.first().copied().unwrap_or(0),
            flags: flags.iter().filter(|(is, _)| *is).map(|(_, flag)| flag).sum(),
            expires_at: record.expires_at.unwrap_or(u64::MAX),
            not_before: record.not_before.unwrap_or(0),
            rate: pack_rate(record.rate),
        }
    }
}

/// Whether a key cannot be verified without one of these peppers. A row that names a pepper which
/// the store never had was altered, and so was one whose seal is not good: no reason to deny the
/// other keys.
fn needs_one_of(missing: &HashSet<u32>, stored: &StoredKey, sealed: &Result<()>, now: u64) -> bool {
    match sealed {
        Ok(()) => needed_peppers(stored, now).any(|pepper| missing.contains(&pepper)),
        Err(error) => {
            let is_damaged = stored.record.version == 0;
            error.kind() == ErrorKind::WrongPepper
                && !is_damaged
                && missing.contains(&stored.seal_pepper)
        }
    }
}
