//! Who calls, with what proved it: as it was found, and rendered when it is asked for.

use super::access::{Access, AccessKind};
use super::claims::{Granted, Text};
use crate::apikey::Grant;
use crate::base::process::enter;
use crate::jwt::Verified;
use crate::oauth::Introspection;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Who calls, with what proved it. Copies no text before somebody asks for one that was escaped.
#[derive(Clone)]
pub(crate) struct Proven {
    kind: AccessKind,
    proof: Proof,
    scopes: OnceLock<Vec<String>>,
}

#[derive(Clone)]
enum Proof {
    Key(Grant),
    Token(Token),
}

/// A token, of our own or another issuer's, that meets what was demanded.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) claims: Claims,
    pub(super) issuer: Option<Arc<str>>,
    pub(super) subject: Text,
    pub(super) tenant: Text,
    pub(super) client_id: Text,
    pub(super) session: Text,
    pub(super) scopes: Granted,
    pub(super) expires_at: Option<u64>,
}

/// Where the claims are.
#[derive(Clone)]
pub(super) enum Claims {
    Signed(Verified),
    Answered(Arc<Introspection>),
}

impl Claims {
    /// The text that places are places in.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Signed(verified) => verified.claims_json(),
            Self::Answered(answer) => &answer.claims_json,
        }
    }
}

impl Proven {
    pub(super) const fn by_key(grant: Grant) -> Self {
        Self { kind: AccessKind::ApiKey, proof: Proof::Key(grant), scopes: OnceLock::new() }
    }

    pub(super) const fn by_token(kind: AccessKind, token: Token) -> Self {
        Self { kind, proof: Proof::Token(token), scopes: OnceLock::new() }
    }

    pub(crate) const fn kind(&self) -> AccessKind {
        self.kind
    }

    const fn token(&self) -> Option<&Token> {
        match &self.proof {
            Proof::Key(_) => None,
            Proof::Token(token) => Some(token),
        }
    }

    fn said(&self, which: impl FnOnce(&Token) -> &Text) -> Option<&str> {
        let token = self.token()?;
        which(token).within(token.claims.text())
    }

    /// The API key, if it was one.
    pub(crate) const fn grant(&self) -> Option<&Grant> {
        match &self.proof {
            Proof::Key(grant) => Some(grant),
            Proof::Token(_) => None,
        }
    }

    /// The session, if it was the access token of one.
    pub(crate) fn session(&self) -> Option<&str> {
        self.said(|token| &token.session)
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        self.token()?.issuer.as_deref()
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        match &self.proof {
            Proof::Key(grant) => Some(grant.owner()),
            Proof::Token(_) => self.said(|token| &token.subject),
        }
    }

    pub(crate) fn tenant(&self) -> Option<&str> {
        match &self.proof {
            Proof::Key(grant) => Some(grant.tenant()).filter(|tenant| !tenant.is_empty()),
            Proof::Token(_) => self.said(|token| &token.tenant),
        }
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        match &self.proof {
            Proof::Key(grant) => Some(grant.key_id()),
            Proof::Token(_) => self.said(|token| &token.client_id),
        }
    }

    pub(crate) fn expires_at(&self) -> Option<u64> {
        match &self.proof {
            Proof::Key(grant) => grant.expires_at(),
            Proof::Token(token) => token.expires_at,
        }
    }

    /// What was granted. Rendered the first time.
    pub(crate) fn scopes(&self) -> &[String] {
        if let Some(scopes) = self.scopes.get() {
            return scopes;
        }
        let scopes = match &self.proof {
            Proof::Key(grant) => {
                let scopes = grant.scopes().split(' ').filter(|scope| !scope.is_empty());
                scopes.map(str::to_owned).collect()
            }
            Proof::Token(token) => token.scopes.all(token.claims.text()),
        };
        let _inside = enter(); // a cell that a fork copies half made would never be ready
        self.scopes.get_or_init(|| scopes)
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        match &self.proof {
            Proof::Key(grant) => {
                !scope.is_empty() && grant.scopes().split(' ').any(|granted| granted == scope)
            }
            Proof::Token(token) => token.scopes.has(token.claims.text(), scope),
        }
    }

    /// The text of one JSON object.
    pub(crate) fn claims_json(&self) -> &str {
        match &self.proof {
            Proof::Key(_) => "{}",
            Proof::Token(Token { claims: Claims::Signed(verified), .. }) => verified.claims().raw(),
            Proof::Token(Token { claims: Claims::Answered(answer), .. }) => {
                answer.claims_json.trim_matches([' ', '\t', '\n', '\r'])
            }
        }
    }

    /// All of it, as texts of its own.
    pub(super) fn access(self) -> Access {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Access {
            kind: self.kind,
            issuer: owned(self.issuer()),
            subject: owned(self.subject()),
            tenant: owned(self.tenant()),
            client_id: owned(self.client_id()),
            scopes: self.scopes().to_vec(),
            expires_at: self.expires_at(),
            claims_json: self.claims_json().to_owned(),
        }
    }
}

impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proven")
            .field("kind", &self.kind)
            .field("issuer", &self.issuer())
            .field("subject", &self.subject())
            .field("tenant", &self.tenant())
            .field("client_id", &self.client_id())
            .field("scopes", &self.scopes())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
