//! `KeySet`: several keys, told apart by `kid` and algorithm (RFC 7517 section 5).
//!
//! A set is all symmetric or all asymmetric: a set with both would let a public key's owner choose
//! how a token is checked. Reading a JWK Set skips members that gatekey cannot or may not use, as
//! RFC 7517 section 5 asks, and remembers their names and why; the set's JSON itself must be
//! well-formed throughout. A key that comes twice is one key. A name that different keys share,
//! used or skipped (unless for encryption), is refused where a token uses it.

use super::alg::{Alg, Family};
use super::export;
use super::import;
use super::key::Key;
use super::mistaken;
use super::options::KeyOptions;
use super::skipped::{Identity, Skipped, Unusable};
use crate::base::json::{Kind, Value};
use crate::base::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Keys to verify with, or to publish. Cloning shares it.
///
/// ```
/// use gatekey::{Alg, Key, KeySet};
/// let set = KeySet::new([Key::generate(Alg::Es256)?, Key::generate(Alg::EdDsa)?])?;
/// let published = KeySet::from_jwks(set.to_jwks()?.as_bytes())?;
/// assert_eq!(published.len(), 2);
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct KeySet(Arc<Inner>);

struct Inner {
    keys: Box<[Key]>,
    /// Indices into `keys`, ordered by `kid`.
    by_kid: Box<[usize]>,
    skipped: Box<[Skipped]>,
    /// The names of keys that cannot be used: those that were skipped, and those that may not
    /// verify.
    unusable: Box<[Unusable]>,
}

/// The most members of a JWK Set that are read.
const MAX_KEYS: usize = 100;

/// The most work that checking the private RSA keys of a JWK Set may cost, in keys of 2048 bits:
/// some hundred milliseconds. One of 8192 bits costs as much as 64 of them.
const MOST_WORK: usize = 256;

impl KeySet {
    /// A set of these keys, in this order; one that is there twice is taken once.
    ///
    /// # Errors
    /// `MixedKeySet`: some are symmetric and some are not. `InvalidArgument`: there are more than
    /// 100.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self> {
        let keys: Vec<Key> = keys.into_iter().take(MAX_KEYS + 1).collect();
        if keys.len() > MAX_KEYS {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "A key set may have at most 100 keys.",
            ));
        }
        Self::from_parts(keys, Vec::new(), Vec::new())
    }

    /// Reads a JWK Set, private or public.
    ///
    /// Members that cannot or may not be used for signatures are skipped: unknown types, curves and
    /// algorithms, `use` other than `sig`, weak keys, malformed keys, and RSA and `oct` keys
    /// without `alg`. See [`Self::skipped`]. Private RSA keys are checked, which is slow for long
    /// ones: of them at most 4 of 8192 bits, 32 of 4096 bits or 100 of 2048 bits are read, and the
    /// others skipped.
    ///
    /// # Errors
    /// `InvalidKey`: not a JWK Set, malformed JSON anywhere, more than 100 members or 512 KiB.
    /// `MixedKeySet`: usable symmetric and asymmetric keys side by side.
    pub fn from_jwks(json: &[u8]) -> Result<Self> {
        Self::from_jwks_with(json, None)
    }

    /// As [`Self::from_jwks`], and RSA members without `alg` are used with `default_rsa`.
    ///
    /// # Errors
    /// As [`Self::from_jwks`]. `InvalidArgument`: `default_rsa` is not an RSA algorithm.
    pub fn from_jwks_with(json: &[u8], default_rsa: Option<Alg>) -> Result<Self> {
        if default_rsa.is_some_and(|alg| !matches!(alg.family(), Family::Rsa(_))) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "The default algorithm of RSA keys must be one of RS256 to PS512.",
            ));
        }
        match json.trim_ascii_start() {
            [b'<', ..] => return Err(A_PAGE),
            [0xef, 0xbb, 0xbf, ..] => return Err(BYTE_ORDER_MARK),
            _ => {}
        }
        let text = import::parse(json)?;
        let members = text.member("keys").filter(|members| members.kind() == Kind::Array);
        let members = members.ok_or_else(|| mistaken::for_set(&text))?;
        if members.elements().nth(MAX_KEYS).is_some() {
            return Err(TOO_MANY);
        }
        let (mut keys, mut used, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut work = 0;
        for member in members.elements() {
            let identity = Identity::of(&member);
            work += import::work(&member);
            let key = if work > MOST_WORK {
                Err(TOO_MUCH_WORK)
            } else {
                read_member(&member, default_rsa)
            };
            match key {
                Ok(key) => {
                    keys.push(key);
                    used.push(identity);
                }
                Err(reason) => refused.push((identity, reason)),
            }
        }
        let unusable = refused.iter().filter_map(|(own, reason)| {
            // By the name that a token has: a key without `kid` goes by its thumbprint.
            let mut used = keys.iter().zip(&used);
            let is_rival = used.any(|(key, used)| own.is_rival_of(key.kid(), used));
            Some(Unusable::new(own.kid.as_deref()?, reason, is_rival))
        });
        let unusable = unusable.collect();
        let skipped = refused.into_iter().map(|(own, reason)| Skipped::new(own.kid, reason));
        Self::from_parts(keys, skipped.collect(), unusable)
    }

    /// The public halves, and what is known of the members that were skipped.
    pub(crate) fn public(&self) -> Result<Self> {
        let shares = |key: &Key| key.is_private() || key.signs_by_callback();
        let public = |key: &Key| if shares(key) { key.public() } else { Ok(key.clone()) };
        let keys = self.iter().map(public).collect::<Result<Vec<_>>>()?;
        Self::from_parts(keys, self.0.skipped.to_vec(), self.0.unusable.to_vec())
    }

    /// The keys that `check` lets pass; the others are remembered by name, with the reason.
    pub(crate) fn only(&self, check: impl Fn(&Key) -> Result<()>) -> Result<Self> {
        let (mut keys, mut unusable) = (Vec::new(), self.0.unusable.to_vec());
        for key in self {
            match check(key) {
                Ok(()) => keys.push(key.clone()),
                Err(reason) => unusable.push(Unusable::new(key.kid(), &reason, false)),
            }
        }
        Self::from_parts(keys, self.0.skipped.to_vec(), unusable)
    }

    /// The public halves as a JWK Set, to be published.
    ///
    /// # Errors
    /// `KeyUsage`: the keys are symmetric.
    pub fn to_jwks(&self) -> Result<String> {
        // A pair and its public half are one key here, and a set that names a key twice is
        // ambiguous to others.
        let mut members: Vec<String> = Vec::new();
        for key in self.iter() {
            let mut member = String::new();
            export::write_public(key, &mut member)?;
            if !members.contains(&member) {
                members.push(member);
            }
        }
        Ok(format!(r#"{{"keys":[{}]}}"#, members.join(",")))
    }

    /// The whole keys as a JWK Set.
    ///
    /// # Errors
    /// `KeyUsage`: one of the keys has no private part.
    pub fn to_private_jwks(&self) -> Result<Secret> {
        let capacity: usize = self.iter().map(|key| export::private_capacity(key) + 1).sum();
        let mut out = Zeroizing::new(String::with_capacity(capacity + 16));
        write_set(self.iter(), &mut out, export::write_private)?;
        Ok(Secret::from(std::mem::take(&mut *out)))
    }

    /// The members of the JWK Set that are not used, with the reasons, in the order of the text.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.0.skipped
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.keys.is_empty()
    }

    /// The keys in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.0.keys.iter()
    }

    /// The key with this name; the first of those that are one key for several algorithms. Never
    /// allocates.
    ///
    /// # Errors
    /// `KeyNotFound`: no key has the name. `UnusableKey`: one has it, but was skipped; see
    /// [`Error::unusable_key`]. `AmbiguousKey`: different keys have it, of which one may have been
    /// skipped.
    pub fn by_kid(&self, kid: &str) -> Result<&Key> {
        let mut named = self.named(kid);
        let Some(first) = named.next() else {
            return Err(self.refusal(kid).unwrap_or(NO_SUCH_NAME));
        };
        let is_shared = named.any(|key| !first.parts().is_same_key(key.parts()));
        if is_shared || self.has_rival(kid) { Err(SHARED_NAME) } else { Ok(first) }
    }

    /// Whether a key, usable or not, has this name.
    #[must_use]
    pub fn has_kid(&self, kid: &str) -> bool {
        self.named(kid).next().is_some()
    }

    /// The one key that verifies a token with this `kid` and algorithm. Never allocates.
    ///
    /// Names are compared byte by byte. Keys that may not verify do not count, but for a name that
    /// they share with another key.
    ///
    /// # Errors
    /// `KeyNotFound`: no key has the name, or the set has no key. `UnusableKey`: the one that has
    /// the name was skipped, or may not verify; see [`Error::unusable_key`]. `InvalidAlgorithm`:
    /// those that have it, or without a `kid` all there are, are for other algorithms.
    /// `AmbiguousKey`: several fit, or a key that was skipped has the same name.
    pub fn select(&self, kid: Option<&str>, alg: Alg) -> Result<&Key> {
        let Some(kid) = kid else { return only(self.iter(), alg, EMPTY, KID_NEEDED) };
        let found =
            only(self.named(kid), alg, NO_SUCH_KID, SHARED_KID).map_err(|error| {
                match error.kind() {
                    ErrorKind::KeyNotFound => error.seeing("kid", Some(kid)),
                    _ => error,
                }
            });
        let refusal = match &found {
            Ok(_) if self.has_rival(kid) => Some(SKIPPED_KID),
            Err(error) if error.kind() == ErrorKind::KeyNotFound => self.refusal(kid),
            _ => None,
        };
        refusal.map_or(found, Err)
    }

    /// The keys of this name that may verify with this algorithm, in their order.
    pub(crate) fn matching_name(&self, kid: &str, alg: Alg) -> impl Iterator<Item = &Key> {
        self.named(kid).filter(move |key| key.may_verify() && key.alg().same_algorithm(alg))
    }

    /// The keys that may verify with this algorithm, in their order.
    pub fn matching(&self, alg: Alg) -> impl Iterator<Item = &Key> {
        self.iter().filter(move |key| key.may_verify() && key.alg().same_algorithm(alg))
    }

    fn named<'s>(&'s self, kid: &str) -> impl Iterator<Item = &'s Key> {
        let Inner { keys, by_kid, .. } = &*self.0;
        let name = |&index: &usize| keys.get(index).map_or("", Key::kid);
        let start = by_kid.partition_point(|index| name(index) < kid);
        let rest = by_kid.get(start..).unwrap_or_default();
        let same = rest.iter().take_while(|index| name(index) == kid).count();
        rest.iter().take(same).filter_map(|&index| keys.get(index))
    }

    fn unusable(&self, kid: &str) -> impl Iterator<Item = &Unusable> {
        self.0.unusable.iter().filter(move |unusable| *unusable.kid == *kid)
    }

    /// Whether a key that cannot be used has the name of one that can, and is another.
    fn has_rival(&self, kid: &str) -> bool {
        self.unusable(kid).any(|unusable| unusable.is_rival)
    }

    /// What a token is refused with that names a key which cannot be used.
    fn refusal(&self, kid: &str) -> Option<Error> {
        self.unusable(kid).next().map(|unusable| unusable.refusal.clone())
    }

    fn from_parts(
        keys: Vec<Key>,
        skipped: Vec<Skipped>,
        mut unusable: Vec<Unusable>,
    ) -> Result<Self> {
        let keys = without_repeats(keys);
        let idle = keys.iter().filter(|key| !key.may_verify());
        unusable.extend(idle.map(|idle| {
            let is_rival = keys.iter().any(|key| {
                key.may_verify()
                    && key.kid() == idle.kid()
                    && key.alg().same_algorithm(idle.alg())
                    && !is_same_key(key, idle)
            });
            Unusable::new(idle.kid(), &Key::MAY_NOT_VERIFY, is_rival)
        }));
        let symmetric = keys.iter().filter(|key| key.is_symmetric()).count();
        if symmetric != 0 && symmetric != keys.len() {
            return Err(ErrorKind::MixedKeySet.into());
        }
        let mut by_kid: Vec<(usize, &Key)> = keys.iter().enumerate().collect();
        by_kid.sort_by_key(|(_, key)| key.kid()); // stable: equal names keep their order
        let by_kid = by_kid.into_iter().map(|(index, _)| index).collect();
        let (skipped, unusable) = (skipped.into(), unusable.into());
        Ok(Self(Arc::new(Inner { keys: keys.into(), by_kid, skipped, unusable })))
    }
}

impl<'s> IntoIterator for &'s KeySet {
    type Item = &'s Key;
    type IntoIter = std::slice::Iter<'s, Key>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn read_member(member: &Value<'_>, default_rsa: Option<Alg>) -> Result<Key> {
    let (parts, mut stated) = import::read(member)?;
    if matches!(parts, super::material::Parts::Rsa { .. }) {
        stated.alg = stated.alg.or(default_rsa);
    }
    KeyOptions::new().build(parts, stated)
}

fn write_set<'k>(
    keys: impl Iterator<Item = &'k Key>,
    out: &mut String,
    write: impl Fn(&Key, &mut String) -> Result<()>,
) -> Result<()> {
    out.push_str(r#"{"keys":["#);
    for (i, key) in keys.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(key, out)?;
    }
    out.push_str("]}");
    Ok(())
}

/// The keys, each of them once: the first of those that are the same and may be used for the same.
fn without_repeats(keys: Vec<Key>) -> Vec<Key> {
    let mut unique: Vec<Key> = Vec::with_capacity(keys.len());
    for key in keys {
        let is_repeat = unique.iter().any(|own| {
            own.kid() == key.kid()
                && is_same_key(own, &key)
                && (own.may_sign(), own.may_verify()) == (key.may_sign(), key.may_verify())
        });
        if !is_repeat {
            unique.push(key);
        }
    }
    unique
}

/// Whether two keys verify the same signatures.
fn is_same_key(one: &Key, other: &Key) -> bool {
    one.alg().same_algorithm(other.alg()) && one.parts().is_same_key(other.parts())
}

/// The one key of these that may verify with this algorithm.
fn only<'k>(
    keys: impl Iterator<Item = &'k Key>,
    alg: Alg,
    none: Error,
    several: Error,
) -> Result<&'k Key> {
    let mut others: Option<Alg> = None;
    let mut found: Option<&Key> = None;
    for key in keys.filter(|key| key.may_verify()) {
        match found {
            _ if !key.alg().same_algorithm(alg) => others = Some(key.alg()),
            None => found = Some(key),
            Some(found) if is_same_key(found, key) => {}
            Some(_) => return Err(several),
        }
    }
    found.ok_or_else(|| match others {
        Some(other) => OTHER_ALGORITHM.finding("alg", alg.name(), other.name()),
        None => none,
    })
}

const A_PAGE: Error = Error::new(
    ErrorKind::InvalidKey,
    "This is an HTML or XML page and not a JWK Set; see that the address or file is that of the keys.",
);
const BYTE_ORDER_MARK: Error = Error::new(
    ErrorKind::InvalidKey,
    "The JWK Set begins with a byte order mark, which JSON must not have (RFC 8259 section 8.1); save it as UTF-8 without.",
);
const TOO_MANY: Error =
    Error::new(ErrorKind::InvalidKey, "A JWK Set may have at most 100 keys; this one has more.");
const NO_SUCH_NAME: Error = Error::new(
    ErrorKind::KeyNotFound,
    "The key set has no key with this `kid`; look which it has.",
);
const NO_SUCH_KID: Error = Error::new(
    ErrorKind::KeyNotFound,
    "No key of the set has the token's `kid`: refresh the set if it may be old.",
);
const EMPTY: Error = Error::new(ErrorKind::KeyNotFound, "The key set has no key that may verify.");
const SHARED_KID: Error = Error::new(
    ErrorKind::AmbiguousKey,
    "Several keys of the set share the token's `kid` and algorithm; give them names of their own.",
);
const SKIPPED_KID: Error = Error::new(
    ErrorKind::AmbiguousKey,
    "A key that was skipped or may not verify has the token's `kid`, too, and is another key; give them names of their \
     own.",
);
const SHARED_NAME: Error = Error::new(
    ErrorKind::AmbiguousKey,
    "Different keys of the set have this `kid`, of which some may have been skipped; give them names of their own.",
);
const TOO_MUCH_WORK: Error = Error::new(
    ErrorKind::UnsupportedKey,
    "The JWK Set has more long private RSA keys than are read at once; load this one by itself, with from_jwk, or its \
     public half.",
);
const KID_NEEDED: Error = Error::new(
    ErrorKind::AmbiguousKey,
    "The token names no `kid` and several keys fit; have tokens name their key.",
);
const OTHER_ALGORITHM: Error = Error::new(
    ErrorKind::InvalidAlgorithm,
    "The token was signed with another algorithm than that of the key that it names, or of any in the set; verify it with a key for that one.",
);
