//! Layer 4: API keys: issue, verify, rotate, revoke, limit.
//!
//! A key is `<prefix>_<env>_<id12>_<secret30><crc6>`. The store keeps HMAC-SHA256 of id and secret
//! under a pepper that is not in the store; verification reads a mirror in memory that follows the
//! store's change feed, and asks the store nothing. What cannot be known is refused: a store not
//! heard of for longer than `max_stale`, a row altered from outside, a limit that cannot be
//! counted.

mod admin;
mod apikeys;
mod cidr;
mod feed;
mod flush;
mod format;
mod hash;
mod headers;
mod hot;
mod import;
mod import_formats;
mod keep;
mod known;
mod limit;
mod limits;
mod mirror;
mod owned;
mod peppers;
mod profile;
mod prove;
mod rows;
mod scan_rule;
mod scope;
mod spec;
mod turns;
mod verify;

pub use apikeys::{ApiKeyOptions, ApiKeys};
pub(crate) use cidr::Cidr;
pub use cidr::parse_ip;
pub use headers::{
    CredentialPlace, api_key_from_headers, api_key_from_headers_at, api_key_from_query,
};
pub(crate) use headers::{authorization_scheme, is_key_scheme};
pub use import::{ImportReport, ImportRow};
pub use import_formats::ImportScheme;
pub use limit::{RateLeft, parse_rate};
pub(crate) use limit::{gcra, rate_left, settled, unit_and_burst, unit_of};
pub use peppers::PepperUse;
pub use scan_rule::{ScanRule, scan_rule};
pub use spec::{CreditSpec, IssuedKey, KeySpec, KeyUpdate};
pub use verify::{Check, Grant};

/// What keys and their history look like, as [`ApiKeys`] hands them out.
pub use crate::store::{
    AuditFilter, AuditRecord, Credits, KeyFilter, KeyRecord, KeyStatus, Page, Rate,
};
