//! How a client proves who it is at the token endpoint and its neighbours (RFC 6749 section 2.3,
//! RFC 7523 section 2.2, RFC 8705, OpenID Connect Core section 9).

use super::config::{OAuthConfig, TOKEN};
use super::metadata::Metadata;
use crate::base::b64;
use crate::base::secret::Secret;
use crate::base::url::{Url, encode_into, is_unreserved};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::{Alg, Key};
use crate::jwt::{Claims, Signer, SignerBuilder};
use crate::transport::HttpRequest;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How a client authenticates itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// It does not: a public client, protected by PKCE alone.
    None,
    /// Id and secret, form-encoded, in an `Authorization: Basic` header (RFC 6749 section 2.3.1).
    SecretBasic,
    /// Id and secret in the body.
    SecretPost,
    /// A token of 60 seconds, signed with the secret (HS256).
    SecretJwt,
    /// A token of 60 seconds, signed with the client's private key (RFC 7523).
    PrivateKeyJwt,
    /// The client's certificate (RFC 8705), which the transport presents.
    Tls,
    /// A secret that the client signs itself (Apple), in the body.
    SignedSecret,
}

impl AuthMethod {
    /// The name in metadata (`token_endpoint_auth_method`, RFC 7591 section 2).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::SecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::Tls => "tls_client_auth",
            Self::SignedSecret => "signed_secret",
        }
    }

    /// The method of this name; `self_signed_tls_client_auth` is [`Self::Tls`] too.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the name is unknown.
    pub fn from_name(name: &str) -> Result<Self> {
        const ALL: [AuthMethod; 7] = [
            AuthMethod::None,
            AuthMethod::SecretBasic,
            AuthMethod::SecretPost,
            AuthMethod::SecretJwt,
            AuthMethod::PrivateKeyJwt,
            AuthMethod::Tls,
            AuthMethod::SignedSecret,
        ];
        if name == "self_signed_tls_client_auth" {
            return Ok(Self::Tls);
        }
        ALL.into_iter().find(|method| method.name() == name).ok_or(NO_SUCH_METHOD)
    }
}

/// Whom a client's assertion is for (RFC 7523 section 3): one name, never a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AssertionAudience {
    /// The issuer: what RFC 7523bis asks for.
    Issuer,
    /// The address of the issuer's token endpoint, for servers that take nothing else.
    TokenEndpoint,
}

impl AssertionAudience {
    /// `issuer` or `token_endpoint`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::TokenEndpoint => "token_endpoint",
        }
    }

    /// The audience of this name.
    ///
    /// # Errors
    /// `InvalidConfiguration`: the name is unknown.
    pub fn from_name(name: &str) -> Result<Self> {
        let all = [Self::Issuer, Self::TokenEndpoint];
        all.into_iter().find(|audience| audience.name() == name).ok_or(NO_SUCH_AUDIENCE)
    }
}

/// What a request is authenticated with: parameters for its body, and perhaps a header.
#[derive(Default)]
pub(super) struct Proof {
    pub(super) parameters: Vec<(&'static str, Secret)>,
    header: Option<Secret>,
}

impl Proof {
    /// What stands in the header behind the scheme.
    pub(super) fn credential(&self) -> Option<Secret> {
        let (_, credential) = self.header.as_ref()?.expose_str().split_once(' ')?;
        Some(Secret::new(credential.as_bytes().to_vec()))
    }

    pub(super) fn attach(self, request: HttpRequest) -> HttpRequest {
        match self.header {
            Some(value) => request.header("authorization", value),
            None => request,
        }
    }
}

/// The keys that a client signs its proofs with, parsed once.
pub(super) struct Authenticator {
    method: Option<AuthMethod>,
    signer: Option<Key>,
}

impl Authenticator {
    /// # Errors
    /// `InvalidConfiguration`: the method needs what the client does not have. `WeakKey`: a secret
    /// that signs has fewer than 32 bytes.
    pub(super) fn new(config: &OAuthConfig) -> Result<Self> {
        let lacking = || LACKING.about_claim("token_endpoint_auth_method");
        let needs = |fine: bool| if fine { Ok(()) } else { Err(lacking()) };
        let mut signer = None;
        match config.method {
            None if config.key.is_some() => signer.clone_from(&config.key),
            None | Some(AuthMethod::None | AuthMethod::Tls) => {}
            Some(AuthMethod::SecretBasic | AuthMethod::SecretPost) => {
                needs(config.secret.is_some())?;
            }
            Some(AuthMethod::SecretJwt) => {
                let secret = config.secret.as_ref().ok_or_else(lacking)?;
                signer = Some(Key::from_secret(secret.expose(), Alg::Hs256)?);
            }
            Some(AuthMethod::PrivateKeyJwt) => {
                signer = Some(config.key.clone().ok_or_else(lacking)?);
            }
            Some(AuthMethod::SignedSecret) => {
                needs(config.quirks.signed_secret.is_some())?;
                signer = Some(config.key.clone().ok_or_else(lacking)?);
            }
        }
        if let Some(key) = &signer
            && !key.may_sign()
        {
            return Err(lacking());
        }
        if !config.assertion_headers.is_empty() {
            let key = signer.as_ref();
            let key = key.ok_or_else(|| NO_ASSERTION.about_claim("assertion_headers"))?;
            signer_of(key, config).build()?;
        }
        Ok(Self { method: config.method, signer })
    }

    /// The method, with the help of what the server says it knows.
    fn method(&self, config: &OAuthConfig, offered: &[String]) -> AuthMethod {
        let offers = |method: AuthMethod| offered.iter().any(|name| name == method.name());
        match self.method {
            Some(method) => method,
            None if self.signer.is_some() => AuthMethod::PrivateKeyJwt,
            None if config.secret.is_none() => AuthMethod::None,
            None if !offered.is_empty()
                && !offers(AuthMethod::SecretBasic)
                && offers(AuthMethod::SecretPost) =>
            {
                AuthMethod::SecretPost
            }
            None => AuthMethod::SecretBasic,
        }
    }

    /// A proof for one request to this address of the server of these metadata.
    pub(super) fn prove(
        &self,
        config: &OAuthConfig,
        metadata: &Metadata,
        url: &str,
    ) -> Result<Proof> {
        let id = Secret::from(config.client_id.clone());
        let secret = || config.secret.clone().ok_or(LACKING);
        let mut proof = Proof::default();
        let method = self.method(config, &metadata.auth_methods);
        if method != AuthMethod::SecretBasic {
            proof.parameters.push(("client_id", id));
        }
        match method {
            AuthMethod::None | AuthMethod::Tls => {}
            AuthMethod::SecretBasic => {
                proof.header = Some(basic(&config.client_id, secret()?.expose_str()));
            }
            AuthMethod::SecretPost => proof.parameters.push(("client_secret", secret()?)),
            AuthMethod::SecretJwt | AuthMethod::PrivateKeyJwt => {
                let audience = match config.assertion_audience {
                    AssertionAudience::Issuer => &metadata.issuer,
                    AssertionAudience::TokenEndpoint => {
                        let endpoint = metadata.endpoint(config, TOKEN)?;
                        is_at_home(config, endpoint, url)?;
                        endpoint
                    }
                };
                let token = self.assertion(config, audience)?;
                proof.parameters.push((
                    "client_assertion_type",
                    Secret::from(
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
                    ),
                ));
                proof.parameters.push(("client_assertion", token));
            }
            AuthMethod::SignedSecret => {
                proof.parameters.push(("client_secret", self.signed_secret(config)?));
            }
        }
        Ok(proof)
    }

    /// What may be wrong with the way in which this client proves itself, if the server of these
    /// metadata refuses it.
    #[cold]
    pub(super) fn remedy(&self, config: &OAuthConfig, metadata: &Metadata) -> Option<&'static str> {
        let offered = &metadata.auth_methods;
        let method = match self.method(config, offered) {
            AuthMethod::SignedSecret => AuthMethod::SecretPost, // as the server sees it
            method => method,
        };
        let is_offered =
            |name: &String| AuthMethod::from_name(name).is_ok_and(|offer| offer == method);
        if !offered.is_empty() && !offered.iter().any(is_offered) {
            return Some(NOT_OFFERED);
        }
        let secret = config.secret.as_ref().map_or("", Secret::expose_str);
        let is_encoded = !config.client_id.bytes().chain(secret.bytes()).all(is_unreserved);
        (method == AuthMethod::SecretBasic && is_encoded).then_some(ENCODED)
    }

    /// A token for this one request, with one audience: the issuer, unless the client is registered
    /// where only its token endpoint is taken. One that named another endpoint could be used there
    /// by the server that had us sent there.
    fn assertion(&self, config: &OAuthConfig, audience: &str) -> Result<Secret> {
        let key = self.signer.as_ref().ok_or(LACKING)?;
        let id = &config.client_id;
        let claims = Claims::new().issuer(id).subject(id).audience(audience);
        sign(config, signer_of(key, config), &claims, 60)
    }

    fn signed_secret(&self, config: &OAuthConfig) -> Result<Secret> {
        let key = self.signer.as_ref().ok_or(LACKING)?;
        let (team, audience) = config.quirks.signed_secret.as_ref().ok_or(LACKING)?;
        let claims = Claims::new().issuer(team).subject(&config.client_id).audience(audience);
        sign(config, Signer::builder(key), &claims, 300)
    }
}

/// A token of this many seconds, with an id of its own.
fn sign(config: &OAuthConfig, signer: SignerBuilder, claims: &Claims, ttl: u64) -> Result<Secret> {
    let (clock, random) = (Arc::clone(&config.clock), Arc::clone(&config.random));
    let signer = signer.ttl(ttl).clock(clock).random(random).build()?;
    Ok(Secret::from(signer.sign(claims)?))
}

/// A signer of assertions: its key, and the header members of the configuration.
fn signer_of(key: &Key, config: &OAuthConfig) -> SignerBuilder {
    // A secret has no name that the server would know.
    let signer = Signer::builder(key).kid(!key.is_symmetric());
    let headers = config.assertion_headers.iter();
    headers.fold(signer, |signer, (name, json)| signer.header(name, json.as_str()))
}

/// `Basic`: the id and the secret are form-encoded first (RFC 6749 section 2.3.1), or a colon in
/// them would be read as the one between them.
fn basic(id: &str, secret: &str) -> Secret {
    let mut pair = String::with_capacity(3 * (id.len() + secret.len()) + 1);
    encode_into(id, &mut pair);
    pair.push(':');
    encode_into(secret, &mut pair);
    let pair = Secret::from(pair);
    let pair = Zeroizing::new(b64::encode_padded(pair.expose()));
    let mut header = String::with_capacity(6 + pair.len());
    header.extend(["Basic ", pair.as_str()]);
    Secret::from(header)
}

const NO_SUCH_METHOD: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The client's `auth_method` is one of client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, \
     tls_client_auth and none.",
);
const NO_SUCH_AUDIENCE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The audience of a client's assertion is `issuer` or `token_endpoint`.",
);
const NOT_OFFERED: &str = "The server does not accept this client, whose `auth_method` is not among those that its metadata \
     list (`token_endpoint_auth_methods_supported`); use one of them.";
const ENCODED: &str = "The server does not accept this client. Basic encodes characters of its id or secret (RFC 6749 \
     section 2.3.1), which some servers do not decode: try the `auth_method` `client_secret_post`.";
/// That a token for the token endpoint goes to that endpoint's server alone, unless the
/// configuration names the endpoint: a server whose metadata name the token endpoint of another one
/// would be sent what is good there.
fn is_at_home(config: &OAuthConfig, endpoint: &str, url: &str) -> Result<()> {
    let is_configured = config.endpoints.get(TOKEN).is_some();
    if is_configured || Url::parse(endpoint)?.origin.eq_ignore_ascii_case(Url::parse(url)?.origin) {
        return Ok(());
    }
    Err(ELSEWHERE.about_claim(TOKEN))
}

const ELSEWHERE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The server's token endpoint is at another host than this endpoint; with `assertion_audience` configure it yourself.",
);
const NO_ASSERTION: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "Header members are for the tokens by which a client proves who it is; this one has no key to sign them with.",
);
const LACKING: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The client's `auth_method` needs a `client_secret` or a `private_key`, and none is given; a public client's is `none`.",
);
