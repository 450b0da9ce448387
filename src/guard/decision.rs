//! `Decision`: what is to be answered, whole: the status, headers and body of a refusal, or who
//! calls and what goes with the application's own answer.

use super::access::Access;
use super::problem;
use crate::apikey::RateLeft;
use crate::error::Error;
use crate::session::SessionTokens;
use crate::store::Rate;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroize as _;

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

/// Headers of an answer, as they are gathered: names and values. Cookies are wiped.
#[derive(Default)]
pub(super) struct Headers {
    own: Vec<(&'static str, Cow<'static, str>)>,
    rates: Rates,
}

impl Drop for Headers {
    fn drop(&mut self) {
        for (name, value) in &mut self.own {
            if *name == "Set-Cookie"
                && let Cow::Owned(value) = value
            {
                value.zeroize();
            }
        }
    }
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

    pub(super) fn rates<'n>(&mut self, rates: impl Iterator<Item = Rated<'n>>) {
        self.rates = Rates::of(rates);
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.own.iter().map(|(name, value)| (*name, &**value));
        own.chain(self.rates.headers())
    }
}

/// What is left of a rate or limit.
#[derive(Clone, Copy)]
pub(super) struct Rated<'n> {
    /// The name, in quotes.
    pub(super) name: &'n str,
    /// What `RateLimit-Policy` says of it, if that is known beforehand.
    pub(super) policy: Option<&'n str>,
    pub(super) left: RateLeft,
}

impl Rated<'_> {
    /// Of an API key.
    pub(super) const fn of_key(left: RateLeft) -> Self {
        Self { name: "\"key\"", policy: None, left }
    }
}

/// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): what is left, and of
/// what; times in whole seconds. One text, that of the first up to here.
#[derive(Default)]
struct Rates(String, usize);

/// Room for the rate of a key and one limit.
const USUAL: usize = 192;

impl Rates {
    fn of<'n>(mut rates: impl Iterator<Item = Rated<'n>>) -> Self {
        // Of a key and a limit at most, nearly always.
        let few = [rates.next(), rates.next()];
        let more: Vec<Rated<'n>> = rates.collect();
        let mut text = Vec::new();
        for Rated { name, left, .. } in few.iter().flatten().chain(&more) {
            if text.is_empty() {
                text.reserve(USUAL);
            } else {
                text.extend_from_slice(b", ");
            }
            text.extend_from_slice(name.as_bytes());
            push_number(&mut text, b";r=", left.remaining.into());
            push_number(&mut text, b";t=", left.reset_ms.div_ceil(1000));
        }
        let end = text.len();
        for Rated { name, policy, left } in few.iter().flatten().chain(&more) {
            if text.len() > end {
                text.extend_from_slice(b", ");
            }
            match policy {
                Some(policy) => text.extend_from_slice(policy.as_bytes()),
                None => push_policy(&mut text, name, left.rate),
            }
        }
        Self(String::from_utf8(text).unwrap_or_default(), end)
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let Self(text, end) = self;
        let parts = text.split_at_checked(*end).filter(|_| *end > 0);
        let named = |(left, policy)| [("RateLimit", left), ("RateLimit-Policy", policy)];
        parts.into_iter().flat_map(named)
    }
}

/// Adds what `RateLimit-Policy` says of a rate; the name is in quotes.
pub(super) fn push_policy(text: &mut Vec<u8>, name: &str, rate: Rate) {
    text.extend_from_slice(name.as_bytes());
    push_number(text, b";q=", rate.burst.into());
    push_number(text, b";w=", rate.period.into());
}

/// Adds a number in decimal, without the machinery of formats: it is on the way of each request.
fn push_number(text: &mut Vec<u8>, before: &[u8], mut number: u64) {
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
    text.extend_from_slice(before);
    text.extend_from_slice(digits.get(first..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_by_format() {
        for number in [0, 1, 9, 10, 99, 100, 65_536, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut text = Vec::new();
            push_number(&mut text, b"=", number);
            assert_eq!(String::from_utf8(text).unwrap(), format!("={number}"));
        }
    }
}
