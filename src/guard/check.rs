//! The decision itself, in this order: the request's form, the credentials that it brings, the
//! limits of the action, the proof with all that is demanded, what a cookie's request must show,
//! and what an API key is to pay. What was taken from a limit is given back if anything after it
//! refuses.

use super::access::{Access, Known, ProvedBy};
use super::credential::{Credential, Found};
use super::decision::{Decision, Headers, Rated};
use super::demand::{Callers, CsrfRule, Demand, Pair, Slices};
use super::limit::TakenAll;
use super::request::{Read, Request};
use super::{Guard, Inner};
use crate::apikey::RateLeft;
use crate::base::reach::in_memory;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::resource::{self, AccessKind};
use core::net::IpAddr;
use std::sync::Arc;

/// What of a request is known before anything is proved.
struct Asked<'a, 'r> {
    request: &'a Request<'r>,
    read: &'a Read<'r>,
    demand: &'a Demand,
    address: Option<IpAddr>,
}

impl Guard {
    /// Decides a request. May wait for the store or another server; see [`Self::try_check`].
    pub fn check(&self, request: &Request<'_>, demand: &Demand) -> Decision {
        let inner = &*self.0;
        let mut taken = TakenAll::default();
        match inner.decide(request, demand, &mut taken) {
            Ok(access) => {
                let mut headers = Headers::default();
                if let Some(known) = access.known() {
                    headers.rates(inner.rates(known, demand, &taken));
                }
                Decision::allow(&inner.vary, access, headers)
            }
            Err(refusal) => {
                taken.iter().for_each(|taken| inner.limiter.give_back(taken));
                inner.refuse(refusal, demand)
            }
        }
    }

    /// Who makes a request, by the socket and the proxies that are trusted, as far as that can be
    /// known: for the log.
    #[must_use]
    pub fn address_of(&self, request: &Request<'_>) -> Option<IpAddr> {
        let read = request.read(&self.0.names).unwrap_or_default();
        self.0.caller(request, &read)
    }

    /// The answer where a request could not be decided, because what [`transport::attempt`] has
    /// asked for was not to be had: for loops that ask themselves.
    ///
    /// [`transport::attempt`]: crate::transport::attempt
    pub fn refuse(&self, error: Error, demand: &Demand) -> Decision {
        self.0.refuse(error.into(), demand)
    }

    /// [`Self::check`] from memory alone. `None`: a store, a slow hash or another server is to be
    /// asked, and nothing was taken; then let [`Self::check`] decide where it may wait. For event
    /// loops.
    #[must_use]
    pub fn try_check(&self, request: &Request<'_>, demand: &Demand) -> Option<Decision> {
        in_memory(|| self.check(request, demand))
    }
}

/// Why not, and whether the session is over by what a cookie brought.
pub(super) struct Refusal {
    pub(super) error: Box<Error>,
    pub(super) ends_session: bool,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), ends_session: false }
    }
}

impl Inner {
    /// # Errors
    /// Why not; what was taken by then is in `taken`.
    fn decide(
        &self,
        request: &Request<'_>,
        demand: &Demand,
        taken: &mut TakenAll,
    ) -> Result<Access, Refusal> {
        self.fit_once(demand)?;
        let read = request.read(&self.names)?;
        // A preflight carries no credentials, and what answers it does so before a guard.
        if read.is_preflight {
            return Err(PREFLIGHT.into());
        }
        let address = self.caller(request, &read);
        let asked = Asked { request, read: &read, demand, address };
        if demand.inner.callers == Callers::Public {
            if demand.inner.own_pages {
                self.check_own_page_of_unknown(request, &read)?;
            }
            self.take(demand, address, taken)?;
            return Ok(Access::new(None, address));
        }
        let found = Found::in_request(self, request, &read)?;
        let [first, second, third] = found.in_order();
        let known = match (first, second, &demand.inner.pair) {
            (None, _, _) if demand.inner.callers == Callers::Optional => {
                if demand.inner.own_pages {
                    self.check_own_page_of_unknown(request, &read)?;
                }
                self.take(demand, address, taken)?;
                None
            }
            (None, _, _) => return Err(found.missing().into()),
            (Some(only), None, None) => {
                self.take(demand, address, taken)?;
                Some(self.one(only, &asked)?)
            }
            (Some(_), None, Some(_)) => return Err(NOT_TWO.into()),
            (Some(first), Some(second), Some(pair)) if third.is_none() => {
                self.take(demand, address, taken)?;
                Some(self.two(first, second, pair, &asked)?)
            }
            // One that is bad is told so before it is told that there is another.
            (Some(_), Some(_), _) => {
                let mut all = found.in_order().into_iter().flatten();
                all.try_for_each(|one| self.valid(one, &asked).map(drop))?;
                return Err(TWO.into());
            }
        };
        Ok(Access::new(known, address))
    }

    /// The one credential that there is.
    fn one(
        &self,
        credential: Credential<'_>,
        asked: &Asked<'_, '_>,
    ) -> Result<Arc<Known>, Refusal> {
        let known = self.proved(credential, &self.whole(&Slices::of(asked.demand), asked))?;
        self.not_forged(&known, asked)?;
        Ok(known)
    }

    /// Two credentials, of which one decides. An API key among them pays when all else has passed.
    fn two(
        &self,
        first: Credential<'_>,
        second: Credential<'_>,
        pair: &Pair,
        asked: &Asked<'_, '_>,
    ) -> Result<Arc<Known>, Refusal> {
        let (decides, beside) = (&asked.demand.inner.kinds, &pair.kinds);
        let (one, two) = (first.kind(self), second.kind(self));
        let (own, other) = if decides.contains(&one) && beside.contains(&two) {
            (first, second)
        } else if decides.contains(&two) && beside.contains(&one) {
            (second, first)
        } else {
            return Err(NOT_THESE_TWO.into());
        };
        let slices = Slices::of(asked.demand);
        let demand = self.whole(&slices, asked);
        let free = resource::Demand { cost: Some(0), ..demand };
        let mut own_known = self.proved(own, &free)?;
        let mut other_known = self.valid(other, asked)?;
        belong_together(&own_known, &other_known, pair)?;
        self.not_forged(&own_known, asked)?;
        self.not_forged(&other_known, asked)?;
        if own_known.proven().kind() == AccessKind::ApiKey {
            own_known = self.proved(own, &demand)?;
        }
        if other_known.proven().kind() == AccessKind::ApiKey {
            let pays = resource::Demand { cost: demand.cost, ..beside_of(asked) };
            other_known = self.proved(other, &pays)?;
        }
        Ok(own_known.with_other(Access::new(Some(other_known), asked.address))?)
    }

    /// That a credential is good, whatever it may do. Nothing is paid.
    fn valid(
        &self,
        credential: Credential<'_>,
        asked: &Asked<'_, '_>,
    ) -> Result<Arc<Known>, Refusal> {
        self.proved(credential, &beside_of(asked))
    }

    fn proved(
        &self,
        credential: Credential<'_>,
        demand: &resource::Demand<'_>,
    ) -> Result<Arc<Known>, Refusal> {
        credential.prove(self, demand).map_err(|error| Refusal {
            // Only of tokens whose signature is good, so that nobody else ends anything.
            ends_session: matches!(credential, Credential::Cookie(_))
                && error.kind() == ErrorKind::RevokedToken,
            error: Box::new(error),
        })
    }

    fn whole<'d>(&self, slices: &'d Slices<'d>, asked: &Asked<'d, '_>) -> resource::Demand<'d> {
        let (address, user) = (asked.address, asked.request.user);
        resource::Demand { address, user, ..slices.demand(asked.demand) }
    }

    /// A request that a cookie proves was not caused by another site, where the demand asks.
    fn not_forged(&self, known: &Known, asked: &Asked<'_, '_>) -> Result<()> {
        let (request, read) = (asked.request, asked.read);
        let wanted = match asked.demand.inner.csrf {
            CsrfRule::Unsafe => !request.is_safe() || read.is_upgrade,
            CsrfRule::Always => true,
            CsrfRule::Never => false,
        };
        if known.by() != ProvedBy::Cookie || !wanted {
            return Ok(());
        }
        self.check_forgery(request, read, known.proven().session().unwrap_or_default())
    }

    /// Whether a request is of our own pages: by what the browser says of where it comes from, and
    /// by a CSRF token that is bound to the session. A page cannot send one with a websocket, so
    /// that only an origin of ours may open it.
    pub(super) fn check_forgery(
        &self,
        request: &Request<'_>,
        read: &Read<'_>,
        session: &str,
    ) -> Result<()> {
        let Some(cookies) = &self.cookies else { return Err(ErrorKind::Internal.into()) };
        self.is_from_here(read)?;
        let is_handshake = matches!(request.method, b"GET" | b"CONNECT");
        if read.is_upgrade && is_handshake {
            return Ok(());
        }
        let token = request.csrf_token(read)?.ok_or(NO_TOKEN)?;
        cookies.csrf().check_token(session, token)
    }

    /// Whether the browser says that a page of ours has caused the request; no, if it says nothing
    /// of where the request comes from.
    ///
    /// # Errors
    /// `CsrfRejected`: it says that another site has, or it opens a websocket and does not name an
    /// origin of ours.
    pub(super) fn is_from_here(&self, read: &Read<'_>) -> Result<bool> {
        let origin = read.origin.text(|| CROSS)?.map(str::as_bytes);
        let site = read.site.text(|| CROSS)?;
        if read.is_upgrade && !origin.is_some_and(|origin| self.origins.has(origin)) {
            return Err(self.foreign(UPGRADE, origin));
        }
        let from_here = match (origin, site) {
            // A form of ours under `Referrer-Policy: no-referrer`.
            (Some(b"null"), site) => site == Some("same-origin"),
            (Some(origin), _) if self.origins.has(origin) => true,
            // No origins are configured: the browser's word, where it gives one.
            (Some(_), Some("same-origin")) => self.origins.is_empty(),
            (Some(_), _) => false,
            // No browser of today; a token decides.
            (None, None) => return Ok(false),
            // `none`: the user's own doing.
            (None, Some(site)) => matches!(site, "same-origin" | "none"),
        };
        if from_here { Ok(true) } else { Err(self.foreign(CROSS, origin)) }
    }

    /// The same refusal for the log, with the origin that was sent and those that are ours.
    #[cold]
    fn foreign(&self, refusal: Error, origin: Option<&[u8]>) -> Error {
        match origin.map(std::str::from_utf8) {
            Some(Ok(origin)) => refusal.comparing("Origin", origin, &self.origins.listed()),
            _ => refusal,
        }
    }

    /// Takes from the limits of the demand.
    fn take(&self, demand: &Demand, address: Option<IpAddr>, taken: &mut TakenAll) -> Result<()> {
        for limit in &demand.inner.limits {
            taken.push(self.limiter.take(limit, address)?);
        }
        Ok(())
    }

    /// Who calls, by the socket and the proxies that are trusted.
    fn caller(&self, request: &Request<'_>, read: &Read<'_>) -> Option<IpAddr> {
        self.proxies.caller(request, read.forwarded, &self.names)
    }

    /// The rates of a caller that is known.
    fn rates<'a>(
        &self,
        known: &'a Known,
        demand: &'a Demand,
        taken: &'a TakenAll,
    ) -> impl Iterator<Item = Rated<'a>> {
        let other = known.other.as_ref().and_then(Access::known);
        let all = [Some(known), other].into_iter().flatten();
        let grants = all.filter_map(|known| known.proven().grant());
        let keys = grants.filter_map(|grant| grant.rate_left().map(Rated::of_key));
        let limits = demand.inner.limits.iter().zip(taken.iter());
        keys.chain(limits.map(|(limit, taken)| limit.rated(taken)))
    }

    /// The answer of a refusal.
    pub(super) fn refuse(&self, refusal: Refusal, demand: &Demand) -> Decision {
        let Refusal { error, ends_session } = refusal;
        let slices = Slices::of(demand);
        let challenge = self.server.challenge(&error, &slices.demand(demand));
        let mut headers = Headers::of_refusal(&error, challenge);
        // Of a key that was proved, its holder may know the rate.
        if error.kind() == ErrorKind::RateLimited
            && let (Some(id), Some(keys)) = (error.api_key_id(), self.server.api_keys())
            && let Some(rate) = keys.rate_of(id)
        {
            let reset_ms = u64::from(error.retry_after().unwrap_or(0));
            let left = RateLeft { rate, remaining: 0, reset_ms };
            headers.rates(std::iter::once(Rated::of_key(left)));
        }
        if let Some(cookies) = self.cookies.as_ref().filter(|_| ends_session) {
            headers.set_cookies(cookies.clear());
        }
        Decision::refuse(&self.vary, error, headers)
    }
}

/// What is demanded of a credential that does not decide.
fn beside_of<'d>(asked: &Asked<'d, '_>) -> resource::Demand<'d> {
    let (address, user) = (asked.address, asked.request.user);
    resource::Demand { address, user, cost: Some(0), ..resource::Demand::default() }
}

/// Whether two credentials belong together as the demand says.
fn belong_together(own: &Known, other: &Known, pair: &Pair) -> Result<()> {
    let (own, other) = (own.proven(), other.proven());
    let tenants_differ = own.tenant() != other.tenant();
    if pair.same_tenant && (tenants_differ || own.tenant().is_none()) {
        return Err(OTHER_TENANT);
    }
    let subjects_differ = own.subject() != other.subject() || own.subject().is_none();
    if pair.same_subject && (tenants_differ || subjects_differ) {
        return Err(OTHER_SUBJECT);
    }
    Ok(())
}

const PREFLIGHT: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request is a CORS preflight, which the application answers before its guard, or not at all.",
);
const TWO: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The request brings more than one credential: exactly one is accepted, unless the route demands a pair.",
);
const NOT_TWO: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request brings one credential, and the route demands two (`pair`).",
);
const NOT_THESE_TWO: Error = Error::new(
    ErrorKind::MissingCredentials,
    "The request brings two credentials, and not of the kinds that the route demands (`kinds`, `pair`).",
);
const OTHER_TENANT: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The two credentials are not of one tenant, as the route demands (`pair`).",
);
const OTHER_SUBJECT: Error = Error::new(
    ErrorKind::SeveralCredentials,
    "The two credentials are not of one subject, as the route demands (`pair`).",
);
const CROSS: Error = Error::new(
    ErrorKind::CsrfRejected,
    "The browser says that another site has caused the request.",
)
.remedied(Remedy::NameOrigin);
const UPGRADE: Error = Error::new(
    ErrorKind::CsrfRejected,
    "A websocket that a cookie opens must come from an origin of yours.",
)
.remedied(Remedy::NameOrigin);
const NO_TOKEN: Error = Error::new(
    ErrorKind::CsrfRejected,
    "The request changes something and brings no CSRF token: send the session's in its header.",
);
