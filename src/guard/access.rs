//! Who calls, what proved it, and what they may do.

use crate::apikey::Grant;
use crate::resource::{self, AccessKind, Proven};
use core::net::IpAddr;

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
/// address.
#[derive(Clone, Debug)]
pub struct Access {
    pub(super) known: Option<Box<Known>>,
    pub(super) address: Option<IpAddr>,
}

/// A caller that is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    by: ProvedBy,
    access: resource::Access,
    grant: Option<Grant>,
    session: Option<String>,
    pub(super) other: Option<Access>,
}

impl Known {
    pub(super) fn new(by: ProvedBy, proven: Proven) -> Self {
        let Proven { access, grant, session } = proven;
        Self { by, access, grant, session, other: None }
    }

    pub(super) const fn by(&self) -> ProvedBy {
        self.by
    }

    pub(super) const fn access(&self) -> &resource::Access {
        &self.access
    }

    pub(super) const fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }
}

impl Access {
    fn known(&self) -> Option<&resource::Access> {
        self.known.as_ref().map(|known| &known.access)
    }

    /// Whether nobody is known: the demand is public, or optional and there was no credential.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        self.known.is_none()
    }

    /// What kind of credential it was.
    #[must_use]
    pub fn kind(&self) -> Option<AccessKind> {
        self.known().map(|known| known.kind)
    }

    /// What proved the caller.
    #[must_use]
    pub fn proved_by(&self) -> Option<ProvedBy> {
        self.known.as_ref().map(|known| known.by)
    }

    /// Who says so: a token's `iss`, or the server that was asked. Subjects are names of this
    /// issuer's: the same name at another one is another user. `None` for an API key, and for
    /// sessions whose tokens name none.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.known()?.issuer.as_deref()
    }

    /// Who it is: a token's `sub`, an API key's owner.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.known()?.subject.as_deref()
    }

    /// The tenant: an API key's own, or that of a token's claim.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.known()?.tenant.as_deref()
    }

    /// What acts for them: a token's client, an API key's id.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.known()?.client_id.as_deref()
    }

    /// What was granted.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        self.known().map_or(&[], |known| &known.scopes)
    }

    /// Whether a scope was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().iter().any(|granted| granted == scope)
    }

    /// Until when, in seconds since the Unix epoch.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.known()?.expires_at
    }

    /// The token's claims, or the server's answer: the text of one JSON object. `{}` for an API key
    /// and for nobody.
    #[must_use]
    pub fn claims_json(&self) -> &str {
        self.known().map_or("{}", |known| &known.claims_json)
    }

    /// The API key: its id, owner, tenant, and with [`Grant::record`] everything else.
    #[must_use]
    pub fn key(&self) -> Option<&Grant> {
        self.known.as_ref()?.grant.as_ref()
    }

    /// The id of the session of our own.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.known.as_ref()?.session.as_deref()
    }

    /// The second credential's, where the demand pairs two.
    #[must_use]
    pub fn other(&self) -> Option<&Self> {
        self.known.as_ref()?.other.as_ref()
    }

    /// The caller's address, if it can be known.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }
}
