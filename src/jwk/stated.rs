//! What a key in some format says about itself, beside its numbers: what every reader of a format
//! hands to `Key::build`.

use super::alg::Alg;
use super::usage::Usage;
use crate::base::text;

/// What a key in some format says about itself, beside its numbers.
#[derive(Default)]
pub(super) struct Stated {
    pub(super) alg: Option<Alg>,
    /// The key may only be used with RSASSA-PSS (OID id-RSASSA-PSS).
    pub(super) pss_only: bool,
    pub(super) kid: Option<String>,
    pub(super) usage: Usage,
}

/// The most bytes a `kid` may have.
pub(super) const MAX_KID: usize = 256;

/// Whether a key may have this name: what cannot be written to a log or revoked is no name.
pub(super) fn is_kid(kid: &str) -> bool {
    text::is_plain(kid, MAX_KID)
}
