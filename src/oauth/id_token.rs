//! ID tokens (OpenID Connect Core section 3.1.3.7) and logout tokens (Back-Channel Logout section
//! 2.6), checked with the server's keys by this project's own verifier.

use super::client::{Inner, OAuthClient, Trust};
use super::config::{JWKS, OAuthConfig};
use super::metadata::Metadata;
use super::remote_key_set::{RemoteKeySet, RemoteKeySetOptions};
use super::tokens::OAuthTokens;
use super::variables::PERSONAL;
use crate::base::b64;
use crate::base::json::{Kind, Value};
use crate::base::secret::Secret;
use crate::base::text::is_guid;
use crate::crypto::constant_time_eq;
use crate::crypto::hash::{sha256, sha384, sha512};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Alg;
use crate::jwt::{NO_KEY_OF_ALGORITHM, Policy, Verified, Verifier};
use crate::transport::{Io, Operation};
use std::borrow::Cow;
use std::sync::Arc;

/// How old a logout token may be, in seconds.
const LOGOUT_AGE: u64 = 120;

/// What an ID token is checked against, beyond its signature, issuer, audience and times.
pub(super) struct Expected<'a> {
    pub(super) nonce: Option<&'a str>,
    pub(super) code: Option<&'a Secret>,
    pub(super) max_age: Option<u64>,
    /// Who signed in before, when tokens are refreshed.
    pub(super) subject: Option<&'a str>,
}

/// A session that the authorization server has ended (Back-Channel Logout 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogoutNotice {
    /// Whose sessions end, if the server named someone.
    pub subject: Option<String>,
    /// The server's session, if it named one: the `sid` of the ID token.
    pub session_id: Option<String>,
    /// The token's id, for [`crate::Revocations::seen_once`].
    pub token_id: String,
    /// Until when the token is accepted, in seconds since the Unix epoch: its `exp` and the leeway,
    /// or two minutes after its `iat`. Its id must be remembered until then.
    pub expires_at: u64,
}

impl OAuthClient {
    /// Verifies the `logout_token` that an authorization server posts when a session ends: of the
    /// type `logout+jwt`, `JWT` or none, with the event of a log-out and without `nonce`. Answer
    /// 200 or 400, with `Cache-Control: no-store`; end the sessions, unless the token's id has been
    /// seen. A client with [`OAuthConfig::replay`] refuses one that comes again.
    ///
    /// # Errors
    /// Of the operation: the 1000s for a token that is not valid, or older than two minutes
    /// (without `exp` to the second, otherwise with the leeway), or, as `RevokedToken`, was seen;
    /// the 7000s.
    pub fn logout_notice(&self, logout_token: &str) -> Operation<LogoutNotice> {
        let token = Secret::from(logout_token.to_owned());
        self.operation(|inner, io| async move {
            let metadata = inner.metadata_with(&io, |metadata| metadata.has(JWKS)).await?;
            let policy = inner.policy(&metadata)?.max_age(LOGOUT_AGE).allow_missing_exp();
            let policy = policy.expect_type("logout+jwt").expect_type("JWT").allow_missing_type();
            let policy = policy.require_claim("jti").require_claim("events");
            let verified = inner.verify(&io, &metadata, &token, Some(policy)).await?;
            inner.check_issuer(&verified)?;
            inner.check_audience(&verified)?;
            inner.read_logout(&metadata, &verified)
        })
    }
}

const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whether these are the claims of a logout token or another security event (RFC 8417), which is
/// good for nothing else.
fn is_event(claims: &Value<'_>) -> bool {
    claims.member("events").is_some()
}

impl Inner {
    fn read_logout(&self, metadata: &Metadata, token: &Verified) -> Result<LogoutNotice> {
        let event = token.claim("events").and_then(|events| events.member(LOGOUT_EVENT));
        if event.is_none_or(|event| event.kind() != Kind::Object) {
            return Err(claim("events", "The logout token has no event of a log-out."));
        }
        if token.given("nonce").is_some() {
            return Err(claim(
                "nonce",
                "A logout token has no nonce; this is another kind of token.",
            ));
        }
        // One that is no text is there, and names no session: all of the user's would end.
        let sid = token.given("sid").map(|sid| sid.as_str().map(String::from));
        let session_id = sid.map(|sid| sid.ok_or_else(|| claim("sid", NO_TEXT))).transpose()?;
        let subject = token.subject().map(String::from);
        let token_id = token.token_id().map(Cow::into_owned);
        for (name, value) in [("sub", &subject), ("sid", &session_id), ("jti", &token_id)] {
            if value.as_ref().is_some_and(String::is_empty) {
                return Err(claim(name, EMPTY));
            }
        }
        if session_id.is_none() && subject.is_none() {
            return Err(claim("sub", "The logout token names neither a subject nor a session."));
        }
        let token_id = token_id.ok_or(ErrorKind::MissingClaim)?;
        let seconds = |date: Option<i64>| date.and_then(|date| u64::try_from(date).ok());
        let issued_at = seconds(token.issued_at()).ok_or(ErrorKind::MissingClaim)?;
        let last = issued_at.saturating_add(LOGOUT_AGE);
        let expires_at = seconds(token.expires_at());
        if expires_at.is_none() && self.config.now()? > last {
            return Err(Error::new(
                ErrorKind::TooOld,
                "The logout token has no `exp` and was issued more than two minutes ago (`iat`).",
            ));
        }
        if let Some(seen) = &self.config.replay {
            let id = format!("logout {token_id}");
            if !seen.seen_once(&metadata.issuer, &id, last + self.config.leeway + 1)? {
                return Err(Error::new(
                    ErrorKind::RevokedToken,
                    "The logout token has been used before (`jti`).",
                ));
            }
        }
        let leeway = self.config.leeway;
        let expires_at = expires_at.map_or(last + 1, |end| end.saturating_add(leeway));
        Ok(LogoutNotice { subject, session_id, token_id, expires_at })
    }

    /// Validates the ID token of an answer, and takes its claims over.
    pub(super) async fn validate(
        &self,
        io: &Io,
        metadata: &Metadata,
        tokens: &mut OAuthTokens,
        expected: &Expected<'_>,
    ) -> Result<()> {
        let token = tokens.id_token.as_ref().ok_or_else(|| NO_ID_TOKEN.about_claim("id_token"))?;
        let fuller = self.with_keys(io, metadata).await?;
        let metadata = fuller.as_deref().unwrap_or(metadata);
        // It was made for this very answer.
        let is_late = |error: &Error| error.kind() == ErrorKind::Expired;
        let verified = self.verify(io, metadata, token, None).await;
        let verified = verified
            .map_err(|error| if is_late(&error) { error.saying(CAME_LATE) } else { error })?;
        self.check(&verified, tokens, expected)?;
        tokens.verified_email = self.config.quirks.verified_email(&verified.claims());
        tokens.claims_json = Some(verified.claims_json().to_owned());
        tokens.subject = verified.subject().map(String::from);
        Ok(())
    }

    /// The claims of signed user info, which must be this server's and for this client (OpenID
    /// Connect Core section 5.3.2).
    pub(super) async fn signed_user(
        &self,
        io: &Io,
        metadata: &Metadata,
        token: &Secret,
    ) -> Result<Secret> {
        let fuller = self.with_keys(io, metadata).await?;
        let metadata = fuller.as_deref().unwrap_or(metadata);
        let mut algs = algorithms(&self.config, metadata)?;
        if self.config.id_token_algs.is_empty() {
            algs.extend(metadata.userinfo_algs().into_iter().filter(|alg| !is_hmac(*alg)));
        }
        let policy = self.undated_policy(metadata, algs).allow_missing_exp();
        let verified = self.verify(io, metadata, token, Some(policy)).await?;
        self.check_issuer(&verified)?;
        self.check_audience(&verified)?;
        if is_event(&verified.claims()) {
            return Err(claim(
                "events",
                "This is a logout token or another event, and nothing about a user.",
            ));
        }
        Ok(Secret::from(verified.claims_json().to_owned()))
    }

    /// Fuller metadata, if the keys are named by another document than those that were known so
    /// far.
    async fn with_keys(&self, io: &Io, metadata: &Metadata) -> Result<Option<Arc<Metadata>>> {
        if self.has_own_key() || metadata.has(JWKS) {
            return Ok(None);
        }
        self.metadata_with(io, |metadata| metadata.has(JWKS)).await.map(Some)
    }

    /// The token's claims if one of the server's keys has signed it; `policy` if it is not an ID
    /// token.
    async fn verify(
        &self,
        io: &Io,
        metadata: &Metadata,
        token: &Secret,
        policy: Option<Policy>,
    ) -> Result<Verified> {
        let verified = self.verify_with(io, metadata, token, policy).await;
        verified.map_err(|error| if error == NO_KEY_OF_ALGORITHM { NO_ALGORITHM } else { error })
    }

    async fn verify_with(
        &self,
        io: &Io,
        metadata: &Metadata,
        token: &Secret,
        policy: Option<Policy>,
    ) -> Result<Verified> {
        let trust = self.trust(io, metadata).await?;
        let other;
        let verifier = match (policy, &trust.verifier) {
            (None, Some(verifier)) => verifier,
            (policy, _) => {
                let policy = policy.map_or_else(|| self.id_policy(metadata), Ok)?;
                other = self.verifier(&trust.keys, policy)?;
                &other
            }
        };
        let generation = trust.keys.held_generation();
        let verified = verifier.verify(token.expose());
        let is_about_the_key = verified.as_ref().is_err_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::KeyNotFound | ErrorKind::InvalidSignature | ErrorKind::UnusableKey
            )
        });
        if is_about_the_key
            && !self.has_own_key()
            && trust.keys.look_patiently(io, generation).await?
        {
            return verifier.verify(token.expose());
        }
        verified
    }

    /// The server's keys, as fresh as they should be, and the verifier that follows them.
    async fn trust(&self, io: &Io, metadata: &Metadata) -> Result<Arc<Trust>> {
        let own = self.has_own_key();
        // With a secret there are no keys to fetch; the address is never asked.
        let url = if own { "https://localhost/" } else { metadata.endpoint(&self.config, JWKS)? };
        let is_it = |trust: &Arc<Trust>| own || trust.keys.is_of(url);
        let trust = match self.trust.load_full().filter(is_it) {
            Some(trust) => trust,
            None => {
                let keys = RemoteKeySet::new(url, RemoteKeySetOptions::of(&self.config))?;
                let verifier =
                    self.id_policy(metadata).and_then(|policy| self.verifier(&keys, policy)).ok();
                let new = Arc::new(Trust { keys, verifier });
                // One for all: the first that was made.
                let one = |held: &Option<Arc<Trust>>| match held {
                    Some(held) if is_it(held) => Arc::clone(held),
                    _ => Arc::clone(&new),
                };
                one(&self.trust.rcu(|held| Some(one(held))))
            }
        };
        if !own {
            trust.keys.fresh(io).await?;
        }
        Ok(trust)
    }

    /// Whether ID tokens are MACed with the client's secret: only if the registration says so.
    fn has_own_key(&self) -> bool {
        self.config.id_token_algs.iter().any(|alg| is_hmac(*alg))
    }

    fn verifier(&self, keys: &RemoteKeySet, policy: Policy) -> Result<Verifier> {
        match self.config.id_token_algs.iter().find(|alg| is_hmac(**alg)) {
            None => Verifier::following(Arc::new(keys.clone()), policy),
            Some(alg) => {
                let secret = self.config.secret.as_ref().ok_or(NO_SECRET)?;
                Verifier::with_key(&crate::jwk::Key::from_secret(secret.expose(), *alg)?, policy)
            }
        }
    }

    fn id_policy(&self, metadata: &Metadata) -> Result<Policy> {
        Ok(self.policy(metadata)?.require_claim("sub"))
    }

    fn policy(&self, metadata: &Metadata) -> Result<Policy> {
        let algs = algorithms(&self.config, metadata)?;
        Ok(self.undated_policy(metadata, algs).require_claim("iat"))
    }

    /// Of what need not say when it was issued.
    fn undated_policy(&self, metadata: &Metadata, algs: Vec<Alg>) -> Policy {
        let config = &self.config;
        let mut policy = Policy::new()
            .expect_audience(&*config.client_id)
            .null_is_absent()
            .leeway(config.leeway)
            .max_token_bytes(32 * 1024)
            .try_keys_without_kid()
            .try_keys_of_a_kid()
            .algorithms(algs)
            .clock(Arc::clone(&config.clock));
        if config.quirks.issuer_template.is_some() {
            return policy.ignore_issuer().require_claim("iss");
        }
        policy = policy.expect_issuer(&*metadata.issuer);
        for alias in &config.quirks.issuer_aliases {
            policy = policy.expect_issuer(&**alias);
        }
        policy
    }

    /// The issuer of a server that has one for each tenant: the template filled in with the token's
    /// own tenant, which must be an allowed one.
    fn check_issuer(&self, token: &Verified) -> Result<()> {
        let Some(template) = &self.config.quirks.issuer_template else { return Ok(()) };
        let tenant = token.given("tid").and_then(|tid| tid.as_str()).unwrap_or_default();
        let allowed = &self.config.tenants;
        let is_allowed = match allowed.as_slice() {
            [] => !(self.config.is_for_organizations() && tenant == PERSONAL),
            _ => allowed.iter().any(|known| *known == tenant),
        };
        let issuer = template.replace("{tenantid}", &tenant);
        if !is_guid(&tenant) || !is_allowed || token.issuer().as_deref() != Some(&issuer) {
            return Err(Error::new(
                ErrorKind::InvalidIssuer,
                "The ID token is not from a tenant that is allowed, or its issuer is not the tenant's.",
            ));
        }
        Ok(())
    }

    fn check(&self, token: &Verified, tokens: &OAuthTokens, expected: &Expected<'_>) -> Result<()> {
        self.check_issuer(token)?;
        self.check_audience(token)?;
        if token.subject().is_none_or(|subject| subject.is_empty()) {
            return Err(claim("sub", EMPTY));
        }
        if is_event(&token.claims()) {
            return Err(claim(
                "events",
                "This is a logout token or another event, and no ID token.",
            ));
        }
        match (expected.nonce, token.given("nonce")) {
            (None, None) => {}
            (Some(own), Some(nonce))
                if nonce
                    .as_str()
                    .is_some_and(|nonce| constant_time_eq(own.as_bytes(), nonce.as_bytes())) => {}
            // The ID token of a refresh may bring the first one's nonce, which is not known any
            // more.
            (None, Some(_)) if expected.subject.is_some() => {}
            _ => return Err(ErrorKind::OauthNonceMismatch.into()),
        }
        if expected.subject.is_some_and(|own| token.subject().as_deref() != Some(own)) {
            return Err(ErrorKind::OauthSubjectMismatch.into());
        }
        let access_token = Some(&tokens.access_token);
        for (name, secret) in [("at_hash", access_token), ("c_hash", expected.code)] {
            if let Some(hash) = token.given(name) {
                let own = secret.map(|secret| half_hash(token.alg(), secret.expose()));
                if own.is_none() || hash.as_str().as_deref() != own.as_deref() {
                    return Err(claim(
                        name,
                        "The ID token was made for another access token or code.",
                    ));
                }
            }
        }
        if let Some(max_age) = expected.max_age {
            let at = token.given("auth_time").as_ref().and_then(Value::as_f64);
            let at = at.ok_or_else(|| claim("auth_time", NO_AUTH_TIME))?;
            #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
            let oldest = self.config.now()?.saturating_sub(max_age + self.config.leeway) as f64;
            let latest = self.config.now()?.saturating_add(self.config.leeway);
            #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
            if at > latest as f64 {
                return Err(claim("auth_time", FUTURE_LOGIN));
            }
            if at.is_nan() || at < oldest {
                return Err(Error::new(
                    ErrorKind::TooOld,
                    "The user signed in longer ago than the log-in allows.",
                ));
            }
        }
        Ok(())
    }

    /// Who else is in `aud` must be known, and `azp` must be this client (OpenID Connect Core
    /// section 2).
    fn check_audience(&self, token: &Verified) -> Result<()> {
        let own = &*self.config.client_id;
        let azp = token.given("azp");
        let is_azp = azp.as_ref().is_some_and(|azp| azp.as_str().as_deref() == Some(own));
        let is_known = |audience: &str| {
            audience == own || self.config.trusted_audiences.iter().any(|known| known == audience)
        };
        let all_known = token.audience().iter().all(|audience| is_known(audience));
        if !is_azp && (azp.is_some() || !all_known) {
            return Err(Error::new(
                ErrorKind::InvalidAudience,
                "The token was issued to another client, or is for others too that are not trusted.",
            ));
        }
        Ok(())
    }
}

/// The algorithms that ID tokens may have: as registered, or the asymmetric ones that the server
/// says it uses.
///
/// # Errors
/// `InvalidConfiguration`: the server says that it uses none of those that are registered.
pub(super) fn algorithms(config: &OAuthConfig, metadata: &Metadata) -> Result<Vec<Alg>> {
    let offered = &metadata.id_token_algs;
    if !config.id_token_algs.is_empty() {
        let is_offered = |alg: &&Alg| {
            offered.is_empty() || offered.iter().any(|other| other.same_algorithm(**alg))
        };
        let algs: Vec<Alg> = config.id_token_algs.iter().filter(is_offered).copied().collect();
        let none = algs.is_empty().then(|| NO_COMMON_ALG.about_claim("id_token_algorithms"));
        return none.map_or(Ok(algs), Err);
    }
    let asymmetric: Vec<Alg> = offered.iter().copied().filter(|alg| !is_hmac(*alg)).collect();
    // What OpenID Connect prescribes for servers that say nothing.
    Ok(if asymmetric.is_empty() { vec![Alg::Rs256] } else { asymmetric })
}

const fn is_hmac(alg: Alg) -> bool {
    matches!(alg, Alg::Hs256 | Alg::Hs384 | Alg::Hs512)
}

/// The left half of a hash, with the hash of the token's algorithm (OpenID Connect Core section
/// 3.1.3.6).
fn half_hash(alg: Alg, secret: &[u8]) -> String {
    let name = alg.name();
    if name.ends_with("256") || name.ends_with("256K") {
        b64::encode(sha256(secret).split_at(16).0)
    } else if name.ends_with("384") {
        b64::encode(sha384(secret).split_at(24).0)
    } else {
        b64::encode(sha512(secret).split_at(32).0)
    }
}

#[cold]
fn claim(name: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidClaim, message).about_claim(name)
}

const EMPTY: &str = "The claim is there and empty; the server must fill it in.";
const CAME_LATE: &str = "The ID token had expired when it came (`exp`): this clock is ahead of the server's; set the \
     clocks right, or allow a `leeway`.";
const NO_TEXT: &str = "The session that has ended is not named by a text.";
const NO_ALGORITHM: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "None of the issuer's keys is for an algorithm that its metadata name (RS256 where they name none): set \
     `id_token_algorithms`.",
);
const NO_AUTH_TIME: &str =
    "The ID token does not say when the user signed in, although that was asked.";
const NO_ID_TOKEN: Error = Error::new(
    ErrorKind::OauthMalformedResponse,
    "The authorization server gave no ID token, although openid was asked for.",
);
const FUTURE_LOGIN: &str =
    "The user signed in later than it is now; see that the clocks are right.";
const NO_COMMON_ALG: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The server's metadata say that it signs ID tokens with none of the algorithms that are configured.",
);
const NO_SECRET: Error =
    Error::new(ErrorKind::InvalidConfiguration, "ID tokens with HMAC need the client's secret.");

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenID Connect Core 1.0, appendix A.3 and A.4: the access token and code of the examples.
    #[test]
    fn published_hashes() {
        assert_eq!(
            half_hash(Alg::Rs256, b"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
        assert_eq!(
            half_hash(Alg::Rs256, b"Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"),
            "LDktKdoQak3Pk0cnXxCltA"
        );
    }
}
