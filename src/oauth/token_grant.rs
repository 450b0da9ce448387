//! `TokenGrant`: the scopes, resources (RFC 8707) and further parameters of a request to an
//! authorization server.

use super::client::{NOT_A_SCOPE, is_scope};
use super::config::check_parameters;
use crate::base::json::fields::{self, Field};
use crate::base::text::argument;
use crate::error::{Error, Result};

/// What a token is asked for, or what a request for one says as well.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TokenGrant {
    pub(super) scopes: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
}

impl TokenGrant {
    /// No scope in particular.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a grant: one JSON object with any of `scopes`, `resources` and `parameters`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is malformed, or a member is unknown or has a wrong type.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        Self::new().json(text)
    }

    /// Takes over the members of a grant in JSON. Its scopes override those that were set before,
    /// its resources and parameters come behind them.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn json(mut self, text: &[u8]) -> Result<Self> {
        fields::read(text, fields::MOST, |field| self.member(field))?;
        Ok(self)
    }

    pub(super) fn member(&mut self, field: &Field<'_>) -> Result<()> {
        match field.name() {
            "scopes" => self.scopes = field.texts()?,
            "resources" => {
                let resources = field.texts()?.into_iter();
                self.parameters.extend(resources.map(|resource| ("resource".to_owned(), resource)));
            }
            "parameters" => self.parameters.extend(field.pairs()?),
            _ => return Err(field.unknown()),
        }
        Ok(())
    }

    /// The scopes to ask for.
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// An API that the token is for (RFC 8707).
    pub fn resource(self, resource: impl Into<String>) -> Self {
        self.parameter("resource", resource)
    }

    /// A parameter of the server's own, for example Auth0's `audience`.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        self.check_beside(|_| false)
    }

    /// [`Self::check`], and that no parameter is among those that the request has in any case.
    pub(super) fn check_beside(&self, is_sent: impl Fn(&str) -> bool) -> Result<()> {
        const OWN: [&str; 14] = [
            "grant_type",
            "client_id",
            "client_secret",
            "client_assertion",
            "client_assertion_type",
            "scope",
            "refresh_token",
            "device_code",
            "subject_token",
            "assertion",
            "code",
            "redirect_uri",
            "code_verifier",
            "token",
        ];
        if self.scopes.iter().any(|scope| !is_scope(scope)) {
            return Err(NOT_A_SCOPE.about_claim("scopes"));
        }
        let is_own = |name: &str| OWN.contains(&name) || is_sent(name);
        check_parameters(&self.parameters, 2048, |name| is_own(name).then_some(OVERRIDDEN))
    }

    /// The APIs that the token is for.
    pub(super) fn resources(&self) -> Vec<String> {
        let named = self.parameters.iter().filter(|(name, _)| name == "resource");
        named.map(|(_, url)| url.clone()).collect()
    }

    /// What is sent for it, with its scopes as `scope` has them.
    pub(super) fn pairs<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let scope = Some(("scope", scope)).filter(|_| !scope.is_empty());
        scope.into_iter().chain(self.parameters.iter().map(|(name, value)| (&**name, &**value)))
    }
}

const OVERRIDDEN: Error = argument("A grant sets this parameter itself; it cannot be overridden.");
