//! `OAuthTokens`: what a token endpoint gave (RFC 6749 section 5.1), and how it is read.

use super::answer::{self, MALFORMED};
use super::config::{OAuthConfig, checked_text};
use super::quirks::Quirks;
use super::sent::Answer;
use crate::base::json::{self, Kind, ObjectWriter, Value};
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::fmt;

/// The longest token that is taken, in bytes.
const LONGEST_TOKEN: usize = 32 * 1024;
/// The longest life of a token that is reckoned with: ten years, in seconds.
const LONGEST_LIFE: u64 = 10 * 366 * 86_400;

/// What a token endpoint gave. Every token is wiped when dropped and shown by no `Debug`.
#[derive(Clone)]
#[non_exhaustive]
pub struct OAuthTokens {
    /// Who gave it: the issuer, or the token endpoint of a server without one. A refresh token goes
    /// nowhere else.
    pub issuer: String,
    /// What is sent to the API, as `Authorization: Bearer`.
    pub access_token: Secret,
    /// When it expires, in seconds since the Unix epoch, if the server said so.
    pub expires_at: Option<u64>,
    /// When it was issued, in seconds since the Unix epoch, if that is known.
    pub issued_at: Option<u64>,
    /// What gets the next access token.
    pub refresh_token: Option<Secret>,
    /// What was granted: as the server said, or as it was asked for.
    pub scopes: Vec<String>,
    /// The APIs that the access token was asked for in the request that gave it (RFC 8707); a
    /// refresh asks for the same.
    pub resources: Vec<String>,
    /// Who signed in, as a token (OpenID Connect Core section 2): valid, if it is here.
    pub id_token: Option<Secret>,
    /// The ID token's claims: the text of one JSON object.
    pub claims_json: Option<String>,
    /// The ID token's `sub`.
    pub subject: Option<String>,
    /// The ID token's `email`, where the provider says that it is the user's and proven
    /// (`email_verified`).
    pub verified_email: Option<String>,
    /// What kind of token an exchange has given (RFC 8693 section 2.2.1).
    pub issued_token_type: Option<String>,
}

impl OAuthTokens {
    /// Tokens of a refresh token that was got in another way, for example by another library: no
    /// access token yet, so that the first use refreshes. What else is known (scopes, subject,
    /// resources) can be set.
    ///
    /// # Errors
    /// `InvalidArgument`: the issuer is empty, or the refresh token cannot be one.
    ///
    /// ```
    /// # use gatekey::{Secret, oauth::OAuthTokens};
    /// let kept = Secret::from("8xLOxBtZp8".to_owned());
    /// let mut tokens = OAuthTokens::from_refresh_token("https://auth.example", kept)?;
    /// tokens.subject = Some("alice".to_owned());
    /// assert!(!tokens.is_good_for(0, 1_800_000_000));
    /// # Ok::<(), gatekey::Error>(())
    /// ```
    pub fn from_refresh_token(issuer: impl Into<String>, refresh_token: Secret) -> Result<Self> {
        let issuer = issuer.into();
        checked_text(&issuer, 2048).map_err(|error| error.about_claim("issuer"))?;
        let token = refresh_token_in(Cow::Borrowed(refresh_token.expose_str()));
        Ok(Self {
            issuer,
            access_token: Secret::new(Vec::new()),
            expires_at: Some(0),
            issued_at: None,
            refresh_token: Some(token.ok_or_else(|| NOT_A_TOKEN.about_claim("refresh_token"))?),
            scopes: Vec::new(),
            resources: Vec::new(),
            id_token: None,
            claims_json: None,
            subject: None,
            verified_email: None,
            issued_token_type: None,
        })
    }

    /// The tokens to keep although [`OAuthClient::refresh`](crate::OAuthClient::refresh) has
    /// failed: those that it was called with, and the new refresh token that the server gave before
    /// anything was found wrong. `None`: there was no new one, and the old refresh token is
    /// still the one to use.
    #[must_use]
    pub fn kept_in(error: &Error) -> Option<Self> {
        error.kept().and_then(|text| Self::from_secret_json(text).ok())
    }

    /// All of it as JSON, tokens included, to be kept in a safe place.
    ///
    /// # Security
    /// A person who reads it can act as the user.
    #[must_use]
    pub fn to_secret_json(&self) -> Secret {
        let mut out = ObjectWriter::new();
        out.text("issuer", &self.issuer);
        out.text("access_token", self.access_token.expose_str());
        out.number("expires_at", self.expires_at);
        out.number("issued_at", self.issued_at);
        out.optional("refresh_token", self.refresh_token.as_ref().map(Secret::expose_str));
        out.texts("scopes", &self.scopes);
        out.texts("resources", &self.resources);
        out.optional("id_token", self.id_token.as_ref().map(Secret::expose_str));
        out.raw("claims", self.claims_json.as_deref().unwrap_or("null"));
        out.optional("subject", self.subject.as_deref());
        out.optional("verified_email", self.verified_email.as_deref());
        out.optional("issued_token_type", self.issued_token_type.as_deref());
        out.end_secret()
    }

    /// Reads [`Self::to_secret_json`], or as much of it as is known: `issuer`, and a
    /// `refresh_token` or an `access_token`. Without an access token the first use refreshes.
    ///
    /// # Errors
    /// `StoreCorrupt`: it is not that.
    pub fn from_secret_json(text: &[u8]) -> Result<Self> {
        let value = json::parse(text).map_err(|_| DAMAGED)?;
        let text = |name: &str| value.member(name).and_then(|text| text.as_str());
        let secret = |name: &str| text(name).map(|text| Secret::from(text.into_owned()));
        let date = |name: &str| value.member(name).and_then(|time| time.as_u64());
        let claims = value.member("claims").filter(|claims| claims.kind() == Kind::Object);
        let texts = |name: &str| {
            let list = value.given(name);
            let text = |text: Value<'_>| text.as_str().map(String::from).ok_or(DAMAGED);
            list.iter().flat_map(Value::elements).map(text).collect::<Result<Vec<_>>>()
        };
        let (access_token, refresh_token) = (secret("access_token"), secret("refresh_token"));
        if access_token.is_none() && refresh_token.is_none() {
            return Err(DAMAGED);
        }
        Ok(Self {
            issuer: text("issuer").ok_or(DAMAGED)?.into_owned(),
            expires_at: if access_token.is_some() { date("expires_at") } else { Some(0) },
            access_token: access_token.unwrap_or_else(|| Secret::new(Vec::new())),
            issued_at: date("issued_at"),
            refresh_token,
            scopes: texts("scopes")?,
            resources: texts("resources")?,
            id_token: secret("id_token"),
            claims_json: claims.map(|claims| claims.raw().to_owned()),
            subject: text("subject").map(String::from),
            verified_email: text("verified_email").map(String::from),
            issued_token_type: text("issued_token_type").map(String::from),
        })
    }

    /// Whose user the subject is: the ID token's issuer where a server has one for each tenant, or
    /// who gave the tokens. A provider that spells its issuer in two ways has one name.
    pub(super) fn user_issuer(&self, quirks: &Quirks) -> String {
        let claims = self.claims_json.as_deref().filter(|_| quirks.issuer_template.is_some());
        let claims = claims.and_then(|text| json::parse(text.as_bytes()).ok());
        let named = claims.and_then(|claims| Some(claims.given("iss")?.as_str()?.into_owned()));
        named.unwrap_or_else(|| self.issuer.clone())
    }

    /// Whether the access token is good for this many more seconds; one whose end is not known is.
    #[must_use]
    pub fn is_good_for(&self, seconds: u64, now: u64) -> bool {
        self.expires_at.is_none_or(|end| now.saturating_add(seconds) < end)
    }

    /// Whether there is no need for another access token yet: it is good for this many more seconds
    /// or, as a server may give none that are, for half of its life; or it was issued in this very
    /// second. One that was issued in the future, by a clock that was put back since, ends at an
    /// unknown time.
    pub(super) fn is_fresh_for(&self, seconds: u64, now: u64) -> bool {
        if self.issued_at.is_some_and(|begin| begin > now.saturating_add(AHEAD)) {
            return false;
        }
        let life =
            self.expires_at.zip(self.issued_at).map(|(end, begin)| end.saturating_sub(begin));
        let margin = life.map_or(seconds, |life| seconds.min(life / 2));
        self.is_good_for(margin, now) || self.issued_at.is_some_and(|begin| now == begin)
    }
}

/// How many seconds two clocks may differ.
const AHEAD: u64 = 60;

/// Who gave them, who they are about and when they end.
impl fmt::Debug for OAuthTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthTokens")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("expires_at", &self.expires_at)
            .field("scopes", &self.scopes)
            .field("has_refresh_token", &self.refresh_token.is_some())
            .finish_non_exhaustive()
    }
}

/// The tokens of an answer, the ID token not yet verified. `asked` are the scopes of the request.
///
/// # Errors
/// Those of [`answer::object`]; `OauthMalformedResponse` about the member that is not as it should
/// be.
pub(super) fn read(
    config: &OAuthConfig,
    issuer: &str,
    response: &Answer,
    asked: &[String],
) -> Result<OAuthTokens> {
    let quirks = &config.quirks;
    let text = answer::object(config, response)?;
    let value = innermost(quirks, answer::parsed(&text)?);
    let token = |name: &'static str| token(&value, name);
    let access_token =
        token("access_token")?.ok_or_else(|| NO_TOKEN.about_claim("access_token"))?;
    let issued_token_type = string(&value, "issued_token_type")?
        .map(|text| printable(&text, "issued_token_type"))
        .transpose()?;
    check_type(quirks, &value, issued_token_type.is_some())?;
    let life = match value.given("expires_in") {
        None => None,
        Some(life) => {
            let seconds = life.as_u64();
            let written = || life.as_str().and_then(|text| text.parse().ok());
            let seconds = if quirks.expires_in_text { seconds.or_else(written) } else { seconds };
            Some(seconds.ok_or_else(|| MALFORMED.about_claim("expires_in"))?)
        }
    };
    let now = config.now()?;
    Ok(OAuthTokens {
        issuer: issuer.to_owned(),
        access_token,
        // A life of decades is no date to go by: the server says when it is over.
        expires_at: life.filter(|&life| life <= LONGEST_LIFE).map(|life| now.saturating_add(life)),
        issued_at: Some(now),
        refresh_token: token("refresh_token")?,
        scopes: scopes(quirks, &value, asked)?,
        resources: Vec::new(),
        id_token: token("id_token")?,
        claims_json: None,
        subject: None,
        verified_email: None,
        issued_token_type,
    })
}

/// Where the tokens stand: in the answer, or in one of its members.
pub(super) fn innermost<'a>(quirks: &Quirks, whole: Value<'a>) -> Value<'a> {
    let inner = quirks.nested_in.as_ref().and_then(|name| whole.given(name));
    inner.filter(|_| whole.given("access_token").is_none()).unwrap_or(whole)
}

fn check_type(quirks: &Quirks, value: &Value<'_>, is_exchanged: bool) -> Result<()> {
    match string(value, "token_type")? {
        None if quirks.untyped_tokens => Ok(()),
        Some(kind) if kind.eq_ignore_ascii_case("bearer") => Ok(()),
        // Slack names the side that a nested token is for.
        Some(_) if quirks.nested_in.is_some() => Ok(()),
        // An exchanged token that is not an access token (RFC 8693 section 2.2.1).
        Some(kind) if kind.eq_ignore_ascii_case("n_a") && is_exchanged => Ok(()),
        _ => Err(WRONG_TYPE.about_claim("token_type")),
    }
}

fn scopes(quirks: &Quirks, value: &Value<'_>, asked: &[String]) -> Result<Vec<String>> {
    let (member, wrong) = (quirks.scope_member.as_str(), || MALFORMED.about_claim("scope"));
    match value.given(member) {
        None => Ok(asked.to_vec()),
        Some(list) if list.kind() == Kind::Array && quirks.scope_list => {
            let scope = |scope: Value<'_>| printable(&scope.as_str().ok_or_else(wrong)?, "scope");
            list.elements().map(scope).collect()
        }
        Some(_) => {
            let text = value.given(member).and_then(|text| text.as_str());
            let text = printable(&text.ok_or_else(wrong)?, "scope")?;
            let commas = quirks.comma_scopes || quirks.comma_scopes_answered;
            let is_between = |c: char| c == ' ' || commas && c == ',';
            Ok(text.split(is_between).filter(|s| !s.is_empty()).map(str::to_owned).collect())
        }
    }
}

fn string<'a>(value: &Value<'a>, name: &'static str) -> Result<Option<Cow<'a, str>>> {
    let text = |text: Value<'a>| text.as_str().ok_or_else(|| MALFORMED.about_claim(name));
    value.given(name).map(text).transpose()
}

/// A token: visible ASCII, so that it cannot end a header's line (RFC 6749 appendix A.12, RFC 6750
/// section 2.1). An empty text counts as absent: so servers write that there is no refresh token or
/// ID token.
pub(super) fn token(value: &Value<'_>, name: &'static str) -> Result<Option<Secret>> {
    let Some(text) = string(value, name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let token = if name == "refresh_token" { refresh_token_in(text) } else { token_in(text, b'!') };
    token.map(Some).ok_or_else(|| NO_TOKEN.about_claim(name))
}

/// A refresh token, if this text may be one: it is sent in a form, and may have spaces (RFC 6749
/// appendix A.17).
pub(super) fn refresh_token_in(text: Cow<'_, str>) -> Option<Secret> {
    token_in(text, b' ')
}

/// A token of printable ASCII from this character on, if the text may be one.
fn token_in(text: Cow<'_, str>, first: u8) -> Option<Secret> {
    let text = Secret::from(text.into_owned());
    let bytes = text.expose();
    let is_one = (1..=LONGEST_TOKEN).contains(&bytes.len());
    (is_one && bytes.iter().all(|b| (first..=b'~').contains(b))).then_some(text)
}

fn printable(text: &str, name: &'static str) -> Result<String> {
    if text.len() > 4096 || !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Err(MALFORMED.about_claim(name));
    }
    Ok(text.to_owned())
}

const NO_TOKEN: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The authorization server's answer holds no token, or one that cannot be sent in a header.",
);
const NOT_A_TOKEN: Error =
    argument("A refresh token is printable ASCII, not empty, and has at most 32 KiB.");
const WRONG_TYPE: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The authorization server gave a token of another type than Bearer, or of no type; it is not used.",
);
const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "What was kept is not tokens; it was altered or is of another version.",
);
