//! What claims say about a token that is presented as an access token: whether it is one, whose,
//! and what it may. The same for the claims of a JWT and for what an authorization server answers
//! about an opaque token.
//!
//! Refused, whatever the `typ` of the header and the audience: ID tokens, refresh tokens, logout
//! tokens and other security events; clients that are named in two ways.

use crate::base::json::{Kind, Str, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::{Marks, Place};
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
    fn claim<'a>(self, claims: &Told<'a>, known: Known) -> Option<Value<'a>> {
        match self {
            Self::Token => claims.member(known),
            Self::Answer => claims.given(known),
        }
    }
}

/// Where the claims stand that are looked at here, found while the text is read.
#[derive(Default)]
pub(super) struct Places {
    at: [Option<Place>; KNOWN],
    /// A bit for each.
    met: u32,
}

/// The claims that are found so; any other is looked for on its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Sub,
    Iat,
    Sid,
    Acr,
    AuthTime,
    Scope,
    Scp,
    ClientId,
    Cid,
    AppId,
    Tenant,
    Nonce,
    AtHash,
    CHash,
    SHash,
    Events,
    TokenType,
    TokenUse,
    Typ,
    Cnf,
}

const KNOWN: usize = Known::Cnf as usize + 1;

/// The bits of those that may make a token another than an access token.
const OTHER: u32 = u32::MAX << Known::Nonce as usize;

impl Known {
    #[inline]
    const fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"sub" => Self::Sub,
            b"iat" => Self::Iat,
            b"sid" => Self::Sid,
            b"acr" => Self::Acr,
            b"auth_time" => Self::AuthTime,
            b"scope" => Self::Scope,
            b"scp" => Self::Scp,
            b"client_id" => Self::ClientId,
            b"cid" => Self::Cid,
            b"appid" => Self::AppId,
            b"tenant" => Self::Tenant,
            b"nonce" => Self::Nonce,
            b"at_hash" => Self::AtHash,
            b"c_hash" => Self::CHash,
            b"s_hash" => Self::SHash,
            b"events" => Self::Events,
            b"token_type" => Self::TokenType,
            b"token_use" => Self::TokenUse,
            b"typ" => Self::Typ,
            b"cnf" => Self::Cnf,
            _ => return None,
        })
    }

    /// The name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sub => "sub",
            Self::Iat => "iat",
            Self::Sid => "sid",
            Self::Acr => "acr",
            Self::AuthTime => "auth_time",
            Self::Scope => "scope",
            Self::Scp => "scp",
            Self::ClientId => "client_id",
            Self::Cid => "cid",
            Self::AppId => "appid",
            Self::Tenant => "tenant",
            Self::Nonce => "nonce",
            Self::AtHash => "at_hash",
            Self::CHash => "c_hash",
            Self::SHash => "s_hash",
            Self::Events => "events",
            Self::TokenType => "token_type",
            Self::TokenUse => "token_use",
            Self::Typ => "typ",
            Self::Cnf => "cnf",
        }
    }
}

impl Marks for Places {
    #[inline]
    fn member(&mut self, name: Str<'_>, place: Place) {
        let mut buffer = [0; 10]; // of the longest one
        let name = if name.has_escapes() { name.decode_in(&mut buffer) } else { Some(name.raw()) };
        if let Some(known) = name.and_then(|name| Known::of(name.as_bytes()))
            && let Some(at) = self.at.get_mut(known as usize)
        {
            *at = Some(place);
            self.met |= 1 << known as usize;
        }
    }
}

/// Claims, with where those stand that are looked at here.
pub(super) struct Told<'a> {
    pub(super) text: &'a str,
    pub(super) claims: Value<'a>,
    places: &'a Places,
    /// Whether any string may have some.
    has_escapes: bool,
}

impl<'a> Told<'a> {
    /// `text` is that in which the places were found.
    pub(super) fn new(text: &'a str, claims: Value<'a>, places: &'a Places) -> Self {
        let has_escapes = memchr::memchr(b'\\', text.as_bytes()).is_some();
        Self { text, claims, places, has_escapes }
    }

    fn place(&self, known: Known) -> Option<Place> {
        self.places.at.get(known as usize).copied().flatten()
    }

    pub(super) fn member(&self, known: Known) -> Option<Value<'a>> {
        self.place(known).map(|place| place.value(self.text))
    }

    /// The same, unless it is `null`.
    pub(super) fn given(&self, known: Known) -> Option<Value<'a>> {
        self.member(known).filter(|value| value.kind() != Kind::Null)
    }

    /// The text, if it is one.
    pub(super) fn string(&self, known: Known) -> Text {
        match self.place(known).filter(|place| place.is_string(self.text)) {
            Some(place) if !self.has_escapes => Text::Inside(place),
            Some(place) => Text::decoded(place.value(self.text)),
            None => Text::Nothing,
        }
    }
}

/// A text of the claims: where it stands in them, or itself.
#[derive(Clone, Debug, Default)]
pub(super) enum Text {
    #[default]
    Nothing,
    /// A string without escapes.
    Inside(Place),
    Own(Box<str>),
}

impl Text {
    fn decoded(value: Value<'_>) -> Self {
        value.as_str().map_or(Self::Nothing, Self::own)
    }

    pub(super) fn own(text: impl Into<Box<str>>) -> Self {
        Self::Own(text.into())
    }

    /// The text; `whole` is as it was.
    pub(super) fn within<'a>(&'a self, whole: &'a str) -> Option<&'a str> {
        match self {
            Self::Nothing => None,
            Self::Inside(place) => place.raw_string(whole),
            Self::Own(text) => Some(text),
        }
    }
}

/// What was granted, as it stands in the claims.
#[derive(Clone, Debug)]
pub(super) enum Granted {
    /// With spaces between.
    Listed(Text),
    /// Each on its own.
    Own(Box<[Box<str>]>),
}

impl Granted {
    pub(super) fn has(&self, whole: &str, wanted: &str) -> bool {
        match self {
            Self::Listed(_) if wanted.is_empty() => false,
            Self::Listed(text) => {
                let text = text.within(whole).unwrap_or_default().as_bytes();
                text.split(|byte| *byte == b' ').any(|granted| granted == wanted.as_bytes())
            }
            Self::Own(scopes) => scopes.iter().any(|granted| **granted == *wanted),
        }
    }

    pub(super) fn all(&self, whole: &str) -> Vec<String> {
        match self {
            Self::Listed(text) => {
                let scopes = text.within(whole).unwrap_or_default().split(' ');
                scopes.filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
            }
            Self::Own(scopes) => scopes.iter().map(|scope| String::from(&**scope)).collect(),
        }
    }
}

/// What only ID tokens have (OpenID Connect Core sections 2 and 3.3.2.11).
const OF_ID_TOKENS: [Known; 4] = [Known::Nonce, Known::AtHash, Known::CHash, Known::SHash];

/// Where servers write what kind of token it is: `token_type` (RFC 7662 section 2.2), `token_use`
/// (Cognito, Hydra) and `typ` (Keycloak, beside that of the header).
const KINDS: [Known; 3] = [Known::TokenType, Known::TokenUse, Known::Typ];

/// What they write there for an access token that a bearer may present.
const ACCESS: [&str; 4] = ["Bearer", "access_token", "access", "at+jwt"];

/// Refuses what is no access token, or one that its bearer alone may not present (`cnf`, RFC 7800).
pub(super) fn check_kind(claims: &Told<'_>, from: Source) -> Result<()> {
    if claims.places.met & OTHER == 0 {
        return Ok(());
    }
    let there = |known: &&Known| from.claim(claims, **known).is_some();
    if let Some(known) = OF_ID_TOKENS.iter().find(there) {
        return Err(ID_TOKEN.about_claim(known.name()));
    }
    if claims.member(Known::Events).is_some() {
        return Err(EVENT.about_claim("events"));
    }
    for known in KINDS {
        let Some(kind) = from.claim(claims, known) else { continue };
        let kind = kind.as_str().unwrap_or_default();
        let is_one_of = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
        // `JWT` says nothing about what the token is for.
        let names_access = is_one_of(&ACCESS) || (known == Known::Typ && is_one_of(&["JWT"]));
        if !names_access {
            return Err(OTHER_KIND.seeing(known.name(), Some(&kind)));
        }
    }
    if claims.member(Known::Cnf).is_some() {
        return Err(BOUND.about_claim("cnf"));
    }
    Ok(())
}

/// Whom the token was issued to: `client_id` (RFC 9068, RFC 7662), `cid` (Okta) or `appid` (Entra,
/// AD FS). `azp` and `aud` name the client in ID tokens, and not here.
pub(super) fn client_id(claims: &Told<'_>, from: Source) -> Result<Text> {
    let mut client: Option<(Known, Str<'_>)> = None;
    for known in [Known::ClientId, Known::Cid, Known::AppId] {
        let Some(value) = from.claim(claims, known) else { continue };
        let own = value.as_json_str().filter(|own| !own.raw().is_empty());
        let own = own.ok_or_else(|| NO_CLIENT.about_claim(known.name()))?;
        if client.is_some_and(|(_, client)| client != own) {
            return Err(TWO_CLIENTS.about_claim(known.name()));
        }
        client = Some((known, own));
    }
    Ok(client.map_or(Text::Nothing, |(known, _)| claims.string(known)))
}

/// The tenant by the claim of this name: a text, or a whole number.
pub(super) fn tenant(claims: &Told<'_>, name: Option<&str>) -> Text {
    let Some(name) = name else { return Text::Nothing };
    let (tenant, value) = match Known::of(name.as_bytes()) {
        Some(known) => (claims.string(known), claims.member(known)),
        None => {
            let value = claims.claims.member(name);
            (value.map_or(Text::Nothing, Text::decoded), value)
        }
    };
    match tenant.within(claims.text) {
        Some("") => Text::Nothing,
        Some(_) => tenant,
        None => {
            let number = value.and_then(|value| value.as_u64());
            number.map_or(Text::Nothing, |number| Text::own(number.to_string()))
        }
    }
}

/// A text, or a whole number as one.
pub(super) fn text_or_number(value: &Value<'_>) -> Option<String> {
    let number = || value.as_u64().map(|number| number.to_string());
    value.as_str().map(Cow::into_owned).or_else(number)
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
pub(super) fn scopes(claims: &Told<'_>) -> Granted {
    let known = if claims.given(Known::Scope).is_some() { Known::Scope } else { Known::Scp };
    match claims.given(known) {
        Some(list) if list.kind() == Kind::Array => {
            // A list that holds anything else grants nothing.
            let scopes = list.elements().map(|scope| scope.as_str().map(Into::into));
            Granted::Own(scopes.collect::<Option<_>>().unwrap_or_default())
        }
        _ => Granted::Listed(claims.string(known)),
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
