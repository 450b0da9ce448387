//! A ring as text, `{"token_ttl":...,"keys":[{"state":...,"created_at":...,...,"jwk":{...}}]}`, and
//! the seal around it.

use super::{KeyRingOptions, RingKey, RingKeyState};
use crate::base::json::{self, ObjectWriter, Value};
use crate::base::random::SecureRandom;
use crate::base::secret::Secret;
use crate::crypto::aead;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key};
use crate::pepper::Peppers;
use crate::store::StoredRing;
use zeroize::Zeroizing;

/// A key, and what is shown of it.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) shown: RingKey,
    pub(super) key: Key,
    /// The public half, or a symmetric key itself.
    pub(super) verifying: Key,
}

impl Kept {
    pub(super) fn generate(alg: Alg, now: u64) -> Result<Self> {
        Self::next(Key::generate(alg)?, now)
    }

    /// A key that may sign, as the next one.
    pub(super) fn next(key: Key, now: u64) -> Result<Self> {
        let shown = RingKey {
            kid: key.kid().to_owned(),
            alg: key.alg(),
            by_callback: key.signs_by_callback(),
            state: RingKeyState::Next,
            created_at: now,
            active_at: None,
            retired_at: None,
            until: None,
        };
        Self::new(shown, key)
    }

    fn new(shown: RingKey, key: Key) -> Result<Self> {
        // Named, so that a token must say which key it is of.
        let key = key.with_kid(&shown.kid)?;
        let verifying = if key.is_symmetric() { key.clone() } else { key.public()? };
        Ok(Self { shown, key, verifying })
    }

    pub(super) fn activate(&mut self, now: u64) {
        self.shown.state = RingKeyState::Active;
        self.shown.active_at = Some(now);
    }

    pub(super) fn retire(&mut self, now: u64, until: u64) {
        self.shown.state = RingKeyState::Retired;
        (self.shown.retired_at, self.shown.until) = (Some(now), Some(until));
    }

    /// When it was made, and became active, if it is not retired: its tokens are not older.
    pub(super) fn signs_from(&self) -> impl Iterator<Item = u64> + use<> {
        let RingKey { state, created_at, active_at, .. } = self.shown;
        let dates = [Some(created_at), active_at];
        dates.into_iter().flatten().filter(move |_| state != RingKeyState::Retired)
    }

    /// Whether the last token of a retired key has expired.
    pub(super) fn has_lapsed(&self, now: u64) -> bool {
        self.shown.until.is_some_and(|until| until <= now)
    }
}

/// The ring as text, all of it secret; `token_ttl` is the longest life of a token that it was
/// opened with, in seconds.
pub(super) fn write(keys: &[Kept], token_ttl: u64) -> Result<Zeroizing<String>> {
    let mut parts = Vec::with_capacity(keys.len());
    for kept in keys {
        let RingKey { state, created_at, active_at, retired_at, until, .. } = &kept.shown;
        let mut out = ObjectWriter::new();
        out.text("state", state.name());
        out.number("created_at", *created_at);
        out.number("active_at", *active_at);
        out.number("retired_at", *retired_at);
        out.number("until", *until);
        if kept.shown.by_callback {
            out.bool("by_callback", true);
        }
        let shown = out.end();
        let jwk = match kept.shown.by_callback {
            false => kept.key.to_private_jwk()?,
            true => Secret::from(kept.verifying.to_jwk()?),
        };
        parts.push((shown, jwk));
    }
    let length: usize =
        parts.iter().map(|(shown, jwk)| shown.len() + jwk.expose().len() + 16).sum();
    // All of it at once: a text that grows would leave copies of keys behind.
    let mut out = ObjectWriter::new();
    out.number("token_ttl", token_ttl);
    let head = out.end();
    let mut text = Zeroizing::new(String::with_capacity(head.len() + length + 16));
    text.push_str(head.strip_suffix('}').unwrap_or_default());
    text.push_str(r#","keys":["#);
    for (at, (shown, jwk)) in parts.iter().enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        text.push_str(shown.strip_suffix('}').unwrap_or_default());
        text.push_str(r#","jwk":"#);
        text.push_str(jwk.expose_str());
        text.push('}');
    }
    text.push_str("]}");
    Ok(text)
}

/// The keys in a ring's text, and the longest life of a token that it was opened with.
pub(super) fn read(text: &[u8]) -> Result<(Vec<Kept>, u64)> {
    let ring = json::parse(text).map_err(|_| DAMAGED)?;
    let keys = ring.member("keys").ok_or(DAMAGED)?;
    let keys: Vec<Kept> = keys.elements().map(|key| read_key(&key)).collect::<Result<_>>()?;
    let count = |state| keys.iter().filter(|kept| kept.shown.state == state).count();
    if count(RingKeyState::Active) != 1 || count(RingKeyState::Next) > 1 {
        return Err(DAMAGED);
    }
    // A text of before this was written down has none.
    let token_ttl = match ring.member("token_ttl") {
        None => KeyRingOptions::USUAL_TOKEN_TTL,
        Some(seconds) => {
            let seconds = seconds.as_u64().filter(|seconds| KeyRingOptions::is_token_ttl(*seconds));
            seconds.ok_or(DAMAGED)?
        }
    };
    Ok((keys, token_ttl))
}

fn read_key(value: &Value<'_>) -> Result<Kept> {
    let number = |name: &str| value.member(name).and_then(|number| number.as_u64());
    let state = value.member("state").and_then(|state| state.as_str()).ok_or(DAMAGED)?;
    let jwk = value.member("jwk").ok_or(DAMAGED)?;
    let key = Key::from_jwk(jwk.raw().as_bytes(), None).map_err(|_| DAMAGED)?;
    let shown = RingKey {
        kid: key.kid().to_owned(),
        alg: key.alg(),
        state: RingKeyState::from_name(&state).ok_or(DAMAGED)?,
        created_at: number("created_at").ok_or(DAMAGED)?,
        active_at: number("active_at"),
        retired_at: number("retired_at"),
        until: number("until"),
        by_callback: value.member("by_callback").is_some_and(|is| is.as_bool() == Some(true)),
    };
    if key.may_sign() == shown.by_callback
        || (shown.state == RingKeyState::Retired) != shown.until.is_some()
    {
        return Err(DAMAGED);
    }
    Kept::new(shown, key)
}

/// The ring as it is kept: sealed under the active pepper, if there are any.
pub(super) fn seal(
    name: &str,
    version: u64,
    text: &str,
    peppers: Option<&Peppers>,
    random: &dyn SecureRandom,
) -> Result<StoredRing> {
    let (pepper, text) = match peppers {
        None => (0, text.as_bytes().to_vec()),
        Some(peppers) => {
            let key = key(peppers, peppers.active()).ok_or(ErrorKind::Internal)?;
            let sealed = aead::seal(&key, &context(name, version), text.as_bytes(), random)?;
            (peppers.active(), sealed)
        }
    };
    Ok(StoredRing { name: name.to_owned(), version, pepper, text })
}

/// The text of a ring. One that lies open where it should be sealed is refused: an attacker can
/// write that.
pub(super) fn open(ring: &StoredRing, peppers: Option<&Peppers>) -> Result<Zeroizing<Vec<u8>>> {
    match peppers {
        None if ring.pepper == 0 => Ok(Zeroizing::new(ring.text.clone())),
        Some(peppers) if ring.pepper != 0 => {
            let key = key(peppers, ring.pepper)
                .ok_or_else(|| NOT_GIVEN.about_secret("pepper", ring.pepper))?;
            aead::open(&key, &context(&ring.name, ring.version), &ring.text).ok_or(DAMAGED)
        }
        None => Err(Error::new(
            ErrorKind::WrongPepper,
            "The key ring is sealed under a pepper; open it with the peppers.",
        )
        .about_secret("pepper", ring.pepper)),
        Some(_) => Err(Error::new(
            ErrorKind::StoreCorrupt,
            "The key ring lies open, although there are peppers to seal it; open it without.",
        )),
    }
}

const NOT_GIVEN: Error = Error::new(
    ErrorKind::WrongPepper,
    "The key ring is sealed under a pepper that was not given; give all of them, oldest first.",
);

/// What rings are sealed with: a key of its own for each pepper.
fn key(peppers: &Peppers, pepper: u32) -> Option<Zeroizing<[u8; 32]>> {
    peppers.mac(pepper, b"gkk1 key of key rings").map(Zeroizing::new)
}

/// What a sealed text belongs to: a ring of another name, or an older version of it, does not fit.
fn context(name: &str, version: u64) -> Vec<u8> {
    [&b"gkk1"[..], &version.to_be_bytes(), name.as_bytes()].concat()
}

const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The key ring is damaged, or was altered from outside; restore it from a backup.",
);
