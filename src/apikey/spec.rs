//! What a key is to be like: the arguments of `create` and `update`, checked before anything is
//! done.

use super::cidr::Cidr;
use super::scope::check_scopes;
use crate::base::clock::plausible;
use crate::base::pace::Dates;
use crate::base::secret::Secret;
use crate::base::text::{argument, meta, plain, plain_some};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Credits, KeyRecord, KeyStatus, Rate};

/// A new key as it is asked for. Only the owner is required.
#[derive(Clone, Debug, Default)]
pub struct KeySpec {
    /// Whose key it is: 1 to 255 bytes.
    pub owner: String,
    /// What the owner calls it: at most 255 bytes.
    pub name: String,
    /// The tenant: at most 127 bytes; empty where there is one only.
    pub tenant: String,
    /// Scope tokens (RFC 6749 section 3.3): at most 64 of at most 128 bytes each.
    pub scopes: Vec<String>,
    /// When it becomes valid, in seconds since the Unix epoch.
    pub not_before: Option<u64>,
    /// For how many seconds it is valid, from now; at least 1. Not with `expires_at`.
    pub expires_in: Option<u64>,
    /// When it stops being valid, in seconds since the Unix epoch: of a new key, a time to come.
    /// Not with `expires_in`.
    pub expires_at: Option<u64>,
    /// Whether another system has revoked it: for imports. A new key cannot be.
    pub revoked: bool,
    /// How often it may be used. The processes of one machine share the limit, over restarts (see
    /// [`crate::store::Limits`]); each machine has a limit of its own.
    pub rate: Option<Rate>,
    /// How much it may be used.
    pub credits: Option<CreditSpec>,
    /// From where it may be used: at most 64 addresses or networks, such as `10.0.0.0/8`.
    pub cidrs: Vec<String>,
    /// One JSON object of at most 4096 bytes; empty for none.
    pub meta: String,
}

impl KeySpec {
    /// A key of this owner.
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), ..Self::default() }
    }
}

/// Credits as they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreditSpec {
    /// What there is at first, and what a refill fills up to if that is more than `refill`, unless
    /// `limit` says.
    pub amount: u64,
    /// What each refill adds; 0 for no refill.
    pub refill: u64,
    /// The seconds between refills; 0 for no refill.
    pub every: u32,
    /// What a refill fills up to, if it is neither `amount` nor `refill`: of a key of which some
    /// has been used.
    pub limit: Option<u64>,
}

/// What is to change of a key; what is `None` stays. An inner `None` takes a limit away.
#[derive(Clone, Debug, Default)]
pub struct KeyUpdate {
    /// See [`KeySpec::owner`].
    pub owner: Option<String>,
    /// See [`KeySpec::name`].
    pub name: Option<String>,
    /// See [`KeySpec::scopes`].
    pub scopes: Option<Vec<String>>,
    /// See [`KeySpec::not_before`].
    pub not_before: Option<Option<u64>>,
    /// When it stops being valid, in seconds since the Unix epoch.
    pub expires_at: Option<Option<u64>>,
    /// See [`KeySpec::rate`].
    pub rate: Option<Option<Rate>>,
    /// See [`KeySpec::credits`].
    pub credits: Option<Option<CreditSpec>>,
    /// See [`KeySpec::cidrs`].
    pub cidrs: Option<Vec<String>>,
    /// See [`KeySpec::meta`].
    pub meta: Option<String>,
}

/// A key that was just made: the one time that its text is seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedKey {
    /// The key's text, to be handed to its owner; wiped on drop.
    pub secret: Secret,
    /// Everything else about it.
    pub record: KeyRecord,
}

/// The most that is counted: what a double still holds exactly.
const MOST_CREDITS: u64 = 1 << 53;

const IN_MILLISECONDS: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The date is after the year 9999: give whole seconds since 1970, not milliseconds.",
);
const SMALL_LIMIT: Error = Error::new(
    ErrorKind::InvalidArgument,
    "There are more credits than their limit; a `limit` is at least the `amount`.",
);

const TWO_ENDS: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A key ends once: give `expires_in` or `expires_at`, not both.",
);

impl KeySpec {
    /// The record of a key that is made now.
    pub(crate) fn check_new(&self, dates: Dates) -> Result<KeyRecord> {
        let record = self.check(dates)?;
        if self.revoked {
            return Err(argument("A new key is not revoked: only an imported one can be.")
                .about_claim("revoked"));
        }
        if record.expires_at.is_some_and(|end| end <= dates.now) {
            return Err(argument(
                "The end of a new key is past; give seconds since 1970 of a time in the future.",
            )
            .about_claim("expires_at"));
        }
        Ok(record)
    }

    /// The record of the key, as far as it is asked for.
    pub(crate) fn check(&self, dates: Dates) -> Result<KeyRecord> {
        let now = dates.now;
        let record = KeyRecord {
            owner: owner(&self.owner)?,
            name: plain(&self.name, 255, "The `name` of a key has at most 255 bytes.")?,
            tenant: plain(&self.tenant, 127, "A `tenant` has at most 127 bytes.")?,
            scopes: check_scopes(&self.scopes)?,
            cidrs: cidrs(&self.cidrs)?,
            not_before: self.not_before.map(|at| date(at, "not_before")).transpose()?,
            expires_at: match (self.expires_in, self.expires_at) {
                (Some(_), Some(_)) => return Err(TWO_ENDS),
                (Some(0), None) => {
                    return Err(argument(
                        "A key must be valid for at least one second (`expires_in`).",
                    ));
                }
                (Some(seconds), None) => Some(date(now.saturating_add(seconds), "expires_in")?),
                (None, end) => end.map(|at| date(at, "expires_at")).transpose()?,
            },
            status: if self.revoked { KeyStatus::Revoked } else { KeyStatus::Active },
            revoked_at: self.revoked.then_some(now),
            rate: self.rate.map(rate).transpose()?,
            credits: self.credits.map(|credits| credits.check(dates)).transpose()?,
            meta: meta(&self.meta)?,
            created_at: now,
            ..KeyRecord::default()
        };
        in_order(&record)?;
        Ok(record)
    }
}

impl KeyUpdate {
    /// Changes the record; the names of what was changed, for the audit.
    pub(crate) fn apply(&self, record: &mut KeyRecord, dates: Dates) -> Result<String> {
        let mut changed = Vec::new();
        let mut note = |name| changed.push(name);
        if let Some(new) = &self.owner {
            record.owner = owner(new)?;
            note("owner");
        }
        if let Some(new) = &self.name {
            record.name = plain(new, 255, "The `name` of a key has at most 255 bytes.")?;
            note("name");
        }
        if let Some(new) = &self.scopes {
            record.scopes = check_scopes(new)?;
            note("scopes");
        }
        if let Some(new) = &self.cidrs {
            record.cidrs = cidrs(new)?;
            note("cidrs");
        }
        if let Some(new) = self.not_before {
            record.not_before = new.map(|at| date(at, "not_before")).transpose()?;
            note("not_before");
        }
        if let Some(new) = self.expires_at {
            record.expires_at = new.map(|at| date(at, "expires_at")).transpose()?;
            note("expires_at");
        }
        if let Some(new) = self.rate {
            record.rate = new.map(rate).transpose()?;
            note("rate");
        }
        if let Some(new) = self.credits {
            record.credits = new.map(|credits| credits.check(dates)).transpose()?;
            note("credits");
        }
        if let Some(new) = &self.meta {
            record.meta = meta(new)?;
            note("meta");
        }
        in_order(record)?;
        if changed.is_empty() {
            return Err(argument("Nothing is to change; name at least one thing that is."));
        }
        Ok(changed.join(" "))
    }
}

impl CreditSpec {
    fn check(self, dates: Dates) -> Result<Credits> {
        if (self.refill == 0) != (self.every == 0) {
            return Err(argument(
                "A refill of `credits` needs both an amount (`refill`) and seconds (`every`).",
            ));
        }
        let limit = self.limit.unwrap_or_else(|| self.amount.max(self.refill));
        if limit > MOST_CREDITS || self.refill > MOST_CREDITS {
            return Err(argument("At most 2^53 credits can be counted."));
        }
        if limit < self.amount {
            return Err(SMALL_LIMIT.about_claim("credits"));
        }
        Ok(Credits {
            remaining: self.amount,
            limit,
            refill: self.refill,
            every: self.every,
            // Not in the future, if the clock ran ahead: there would be no refill until then.
            refilled_at: dates.surely,
            set_in: 1, // of a new key
        })
    }
}

fn owner(owner: &str) -> Result<String> {
    plain_some(owner, 255, "An `owner` has 1 to 255 bytes.")
}

fn cidrs(cidrs: &[String]) -> Result<Vec<String>> {
    if cidrs.len() > 64 {
        return Err(argument("An allow-list has at most 64 networks (`cidrs`)."));
    }
    let parse = |cidr: &String| Cidr::parse(cidr).map_err(|error| error.about_claim("cidrs"));
    let parsed: Vec<_> = cidrs.iter().map(parse).collect::<Result<_>>()?;
    let mut texts: Vec<String> = parsed.iter().map(Cidr::to_string).collect();
    texts.sort_unstable();
    texts.dedup();
    Ok(texts)
}

fn date(seconds: u64, name: &'static str) -> Result<u64> {
    if seconds == 0 {
        return Err(
            argument("A date is in whole seconds since 1970, and more than 0.").about_claim(name)
        );
    }
    plausible(seconds).map_err(|_| IN_MILLISECONDS.about_claim(name))
}

fn rate(rate: Rate) -> Result<Rate> {
    const LONGEST: u32 = 366 * 86_400;
    if rate.burst == 0 || rate.period == 0 || rate.period > LONGEST {
        return Err(argument(
            "A `rate` is at least 1 in at least 1 second and at most 366 days, such as 100/60s.",
        ));
    }
    Ok(rate)
}

fn in_order(record: &KeyRecord) -> Result<()> {
    match (record.not_before, record.expires_at) {
        (Some(from), Some(to)) if from >= to => Err(argument(
            "A key that expires before it is valid could never be used: see `not_before` and `expires_at`.",
        )),
        _ => Ok(()),
    }
}
