//! What claims say about a token that is presented as an access token: whether it is one, whose,
//! and what it may. The same for the claims of a JWT and for what an authorization server answers
//! about an opaque token.
//!
//! Refused, whatever the `typ` of the header and the audience: ID tokens, refresh tokens, logout
//! tokens and other security events; clients that are named in two ways.

use crate::base::json::{Kind, Str, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::{Marks, Place};

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

/// Where the claims stand that are looked at here, found while the text is read.
#[derive(Default)]
pub(super) struct Places {
    at: [Option<Place>; KNOWN],
    /// A bit for each.
    met: u32,
}

/// How many names are looked for so; any other is looked for on its own.
const KNOWN: usize = 20;

/// The number of a name among those.
#[inline]
const fn number(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"sub" => 0,
        b"iat" => 1,
        b"sid" => 2,
        b"acr" => 3,
        b"auth_time" => 4,
        b"scope" => 5,
        b"scp" => 6,
        b"client_id" => 7,
        b"cid" => 8,
        b"appid" => 9,
        b"tenant" => 10,
        // From here on: what makes a token another than an access token.
        b"nonce" => 11,
        b"at_hash" => 12,
        b"c_hash" => 13,
        b"s_hash" => 14,
        b"events" => 15,
        b"token_type" => 16,
        b"token_use" => 17,
        b"typ" => 18,
        b"cnf" => 19,
        _ => return None,
    })
}

/// The bits of the names that may make a token another than an access token.
const OTHER: u32 = u32::MAX << 11;

impl Marks for Places {
    #[inline]
    fn member(&mut self, name: Str<'_>, place: Place) {
        let mut buffer = [0; 10];
        let Some(name) = name.decode_in(&mut buffer) else { return };
        if let Some(number) = number(name.as_bytes())
            && let Some(at) = self.at.get_mut(number)
        {
            *at = Some(place);
            self.met |= 1 << number;
        }
    }
}

/// Claims, with where those stand that are looked at here.
pub(super) struct Told<'a> {
    pub(super) text: &'a str,
    pub(super) claims: Value<'a>,
    places: &'a Places,
}

impl<'a> Told<'a> {
    /// `text` is that in which the places were found.
    pub(super) const fn new(text: &'a str, claims: Value<'a>, places: &'a Places) -> Self {
        Self { text, claims, places }
    }

    /// The string with this name, which is one of those that are looked at here.
    pub(super) fn string(&self, name: &str) -> Text {
        Text::at(self.place(name), self.text)
    }

    fn place(&self, name: &str) -> Option<Place> {
        self.places.at.get(number(name.as_bytes())?).copied().flatten()
    }

    /// The member with this name.
    pub(super) fn member(&self, name: &str) -> Option<Value<'a>> {
        match number(name.as_bytes()) {
            Some(_) => self.place(name).map(|place| place.value(self.text)),
            None => self.claims.member(name),
        }
    }

    /// The member with this name, unless it is `null`.
    pub(super) fn given(&self, name: &str) -> Option<Value<'a>> {
        self.member(name).filter(|value| value.kind() != Kind::Null)
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
    /// The string that stands here, if it is one.
    pub(super) fn at(place: Option<Place>, whole: &str) -> Self {
        let string = |place: &Place| place.value(whole).as_json_str();
        match place.and_then(|place| Some((place, string(&place)?))) {
            None => Self::Nothing,
            Some((place, string)) if !string.has_escapes() => Self::Inside(place),
            Some((_, string)) => Self::Own(string.decode().into()),
        }
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
                let text = text.within(whole).unwrap_or_default();
                text.split(' ').any(|granted| granted == wanted)
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
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

/// Where servers write what kind of token it is: `token_type` (RFC 7662 section 2.2), `token_use`
/// (Cognito, Hydra) and `typ` (Keycloak, beside that of the header).
const KINDS: [&str; 3] = ["token_type", "token_use", "typ"];

/// What they write there for an access token that a bearer may present.
const ACCESS: [&str; 4] = ["Bearer", "access_token", "access", "at+jwt"];

/// Refuses what is no access token, or one that its bearer alone may not present (`cnf`, RFC 7800).
pub(super) fn check_kind(claims: &Told<'_>, from: Source) -> Result<()> {
    if claims.places.met & OTHER == 0 {
        return Ok(());
    }
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
pub(super) fn client_id(claims: &Told<'_>, from: Source) -> Result<Text> {
    let mut client: Option<Str<'_>> = None;
    let mut place = None;
    for name in ["client_id", "cid", "appid"] {
        let Some(value) = from.claim(claims, name) else { continue };
        let own = value.as_json_str().filter(|own| !own.raw().is_empty());
        let own = own.ok_or_else(|| NO_CLIENT.about_claim(name))?;
        if client.is_some_and(|client| client != own) {
            return Err(TWO_CLIENTS.about_claim(name));
        }
        client = Some(own);
        place = claims.place(name);
    }
    Ok(Text::at(place, claims.text))
}

/// The tenant by the claim of this name: a text, or a whole number.
pub(super) fn tenant(claims: &Told<'_>, name: Option<&str>) -> Text {
    let Some(name) = name else { return Text::Nothing };
    let Some(value) = claims.given(name) else { return Text::Nothing };
    match (value.as_json_str(), claims.place(name)) {
        (Some(text), _) if text.raw().is_empty() => Text::Nothing,
        (Some(_), place @ Some(_)) => Text::at(place, claims.text),
        (Some(text), None) => Text::own(text.decode()),
        (None, _) => value.as_u64().map_or(Text::Nothing, |number| Text::own(number.to_string())),
    }
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
    let name = if claims.given("scope").is_some() { "scope" } else { "scp" };
    match claims.given(name) {
        Some(list) if list.kind() == Kind::Array => {
            // A list that holds anything else grants nothing.
            let scopes = list.elements().map(|scope| scope.as_str().map(Into::into));
            Granted::Own(scopes.collect::<Option<_>>().unwrap_or_default())
        }
        _ => Granted::Listed(claims.string(name)),
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
