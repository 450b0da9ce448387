//! `Decision`: what is to be answered, whole: the status, headers and body of a refusal, or who
//! calls and what goes with the application's own answer.

use super::access::Access;
use super::problem;
use crate::apikey::RateLeft;
use crate::error::Error;
use crate::session::SessionTokens;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What is to be answered. Owns all of it.
#[must_use]
pub struct Decision {
    status: u16,
    vary: Arc<str>,
    headers: Headers,
    body: Option<String>,
    outcome: Outcome,
}

enum Outcome {
    Allowed { access: Access, tokens: Option<Box<SessionTokens>> },
    Refused(Box<Error>),
}

impl Decision {
    pub(super) fn allow(vary: &Arc<str>, access: Access, headers: Headers) -> Self {
        let outcome = Outcome::Allowed { access, tokens: None };
        Self { status: 200, vary: Arc::clone(vary), headers, body: None, outcome }
    }

    pub(super) fn with_tokens(mut self, given: SessionTokens) -> Self {
        if let Outcome::Allowed { tokens, .. } = &mut self.outcome {
            *tokens = Some(Box::new(given));
        }
        self
    }

    pub(super) fn refuse(vary: &Arc<str>, error: Box<Error>, headers: Headers) -> Self {
        let kind = error.kind();
        Self {
            status: kind.http_status(),
            vary: Arc::clone(vary),
            headers,
            body: Some(problem::body(kind)),
            outcome: Outcome::Refused(error),
        }
    }

    /// Whether the application goes on.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self.outcome, Outcome::Allowed { .. })
    }

    /// The status: 200 if the application goes on, which then answers with its own; otherwise 400,
    /// 401, 403, 429, 431 or 503, and 500 for a defect of the program.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers of the answer: of a refusal all of them; otherwise those that are added to the
    /// application's own. `Vary` joins the application's, `Set-Cookie` comes several times.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        std::iter::once(("Vary", &*self.vary)).chain(self.headers.all())
    }

    /// The value of a header, the first if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body of a refusal: `application/problem+json`.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// Who calls, if the application goes on.
    #[must_use]
    pub fn access(&self) -> Option<&Access> {
        match &self.outcome {
            Outcome::Allowed { access, .. } => Some(access),
            Outcome::Refused(_) => None,
        }
    }

    /// [`Self::access`], or why not.
    ///
    /// # Errors
    /// The reason of the refusal, for the log: it says more than the answer does.
    pub fn into_access(self) -> Result<Access, Error> {
        match self.outcome {
            Outcome::Allowed { access, .. } => Ok(access),
            Outcome::Refused(error) => Err(*error),
        }
    }

    /// Why the caller was refused, for the log: it says more than the answer does.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match &self.outcome {
            Outcome::Allowed { .. } => None,
            Outcome::Refused(error) => Some(error),
        }
    }

    /// The session's new tokens, after [`Guard::log_in`](super::Guard::log_in) and
    /// [`Guard::refresh`](super::Guard::refresh); the cookies hold them already.
    #[must_use]
    pub fn tokens(&self) -> Option<&SessionTokens> {
        match &self.outcome {
            Outcome::Allowed { tokens, .. } => tokens.as_deref(),
            Outcome::Refused(_) => None,
        }
    }
}

/// The status and the names of the headers: values may be cookies.
impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Decision")
            .field("status", &self.status)
            .field("headers", &names)
            .field("error", &self.error())
            .finish_non_exhaustive()
    }
}

/// Headers of an answer, as they are gathered: names and values.
#[derive(Default)]
pub(super) struct Headers {
    own: Vec<(&'static str, Cow<'static, str>)>,
    rates: Rates,
}

impl Headers {
    /// What every refusal has.
    pub(super) fn of_refusal(error: &Error, challenge: Option<String>) -> Self {
        let mut own = Vec::with_capacity(5);
        own.push(("Cache-Control", "no-store".into()));
        if let Some(seconds) = error.retry_after_seconds() {
            own.push(("Retry-After", seconds.to_string().into()));
        }
        own.push(("Content-Type", problem::TYPE.into()));
        own.push(("X-Content-Type-Options", "nosniff".into()));
        own.extend(challenge.map(|challenge| ("WWW-Authenticate", challenge.into())));
        Self { own, rates: Rates::default() }
    }

    /// Cookies, with which no answer may be kept by a cache.
    pub(super) fn set_cookies(&mut self, values: Vec<String>) {
        if !self.own.iter().any(|(name, _)| *name == "Cache-Control") {
            self.own.push(("Cache-Control", "no-store".into()));
        }
        self.own.extend(values.into_iter().map(|value| ("Set-Cookie", value.into())));
    }

    /// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): what is left, and
    /// of what; times in whole seconds.
    pub(super) fn rates<'n>(&mut self, rates: impl Iterator<Item = (&'n str, RateLeft)> + Clone) {
        self.rates = Rates::of(rates);
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.own.iter().map(|(name, value)| (*name, &**value));
        own.chain(self.rates.headers())
    }
}

/// `RateLimit` and `RateLimit-Policy`: one text, that of the first up to here.
#[derive(Default)]
struct Rates(String, usize);

/// Room for the rate of a key and one limit.
const USUAL: usize = 192;

impl Rates {
    fn of<'n>(rates: impl Iterator<Item = (&'n str, RateLeft)> + Clone) -> Self {
        let mut text = String::new();
        for (name, RateLeft { remaining, reset_ms, .. }) in rates.clone() {
            let reset = reset_ms.div_ceil(1000);
            let comma = if text.is_empty() { "" } else { ", " };
            if text.is_empty() {
                text.reserve(USUAL);
            }
            add(&mut text, comma, name, (";r=", remaining.into()), (";t=", reset));
        }
        let end = text.len();
        let mut comma = "";
        for (name, RateLeft { rate, .. }) in rates {
            let (burst, period) = (rate.burst.into(), rate.period.into());
            add(&mut text, comma, name, (";q=", burst), (";w=", period));
            comma = ", ";
        }
        Self(text, end)
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let Self(text, end) = self;
        let parts = text.split_at_checked(*end).filter(|_| *end > 0);
        parts.into_iter().flat_map(|(left, policy)| [("RateLimit", left), ("RateLimit-Policy", policy)])
    }
}

/// Adds one of a list: `"name";one=1;other=2`.
fn add(text: &mut String, comma: &str, name: &str, one: (&str, u64), other: (&str, u64)) {
    for part in [comma, "\"", name, "\"", one.0] {
        text.push_str(part);
    }
    push_number(text, one.1);
    text.push_str(other.0);
    push_number(text, other.1);
}

/// A number in decimal, without the machinery of formats: it is on the way of each request.
fn push_number(text: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        first = at;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    text.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_by_format() {
        for number in [0, 1, 9, 10, 99, 100, 65_536, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut text = String::new();
            push_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
