//! Claims that must have certain values, such as `token_type`, by which some issuers tell their
//! tokens apart.

use super::registered::MAX_REQUIRED;
use crate::base::json::{self, Value};
use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;

/// Claims and the values that they must have: for a name that comes again, any of the values.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimValues(Vec<(Arc<str>, Box<str>)>);

impl ClaimValues {
    pub(super) const NONE: Self = Self(Vec::new());

    /// Demands a value, given as JSON text.
    ///
    /// # Errors
    /// `InvalidArgument`: it is not acceptable JSON.
    pub(crate) fn demand(&mut self, name: &str, json: &str) -> Result<()> {
        let value = json::parse(json.as_bytes());
        let value = value.map_err(|_| NOT_JSON.about_named_claim(&name.into()))?;
        self.0.push((name.into(), value.raw().trim_matches([' ', '\t', '\n', '\r']).into()));
        Ok(())
    }

    /// # Errors
    /// `InvalidConfiguration`: more than 32 values, a claim without a name, or one that has a rule
    /// of its own.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.0.len() > MAX_REQUIRED || self.0.iter().any(|(name, _)| name.is_empty()) {
            return Err(TOO_MANY);
        }
        match self.0.iter().find(|(name, _)| OWN_RULES.contains(&&**name)) {
            Some((name, _)) => Err(RULE_OF_ITS_OWN.about_named_claim(name)),
            None => Ok(()),
        }
    }

    /// Whether these claims have the values. Never allocates.
    ///
    /// # Errors
    /// `MissingClaim`, `InvalidClaim`; the error's claim names it.
    #[inline]
    pub(crate) fn check(&self, claims: &Value<'_>) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { self.check_each(claims) }
    }

    fn check_each(&self, claims: &Value<'_>) -> Result<()> {
        for (name, _) in &self.0 {
            let value = claims.member(name);
            let value = value.ok_or_else(|| MISSING.about_named_claim(name))?;
            let is_it = |(other, wanted): &(Arc<str>, Box<str>)| {
                other == name && Value::from_checked(wanted).says_the_same(&value)
            };
            if !self.0.iter().any(is_it) {
                return Err(ANOTHER.about_named_claim(name));
            }
        }
        Ok(())
    }
}

/// Claims whose values are demanded by options of their own.
const OWN_RULES: [&str; 6] = ["iss", "sub", "aud", "exp", "nbf", "iat"];

const NOT_JSON: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The value that a claim must have is not JSON; a text needs its quotes.",
);
const TOO_MANY: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The values of more than 32 claims are demanded (`claims`), or of one without a name.",
);
const RULE_OF_ITS_OWN: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The value of this claim is demanded by an option of its own: the issuer, the audience, the subject, or the dates.",
);
const MISSING: Error = Error::new(
    ErrorKind::MissingClaim,
    "The token lacks a claim whose value is demanded (`claims`); this may be a token for another use.",
);
const ANOTHER: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The claim has another value than is demanded (`claims`); this may be a token for another use.",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_what_they_say() {
        for (wanted, same, others) in [
            (r#""a""#, &[r#""a""#, r#""\u0061""#][..], &[r#""A""#, r#"["a"]"#, "null"][..]),
            ("7", &["7", "7.0", "70e-1"], &[r#""7""#, "8", "-7", "true"]),
            ("0", &["0", "-0", "0.0"], &["1", "false", "null"]),
            (
                "9007199254740993",
                &[
                    "9007199254740993",
                    "9007199254740993.0",
                    "90071992547409930e-1",
                    "9.007199254740993e15",
                ],
                &[
                    "9007199254740992",
                    "9007199254740994",
                    "9007199254740992.0",
                    "9007199254740993.5",
                ],
            ),
            (
                "1200",
                &["1200", "12e2", "1.2e3", "0.12e4", "1200.00"],
                &["120", "12000", "12", "1200.1"],
            ),
            (
                "0.05",
                &["0.05", "5e-2", "0.5E-1", "0.050", "50e-3"],
                &["0.5", "0.005", "5", "-0.05"],
            ),
            ("1e300", &["1e300", "10e299", "0.1e301"], &["1e299", "1e301", "-1e300"]),
            ("true", &["true"], &["false", "1", r#""true""#]),
            ("null", &["null"], &["0", r#""""#, "[]"]),
            ("[1,2]", &["[1, 2]"], &["[2,1]", "[1]", "[1,2,3]", "1", "[]"]),
            (
                r#"{"a":1,"b":[]}"#,
                &[r#"{"b":[],"a":1.0}"#, r#"{ "\u0061":1,"b":[ ]}"#],
                &[
                    r#"{"a":1}"#,
                    r#"{"a":1,"b":[],"c":0}"#,
                    r#"{"a":1,"b":{}}"#,
                    r#"{"a":1,"c":[]}"#,
                ],
            ),
        ] {
            let mut values = ClaimValues::default();
            values.demand("c", wanted).unwrap();
            let check = |value: &str| {
                let claims = format!(r#"{{"x":1,"c":{value}}}"#);
                values.check(&json::parse(claims.as_bytes()).unwrap())
            };
            for value in same {
                assert!(check(value).is_ok(), "{wanted} {value}");
            }
            for value in others {
                let error = check(value).unwrap_err();
                assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("c")));
            }
        }
    }

    #[test]
    fn one_of_several_and_what_cannot_be_demanded() {
        let mut values = ClaimValues::default();
        for value in [r#""access""#, r#""Bearer""#] {
            values.demand("token_type", value).unwrap();
        }
        values.demand("v", " 1 ").unwrap();
        values.validate().unwrap();
        let check = |claims: &str| values.check(&json::parse(claims.as_bytes()).unwrap());
        check(r#"{"token_type":"access","v":1}"#).unwrap();
        check(r#"{"token_type":"Bearer","v":1}"#).unwrap();
        let refused = check(r#"{"token_type":"refresh","v":1}"#).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.claim()),
            (ErrorKind::InvalidClaim, Some("token_type"))
        );
        let missing = check(r#"{"token_type":"access"}"#).unwrap_err();
        assert_eq!((missing.kind(), missing.claim()), (ErrorKind::MissingClaim, Some("v")));
        assert_eq!(values.demand("x", "access").unwrap_err().kind(), ErrorKind::InvalidArgument);
        for name in ["", "iss", "sub", "aud", "exp", "nbf", "iat"] {
            let mut values = ClaimValues::default();
            values.demand(name, "1").unwrap();
            assert_eq!(values.validate().unwrap_err().kind(), ErrorKind::InvalidConfiguration);
        }
    }
}
