//! What an authorization server answers, read strictly: JSON objects of bounded size without
//! duplicate members, or an error of the right kind (RFC 6749 section 5). A redirect is never
//! followed, and nothing of a body gets into a message; what the server says of an error is kept
//! beside it, without what it was sent.

use super::config::OAuthConfig;
use super::quirks::Quirks;
use super::sent::Answer;
use crate::base::clock::{Clock, plausible};
use crate::base::http_date;
use crate::base::json::{self, Kind, ObjectWriter, Value};
use crate::base::secret::Secret;
use crate::base::url;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::HttpResponse;
use std::borrow::Cow;
use zeroize::Zeroize as _;

/// The object that a 2xx answer holds, as text.
///
/// # Errors
/// `OauthServerFailed`, `OauthMalformedResponse`, `RequestBlocked` for a redirect, and those of
/// [`refusal`].
pub(super) fn object(config: &OAuthConfig, response: &Answer) -> Result<Secret> {
    let quirks = &config.quirks;
    let text = readable(quirks, response);
    match response.status {
        200..=299 => {
            let text = text.ok_or_else(|| unreadable(response))?;
            let value = parsed(&text)?;
            // No good answer has this member; some providers report failures with status 200.
            if value.given("error").is_some()
                || value.member("ok").and_then(|ok| ok.as_bool()) == Some(false)
            {
                return Err(refusal(config, &value, response));
            }
            Ok(text)
        }
        300..=399 => Err(REDIRECT),
        408 | 429 | 500..=599 => Err(failure(config, response, text.as_ref())),
        _ => {
            let Some(text) = text else { return Err(by_status(response)) };
            let value = parsed(&text)?;
            if quirks.told(&value).is_none() {
                return Err(by_status(response));
            }
            Err(refusal(config, &value, response))
        }
    }
}

/// The refusal of a code or refresh token without a word: some servers answer 400 and nothing else.
pub(super) fn mute_refusal(response: &HttpResponse) -> Result<()> {
    if response.status == 400 && is_blank(response) { Err(MUTE_GRANT) } else { Ok(()) }
}

/// A checked text as its value.
pub(super) fn parsed(text: &Secret) -> Result<Value<'_>> {
    let value = json::parse(text.expose()).map_err(|_| MALFORMED)?;
    if value.kind() == Kind::Object { Ok(value) } else { Err(MALFORMED) }
}

/// The body, if it is one JSON object, or a form where the provider may send one.
pub(super) fn readable(quirks: &Quirks, response: &HttpResponse) -> Option<Secret> {
    let body = &response.body;
    let is_object = |text: &[u8]| json::parse(text).is_ok_and(|value| value.kind() == Kind::Object);
    if is_object(body.expose()) {
        return Some(body.clone());
    }
    if !is_form(quirks, response) {
        return None;
    }
    let mut pairs = url::pairs(body.expose_str())?;
    let mut object = ObjectWriter::new();
    for (name, value) in &pairs {
        let is_number = name == "expires_in" || name == "refresh_token_expires_in";
        if is_number && value.parse::<u32>().is_ok() {
            object.raw(name, value);
        } else {
            object.text(name, value);
        }
    }
    for (_, value) in &mut pairs {
        if let Cow::Owned(value) = value {
            value.zeroize(); // what stood in escapes
        }
    }
    let text = object.end_secret();
    // A name that came twice is refused like one in JSON.
    is_object(text.expose()).then_some(text)
}

/// Whether the body is to be read as a form.
pub(super) fn is_form(quirks: &Quirks, response: &HttpResponse) -> bool {
    let kind = response.header("content-type").and_then(|kind| kind.split(';').next());
    quirks.form_answers
        && kind.is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded")
}

/// The error that an object's `error` stands for.
#[cold]
fn refusal(config: &OAuthConfig, value: &Value<'_>, response: &Answer) -> Error {
    let quirks = &config.quirks;
    let member = |name: &str| value.member(name).and_then(|text| text.as_str());
    let object = value.member("error").filter(|error| error.kind() == Kind::Object);
    let code = quirks.told(value).and_then(|text| text.as_str()).unwrap_or_default();
    let told = |text: &str| response.without_sent(text).into_owned();
    let error = match object {
        // Facebook's: a type, a number that says more, and whether it is worth another try.
        Some(error) => {
            let member = |name: &str| error.member(name).and_then(|text| text.as_str());
            let code = member("type").or_else(|| member("code")).unwrap_or_default();
            let number = error.member("code").and_then(|code| code.as_u64());
            let number = number.map(|number| number.to_string()).unwrap_or_default();
            let name = match quirks.error(&number) {
                _ if is_true(&error, "is_transient") => "temporarily_unavailable",
                name if *name != *number => name,
                _ => quirks.error(&code),
            };
            named(name, &told(&code), &told(&member("message").unwrap_or_default()))
        }
        None => {
            let message = member("error_description").unwrap_or_default();
            named(quirks.error(&code), &told(&code), &told(&message))
        }
    };
    if error.is_retryable() { told_when(error, &*config.clock, response) } else { error }
}

fn is_true(value: &Value<'_>, name: &str) -> bool {
    value.member(name).and_then(|flag| flag.as_bool()) == Some(true)
}

/// The error of this name (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5, OpenID Connect
/// Core 3.1.2.6).
#[cold]
pub(super) fn error_named(quirks: &Quirks, code: &str, message: &str) -> Error {
    named(quirks.error(code), code, message)
}

fn named(name: &str, code: &str, message: &str) -> Error {
    let error = Error::from(kind_of(name).unwrap_or(ErrorKind::OauthRefused));
    let error = match remedy(name) {
        Some(text) => error.saying(text),
        None => error,
    };
    error.said_by_peer(code, message)
}

/// What a name of the RFCs says to the caller, where that is more than its kind's summary.
fn remedy(name: &str) -> Option<&'static str> {
    Some(match name {
        "invalid_request" => {
            "The authorization server misses a parameter, or refuses one (`invalid_request`); `peer_message` may say which."
        }
        "invalid_scope" => {
            "The authorization server does not give a scope that was asked for (`invalid_scope`)."
        }
        "invalid_target" => {
            "The authorization server gives no token for the API that was asked for (`invalid_target`): see `resources`."
        }
        "unauthorized_client" => {
            "The client is not registered for this grant or flow (`unauthorized_client`)."
        }
        "unsupported_grant_type" => {
            "The authorization server does not know this grant (`unsupported_grant_type`)."
        }
        "unsupported_response_type" => {
            "The authorization server does not know the authorization code flow (`unsupported_response_type`)."
        }
        _ => return None,
    })
}

/// What a name of the RFCs stands for; `None` if they define no such name.
fn kind_of(name: &str) -> Option<ErrorKind> {
    Some(match name {
        "access_denied" => ErrorKind::OauthAccessDenied,
        "login_required"
        | "consent_required"
        | "interaction_required"
        | "account_selection_required" => ErrorKind::OauthInteractionRequired,
        "invalid_grant" => ErrorKind::OauthInvalidGrant,
        "invalid_client" | "unauthorized_client" => ErrorKind::OauthInvalidClient,
        "server_error" | "temporarily_unavailable" => ErrorKind::OauthServerFailed,
        "expired_token" => ErrorKind::OauthDeviceExpired,
        "invalid_request" | "invalid_scope" | "unsupported_grant_type" => ErrorKind::OauthRefused,
        _ => return None,
    })
}

/// 408, 429 and 5xx: to be tried again, when the server says so. A 500 that names an error of the
/// token endpoint (RFC 6749 section 5.2) is that error, which waiting does not change.
#[cold]
fn failure(config: &OAuthConfig, response: &Answer, text: Option<&Secret>) -> Error {
    let quirks = &config.quirks;
    let value = text.and_then(|text| parsed(text).ok());
    let Some(value) = value.filter(|value| quirks.told(value).is_some()) else {
        return busy(&*config.clock, response);
    };
    let said = refusal(config, &value, response);
    let code = quirks.told(&value).and_then(|code| code.as_str()).unwrap_or_default();
    let is_final = kind_of(quirks.error(&code)).is_some_and(|kind| !kind.is_retryable());
    if response.status == 500 && is_final {
        return said;
    }
    told_when(said.with_kind(ErrorKind::OauthServerFailed).saying(BUSY), &*config.clock, response)
}

/// 408, 429 and 5xx, whatever the body.
#[cold]
pub(super) fn busy(clock: &dyn Clock, response: &HttpResponse) -> Error {
    told_when(ErrorKind::OauthServerFailed.into(), clock, response)
}

/// The same error, with the time that the server wants to be left alone for.
#[cold]
fn told_when(error: Error, clock: &dyn Clock, response: &HttpResponse) -> Error {
    let header = |name: &str| response.header(name).map(str::trim);
    let date = |text: &str| http_date::parse(text);
    // A date is checked against the server's own clock, which may differ from this one; where the
    // answer has not one date, this one is all there is.
    let now = || header("date").and_then(date).or_else(|| plausible(clock.now()).ok());
    let until = |text: &str| Some(date(text)?.saturating_sub(now()?));
    match header("retry-after").and_then(|text| text.parse().ok().or_else(|| until(text))) {
        Some(seconds) => error.retry_after_ms(seconds.min(86_400) * 1000),
        None => error,
    }
}

/// What the server says about a user's token (RFC 6750 section 3.1): only 401, and `invalid_token`,
/// mean that the token has ended. A 403 is about scopes, or about how often it was asked (GitHub's
/// limits).
#[cold]
pub(super) fn token_refused(config: &OAuthConfig, response: &Answer) -> Result<()> {
    let quirks = &config.quirks;
    let header = |name: &str| response.header(name).map(str::trim);
    match response.status {
        401 => return Err(TOKEN_ENDED),
        403 if header("x-ratelimit-remaining") == Some("0") || header("retry-after").is_some() => {
            return Err(busy(&*config.clock, response));
        }
        400..=407 | 409..=428 | 430..=499 => {}
        _ => return Ok(()),
    }
    let text = readable(quirks, response);
    let value = text.as_ref().and_then(|text| parsed(text).ok());
    let Some(value) = value.filter(|value| value.given("error").is_some()) else {
        return if response.status == 403 { Err(FORBIDDEN) } else { Ok(()) };
    };
    if value.member("error").and_then(|code| code.as_str()).as_deref() == Some("invalid_token") {
        return Err(TOKEN_ENDED);
    }
    if response.status != 403 {
        return Ok(());
    }
    let said = refusal(config, &value, response);
    Err(if said.kind() == ErrorKind::OauthRefused {
        said.saying(FORBIDDEN.message())
    } else {
        said
    })
}

#[cold]
fn by_status(response: &HttpResponse) -> Error {
    match response.status {
        401 => Error::new(
            ErrorKind::OauthInvalidClient,
            "The authorization server answered 401 without saying why; check the client's id and secret.",
        ),
        403 if is_blank(response) => Error::new(
            ErrorKind::OauthInvalidClient,
            "The authorization server answered 403 and nothing else; check the client's id and secret.",
        ),
        _ if is_compressed(response) => COMPRESSED,
        _ => Error::new(
            ErrorKind::OauthMalformedResponse,
            "The authorization server refused the request without saying why; see that the endpoint is right.",
        ),
    }
}

/// Why an answer cannot be read.
#[cold]
pub(super) fn unreadable(response: &HttpResponse) -> Error {
    if is_compressed(response) { COMPRESSED } else { MALFORMED }
}

/// Whether a body is compressed, although the request did not allow that. A transport of the
/// program's own may have decoded it and left the header as it was.
pub(super) fn is_compressed(response: &HttpResponse) -> bool {
    let body = response.body.expose();
    let is_encoded = |coding: &str| !coding.trim().eq_ignore_ascii_case("identity");
    let says_so = response.header("content-encoding").is_some_and(is_encoded);
    body.starts_with(b"\x1f\x8b") || says_so && std::str::from_utf8(body).is_err()
}

fn is_blank(response: &HttpResponse) -> bool {
    response.body.expose().trim_ascii().is_empty()
}

const BUSY: &str = ErrorKind::OauthServerFailed.summary();
const MUTE_GRANT: Error = Error::new(
    ErrorKind::OauthInvalidGrant,
    "The server answered 400 and nothing else, as some do for a code or refresh token that is not good any more.",
);
const TOKEN_ENDED: Error = Error::new(
    ErrorKind::OauthInvalidGrant,
    "The server does not accept the access token; refresh it, or begin a new log-in.",
);
const FORBIDDEN: Error = Error::new(
    ErrorKind::OauthRefused,
    "The server does not let this access token read the user: usually a scope was not granted; a refresh does not help.",
);
pub(super) const MALFORMED: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The authorization server's answer is not the JSON object that the RFC asks for.",
);
pub(super) const COMPRESSED: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The server, or a proxy before it, has compressed its answer, which was asked for as it is (`Accept-Encoding: \
     identity`); turn that off for its endpoints.",
);
pub(super) const REDIRECT: Error = Error::new(
    ErrorKind::RequestBlocked,
    "The other server answered with a redirect, which is not followed; configure the final address.",
);
