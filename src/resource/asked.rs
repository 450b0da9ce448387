//! Tokens that only the authorization server understands: asked about once for all who present
//! them, remembered for a short while under a digest, never for longer than they are good.

use super::memory::{Entry, Memory};
use crate::base::clock::{Clock, plausible};
use crate::base::hex;
use crate::base::json::fields::Field;
use crate::base::reach::may_ask;
use crate::base::secret::Secret;
use crate::crypto::hash::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::oauth::{Introspection, OAuthClient, TokenGrant};
use crate::transport::{Io, Operation, Told, Transport, ask_elsewhere, told};
use std::sync::Arc;

/// The longest token that is asked about, in bytes.
const LONGEST: usize = 16 * 1024;
/// For how long an answer may be remembered, in seconds.
const LONGEST_TTL: u64 = 3600;
/// For how long another caller's question is waited for before it is asked again, in milliseconds.
const PATIENCE: u64 = 600_000;

/// For how long the answers of an authorization server are remembered.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct IntrospectionOptions {
    ttl: u64,
    negative_ttl: u64,
    wants_audience: bool,
    unknown_tokens: u32,
}

impl Default for IntrospectionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl IntrospectionOptions {
    /// 30 seconds for a token that is good, 10 for one that is not: so late is the end of a token
    /// noticed.
    pub const fn new() -> Self {
        Self { ttl: 30, negative_ttl: 10, wants_audience: true, unknown_tokens: 100 }
    }

    pub(super) fn member(&mut self, field: &Field<'_>) -> Result<()> {
        *self = match field.name() {
            "ttl" => self.ttl(field.number()?),
            "negative_ttl" => self.negative_ttl(field.number()?),
            "unknown_tokens" => self.unknown_tokens(
                u32::try_from(field.number()?).map_err(|_| field.refused(TOO_LARGE))?,
            ),
            "require_audience" => self.require_audience(field.flag()?),
            _ => return Err(field.unknown()),
        };
        Ok(())
    }

    /// For how many seconds a good token is not asked about again; 0 asks each time. More than an
    /// hour is refused when the door is built.
    pub const fn ttl(mut self, seconds: u64) -> Self {
        self.ttl = seconds;
        self
    }

    /// For how many seconds one that is not good is not; at most an hour.
    pub const fn negative_ttl(mut self, seconds: u64) -> Self {
        self.negative_ttl = seconds;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        for (name, seconds) in [("ttl", self.ttl), ("negative_ttl", self.negative_ttl)] {
            if seconds > LONGEST_TTL {
                return Err(LONG_TTL.about_claim(name));
            }
        }
        Ok(())
    }

    /// Whether a token is refused whose audience the server does not tell: yes, unless this says
    /// no. A server that names no audiences lets every token of its own into every API that asks
    /// it.
    pub const fn require_audience(mut self, required: bool) -> Self {
        self.wants_audience = required;
        self
    }

    /// How many tokens that the server does not know, or has not told about yet, it is asked about
    /// at once; a tenth of it again each second. 100 unless set, 0 for any number. Beyond that such
    /// tokens are answered `OauthServerFailed`; those that are or were known to be good are not.
    pub const fn unknown_tokens(mut self, most: u32) -> Self {
        self.unknown_tokens = most;
        self
    }
}

#[derive(Clone)]
pub(super) struct Asked(Arc<Inner>);

struct Inner {
    client: OAuthClient,
    transport: Arc<dyn Transport>,
    options: IntrospectionOptions,
    clock: Arc<dyn Clock>,
    memory: Memory,
}

impl Asked {
    pub(super) fn new(
        client: OAuthClient,
        transport: Arc<dyn Transport>,
        options: IntrospectionOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let memory = Memory::new(options.unknown_tokens);
        Self(Arc::new(Inner { client, transport, options, clock, memory }))
    }

    pub(super) fn wants_audience(&self) -> bool {
        self.0.options.wants_audience
    }

    /// Who the server is, where its client knows.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.0.client.issuer()
    }

    /// What the server says about a token.
    pub(super) fn about(&self, token: &Secret) -> Result<Arc<Introspection>> {
        let inner = &self.0;
        let is_plain = token.expose().iter().all(|b| matches!(b, b'!'..=b'~'));
        if token.expose().len() > LONGEST || !is_plain {
            return Err(NOT_A_TOKEN);
        }
        let digest = sha256(token.expose());
        let entry = inner.memory.entry(&digest, inner.clock.monotonic());
        if let Some(known) = inner.known(&entry) {
            return known;
        }
        let (own, token) = (Arc::clone(inner), token.clone());
        let question = Operation::new(|io| async move { own.about(&io, &entry, &token).await });
        if may_ask() {
            return question.run(&*inner.transport);
        }
        let about = format!("token {:p} {}", Arc::as_ptr(inner), hex::encode(&digest));
        if let Some(answer) = told::<Arc<Introspection>>(&about) {
            return inner.unless_ended(Arc::clone(&answer));
        }
        let name = about.clone();
        ask_elsewhere(|| (about, question.map(|answer| Told::new(name, answer))))?;
        Err(ErrorKind::Internal.into())
    }
}

impl Inner {
    fn known(&self, entry: &Entry) -> Option<Result<Arc<Introspection>>> {
        Some(entry.at_once(self.clock.monotonic())?.and_then(|known| self.unless_ended(known)))
    }

    fn unless_ended(&self, known: Arc<Introspection>) -> Result<Arc<Introspection>> {
        match known.expires_at {
            Some(end) if plausible(self.clock.now())? >= end => {
                Err(ErrorKind::TokenInactive.into())
            }
            _ => Ok(known),
        }
    }

    /// Asks; one caller for all, unless each is to ask.
    async fn about(&self, io: &Io, entry: &Entry, token: &Secret) -> Result<Arc<Introspection>> {
        if self.options.ttl == 0 {
            return self.ask(io, entry, token).await;
        }
        let (known, ask) = (|| self.known(entry), || self.ask(io, entry, token));
        entry.flight.once(io, PATIENCE, known, || None, ask).await
    }

    async fn ask(&self, io: &Io, entry: &Entry, token: &Secret) -> Result<Arc<Introspection>> {
        let question = self.memory.ask(entry, self.clock.monotonic())?;
        let hint = TokenGrant::new().parameter("token_type_hint", "access_token");
        match self.client.introspect_with(token, &hint)?.within(io).await {
            Ok(answer) => {
                let ttl = if answer.active { self.options.ttl } else { self.options.negative_ttl };
                Ok(self.memory.answered(entry, question, Arc::new(answer), ttl))
            }
            Err(error) => Err(self.memory.failed(entry, error, self.clock.monotonic())),
        }
    }
}

const TOO_LARGE: Error =
    Error::new(ErrorKind::InvalidConfiguration, "It is a number from 0 to 4294967295.");
const LONG_TTL: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "What an introspection says is remembered for at most 3600 seconds: the end of a token is noticed that late.",
);
const NOT_A_TOKEN: Error = Error::new(
    ErrorKind::MalformedToken,
    "The token is too long, or has characters that no token has.",
);
