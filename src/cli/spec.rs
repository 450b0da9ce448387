//! What a key is to be like, as arguments: of `create`, `update` and, as a default, of `import`.

use super::exit::{Failure, Outcome, told};
use super::input::{duration, moment};
use crate::apikey::{CreditSpec, KeySpec, KeyUpdate, Rate, parse_rate};

fn rate(text: &str) -> Result<Rate, String> {
    parse_rate(text).map_err(|error| told(&error))
}

/// Credits: `1000`, or `1000 +100/1h` for 100 more every hour.
fn credits(text: &str) -> Result<CreditSpec, String> {
    let wrong = || "write them as 1000, or 1000+100/1h for 100 more every hour".to_owned();
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let Some((amount, refill)) = text.split_once('+') else {
        return Ok(CreditSpec { amount: number(text)?, ..CreditSpec::default() });
    };
    let (refill, every) = refill.split_once('/').ok_or_else(wrong)?;
    let every = u32::try_from(duration(every.trim())?).map_err(|_| wrong())?;
    Ok(CreditSpec { amount: number(amount)?, refill: number(refill)?, every, limit: None })
}

#[derive(Debug, clap::Args)]
pub(super) struct SpecArgs {
    /// Whose key it is
    #[arg(long)]
    owner: String,
    /// What the owner calls it
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// The tenant, where there are several
    #[arg(long, default_value = "", hide_default_value = true)]
    tenant: String,
    /// What it may do; several times for several scopes
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// For how long it is valid: 90d, 12h, or seconds [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "expires_at")]
    expires_in: Option<u64>,
    /// When it stops being valid, instead: 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970
    #[arg(long, value_name = "DATE", value_parser = moment)]
    expires_at: Option<u64>,
    /// When it becomes valid: 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970
    #[arg(long, value_name = "DATE", value_parser = moment)]
    not_before: Option<u64>,
    /// How often it may be used, on each machine: 100/60s, 10/s, 5/min, 1000/h
    #[arg(long, value_parser = rate)]
    rate: Option<Rate>,
    /// How much it may be used in all: 1000, or 1000+100/1h for 100 more every hour
    #[arg(long, value_parser = credits)]
    credits: Option<CreditSpec>,
    /// From where it may be used: an address or a network, 10.0.0.0/8; several times for several
    #[arg(long = "cidr", value_name = "NETWORK")]
    cidrs: Vec<String>,
    /// Notes of your own: a JSON object of at most 4 KiB
    #[arg(long, value_name = "JSON", default_value = "", hide_default_value = true)]
    meta: String,
}

impl SpecArgs {
    pub(super) fn spec(self) -> KeySpec {
        KeySpec {
            owner: self.owner,
            name: self.name,
            tenant: self.tenant,
            scopes: self.scopes,
            not_before: self.not_before,
            expires_in: self.expires_in,
            expires_at: self.expires_at,
            revoked: false,
            rate: self.rate,
            credits: self.credits,
            cidrs: self.cidrs,
            meta: self.meta,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct UpdateArgs {
    /// Whose key it is
    #[arg(long)]
    owner: Option<String>,
    /// What the owner calls it
    #[arg(long)]
    name: Option<String>,
    /// What it may do, instead of what it may now; several times for several scopes
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Option<Vec<String>>,
    /// When it stops being valid: 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970
    #[arg(long, value_name = "DATE", value_parser = moment)]
    expires_at: Option<u64>,
    /// When it becomes valid
    #[arg(long, value_name = "DATE", value_parser = moment)]
    not_before: Option<u64>,
    /// How often it may be used, on each machine: 100/60s, 10/s, 5/min, 1000/h
    #[arg(long, value_parser = rate)]
    rate: Option<Rate>,
    /// How much it may be used from now on: 1000, or 1000+100/1h for 100 more every hour
    #[arg(long, value_parser = credits)]
    credits: Option<CreditSpec>,
    /// From where it may be used, instead of from where it may now
    #[arg(long = "cidr", value_name = "NETWORK")]
    cidrs: Option<Vec<String>>,
    /// Notes of your own: a JSON object of at most 4 KiB
    #[arg(long, value_name = "JSON")]
    meta: Option<String>,
    /// What is to be taken away
    #[arg(long = "remove", value_name = "WHAT", value_enum)]
    removed: Vec<Removed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Removed {
    Name,
    Scopes,
    ExpiresAt,
    NotBefore,
    Rate,
    Credits,
    Cidrs,
    Meta,
}

impl UpdateArgs {
    pub(super) fn update(self) -> Outcome<KeyUpdate> {
        let mut update = KeyUpdate {
            owner: self.owner,
            name: self.name,
            scopes: self.scopes,
            not_before: self.not_before.map(Some),
            expires_at: self.expires_at.map(Some),
            rate: self.rate.map(Some),
            credits: self.credits.map(Some),
            cidrs: self.cidrs,
            meta: self.meta,
        };
        for removed in self.removed {
            match removed {
                Removed::Name => once(&mut update.name, String::new())?,
                Removed::Scopes => once(&mut update.scopes, Vec::new())?,
                Removed::ExpiresAt => once(&mut update.expires_at, None)?,
                Removed::NotBefore => once(&mut update.not_before, None)?,
                Removed::Rate => once(&mut update.rate, None)?,
                Removed::Credits => once(&mut update.credits, None)?,
                Removed::Cidrs => once(&mut update.cidrs, Vec::new())?,
                Removed::Meta => once(&mut update.meta, String::new())?,
            }
        }
        Ok(update)
    }
}

/// What is removed cannot be set at the same time.
fn once<T: PartialEq>(place: &mut Option<T>, removed: T) -> Outcome<()> {
    match place.replace(removed) {
        Some(old) if place.as_ref() != Some(&old) => {
            Err(Failure::Usage("The same thing cannot be both set and removed.".to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_as_people_write_them() {
        let spec = |amount, refill, every| Ok(CreditSpec { amount, refill, every, limit: None });
        assert_eq!(credits("1000"), spec(1000, 0, 0));
        assert_eq!(credits("1000+100/1h"), spec(1000, 100, 3600));
        assert_eq!(credits("0 + 5 / 60"), spec(0, 5, 60));
        for text in ["", "x", "-1", "1+", "1+2", "1+2/", "1+/3", "1+2/9999999d"] {
            assert!(credits(text).is_err(), "{text}");
        }
    }
}
