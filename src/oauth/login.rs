//! Signing in: the authorization code flow (RFC 6749 section 4.1). Makes the PKCE verifier (RFC
//! 7636), `state` and `nonce` (OpenID Connect Core section 3.1); `login_cookie.rs` keeps them in a
//! sealed cookie. Checks the callback against them, and the issuer in it (RFC 9207).

use super::answer;
use super::client::{Inner, OAuthClient};
use super::config::{AUTHORIZATION, PUSHED, TOKEN, checked_text};
use super::id_token::algorithms;
use super::login_cookie::{Flow, MISMATCH};
use super::login_options::LoginOptions;
use super::metadata::Metadata;
use super::return_to;
use super::token_grant::TokenGrant;
use super::tokens::{self, OAuthTokens};
use crate::base::b64;
use crate::base::json::{self, Kind, ObjectWriter};
use crate::base::secret::Secret;
use crate::base::url;
use crate::crypto::hash::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Io, Operation, Purpose};
use std::fmt;

/// The longest callback that is read, in bytes.
const LONGEST_CALLBACK: usize = 16 * 1024;

/// A log-in that has begun.
#[derive(Clone)]
#[non_exhaustive]
pub struct BegunLogin {
    /// Where to send the browser.
    pub url: String,
    /// The `Set-Cookie` values that must go with it.
    pub set_cookies: Vec<String>,
}

impl BegunLogin {
    /// Both, as one JSON object: `url` and `set_cookies`.
    #[must_use]
    pub fn to_secret_json(&self) -> Secret {
        let mut out = ObjectWriter::new();
        out.text("url", &self.url);
        out.texts("set_cookies", &self.set_cookies);
        out.end_secret()
    }
}

/// Where the browser is sent, without what protects the log-in.
impl fmt::Debug for BegunLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split('?').next().unwrap_or_default();
        write!(f, "BegunLogin({place}, {} cookies)", self.set_cookies.len())
    }
}

/// A log-in that has succeeded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FinishedLogin {
    /// The tokens; the ID token is valid if it is there.
    pub tokens: OAuthTokens,
    /// Whose user signed in: subjects are names of their issuer's. The ID token's issuer; for a
    /// provider without one, its token endpoint.
    pub issuer: String,
    /// The ID token's `sub`: together with the issuer, who the user is. `None` without OpenID
    /// Connect; then [`OAuthClient::userinfo`] tells.
    pub subject: Option<String>,
    /// The ID token's `email`, where the provider says that it is the user's and proven. `None`
    /// without OpenID Connect; then [`OAuthClient::userinfo`] tells.
    pub verified_email: Option<String>,
    /// The ID token's claims: the text of one JSON object.
    pub claims_json: Option<String>,
    /// What Apple posts along the first time: the text of one JSON object with the user's name. Not
    /// signed.
    pub user_json: Option<String>,
    /// The page of this site to go to: a path.
    pub return_to: String,
    /// The `Set-Cookie` values that must go with the answer.
    pub set_cookies: Vec<String>,
}

impl FinishedLogin {
    /// All of it as one JSON object; the tokens are in `tokens`.
    #[must_use]
    pub fn to_secret_json(&self) -> Secret {
        let mut out = ObjectWriter::new();
        out.text("issuer", &self.issuer);
        out.optional("subject", self.subject.as_deref());
        out.optional("verified_email", self.verified_email.as_deref());
        out.raw("claims", self.claims_json.as_deref().unwrap_or("null"));
        out.raw("user", self.user_json.as_deref().unwrap_or("null"));
        out.text("return_to", &self.return_to);
        out.texts("set_cookies", &self.set_cookies);
        out.raw("tokens", self.tokens.to_secret_json().expose_str());
        out.end_secret()
    }
}

impl OAuthClient {
    /// Begins a log-in. `cookies` is the request's `Cookie` header, or empty: of the log-ins that
    /// it says have begun and not ended, the oldest beyond five are given up.
    ///
    /// # Errors
    /// `InvalidArgument`: a parameter is not acceptable. `InvalidConfiguration`: there is no
    /// redirect URI. Of the operation: those of a request (7000s, `OauthServerFailed`,
    /// `OauthMalformedResponse`), `OauthIssuerMismatch`, and `OauthRefused` from the endpoint of
    /// pushed requests.
    pub fn begin(&self, options: &LoginOptions, cookies: &str) -> Result<Operation<BegunLogin>> {
        let inner = &self.0;
        if inner.config.redirect_uri.is_none() {
            return Err(NO_REDIRECT_URI);
        }
        options.check()?;
        let (options, cookies) = (options.clone(), cookies.to_owned());
        Ok(self.operation(|inner, io| async move { inner.begin(&io, options, &cookies).await }))
    }

    /// Finishes a log-in. `callback` is the callback's address, its query, or the form that was
    /// posted; `cookies` the request's `Cookie` header. `state`, `iss` and errors are looked at
    /// before any request is made.
    ///
    /// # Errors
    /// `OauthStateMismatch`: the log-in was not begun here. `OauthIssuerMismatch`: the answer is
    /// from another server. `OauthAccessDenied`, `OauthInteractionRequired`, `OauthServerFailed`,
    /// `OauthRefused`: the server says so. Of the operation: `OauthInvalidGrant`,
    /// `OauthInvalidClient`, `OauthMalformedResponse`, `OauthNonceMismatch`, the 1000s for an ID
    /// token that is not valid, the 7000s.
    ///
    /// # Security
    /// Whatever the outcome, answer with the cookie of [`Self::end_login`] or `set_cookies`: a
    /// log-in is good once.
    pub fn finish(&self, callback: &str, cookies: &str) -> Result<Operation<FinishedLogin>> {
        self.finish_with(callback, cookies, &TokenGrant::new())
    }

    /// As [`Self::finish`], with more to say in the request for the tokens: resources out of those
    /// that [`Self::begin`] asked for, of which a single one is asked for in any case (RFC 8707
    /// section 2.2), scopes, and parameters of the server's own.
    ///
    /// # Errors
    /// As [`Self::finish`], and `InvalidArgument` for what is not acceptable; the error's claim
    /// names it.
    pub fn finish_with(
        &self,
        callback: &str,
        cookies: &str,
        grant: &TokenGrant,
    ) -> Result<Operation<FinishedLogin>> {
        grant.check()?;
        let grant = grant.clone();
        let callback = Callback::read(callback)?;
        let flow = self.0.open_flow(&callback.state, cookies)?;
        callback.check_issuer(&flow, &self.0.config.quirks.issuer_aliases)?;
        if let Some(code) = &callback.error {
            let message = callback.error_description.as_deref().unwrap_or_default();
            return Err(answer::error_named(&self.0.config.quirks, code, message));
        }
        let code = callback.code.ok_or(MALFORMED_CALLBACK)?;
        let set_cookies = vec![self.0.clear_flow(&callback.state)?];
        let id = b64::encode(&flow.state_hash);
        if let Some(replay) = &self.0.config.replay
            && !replay.seen_once(&flow.issuer, &id, flow.begun_at + super::login_cookie::TTL + 1)?
        {
            return Err(MISMATCH);
        }
        let user_json = callback.user;
        Ok(self.operation(|inner, io| async move {
            let return_to = flow.return_to.clone();
            let tokens = inner.exchange(&io, &code, &flow, &grant).await?;
            Ok(FinishedLogin {
                issuer: tokens.user_issuer(&inner.config.quirks),
                subject: tokens.subject.clone(),
                verified_email: tokens.verified_email.clone(),
                claims_json: tokens.claims_json.clone(),
                tokens,
                user_json,
                return_to,
                set_cookies,
            })
        }))
    }

    /// The `Set-Cookie` value that ends the log-in of a callback, to be sent whatever became of it;
    /// `None` if the callback names none.
    #[must_use]
    pub fn end_login(&self, callback: &str) -> Option<String> {
        let callback = Callback::read(callback).ok()?;
        self.0.clear_flow(&callback.state).ok()
    }
}

impl Inner {
    async fn begin(&self, io: &Io, options: LoginOptions, cookies: &str) -> Result<BegunLogin> {
        let wants_pkce = self.config.require_pkce;
        let is_enough = |metadata: &Metadata| {
            metadata.has(AUTHORIZATION) && !(wants_pkce && metadata.knows_s256().is_none())
        };
        let metadata = self.metadata_with(io, is_enough).await?;
        let authorization = metadata.endpoint(&self.config, AUTHORIZATION)?;
        let quirks = &self.config.quirks;
        if wants_pkce && metadata.knows_s256() != Some(true) {
            return Err(NO_PKCE);
        }
        let random = || {
            let mut bytes = [0; 32];
            self.config.random.fill(&mut bytes).map(|()| b64::encode(&bytes))
        };
        let scopes = options.scopes.unwrap_or_else(|| self.config.scopes.clone());
        let is_openid = scopes.iter().any(|scope| scope == "openid");
        if is_openid && !quirks.no_id_token {
            // Or the user would sign in for nothing.
            algorithms(&self.config, &metadata)?;
        }
        // The PKCE verifier: 43 characters of base64url (RFC 7636 section 4.1).
        let (state, verifier) = (random()?, Secret::from(random()?));
        let flow = Flow {
            state_hash: sha256(state.as_bytes()),
            nonce: (is_openid && !quirks.no_nonce).then(random).transpose()?,
            verifier: (!quirks.no_pkce).then_some(verifier),
            issuer: metadata.issuer.clone(),
            promises_iss: metadata.promises_iss(),
            redirect_uri: self.config.redirect_uri.clone().unwrap_or_default(),
            return_to: return_to::page(&options.return_to)?.to_owned(),
            scopes: scopes.clone(),
            resource: match options.resources.as_slice() {
                [one] => Some(one.clone()),
                _ => None,
            },
            max_age: options.max_age,
            begun_at: self.config.now()?,
        };
        let challenge =
            flow.verifier.as_ref().map(|verifier| b64::encode(&sha256(verifier.expose())));
        let (scope, max_age) =
            (self.join_scopes(&scopes), options.max_age.map(|age| age.to_string()));
        let mut parameters: Vec<(&str, &str)> = vec![
            ("response_type", "code"),
            ("client_id", &self.config.client_id),
            ("redirect_uri", &flow.redirect_uri),
            ("state", &state),
        ];
        let scope = Some(scope.as_str()).filter(|scope| !scope.is_empty());
        for (name, value) in [
            ("scope", scope),
            ("nonce", flow.nonce.as_deref()),
            ("code_challenge", challenge.as_deref()),
            ("code_challenge_method", challenge.as_ref().map(|_| "S256")),
            ("response_mode", quirks.response_mode.as_deref()),
            ("prompt", options.prompt.as_deref()),
            ("login_hint", options.login_hint.as_deref()),
            ("acr_values", options.acr_values.as_deref()),
            ("max_age", max_age.as_deref()),
        ] {
            parameters.extend(value.map(|value| (name, value)));
        }
        parameters.extend(options.resources.iter().map(|resource| ("resource", resource.as_str())));
        parameters.extend(options.parameters.iter().map(|(name, value)| (&**name, &**value)));
        // What else a preset says is said unless the log-in says otherwise.
        let is_said = |name: &str| parameters.iter().any(|(own, _)| *own == name);
        let more: Vec<_> = quirks.authorize.iter().filter(|(name, _)| !is_said(name)).collect();
        parameters.extend(more.into_iter().map(|(name, value)| (&**name, &**value)));
        let set_cookies = self.set_flow(&state, &flow, cookies)?;
        let wants_push = metadata.requires_pushed() || self.config.endpoints.get(PUSHED).is_some();
        let query = if wants_push && metadata.has(PUSHED) {
            let pushed = metadata.endpoint(&self.config, PUSHED)?;
            let request_uri = self.push(io, &metadata, pushed, &parameters).await?;
            url::form([("client_id", &*self.config.client_id), ("request_uri", &request_uri)])
        } else {
            url::form(parameters)
        };
        let joint = if authorization.contains('?') { '&' } else { '?' };
        Ok(BegunLogin { url: format!("{authorization}{joint}{query}"), set_cookies })
    }

    /// Deposits the request and gives its name (RFC 9126).
    async fn push(
        &self,
        io: &Io,
        metadata: &Metadata,
        url: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String> {
        let purpose = Purpose::PushedAuthorization;
        let response = self.post(io, metadata, url, purpose, parameters).await?;
        let text = answer::object(&self.config, &response)?;
        let name = answer::parsed(&text)?.member("request_uri").and_then(|uri| uri.as_str());
        let wrong = || answer::MALFORMED.about_claim("request_uri");
        let name = name.ok_or_else(wrong)?;
        checked_text(&name, 1024).map_err(|_| wrong())?;
        Ok(name.into_owned())
    }

    /// Exchanges the code, and validates the ID token.
    async fn exchange(
        &self,
        io: &Io,
        code: &Secret,
        flow: &Flow,
        grant: &TokenGrant,
    ) -> Result<OAuthTokens> {
        let (metadata, url) = self.endpoint(io, TOKEN).await?;
        // The server that the browser was sent to, whatever the configuration says by now.
        if metadata.issuer != flow.issuer {
            return Err(ErrorKind::OauthIssuerMismatch.into());
        }
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_str()),
            ("redirect_uri", &flow.redirect_uri),
        ];
        if let Some(verifier) = &flow.verifier {
            parameters.push(("code_verifier", verifier.expose_str()));
        }
        // Or the server would choose another one of those that it knows (RFC 8707 section 2.2).
        let mut resources = grant.resources();
        if let Some(resource) = flow.resource.as_ref().filter(|_| resources.is_empty()) {
            parameters.push(("resource", resource));
            resources.push(resource.clone());
        }
        let scope = self.join_scopes(&grant.scopes);
        parameters.extend(grant.pairs(&scope));
        let response = self.post(io, &metadata, &url, Purpose::Token, &parameters).await?;
        answer::mute_refusal(&response)?;
        let mut tokens = tokens::read(&self.config, &metadata.issuer, &response, &flow.scopes)?;
        drop(response);
        tokens.resources = resources;
        let wants_id_token = flow.scopes.iter().any(|scope| scope == "openid");
        if self.config.quirks.no_id_token || !wants_id_token {
            // Nothing was sent that it could be checked against.
            tokens.id_token = None;
            return Ok(tokens);
        }
        let expected = super::id_token::Expected {
            nonce: flow.nonce.as_deref(),
            code: Some(code),
            max_age: flow.max_age,
            subject: None,
        };
        self.validate(io, &metadata, &mut tokens, &expected).await?;
        Ok(tokens)
    }
}

/// What came back with the browser.
struct Callback {
    state: String,
    code: Option<Secret>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    user: Option<String>,
}

impl Callback {
    fn read(callback: &str) -> Result<Self> {
        if callback.len() > LONGEST_CALLBACK {
            return Err(MALFORMED_CALLBACK);
        }
        let query = query_of(callback).split('#').next().unwrap_or_default();
        // As it stands in the query; what other parameters hold does not matter here.
        let one = |name: &str| -> Result<Option<&str>> {
            let mut values = url::values(query, name);
            let value = values.next();
            if values.next().is_some() {
                return Err(if name == "state" { MISMATCH } else { MALFORMED_CALLBACK });
            }
            Ok(value)
        };
        let text = |name: &str| -> Result<Option<String>> {
            let text = |value| url::unescape(value).ok_or(MALFORMED_CALLBACK).map(String::from);
            one(name)?.map(text).transpose()
        };
        let given = |name: &str| text(name).map(|text| text.filter(|text| !text.is_empty()));
        let is_object = |text: &String| {
            json::parse(text.as_bytes()).is_ok_and(|value| value.kind() == Kind::Object)
        };
        Ok(Self {
            state: given("state")?.ok_or(MISMATCH)?,
            code: given("code")?.map(Secret::from),
            // One that is empty is there, and is another (RFC 9207 section 2.4).
            iss: one("iss")?.map(|iss| url::unescape(iss).unwrap_or_default().into_owned()),
            error: given("error")?,
            error_description: one("error_description")?.map(url::unescape_lossy),
            user: one("user")?.and_then(url::unescape).map(String::from).filter(is_object),
        })
    }

    /// The answer is from the server that was asked (RFC 9207 section 2.4); that it comes with an
    /// error is no excuse.
    fn check_issuer(&self, flow: &Flow, aliases: &[String]) -> Result<()> {
        match &self.iss {
            Some(iss) if *iss == flow.issuer || aliases.contains(iss) => Ok(()),
            None if !flow.promises_iss => Ok(()),
            None => Err(Error::from(ErrorKind::OauthIssuerMismatch).seeing("iss", None)),
            Some(iss) => {
                Err(Error::from(ErrorKind::OauthIssuerMismatch).comparing("iss", iss, &flow.issuer))
            }
        }
    }
}

/// The query of a callback's address; a form, or the query alone, is taken as it is. An address
/// begins with a slash, a scheme or the query itself; its path may hold `=`, and a form's values
/// may hold anything.
fn query_of(callback: &str) -> &str {
    let Some((address, query)) = callback.split_once('?') else { return callback };
    let begin = address.split(['=', '&']).next().unwrap_or_default();
    let is_address = begin.len() == address.len() || begin.starts_with('/') || begin.contains(":/");
    if is_address { query } else { callback }
}

const NO_REDIRECT_URI: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A log-in needs the redirect URI that the client is registered with.",
);
const NO_PKCE: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "PKCE is required, and the server's metadata do not say that it knows S256.",
);
const MALFORMED_CALLBACK: Error = Error::new(
    ErrorKind::OauthStateMismatch,
    "The callback is malformed: too long, a parameter that comes twice, or neither a code nor an error.",
);
