//! The variables of a preset: what stands in the braces of its texts. Where a variable stands says
//! what it may be (an address, a host, one label of a host, one part of a path), so that no value
//! leads to another server than it seems to.

use super::config::{OAuthConfig, placeholders};
use crate::base::text::{argument, is_guid};
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};

/// What a variable may be, by the place where it stands.
#[derive(Clone, Copy)]
enum Form {
    /// The text begins with it: `https://sso.example`.
    Address,
    /// Behind `https://`, up to a slash: `acme.eu.auth0.com`.
    Host,
    /// Behind `https://`, up to the end: `acme.okta.com/oauth2/default`.
    Place,
    /// One label of a host: `acme` of `https://acme.ghe.com`.
    Label,
    /// One part of a path, or of a text that is no address.
    Part,
}

impl Form {
    /// By what is before the variable, and behind it, in an address or in another text.
    fn at(before: &str, after: &str, is_address: bool) -> Self {
        let is_in_host = before.strip_prefix("https://").is_some_and(|host| {
            host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-{}_".contains(&b))
        });
        match before {
            "" if is_address || !after.is_empty() => Self::Address,
            "https://" if after.is_empty() => Self::Place,
            "https://" if after.starts_with('/') => Self::Host,
            _ if is_in_host => Self::Label,
            _ => Self::Part,
        }
    }

    fn check(self, value: &str) -> Result<()> {
        let all =
            |other: &[u8]| value.bytes().all(|b| b.is_ascii_alphanumeric() || other.contains(&b));
        let fits = match self {
            Self::Address => is_address(value),
            Self::Host => !value.contains('/') && is_address(&format!("https://{value}")),
            Self::Place => is_address(&format!("https://{value}")),
            Self::Label => {
                (1..=63).contains(&value.len())
                    && all(b"-")
                    && !value.starts_with('-')
                    && !value.ends_with('-')
            }
            Self::Part => all(b"._-") && is_part(value),
        };
        if fits { Ok(()) } else { Err(argument(self.expected())) }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Address => {
                "This variable is an address with its scheme, such as https://sso.example."
            }
            Self::Host => "This variable is a host without its scheme, such as acme.example.",
            Self::Place => {
                "This variable is a host and its path, without the scheme, such as acme.example/default."
            }
            Self::Label => {
                "This variable is one label of a host, such as acme: letters, digits and hyphens."
            }
            Self::Part => "This variable is one part of a path: letters, digits and any of . _ -",
        }
    }
}

/// Whether this is an address without a query, whose path leads nowhere else.
fn is_address(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| url.query.is_none() && url.path.split('/').skip(1).all(is_part))
}

fn is_part(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
}

/// Puts the variables where a preset has placeholders. The slash that ends an address or a host is
/// left out: what follows brings its own.
///
/// # Errors
/// `InvalidArgument`, `InvalidConfiguration`: a value does not fit its place, a variable has none,
/// or one is missing; the error's claim names it (`variables.realm`).
pub(super) fn fill_in(config: &mut OAuthConfig) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
    let is_odd = |value: &str| value.is_empty() || !value.chars().all(is_plain);
    if let Some((name, _)) = config.variables.iter().find(|(_, value)| is_odd(value)) {
        return Err(about(UNPLAIN, name));
    }
    let variables = config.variables.clone();
    let known = config.preset_variables.clone();
    let texts = config.texts();
    let has_place = |name: &String| {
        known.contains(name) || texts.iter().any(|(text, _)| placeholders(text).contains(name))
    };
    if let Some((name, _)) = variables.iter().find(|(name, _)| !has_place(name)) {
        return Err(about(UNKNOWN, name));
    }
    for (text, is_address) in texts {
        for (name, value) in &variables {
            *text = filled(text, is_address, name, value).map_err(|error| about(error, name))?;
        }
        // The one placeholder that a token fills in.
        let missing = placeholders(text).into_iter().find(|name| name != "tenantid");
        if let Some(name) = missing {
            return Err(about(MISSING, &name));
        }
    }
    tenants(config, &variables)
}

/// A text with the value in the places of this variable.
fn filled(text: &str, is_address: bool, name: &str, value: &str) -> Result<String> {
    let place = format!("{{{name}}}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(&place) {
        out.push_str(before);
        let form = Form::at(&out, after, is_address);
        let value = match form {
            Form::Address | Form::Host | Form::Place => trimmed(value),
            Form::Label | Form::Part => value,
        };
        form.check(value)?;
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn trimmed(value: &str) -> &str {
    value.strip_suffix('/').unwrap_or(value)
}

/// Which tenants may sign in by the variable `tenant`, where issuers have tenants and none are
/// named.
fn tenants(config: &mut OAuthConfig, variables: &[(String, String)]) -> Result<()> {
    if config.quirks.issuer_template.is_none() || !config.tenants.is_empty() {
        return Ok(());
    }
    let tenant = variables.iter().find(|(name, _)| name == "tenant");
    match tenant.map_or("common", |(_, tenant)| tenant) {
        "common" | "organizations" => {}
        "consumers" => config.tenants.push(PERSONAL.to_owned()),
        tenant if is_guid(tenant) => config.tenants.push(tenant.to_owned()),
        _ => return Err(TENANT_BY_NAME),
    }
    Ok(())
}

impl OAuthConfig {
    /// Whether people without an organization may not sign in, although no tenant is named.
    pub(super) fn is_for_organizations(&self) -> bool {
        self.variables.iter().any(|(name, value)| name == "tenant" && value == "organizations")
    }
}

/// Entra's tenant of people without an organization.
pub(super) const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn about(error: Error, name: &str) -> Error {
    // What no known name has is left out.
    let shown = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64);
    error.about_named_claim(&format!("variables.{}", shown.collect::<String>()).into())
}

const UNPLAIN: Error = argument("A preset's variable is letters, digits and any of . _ : / -");
const UNKNOWN: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The preset has no place for this variable; look for a typo, or leave it out.",
);
const MISSING: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The preset needs a variable that is not given; the error names it.",
);
const TENANT_BY_NAME: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Name the tenant by its id, or name the ids of the allowed tenants: tokens do not carry its domain.",
);
