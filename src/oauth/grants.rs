//! Tokens without a browser: refreshing (RFC 6749 section 6), client credentials (section 4.4),
//! token exchange (RFC 8693), assertions (RFC 7523 section 2.1), and the flow for devices (RFC
//! 8628).

use super::answer::{self, MALFORMED};
use super::client::{Inner, OAuthClient};
use super::config::{DEVICE, TOKEN, checked_text};
use super::id_token::Expected;
use super::metadata::{Metadata, check_endpoint};
use super::rescue::new_refresh_token;
use super::token_grant::TokenGrant;
use super::tokens::{self, OAuthTokens};
use crate::base::json::fields;
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Io, Operation, Purpose};
use std::fmt;

/// The longest that a device's user is waited for, in seconds.
const LONGEST_WAIT: u64 = 3600;

/// Keeps tokens that a server has given, whatever becomes of the rest.
pub(super) type Keep = Box<dyn FnMut(&OAuthTokens) -> Result<()> + Send>;

/// A token that is exchanged for another (RFC 8693 section 2.1).
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenExchange {
    subject: (Secret, String),
    actor: Option<(Secret, String)>,
    requested: Option<String>,
    audience: Option<String>,
    grant: TokenGrant,
}

impl TokenExchange {
    /// The type of an access token.
    pub const ACCESS_TOKEN: &'static str = "urn:ietf:params:oauth:token-type:access_token";
    /// The type of an ID token.
    pub const ID_TOKEN: &'static str = "urn:ietf:params:oauth:token-type:id_token";
    /// The type of any JWT.
    pub const JWT: &'static str = "urn:ietf:params:oauth:token-type:jwt";

    /// On behalf of whom: a token and its type.
    pub fn new(subject_token: Secret, subject_token_type: impl Into<String>) -> Self {
        Self {
            subject: (subject_token, subject_token_type.into()),
            actor: None,
            requested: None,
            audience: None,
            grant: TokenGrant::new(),
        }
    }

    /// Reads an exchange: one JSON object with `subject_token`, `subject_token_type` and any of
    /// `actor_token`, `actor_token_type`, `requested_token_type`, `audience` and the members of
    /// [`TokenGrant::from_json`].
    ///
    /// # Errors
    /// `InvalidConfiguration`: it is malformed, or a member is missing, unknown or of a wrong type.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let exchange = Self::new(Secret::new(Vec::new()), Self::ACCESS_TOKEN).json(text)?;
        exchange.check()?;
        Ok(exchange)
    }

    /// Takes over the members of an exchange in JSON. They override what was set before, and later
    /// calls override them.
    ///
    /// # Errors
    /// As [`Self::from_json`], but the subject's token may be missing.
    pub fn json(mut self, text: &[u8]) -> Result<Self> {
        let (token, kind) = self.actor.take().unzip();
        let mut actor = (token, kind.unwrap_or_else(|| Self::ACCESS_TOKEN.to_owned()));
        fields::read(text, fields::MOST, |field| {
            match field.name() {
                "subject_token" => self.subject.0 = Secret::from(field.text()?),
                "subject_token_type" => self.subject.1 = field.text()?,
                "actor_token" => actor.0 = Some(Secret::from(field.text()?)),
                "actor_token_type" => actor.1 = field.text()?,
                "requested_token_type" => self.requested = Some(field.text()?),
                "audience" => self.audience = Some(field.text()?),
                _ => self.grant.member(field)?,
            }
            Ok(())
        })?;
        self.actor = actor.0.map(|token| (token, actor.1));
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        if self.subject.0.expose().is_empty() {
            return Err(fields::missing("subject_token"));
        }
        self.grant.check()
    }

    /// On behalf of whom, instead of what was given before.
    pub fn subject(mut self, token: Secret, token_type: impl Into<String>) -> Self {
        self.subject = (token, token_type.into());
        self
    }

    /// Who acts for them.
    pub fn actor(mut self, token: Secret, token_type: impl Into<String>) -> Self {
        self.actor = Some((token, token_type.into()));
        self
    }

    /// The type of token that is wanted.
    pub fn requested_type(mut self, token_type: impl Into<String>) -> Self {
        self.requested = Some(token_type.into());
        self
    }

    /// For whom the new token is.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Scopes, resources and further parameters.
    pub fn grant(mut self, grant: TokenGrant) -> Self {
        self.grant = grant;
        self
    }
}

/// What a device shows its user.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeviceCodes {
    /// What the user types in.
    pub user_code: String,
    /// Where: an `https` address.
    pub verification_uri: String,
    /// The same with the code in it, for a link or a picture.
    pub verification_uri_complete: Option<String>,
    /// When the codes expire, in seconds since the Unix epoch.
    pub expires_at: u64,
    /// Seconds between two questions.
    pub interval: u64,
    device_code: Secret,
    scopes: Vec<String>,
}

/// Where the user goes and until when.
impl fmt::Debug for DeviceCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceCodes({}, until {})", self.verification_uri, self.expires_at)
    }
}

impl OAuthClient {
    /// Gets new tokens for a refresh token. Where the answer brings no new refresh token, scopes or
    /// ID token, the old ones stay. Keep what it gives before you use it: the old refresh token may
    /// be dead by then. A [`TokenManager`](crate::oauth::TokenManager) does that, once for all
    /// threads and processes.
    ///
    /// # Errors
    /// `InvalidArgument`: there is no refresh token, or it is of another server. Of the operation:
    /// `OauthInvalidGrant`, which is final; `OauthServerFailed` and the 7000s, after which the
    /// refresh token is still the one to use; `OauthMalformedResponse` and the 1000s for an answer
    /// or an ID token that is not good. If the server had given a new refresh token by then,
    /// [`OAuthTokens::kept_in`] has it: keep that.
    pub fn refresh(&self, tokens: &OAuthTokens) -> Result<Operation<OAuthTokens>> {
        self.refresh_with(tokens, &TokenGrant::new())
    }

    /// As [`Self::refresh`], with more to say: scopes to ask for instead of all that were granted
    /// (RFC 6749 section 6), resources instead of those of the tokens, parameters of the server's
    /// own.
    ///
    /// # Errors
    /// As [`Self::refresh`], and `InvalidArgument` for what is not acceptable; the error's claim
    /// names it.
    pub fn refresh_with(
        &self,
        tokens: &OAuthTokens,
        grant: &TokenGrant,
    ) -> Result<Operation<OAuthTokens>> {
        grant.check()?;
        self.refresh_keeping(tokens, grant.clone(), Box::new(|_| Ok(())))
    }

    /// As [`Self::refresh`]; a new refresh token is handed to `keep` before anything is done that
    /// may take long or fail.
    pub(super) fn refresh_keeping(
        &self,
        tokens: &OAuthTokens,
        grant: TokenGrant,
        keep: Keep,
    ) -> Result<Operation<OAuthTokens>> {
        if tokens.refresh_token.is_none() {
            return Err(argument("There is no refresh token to get new tokens with."));
        }
        let old = tokens.clone();
        Ok(self.operation(|inner, io| async move { inner.refresh(&io, old, &grant, keep).await }))
    }

    /// Gets a token for the client itself (RFC 6749 section 4.4).
    ///
    /// # Errors
    /// `InvalidArgument`; of the operation: `OauthInvalidClient`, `OauthRefused`,
    /// `OauthServerFailed`, `OauthMalformedResponse`, the 7000s.
    pub fn client_credentials(&self, grant: &TokenGrant) -> Result<Operation<OAuthTokens>> {
        self.grant(grant, vec![("grant_type", Secret::from("client_credentials".to_owned()))])
    }

    /// Exchanges one token for another (RFC 8693).
    ///
    /// # Errors
    /// As [`Self::client_credentials`], and `OauthInvalidGrant`; `InvalidConfiguration` without a
    /// subject's token.
    pub fn token_exchange(&self, exchange: &TokenExchange) -> Result<Operation<OAuthTokens>> {
        exchange.check()?;
        let text = |text: &str| Secret::from(text.to_owned());
        let mut own = vec![
            ("grant_type", text("urn:ietf:params:oauth:grant-type:token-exchange")),
            ("subject_token", exchange.subject.0.clone()),
            ("subject_token_type", text(&exchange.subject.1)),
        ];
        if let Some((token, kind)) = &exchange.actor {
            own.extend([("actor_token", token.clone()), ("actor_token_type", text(kind))]);
        }
        own.extend(exchange.requested.as_deref().map(|kind| ("requested_token_type", text(kind))));
        own.extend(exchange.audience.as_deref().map(|audience| ("audience", text(audience))));
        self.grant(&exchange.grant, own)
    }

    /// Exchanges an assertion, a JWT that an issuer whom the server trusts has signed (RFC 7523
    /// section 2.1).
    ///
    /// # Errors
    /// As [`Self::client_credentials`], and `OauthInvalidGrant`.
    pub fn jwt_bearer(
        &self,
        assertion: Secret,
        grant: &TokenGrant,
    ) -> Result<Operation<OAuthTokens>> {
        let kind = Secret::from("urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned());
        self.grant(grant, vec![("grant_type", kind), ("assertion", assertion)])
    }

    fn grant(
        &self,
        grant: &TokenGrant,
        own: Vec<(&'static str, Secret)>,
    ) -> Result<Operation<OAuthTokens>> {
        grant.check_beside(|name| own.iter().any(|(sent, _)| *sent == name))?;
        let grant = grant.clone();
        Ok(self.operation(|inner, io| async move { inner.grant(&io, &grant, &own).await }))
    }

    /// Begins the flow for a device without a browser (RFC 8628 section 3.1): show the codes, then
    /// [`Self::poll`].
    ///
    /// # Errors
    /// `InvalidArgument`; of the operation: as [`Self::client_credentials`]; `RequestBlocked` if
    /// the address to show is not `https`.
    pub fn device_codes(&self, grant: &TokenGrant) -> Result<Operation<DeviceCodes>> {
        grant.check()?;
        let grant = grant.clone();
        Ok(self.operation(|inner, io| async move { inner.device_codes(&io, &grant).await }))
    }

    /// Asks until the user has said yes or no, as often as the server wants it (RFC 8628 section
    /// 3.4). An operation that is dropped is cancelled.
    ///
    /// # Errors
    /// Of the operation: `OauthAccessDenied`, `OauthDeviceExpired`, and those of a request that
    /// trying again does not correct.
    pub fn poll(&self, codes: &DeviceCodes) -> Operation<OAuthTokens> {
        let (codes, grant) = (codes.clone(), TokenGrant::new());
        self.operation(|inner, io| async move { inner.poll(&io, &codes, &grant).await })
    }

    /// As [`Self::poll`], with more to say in each question: resources and parameters of the
    /// server's own.
    ///
    /// # Errors
    /// `InvalidArgument`: something is not acceptable; the error's claim names it. Of the
    /// operation: as [`Self::poll`].
    pub fn poll_with(
        &self,
        codes: &DeviceCodes,
        grant: &TokenGrant,
    ) -> Result<Operation<OAuthTokens>> {
        grant.check()?;
        let (codes, grant) = (codes.clone(), grant.clone());
        Ok(self.operation(|inner, io| async move { inner.poll(&io, &codes, &grant).await }))
    }
}

impl Inner {
    async fn grant(
        &self,
        io: &Io,
        grant: &TokenGrant,
        own: &[(&'static str, Secret)],
    ) -> Result<OAuthTokens> {
        let (metadata, url) = self.endpoint(io, TOKEN).await?;
        let scope = self.join_scopes(&grant.scopes);
        let mut parameters: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (*name, value.expose_str())).collect();
        parameters.extend(grant.pairs(&scope));
        let response = self.post(io, &metadata, &url, Purpose::Token, &parameters).await?;
        let mut tokens = tokens::read(&self.config, &metadata.issuer, &response, &grant.scopes)?;
        // No user has signed in here; what it says about a user was not verified.
        tokens.id_token = None;
        tokens.resources = grant.resources();
        Ok(tokens)
    }

    pub(super) async fn refresh(
        &self,
        io: &Io,
        mut old: OAuthTokens,
        grant: &TokenGrant,
        mut keep: Keep,
    ) -> Result<OAuthTokens> {
        let (metadata, url) = self.endpoint(io, TOKEN).await?;
        if metadata.issuer != old.issuer {
            return Err(ANOTHER_SERVER);
        }
        let refresh_token = old.refresh_token.clone().ok_or(ErrorKind::OauthNoToken)?;
        let named = grant.resources();
        let kept = if named.is_empty() { &*old.resources } else { &[] };
        let asked = if grant.scopes.is_empty() { &old.scopes } else { &grant.scopes };
        let scope = self.join_scopes(&self.refresh_scopes(asked, !grant.scopes.is_empty()));
        let mut parameters =
            vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_str())];
        parameters.extend(kept.iter().map(|resource| ("resource", resource.as_str())));
        parameters.extend(grant.pairs(&scope));
        let response = self.post(io, &metadata, &url, Purpose::Token, &parameters).await?;
        let read = answer::mute_refusal(&response)
            .and_then(|()| tokens::read(&self.config, &metadata.issuer, &response, asked));
        if !named.is_empty() {
            old.resources = named;
        }
        // What is wrong with the rest of the answer, or is still to be asked, must not lose the
        // only good refresh token.
        let kept = new_refresh_token(&self.config, &response)
            .map(|new| OAuthTokens { refresh_token: Some(new), ..old.clone() });
        let is_done =
            read.as_ref().is_ok_and(|new| new.id_token.is_none() || old.subject.is_none());
        let saved = match &kept {
            Some(kept) if !is_done => keep(kept),
            _ => Ok(()),
        };
        let renewed = match saved.and(read) {
            Ok(new) => self.renewed(io, &metadata, new, old).await,
            Err(error) => Err(error),
        };
        let kept = kept.map(|kept| kept.to_secret_json());
        renewed.map_err(|error| error.keeping(kept.as_ref().map(Secret::expose)))
    }

    /// The scopes to refresh with: those that are wanted, or at some servers what was granted, and
    /// what their answers leave out (Entra).
    fn refresh_scopes(&self, asked: &[String], is_wanted: bool) -> Vec<String> {
        if !self.config.quirks.scope_on_refresh {
            return if is_wanted { asked.to_vec() } else { Vec::new() };
        }
        let more = self.config.quirks.refresh_scopes.iter();
        let more = more.filter(|scope| !asked.contains(scope));
        asked.iter().chain(more).cloned().collect()
    }

    /// The tokens of a refresh, with what it did not bring, and its ID token validated.
    async fn renewed(
        &self,
        io: &Io,
        metadata: &Metadata,
        mut new: OAuthTokens,
        mut old: OAuthTokens,
    ) -> Result<OAuthTokens> {
        new.resources = std::mem::take(&mut old.resources);
        if new.refresh_token.is_none() {
            new.refresh_token = old.refresh_token.take();
        }
        let subject = old.subject.as_deref().filter(|_| new.id_token.is_some());
        let is_validated = match subject {
            None => false,
            subject => {
                let expected = Expected { nonce: None, code: None, max_age: None, subject };
                match self.validate(io, metadata, &mut new, &expected).await {
                    Err(error) if !error.is_unavailable() => return Err(error),
                    validated => validated.is_ok(),
                }
            }
        };
        if !is_validated {
            keep_identity(&mut new, old);
        }
        Ok(new)
    }

    async fn device_codes(&self, io: &Io, grant: &TokenGrant) -> Result<DeviceCodes> {
        let (metadata, url) = self.endpoint(io, DEVICE).await?;
        let scopes = if grant.scopes.is_empty() { &self.config.scopes } else { &grant.scopes };
        let scope = self.join_scopes(scopes);
        let parameters: Vec<(&str, &str)> = grant.pairs(&scope).collect();
        let purpose = Purpose::DeviceAuthorization;
        let response = self.post(io, &metadata, &url, purpose, &parameters).await?;
        let text = answer::object(&self.config, &response)?;
        let value = answer::parsed(&text)?;
        let string = |name: &str| value.given(name).and_then(|text| text.as_str());
        let wrong = |name: &'static str| MALFORMED.about_claim(name);
        let code = |name: &'static str| {
            let text = string(name).ok_or_else(|| wrong(name))?;
            checked_text(&text, 1024).map(|()| text.into_owned()).map_err(|_| wrong(name))
        };
        let address = |name: &'static str, url: &str| {
            let checked = check_endpoint(url, self.config.allow_loopback_http);
            checked.map_err(|error| error.about_claim(name))
        };
        let user_code = code("user_code")?;
        // Google's name of it, from before the RFC.
        const URI: &str = "verification_uri";
        const COMPLETE: &str = "verification_uri_complete";
        let uri = string(URI).or_else(|| string("verification_url")).ok_or_else(|| wrong(URI))?;
        address(URI, &uri)?;
        // An empty text counts as absent, as it does for tokens.
        let complete = string(COMPLETE).filter(|url| !url.is_empty());
        complete.as_deref().map_or(Ok(()), |url| address(COMPLETE, url))?;
        let device_code = code("device_code")?;
        let number = |name: &str| value.given(name).and_then(|number| number.as_u64());
        let life = number("expires_in").ok_or_else(|| wrong("expires_in"))?.min(LONGEST_WAIT);
        Ok(DeviceCodes {
            user_code,
            verification_uri: uri.into_owned(),
            verification_uri_complete: complete.map(String::from),
            expires_at: self.config.now()?.saturating_add(life),
            interval: number("interval").unwrap_or(5).clamp(1, 60),
            device_code: Secret::from(device_code),
            scopes: scopes.clone(),
        })
    }

    async fn poll(&self, io: &Io, codes: &DeviceCodes, grant: &TokenGrant) -> Result<OAuthTokens> {
        let (metadata, url) = self.endpoint(io, TOKEN).await?;
        let mut parameters = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", codes.device_code.expose_str()),
        ];
        let scope = self.join_scopes(&grant.scopes);
        parameters.extend(grant.pairs(&scope));
        let mut interval = codes.interval;
        loop {
            io.pause(interval * 1000).await;
            if self.config.now()? >= codes.expires_at {
                return Err(ErrorKind::OauthDeviceExpired.into());
            }
            let answer = self.post(io, &metadata, &url, Purpose::Token, &parameters).await;
            let read = answer.and_then(|response| {
                tokens::read(&self.config, &metadata.issuer, &response, &codes.scopes)
            });
            let error = match read {
                Err(error) => error,
                Ok(mut tokens) => {
                    tokens.resources = grant.resources();
                    let wants = codes.scopes.iter().any(|scope| scope == "openid");
                    if tokens.id_token.is_some() && wants && !self.config.quirks.no_id_token {
                        // No nonce was sent: there is no browser that it could have been bound to.
                        let expected =
                            Expected { nonce: None, code: None, max_age: None, subject: None };
                        self.validate(io, &metadata, &mut tokens, &expected).await?;
                    } else {
                        tokens.id_token = None;
                    }
                    return Ok(tokens);
                }
            };
            match error.peer_code() {
                Some("authorization_pending") => {}
                Some("slow_down") => interval += 5,
                // Twice as long after a time-out (RFC 8628 section 3.5).
                _ if error.is_retryable() => interval = (interval * 2).min(60),
                _ => return Err(error),
            }
        }
    }
}

/// Who signed in, when a refresh does not say.
fn keep_identity(new: &mut OAuthTokens, old: OAuthTokens) {
    new.id_token = old.id_token;
    new.claims_json = old.claims_json;
    new.subject = old.subject;
    new.verified_email = old.verified_email;
}

const ANOTHER_SERVER: Error = Error::new(
    ErrorKind::OauthIssuerMismatch,
    "The refresh token is of another authorization server; it is sent nowhere else.",
);
