//! The issuers whose JWTs are accepted, each bound to its own keys (RFC 8725 section 3.8) and
//! waited for on its own.

use super::former::Former;
use super::rule::DoorRule;
use crate::base::json;
use crate::base::process::enter;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::KeySource;
use crate::jws::Compact;
use crate::jwt::{Found, Marks, Policy, Verified, Verifier, danger_decode_unverified};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// The longest JWT that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

pub(super) struct Issuers(Vec<Issuer>);

/// An issuer, with a verifier that may have to wait for its keys.
pub(super) struct Issuer {
    /// Empty for our own sessions, if their tokens name no issuer.
    pub(super) name: Arc<str>,
    /// Whether these are the access tokens of our own sessions.
    pub(super) is_sessions: bool,
    /// If these are the tokens of what the service had before.
    pub(super) former: Option<Former>,
    pub(super) rule: DoorRule,
    /// In seconds.
    pub(super) leeway: u64,
    keys: Arc<dyn KeySource>,
    policy: Policy,
    verifier: OnceLock<Verifier>,
}

impl Issuers {
    /// None for no issuers.
    pub(super) fn new(issuers: Vec<Issuer>) -> Option<Self> {
        (!issuers.is_empty()).then_some(Self(issuers))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let others = self.0.iter().filter(|issuer| !issuer.is_sessions && issuer.former.is_none());
        others.map(|issuer| &*issuer.name)
    }

    /// Our own sessions.
    pub(super) fn sessions(&self) -> Option<&Issuer> {
        self.0.iter().find(|issuer| issuer.is_sessions)
    }

    /// Whether there are any but our own sessions.
    pub(super) fn has_others(&self) -> bool {
        self.0.iter().any(|issuer| !issuer.is_sessions)
    }

    /// The only one.
    pub(super) fn only(&self) -> Option<&Issuer> {
        if let [only] = self.0.as_slice() { Some(only) } else { None }
    }

    /// Whose token it says it is. With one issuer nothing is read before the signature is good;
    /// with several, only `iss`, which chooses the keys and is checked against the issuer again by
    /// these; and where sessions have the name of another issuer, that it is of a session (`sid`).
    pub(super) fn of(&self, token: &str, parts: &Compact<'_>) -> Result<&Issuer> {
        if let Some(only) = self.only() {
            return Ok(only);
        }
        check_length(token)?;
        Verifier::choose(token.as_bytes(), parts, |claims| self.named_by(claims))
    }

    /// Verifies a token by the issuer whose it says it is, if that one may be chosen; tells each
    /// claim to `marks`. The issuer is told as soon as it is chosen.
    pub(super) fn verify<'i>(
        &'i self,
        token: &str,
        parts: &Compact<'_>,
        marks: &mut impl Marks,
        chosen: &mut Option<&'i Issuer>,
        may_be: impl FnOnce(&Issuer) -> Result<()>,
    ) -> Result<Verified> {
        if let Some(only) = self.only() {
            *chosen = Some(only);
            may_be(only)?;
            return only.verify(token, marks);
        }
        check_length(token)?;
        let verified = Verifier::verify_choosing(token.as_bytes(), parts, marks, |claims| {
            let issuer = self.named_by(claims)?;
            *chosen = Some(issuer);
            may_be(issuer)?;
            issuer.verifier()
        });
        verified.map_err(|error| if chosen.is_some() { explained(error, token) } else { error })
    }

    fn named_by(&self, claims: &Found<'_>) -> Result<&Issuer> {
        let unknown = |_| UNKNOWN.about_claim("iss");
        let named = claims.issuer().map_err(unknown)?;
        let fits = |issuer: &&Issuer| match named {
            Some(named) => named == *issuer.name,
            None => issuer.name.is_empty(),
        };
        let best = |issuer: &&Issuer| fits(issuer) && issuer.is_sessions == claims.has_session();
        let mut all = self.0.iter();
        let found = all.clone().find(best).or_else(|| all.find(fits));
        found.ok_or_else(|| if named.is_some() { UNKNOWN } else { NO_ISSUER }.about_claim("iss"))
    }
}

fn check_length(token: &str) -> Result<()> {
    if token.len() > LONGEST { Err(ErrorKind::TokenTooLarge.into()) } else { Ok(()) }
}

/// The refusal of a verifier, in the words of a door.
#[cold]
fn explained(error: Error, token: &str) -> Error {
    match error.kind() {
        // Said of tokens alone whose signature and claims are good.
        ErrorKind::InvalidType => other_type(token),
        ErrorKind::MissingClaim if error.claim() == Some("aud") => NO_AUDIENCE.about_claim("aud"),
        ErrorKind::InvalidIssuer => UNKNOWN.about_claim("iss"),
        _ => error,
    }
}

impl Issuer {
    /// Fetches the keys, unless their server is out of reach.
    pub(super) fn new(
        name: Arc<str>,
        keys: Arc<dyn KeySource>,
        policy: Policy,
        rule: DoorRule,
        leeway: u64,
    ) -> Result<Self> {
        let verifier = OnceLock::new();
        let is_sessions = false;
        let former = None;
        let issuer = Self { name, is_sessions, former, rule, leeway, keys, policy, verifier };
        match issuer.verifier() {
            Err(error) if !error.is_unavailable() => return Err(error),
            _ => {}
        }
        Ok(issuer)
    }

    /// The same, of our own sessions.
    pub(super) fn of_sessions(self) -> Self {
        Self { is_sessions: true, ..self }
    }

    /// The same, of what the service had before.
    pub(super) fn of_former(self, former: Former) -> Self {
        Self { former: Some(former), ..self }
    }

    /// Verifies a token, and tells each claim to `marks`.
    pub(super) fn verify(&self, token: &str, marks: &mut impl Marks) -> Result<Verified> {
        let verified = self.verifier()?.verify_marking(token.as_bytes(), marks);
        verified.map_err(|error| explained(error, token))
    }

    #[inline]
    fn verifier(&self) -> Result<&Verifier> {
        match self.verifier.get() {
            Some(verifier) => Ok(verifier),
            None => {
                let verifier = Verifier::following(Arc::clone(&self.keys), self.policy.clone())?;
                let _inside = enter(); // a cell that a fork copies half made would never be ready
                Ok(self.verifier.get_or_init(|| verifier))
            }
        }
    }
}

/// The parts of a text that is a JWS by its form: three, of which the first is a JSON object.
pub(super) fn parts_of(text: &str) -> Option<Compact<'_>> {
    let parts = Compact::split(text.as_bytes()).ok()?;
    if memchr::memchr(b'.', parts.signature).is_some() {
        return None;
    }
    // `{"`, as nearly all headers begin.
    (parts.header.starts_with(b"eyJ") || is_object(parts.header)).then_some(parts)
}

#[cold]
fn is_object(header: &[u8]) -> bool {
    crate::base::b64::decode(header).is_ok_and(|header| {
        json::parse(&header).is_ok_and(|header| header.kind() == json::Kind::Object)
    })
}

#[cold]
fn other_type(token: &str) -> Error {
    let typ = danger_decode_unverified(token).ok().and_then(|token| {
        let header = json::parse(token.header_json().as_bytes()).ok()?;
        header.member("typ")?.as_str().map(Cow::into_owned)
    });
    let error = if typ.is_some() { OTHER_TYPE } else { NO_TYPE };
    error.seeing("typ", typ.as_deref())
}

const NO_ISSUER: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `iss`, by which the one of several issuers is chosen.",
);
pub(super) const UNKNOWN: Error = Error::new(
    ErrorKind::InvalidIssuer,
    "The token's issuer is not among those that this API accepts: they are compared byte by byte, a slash at the end counts. Name it in `issuers` if it should be one.",
);
const NO_AUDIENCE: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token has no `aud`. If this issuer's access tokens name no API, accept any audience (Python: `audience=ANY`), together with `clients`.",
);
const OTHER_TYPE: Error = Error::new(
    ErrorKind::InvalidType,
    "The token is of a type that is not accepted: name its `typ` in `token_types` if access tokens have it.",
);
const NO_TYPE: Error = Error::new(
    ErrorKind::InvalidType,
    "The token has no type: put `None` (JSON: null) into `token_types` if access tokens have none.",
);
