//! What one log-in asks for: the parameters of an authorization request (RFC 6749 section 4.1.1,
//! OpenID Connect Core section 3.1.2.1, RFC 8707) that the caller may choose.

use super::client::{NOT_A_SCOPE, is_scope};
use super::config::{check_parameters, checked_text};
use super::return_to;
use crate::base::json::fields;
use crate::base::text::argument;
use crate::error::{Error, Result};

/// What one log-in asks for.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct LoginOptions {
    pub(super) scopes: Option<Vec<String>>,
    pub(super) return_to: String,
    pub(super) prompt: Option<String>,
    pub(super) login_hint: Option<String>,
    pub(super) acr_values: Option<String>,
    pub(super) max_age: Option<u64>,
    pub(super) resources: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
}

impl LoginOptions {
    /// The configuration's scopes, and back to `/`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads options: one JSON object with any of `scopes`, `return_to`, `prompt`, `login_hint`,
    /// `acr_values`, `max_age`, `resources` and `parameters`.
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is malformed, or a member is unknown or has a wrong type.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        Self::new().json(text)
    }

    /// Takes over the members of options in JSON. They override what was set before, and later
    /// calls override them.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn json(mut self, text: &[u8]) -> Result<Self> {
        fields::read(text, fields::MOST, |field| {
            match field.name() {
                "scopes" => self.scopes = Some(field.texts()?),
                "return_to" => self.return_to = field.text()?,
                "prompt" => self.prompt = Some(field.text()?),
                "login_hint" => self.login_hint = Some(field.text()?),
                "acr_values" => self.acr_values = Some(field.text()?),
                "max_age" => self.max_age = Some(field.number()?),
                "resources" => self.resources = field.texts()?,
                "parameters" => self.parameters = field.pairs()?,
                _ => return Err(field.unknown()),
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// The scopes to ask for, instead of the configuration's.
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }

    /// The page of this site to go to afterwards: a path of at most 2,048 bytes. Anything that
    /// could lead elsewhere becomes `/`.
    pub fn return_to(mut self, path: impl Into<String>) -> Self {
        self.return_to = path.into();
        self
    }

    /// `none`, `login`, `consent`, `select_account` (OpenID Connect Core section 3.1.2.1).
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// Who is probably going to sign in.
    pub fn login_hint(mut self, hint: impl Into<String>) -> Self {
        self.login_hint = Some(hint.into());
        self
    }

    /// How strongly the user is to sign in, the best first, separated by spaces.
    pub fn acr_values(mut self, values: impl Into<String>) -> Self {
        self.acr_values = Some(values.into());
        self
    }

    /// The user must have signed in within this many seconds; the ID token must prove it.
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// An API that the access token is for (RFC 8707).
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// A parameter of the provider's own, instead of the preset's of that name; none of those that
    /// protect the log-in.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }
}

impl LoginOptions {
    pub(super) fn check(&self) -> Result<()> {
        if self.scopes.iter().flatten().any(|scope| !is_scope(scope)) {
            return Err(NOT_A_SCOPE.about_claim("scopes"));
        }
        let texts = [
            ("prompt", self.prompt.as_slice()),
            ("login_hint", self.login_hint.as_slice()),
            ("acr_values", self.acr_values.as_slice()),
            ("resources", &self.resources),
        ];
        for (member, texts) in texts {
            for text in texts {
                checked_text(text, 1024).map_err(|error| error.about_claim(member))?;
            }
        }
        return_to::page(&self.return_to)?;
        let is_set = |name: &str| {
            name == "login_hint" && self.login_hint.is_some()
                || name == "acr_values" && self.acr_values.is_some()
        };
        check_parameters(&self.parameters, 1024, |name| match name {
            _ if OWN_PARAMETERS.contains(&name) => Some(OVERRIDDEN),
            _ => is_set(name).then_some(TWICE),
        })
    }
}

/// What a log-in is made of and protected by.
const OWN_PARAMETERS: [&str; 17] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "request",
    "request_uri",
    "max_age",
    "prompt",
    "client_assertion",
    "client_assertion_type",
];

const OVERRIDDEN: Error = argument("A log-in sets this parameter itself; it cannot be overridden.");
const TWICE: Error =
    argument("This parameter is given twice: by the option of its name, and among `parameters`.");
