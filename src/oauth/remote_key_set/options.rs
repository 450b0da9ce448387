//! How an issuer's keys are fetched, and for how long they are believed.

use crate::base::clock::{Clock, SystemClock};
use crate::base::json::fields;
use crate::base::text::argument;
use crate::error::{Error, Result};
use crate::jwk::Alg;
use crate::oauth::config::OAuthConfig;
use std::fmt;
use std::sync::Arc;

/// How an issuer's keys are fetched and for how long they are believed.
#[derive(Clone)]
#[must_use]
pub struct RemoteKeySetOptions {
    pub(super) url: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) metadata_url: Option<String>,
    pub(super) ttl: u64,
    pub(super) min_ttl: u64,
    pub(super) max_ttl: u64,
    pub(super) cooldown: u64,
    pub(super) max_stale: u64,
    pub(super) rsa_alg: Alg,
    pub(super) allow_loopback_http: bool,
    pub(super) deadline_ms: u64,
    pub(super) clock: Arc<dyn Clock>,
}

impl Default for RemoteKeySetOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RemoteKeySetOptions {
    /// An hour unless the issuer says otherwise, from a minute to a day; a look for new keys every
    /// 30 seconds at the most, and after failures after one second, two and so on; a day without
    /// hearing of the issuer.
    pub fn new() -> Self {
        Self {
            url: None,
            issuer: None,
            metadata_url: None,
            ttl: 3600,
            min_ttl: 60,
            max_ttl: 86_400,
            cooldown: 30,
            max_stale: 86_400,
            rsa_alg: Alg::Rs256,
            allow_loopback_http: false,
            deadline_ms: 10_000,
            clock: Arc::new(SystemClock),
        }
    }

    /// Takes over the members of options in JSON: any of `url`, `issuer`, `metadata_url`, `ttl`,
    /// `min_ttl`, `max_ttl`, `cooldown`, `max_stale` (seconds), `rsa_alg`, `allow_loopback_http`
    /// and `deadline_ms`. They override what was set before, and later calls override them.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is no JSON object of at most 64 KiB, or a member is not known or
    /// has a wrong type; the error's claim names it.
    pub fn json(mut self, text: &[u8]) -> Result<Self> {
        fields::read(text, fields::MOST, |field| {
            match field.name() {
                "url" => self.url = Some(field.text()?),
                "issuer" => self.issuer = Some(field.text()?),
                "metadata_url" => self.metadata_url = Some(field.text()?),
                "ttl" => self.ttl = field.number()?,
                "min_ttl" => self.min_ttl = field.number()?,
                "max_ttl" => self.max_ttl = field.number()?,
                "cooldown" => self.cooldown = field.number()?,
                "max_stale" => self.max_stale = field.number()?,
                "deadline_ms" => self.deadline_ms = field.number()?,
                "rsa_alg" => self.rsa_alg = field.named(Alg::from_name)?,
                "allow_loopback_http" => self.allow_loopback_http = field.flag()?,
                _ => return Err(field.unknown()),
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// Where the keys are, for [`RemoteKeySet::open`].
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Whose keys they are, for [`RemoteKeySet::open`]: the issuer's metadata say where they are.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Where the issuer's metadata are, if they are at none of the places that its address leads
    /// to. They must still name the [`issuer`](Self::issuer), byte by byte.
    pub fn metadata_url(mut self, url: impl Into<String>) -> Self {
        self.metadata_url = Some(url.into());
        self
    }

    /// For how many seconds keys are fresh if the issuer's `Cache-Control` does not say.
    pub const fn ttl(mut self, seconds: u64) -> Self {
        self.ttl = seconds;
        self
    }

    /// The least and the most of what `Cache-Control: max-age` may say, in seconds.
    pub const fn ttl_between(mut self, least: u64, most: u64) -> Self {
        (self.min_ttl, self.max_ttl) = (least, most);
        self
    }

    /// A token of an unknown key makes the keys be fetched again, once in this many seconds. What
    /// has failed is tried again after a second, then after twice as long each time, up to this
    /// many seconds.
    pub const fn cooldown(mut self, seconds: u64) -> Self {
        self.cooldown = seconds;
        self
    }

    /// For how many seconds after their last fetch keys are used although the issuer is out of
    /// reach.
    pub const fn max_stale(mut self, seconds: u64) -> Self {
        self.max_stale = seconds;
        self
    }

    /// The algorithm of RSA keys that name none; RS256 unless set.
    pub const fn rsa_alg(mut self, alg: Alg) -> Self {
        self.rsa_alg = alg;
        self
    }

    /// Allows plain `http` to this very machine, for tests.
    pub const fn allow_loopback_http(mut self, allow: bool) -> Self {
        self.allow_loopback_http = allow;
        self
    }

    /// How many milliseconds each request may take in all; 10,000 unless set.
    pub const fn deadline_ms(mut self, milliseconds: u64) -> Self {
        self.deadline_ms = milliseconds;
        self
    }

    /// The source of the time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let a_year = 366 * 86_400;
        let too_long = [
            ("max_ttl", self.max_ttl > a_year, FRESH),
            ("min_ttl", self.min_ttl == 0 || self.min_ttl > self.max_ttl, FRESH),
            ("max_stale", self.max_stale > a_year, KEPT),
            ("cooldown", self.cooldown > 86_400, KEPT),
        ];
        match too_long.into_iter().find(|(_, wrong, _)| *wrong) {
            Some((member, _, error)) => Err(error.about_claim(member)),
            None => Ok(()),
        }
    }

    pub(in crate::oauth) fn of(config: &OAuthConfig) -> Self {
        let rsa = config.id_token_algs.iter().find(|alg| alg.name().starts_with(['R', 'P']));
        Self::new()
            .rsa_alg(rsa.copied().unwrap_or(Alg::Rs256))
            .allow_loopback_http(config.allow_loopback_http)
            .deadline_ms(config.deadline_ms)
            .clock(Arc::clone(&config.clock))
    }
}

impl fmt::Debug for RemoteKeySetOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySetOptions")
            .field("ttl", &self.ttl)
            .field("cooldown", &self.cooldown)
            .field("max_stale", &self.max_stale)
            .finish_non_exhaustive()
    }
}

const FRESH: Error = argument("Keys are fresh for at least a second and at most a year.");
const KEPT: Error = argument("Keys are kept for at most a year, and looked for at least daily.");
