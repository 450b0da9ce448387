//! What a server knows about users and tokens: user info (OpenID Connect Core section 5.3),
//! introspection (RFC 7662), revocation (RFC 7009), and the address that signs the user out there
//! (RP-Initiated Logout 1.0).

use super::answer::{self, MALFORMED};
use super::client::{Inner, OAuthClient};
use super::config::{END_SESSION, INTROSPECTION, REVOCATION, USERINFO, checked_text};
use super::metadata::Metadata;
use super::quirks::{Quirks, inside};
use super::sent::Answer;
use super::token_grant::TokenGrant;
use super::tokens::OAuthTokens;
use crate::base::hex;
use crate::base::json::{self, Kind, Value};
use crate::base::secret::Secret;
use crate::base::url;
use crate::crypto::{Hash, hmac};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{HttpRequest, HttpResponse, Io, Operation, Purpose};

/// What a server knows about a user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UserInfo {
    /// Whose user it is: subjects are names of their issuer's. The issuer of the ID token that came
    /// with the tokens, or that of the client; for a provider without an issuer, its token
    /// endpoint.
    pub issuer: String,
    /// Who it is, as the server names users: its `sub`, or the id where the provider has one
    /// instead.
    pub subject: String,
    /// An address that the provider says is the user's and proven, where it says so.
    pub verified_email: Option<String>,
    /// Everything the server said: the text of one JSON object.
    pub claims_json: String,
}

/// What a server says about a token (RFC 7662 section 2.2).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Introspection {
    /// Whether it is good.
    pub active: bool,
    /// What it allows.
    pub scopes: Vec<String>,
    /// Whom it is about.
    pub subject: Option<String>,
    /// Whom it was issued to.
    pub client_id: Option<String>,
    /// When it expires, in seconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// When it was issued, in seconds since the Unix epoch.
    pub issued_at: Option<u64>,
    /// Everything the server said: the text of one JSON object.
    pub claims_json: String,
}

impl OAuthClient {
    /// Asks who the user of these tokens is. If an ID token has said so before, it must be the
    /// same. An answer that is signed (OpenID Connect Core section 5.3.2) is verified as an ID
    /// token is.
    ///
    /// # Errors
    /// Of the operation: `OauthSubjectMismatch`; `OauthInvalidGrant` for a token that is not good
    /// any more; `OauthRefused` for one that may not read the user, or was asked for an API
    /// (`resources`); `OauthServerFailed`, also for one that asks too often;
    /// `OauthMalformedResponse`, the 1000s for a signed answer that is not good, the 7000s.
    pub fn userinfo(&self, tokens: &OAuthTokens) -> Operation<UserInfo> {
        let mut tokens = tokens.clone();
        tokens.refresh_token = None;
        self.operation(|inner, io| async move {
            let asked = inner.userinfo(&io, &tokens.access_token).await;
            let mut info = asked.map_err(|error| inner.of_an_api(&tokens, error))?;
            if tokens.subject.as_ref().is_some_and(|subject| *subject != info.subject) {
                return Err(ErrorKind::OauthSubjectMismatch.into());
            }
            info.issuer = tokens.user_issuer(&inner.config.quirks);
            Ok(info)
        })
    }

    /// As [`Self::userinfo`], by an access token alone: it is not known whom it should be about, so
    /// look at the subject.
    ///
    /// # Errors
    /// As [`Self::userinfo`].
    pub fn userinfo_by_token(&self, access_token: &Secret) -> Operation<UserInfo> {
        let token = access_token.clone();
        self.operation(|inner, io| async move { inner.userinfo(&io, &token).await })
    }

    /// Says what the server says about itself (RFC 8414 section 2), as one JSON object: fetched if
    /// it is not known yet, with the endpoints of the configuration in their places. Nothing of it
    /// has been checked but the issuer.
    ///
    /// # Errors
    /// Of the operation: those of a request for metadata.
    pub fn metadata(&self) -> Operation<String> {
        self.operation(|inner, io| async move {
            let metadata = inner.metadata_with(&io, |_| true).await?;
            Ok(metadata.to_json(&inner.config))
        })
    }

    /// Asks whether a token is good (RFC 7662).
    ///
    /// # Errors
    /// Of the operation: `OauthInvalidClient`, `OauthServerFailed`, `OauthMalformedResponse`, the
    /// 7000s.
    pub fn introspect(&self, token: &Secret) -> Operation<Introspection> {
        let (token, grant) = (token.clone(), TokenGrant::new());
        self.operation(|inner, io| async move { inner.introspect(&io, &token, &grant).await })
    }

    /// As [`Self::introspect`], with more to say: `token_type_hint`, or parameters of the server's
    /// own.
    ///
    /// # Errors
    /// `InvalidArgument`: something is not acceptable; the error's claim names it. Of the
    /// operation: as [`Self::introspect`].
    pub fn introspect_with(
        &self,
        token: &Secret,
        grant: &TokenGrant,
    ) -> Result<Operation<Introspection>> {
        grant.check()?;
        let (token, grant) = (token.clone(), grant.clone());
        Ok(self.operation(|inner, io| async move { inner.introspect(&io, &token, &grant).await }))
    }

    /// Ends a token at the server (RFC 7009): a refresh token ends its access tokens too. One that
    /// is not known has ended already.
    ///
    /// # Errors
    /// Of the operation: `OauthInvalidClient`, `OauthRefused`, `OauthServerFailed`, the 7000s.
    pub fn revoke(&self, token: &Secret, is_refresh_token: bool) -> Operation<()> {
        let token = token.clone();
        self.operation(move |inner, io| async move {
            let (metadata, url) = inner.endpoint(&io, REVOCATION).await?;
            let hint = if is_refresh_token { "refresh_token" } else { "access_token" };
            let parameters = [("token", token.expose_str()), ("token_type_hint", hint)];
            let response =
                inner.post(&io, &metadata, &url, Purpose::Revocation, &parameters).await?;
            if (200..300).contains(&response.status) {
                return Ok(());
            }
            answer::object(&inner.config, &response).map(|_| ())
        })
    }

    /// Where to send the browser so that the user is signed out at the server too (RP-Initiated
    /// Logout 1.0 section 2).
    ///
    /// # Errors
    /// `InvalidArgument`; of the operation: `InvalidConfiguration` if the server has no such page,
    /// and those of a request for its metadata.
    pub fn logout_url(
        &self,
        id_token: Option<&Secret>,
        post_logout_redirect_uri: Option<&str>,
        state: Option<&str>,
    ) -> Result<Operation<String>> {
        for (name, text) in
            [("post_logout_redirect_uri", post_logout_redirect_uri), ("state", state)]
        {
            let text = text.map_or(Ok(()), |text| checked_text(text, 1024));
            text.map_err(|error| error.about_claim(name))?;
        }
        let id_token = id_token.cloned();
        let (uri, state) = (post_logout_redirect_uri.map(String::from), state.map(String::from));
        Ok(self.operation(|inner, io| async move {
            let (_, page) = inner.endpoint(&io, END_SESSION).await?;
            let mut parameters = vec![("client_id", &*inner.config.client_id)];
            let hint = id_token.as_ref().map(Secret::expose_str);
            for (name, value) in [
                ("id_token_hint", hint),
                (&*inner.config.quirks.logout_redirect_parameter, uri.as_deref()),
                ("state", state.as_deref()),
            ] {
                parameters.extend(value.map(|value| (name, value)));
            }
            let joint = if page.contains('?') { '&' } else { '?' };
            Ok(format!("{page}{joint}{}", url::form(parameters)))
        }))
    }
}

impl Inner {
    async fn userinfo(&self, io: &Io, token: &Secret) -> Result<UserInfo> {
        let (metadata, mut url) = self.endpoint(io, USERINFO).await?;
        let quirks = &self.config.quirks;
        if let Some(secret) = self.config.secret.as_ref().filter(|_| quirks.app_secret_proof) {
            let mut out = [0; 64];
            let proof = hmac::Key::new(Hash::Sha256, secret.expose());
            let proof = hex::encode(proof.sign(token.expose(), &mut out));
            let joint = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{joint}appsecret_proof={proof}");
        }
        let response = io.ask(self.get(url, token)).await?;
        let response = Answer::new(
            response,
            [Some(token), self.config.secret.as_ref()].into_iter().flatten().cloned().collect(),
        );
        let text = self.told(io, &metadata, &response).await?;
        let value = answer::parsed(&text)?;
        let unnamed = || MALFORMED.about_named_claim(&quirks.subject_member.as_str().into());
        let subject = inside(&value, &quirks.subject_member).ok_or_else(unnamed)?;
        let subject = match (subject.as_str(), subject.as_u64()) {
            (Some(text), _) if !text.is_empty() && text.len() <= 255 => text.into_owned(),
            (None, Some(number)) => number.to_string(),
            _ => return Err(unnamed()),
        };
        let mut verified_email = quirks.verified_email(&value);
        if let Some(url) = &quirks.emails_endpoint {
            let response = io.ask(self.get(url.clone(), token)).await?;
            // The user may not have granted it.
            verified_email = match response.status {
                200 if answer::is_compressed(&response) => return Err(answer::COMPRESSED),
                200 => primary(quirks, &response),
                _ => None,
            };
        }
        let claims_json = value.raw().to_owned();
        let issuer = metadata.issuer.clone();
        Ok(UserInfo { issuer, subject, verified_email, claims_json })
    }

    /// The refusal of a token that has not expired: what was asked for an API is not for user info,
    /// and another one like it would not be either (RFC 8707 section 2.2).
    fn of_an_api(&self, tokens: &OAuthTokens, error: Error) -> Error {
        let is_for_an_api =
            error.kind() == ErrorKind::OauthInvalidGrant && !tokens.resources.is_empty();
        let is_good = || self.config.now().is_ok_and(|now| tokens.is_good_for(0, now));
        if is_for_an_api && is_good() { FOR_AN_API.about_claim("resources") } else { error }
    }

    fn get(&self, url: String, token: &Secret) -> HttpRequest {
        let mut bearer = zeroize::Zeroizing::new(String::with_capacity(token.expose().len() + 7));
        bearer.push_str("Bearer ");
        bearer.push_str(token.expose_str());
        let mut request = HttpRequest::new("GET", url, Purpose::UserInfo)
            .header("accept", "application/json, application/jwt".to_owned())
            .header("authorization", Secret::new(bearer.as_bytes().to_vec()));
        request.deadline_ms = self.config.deadline_ms;
        request
    }

    /// The object in an answer about a user: as it is, or signed (OpenID Connect Core section
    /// 5.3.2).
    async fn told(&self, io: &Io, metadata: &Metadata, response: &Answer) -> Result<Secret> {
        answer::token_refused(&self.config, response)?;
        let kind = response.header("content-type").and_then(|kind| kind.split(';').next());
        let is_signed =
            kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/jwt"));
        if answer::is_compressed(response) {
            return Err(answer::COMPRESSED);
        }
        if is_signed && (200..300).contains(&response.status) {
            let token = Secret::new(response.body.expose().trim_ascii().to_vec());
            return self.signed_user(io, metadata, &token).await;
        }
        answer::object(&self.config, response)
    }

    pub(super) async fn introspect(
        &self,
        io: &Io,
        token: &Secret,
        grant: &TokenGrant,
    ) -> Result<Introspection> {
        let (metadata, url) = self.endpoint(io, INTROSPECTION).await?;
        let scope = self.join_scopes(&grant.scopes);
        let mut parameters = vec![("token", token.expose_str())];
        parameters.extend(grant.pairs(&scope));
        let response = self.post(io, &metadata, &url, Purpose::Introspection, &parameters).await?;
        let text = answer::object(&self.config, &response)?;
        let value = answer::parsed(&text)?;
        let string = |name: &'static str| {
            let text = |text: Value<'_>| text.as_str().map(String::from);
            value
                .given(name)
                .map(|own| text(own).ok_or_else(|| MALFORMED.about_claim(name)))
                .transpose()
        };
        let active = value.member("active").and_then(|flag| flag.as_bool());
        let active = active.ok_or_else(|| MALFORMED.about_claim("active"))?;
        // A token that is not yet, or no longer, good is not, whatever the server says.
        let date = |name: &'static str, round: fn(f64) -> f64| {
            let date = |date| seconds(date, round).ok_or_else(|| MALFORMED.about_claim(name));
            value.given(name).map(date).transpose()
        };
        let (now, leeway) = (self.config.now()?, self.config.leeway);
        let expires_at = date("exp", f64::floor)?;
        let in_time = expires_at.is_none_or(|end| now < end)
            && date("nbf", f64::ceil)?.is_none_or(|begin| begin <= now.saturating_add(leeway));
        let scopes = value.given("scope").map_or(Some(Vec::new()), scopes);
        let subject = string("sub")?;
        // No name is empty: what follows would take it for an absent one.
        for (name, text) in [("sub", &subject), ("iss", &string("iss")?)] {
            if active && text.as_ref().is_some_and(String::is_empty) {
                return Err(MALFORMED.about_claim(name));
            }
        }
        Ok(Introspection {
            active: active && in_time,
            scopes: scopes.ok_or_else(|| MALFORMED.about_claim("scope"))?,
            subject,
            client_id: string("client_id")?,
            expires_at,
            issued_at: date("iat", f64::ceil)?,
            claims_json: value.raw().to_owned(),
        })
    }
}

/// Scopes as a text (RFC 7662 section 2.2), or as a list of them, which some servers answer.
fn scopes(value: Value<'_>) -> Option<Vec<String>> {
    if value.kind() == Kind::Array {
        return value.elements().map(|scope| scope.as_str().map(String::from)).collect();
    }
    let text = value.as_str()?;
    Some(text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}

/// A date in whole seconds, its fraction rounded so that the token is good for no longer.
fn seconds(date: Value<'_>, round: fn(f64) -> f64) -> Option<u64> {
    const LIMIT: u64 = 1 << 53;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is neither negative nor beyond the limit"
    )]
    #[expect(clippy::cast_precision_loss, reason = "the limit is exact")]
    let whole = |date: f64| (0.0..=LIMIT as f64).contains(&date).then_some(date as u64);
    date.as_u64().or_else(|| whole(round(date.as_f64()?)))
}

const FOR_AN_API: Error = Error::new(
    ErrorKind::OauthRefused,
    "The access token is for the API that it was asked for, not for user info; take the ID token's claims, or sign in without resources.",
);

/// The primary address of a list, if it is proven.
fn primary(quirks: &Quirks, response: &HttpResponse) -> Option<String> {
    let whole = json::parse(response.body.expose()).ok()?;
    let list = match quirks.emails_member.as_str() {
        "" => whole,
        member => inside(&whole, member)?,
    };
    let list = Some(list).filter(|list| list.kind() == Kind::Array)?;
    let (first, proven) = &quirks.emails_flags;
    let says = |entry: &Value<'_>, name: &str| entry.member(name)?.as_bool();
    let mut entries = list.elements();
    let entry = entries
        .find(|entry| says(entry, first) == Some(true) && says(entry, proven) == Some(true))?;
    entry.member("email")?.as_str().map(String::from)
}
