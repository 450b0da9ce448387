//! Which key a token is checked against, and whether its signature is good.
//!
//! The header never chooses an algorithm: its `alg` is compared with the one the key is bound to
//! (RFC 8725 section 3.1), its `kid` only selects among the keys that are trusted already.

use super::cache::HeaderCache;
use super::policy::Policy;
use crate::base::b64;
use crate::base::json::Str;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key, KeySet};
use crate::jws::{Compact, Header, with_decoded};

/// The keys that one issuer's tokens may be signed with.
pub(super) struct Trust {
    keys: Keys,
    try_keys_without_kid: bool,
    try_keys_of_a_kid: bool,
    seen: HeaderCache,
}

enum Keys {
    One(Key),
    Set(KeySet),
}

/// A token whose signature is good.
pub(super) struct Authentic<'k> {
    pub(super) key: &'k Key,
    /// Whether the policy accepts the header's `typ`; not an error before the claims were looked
    /// at.
    pub(super) typ: Result<()>,
    /// Whether the header is to be remembered: it is not yet, and no other key could be meant by
    /// it.
    pub(super) is_new: bool,
}

/// The most keys that are tried on a token whose key cannot be told.
const MOST_TRIES: usize = 4;

/// The longest `kid` that a key can have, in bytes.
const LONGEST_KID: usize = 256;

impl Trust {
    pub(super) fn in_key(key: &Key, policy: &Policy, algorithms: Option<&[Alg]>) -> Result<Self> {
        if !key.may_verify() {
            return Err(MAY_NOT_VERIFY);
        }
        if !is_allowed(key, algorithms) {
            let wanted = if let Some([only]) = algorithms { only.name() } else { "" };
            return Err(NO_KEY_OF_ALGORITHM.finding("alg", key.alg().name(), wanted));
        }
        Ok(Self::new(Keys::One(key.clone()), policy))
    }

    pub(super) fn in_set(
        set: &KeySet,
        policy: &Policy,
        algorithms: Option<&[Alg]>,
    ) -> Result<Self> {
        if set.is_empty() {
            return Err(match set.skipped().first() {
                Some(first) => {
                    NONE_USABLE.about_key(first.kid().unwrap_or_default(), first.reason())
                }
                None => NO_KEYS,
            });
        }
        if !set.iter().any(Key::may_verify) {
            return Err(MAY_NOT_VERIFY);
        }
        let usable = set.only(|key| match key.may_verify() {
            false => Err(MAY_NOT_VERIFY),
            true if is_allowed(key, algorithms) => Ok(()),
            true => Err(NOT_ALLOWED),
        })?;
        if usable.is_empty() {
            return Err(NO_KEY_OF_ALGORITHM);
        }
        Ok(Self::new(Keys::Set(usable), policy))
    }

    fn new(keys: Keys, policy: &Policy) -> Self {
        Self {
            keys,
            try_keys_without_kid: policy.try_keys_without_kid,
            try_keys_of_a_kid: policy.try_keys_of_a_kid,
            seen: HeaderCache::default(),
        }
    }

    pub(super) fn is_symmetric(&self) -> bool {
        match &self.keys {
            Keys::One(key) => key.is_symmetric(),
            Keys::Set(set) => set.iter().all(Key::is_symmetric),
        }
    }

    /// Finds the key and checks the signature.
    pub(super) fn authenticate(
        &self,
        token: &Compact<'_>,
        policy: &Policy,
    ) -> Result<Authentic<'_>> {
        if let Some(key) = self.seen.get(token.header) {
            check_signature(key, token)?;
            return Ok(Authentic { key, typ: Ok(()), is_new: false });
        }
        if b64::decoded_len(token.header.len()) > policy.max_header_bytes {
            let bytes = b64::decoded_len(token.header.len());
            return Err(HEADER_TOO_LARGE.sized(
                "max_header_bytes",
                bytes,
                ("at most", policy.max_header_bytes),
            ));
        }
        with_decoded(token.header, |text| {
            let header = Header::parse(text)?;
            let typ = policy.check_type(header.typ);
            let (key, is_new) = self.key_for(&header, token)?;
            Ok(Authentic { key, typ, is_new })
        })
    }

    /// Remembers the header of a token that has passed every check.
    #[cold]
    pub(super) fn accepted(&self, token: &Compact<'_>, key: &Key) {
        self.seen.remember(token.header, key);
    }

    /// The key that has signed the token, and whether it is the only one that the header may mean:
    /// where several are tried, the next token of the same header may come from another.
    fn key_for(&self, header: &Header<'_>, token: &Compact<'_>) -> Result<(&Key, bool)> {
        let alg = algorithm(header.alg)?;
        let key = match &self.keys {
            Keys::One(key) => {
                if !key.alg().same_algorithm(alg) {
                    return Err(WRONG_ALGORITHM.finding("alg", alg.name(), key.alg().name()));
                }
                match header.kid {
                    Some(kid) if key.has_explicit_kid() && kid != *key.kid() => {
                        return Err(UNKNOWN_KID.expecting("kid", Some(kid.chars()), &[]));
                    }
                    _ => key,
                }
            }
            Keys::Set(set) => match header.kid {
                Some(kid) => {
                    let mut buffer = [0; LONGEST_KID];
                    let kid = kid.decode_in(&mut buffer).ok_or(UNKNOWN_KID)?;
                    match set.select(Some(kid), alg) {
                        Err(error)
                            if self.try_keys_of_a_kid
                                && error.kind() == ErrorKind::AmbiguousKey =>
                        {
                            return first_that_fits(|| set.matching_name(kid, alg), alg, token);
                        }
                        selected => selected?,
                    }
                }
                None if self.try_keys_without_kid => {
                    return first_that_fits(|| set.matching(alg), alg, token);
                }
                None => set.select(None, alg)?,
            },
        };
        check_signature(key, token)?;
        Ok((key, true))
    }
}

/// The algorithm that the header names.
fn algorithm(name: Str<'_>) -> Result<Alg> {
    const LONGEST: usize = 32;
    let mut buffer = [0; LONGEST];
    let name = name.decode_in(&mut buffer).ok_or(UNKNOWN_ALGORITHM)?;
    Alg::from_bytes(name.as_bytes()).ok_or(UNKNOWN_ALGORITHM)
}

fn first_that_fits<'k, I: Iterator<Item = &'k Key>>(
    matching: impl Fn() -> I,
    alg: Alg,
    token: &Compact<'_>,
) -> Result<(&'k Key, bool)> {
    let candidates = matching().take(MOST_TRIES + 1).count();
    if candidates == 0 {
        return Err(WRONG_ALGORITHM.finding("alg", alg.name(), ""));
    }
    if candidates > MOST_TRIES {
        return Err(TOO_MANY_TRIES);
    }
    let mut refusal = BAD_SIGNATURE;
    for key in matching() {
        match check_signature(key, token) {
            Ok(()) => return Ok((key, candidates == 1)),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn check_signature(key: &Key, token: &Compact<'_>) -> Result<()> {
    if token.signature.len() != b64::encoded_len(key.signature_len()) {
        b64::check(token.signature)?;
        return Err(BAD_SIGNATURE);
    }
    with_decoded(token.signature, |signature| key.verify_signature(token.signing_input, signature))
}

fn is_allowed(key: &Key, algorithms: Option<&[Alg]>) -> bool {
    algorithms.is_none_or(|allowed| allowed.iter().any(|alg| alg.same_algorithm(key.alg())))
}

const MAY_NOT_VERIFY: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The key may not verify: its `key_ops` or `use` says otherwise (RFC 7517 section 4.3).",
);
const NO_KEYS: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "There is no key to verify with: the set is empty.",
);
const NONE_USABLE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "There is no key to verify with: every member of the JWK Set was skipped, the first for this reason.",
);
const NOT_ALLOWED: Error = Error::new(
    ErrorKind::InvalidAlgorithm,
    "Its algorithm is not in the `algorithms` that are allowed.",
);
pub(crate) const NO_KEY_OF_ALGORITHM: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "No key has one of the `algorithms` that are allowed.",
);
const HEADER_TOO_LARGE: Error =
    Error::new(ErrorKind::TokenTooLarge, "The token's header is longer than is allowed.");
const UNKNOWN_ALGORITHM: Error = Error::new(
    ErrorKind::UnsupportedAlgorithm,
    "The token's `alg` is not supported; `none` is no algorithm.",
);
const WRONG_ALGORITHM: Error = Error::new(
    ErrorKind::InvalidAlgorithm,
    "The token was signed with another algorithm than that of the keys; verify it with a key for that one.",
);
const UNKNOWN_KID: Error = Error::new(
    ErrorKind::KeyNotFound,
    "The key has another `kid` than the token names; give the key of that name.",
);
const TOO_MANY_TRIES: Error = Error::new(
    ErrorKind::AmbiguousKey,
    "The token names no key (`kid`), and more than four have its algorithm; have the issuer name it.",
);
const BAD_SIGNATURE: Error = Key::WRONG_SIGNATURE;
