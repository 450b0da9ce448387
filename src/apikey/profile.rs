//! What of a key is seldom needed on the way of a request: the texts and the dates of its record,
//! and the proofs that are not simple. Packed, because there may be a million of them.

use super::cidr::Cidr;
use super::hot::Hot;
use super::known::Seen;
use crate::error::{ErrorKind, Result};
use crate::store::{Credits, KeyRecord, KeyStatus, Previous, Proof, Rate, StoredKey};
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything about a key but what is in [`Hot`].
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    card: Card,
    /// What most keys do not have.
    rare: Option<Arc<Rare>>,
}

/// What most requests ask for, packed so that it lies beside the hot part: four numbers, where each
/// text ends, and the texts, one after the other. Texts that do not fit are in [`Rare`].
#[derive(Clone)]
pub(crate) struct Card([u8; CARD]);

/// Two cache lines.
const CARD: usize = 128;
/// The numbers: when it was made and last used, how often, and its version.
const NUMBERS: usize = 4;
const TEXTS: usize = 10;
const ENDS: usize = NUMBERS * 8;
const TEXT: usize = ENDS + TEXTS;

impl Card {
    /// The words of a card.
    pub(crate) const WORDS: usize = CARD / 8;

    pub(crate) const fn empty() -> Self {
        Self([0; CARD])
    }

    #[inline]
    pub(crate) fn from_words(words: [u64; Self::WORDS]) -> Self {
        let mut bytes = [0; CARD];
        let places = bytes.chunks_exact_mut(8);
        places.zip(words).for_each(|(place, word)| place.copy_from_slice(&word.to_ne_bytes()));
        Self(bytes)
    }

    pub(crate) fn words(&self) -> [u64; Self::WORDS] {
        std::array::from_fn(|n| self.number(n))
    }

    fn new(numbers: [u64; NUMBERS]) -> Self {
        let mut card = Self::empty();
        let places = card.0.chunks_exact_mut(8);
        places
            .zip(numbers)
            .for_each(|(place, number)| place.copy_from_slice(&number.to_ne_bytes()));
        card
    }

    /// Writes the texts; false if they do not fit.
    fn set_texts(&mut self, texts: &str, ends: &[u16; TEXTS]) -> bool {
        let Some(place) = self.0.get_mut(TEXT..).and_then(|room| room.get_mut(..texts.len()))
        else {
            return false;
        };
        place.copy_from_slice(texts.as_bytes());
        let places = self.0.get_mut(ENDS..TEXT).unwrap_or_default();
        for (place, end) in places.iter_mut().zip(ends) {
            *place = u8::try_from(*end).unwrap_or(0); // what fits is shorter than 256
        }
        true
    }

    #[inline]
    fn number(&self, n: usize) -> u64 {
        let bytes = self.0.get(n * 8..).and_then(|rest| rest.first_chunk::<8>());
        bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
    }

    #[inline]
    fn end(&self, n: usize) -> usize {
        self.0.get(ENDS + n).map_or(0, |end| usize::from(*end))
    }

    #[inline]
    fn text(&self, n: usize) -> &str {
        let start = n.checked_sub(1).map_or(0, |before| self.end(before));
        let part = self.0.get(TEXT + start..TEXT + self.end(n)).unwrap_or_default();
        std::str::from_utf8(part).unwrap_or_default() // it was text, cut where a text ends
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text(0))
    }
}

/// Texts that do not fit into a card.
#[derive(Debug)]
struct Long {
    text: Box<str>,
    ends: [u16; TEXTS],
}

impl Long {
    fn text(&self, n: usize) -> &str {
        let end = |n: usize| self.ends.get(n).map_or(0, |end| usize::from(*end));
        let start = n.checked_sub(1).map_or(0, end);
        self.text.get(start..end(n)).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Rare {
    long: Option<Long>,
    pub(crate) cidrs: Box<[Cidr]>,
    pub(crate) credits: Option<Credits>,
    pub(crate) dry: Dry,
    pub(crate) previous: Option<Sealed<Previous>>,
    pub(crate) proof: Option<Sealed<Proof>>,
    /// A MAC of the text that the proof was proved by, if that took a slow hash.
    pub(crate) proved: Arc<ArcSwapOption<Sealed<[u8; 32]>>>,
    rotated_at: Option<u64>,
    revoked_at: Option<u64>,
}

/// What the store said when it was last asked for more credits than it had.
#[derive(Debug, Default)]
pub(crate) struct Dry {
    /// Until when it need not be asked again, in seconds since the Unix epoch.
    pub(crate) until: AtomicU64,
    /// How many it had.
    pub(crate) left: AtomicU64,
    /// When the next refill is due; `u64::MAX` if never.
    pub(crate) refill_at: AtomicU64,
}

/// Something that `Debug` does not show.
pub(crate) struct Sealed<T>(pub(crate) T);

impl<T> std::fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Profile {
    /// Packs a key.
    ///
    /// # Errors
    /// `StoreCorrupt`: the row holds what no key has.
    pub(crate) fn new(key: &StoredKey) -> Result<Self> {
        let record = &key.record;
        let scopes = record.scopes.join(" ");
        let texts: [&str; TEXTS] = [
            &record.id,
            &record.owner,
            &scopes,
            &record.tenant,
            &record.prefix,
            &record.env,
            &record.name,
            &record.reason,
            &record.created_by,
            &record.meta,
        ];
        let mut text = String::with_capacity(texts.iter().map(|text| text.len()).sum());
        let mut ends = [0; TEXTS];
        for (one, end) in texts.iter().zip(&mut ends) {
            text.push_str(one);
            *end = u16::try_from(text.len()).map_err(|_| ErrorKind::StoreCorrupt)?;
        }
        let cidrs = record.cidrs.iter().map(|text| Cidr::parse(text));
        let cidrs = cidrs.collect::<Result<_>>().map_err(|_| ErrorKind::StoreCorrupt)?;
        let mut card = Card::new([
            record.created_at,
            record.last_used_at.unwrap_or(0),
            record.uses,
            record.version,
        ]);
        let fits = card.set_texts(&text, &ends);
        let rare = Rare {
            long: (!fits).then(|| Long { text: text.into(), ends }),
            cidrs,
            credits: record.credits,
            dry: Dry::default(),
            previous: key.previous.clone().map(Sealed),
            proof: (!is_simple(&key.proof)).then(|| Sealed(key.proof.clone())),
            proved: Arc::default(),
            rotated_at: record.rotated_at,
            revoked_at: record.revoked_at,
        };
        let is_plain = rare.long.is_none()
            && rare.cidrs.is_empty()
            && rare.credits.is_none()
            && rare.previous.is_none()
            && rare.proof.is_none()
            && rare.rotated_at.is_none()
            && rare.revoked_at.is_none();
        Ok(Self { card, rare: (!is_plain).then(|| Arc::new(rare)) })
    }

    /// Takes over what a slow hash has proved, if this is the same row once more.
    pub(crate) fn goes_on_from(&mut self, before: &Self) {
        let is_same = self.version() == before.version();
        if let (Some(rare), Some(before)) = (&mut self.rare, &before.rare)
            && let (Some(proof), Some(known)) = (&rare.proof, &before.proof)
            && is_same
            && proof.0 == known.0
            && let Some(rare) = Arc::get_mut(rare)
        {
            rare.proved = Arc::clone(&before.proved);
        }
    }

    /// The profile of no key.
    pub(crate) const fn empty() -> Self {
        Self::from_parts(Card::empty(), None)
    }

    #[inline]
    pub(crate) const fn from_parts(card: Card, rare: Option<Arc<Rare>>) -> Self {
        Self { card, rare }
    }

    /// What it is made of, to be kept apart.
    pub(crate) fn into_parts(self) -> (Card, Option<Arc<Rare>>) {
        (self.card, self.rare)
    }

    #[inline]
    fn text(&self, n: usize) -> &str {
        match self.rare().and_then(|rare| rare.long.as_ref()) {
            None => self.card.text(n),
            Some(long) => long.text(n),
        }
    }

    /// The key's id.
    pub(crate) fn id(&self) -> &str {
        self.text(0)
    }

    /// Whose key it is.
    pub(crate) fn owner(&self) -> &str {
        self.text(1)
    }

    /// The scopes, separated by spaces.
    pub(crate) fn scopes(&self) -> &str {
        self.text(2)
    }

    /// The tenant.
    pub(crate) fn tenant(&self) -> &str {
        self.text(3)
    }

    /// The prefix of the key's text.
    pub(crate) fn prefix(&self) -> &str {
        self.text(4)
    }

    /// The number of the change that made the key as it is.
    pub(crate) fn version(&self) -> u64 {
        self.card.number(3)
    }

    /// The change that made the key as it is; whether it is revoked, the other half says.
    pub(crate) fn seen(&self) -> Seen {
        Seen { created_at: self.card.number(0), version: self.version(), revoked: false }
    }

    /// Whether all of `wanted` are among the key's scopes.
    pub(crate) fn has_scopes(&self, wanted: &[&str]) -> bool {
        wanted
            .iter()
            .all(|wanted| self.scopes().split_terminator(' ').any(|scope| scope == *wanted))
    }

    #[inline]
    pub(crate) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// Its credits, if it has some.
    pub(crate) fn credits(&self) -> Option<&Credits> {
        self.rare().and_then(|rare| rare.credits.as_ref())
    }

    /// The record, whole again. `hot` is the other half.
    pub(crate) fn record(&self, hot: &Hot, last_used: u64, uses: u64) -> KeyRecord {
        let text = |n: usize| self.text(n).to_owned();
        let some = |number: u64| (number != 0).then_some(number);
        let rare = self.rare();
        KeyRecord {
            id: text(0),
            owner: text(1),
            scopes: self.scopes().split_terminator(' ').map(str::to_owned).collect(),
            tenant: text(3),
            prefix: text(4),
            env: text(5),
            name: text(6),
            reason: text(7),
            created_by: text(8),
            meta: text(9),
            cidrs: rare.iter().flat_map(|rare| rare.cidrs.iter().map(Cidr::to_string)).collect(),
            status: if hot.has(Hot::REVOKED) {
                KeyStatus::Revoked
            } else if hot.has(Hot::DISABLED) {
                KeyStatus::Disabled
            } else {
                KeyStatus::Active
            },
            revoked_at: rare.and_then(|rare| rare.revoked_at),
            not_before: some(hot.not_before),
            expires_at: (hot.expires_at != u64::MAX).then_some(hot.expires_at),
            rate: unpack_rate(hot.rate),
            credits: rare.and_then(|rare| rare.credits),
            created_at: self.card.number(0),
            rotated_at: rare.and_then(|rare| rare.rotated_at),
            overlap_until: rare.and_then(|rare| Some(rare.previous.as_ref()?.0.until)),
            last_used_at: some(self.card.number(1).max(last_used)),
            uses: self.card.number(2).saturating_add(uses),
            version: self.version(),
            altered: false,
        }
    }
}

impl Rare {
    /// Keeps what a slow hash has proved, as long as the row is as it is.
    pub(crate) fn remember(&self, mac: [u8; 32]) {
        self.proved.store(Some(Arc::new(Sealed(mac))));
    }

    /// If the store said not long ago that it has less than `need`: when the next refill is due.
    pub(crate) fn is_dry(&self, now: u64, need: u64) -> Option<u64> {
        let dry = now < self.dry.until.load(Ordering::Relaxed)
            && need > self.dry.left.load(Ordering::Relaxed);
        dry.then(|| self.dry.refill_at.load(Ordering::Relaxed))
    }
}

/// Whether a proof fits into [`Hot`].
pub(crate) fn is_simple(proof: &Proof) -> bool {
    proof.scheme == super::import_formats::Schemes::NATIVE && proof.peppers.len() == 1
}

/// A rate in one word; 0 for none.
pub(crate) fn pack_rate(rate: Option<Rate>) -> u64 {
    rate.map_or(0, |rate| u64::from(rate.burst) << 32 | u64::from(rate.period))
}

/// The rate in the word.
pub(crate) fn unpack_rate(word: u64) -> Option<Rate> {
    #[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
    let rate = Rate { burst: (word >> 32) as u32, period: word as u32 };
    (word != 0).then_some(rate)
}
