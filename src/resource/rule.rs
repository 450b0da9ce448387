//! `DoorRule`: what is accepted of the tokens of an issuer. A door has one for all of its issuers,
//! and may have another for each of them.

use crate::base::json::fields::Field;
use crate::base::json::{Kind, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Alg;
use crate::jwt::{ClaimValues, Policy};

/// What is accepted of one issuer's tokens, instead of what the door accepts of all: see
/// [`ResourceServerBuilder::issuer_rule`](super::ResourceServerBuilder::issuer_rule). What is not
/// set here is as the door has it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct DoorRule {
    pub(super) audiences: Vec<String>,
    pub(super) any_audience: bool,
    /// `None` for those of any client.
    pub(super) clients: Option<Vec<String>>,
    pub(super) types: Vec<String>,
    pub(super) untyped: bool,
    /// Names, and values as JSON text.
    claims: Option<Vec<(String, String)>>,
    /// The same, once the rule is checked.
    pub(super) values: ClaimValues,
    pub(super) algorithms: Option<Vec<Alg>>,
    pub(super) leeway: Option<u64>,
    pub(super) tenant_claim: Option<String>,
}

impl DoorRule {
    /// Nothing but what the door says.
    pub fn new() -> Self {
        Self::default()
    }

    /// The issuer's tokens must name this audience; several calls, one of several.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// They may be for any audience and for none; only with clients that are named, here or for the
    /// whole door.
    pub const fn any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// They must be of this client, by `client_id`, `cid` or `appid`; several calls, several
    /// clients.
    pub fn client(mut self, client_id: impl Into<String>) -> Self {
        self.clients.get_or_insert_default().push(client_id.into());
        self
    }

    /// They have this `typ` instead of `at+jwt`; several calls, several types.
    pub fn token_type(mut self, typ: impl Into<String>) -> Self {
        self.types.push(typ.into());
        self
    }

    /// They may have no `typ`.
    pub const fn allow_missing_type(mut self) -> Self {
        self.untyped = true;
        self
    }

    /// Their claim of this name has this value, given as JSON text; several calls of one name, any
    /// of the values ([`Policy::expect_claim`]). Of opaque tokens, the answer's member.
    pub fn claim(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.claims.get_or_insert_default().push((name.into(), json.into()));
        self
    }

    /// They are signed with one of these algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Alg>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// How many seconds the issuer's clock may be off; 600 at most.
    pub const fn leeway(mut self, seconds: u64) -> Self {
        self.leeway = Some(seconds);
        self
    }

    /// The claim that names a token's tenant.
    pub fn tenant_claim(mut self, name: impl Into<String>) -> Self {
        self.tenant_claim = Some(name.into());
        self
    }

    /// Takes over a member of a rule in JSON.
    pub(super) fn member(&mut self, field: &Field<'_>) -> Result<()> {
        match field.name() {
            "audience" if field.value().kind() == Kind::String => {
                self.audiences = vec![field.text()?];
            }
            "audience" => {
                self.audiences = field.texts()?;
                if self.audiences.is_empty() {
                    return Err(field.refused(NO_AUDIENCE));
                }
            }
            "any_audience" => self.any_audience = field.flag()?,
            "clients" => self.clients = Some(field.texts()?),
            "token_types" => (self.types, self.untyped) = token_types(field)?,
            "claims" => self.claims = Some(field.texts_by_name()?),
            "algorithms" => self.algorithms = Some(field.names(Alg::from_name)?),
            "leeway" => self.leeway = Some(field.number()?),
            "tenant_claim" => self.tenant_claim = Some(field.text()?),
            _ => return Err(field.unknown()),
        }
        Ok(())
    }

    /// This, with what the door says where this says nothing.
    pub(super) fn over(&self, door: &Self) -> Self {
        let mut all = self.clone();
        if !all.any_audience && all.audiences.is_empty() {
            (all.any_audience, all.audiences) = (door.any_audience, door.audiences.clone());
        }
        if all.types.is_empty() && !all.untyped {
            (all.types, all.untyped) = (door.types.clone(), door.untyped);
        }
        all.claims = all.claims.or_else(|| door.claims.clone());
        all.clients = all.clients.or_else(|| door.clients.clone());
        all.algorithms = all.algorithms.or_else(|| door.algorithms.clone());
        all.leeway = all.leeway.or(door.leeway);
        all.tenant_claim = all.tenant_claim.or_else(|| door.tenant_claim.clone());
        all
    }

    /// This, ready for use; a whole rule that contradicts itself, or accepts too much, is refused.
    pub(super) fn checked(mut self) -> Result<Self> {
        let is_empty = |all: &Vec<String>| all.is_empty() || all.contains(&String::new());
        if self.clients.as_ref().is_some_and(is_empty) {
            return Err(EMPTY_CLIENTS.about_claim("clients"));
        }
        if self.any_audience && self.clients.is_none() {
            return Err(ANY_CLIENT.about_claim("clients"));
        }
        let is_good = |audience: &String| (1..=1024).contains(&audience.len());
        let is_named = !self.audiences.is_empty() && self.audiences.iter().all(is_good);
        if !self.any_audience && !is_named {
            return Err(NO_AUDIENCE.about_claim("audience"));
        }
        if self.leeway.is_some_and(|leeway| leeway > Policy::MAX_LEEWAY) {
            return Err(LONG_LEEWAY.about_claim("leeway"));
        }
        if self.types.iter().any(String::is_empty) {
            return Err(EMPTY_TYPE.about_claim("token_types"));
        }
        if self.tenant_claim.as_ref().is_some_and(String::is_empty) {
            return Err(EMPTY_TENANT_CLAIM.about_claim("tenant_claim"));
        }
        let demand = |(name, json): &(String, String)| self.values.demand(name, json);
        let demanded =
            self.claims.iter().flatten().try_for_each(demand).and_then(|()| self.values.validate());
        demanded.map_err(|error| error.with_kind(ErrorKind::InvalidConfiguration))?;
        Ok(self)
    }

    /// What the rule demands of a token before its claims are looked at more closely.
    pub(super) fn policy(&self, issuer: Option<&str>, leeway: u64) -> Policy {
        let mut policy =
            Policy::new().leeway(leeway).try_keys_without_kid().empty_audience_is_absent();
        if let Some(issuer) = issuer {
            policy = policy.expect_issuer(issuer);
        }
        if self.any_audience {
            policy = policy.ignore_audience();
        } else {
            policy = self.audiences.iter().cloned().fold(policy, Policy::expect_audience);
        }
        if self.untyped {
            policy = policy.allow_missing_type();
        } else if self.types.is_empty() {
            policy = policy.expect_type("at+jwt");
        }
        policy = self.types.iter().cloned().fold(policy, Policy::expect_type);
        match &self.algorithms {
            Some(algorithms) => policy.algorithms(algorithms.iter().copied()),
            None => policy,
        }
    }

    /// Whether tokens must be those of RFC 9068, with all its claims.
    pub(super) const fn is_profiled(&self) -> bool {
        self.types.is_empty() && !self.untyped
    }

    pub(super) fn check_client(&self, client: Option<&str>) -> Result<()> {
        let Some(clients) = &self.clients else { return Ok(()) };
        match client {
            None => Err(NO_CLIENT.about_claim("client_id")),
            Some(client) if clients.iter().any(|known| known == client) => Ok(()),
            Some(_) => Err(OTHER_CLIENT.about_claim("client_id")),
        }
    }
}

/// The types that are named, and whether tokens without one are accepted.
fn token_types(field: &Field<'_>) -> Result<(Vec<String>, bool)> {
    let (mut types, mut untyped) = (Vec::new(), false);
    if field.value().kind() != Kind::Array {
        return Err(field.refused(NO_TYPES));
    }
    for value in field.value().elements() {
        match Value::as_str(&value) {
            Some(typ) => types.push(typ.into_owned()),
            None if value.kind() == Kind::Null => untyped = true,
            None => return Err(field.refused(NO_TYPES)),
        }
    }
    if types.is_empty() && !untyped {
        return Err(field.refused(NO_TYPES));
    }
    Ok((types, untyped))
}

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NO_TYPES: Error = refusal(
    "The token types are a list of what is accepted, with `null` (Python: None) for tokens without one; leave the list out for `at+jwt` alone.",
);
const EMPTY_TYPE: Error = refusal(
    "A token type is empty: put `null` (Python: None) into the list for tokens without `typ`, or name the type.",
);
const NO_AUDIENCE: Error = refusal(
    "A resource server needs the identifier that tokens name as their audience, of 1 to 1024 bytes; where they name none, say that any is accepted.",
);
const ANY_CLIENT: Error = refusal(
    "Any audience is accepted, and the clients are not named: every token of the issuer would open this API. Name in `clients` whose tokens do.",
);
const EMPTY_CLIENTS: Error = refusal(
    "The list of clients is empty, or one has no name; leave it out to accept the tokens of every client.",
);
const LONG_LEEWAY: Error =
    refusal("The leeway is more than 600 seconds; correct the clocks instead.");
const EMPTY_TENANT_CLAIM: Error =
    refusal("The name of the claim for tenants is empty; leave it out, or name a claim.");
const NO_CLIENT: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token names no client by `client_id`, `cid` or `appid`, and only those of `clients` are accepted.",
);
const OTHER_CLIENT: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The token was issued to a client that is not in `clients` (`client_id`).",
);
