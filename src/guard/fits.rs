//! Whether a guard can meet a demand at all: what is wrong with a route is to show when the service
//! starts, or with the first request, and not as a refusal of callers who have done nothing wrong.
//!
//! Not refused: `own_pages` without origins, which `Sec-Fetch-Site` meets; kinds of which one has
//! no source while another has; what a caller might have some day, such as a scope.

use super::demand::{Callers, Demand, KEYS_ALONE, is_key};
use super::{Guard, Inner};
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::resource::AccessKind;
use std::sync::atomic::{AtomicU64, Ordering};

/// All that there are.
const KINDS: [AccessKind; 4] =
    [AccessKind::ApiKey, AccessKind::Session, AccessKind::Jwt, AccessKind::Opaque];

impl Guard {
    /// That callers of this guard can meet a demand: for services that make their routes before
    /// they take requests. [`Self::check`] asks the same with the first request of each demand, and
    /// answers 500 to all of them.
    ///
    /// # Errors
    /// `InvalidConfiguration`; the error's claim names what is demanded: `kinds`, of which the
    /// guard takes none, or API keys alone where claims or a sign-in are demanded; `pair`, alike;
    /// `tenant`, which no credential that is taken has (`tenant_claim`); `limit`, whose name
    /// another demand has with another rate.
    pub fn check_demand(&self, demand: &Demand) -> Result<()> {
        self.0.fit(demand)
    }
}

impl Inner {
    /// A number that no other guard of this process has, and not 0.
    pub(super) fn next_number() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// [`Guard::check_demand`], once for each guard in a row.
    #[inline]
    pub(super) fn fit_once(&self, demand: &Demand) -> Result<()> {
        let known = &demand.inner.fits.0;
        if known.load(Ordering::Relaxed) == self.number {
            return Ok(());
        }
        self.fit(demand)?;
        known.store(self.number, Ordering::Relaxed);
        Ok(())
    }

    #[cold]
    fn fit(&self, demand: &Demand) -> Result<()> {
        let demanded = &*demand.inner;
        self.limiter.agree(&demanded.limits)?;
        if demanded.callers == Callers::Public {
            return Ok(());
        }
        let takes = |kind: &AccessKind| self.server.takes(*kind);
        if demanded.pair.as_ref().is_some_and(|pair| !pair.kinds.iter().any(takes)) {
            return Err(NO_SOURCE.about_claim("pair"));
        }
        let kinds = if demanded.kinds.is_empty() { &KINDS[..] } else { &demanded.kinds };
        let taken = || kinds.iter().filter(|kind| takes(kind));
        if taken().next().is_none() {
            return Err(NO_SOURCE.about_claim("kinds"));
        }
        if demanded.is_of_users() && taken().all(is_key) {
            return Err(KEYS_ALONE.about_claim("kinds"));
        }
        if demand.tenant.is_some() && !taken().any(|kind| self.server.has_tenants(*kind)) {
            return Err(NO_TENANTS.about_claim("tenant"));
        }
        Ok(())
    }
}

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NO_SOURCE: Error =
    refusal("The route takes kinds of credentials of which this guard has none.")
        .remedied(Remedy::GiveSource);
const NO_TENANTS: Error = refusal(
    "The route demands a tenant, and no credential that it takes has one: say which claim of a token is its tenant (`tenant_claim`).",
);
