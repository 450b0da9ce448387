//! What an authorization server says about itself (RFC 8414, OpenID Connect Discovery 1.0). It is
//! believed only if it names the very issuer it was asked for, and the address that is used must be
//! no less safe than the issuer's own.

use super::answer::{self, REDIRECT};
use super::config::{Endpoints, JWKS, OAuthConfig, TOKEN};
use crate::base::json::{self, ObjectWriter, Value};
use crate::base::secret::Secret;
use crate::base::url::Url;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Alg;
use crate::transport::{HttpRequest, Io, Purpose};

/// The largest metadata document, in bytes.
const LARGEST: usize = 512 * 1024;

/// What is known of a server: from its metadata, from the configuration, or from both.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// Who it is: the issuer, or its token endpoint if it has no issuer.
    pub(super) issuer: String,
    /// As the documents have them: [`Self::endpoint`] checks the one that is used.
    endpoints: Endpoints,
    /// Whether it promises `iss` in every authorization response (RFC 9207).
    promises_iss: Option<bool>,
    pub(super) auth_methods: Vec<String>,
    pub(super) id_token_algs: Vec<Alg>,
    requires_pushed: Option<bool>,
    /// Whether it says that it knows PKCE with S256; `None` if it says nothing of PKCE.
    knows_s256: Option<bool>,
    /// Where more may be found.
    unasked: Vec<String>,
    /// The document that counts, with what later ones add to it; empty without any.
    document: String,
}

impl Metadata {
    /// What the configuration alone says.
    pub(super) fn configured(config: &OAuthConfig) -> Self {
        let endpoints = config.endpoints.clone();
        let issuer = config.issuer.as_deref().or_else(|| endpoints.get(TOKEN));
        Self {
            issuer: issuer.unwrap_or_default().to_owned(),
            endpoints,
            promises_iss: None,
            auth_methods: Vec::new(),
            id_token_algs: Vec::new(),
            requires_pushed: None,
            knows_s256: None,
            unasked: Vec::new(),
            document: String::new(),
        }
    }

    /// All of it as one JSON object, with the endpoints of the configuration in their places.
    pub(super) fn to_json(&self, config: &OAuthConfig) -> String {
        let mut out = ObjectWriter::new();
        let document = json::parse(self.document.as_bytes()).ok();
        let said = |name: &str| document.as_ref().is_some_and(|said| said.member(name).is_some());
        if let Some(issuer) = config.issuer.as_ref().filter(|_| !said("issuer")) {
            out.text("issuer", issuer);
        }
        let mut own = config.endpoints.clone();
        for (name, url) in own.each() {
            if let Some(url) = url {
                out.text(name, url);
            }
        }
        for (name, value) in document.iter().flat_map(Value::members) {
            let name = name.decode();
            if config.endpoints.get(&name).is_none() {
                out.raw(&name, value.raw());
            }
        }
        out.end()
    }

    /// An endpoint, which must be there and good; the error names it.
    pub(super) fn endpoint(&self, config: &OAuthConfig, name: &'static str) -> Result<&str> {
        let url = self.endpoints.get(name).ok_or_else(|| NO_ENDPOINT.about_claim(name))?;
        let checked = check_endpoint(url, config.allow_loopback_http);
        checked.map(|()| url).map_err(|error| error.about_claim(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.endpoints.get(name).is_some()
    }

    pub(super) fn promises_iss(&self) -> bool {
        self.promises_iss == Some(true)
    }

    pub(super) fn requires_pushed(&self) -> bool {
        self.requires_pushed == Some(true)
    }

    /// The algorithms that user info may be signed with.
    pub(super) fn userinfo_algs(&self) -> Vec<Alg> {
        let document = json::parse(self.document.as_bytes()).ok();
        let told = |said: Value<'_>| names(&said, "userinfo_signing_alg_values_supported");
        let told = document.map(told).unwrap_or_default();
        told.iter().filter_map(|name| Alg::from_name(name).ok()).collect()
    }

    /// `None`: nothing is said about it, as far as it was looked for.
    pub(super) const fn knows_s256(&self) -> Option<bool> {
        self.knows_s256
    }

    /// Whether there is a place where more may be found.
    pub(super) fn has_more(&self) -> bool {
        !self.unasked.is_empty()
    }

    /// Takes over what a document says and what was not known before.
    fn fill(&mut self, value: &Value<'_>) {
        self.document = completed(&self.document, value);
        for (name, place) in self.endpoints.each() {
            if place.is_none() {
                // What is no string is no address either, and is refused when it is used.
                let text = |url: Value<'_>| {
                    url.as_str().map_or_else(|| url.raw().to_owned(), std::borrow::Cow::into_owned)
                };
                *place = value.given(name).map(text);
            }
        }
        let flag = |name: &str| value.given(name).map(|flag| flag.as_bool() == Some(true));
        let promised = || flag("authorization_response_iss_parameter_supported");
        self.promises_iss = self.promises_iss.or_else(promised);
        let required = || flag("require_pushed_authorization_requests");
        self.requires_pushed = self.requires_pushed.or_else(required);
        if self.auth_methods.is_empty() {
            self.auth_methods = names(value, "token_endpoint_auth_methods_supported");
        }
        if self.id_token_algs.is_empty() {
            self.id_token_algs = names(value, "id_token_signing_alg_values_supported")
                .iter()
                .filter_map(|name| Alg::from_name(name).ok())
                .collect();
        }
        const METHODS: &str = "code_challenge_methods_supported";
        let s256 = || names(value, METHODS).iter().any(|name| name == "S256");
        self.knows_s256 = self.knows_s256.or_else(|| value.given(METHODS).map(|_| s256()));
    }
}

/// A document, and what another one says that it does not.
fn completed(document: &str, more: &Value<'_>) -> String {
    let Ok(known) = json::parse(document.as_bytes()) else { return more.raw().to_owned() };
    let mut out = ObjectWriter::new();
    let new = more.members().filter(|(name, _)| known.member(&name.decode()).is_none());
    for (name, value) in known.members().chain(new) {
        out.raw(&name.decode(), value.raw());
    }
    out.end()
}

/// Asks the issuer for its metadata, place after place until a document counts: an object that
/// names the very issuer.
pub(super) async fn discover(io: &Io, config: &OAuthConfig) -> Result<Metadata> {
    let issuer = config.issuer.as_deref().ok_or(NO_ENDPOINT)?;
    let places = match &config.metadata_url {
        Some(url) => vec![url.clone()],
        None => well_known(issuer, config.allow_loopback_http)?,
    };
    let (mut trouble, mut later): (Option<Error>, Vec<String>) = (None, Vec::new());
    for (at, place) in places.iter().enumerate() {
        match ask(io, config, place).await {
            Ok(text) => {
                let mut metadata = Metadata::configured(config);
                metadata.fill(&answer::parsed(&text)?);
                metadata.unasked = places.get(at + 1..).unwrap_or_default().to_vec();
                metadata.unasked.append(&mut later);
                return Ok(metadata);
            }
            Err(error) if ends_the_search(&error) => return Err(error),
            Err(error) => {
                if error.is_retryable() {
                    later.push(place.clone());
                }
                if trouble.as_ref().is_none_or(|before| tells(before) < tells(&error)) {
                    trouble = Some(error);
                }
            }
        }
    }
    Err(trouble.unwrap_or(NO_METADATA))
}

/// What else the issuer says at the next place: it fills gaps and replaces nothing.
///
/// # Errors
/// The place is out of reach now; it is then still to be asked.
pub(super) async fn more(io: &Io, config: &OAuthConfig, known: &Metadata) -> Result<Metadata> {
    let mut metadata = known.clone();
    if metadata.unasked.is_empty() {
        return Ok(metadata);
    }
    let place = metadata.unasked.remove(0);
    match ask(io, config, &place).await {
        Ok(text) => metadata.fill(&answer::parsed(&text)?),
        Err(error) if error.is_retryable() || ends_the_search(&error) => return Err(error),
        Err(_) => {}
    }
    Ok(metadata)
}

/// How much an error says of why there are no metadata: a place that has none says least.
fn tells(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::InvalidConfiguration if error.peer_message().is_some() => 3,
        _ if error.is_retryable() => 2,
        ErrorKind::OauthMalformedResponse if error.message() == NO_METADATA.message() => 0,
        _ => 1,
    }
}

/// Whether another place need not be tried: nothing listens there, or the server asks to be left
/// alone.
fn ends_the_search(error: &Error) -> bool {
    let is_answer = matches!(error.kind(), ErrorKind::RequestBlocked | ErrorKind::ResponseTooLarge);
    error.kind().number() >= 7000 && !is_answer || error.retry_after().is_some()
}

/// Where the issuer's keys are.
pub(super) async fn jwks_uri(io: &Io, config: &OAuthConfig) -> Result<String> {
    let mut metadata = discover(io, config).await?;
    while !metadata.has(JWKS) && metadata.has_more() {
        metadata = more(io, config, &metadata).await?;
    }
    metadata.endpoint(config, JWKS).map(str::to_owned)
}

/// The document at one place, if it counts.
async fn ask(io: &Io, config: &OAuthConfig, place: &str) -> Result<Secret> {
    let response = io.ask(request(config, place.to_owned())).await?;
    match response.status {
        200 => {}
        300..=399 => return Err(REDIRECT),
        408 | 429 | 500..=599 => return Err(answer::busy(&*config.clock, &response)),
        _ => return Err(NO_METADATA),
    }
    let said = answer::parsed(&response.body).map_err(|_| answer::unreadable(&response))?;
    let issuer = said.given("issuer");
    let found = issuer.and_then(|issuer| issuer.as_str()).unwrap_or_default();
    let configured = config.issuer.as_deref().unwrap_or_default();
    if found.is_empty() {
        return Err(NO_ISSUER.seeing("issuer", None));
    }
    if *found != *configured {
        let is_slash = found.trim_end_matches('/') == configured.trim_end_matches('/');
        let error = if is_slash { ANOTHER_SLASH } else { ANOTHER_ISSUER };
        return Err(error.comparing("issuer", &found, configured).said_by_peer("", &found));
    }
    Ok(response.body.clone())
}

/// Where an issuer's metadata may be. A path of the issuer stays in front for OpenID Connect, and
/// follows for RFC 8414 section 3.1, under either name (section 5).
pub(super) fn well_known(issuer: &str, allow_loopback_http: bool) -> Result<Vec<String>> {
    let is_open = issuer.starts_with("http://");
    let refused = |_| if is_open { OPEN_ISSUER } else { NOT_AN_ISSUER };
    let url = Url::checked(issuer, allow_loopback_http).map_err(refused)?;
    if url.query.is_some() {
        return Err(NOT_AN_ISSUER);
    }
    let path = url.path.strip_suffix('/').unwrap_or(url.path);
    let mut places = vec![
        format!("{}{path}/.well-known/openid-configuration", url.origin),
        format!("{}/.well-known/oauth-authorization-server{path}", url.origin),
    ];
    if !path.is_empty() {
        places.push(format!("{}/.well-known/openid-configuration{path}", url.origin));
    }
    Ok(places)
}

fn request(config: &OAuthConfig, url: String) -> HttpRequest {
    let mut request = HttpRequest::new("GET", url, Purpose::Metadata)
        .header("accept", "application/json".to_owned());
    request.max_body = LARGEST;
    request.deadline_ms = config.deadline_ms;
    request
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
const OPEN_ISSUER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "An issuer is an https address: over http, tokens and the client's secret can be read on the way. Put TLS in front of it; \
     `allow_loopback_http` is for this machine.",
);
/// Said of an issuer that has answered: trying again does not help.
const ANOTHER_ISSUER: Error = Error::new(
    ErrorKind::OauthIssuerMismatch,
    "The metadata name another issuer than the configuration.",
);
const ANOTHER_SLASH: Error = Error::new(
    ErrorKind::OauthIssuerMismatch,
    "The metadata name the issuer with another slash at the end; write it so.",
);
const NO_ISSUER: Error = Error::new(
    ErrorKind::OauthIssuerMismatch,
    "What is at the address of the issuer's metadata names no issuer; check the address.",
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
            let places = well_known(issuer, false).unwrap();
            assert_eq!(places[..2], [first, second], "{issuer}");
            let path = second.split_once("server").unwrap().1;
            let third = first.split_once(path).map_or("", |(host, _)| host).to_owned();
            let third = format!("{third}/.well-known/openid-configuration{path}");
            assert_eq!(places[2..], if path.is_empty() { vec![] } else { vec![third] }, "{issuer}");
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
