//! `Decision`: what is to be answered, whole: the status, headers and body of a refusal, or who
//! calls and what goes with the application's own answer.

use super::access::Access;
use super::problem;
use crate::apikey::RateLeft;
use crate::error::Error;
use crate::session::SessionTokens;
use std::fmt;
use std::sync::Arc;

/// What is to be answered. Owns all of it.
#[must_use]
pub struct Decision {
    status: u16,
    vary: Arc<str>,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    outcome: Outcome,
}

enum Outcome {
    Allowed { access: Box<Access>, tokens: Option<Box<SessionTokens>> },
    Refused(Box<Error>),
}

impl Decision {
    pub(super) fn allow(vary: &Arc<str>, access: Access, headers: Headers) -> Self {
        let outcome = Outcome::Allowed { access: Box::new(access), tokens: None };
        Self { status: 200, vary: Arc::clone(vary), headers: headers.0, body: None, outcome }
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
            headers: headers.0,
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
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        std::iter::once(("Vary", &*self.vary)).chain(own)
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
            Outcome::Allowed { access, .. } => Ok(*access),
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

/// Headers of an answer, as they are gathered.
#[derive(Default)]
pub(super) struct Headers(Vec<(&'static str, String)>);

impl Headers {
    /// What every refusal has.
    pub(super) fn of_refusal(error: &Error, challenge: Option<String>) -> Self {
        let mut headers = Self::default();
        for (name, value) in error.http_headers() {
            if name != "WWW-Authenticate" {
                headers.add(name, value);
            }
        }
        headers.add("Content-Type", problem::TYPE.to_owned());
        headers.add("X-Content-Type-Options", "nosniff".to_owned());
        if let Some(challenge) = challenge {
            headers.add("WWW-Authenticate", challenge);
        }
        headers
    }

    pub(super) fn add(&mut self, name: &'static str, value: String) {
        self.0.push((name, value));
    }

    /// Cookies, with which no answer may be kept by a cache.
    pub(super) fn set_cookies(&mut self, values: Vec<String>) {
        if !self.0.iter().any(|(name, _)| *name == "Cache-Control") {
            self.add("Cache-Control", "no-store".to_owned());
        }
        values.into_iter().for_each(|value| self.add("Set-Cookie", value));
    }

    /// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): what is left, and
    /// of what; times in whole seconds.
    pub(super) fn rates<'n>(&mut self, rates: impl Iterator<Item = (&'n str, RateLeft)>) {
        let (mut left, mut policy) = (String::new(), String::new());
        for (name, RateLeft { rate, remaining, reset_ms, .. }) in rates {
            let comma = if left.is_empty() { "" } else { ", " };
            let reset = reset_ms.div_ceil(1000);
            left.push_str(&format!("{comma}\"{name}\";r={remaining};t={reset}"));
            policy.push_str(&format!("{comma}\"{name}\";q={};w={}", rate.burst, rate.period));
        }
        if !left.is_empty() {
            self.add("RateLimit", left);
            self.add("RateLimit-Policy", policy);
        }
    }
}
