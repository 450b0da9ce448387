//! Tokens that only the authorization server understands: asked about once, remembered for a short while under a
//! digest, never for longer than they are good.

use crate::base::clock::{Clock, NANOS, plausible};
use crate::base::json::fields::Field;
use crate::base::process::OwnLock;
use crate::base::reach::beyond_memory;
use crate::base::secret::Secret;
use crate::crypto::hash::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::oauth::{Introspection, OAuthClient};
use crate::transport::Transport;
use std::collections::HashMap;
use std::sync::Arc;

/// The longest token that is asked about, in bytes.
const LONGEST: usize = 16 * 1024;
/// The tables that tokens are spread over, and the most answers in each.
const TABLES: usize = 16;
const MOST: usize = 1024;

/// For how long the answers of an authorization server are remembered.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct IntrospectionOptions {
    ttl: u64,
    negative_ttl: u64,
    wants_audience: bool,
}

impl Default for IntrospectionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl IntrospectionOptions {
    /// 30 seconds for a token that is good, 10 for one that is not: so late is the end of a token noticed.
    pub const fn new() -> Self {
        Self { ttl: 30, negative_ttl: 10, wants_audience: false }
    }

    pub(super) fn member(&mut self, field: &Field<'_>) -> Result<()> {
        *self = match field.name() {
            "ttl" => self.ttl(field.number()?),
            "negative_ttl" => self.negative_ttl(field.number()?),
            "require_audience" => self.require_audience(field.flag()?),
            _ => return Err(field.unknown()),
        };
        Ok(())
    }

    /// For how many seconds a good token is not asked about again; 0 asks each time. At most an hour.
    pub const fn ttl(mut self, seconds: u64) -> Self {
        self.ttl = if seconds > 3600 { 3600 } else { seconds };
        self
    }

    /// For how many seconds one that is not good is not; at most an hour.
    pub const fn negative_ttl(mut self, seconds: u64) -> Self {
        self.negative_ttl = if seconds > 3600 { 3600 } else { seconds };
        self
    }

    /// Refuses a token whose audience the server does not tell.
    pub const fn require_audience(mut self, required: bool) -> Self {
        self.wants_audience = required;
        self
    }
}

pub(super) struct Asked {
    client: OAuthClient,
    transport: Arc<dyn Transport>,
    options: IntrospectionOptions,
    clock: Arc<dyn Clock>,
    tables: [OwnLock<HashMap<[u8; 32], Known>>; TABLES],
}

struct Known {
    answer: Arc<Introspection>,
    /// In nanoseconds of the monotonic clock.
    until: u64,
}

impl Asked {
    pub(super) fn new(
        client: OAuthClient,
        transport: Arc<dyn Transport>,
        options: IntrospectionOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { client, transport, options, clock, tables: std::array::from_fn(|_| OwnLock::new()) }
    }

    pub(super) const fn wants_audience(&self) -> bool {
        self.options.wants_audience
    }

    /// What the server says about a token.
    pub(super) fn about(&self, token: &Secret) -> Result<Arc<Introspection>> {
        if token.expose().len() > LONGEST
            || !token.expose().iter().all(|b| matches!(b, b'!'..=b'~'))
        {
            return Err(NOT_A_TOKEN);
        }
        let digest = sha256(token.expose());
        let [first, ..] = digest;
        let table = self.tables.get(usize::from(first) % TABLES).ok_or(ErrorKind::Internal)?;
        let now = self.clock.monotonic();
        let known = table.locked(|table| {
            table
                .get(&digest)
                .filter(|known| now < known.until)
                .map(|known| Arc::clone(&known.answer))
        });
        if let Some(known) = known {
            let ended = match known.expires_at {
                Some(end) => plausible(self.clock.now())? >= end,
                None => false,
            };
            return if ended { Err(ErrorKind::TokenInactive.into()) } else { Ok(known) };
        }
        beyond_memory()?;
        // No lock is held while the server is asked.
        let answer = Arc::new(self.client.introspect(token).run(&*self.transport)?);
        let ttl = if answer.active { self.options.ttl } else { self.options.negative_ttl };
        if ttl > 0 {
            let until = now.saturating_add(ttl * NANOS);
            let kept = Known { answer: Arc::clone(&answer), until };
            table.locked(|table| {
                if table.len() >= MOST {
                    table.retain(|_, known| now < known.until);
                }
                // A flood of tokens gets no more room; they are just asked about.
                if table.len() < MOST {
                    table.insert(digest, kept);
                }
            });
        }
        Ok(answer)
    }
}

const NOT_A_TOKEN: Error =
    Error::new(ErrorKind::MalformedToken, "The token is too long, or holds what no token holds.");
