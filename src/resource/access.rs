//! What a call demands, and who it turns out to be.

use super::former::User;
use crate::apikey::CredentialPlace;
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::ClaimValues;
use core::net::IpAddr;

/// What one call demands of its caller.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Demand<'a> {
    /// Every one of these must have been granted.
    pub scopes: &'a [&'a str],
    /// At least one of these must have been granted; none for any.
    pub any_scopes: &'a [&'a str],
    /// One of these must be how the user signed in (`acr`, RFC 9470).
    pub acr_values: &'a [&'a str],
    /// The user must have signed in within this many seconds (`auth_time`, RFC 9470).
    pub max_age: Option<u64>,
    /// The token must be of the sign-in itself, and not of a refresh.
    pub(crate) fresh: bool,
    /// Claims, and the values that they must have.
    pub(crate) claims: Option<&'a ClaimValues>,
    /// Whom the program has looked up, for former tokens.
    pub(crate) user: Option<User<'a>>,
    /// The caller's address, for API keys with an allow-list.
    pub address: Option<IpAddr>,
    /// The tenant that the caller must belong to.
    pub tenant: Option<&'a str>,
    /// How many units of an API key's rate and credits the call takes; 1 unless set.
    pub cost: Option<u32>,
    /// Which credential decides, where a request may bring two.
    pub decided_by: Option<CredentialPlace>,
    /// The kinds of credentials that are taken; none for all.
    pub(crate) kinds: &'a [AccessKind],
}

impl<'a> Demand<'a> {
    /// Any caller that is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every one of these must have been granted.
    pub const fn scopes(mut self, scopes: &'a [&'a str]) -> Self {
        self.scopes = scopes;
        self
    }

    /// At least one of these must have been granted.
    pub const fn any_scopes(mut self, scopes: &'a [&'a str]) -> Self {
        self.any_scopes = scopes;
        self
    }

    /// How many units of an API key's rate and credits the call takes; 0 takes none.
    pub const fn cost(mut self, units: u32) -> Self {
        self.cost = Some(units);
        self
    }

    /// One of these must be how the user signed in.
    pub const fn acr_values(mut self, values: &'a [&'a str]) -> Self {
        self.acr_values = values;
        self
    }

    /// The user must have signed in within this many seconds.
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// The caller's address.
    pub const fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The tenant that the caller must belong to: an API key's own, or that of a token's claim
    /// ([`tenant_claim`](super::ResourceServerBuilder::tenant_claim)). A credential without a
    /// tenant belongs to none.
    pub const fn tenant(mut self, tenant: &'a str) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Lets a request bring a credential in both places and says which of them decides: that one
    /// must be there, it alone must meet this demand, and [`Access`] is about it. The other, if it
    /// is there, must be valid. Without this call a request has exactly one credential.
    pub const fn decided_by(mut self, place: CredentialPlace) -> Self {
        self.decided_by = Some(place);
        self
    }

    /// Whether a credential of this kind is taken.
    pub(super) fn takes(&self, kind: AccessKind) -> Result<()> {
        if self.kinds.is_empty() || self.kinds.contains(&kind) { Ok(()) } else { Err(OTHER_KIND) }
    }

    /// What is left of this for a credential that does not decide: that it is valid.
    pub(super) fn of_the_other(&self) -> Self {
        Self { address: self.address, cost: self.cost, ..Self::default() }
    }
}

/// What kind of credential let someone in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessKind {
    /// An access token that says everything itself (RFC 9068).
    Jwt,
    /// A token that the authorization server was asked about (RFC 7662).
    Opaque,
    /// An API key.
    ApiKey,
    /// The access token of a session of this service's own.
    Session,
}

impl AccessKind {
    /// The name: `jwt`, `opaque`, `api_key`, `session`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
            Self::ApiKey => "api_key",
            Self::Session => "session",
        }
    }
}

/// Who calls, and what they may do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Access {
    /// What they presented.
    pub kind: AccessKind,
    /// Who says so: a token's `iss`, or the server that was asked. Subjects are names of this
    /// issuer's: the same name at another one is another user. `None` for an API key.
    pub issuer: Option<String>,
    /// Who it is: a token's `sub`, an API key's owner.
    pub subject: Option<String>,
    /// The tenant: an API key's own, or that of a token's claim
    /// ([`tenant_claim`](super::ResourceServerBuilder::tenant_claim)). Owners are names of this
    /// tenant's.
    pub tenant: Option<String>,
    /// What acts for them: a token's `client_id` (`cid` and `appid` at some servers), an API key's
    /// id.
    pub client_id: Option<String>,
    /// What was granted.
    pub scopes: Vec<String>,
    /// Until when, in seconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// The token's claims, or the server's answer: the text of one JSON object. `{}` for an API
    /// key.
    pub claims_json: String,
}

impl Access {
    /// Whether a scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

const OTHER_KIND: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request brings a credential of a kind that the route does not take (`kinds`).",
);
