//! What a route demands of its caller: made once, when the route is, and hung on the route itself.
//! Nothing is decided by a path or a method's name.

use super::limit::Limit;
use crate::base::text::{is_plain, is_scope};
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::ClaimValues;
use crate::resource;
pub use crate::resource::AccessKind;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The most scopes, and the most `acr` values, that one demand names.
pub(super) const MOST: usize = 16;

/// What a route demands of its caller. Made once, cheap to clone, safe to share.
///
/// ```
/// use gatekey::guard::{AccessKind, Demand};
///
/// let read = Demand::builder().scopes(["orders:read"]).build()?;
/// let admin = Demand::builder().kinds([AccessKind::Session]).max_age(300).build()?;
/// let log_in = Demand::builder().public().limit("log-in", "5/min").build()?;
/// assert!(Demand::builder().scopes(["two scopes"]).build().is_err());
/// # Ok::<(), gatekey::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Demand {
    pub(super) inner: Arc<Demanded>,
    pub(super) tenant: Option<Arc<str>>,
}

#[derive(Clone, Default)]
pub(super) struct Demanded {
    /// Empty for all.
    pub(super) kinds: Vec<AccessKind>,
    pub(super) scopes: Vec<String>,
    pub(super) any_scopes: Vec<String>,
    pub(super) claims: Option<ClaimValues>,
    pub(super) acr_values: Vec<String>,
    pub(super) max_age: Option<u64>,
    pub(super) fresh: bool,
    pub(super) cost: Option<u32>,
    pub(super) csrf: CsrfRule,
    pub(super) own_pages: bool,
    pub(super) limits: Vec<Limit>,
    pub(super) callers: Callers,
    pub(super) pair: Option<Pair>,
    pub(super) fits: Fits,
}

/// The guard that has found last that it can meet the demand; 0 for none.
#[derive(Default)]
pub(super) struct Fits(pub(super) AtomicU64);

/// Of a copy, which is to be changed, it is not known.
impl Clone for Fits {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Whether there must be a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Callers {
    #[default]
    Known,
    /// Nobody, or one who is known.
    Optional,
    /// Credentials are not looked at.
    Public,
}

/// When a request that a cookie proves must show that no other site has caused it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CsrfRule {
    /// With methods that may change something, and when a websocket is opened.
    #[default]
    Unsafe,
    Always,
    Never,
}

/// A second credential that a request must bring, and how the two belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Pair {
    pub(super) kinds: Vec<AccessKind>,
    pub(super) same_tenant: bool,
    pub(super) same_subject: bool,
}

impl Pair {
    /// A second credential of one of these kinds, such as an API key beside a user's session. It
    /// must be good; nothing of what it may do is granted.
    pub fn with(kinds: impl IntoIterator<Item = AccessKind>) -> Self {
        let kinds = kinds.into_iter().collect();
        Self { kinds, same_tenant: false, same_subject: false }
    }

    /// Both belong to one tenant, and neither to none.
    pub const fn same_tenant(mut self) -> Self {
        self.same_tenant = true;
        self
    }

    /// Both name one subject: an API key's owner is the other's subject. Tenants are the same too,
    /// or both have none.
    pub const fn same_subject(mut self) -> Self {
        self.same_subject = true;
        self
    }
}

/// How a [`Demand`] is made; see [`Demand::builder`].
#[derive(Clone, Default)]
#[must_use]
pub struct DemandBuilder {
    demanded: Demanded,
    tenant: Option<String>,
    claims: Vec<(String, String)>,
    limits: Vec<(String, String)>,
    /// A list that was given and is empty: it would demand nothing.
    empty: Option<&'static str>,
    /// Both were said.
    public_and_optional: bool,
}

impl DemandBuilder {
    /// The kinds of credentials that are taken; all that the guard knows unless set. One of another
    /// kind is refused before anything of it is looked at.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = AccessKind>) -> Self {
        self.demanded.kinds = kinds.into_iter().collect();
        if self.demanded.kinds.is_empty() {
            self.empty = Some("kinds");
        }
        self
    }

    /// Every one of these must have been granted; at most 16.
    pub fn scopes<T: Into<String>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.demanded.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// At least one of these must have been granted; at most 16.
    pub fn any_scopes<T: Into<String>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.demanded.any_scopes.extend(scopes.into_iter().map(Into::into));
        if self.demanded.any_scopes.is_empty() {
            self.empty = Some("any_scopes");
        }
        self
    }

    /// The tenant that the caller must belong to; see [`Demand::in_tenant`] for one that a request
    /// names.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// A claim that must have this value, given as JSON text; several calls of one name, any of the
    /// values. API keys have no claims.
    pub fn claim(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.claims.push((name.into(), json.into()));
        self
    }

    /// One of these must be how the user signed in (`acr`, RFC 9470); at most 16.
    pub fn acr_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        let before = self.demanded.acr_values.len();
        self.demanded.acr_values.extend(values.into_iter().map(Into::into));
        if self.demanded.acr_values.len() == before {
            self.empty = Some("acr_values");
        }
        self
    }

    /// The user must have signed in within this many seconds (`auth_time`, RFC 9470). Sessions of
    /// our own say when they were started.
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.demanded.max_age = Some(seconds);
        self
    }

    /// The token must be of the sign-in itself, and not of a refresh (`auth_time` and `iat` are at
    /// most 60 s apart).
    pub const fn fresh(mut self) -> Self {
        self.demanded.fresh = true;
        self
    }

    /// How many units of an API key's rate and credits the call takes; 1 unless set, 0 takes none.
    /// Refused where no API key is taken, unless it is 0.
    pub const fn cost(mut self, units: u32) -> Self {
        self.demanded.cost = Some(units);
        self
    }

    /// How often this may be done from one address, such as `5/min`. Demands whose limits have one
    /// name count together, whatever the route, so that they must have one rate. An IPv6 network of
    /// 64 bits is one address. Taken when everything else has passed.
    pub fn limit(mut self, name: impl Into<String>, rate: impl Into<String>) -> Self {
        self.limits.push((name.into(), rate.into()));
        self
    }

    /// A CSRF token with every method, and not only with those that may change something.
    pub const fn csrf_always(mut self) -> Self {
        self.demanded.csrf = CsrfRule::Always;
        self
    }

    /// Callers who are not known change something from our own pages alone: for the forms of
    /// log-ins, which no cookie proves, so that no other site logs its visitors in as a user of its
    /// choice. By what the browser says of where a request comes from or, if it says nothing, by a
    /// CSRF token ([`Guard::form_token`](super::Guard::form_token)). For demands that are
    /// [`Self::public`] or [`Self::optional`].
    pub const fn own_pages(mut self) -> Self {
        self.demanded.own_pages = true;
        self
    }

    /// No check for forged requests.
    ///
    /// # Security
    /// Any page that the user's browser shows can do this in the user's name.
    pub const fn danger_no_csrf(mut self) -> Self {
        self.demanded.csrf = CsrfRule::Never;
        self
    }

    /// Lets in who brings no credential; one that is there must be good.
    pub fn optional(mut self) -> Self {
        self.public_and_optional |= self.demanded.callers == Callers::Public;
        self.demanded.callers = Callers::Optional;
        self
    }

    /// Lets in everybody, and looks at no credential: for log-ins and health checks. Limits hold.
    pub fn public(mut self) -> Self {
        self.public_and_optional |= self.demanded.callers == Callers::Optional;
        self.demanded.callers = Callers::Public;
        self
    }

    /// Takes two credentials: this demand is about the one whose kind [`Self::kinds`] names, and
    /// the other is this one. Both must be there.
    pub fn pair(mut self, pair: Pair) -> Self {
        self.demanded.pair = Some(pair);
        self
    }

    /// The demand.
    ///
    /// # Errors
    /// `InvalidConfiguration`: a scope, tenant, claim, `acr` value or limit that can never be met,
    /// a list of kinds, of `acr` values or of scopes of which one is demanded that is empty, or
    /// demands that contradict each other; the error's claim names it. A claim, `acr` value, age or
    /// sign-in of API keys alone; a cost where no API key is taken; a CSRF token of a public
    /// demand, which nothing proves; a limit twice. What only a guard can tell is told by
    /// [`Guard::check_demand`](super::Guard::check_demand).
    pub fn build(self) -> Result<Demand> {
        let mut demanded = self.demanded;
        if let Some(list) = self.empty {
            return Err(EMPTY.about_claim(list));
        }
        if self.public_and_optional {
            return Err(BOTH.about_claim("optional"));
        }
        for (scopes, name) in [(&demanded.scopes, "scopes"), (&demanded.any_scopes, "any_scopes")] {
            if scopes.len() > MOST || !scopes.iter().all(|scope| is_scope(scope, 255)) {
                return Err(SCOPES.about_claim(name));
            }
        }
        let acr = &demanded.acr_values;
        if acr.len() > MOST || !acr.iter().all(|value| is_scope(value, 255)) {
            return Err(ACR.about_claim("acr_values"));
        }
        if self.tenant.as_ref().is_some_and(|tenant| !is_plain(tenant, 255)) {
            return Err(TENANT.about_claim("tenant"));
        }
        if !self.claims.is_empty() {
            let mut values = ClaimValues::default();
            let demand = |(name, json): &(String, String)| values.demand(name, json);
            let read = self.claims.iter().try_for_each(demand).and_then(|()| values.validate());
            read.map_err(|error| error.with_kind(ErrorKind::InvalidConfiguration))?;
            demanded.claims = Some(values);
        }
        for (name, rate) in &self.limits {
            let limit = Limit::new(name, rate)?;
            if demanded.limits.iter().any(|other| other.is_named_as(&limit)) {
                return Err(LIMIT_TWICE.about_claim("limit"));
            }
            demanded.limits.push(limit);
        }
        demanded.check(self.tenant.is_some())?;
        Ok(Demand { inner: Arc::new(demanded), tenant: self.tenant.map(Into::into) })
    }
}

impl Demanded {
    fn check(&self, names_tenant: bool) -> Result<()> {
        if let Some(pair) = &self.pair {
            let overlaps = pair.kinds.iter().any(|kind| self.kinds.contains(kind));
            if self.kinds.is_empty() || pair.kinds.is_empty() || overlaps {
                return Err(PAIR.about_claim("pair"));
            }
        }
        let wants_caller = names_tenant
            || self.fresh
            || self.max_age.is_some()
            || self.claims.is_some()
            || self.pair.is_some()
            || !(self.kinds.is_empty() && self.scopes.is_empty() && self.any_scopes.is_empty())
            || !self.acr_values.is_empty();
        if self.callers == Callers::Public && wants_caller {
            return Err(PUBLIC.about_claim("public"));
        }
        let pays = self.cost.is_some_and(|units| units > 0);
        if self.callers == Callers::Public && pays {
            return Err(PUBLIC.about_claim("cost"));
        }
        if self.callers == Callers::Public && self.csrf == CsrfRule::Always {
            return Err(PUBLIC_CSRF.about_claim("csrf"));
        }
        if self.is_of_users() && !self.kinds.is_empty() && self.kinds.iter().all(is_key) {
            return Err(KEYS_ALONE.about_claim("kinds"));
        }
        let mut taken = self.kinds.iter().chain(self.pair.iter().flat_map(|pair| &pair.kinds));
        if pays && !self.kinds.is_empty() && !taken.any(is_key) {
            return Err(NOBODY_PAYS.about_claim("cost"));
        }
        if self.own_pages && self.callers == Callers::Known {
            return Err(OWN_PAGES.about_claim("own_pages"));
        }
        if self.callers == Callers::Optional && self.pair.is_some() {
            return Err(PAIR_OPTIONAL.about_claim("pair"));
        }
        Ok(())
    }
}

impl Demanded {
    /// Whether it demands what no API key has: claims, or a sign-in.
    pub(super) fn is_of_users(&self) -> bool {
        let signs_in = self.fresh || self.max_age.is_some() || !self.acr_values.is_empty();
        signs_in || self.claims.is_some()
    }
}

/// Whether it is that of API keys.
pub(super) fn is_key(kind: &AccessKind) -> bool {
    *kind == AccessKind::ApiKey
}

impl Demand {
    /// Any caller that is known.
    pub fn builder() -> DemandBuilder {
        DemandBuilder::default()
    }

    /// The same, of callers of this tenant: for a tenant that the request names, such as in its
    /// path. A tenant without a name is nobody's.
    pub fn in_tenant(&self, tenant: &str) -> Self {
        Self { inner: Arc::clone(&self.inner), tenant: Some(tenant.into()) }
    }

    /// Whether everybody is let in, without a look at credentials.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.inner.callers == Callers::Public
    }

    /// The kinds of credentials that are taken; none for all.
    #[must_use]
    pub fn kinds(&self) -> &[AccessKind] {
        &self.inner.kinds
    }

    /// The scopes that must all have been granted.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.inner.scopes
    }

    /// The scopes of which one must have been granted.
    #[must_use]
    pub fn any_scopes(&self) -> &[String] {
        &self.inner.any_scopes
    }
}

/// The texts of a demand as slices, one after the other; without an allocation where they are few.
pub(super) struct Slices<'d> {
    few: [&'d str; FEW],
    more: Vec<&'d str>,
}

/// How many texts need no allocation.
const FEW: usize = 6;

impl<'d> Slices<'d> {
    #[inline]
    pub(super) fn of(demand: &'d Demand) -> Self {
        let inner = &*demand.inner;
        let lists = [&inner.scopes, &inner.any_scopes, &inner.acr_values];
        let all = || lists.into_iter().flatten().map(|text| &**text);
        let mut few = [""; FEW];
        if lists.iter().map(|list| list.len()).sum::<usize>() > FEW {
            return Self { few, more: all().collect() };
        }
        few.iter_mut().zip(all()).for_each(|(place, text)| *place = text);
        Self { few, more: Vec::new() }
    }

    /// As the resource server has it.
    pub(super) fn demand(&self, demand: &'d Demand) -> resource::Demand<'_> {
        let inner = &*demand.inner;
        let all = if self.more.is_empty() { &self.few[..] } else { &self.more };
        let (scopes, rest) = all.split_at_checked(inner.scopes.len()).unwrap_or_default();
        let (any_scopes, rest) = rest.split_at_checked(inner.any_scopes.len()).unwrap_or_default();
        resource::Demand {
            scopes,
            any_scopes,
            acr_values: rest.get(..inner.acr_values.len()).unwrap_or_default(),
            max_age: inner.max_age,
            fresh: inner.fresh,
            claims: inner.claims.as_ref(),
            tenant: demand.tenant.as_deref(),
            kinds: &inner.kinds,
            cost: inner.cost,
            ..resource::Demand::default()
        }
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demand")
            .field("kinds", &self.inner.kinds)
            .field("scopes", &self.inner.scopes)
            .field("any_scopes", &self.inner.any_scopes)
            .field("callers", &self.inner.callers)
            .finish_non_exhaustive()
    }
}

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const EMPTY: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "A list of what is demanded is empty, and would demand nothing: name at least one, or leave it out.",
);
const SCOPES: Error = refusal(
    "A demand names at most 16 scopes, each on its own: visible ASCII without spaces, quotes and backslashes (RFC 6749).",
);
const ACR: Error = refusal(
    "A demand names at most 16 `acr` values, each on its own: visible ASCII without spaces, quotes and backslashes.",
);
const TENANT: Error = refusal("A tenant has 1 to 255 bytes, without control characters.");
const PAIR: Error = refusal(
    "A pair needs kinds on both sides, and none on both: `kinds` says which credential decides, the pair says what the other is.",
);
const PAIR_OPTIONAL: Error = refusal(
    "A demand for two credentials is not optional; make a second route for callers without.",
);
const OWN_PAGES: Error = refusal(
    "Own pages are demanded of callers who are not known: with `public` or `optional`. One whom a cookie proves must show it anyway.",
);
const BOTH: Error = refusal(
    "A demand is `public` (no credential is looked at) or `optional` (one that is there must be good), and not both: leave one out.",
);
const PUBLIC_CSRF: Error = refusal(
    "A public demand has no session whose CSRF token could be asked for; demand `own_pages`, which is for callers who are not known.",
);
pub(super) const KEYS_ALONE: Error = refusal(
    "API keys alone are taken, and what is demanded no API key has: claims, `acr_values`, `max_age`, `fresh`. Take another kind, or leave it out.",
);
const NOBODY_PAYS: Error = refusal(
    "A `cost` is paid by API keys, and none is taken: add `api_key` to the kinds, or leave the cost out.",
);
const LIMIT_TWICE: Error = refusal(
    "A demand names a limit twice, and limits of one name count together; give the other another name.",
);
const PUBLIC: Error = refusal(
    "A public demand looks at no credential, so that it cannot demand anything of the caller but limits; `optional` can.",
);
