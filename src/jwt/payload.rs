//! What a signer makes of claims: their members beside its own, and the dates that it refuses (RFC
//! 7519 sections 2 and 4.1).

use super::registered::{Place, Registered, Scan, audiences};
use crate::base::clock::MILLISECONDS;
use crate::base::json;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// A JSON object without its closing brace.
pub(super) struct Payload(pub(super) String);

impl Payload {
    pub(super) fn member(&mut self, name: &str, value: impl fmt::Display) {
        use fmt::Write as _;
        let comma = if self.0.ends_with('{') { "" } else { "," };
        // Writing to a String cannot fail.
        let _infallible = write!(self.0, "{comma}\"{name}\":{value}");
    }
}

/// The dates of claims that RFC 7519 does not register (OpenID Connect Core sections 2 and 5.1).
pub(super) const OTHER_DATES: [&str; 2] = ["auth_time", "updated_at"];

/// Refuses dates in milliseconds, as many languages count them: such a token would be good for
/// ever.
pub(super) fn refuse_milliseconds(claims: &Scan<'_>) -> Result<()> {
    let Registered { expires_at, not_before, issued_at, .. } = claims.registered;
    for (name, date) in [("exp", expires_at), ("nbf", not_before), ("iat", issued_at)] {
        if date.is_some_and(|date| date >= MILLISECONDS) {
            return Err(IN_MILLISECONDS.about_claim(name));
        }
    }
    if claims.found == 0 {
        return Ok(());
    }
    #[expect(clippy::cast_precision_loss, reason = "it is a power of ten, and exact")]
    let is_late = |name: &&&str| {
        let date = claims.object.member(name).and_then(|date| date.as_f64());
        date.is_some_and(|date| date >= MILLISECONDS as f64)
    };
    match OTHER_DATES.iter().find(is_late) {
        Some(name) => Err(IN_MILLISECONDS.about_claim(name)),
        None => Ok(()),
    }
}

/// What the signer says, unless the claims say the same already.
pub(super) fn absent_or_same<'m>(
    mine: Option<&'m str>,
    theirs: Option<Place>,
    text: &str,
    claim: &'static str,
) -> Result<Option<&'m str>> {
    let (Some(mine), Some(theirs)) = (mine, theirs) else { return Ok(mine) };
    let same = json::parse(mine.as_bytes())
        .is_ok_and(|mine| audiences(mine).eq(audiences(theirs.value(text))));
    if same { Ok(None) } else { Err(CONTRADICTION.about_claim(claim)) }
}

const IN_MILLISECONDS: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The date is in milliseconds; give whole seconds since 1970 (NumericDate, RFC 7519 section 2).",
);
const CONTRADICTION: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The claims name an issuer or audience that is not the signer's; leave it out, and the signer sets it.",
);
