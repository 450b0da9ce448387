//! What of a key is seldom needed on the way of a request: the texts and the dates of its record, and
//! the proofs that are not simple. Packed, because there may be a million of them.

use super::cidr::Cidr;
use super::mirror::Hot;
use crate::error::{ErrorKind, Result};
use crate::store::{Credits, KeyRecord, KeyStatus, Previous, Proof, Rate, StoredKey};
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything about a key but what is in [`Hot`]. What most requests ask for comes first, within two
/// cache lines of the reference count in front of it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Profile {
    /// Where each of the texts ends.
    ends: [u16; TEXTS],
    /// The texts of the record, one after the other.
    text: Text,
    created_at: u64,
    last_used_at: u64,
    uses: u64,
    version: u64,
    /// What most keys do not have.
    rare: Option<Box<Rare>>,
}

/// Text that needs no memory of its own unless it is long.
#[derive(Debug)]
enum Text {
    Short([u8; SHORT]),
    Long(Box<str>),
}

/// What leaves no gap in a profile. Most keys' texts are shorter.
const SHORT: usize = 87;

impl Text {
    fn new(text: &str) -> Self {
        let mut short = [0; SHORT];
        match short.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short(short)
            }
            None => Self::Long(text.into()),
        }
    }

    #[inline]
    fn get(&self, from: usize, to: usize) -> &str {
        match self {
            Self::Short(bytes) => {
                let part = bytes.get(from..to).unwrap_or_default();
                std::str::from_utf8(part).unwrap_or_default() // it was text, cut where a text ends
            }
            Self::Long(text) => text.get(from..to).unwrap_or_default(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) cidrs: Box<[Cidr]>,
    pub(crate) credits: Option<Credits>,
    pub(crate) dry: Dry,
    pub(crate) previous: Option<Sealed<Previous>>,
    pub(crate) proof: Option<Sealed<Proof>>,
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

const TEXTS: usize = 10;

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
        let rare = Rare {
            cidrs,
            credits: record.credits,
            dry: Dry::default(),
            previous: key.previous.clone().map(Sealed),
            proof: (!is_simple(&key.proof)).then(|| Sealed(key.proof.clone())),
            rotated_at: record.rotated_at,
            revoked_at: record.revoked_at,
        };
        let is_plain = rare.cidrs.is_empty()
            && rare.credits.is_none()
            && rare.previous.is_none()
            && rare.proof.is_none()
            && rare.rotated_at.is_none()
            && rare.revoked_at.is_none();
        Ok(Self {
            text: Text::new(&text),
            ends,
            created_at: record.created_at,
            last_used_at: record.last_used_at.unwrap_or(0),
            uses: record.uses,
            version: record.version,
            rare: (!is_plain).then(|| Box::new(rare)),
        })
    }

    /// The profile of nobody.
    pub(crate) fn empty() -> Self {
        Self {
            text: Text::new(""),
            ends: [0; TEXTS],
            created_at: 0,
            last_used_at: 0,
            uses: 0,
            version: 0,
            rare: None,
        }
    }

    fn text(&self, n: usize) -> &str {
        let end = |n: usize| self.ends.get(n).map_or(0, |end| usize::from(*end));
        let start = n.checked_sub(1).map_or(0, end);
        self.text.get(start, end(n))
    }

    /// Has the processor fetch what a request will ask for, while it goes on with something else.
    #[inline]
    pub(crate) fn touch(&self) {
        std::hint::black_box((self.ends.first(), self.version));
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
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Whether all of `wanted` are among the key's scopes.
    pub(crate) fn has_scopes(&self, wanted: &[&str]) -> bool {
        wanted.iter().all(|wanted| self.scopes().split(' ').any(|scope| scope == *wanted))
    }

    pub(crate) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
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
            created_at: self.created_at,
            rotated_at: rare.and_then(|rare| rare.rotated_at),
            overlap_until: rare.and_then(|rare| Some(rare.previous.as_ref()?.0.until)),
            last_used_at: some(self.last_used_at.max(last_used)),
            uses: self.uses.saturating_add(uses),
            version: self.version,
        }
    }
}

impl Rare {
    /// If the store said not long ago that it has less than `need`: when the next refill is due.
    pub(crate) fn is_dry(&self, now: u64, need: u64) -> Option<u64> {
        let dry = now < self.dry.until.load(Ordering::Relaxed)
            && need > self.dry.left.load(Ordering::Relaxed);
        dry.then(|| self.dry.refill_at.load(Ordering::Relaxed))
    }
}

/// Whether a proof fits into [`Hot`].
pub(crate) fn is_simple(proof: &Proof) -> bool {
    proof.scheme == super::hash::Schemes::NATIVE && proof.peppers.len() == 1
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
