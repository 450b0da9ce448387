//! `gatekey.Access`: who calls, by a `ResourceServer` or by a guard.

use crate::apikey_records::ApiKeyRecord;
use crate::decode;
use crate::options::shown_or_none;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Who calls, and what they may do: what a `ResourceServer` or a guard has found.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct Access(Found);

enum Found {
    Server(Box<gatekey::resource::Access>),
    Guard(Box<gatekey::guard::Access>),
}

impl Access {
    pub(crate) fn of_server(access: gatekey::resource::Access) -> Self {
        Self(Found::Server(Box::new(access)))
    }

    pub(crate) fn of_guard(access: gatekey::guard::Access) -> Self {
        Self(Found::Guard(Box::new(access)))
    }

    fn guard(&self) -> Option<&gatekey::guard::Access> {
        match &self.0 {
            Found::Server(_) => None,
            Found::Guard(access) => Some(access),
        }
    }
}

#[pymethods]
impl Access {
    /// What they presented: `api_key`, `session`, `jwt` or `opaque`; None of a caller that is not known.
    #[getter]
    fn kind(&self) -> Option<&'static str> {
        let kind = match &self.0 {
            Found::Server(access) => Some(access.kind),
            Found::Guard(access) => access.kind(),
        };
        kind.map(gatekey::guard::AccessKind::name)
    }

    /// Whether the caller is not known: of a route that is public, or where a credential is optional.
    #[getter]
    fn is_anonymous(&self) -> bool {
        self.guard().is_some_and(gatekey::guard::Access::is_anonymous)
    }

    /// What of the request proved it to a guard: `cookie`, `key` or `bearer`; else None.
    #[getter]
    fn proved_by(&self) -> Option<&'static str> {
        self.guard()?.proved_by().map(gatekey::guard::ProvedBy::name)
    }

    /// Who says so: a token's `iss`, or the server that was asked; None for an API key. Subjects are names of this
    /// issuer's.
    #[getter]
    fn issuer(&self) -> Option<&str> {
        match &self.0 {
            Found::Server(access) => access.issuer.as_deref(),
            Found::Guard(access) => access.issuer(),
        }
    }

    /// The tenant: an API key's own, or that of a token's claim (`tenant_claim`); or None. Owners are names of this tenant's.
    #[getter]
    fn tenant(&self) -> Option<&str> {
        match &self.0 {
            Found::Server(access) => access.tenant.as_deref(),
            Found::Guard(access) => access.tenant(),
        }
    }

    /// Who it is: a token's `sub`, an API key's owner, or None.
    #[getter]
    fn subject(&self) -> Option<&str> {
        match &self.0 {
            Found::Server(access) => access.subject.as_deref(),
            Found::Guard(access) => access.subject(),
        }
    }

    /// What acts for them: a token's `client_id`, an API key's id, or None.
    #[getter]
    fn client_id(&self) -> Option<&str> {
        match &self.0 {
            Found::Server(access) => access.client_id.as_deref(),
            Found::Guard(access) => access.client_id(),
        }
    }

    /// What was granted.
    #[getter]
    fn scopes(&self) -> Vec<&str> {
        self.granted().iter().map(String::as_str).collect()
    }

    /// Whether this scope was granted.
    fn has_scope(&self, scope: &str) -> bool {
        self.granted().iter().any(|granted| granted == scope)
    }

    /// Until when, in seconds since 1970, or None.
    #[getter]
    fn expires_at(&self) -> Option<u64> {
        match &self.0 {
            Found::Server(access) => access.expires_at,
            Found::Guard(access) => access.expires_at(),
        }
    }

    /// The token's claims, or the server's answer, as a new dict; empty for an API key.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let json = match &self.0 {
            Found::Server(access) => &access.claims_json,
            Found::Guard(access) => access.claims_json(),
        };
        decode::object(py, json.as_bytes())
    }

    /// The API key that a guard has accepted, with its name, meta and rate; else None.
    #[getter]
    fn key(&self) -> Option<ApiKeyRecord> {
        self.guard()?.key().map(|grant| ApiKeyRecord::of_grant(grant.clone()))
    }

    /// The id of the session, of the access token of one of a guard's own; else None.
    #[getter]
    fn session(&self) -> Option<&str> {
        self.guard()?.session()
    }

    /// The second credential of a demand for a pair; else None.
    #[getter]
    fn other(&self) -> Option<Self> {
        self.guard()?.other().map(|other| Self::of_guard(other.clone()))
    }

    /// The caller's address as a guard knows it, past the proxies that it trusts; else None.
    #[getter]
    fn address(&self) -> Option<String> {
        self.guard()?.address().map(|address| address.to_string())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let subject = shown_or_none(py, self.subject());
        let kind = self.kind().unwrap_or("nothing");
        format!("<gatekey.Access of {subject} by {kind}>")
    }
}

impl Access {
    fn granted(&self) -> &[String] {
        match &self.0 {
            Found::Server(access) => &access.scopes,
            Found::Guard(access) => access.scopes(),
        }
    }
}
