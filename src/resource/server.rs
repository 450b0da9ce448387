//! The one call that says who calls.

use super::access::{Access, AccessKind, Demand};
use super::asked::Asked;
use super::builder::{LEEWAY, ResourceServerBuilder};
use super::claims::{self, Granted, Known, Places, Source, Text, Told, check_kind};
use super::former::{self, Former, FormerUser};
use super::issuers::{Issuer, Issuers, UNKNOWN, parts_of};
use super::presented::{Authorized, Presented};
use super::proven::{Claims, Proven, Token};
use super::rule::DoorRule;
use crate::apikey::{ApiKeys, Check, CredentialPlace};
use crate::base::clock::{Clock, plausible};
use crate::base::presented::{Form, not_a_token, recognized};
use crate::base::secret::Secret;
use crate::base::text::lacking;
use crate::error::{Error, ErrorKind, Result};
use crate::jws::Compact;
use crate::jwt::{RevocationList, Verified, check_introspected, mark};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The check of an API's incoming requests: safe to share between threads, cheap to clone, usable
/// after a fork.
///
/// ```
/// use gatekey::{Alg, Claims, Key, KeySet, ResourceServer, Signer};
/// use gatekey::resource::Demand;
/// use std::sync::Arc;
///
/// let key = Key::generate(Alg::Es256)?;
/// let keys = Arc::new(KeySet::new([key.public()?])?); // another server's: a RemoteKeySet
/// let api = ResourceServer::builder("https://api.example").issuer("https://auth.example", keys).build()?;
///
/// let signer = Signer::builder(&key).issuer("https://auth.example").audience("https://api.example");
/// let claims = Claims::new().subject("alice").claim_str("client_id", "app").claim_str("scope", "read");
/// let token = signer.typ("at+jwt").build()?.sign(&claims)?;
///
/// let demand = Demand::new().scopes(&["read"]);
/// let access = api.check(Some(&format!("Bearer {token}")), &demand)?;
/// assert_eq!(access.subject.as_deref(), Some("alice"));
///
/// let demand = Demand::new().scopes(&["write"]);
/// let error = api.check(Some(&format!("Bearer {token}")), &demand).unwrap_err();
/// assert_eq!(error.kind().http_status(), 403);
/// let challenge = api.challenge(&error, &demand).unwrap();
/// assert!(challenge.starts_with(r#"Bearer error="insufficient_scope""#));
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
pub struct ResourceServer(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) issuers: Option<Issuers>,
    pub(super) asked: Option<Asked>,
    pub(super) api_keys: Option<ApiKeys>,
    /// The API's identifier; may be empty where tokens need not name it.
    pub(super) audience: String,
    /// What holds for issuers without a rule of their own.
    pub(super) door: DoorRule,
    /// What holds for the others.
    pub(super) rules: HashMap<String, DoorRule>,
    pub(super) revocations: Option<Arc<dyn RevocationList>>,
    pub(super) metadata_url: Option<String>,
    pub(super) scopes_supported: Vec<String>,
    pub(super) realm: Option<String>,
    pub(super) clock: Arc<dyn Clock>,
}

impl ResourceServer {
    /// A door for the API of this identifier: what tokens must name as their audience.
    pub fn builder(audience: impl Into<String>) -> ResourceServerBuilder {
        ResourceServerBuilder::new(audience.into())
    }

    /// Who calls, by the value of the request's one `Authorization` header; `None` for a request
    /// without.
    ///
    /// # Errors
    /// As [`Self::check_presented`].
    pub fn check(&self, authorization: Option<&str>, demand: &Demand<'_>) -> Result<Access> {
        self.check_presented(&Presented { authorization, api_key: None }, demand)
    }

    /// Who calls, by all that a request brings. Exactly one credential, unless
    /// [`Demand::decided_by`] says which one decides: then that one must be there, both must be
    /// valid, and nothing of the other is granted.
    ///
    /// # Errors
    /// `MissingCredentials`; the 1000s and 3000s; `TokenInactive`; `InsufficientScope`;
    /// `InsufficientAuthentication`; `StoreUnavailable`, `OauthServerFailed` and the 7000s if it
    /// cannot be known. Answer `http_status` with [`Self::challenge`].
    pub fn check_presented(
        &self,
        presented: &Presented<'_>,
        demand: &Demand<'_>,
    ) -> Result<Access> {
        use CredentialPlace::{ApiKey, Authorization};
        let (key, authorization) = (presented.key()?, presented.authorized()?);
        match (authorization, key, demand.decided_by) {
            (None, None, _) => Err(presented.missing()),
            (Some(given), None, None | Some(Authorization)) => self.check_authorized(given, demand),
            (None, Some(key), None | Some(ApiKey)) => self.0.key(key, demand).map(Proven::access),
            (Some(_), None, Some(_)) => Err(NO_KEY),
            (None, Some(_), Some(_)) => Err(NO_TOKEN),
            (Some(_), Some(_), None) => Err(TWO),
            // The key comes last: it may have a rate, of which a bad token shall take nothing.
            (Some(given), Some(key), Some(Authorization)) => {
                let access = self.check_authorized(given, demand)?;
                same_tenant(self.0.key(key, &demand.of_the_other())?.tenant(), demand)?;
                Ok(access)
            }
            (Some(given), Some(key), Some(ApiKey)) => {
                same_tenant(self.prove(given, &demand.of_the_other())?.tenant(), demand)?;
                self.0.key(key, demand).map(Proven::access)
            }
        }
    }

    fn check_authorized(&self, given: Authorized<'_>, demand: &Demand<'_>) -> Result<Access> {
        self.prove(given, demand).map(Proven::access)
    }

    /// Who calls, by what stands behind `Bearer`.
    ///
    /// # Errors
    /// As [`Self::check_presented`].
    pub fn check_token(&self, token: &str, demand: &Demand<'_>) -> Result<Access> {
        self.check_authorized(Authorized::Bearer(token), demand)
    }

    /// Who calls, by what stands in `Authorization`, with what proved it.
    pub(crate) fn prove(&self, given: Authorized<'_>, demand: &Demand<'_>) -> Result<Proven> {
        let inner = &*self.0;
        let token = match given {
            Authorized::ApiKey(key) => {
                demand.takes(AccessKind::ApiKey)?;
                return inner.key(key, demand);
            }
            Authorized::Bearer(token) => token,
        };
        if let Some(issuers) = &inner.issuers
            && let Some(parts) = parts_of(token)
        {
            return inner.jwt_of_any(issuers, token, &parts, demand);
        }
        demand.takes(self.kind_of_other(token))?;
        if token.is_empty() {
            return Err(ErrorKind::MissingCredentials.into());
        }
        match (&inner.issuers, &inner.asked) {
            (_, Some(asked)) => match inner.own_key(token, demand) {
                Some(outcome) => outcome,
                None => inner.opaque(asked, token, demand),
            },
            // Not "the API key is not valid" to one who has a token, or whatever it is.
            (Some(_), None) if inner.api_keys.is_some() => {
                inner.own_key(token, demand).unwrap_or_else(|| Err(strange(token, NEITHER)))
            }
            (None, None) if inner.api_keys.is_some() => {
                inner.key(token, demand).map_err(|error| match error.kind() {
                    ErrorKind::MalformedApiKey if parts_of(token).is_some() => {
                        error.saying(NO_JWTS)
                    }
                    _ => error,
                })
            }
            (Some(_), None) => Err(strange(token, OPAQUE)),
            (None, None) => Err(ErrorKind::MalformedToken.into()),
        }
    }

    /// Who calls, by the access token of a session of our own: no other is looked at.
    pub(crate) fn prove_session(&self, token: &str, demand: &Demand<'_>) -> Result<Proven> {
        demand.takes(AccessKind::Session)?;
        let sessions = self.0.issuers.as_ref().and_then(Issuers::sessions).ok_or(NO_SESSIONS)?;
        let mut places = Places::default();
        let verified = sessions.verify(token, &mut places)?;
        self.0.jwt(sessions, verified, &places, demand)
    }

    /// What kind of credential stands behind `Bearer`, before anything of it is proved.
    pub(crate) fn kind_of(&self, token: &str) -> AccessKind {
        if let Some(issuers) = &self.0.issuers
            && let Some(parts) = parts_of(token)
        {
            return issuers.of(token, &parts).map_or(AccessKind::Jwt, kind_by);
        }
        self.kind_of_other(token)
    }

    /// The same of what is not a JWT of an issuer.
    fn kind_of_other(&self, token: &str) -> AccessKind {
        let inner = &*self.0;
        let is_own_key = || inner.api_keys.as_ref().is_some_and(|keys| keys.has_form_of_own(token));
        match &inner.api_keys {
            _ if inner.asked.is_some() && !is_own_key() => AccessKind::Opaque,
            Some(_) => AccessKind::ApiKey,
            None => AccessKind::Opaque,
        }
    }

    /// Whose token this is, if it is one of what the service had before, and good.
    pub(crate) fn former_user(&self, token: &str) -> Option<FormerUser> {
        let issuers = self.0.issuers.as_ref()?;
        let issuer = issuers.of(token, &parts_of(token)?).ok()?;
        let former = issuer.former.as_ref()?;
        let mut places = Places::default();
        let verified = issuer.verify(token, &mut places).ok()?;
        let claims = Told::new(verified.claims_json(), verified.claims(), &places);
        check_kind(&claims, Source::Token).ok()?;
        issuer.rule.values.check(&claims.claims).ok()?;
        let subject = former.user_of(&claims, &verified).ok()?;
        Some(FormerUser { subject, claims_json: claims.claims.raw().to_owned() })
    }

    /// Whether any credential of this kind may be accepted.
    pub(crate) fn takes(&self, kind: AccessKind) -> bool {
        let issuers = self.0.issuers.as_ref();
        match kind {
            AccessKind::ApiKey => self.0.api_keys.is_some(),
            AccessKind::Session => issuers.is_some_and(|all| all.sessions().is_some()),
            AccessKind::Jwt => issuers.is_some_and(Issuers::has_others),
            AccessKind::Opaque => self.0.asked.is_some(),
        }
    }

    /// Whether a credential of this kind may have a tenant.
    pub(crate) fn has_tenants(&self, kind: AccessKind) -> bool {
        let mut rules = self.0.rules.values().chain([&self.0.door]);
        match kind {
            AccessKind::ApiKey | AccessKind::Session => true,
            AccessKind::Jwt | AccessKind::Opaque => rules.any(|rule| rule.tenant_claim.is_some()),
        }
    }

    /// The API keys that are accepted.
    pub(crate) fn api_keys(&self) -> Option<&ApiKeys> {
        self.0.api_keys.as_ref()
    }
}

const fn kind_by(issuer: &Issuer) -> AccessKind {
    if issuer.is_sessions { AccessKind::Session } else { AccessKind::Jwt }
}

/// The same refusal of a text that is no token, with what it can be told to be.
#[cold]
fn strange(token: &str, refusal: Error) -> Error {
    recognized(refusal, token.as_bytes(), |form| match form {
        Form::ApiKey => Some(
            "The request brings an API key that is not this project's, or this API takes none: name what verifies them (`api_keys`).",
        ),
        Form::Jwe => Some(
            "The request brings an encrypted token (JWE, five parts): ask the issuer for a signed one, with this API's `audience`.",
        ),
        form => not_a_token(form),
    })
}

/// A credential that does not decide belongs to the tenant that is demanded, or to none.
fn same_tenant(other: Option<&str>, demand: &Demand<'_>) -> Result<()> {
    match (demand.tenant, other) {
        (Some(wanted), Some(tenant)) if tenant != wanted => Err(OTHER_TENANT),
        _ => Ok(()),
    }
}

impl Inner {
    /// By an API key, unless the text cannot be one of our keys: then the authorization server may
    /// know it. Nothing that may be a key of ours gets there, neither one that is revoked nor one
    /// with a typing error.
    fn own_key(&self, text: &str, demand: &Demand<'_>) -> Option<Result<Proven>> {
        let keys = self.api_keys.as_ref()?;
        match self.key(text, demand) {
            Err(error) if error.kind() == ErrorKind::MalformedApiKey => {
                keys.has_form_of_own(text).then_some(Err(error))
            }
            outcome => Some(outcome),
        }
    }

    fn key(&self, text: &str, demand: &Demand<'_>) -> Result<Proven> {
        let keys = self.api_keys.as_ref().ok_or(NO_KEYS)?;
        // No key has signed in, or has claims. It is not used for finding that out.
        let signs_in = !demand.acr_values.is_empty() || demand.max_age.is_some() || demand.fresh;
        let unmet = match demand.claims {
            _ if signs_in => Some(KEY_SIGNED_IN),
            Some(_) => Some(KEY_CLAIMS),
            None => None,
        };
        let cost = if unmet.is_none() { demand.cost.unwrap_or(1) } else { 0 };
        let mut check = Check::new().scopes(demand.scopes).any_scopes(demand.any_scopes).cost(cost);
        if let Some(address) = demand.address {
            check = check.ip(address);
        }
        if let Some(tenant) = demand.tenant {
            check = check.tenant(tenant);
        }
        let grant = keys.verify(text, &check)?;
        if let Some(unmet) = unmet {
            return Err(unmet);
        }
        Ok(Proven::by_key(grant))
    }

    /// A JWT, of the issuer whose it says it is.
    fn jwt_of_any(
        &self,
        issuers: &Issuers,
        token: &str,
        parts: &Compact<'_>,
        demand: &Demand<'_>,
    ) -> Result<Proven> {
        let (mut places, mut chosen) = (Places::default(), None);
        let may_be = |issuer: &Issuer| demand.takes(kind_by(issuer));
        let verified = issuers.verify(token, parts, &mut places, &mut chosen, may_be);
        match chosen {
            Some(issuer) => self.jwt(issuer, verified?, &places, demand),
            // Of whatever issuer it is, it is a JWT.
            None => {
                demand.takes(AccessKind::Jwt)?;
                Err(verified.err().unwrap_or(UNKNOWN))
            }
        }
    }

    fn jwt(
        &self,
        issuer: &Issuer,
        verified: Verified,
        places: &Places,
        demand: &Demand<'_>,
    ) -> Result<Proven> {
        let claims = Told::new(verified.claims_json(), verified.claims(), places);
        check_kind(&claims, Source::Token)?;
        if let Some(former) = &issuer.former {
            return self.former(former, issuer, verified, places, demand);
        }
        // RFC 9068 section 2.2, but for `jti`, which says nothing here.
        if issuer.rule.is_profiled() {
            let missing = |known: &Known| claims.member(*known).is_none();
            let profiled = [Known::Sub, Known::Iat, Known::ClientId];
            if let Some(known) = profiled.into_iter().find(missing) {
                return Err(NOT_PROFILED.about_claim(known.name()));
            }
        }
        let subject = claims.string(Known::Sub);
        if subject.within(verified.claims_json()).is_some_and(str::is_empty) {
            return Err(NO_SUBJECT.about_claim("sub"));
        }
        let client_id = claims::client_id(&claims, Source::Token)?;
        let scopes = claims::scopes(&claims);
        let tenant =
            self.admit(&client_id, &scopes, &claims, demand, (&issuer.rule, issuer.leeway))?;
        let token = Token {
            issuer: Some(&issuer.name).filter(|name| !name.is_empty()).map(Arc::clone),
            subject,
            tenant,
            client_id,
            session: if issuer.is_sessions { claims.string(Known::Sid) } else { Text::Nothing },
            scopes,
            expires_at: verified.expires_at().and_then(|end| u64::try_from(end).ok()),
            claims: Claims::Signed(verified),
        };
        Ok(Proven::by_token(kind_by(issuer), token))
    }

    /// By a token of what the service had before, whose user the program has looked up.
    fn former(
        &self,
        former: &Former,
        issuer: &Issuer,
        verified: Verified,
        places: &Places,
        demand: &Demand<'_>,
    ) -> Result<Proven> {
        let claims = Told::new(verified.claims_json(), verified.claims(), places);
        let subject = former.user_of(&claims, &verified)?;
        let user = demand.user.filter(|user| user.subject == subject);
        let scopes = user.ok_or(former::NOT_ACTIVE)?.scopes;
        let scopes = Granted::Own(scopes.iter().map(|scope| (*scope).into()).collect());
        let tenant =
            self.admit(&Text::Nothing, &scopes, &claims, demand, (&issuer.rule, issuer.leeway))?;
        let token = Token {
            issuer: Some(&issuer.name).filter(|name| !name.is_empty()).map(Arc::clone),
            subject: Text::own(subject),
            tenant,
            client_id: Text::Nothing,
            session: Text::Nothing,
            scopes,
            expires_at: verified.expires_at().and_then(|end| u64::try_from(end).ok()),
            claims: Claims::Signed(verified),
        };
        Ok(Proven::by_token(AccessKind::Jwt, token))
    }

    fn opaque(&self, asked: &Asked, token: &str, demand: &Demand<'_>) -> Result<Proven> {
        let answer = asked.about(&Secret::from(token.to_owned()))?;
        if !answer.active {
            return Err(ErrorKind::TokenInactive.into());
        }
        let (mut places, text) = (Places::default(), &answer.claims_json);
        let claims = Told::new(text, mark(text, &mut places)?, &places);
        check_kind(&claims, Source::Answer)?;
        let server = asked.issuer();
        let named = claims.claims.given("iss").and_then(|issuer| issuer.as_str());
        let issuer = named.map(Cow::into_owned).or_else(|| server.map(str::to_owned));
        let rule_of = |issuer: Option<&str>| issuer.and_then(|issuer| self.rules.get(issuer));
        let rule = rule_of(issuer.as_deref()).or_else(|| rule_of(server)).unwrap_or(&self.door);
        match claims::audience(&claims.claims, &rule.audiences) {
            _ if rule.any_audience => {}
            Some(true) => {}
            None if !asked.wants_audience() => {}
            None => return Err(NO_AUDIENCE.about_claim("aud")),
            Some(false) => return Err(ErrorKind::InvalidAudience.into()),
        }
        let leeway = rule.leeway.unwrap_or(LEEWAY);
        if let Some(list) = &self.revocations {
            check_introspected(&**list, &answer.claims_json, server, &*self.clock, leeway)?;
        }
        if let (Some(server), Some(named)) = (server, &issuer)
            && server != named
        {
            return Err(OTHER_ISSUER.comparing("iss", named, server));
        }
        let client_id = claims::client_id(&claims, Source::Answer)?;
        let scopes = claims::scopes(&claims);
        let tenant = self.admit(&client_id, &scopes, &claims, demand, (rule, leeway))?;
        let token = Token {
            issuer: issuer.map(Into::into),
            subject: answer.subject.as_deref().map_or(Text::Nothing, Text::own),
            tenant,
            client_id,
            session: Text::Nothing,
            scopes,
            expires_at: answer.expires_at,
            claims: Claims::Answered(answer),
        };
        Ok(Proven::by_token(AccessKind::Opaque, token))
    }

    /// Checks a good token by whose tokens are accepted, and by what the call demands. Its tenant.
    fn admit(
        &self,
        client: &Text,
        scopes: &Granted,
        claims: &Told<'_>,
        demand: &Demand<'_>,
        (rule, leeway): (&DoorRule, u64),
    ) -> Result<Text> {
        let text = claims.text;
        let tenant = claims::tenant(claims, rule.tenant_claim.as_deref());
        rule.check_client(client.within(text))?;
        rule.values.check(&claims.claims)?;
        let named = tenant.within(text);
        if demand.tenant.is_some() && demand.tenant != named {
            return Err(match (&rule.tenant_claim, named) {
                (None, _) => NO_TENANT_CLAIM,
                (Some(_), None) => NO_TENANT,
                (Some(_), Some(_)) => OTHER_TENANT,
            });
        }
        let has = |wanted: &&str| scopes.has(text, wanted);
        if !demand.scopes.iter().all(has) {
            return Err(lacking(demand.scopes));
        }
        if !demand.any_scopes.is_empty() && !demand.any_scopes.iter().any(has) {
            return Err(lacking(demand.any_scopes));
        }
        demand.claims.map_or(Ok(()), |wanted| wanted.check(&claims.claims))?;
        self.check_sign_in(claims, demand, leeway)?;
        Ok(tenant)
    }

    /// How, and when, the user has signed in (RFC 9470).
    fn check_sign_in(&self, claims: &Told<'_>, demand: &Demand<'_>, leeway: u64) -> Result<()> {
        if !demand.acr_values.is_empty() {
            let acr = claims.given(Known::Acr).ok_or_else(|| NO_ACR.about_claim("acr"))?;
            if !acr.as_str().is_some_and(|acr| demand.acr_values.contains(&&*acr)) {
                return Err(ErrorKind::InsufficientAuthentication.into());
            }
        }
        if let Some(max_age) = demand.max_age {
            let at = claims.given(Known::AuthTime);
            let at = at.ok_or_else(|| NO_AUTH_TIME.about_claim("auth_time"))?.as_f64();
            let now = plausible(self.clock.now())?;
            #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
            let oldest = now.saturating_sub(max_age.saturating_add(leeway)) as f64;
            #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
            let latest = now.saturating_add(leeway) as f64;
            if !at.is_some_and(|at| (oldest..=latest).contains(&at)) {
                return Err(ErrorKind::InsufficientAuthentication.into());
            }
        }
        if demand.fresh {
            let date = |known: Known| {
                let value = claims.given(known).and_then(|date| date.as_f64());
                value.ok_or_else(|| NO_AUTH_TIME.about_claim(known.name()))
            };
            // As long as it may take from the sign-in to the token.
            if date(Known::Iat)? - date(Known::AuthTime)? > AT_ONCE {
                return Err(NOT_FRESH);
            }
        }
        Ok(())
    }
}

/// How many seconds after a sign-in the token of it is issued at the latest, and not one of a
/// refresh.
const AT_ONCE: f64 = 60.0;

const TWO: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The request brings a token and an API key: exactly one is accepted, unless the API says which decides (`decided_by`).",
);
const NO_JWTS: &str = "The request brings a JWT, and this API takes API keys alone: name the `issuer` whose tokens it shall take.";
const NEITHER: Error = Error::new(
    ErrorKind::MalformedToken,
    "The request brings neither a JWT nor an API key of this project's: for opaque tokens, name who is asked about them (`introspection`).",
);
const OPAQUE: Error = Error::new(
    ErrorKind::MalformedToken,
    "The token is not a JWT, and this API takes nothing else: for opaque tokens, name who is asked about them (`introspection`).",
);
const NO_KEY: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request brings no API key in the place for it, and here the API key decides (`decided_by`).",
);
const NO_TOKEN: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request brings no `Authorization: Bearer` or `Api-Key`, and here that one decides (`decided_by`).",
);
const NO_KEYS: Error = Error::new(
    ErrorKind::UnknownApiKey,
    "The request brings an API key, and this API has none (`api_keys`).",
);
const NO_SUBJECT: Error =
    Error::new(ErrorKind::InvalidClaim, "The token has no subject: its `sub` is there and empty.");
const NOT_PROFILED: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token lacks a claim of RFC 9068. Of an issuer that does not follow it, name the `typ` of its access tokens in `token_types`.",
);
const NO_AUDIENCE: Error = Error::new(
    ErrorKind::InvalidAudience,
    "The authorization server does not say whom the token is for (`aud`). If all of its tokens are for this API, do not require an audience of introspection.",
);
const NO_ACR: Error = Error::new(
    ErrorKind::InsufficientAuthentication,
    "The call demands `acr_values`, and the token has no `acr`: signing in again does not help unless the issuer puts it into access tokens.",
);
const NO_AUTH_TIME: Error = Error::new(
    ErrorKind::InsufficientAuthentication,
    "The call demands a `max_age`, and the token has no `auth_time`: signing in again does not help unless the issuer puts it into access tokens.",
);
const KEY_SIGNED_IN: Error = Error::new(
    ErrorKind::InsufficientAuthentication,
    "The call demands `max_age` or `acr_values`, and an API key has not signed in: let it in without, or take tokens only.",
);
const KEY_CLAIMS: Error = Error::new(
    ErrorKind::InsufficientAuthentication,
    "The call demands claims, and an API key has none: let it in without, or take tokens only.",
);
const NOT_FRESH: Error = Error::new(
    ErrorKind::InsufficientAuthentication,
    "The call demands a token of the sign-in itself, and this one is of a refresh: the user signs in again.",
);
const NO_SESSIONS: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request brings the cookie of a session, and the guard was given no sessions with a signer.",
);
const NO_TENANT_CLAIM: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The call demands a tenant, and which claim of a token is its tenant is not said: set `tenant_claim`.",
);
const NO_TENANT: Error = Error::new(
    ErrorKind::MissingClaim,
    "The call demands a tenant, and the token names none by the claim that is `tenant_claim`.",
);
const OTHER_ISSUER: Error = Error::new(
    ErrorKind::InvalidIssuer,
    "The authorization server says that the token is of another issuer than the one that its client is configured with.",
);
const OTHER_TENANT: Error =
    Error::new(ErrorKind::InvalidClaim, "The credential belongs to another tenant than demanded.");

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers: Vec<_> = self.0.issuers.iter().flat_map(Issuers::names).collect();
        f.debug_struct("ResourceServer")
            .field("audience", &self.0.audience)
            .field("issuers", &issuers)
            .field("introspects", &self.0.asked.is_some())
            .field("api_keys", &self.0.api_keys.is_some())
            .finish_non_exhaustive()
    }
}
