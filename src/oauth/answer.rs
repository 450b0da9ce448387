//! What an authorization server answers, read strictly: JSON objects of bounded size without duplicate members, or
//! an error of the right kind (RFC 6749 section 5). A redirect is never followed, and nothing of a body gets into
//! a message.

use super::quirks::Quirks;
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
/// `OauthServerFailed`, `OauthMalformedResponse`, `RequestBlocked` for a redirect, and those of [`refusal`].
pub(super) fn object(quirks: &Quirks, response: &HttpResponse) -> Result<Secret> {
    let text = readable(quirks, response);
    match response.status {
        200..=299 => {
            let text = text.ok_or(MALFORMED)?;
            let value = parsed(&text)?;
            // No good answer has this member; some providers report failures with status 200.
            if value.member("error").is_some_and(|error| error.kind() != Kind::Null)
                || value.member("ok").and_then(|ok| ok.as_bool()) == Some(false)
            {
                return Err(refusal(quirks, &value));
            }
            Ok(text)
        }
        300..=399 => Err(REDIRECT),
        429 | 500..=599 => Err(busy(response)),
        status => {
            let Some(text) = text else { return Err(by_status(status)) };
            let value = parsed(&text)?;
            if value.member("error").is_none() {
                return Err(by_status(status));
            }
            Err(refusal(quirks, &value))
        }
    }
}

/// A checked text as its value.
pub(super) fn parsed(text: &Secret) -> Result<Value<'_>> {
    let value = json::parse(text.expose()).map_err(|_| MALFORMED)?;
    if value.kind() == Kind::Object { Ok(value) } else { Err(MALFORMED) }
}

/// The body, if it is one JSON object, or a form where the provider may send one.
fn readable(quirks: &Quirks, response: &HttpResponse) -> Option<Secret> {
    let body = &response.body;
    let is_object = |text: &[u8]| json::parse(text).is_ok_and(|value| value.kind() == Kind::Object);
    if is_object(body.expose()) {
        return Some(body.clone());
    }
    let is_form = response.header("content-type").is_some_and(|kind| {
        kind.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded"
    });
    if !(quirks.form_answers && is_form) {
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

/// The error that an object's `error` stands for.
#[cold]
fn refusal(quirks: &Quirks, value: &Value<'_>) -> Error {
    let member = |name: &str| value.member(name).and_then(|text| text.as_str());
    let object = value.member("error").filter(|error| error.kind() == Kind::Object);
    let (code, message) = match object {
        // Facebook's.
        Some(error) => {
            let member = |name: &str| error.member(name).and_then(|text| text.as_str());
            (member("type"), member("message"))
        }
        None => (member("error"), member("error_description")),
    };
    error_named(quirks, &code.unwrap_or_default(), &message.unwrap_or_default())
}

/// The error of this name (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5, OpenID Connect Core 3.1.2.6).
#[cold]
pub(super) fn error_named(quirks: &Quirks, code: &str, message: &str) -> Error {
    let is_in = |names: &[String]| names.iter().any(|name| name == code);
    let kind = match code {
        "access_denied" => ErrorKind::OauthAccessDenied,
        "login_required"
        | "consent_required"
        | "interaction_required"
        | "account_selection_required" => ErrorKind::OauthInteractionRequired,
        "invalid_grant" => ErrorKind::OauthInvalidGrant,
        "invalid_client" | "unauthorized_client" => ErrorKind::OauthInvalidClient,
        "server_error" | "temporarily_unavailable" => ErrorKind::OauthServerFailed,
        "expired_token" => ErrorKind::OauthDeviceExpired,
        _ if is_in(&quirks.grant_errors) => ErrorKind::OauthInvalidGrant,
        _ if is_in(&quirks.client_errors) => ErrorKind::OauthInvalidClient,
        _ => ErrorKind::OauthRefused,
    };
    Error::from(kind).said_by_peer(code, message)
}

/// 429 and 5xx: to be tried again, when the server says so.
#[cold]
pub(super) fn busy(response: &HttpResponse) -> Error {
    let error = Error::from(ErrorKind::OauthServerFailed);
    // A date is not read: the clocks may differ.
    match response.header("retry-after").and_then(|seconds| seconds.trim().parse::<u64>().ok()) {
        Some(seconds) => error.retry_after_ms(seconds.min(86_400) * 1000),
        None => error,
    }
}

#[cold]
fn by_status(status: u16) -> Error {
    match status {
        401 => Error::new(
            ErrorKind::OauthInvalidClient,
            "The authorization server answered 401 without saying why; check the client's id and secret.",
        ),
        _ => Error::new(
            ErrorKind::OauthMalformedResponse,
            "The authorization server refused the request without saying why; see that the endpoint is right.",
        ),
    }
}

pub(super) const MALFORMED: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The authorization server's answer is not the JSON object that the RFC asks for.",
);
pub(super) const REDIRECT: Error = Error::new(
    ErrorKind::RequestBlocked,
    "The other server answered with a redirect, which is not followed; configure the final address.",
);
