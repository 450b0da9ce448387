//! `Signer`: a key and what every token of it says, prepared once.
//!
//! Sets `iat`, `exp` (from a time to live, 15 minutes unless told), `jti`, `iss` and `aud` where
//! the claims do not; refuses claims that contradict it, dates in milliseconds, and tokens that
//! would outlive their key. The two-step form ([`Signer::prepare`], [`Unsigned::attach`]) leaves
//! the signature to a KMS or an HSM.

use super::claims::{Claims, as_argument};
use super::following::Following;
use super::header::HeaderMembers;
use super::payload::{OTHER_DATES, Payload, absent_or_same, refuse_milliseconds};
use super::policy::Policy;
use super::registered::{self, Registered, Scan};
use crate::base::clock::{Clock, SystemClock, plausible};
use crate::base::random::{Identifiers, SecureRandom};
use crate::base::{b64, json};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Key, KeySet, KeySource};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Signs claims with one key. Immutable, cheap to clone, safe to share.
///
/// ```
/// use gatekey::{Alg, Claims, Key, Signer};
/// let key = Key::generate(Alg::EdDsa)?;
/// let signer = Signer::builder(&key).issuer("https://auth.example").audience("api").ttl(300).build()?;
/// let token = signer.sign(&Claims::new().subject("alice").claim_str("scope", "orders:read"))?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    keys: Keys,
    head: Head,
    /// `iss` and `aud` as JSON text.
    issuer: Option<String>,
    audience: Option<String>,
    ttl: Option<u64>,
    token_ids: bool,
    allow_missing_exp: bool,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom>,
    /// Names of dates that are not registered claims.
    other_dates: [Arc<str>; 2],
}

/// What the header of every token says beside `alg`.
struct Head {
    typ: Option<String>,
    /// Whether it names the key.
    kid: bool,
    /// More members, each with a comma before it.
    members: String,
}

/// Where the key comes from.
enum Keys {
    One(Prepared),
    Following(Following<Prepared>),
}

/// A key and the encoded header of its tokens, with a dot.
struct Prepared {
    key: Key,
    header: String,
    /// How many seconds a token may live, so that its key is still known when it expires.
    longest_ttl: Option<u64>,
}

/// Where the key will come from.
#[derive(Clone)]
enum KeyFrom {
    Key(Key),
    Source(Arc<dyn KeySource>),
}

/// What every token of a [`Signer`] says; see [`Signer::builder`].
#[derive(Clone)]
#[must_use]
pub struct SignerBuilder {
    key: KeyFrom,
    issuer: Option<String>,
    audience: Vec<String>,
    ttl: Option<u64>,
    typ: Option<String>,
    kid: bool,
    members: HeaderMembers,
    token_ids: bool,
    allow_missing_exp: bool,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom>,
}

impl SignerBuilder {
    fn of(key: KeyFrom) -> Self {
        Self {
            key,
            issuer: None,
            audience: Vec::new(),
            ttl: Some(900),
            typ: Some("JWT".to_owned()),
            kid: true,
            members: HeaderMembers::default(),
            token_ids: true,
            allow_missing_exp: false,
            clock: Arc::new(SystemClock),
            random: Arc::new(Identifiers),
        }
    }

    /// The longest time to live, in seconds: a hundred years.
    pub const MAX_TTL: u64 = 100 * 366 * 24 * 60 * 60;

    /// Every token says this `iss` (RFC 7519 section 4.1.1).
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Every token says this `aud`; several calls make a list (RFC 7519 section 4.1.3).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// Tokens live this many seconds; 900 (15 minutes) unless set, at most [`Self::MAX_TTL`].
    pub const fn ttl(mut self, seconds: u64) -> Self {
        self.ttl = Some(seconds);
        self
    }

    /// Sets no `exp`: the claims must bring their own.
    pub const fn no_ttl(mut self) -> Self {
        self.ttl = None;
        self
    }

    /// The header's `typ`; `JWT` unless set (RFC 8725 section 3.11).
    pub fn typ(mut self, typ: impl Into<String>) -> Self {
        self.typ = Some(typ.into());
        self
    }

    /// Leaves `typ` out of the header.
    pub fn no_typ(mut self) -> Self {
        self.typ = None;
        self
    }

    /// Whether the header names the key's `kid`; it does unless told.
    pub const fn kid(mut self, named: bool) -> Self {
        self.kid = named;
        self
    }

    /// Every token's header has this member, with a value that is given as JSON text: `x5t`,
    /// `x5t#S256`, `x5c`, `cty`, `nonce`, or a private one. A member set twice keeps the later
    /// value; checked when the signer is built.
    ///
    /// `alg`, `kid` and `typ` are the signer's own; `crit`, `b64`, `jwk`, `jku`, `x5u`, `enc` and
    /// `zip` are never set.
    pub fn header(mut self, name: &str, json: impl Into<String>) -> Self {
        self.members.set(name, json.into());
        self
    }

    /// Whether a token without `jti` gets a random one of 128 bits; it does unless told.
    pub const fn token_ids(mut self, made: bool) -> Self {
        self.token_ids = made;
        self
    }

    /// Allows tokens without `exp`, which live for ever; only together with [`Self::no_ttl`].
    pub const fn allow_missing_exp(mut self) -> Self {
        self.allow_missing_exp = true;
        self
    }

    /// Reads the time from this clock instead of the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Draws token identifiers from this source instead of the system's.
    pub fn random(mut self, random: Arc<dyn SecureRandom>) -> Self {
        self.random = random;
        self
    }

    /// The signer.
    ///
    /// # Errors
    /// `KeyUsage`: the private key may not sign. `InvalidConfiguration`: an empty issuer, audience
    /// or type, a time to live of 0 or more than [`Self::MAX_TTL`], one that is set although tokens
    /// may lack `exp`, one that is more than the [`KeySource`] keeps retired keys for, no `exp` at
    /// all with such a source, or a header member that is not acceptable. Those of a [`KeySource`].
    pub fn build(self) -> Result<Signer> {
        const fn refuse<T>(message: &'static str) -> Result<T> {
            Err(Error::new(ErrorKind::InvalidConfiguration, message))
        }
        let named = [&self.issuer, &self.typ].into_iter().flatten().chain(&self.audience);
        if named.into_iter().any(String::is_empty) {
            return refuse(
                "The `issuer`, an `audience` or the `typ` is empty; name a value, or leave it out.",
            );
        }
        match self.ttl {
            Some(0) => {
                return refuse(
                    "A `ttl` of 0 seconds makes tokens that are never valid; give some seconds.",
                );
            }
            Some(Self::MAX_TTL..) => {
                return refuse("The `ttl` is more than a hundred years; it is in seconds.");
            }
            Some(_) if self.allow_missing_exp => {
                return refuse(
                    "Tokens with a `ttl` have `exp`, so that `allow_missing_exp` says nothing; drop one of the two.",
                );
            }
            _ => {}
        }
        let head = Head { typ: self.typ, kid: self.kid, members: self.members.checked()? };
        let keys = match self.key {
            KeyFrom::Key(key) => Keys::One(head.of(key)?),
            KeyFrom::Source(source) => {
                self.members.for_any_key()?;
                let of_source = |source: &dyn KeySource| {
                    head.of_source(source, self.ttl, self.allow_missing_exp)
                };
                Keys::Following(Following::new(source, of_source)?)
            }
        };
        let audience: Vec<_> = self.audience.iter().map(|one| json::quoted(one)).collect();
        let audience = match audience.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("[{}]", several.join(","))),
        };
        Ok(Signer(Arc::new(Inner {
            keys,
            head,
            issuer: self.issuer.as_deref().map(json::quoted),
            audience,
            ttl: self.ttl,
            token_ids: self.token_ids,
            allow_missing_exp: self.allow_missing_exp,
            clock: self.clock,
            random: self.random,
            other_dates: OTHER_DATES.map(Arc::from),
        })))
    }
}

impl Head {
    /// The key with the header of its tokens.
    fn of(&self, key: Key) -> Result<Prepared> {
        if key.is_private() && !key.may_sign() {
            return Err(MAY_NOT_SIGN);
        }
        let mut json = format!(r#"{{"alg":"{}""#, key.alg().name());
        if let Some(typ) = &self.typ {
            json.push_str(r#","typ":"#);
            json::write_str(&mut json, typ);
        }
        if self.kid {
            json.push_str(r#","kid":"#);
            json::write_str(&mut json, key.kid());
        }
        json.push_str(&self.members);
        json.push('}');
        let mut header = b64::encode(json.as_bytes());
        header.push('.');
        Ok(Prepared { key, header, longest_ttl: None })
    }

    /// The key that the source signs with now, for tokens that do not outlive it.
    fn of_source(
        &self,
        source: &dyn KeySource,
        ttl: Option<u64>,
        for_ever: bool,
    ) -> Result<Prepared> {
        // First, so that the key is kept for as long, also if another process rotates.
        let longest_ttl = source.longest_ttl()?;
        if longest_ttl.is_some() && for_ever {
            return Err(SIGNER_OUTLIVES.about_claim("allow_missing_exp"));
        }
        if ttl > longest_ttl.or(ttl) {
            return Err(SIGNER_OUTLIVES.about_claim("ttl"));
        }
        Ok(Prepared { longest_ttl, ..self.of(source.signing_key()?)? })
    }
}

impl Signer {
    /// The longest claims that are signed, in bytes. Verifiers refuse tokens over 16 KiB unless
    /// their policy says otherwise.
    pub const MAX_CLAIMS_BYTES: usize = 1024 * 1024;

    /// Begins a signer for this key. A public key makes one that can only
    /// [`prepare`](Self::prepare).
    pub fn builder(key: &Key) -> SignerBuilder {
        SignerBuilder::of(KeyFrom::Key(key.clone()))
    }

    /// Begins a signer that signs with the key which its source names at each token.
    pub fn following(source: Arc<dyn KeySource>) -> SignerBuilder {
        SignerBuilder::of(KeyFrom::Source(source))
    }

    /// The key that signs; of a signer that follows a source, the one that signed last.
    #[must_use]
    pub fn key(&self) -> Key {
        match &self.0.keys {
            Keys::One(prepared) => prepared.key.clone(),
            Keys::Following(following) => following.latest().thing.key.clone(),
        }
    }

    /// How many seconds tokens live, unless their claims say otherwise.
    #[must_use]
    pub fn ttl(&self) -> Option<u64> {
        self.0.ttl
    }

    /// What the signer's own tokens are verified by, for a service that takes what it has issued.
    ///
    /// # Errors
    /// Those of the key.
    pub(crate) fn own_tokens(&self) -> Result<OwnTokens> {
        let inner = &*self.0;
        let keys: Arc<dyn KeySource> = match &inner.keys {
            Keys::Following(following) => following.source(),
            Keys::One(Prepared { key, .. }) if key.is_symmetric() => {
                Arc::new(KeySet::new([key.clone()])?)
            }
            Keys::One(Prepared { key, .. }) => Arc::new(KeySet::new([key.public()?])?),
        };
        let texts = |json: &Option<String>| -> Result<Vec<String>> {
            let Some(json) = json else { return Ok(Vec::new()) };
            let value = json::parse(json.as_bytes())?;
            let own = |text: json::Value<'_>| text.as_str().map(Cow::into_owned);
            Ok(match own(value) {
                Some(text) => vec![text],
                None => value.elements().filter_map(own).collect(),
            })
        };
        Ok(OwnTokens {
            keys,
            issuer: texts(&inner.issuer)?.into_iter().next(),
            audiences: texts(&inner.audience)?,
            typ: inner.head.typ.clone(),
        })
    }

    /// Signs claims.
    ///
    /// # Errors
    /// As [`Self::sign_json`].
    pub fn sign(&self, claims: &Claims) -> Result<String> {
        self.sign_json(claims.json())
    }

    /// Signs the claims of a JSON object; what it says keeps its exact text.
    ///
    /// # Errors
    /// `InvalidArgument`: not one JSON object, not acceptable JSON, or too long; a registered claim
    /// of the wrong type, an `iss` or `aud` that is not the signer's, a date in milliseconds
    /// (`exp`, `nbf`, `iat`, `auth_time`, `updated_at`), an `exp` after the time for which a
    /// [`KeySource`] keeps its key, counted from now or from an `iat` that is at most 600 s ahead,
    /// or no `exp` and no time to live. `KeyUsage`: the key is public.
    /// `RandomUnavailable`.
    pub fn sign_json(&self, claims: impl AsRef<[u8]>) -> Result<String> {
        self.sign_by(claims.as_ref(), None)
    }

    /// [`Self::sign`] for claims that are dated by another clock than the signer's: that of
    /// sessions, which says `now`.
    pub(crate) fn sign_at(&self, claims: &Claims, now: u64) -> Result<String> {
        self.sign_by(claims.json().as_bytes(), Some(now))
    }

    fn sign_by(&self, claims: &[u8], now: Option<u64>) -> Result<String> {
        self.0.with_key(|prepared| {
            if !prepared.key.may_sign() {
                return Err(MAY_NOT_SIGN);
            }
            let mut token = self.0.signing_input(prepared, claims, now)?;
            let signature = prepared.key.sign_with(token.as_bytes(), b64::encode)?;
            token.push('.');
            token.push_str(&signature);
            Ok(token)
        })
    }

    /// The first of two steps: what is to be signed elsewhere.
    ///
    /// # Errors
    /// As [`Self::prepare_json`].
    pub fn prepare(&self, claims: &Claims) -> Result<Unsigned> {
        self.prepare_json(claims.json())
    }

    /// [`Self::prepare`] for the claims of a JSON object.
    ///
    /// # Errors
    /// As [`Self::sign_json`], without `KeyUsage`.
    pub fn prepare_json(&self, claims: impl AsRef<[u8]>) -> Result<Unsigned> {
        self.0.with_key(|prepared| {
            Ok(Unsigned {
                signing_input: self.0.signing_input(prepared, claims.as_ref(), None)?,
                key: prepared.key.clone(),
            })
        })
    }
}

/// See [`Signer::own_tokens`].
pub(crate) struct OwnTokens {
    pub(crate) keys: Arc<dyn KeySource>,
    pub(crate) issuer: Option<String>,
    /// Each token names all of them.
    pub(crate) audiences: Vec<String>,
    pub(crate) typ: Option<String>,
}

/// A token that lacks its signature.
#[derive(Clone)]
pub struct Unsigned {
    signing_input: String,
    key: Key,
}

impl Unsigned {
    /// What the signature is computed over (RFC 7515 section 5.1): ASCII.
    #[must_use]
    pub fn signing_input(&self) -> &str {
        &self.signing_input
    }

    /// Adds the signature and gives the token. ECDSA's may be `r || s` (RFC 7518 section 3.4) or
    /// DER.
    ///
    /// # Errors
    /// `InvalidSignature`: the key does not verify it.
    pub fn attach(&self, signature: &[u8]) -> Result<String> {
        let signature = self.key.take_signature(self.signing_input.as_bytes(), signature)?;
        let mut token =
            String::with_capacity(self.signing_input.len() + 1 + b64::encoded_len(signature.len()));
        token.push_str(&self.signing_input);
        token.push('.');
        b64::encode_into(&signature, &mut token);
        Ok(token)
    }
}

impl Inner {
    /// Hands out the key that signs now.
    fn with_key<T>(&self, work: impl FnOnce(&Prepared) -> Result<T>) -> Result<T> {
        match &self.keys {
            Keys::One(prepared) => work(prepared),
            Keys::Following(following) => {
                let prepared = following.current(|source| {
                    self.head.of_source(source, self.ttl, self.allow_missing_exp)
                })?;
                work(&prepared.thing)
            }
        }
    }

    /// The claims with what the signer adds, behind the header, encoded.
    fn signing_input(
        &self,
        prepared: &Prepared,
        claims: &[u8],
        now: Option<u64>,
    ) -> Result<String> {
        if claims.len() > Signer::MAX_CLAIMS_BYTES {
            return Err(TOO_LARGE);
        }
        let claims = registered::scan(claims, &self.other_dates).map_err(as_argument)?;
        refuse_milliseconds(&claims)?;
        let payload = self.payload(&claims, prepared.longest_ttl, now)?;
        let signature_len = b64::encoded_len(prepared.key.signature_len());
        let capacity = prepared.header.len() + b64::encoded_len(payload.len()) + 1 + signature_len;
        let mut input = String::with_capacity(capacity);
        input.push_str(&prepared.header);
        b64::encode_into(payload.as_bytes(), &mut input);
        Ok(input)
    }

    fn payload(
        &self,
        claims: &Scan<'_>,
        longest_ttl: Option<u64>,
        now: Option<u64>,
    ) -> Result<String> {
        const ROOM_FOR_DATES_AND_ID: usize = 96;
        let Registered { issuer, audience, token_id, expires_at, issued_at, .. } =
            claims.registered;
        let object = claims.object.raw();
        let fixed = [&self.issuer, &self.audience]
            .into_iter()
            .flatten()
            .map(|text| text.len() + 8)
            .sum::<usize>();
        let mut payload =
            Payload(String::with_capacity(object.len() + fixed + ROOM_FOR_DATES_AND_ID));
        payload.0.push_str(object.strip_suffix('}').unwrap_or_default().trim_end());
        if let Some(mine) = absent_or_same(self.issuer.as_deref(), issuer, claims.text, "iss")? {
            payload.member("iss", mine);
        }
        if let Some(mine) = absent_or_same(self.audience.as_deref(), audience, claims.text, "aud")?
        {
            payload.member("aud", mine);
        }
        if issued_at.is_none() || expires_at.is_none() || longest_ttl.is_some() {
            let now = now.map_or_else(|| plausible(self.clock.now()), Ok)?;
            if let Some((at, longest)) = expires_at.zip(longest_ttl) {
                // A machine that dates its tokens itself may be ahead, by no more than a leeway can
                // forgive.
                let given = issued_at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
                let from = given.clamp(now, now.saturating_add(Policy::MAX_LEEWAY));
                if u64::try_from(at).is_ok_and(|at| at > from.saturating_add(longest)) {
                    return Err(TOKEN_OUTLIVES.about_claim("exp"));
                }
            }
            if issued_at.is_none() {
                payload.member("iat", now);
            }
            match self.ttl {
                Some(ttl) if expires_at.is_none() => payload.member("exp", now.saturating_add(ttl)),
                None if expires_at.is_none() && !self.allow_missing_exp => {
                    return Err(NO_EXPIRY.about_claim("exp"));
                }
                _ => {}
            }
        }
        if self.token_ids && token_id.is_none() {
            let mut id = [0; 16];
            self.random.fill(&mut id)?;
            payload.member("jti", format_args!("\"{}\"", b64::encode(&id)));
        }
        payload.0.push('}');
        Ok(payload.0)
    }
}

const MAY_NOT_SIGN: Error = Error::new(
    ErrorKind::KeyUsage,
    "The key may not sign: it is public, or its `key_ops` says otherwise. Sign with the private key.",
);
const TOO_LARGE: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The claims are longer than 1 MiB; keep what is long elsewhere, and its name in the token.",
);
const SIGNER_OUTLIVES: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Tokens of this signer outlive the ring's retired keys: give them a shorter `ttl`, or open the ring with a \
     `token_ttl` that is as long.",
);
const TOKEN_OUTLIVES: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The token's `exp` is later than the ring keeps its key: give an earlier one, or open the ring with a `token_ttl` \
     that is as long.",
);
const NO_EXPIRY: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The claims have no `exp` and the signer sets none: give it a `ttl` or the claims an `exp`, or allow tokens without end (`allow_missing_exp`).",
);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &self.key()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SignerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerBuilder").finish_non_exhaustive()
    }
}

/// Says nothing of the claims, which are not out yet.
impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsigned").field("key", &self.key).finish_non_exhaustive()
    }
}
