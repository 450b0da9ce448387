//! What claims say about a token that is presented as an access token: whether it is one, whose,
//! and what it may. The same for the claims of a JWT and for what an authorization server answers
//! about an opaque token.
//!
//! Refused, whatever the `typ` of the header and the audience: ID tokens, refresh tokens, logout
//! tokens and other security events; clients that are named in two ways.

use crate::base::json::{Kind, Value};
use crate::error::{Error, ErrorKind, Result};
use std::borrow::Cow;

/// Where the claims come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A signed token: a claim that is `null` is there.
    Token,
    /// The answer of an authorization server, where `null` is absence.
    Answer,
}

impl Source {
    fn claim<'a>(self, claims: &Told<'a>, name: &str) -> Option<Value<'a>> {
        match self {
            Self::Token => claims.member(name),
            Self::Answer => claims.given(name),
        }
    }
}

/// Claims, of which those that are looked at here were found in one walk through the text.
pub(super) struct Told<'a> {
    pub(super) claims: Value<'a>,
    found: [Option<Value<'a>>; KNOWN.len()],
}

/// The names that are found so; any other is looked for on its own.
const KNOWN: [&str; 20] = [
    "sub",
    "iat",
    "sid",
    "acr",
    "auth_time",
    "scope",
    "scp",
    "client_id",
    "cid",
    "appid",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "events",
    "token_type",
    "token_use",
    "typ",
    "cnf",
    "tenant",
];

impl<'a> Told<'a> {
    pub(super) fn of(claims: Value<'a>) -> Self {
        let mut found = [None; KNOWN.len()];
        for (name, value) in claims.members() {
            let place = KNOWN.iter().position(|known| name == **known);
            if let Some(place) = place.and_then(|place| found.get_mut(place)) {
                *place = Some(value);
            }
        }
        Self { claims, found }
    }

    /// The member with this name.
    pub(super) fn member(&self, name: &str) -> Option<Value<'a>> {
        match KNOWN.iter().position(|known| *known == name) {
            Some(place) => self.found.get(place).copied().flatten(),
            None => self.claims.member(name),
        }
    }

    /// The member with this name, unless it is `null`.
    pub(super) fn given(&self, name: &str) -> Option<Value<'a>> {
        self.member(name).filter(|value| value.kind() != Kind::Null)
    }
}

/// What only ID tokens have (OpenID Connect Core sections 2 and 3.3.2.11).
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

/// Where servers write what kind of token it is: `token_type` (RFC 7662 section 2.2), `token_use`
/// (Cognito, Hydra) and `typ` (Keycloak, beside that of the header).
const KINDS: [&str; 3] = ["token_type", "token_use", "typ"];

/// What they write there for an access token that a bearer may present.
const ACCESS: [&str; 4] = ["Bearer", "access_token", "access", "at+jwt"];

/// Refuses what is no access token, or one that its bearer alone may not present (`cnf`, RFC 7800).
pub(super) fn check_kind(claims: &Told<'_>, from: Source) -> Result<()> {
    let there = |name: &&&str| from.claim(claims, name).is_some();
    if let Some(name) = OF_ID_TOKENS.iter().find(there) {
        return Err(ID_TOKEN.about_claim(name));
    }
    if claims.member("events").is_some() {
        return Err(EVENT.about_claim("events"));
    }
    for name in KINDS {
        let Some(kind) = from.claim(claims, name) else { continue };
        let kind = kind.as_str().unwrap_or_default();
        let is_one_of = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
        // `JWT` says nothing about what the token is for.
        let names_access = is_one_of(&ACCESS) || (name == "typ" && is_one_of(&["JWT"]));
        if !names_access {
            return Err(OTHER_KIND.seeing(name, Some(&kind)));
        }
    }
    if claims.member("cnf").is_some() {
        return Err(BOUND.about_claim("cnf"));
    }
    Ok(())
}

/// Whom the token was issued to: `client_id` (RFC 9068, RFC 7662), `cid` (Okta) or `appid` (Entra,
/// AD FS). `azp` and `aud` name the client in ID tokens, and not here.
pub(super) fn client_id(claims: &Told<'_>, from: Source) -> Result<Option<String>> {
    let mut client: Option<String> = None;
    for name in ["client_id", "cid", "appid"] {
        let Some(value) = from.claim(claims, name) else { continue };
        let value = value.as_str().filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| NO_CLIENT.about_claim(name))?;
        if client.as_ref().is_some_and(|client| **client != *value) {
            return Err(TWO_CLIENTS.about_claim(name));
        }
        client = Some(value.into_owned());
    }
    Ok(client)
}

/// The tenant by the claim of this name: a text, or a whole number.
pub(super) fn tenant(claims: &Told<'_>, name: Option<&str>) -> Option<String> {
    let value = claims.given(name?)?;
    let number = || value.as_u64().map(|number| number.to_string());
    let tenant = value.as_str().map(Cow::into_owned).or_else(number);
    tenant.filter(|tenant| !tenant.is_empty())
}

/// Whether `aud` is there, and whether it names this API.
pub(super) fn audience(claims: &Value<'_>, apis: &[String]) -> Option<bool> {
    let value = claims.given("aud")?;
    let names_us = |value: &Value<'_>| {
        value.as_str().is_some_and(|named| apis.iter().any(|api| *api == *named))
    };
    if value.kind() != Kind::Array {
        return Some(names_us(&value));
    }
    let mut names = value.elements().peekable();
    names.peek().is_some().then(|| names.any(|one| names_us(&one)))
}

/// `scope` (RFC 9068 section 2.2.3), or `scp`, as Entra (a text) and Okta (a list) have it.
pub(super) fn scopes<'a>(claims: &Told<'a>) -> Vec<Cow<'a, str>> {
    let Some(value) = claims.given("scope").or_else(|| claims.given("scp")) else {
        return Vec::new();
    };
    if value.kind() == Kind::Array {
        // A list that holds anything else grants nothing.
        return value
            .elements()
            .map(|scope| scope.as_str())
            .collect::<Option<_>>()
            .unwrap_or_default();
    }
    match value.as_str() {
        Some(Cow::Borrowed(text)) => {
            text.split(' ').filter(|s| !s.is_empty()).map(Cow::Borrowed).collect()
        }
        Some(Cow::Owned(text)) => {
            text.split(' ').filter(|s| !s.is_empty()).map(|s| Cow::Owned(s.to_owned())).collect()
        }
        None => Vec::new(),
    }
}

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidClaim, message)
}

const ID_TOKEN: Error = refusal(
    "This is an ID token, which opens no API: send the access token. Where an issuer puts this claim into access tokens, too, have it left out there.",
);
const EVENT: Error =
    refusal("This is a logout token or another security event, which opens nothing (`events`).");
const OTHER_KIND: Error =
    refusal("The token itself says that it is no bearer's access token: send the access token.");
const BOUND: Error = refusal(
    "The token is bound to a key (`cnf`) that its bearer has not proven; such tokens are not accepted.",
);
const NO_CLIENT: Error = refusal("The token's client is no text, or an empty one.");
const TWO_CLIENTS: Error = refusal(
    "The token names two clients: `client_id`, `cid` and `appid` must agree where there are several.",
);
