//! `Verified`: the claims of a token that passed; there is no other way to make one.

use super::registered::{Place, Registered, Scan, audiences};
use crate::base::{b64, json};
use crate::jwk::{Alg, Key};
use std::borrow::Cow;
use std::fmt;

/// The claims of a token whose signature and claims were found good, exactly as they were signed.
#[derive(Clone)]
pub struct Verified {
    /// The claims' text, then the encoded header, then the key's `kid`: one allocation.
    text: String,
    claims_end: usize,
    header_end: usize,
    registered: Registered,
    alg: Alg,
}

impl Verified {
    pub(super) fn new(claims: &Scan<'_>, header: &[u8], key: &Key) -> Self {
        // A header that was decoded as base64url is ASCII.
        let header = json::utf8(header).unwrap_or_default();
        let mut text = String::with_capacity(claims.text.len() + header.len() + key.kid().len());
        text.push_str(claims.text);
        text.push_str(header);
        let header_end = text.len();
        text.push_str(key.kid());
        let claims_end = claims.text.len();
        Self { text, claims_end, header_end, registered: claims.registered, alg: key.alg() }
    }

    /// The claims as the signer wrote them: the text of one JSON object.
    #[must_use]
    pub fn claims_json(&self) -> &str {
        self.text.get(..self.claims_end).unwrap_or_default()
    }

    /// The claims as a JSON object.
    #[must_use]
    pub fn claims(&self) -> json::Value<'_> {
        json::Value::from_checked(self.claims_json().trim_matches(SPACE))
    }

    /// The claim with this name, if the token has it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<json::Value<'_>> {
        self.claims().member(name)
    }

    /// As [`Self::claim`], unless it is `null`.
    pub(crate) fn given(&self, name: &str) -> Option<json::Value<'_>> {
        self.claims().given(name)
    }

    /// The protected header: the text of one JSON object.
    #[must_use]
    pub fn header_json(&self) -> String {
        let header = self.text.get(self.claims_end..self.header_end).unwrap_or_default();
        b64::decode(header.as_bytes())
            .ok()
            .and_then(|text| String::from_utf8(text).ok())
            .unwrap_or_default()
    }

    /// The algorithm of the key that verified the token.
    #[must_use]
    pub const fn alg(&self) -> Alg {
        self.alg
    }

    /// The `kid` of the key that verified the token.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.text.get(self.header_end..).unwrap_or_default()
    }

    /// `iss` (RFC 7519 section 4.1.1).
    #[must_use]
    pub fn issuer(&self) -> Option<Cow<'_, str>> {
        self.string(self.registered.issuer)
    }

    /// `sub` (RFC 7519 section 4.1.2), if it is a string; see [`Self::numeric_subject`].
    #[must_use]
    pub fn subject(&self) -> Option<Cow<'_, str>> {
        self.string(self.registered.subject)
    }

    /// `sub`, if it is a number, which only
    /// [`Policy::allow_numeric_subject`](super::Policy::allow_numeric_subject) lets in. 7 is
    /// another subject than "7": keep the two apart wherever you keep one.
    #[must_use]
    pub fn numeric_subject(&self) -> Option<i64> {
        self.registered.subject?.value(self.claims_json()).as_i64()
    }

    /// `aud` (RFC 7519 section 4.1.3); empty if the token has none.
    #[must_use]
    pub fn audience(&self) -> Vec<Cow<'_, str>> {
        let value = self.registered.audience.map(|place| place.value(self.claims_json()));
        value.into_iter().flat_map(audiences).map(|audience| audience.decode()).collect()
    }

    /// `jti` (RFC 7519 section 4.1.7).
    #[must_use]
    pub fn token_id(&self) -> Option<Cow<'_, str>> {
        self.string(self.registered.token_id)
    }

    /// `exp` in whole seconds since the Unix epoch, rounded down (RFC 7519 section 4.1.4).
    #[must_use]
    pub const fn expires_at(&self) -> Option<i64> {
        self.registered.expires_at
    }

    /// `nbf` in whole seconds since the Unix epoch, rounded up (RFC 7519 section 4.1.5).
    #[must_use]
    pub const fn not_before(&self) -> Option<i64> {
        self.registered.not_before
    }

    /// `iat` in whole seconds since the Unix epoch, rounded down (RFC 7519 section 4.1.6).
    #[must_use]
    pub const fn issued_at(&self) -> Option<i64> {
        self.registered.issued_at
    }

    fn string(&self, place: Option<Place>) -> Option<Cow<'_, str>> {
        place?.value(self.claims_json()).as_str()
    }
}

/// What may stand around a JSON text (RFC 8259 section 2).
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Names the claims; their values are the subject's business, not the log's.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.claims().members().map(|(name, _)| name.decode()).collect();
        f.debug_struct("Verified")
            .field("alg", &self.alg)
            .field("claims", &names)
            .finish_non_exhaustive()
    }
}
