//! `gk_verified`: the claims of a token that passed. What the token wrote without escapes is lent
//! as it stands; what has escapes is decoded once, when someone asks.

use super::alg::gk_alg;
use super::boundary::{Outcome, fill, given, guard, lend, look, release, share, text, writable};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::gk_status;
use crate::json::Value;
use crate::{ErrorKind, Verified};
use libc::c_char;
use std::borrow::Cow;
use std::sync::OnceLock;

/// The claims of a token whose signature and claims were found good, exactly as they were signed;
/// there is no other way to get one. Immutable, safe to use from several threads at once.
pub struct gk_verified {
    inner: Verified,
    decoded: OnceLock<Box<Decoded>>,
}

/// Claims without the escapes of JSON, made when the first of them is asked for.
struct Decoded {
    issuer: Option<Box<str>>,
    subject: Option<Box<str>>,
    token_id: Option<Box<str>>,
    audience: Box<[Box<str>]>,
}

impl gk_verified {
    pub(super) const fn new(inner: Verified) -> Self {
        Self { inner, decoded: OnceLock::new() }
    }

    fn claim(&self, name: &str) -> Outcome<Value<'_>> {
        self.inner.claim(name).ok_or_else(|| ErrorKind::MissingClaim.into())
    }

    /// Lends a claim: from the token's own text if it stands there without escapes.
    fn lend(
        &self,
        claim: Option<Cow<'_, str>>,
        decoded: impl FnOnce(&Decoded) -> Option<&str>,
    ) -> Option<gk_str> {
        match claim? {
            Cow::Borrowed(own) => Some(lend(own)),
            Cow::Owned(_) => decoded(self.decoded()).map(lend),
        }
    }

    fn decoded(&self) -> &Decoded {
        self.decoded.get_or_init(|| {
            let own = |claim: Option<Cow<'_, str>>| claim.map(|text| text.into_owned().into());
            let audience = self.inner.audience().into_iter();
            Box::new(Decoded {
                issuer: own(self.inner.issuer()),
                subject: own(self.inner.subject()),
                token_id: own(self.inner.token_id()),
                audience: audience.map(|text| text.into_owned().into()).collect(),
            })
        })
    }
}

/// Copies what was verified.
///
/// @param verified The claims; NULL is fine.
/// @return A copy, to be freed with gk_verified_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_clone(verified: Option<&gk_verified>) -> Option<Box<gk_verified>> {
    share(|| Some(gk_verified::new(verified?.inner.clone())))
}

/// Frees what was verified, and all text it has lent.
///
/// @param verified The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_free(verified: Option<Box<gk_verified>>) {
    release(verified);
}

/// All claims, exactly as they were signed: the text of one JSON object. Nothing is copied.
///
/// @param verified The claims.
/// @return Text lent by the handle; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_claims_json(verified: Option<&gk_verified>) -> gk_str {
    look(gk_str::NONE, || Some(lend(verified?.inner.claims_json())))
}

/// The protected header: the text of one JSON object.
///
/// @param verified The claims.
/// @param json Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verified_header_json(
    verified: Option<&gk_verified>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(verified, "verified")?.inner.header_json()))
}

/// The algorithm of the key that verified the token.
///
/// @param verified The claims.
/// @return A GK_ALG_ constant; GK_ALG_ANY for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_alg(verified: Option<&gk_verified>) -> gk_alg {
    look(0, || Some(verified?.inner.alg().code()))
}

/// The `kid` of the key that verified the token.
///
/// @param verified The claims.
/// @return Text lent by the handle; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_key_id(verified: Option<&gk_verified>) -> gk_str {
    look(gk_str::NONE, || Some(lend(verified?.inner.key_id())))
}

/// `iss`, who issued the token (RFC 7519 section 4.1.1).
///
/// @param verified The claims.
/// @return Text lent by the handle; {NULL, 0} if the token has none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_issuer(verified: Option<&gk_verified>) -> gk_str {
    look(gk_str::NONE, || {
        let verified = verified?;
        verified.lend(verified.inner.issuer(), |decoded| decoded.issuer.as_deref())
    })
}

/// `sub`, whom the token is about (RFC 7519 section 4.1.2), if it is a string.
///
/// @param verified The claims.
/// @return Text lent by the handle; {NULL, 0} if the token has none, or a number
/// (gk_verified_numeric_subject), and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_subject(verified: Option<&gk_verified>) -> gk_str {
    look(gk_str::NONE, || {
        let verified = verified?;
        verified.lend(verified.inner.subject(), |decoded| decoded.subject.as_deref())
    })
}

/// `sub`, if it is a number, which only gk_policy_allow_numeric_subject lets in. 7 is another
/// subject than "7": keep the two apart wherever you keep one.
///
/// @param verified The claims.
/// @param subject Receives the number; 0 if it is not a number. May be NULL.
/// @return Whether it is a number; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_verified_numeric_subject(
    verified: Option<&gk_verified>,
    subject: *mut i64,
) -> bool {
    number(verified.and_then(|verified| verified.inner.numeric_subject()), subject)
}

/// `jti`, the token's own identifier (RFC 7519 section 4.1.7).
///
/// @param verified The claims.
/// @return Text lent by the handle; {NULL, 0} if the token has none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_token_id(verified: Option<&gk_verified>) -> gk_str {
    look(gk_str::NONE, || {
        let verified = verified?;
        verified.lend(verified.inner.token_id(), |decoded| decoded.token_id.as_deref())
    })
}

/// How many values `aud` has (RFC 7519 section 4.1.3).
///
/// @param verified The claims.
/// @return Their number; 0 if the token has none, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_audience_len(verified: Option<&gk_verified>) -> usize {
    look(0, || Some(verified?.decoded().audience.len()))
}

/// One value of `aud`.
///
/// @param verified The claims.
/// @param index Which value, from 0.
/// @return Text lent by the handle; {NULL, 0} if there are fewer, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_verified_audience_at(verified: Option<&gk_verified>, index: usize) -> gk_str {
    look(gk_str::NONE, || verified?.decoded().audience.get(index).map(|audience| lend(audience)))
}

/// `exp`, when the token expires (RFC 7519 section 4.1.4).
///
/// @param verified The claims.
/// @param seconds Receives whole seconds since 1970-01-01T00:00:00Z, rounded down; 0 if there are
/// none. May be NULL.
/// @return Whether the token has it; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_verified_expires_at(
    verified: Option<&gk_verified>,
    seconds: *mut i64,
) -> bool {
    number(verified.and_then(|verified| verified.inner.expires_at()), seconds)
}

/// `nbf`, from when on the token is valid (RFC 7519 section 4.1.5).
///
/// @param verified The claims.
/// @param seconds Receives whole seconds since 1970-01-01T00:00:00Z, rounded up; 0 if there are
/// none. May be NULL.
/// @return Whether the token has it; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_verified_not_before(
    verified: Option<&gk_verified>,
    seconds: *mut i64,
) -> bool {
    number(verified.and_then(|verified| verified.inner.not_before()), seconds)
}

/// `iat`, when the token was issued (RFC 7519 section 4.1.6).
///
/// @param verified The claims.
/// @param seconds Receives whole seconds since 1970-01-01T00:00:00Z, rounded down; 0 if there are
/// none. May be NULL.
/// @return Whether the token has it; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_verified_issued_at(
    verified: Option<&gk_verified>,
    seconds: *mut i64,
) -> bool {
    number(verified.and_then(|verified| verified.inner.issued_at()), seconds)
}

/// Any claim as JSON text, exactly as it was signed. Nothing is copied.
///
/// @param verified The claims.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @return Text lent by the handle; {NULL, 0} if the token has no such claim, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_verified_claim_json(
    verified: Option<&gk_verified>,
    name: *const c_char,
    name_len: usize,
) -> gk_str {
    look(gk_str::NONE, || {
        let name = text(name, name_len, "name").ok()?;
        Some(lend(verified?.inner.claim(name)?.raw()))
    })
}

/// A string claim of any name, without the escapes of JSON.
///
/// @param verified The claims.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @param value Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails. It
/// may contain NUL bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a string.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verified_claim_str(
    verified: Option<&gk_verified>,
    name: *const c_char,
    name_len: usize,
    value: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(value, err, || {
        let claim = given(verified, "verified")?.claim(text(name, name_len, "name")?)?;
        Ok(claim.as_str().ok_or(ErrorKind::InvalidClaim)?.into_owned())
    })
}

/// An integer claim of any name.
///
/// @param verified The claims.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @param value Receives the number; 0 if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a number,
/// has a fraction or an exponent, or does not fit.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verified_claim_i64(
    verified: Option<&gk_verified>,
    name: *const c_char,
    name_len: usize,
    value: *mut i64,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(value)?.write(0);
        let claim = given(verified, "verified")?.claim(text(name, name_len, "name")?)?;
        value.write(claim.as_i64().ok_or(ErrorKind::InvalidClaim)?);
        Ok(())
    })
}

/// A boolean claim of any name.
///
/// @param verified The claims.
/// @param name The claim's name, UTF-8; borrowed for the call.
/// @param name_len Its length in bytes.
/// @param value Receives the truth value; false if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not true or
/// false.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_verified_claim_bool(
    verified: Option<&gk_verified>,
    name: *const c_char,
    name_len: usize,
    value: *mut bool,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(value)?.write(false);
        let claim = given(verified, "verified")?.claim(text(name, name_len, "name")?)?;
        value.write(claim.as_bool().ok_or(ErrorKind::InvalidClaim)?);
        Ok(())
    })
}

/// Hands out a number, if there is one.
unsafe fn number(number: Option<i64>, place: *mut i64) -> bool {
    look(false, || {
        if !place.is_null() {
            place.write(number.unwrap_or_default());
        }
        Some(number.is_some())
    })
}
