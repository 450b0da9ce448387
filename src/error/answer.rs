//! What an HTTP service answers for an error: the text that a caller may read and the headers (RFC
//! 9110, RFC 6750 section 3). In the core, so that every language and framework answers the same.

use super::kind::Told;
use super::{Error, ErrorKind};

impl ErrorKind {
    /// What the caller may be told, no matter who it is: nothing of how gatekey or the program
    /// works inside, no id, and of a refused token, key or session not which check it failed.
    /// [`Error::message`] is for the log.
    #[must_use]
    pub const fn public_message(self) -> &'static str {
        match self.told() {
            Told::SignIn => "The sign-in did not succeed; begin again.",
            Told::Stronger => "A more recent or a stronger sign-in is required.",
            Told::Scope => "The request needs a scope that was not granted.",
            Told::Several => "The request brings more than one credential.",
            Told::Nothing => "The request needs credentials.",
            Told::Token => "The access token is not valid.",
            Told::ApiKey => "The API key is not valid.",
            Told::Session => "The session is over; sign in again.",
            Told::Malformed => "The request is malformed.",
            Told::Denied => "Access is denied.",
            Told::Absent => "There is no such thing.",
            Told::TooMany => "There were too many requests; try again later.",
            Told::Later => "The service cannot answer now; try again later.",
            Told::Failed => "The service has failed.",
        }
    }

    /// The name of [`Self::public_message`], for programs: `invalid_token`, `missing_credentials`.
    /// Unlike [`Self::code`] it tells nobody which check failed.
    #[must_use]
    pub const fn public_code(self) -> &'static str {
        match self.told() {
            Told::SignIn => "sign_in_failed",
            Told::Stronger => "insufficient_user_authentication",
            Told::Scope => "insufficient_scope",
            Told::Several => "several_credentials",
            Told::Nothing => "missing_credentials",
            Told::Token => "invalid_token",
            Told::ApiKey => "invalid_api_key",
            Told::Session => "session_over",
            Told::Malformed => "malformed_request",
            Told::Denied => "access_denied",
            Told::Absent => "not_found",
            Told::TooMany => "too_many_requests",
            Told::Later => "temporarily_unavailable",
            Told::Failed => "server_error",
        }
    }

    /// The `error` of RFC 6750 section 3.1 and RFC 9470 section 3; `None` where the answer names
    /// none: no token was presented, or the refusal is not about one.
    #[must_use]
    pub const fn bearer_error(self) -> Option<&'static str> {
        match self.told() {
            Told::Scope => Some("insufficient_scope"),
            Told::Stronger => Some("insufficient_user_authentication"),
            Told::Several => Some("invalid_request"),
            Told::Token | Told::ApiKey => Some("invalid_token"),
            _ => None,
        }
    }

    /// Whether the answer has a `WWW-Authenticate`: each 401 (RFC 9110 section 15.5.2), a 403 for
    /// want of a scope, and a 400 for more than one credential (RFC 6750 section 3.1).
    #[must_use]
    pub const fn is_challenged(self) -> bool {
        self.http_status() == 401 || self.bearer_error().is_some()
    }

    /// The value of `WWW-Authenticate` where nothing is known of what the call demands; `None`
    /// without a challenge. A `ResourceServer` says more: its scopes and its metadata.
    #[must_use]
    pub fn challenge(self) -> Option<String> {
        let public = self.public_message();
        self.is_challenged().then(|| match self.bearer_error() {
            Some(code) => format!("Bearer error=\"{code}\", error_description=\"{public}\""),
            None => "Bearer".to_owned(),
        })
    }

    /// The headers of the answer, as names and values: `Cache-Control: no-store`, because a refusal
    /// is the caller's own; `WWW-Authenticate` as [`Self::challenge`]; `Retry-After` in whole
    /// seconds, rounded up (RFC 9110 section 10.2.3), where `retry_after` milliseconds are given
    /// and the status is 429 or 503.
    #[must_use]
    pub fn http_headers(self, retry_after: Option<u32>) -> Vec<(&'static str, String)> {
        let mut headers = vec![("Cache-Control", "no-store".to_owned())];
        headers.extend(self.challenge().map(|value| ("WWW-Authenticate", value)));
        let waits = self.retry_after_seconds(retry_after);
        headers.extend(waits.map(|seconds| ("Retry-After", seconds.to_string())));
        headers
    }

    fn retry_after_seconds(self, milliseconds: Option<u32>) -> Option<u32> {
        let waits = milliseconds.filter(|_| matches!(self.http_status(), 429 | 503));
        waits.map(|milliseconds| milliseconds.div_ceil(1000).max(1))
    }
}

impl Error {
    /// The number of `Retry-After`: see [`ErrorKind::http_headers`].
    pub(crate) fn retry_after_seconds(&self) -> Option<u32> {
        self.kind.retry_after_seconds(self.retry_after())
    }

    /// What the caller may be told: see [`ErrorKind::public_message`].
    #[must_use]
    pub const fn public_message(&self) -> &'static str {
        self.kind.public_message()
    }

    /// The headers of the HTTP answer: see [`ErrorKind::http_headers`].
    #[must_use]
    pub fn http_headers(&self) -> Vec<(&'static str, String)> {
        self.kind.http_headers(self.retry_after())
    }
}
