//! What an authorization server says about itself (RFC 8414, OpenID Connect Discovery 1.0). It is believed only if
//! it names the very issuer it was asked for, and none of its addresses is less safe than the issuer's own.

use super::answer::{self, MALFORMED, REDIRECT};
use super::config::{Endpoints, OAuthConfig};
use crate::base::json::{Kind, Value};
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Alg;
use crate::transport::{HttpRequest, HttpResponse, Io, Purpose};

/// The largest metadata document, in bytes.
const LARGEST: usize = 512 * 1024;

/// What is known of a server: from its metadata, from the configuration, or from both.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// Who it is: the issuer, or its token endpoint if it has no issuer.
    pub(super) issuer: String,
    pub(super) endpoints: Endpoints,
    /// Whether it promises `iss` in every authorization response (RFC 9207).
    pub(super) promises_iss: bool,
    pub(super) auth_methods: Vec<String>,
    pub(super) id_token_algs: Vec<Alg>,
    pub(super) requires_pushed: bool,
    /// Whether it says that it knows PKCE with S256.
    pub(super) knows_s256: bool,
}

impl Metadata {
    /// What the configuration alone says.
    pub(super) fn configured(config: &OAuthConfig) -> Self {
        let endpoints = config.endpoints.clone();
        let issuer = config.issuer.clone().or_else(|| endpoints.token.clone());
        Self {
            issuer: issuer.unwrap_or_default(),
            endpoints,
            promises_iss: false,
            auth_methods: Vec::new(),
            id_token_algs: Vec::new(),
            requires_pushed: false,
            knows_s256: false,
        }
    }

    /// An endpoint, which must be there.
    pub(super) fn need<'m>(
        &'m self,
        pick: impl Fn(&'m Endpoints) -> &'m Option<String>,
    ) -> Result<&'m str> {
        pick(&self.endpoints).as_deref().ok_or(NO_ENDPOINT)
    }
}

/// Asks the issuer for its metadata: as OpenID Connect has it, then as RFC 8414 has it.
pub(super) async fn discover(io: &Io, config: &OAuthConfig) -> Result<Metadata> {
    let issuer = config.issuer.as_deref().ok_or(NO_ENDPOINT)?;
    let [first, second] = well_known(issuer, config.allow_loopback_http)?;
    let mut response = io.ask(request(config, first)).await?;
    if (400..500).contains(&response.status) && response.status != 429 {
        response = io.ask(request(config, second)).await?;
    }
    read(config, issuer, &response)
}

/// Where an issuer's metadata may be. A path of the issuer stays in front for OpenID Connect, and follows for
/// RFC 8414 section 3.1.
pub(super) fn well_known(issuer: &str, allow_loopback_http: bool) -> Result<[String; 2]> {
    let url = Url::checked(issuer, allow_loopback_http).map_err(|_| NOT_AN_ISSUER)?;
    if url.query.is_some() {
        return Err(NOT_AN_ISSUER);
    }
    let path = url.path.strip_suffix('/').unwrap_or(url.path);
    Ok([
        format!("{}{path}/.well-known/openid-configuration", url.origin),
        format!("{}/.well-known/oauth-authorization-server{path}", url.origin),
    ])
}

fn request(config: &OAuthConfig, url: String) -> HttpRequest {
    let mut request = HttpRequest::new("GET", url, Purpose::Metadata)
        .header("accept", "application/json".to_owned());
    request.max_body = LARGEST;
    request.deadline_ms = config.deadline_ms;
    request
}

fn read(config: &OAuthConfig, issuer: &str, response: &HttpResponse) -> Result<Metadata> {
    match response.status {
        200 => {}
        300..=399 => return Err(REDIRECT),
        429 | 500..=599 => return Err(answer::busy(response)),
        _ => return Err(NO_METADATA),
    }
    let value = answer::parsed(&response.body)?;
    let text = |name: &str| value.member(name).and_then(|text| text.as_str());
    let flag = |name: &str| value.member(name).and_then(|flag| flag.as_bool()) == Some(true);
    if text("issuer").as_deref() != Some(issuer) {
        return Err(ANOTHER_ISSUER);
    }
    let mut metadata = Metadata::configured(config);
    for (name, place) in metadata.endpoints.each() {
        if place.is_some() {
            continue;
        }
        if let Some(url) = value.member(name).filter(|url| url.kind() != Kind::Null) {
            let url = url.as_str().ok_or(MALFORMED)?;
            check_endpoint(&url, config.allow_loopback_http)?;
            *place = Some(url.into_owned());
        }
    }
    metadata.promises_iss = flag("authorization_response_iss_parameter_supported");
    metadata.requires_pushed = flag("require_pushed_authorization_requests");
    metadata.auth_methods = names(&value, "token_endpoint_auth_methods_supported");
    metadata.id_token_algs = names(&value, "id_token_signing_alg_values_supported")
        .iter()
        .filter_map(|name| Alg::from_name(name).ok())
        .collect();
    metadata.knows_s256 =
        names(&value, "code_challenge_methods_supported").iter().any(|name| name == "S256");
    Ok(metadata)
}

/// Refuses addresses that are not `https`, or are not plainly an address.
pub(super) fn check_endpoint(url: &str, allow_loopback_http: bool) -> Result<()> {
    Url::checked(url, allow_loopback_http).map(|_| ()).map_err(|_| UNSAFE_ENDPOINT)
}

fn names(value: &Value<'_>, member: &str) -> Vec<String> {
    let list = value.member(member);
    let elements = list.iter().flat_map(Value::elements).take(64);
    elements.filter_map(|name| name.as_str().map(String::from)).collect()
}

const NOT_AN_ISSUER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An issuer is an https address without query and fragment (RFC 8414 section 2).",
);
const ANOTHER_ISSUER: Error = Error::new(
    ErrorKind::OauthIssuerMismatch,
    "The metadata name another issuer than the one configured; they must be the same, byte by byte.",
);
const UNSAFE_ENDPOINT: Error = Error::new(
    ErrorKind::RequestBlocked,
    "The authorization server names an endpoint that is not an https address; it is not used.",
);
const NO_METADATA: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The issuer has no metadata at its well-known addresses; check it, or configure the endpoints.",
);
pub(super) const NO_ENDPOINT: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The authorization server has no endpoint for this, as far as its metadata or the configuration say.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_addresses() {
        for (issuer, first, second) in [
            (
                "https://h",
                "https://h/.well-known/openid-configuration",
                "https://h/.well-known/oauth-authorization-server",
            ),
            (
                "https://h/",
                "https://h/.well-known/openid-configuration",
                "https://h/.well-known/oauth-authorization-server",
            ),
            (
                "https://h:1/a/b",
                "https://h:1/a/b/.well-known/openid-configuration",
                "https://h:1/.well-known/oauth-authorization-server/a/b",
            ),
            (
                "https://h/a/",
                "https://h/a/.well-known/openid-configuration",
                "https://h/.well-known/oauth-authorization-server/a",
            ),
        ] {
            assert_eq!(well_known(issuer, false).unwrap(), [first, second], "{issuer}");
        }
        for wrong in [
            "https://h?q",
            "https://h/a?q=1",
            "https://h/#f",
            "http://h",
            "http://127.0.0.1",
            "h",
            "",
        ] {
            assert_eq!(
                well_known(wrong, false).unwrap_err().kind(),
                ErrorKind::InvalidConfiguration,
                "{wrong}"
            );
        }
        assert!(well_known("http://127.0.0.1:9/api", true).is_ok());
    }
}
