//! Who calls, what proved it, and what they may do.

use crate::apikey::Grant;
use crate::error::{ErrorKind, Result};
use crate::resource::{AccessKind, Proven};
use core::net::IpAddr;
use std::sync::Arc;

/// What of a request proved who calls. CSRF, caching and limits hang on this, and never on what is
/// merely there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProvedBy {
    /// A cookie, which browsers send with requests of other sites, too.
    Cookie,
    /// An API key, wherever it stood.
    Key,
    /// A token in `Authorization: Bearer`.
    Bearer,
}

impl ProvedBy {
    /// The name: `cookie`, `key`, `bearer`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Key => "key",
            Self::Bearer => "bearer",
        }
    }
}

/// Who calls, and what they may do. Of nobody ([`Self::is_anonymous`]) nothing is known but the
/// address. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Access {
    known: Option<Arc<Known>>,
    address: Option<IpAddr>,
}

/// A caller that is known.
#[derive(Debug)]
pub(super) struct Known {
    by: ProvedBy,
    proven: Proven,
    pub(super) other: Option<Access>,
}

impl Known {
    pub(super) fn new(by: ProvedBy, proven: Proven) -> Arc<Self> {
        Arc::new(Self { by, proven, other: None })
    }

    /// The same, with the second credential.
    pub(super) fn with_other(mut self: Arc<Self>, other: Access) -> Result<Arc<Self>> {
        Arc::get_mut(&mut self).ok_or(ErrorKind::Internal)?.other = Some(other);
        Ok(self)
    }

    pub(super) const fn by(&self) -> ProvedBy {
        self.by
    }

    pub(super) const fn proven(&self) -> &Proven {
        &self.proven
    }
}

impl Access {
    pub(super) const NOBODY: Self = Self { known: None, address: None };

    pub(super) const fn new(known: Option<Arc<Known>>, address: Option<IpAddr>) -> Self {
        Self { known, address }
    }

    /// Who it is, with what proved it.
    pub(super) fn known(&self) -> Option<&Known> {
        self.known.as_deref()
    }

    fn proven(&self) -> Option<&Proven> {
        self.known().map(Known::proven)
    }

    /// Whether nobody is known: the demand is public, or optional and there was no credential.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        self.known.is_none()
    }

    /// What kind of credential it was.
    #[must_use]
    pub fn kind(&self) -> Option<AccessKind> {
        self.proven().map(Proven::kind)
    }

    /// What proved the caller.
    #[must_use]
    pub fn proved_by(&self) -> Option<ProvedBy> {
        self.known().map(Known::by)
    }

    /// Who says so: a token's `iss`, or the server that was asked. Subjects are names of this
    /// issuer's: the same name at another one is another user. `None` for an API key, and for
    /// sessions whose tokens name none.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.proven()?.issuer()
    }

    /// Who it is: a token's `sub`, an API key's owner.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.proven()?.subject()
    }

    /// The tenant: an API key's own, or that of a token's claim.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.proven()?.tenant()
    }

    /// What acts for them: a token's client, an API key's id.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.proven()?.client_id()
    }

    /// What was granted. Made a list the first time; [`Self::has_scope`] needs none.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        self.proven().map_or(&[], Proven::scopes)
    }

    /// Whether a scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.proven().is_some_and(|proven| proven.has_scope(scope))
    }

    /// Until when, in seconds since the Unix epoch.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.proven()?.expires_at()
    }

    /// The token's claims, or the server's answer: the text of one JSON object. `{}` for an API key
    /// and for nobody.
    #[must_use]
    pub fn claims_json(&self) -> &str {
        self.proven().map_or("{}", Proven::claims_json)
    }

    /// The API key: its id, owner, tenant, and with [`Grant::record`] everything else.
    #[must_use]
    pub fn key(&self) -> Option<&Grant> {
        self.proven()?.grant()
    }

    /// The id of the session of our own.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.proven()?.session()
    }

    /// The second credential's, where the demand pairs two.
    #[must_use]
    pub fn other(&self) -> Option<&Self> {
        self.known()?.other.as_ref()
    }

    /// The caller's address, if it can be known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }
}
