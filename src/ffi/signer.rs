//! `gk_signer`: a key and what every token of it says; `gk_unsigned`: a token that is signed
//! elsewhere.

use super::boundary::{
    Outcome, chars, create, fill, given, lend, look, release, share, slice, text,
};
use super::buf::{gk_buf, gk_str};
use super::callback::{clock, gk_clock_fn, gk_random_fn, gk_release_fn, random};
use super::claims::gk_claims;
use super::error::gk_error;
use super::key::gk_key;
use super::keyring::gk_key_ring;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::Signer;
use crate::jwt::{SignerBuilder, Unsigned};
use libc::{c_char, c_void};
use std::sync::Arc;

/// What every token of a signer says, while it is being put together.
pub struct gk_signer_builder(Sticky<SignerBuilder>);

/// A key and what every token of it says. Immutable, shared by reference count, safe to use from
/// several threads at once.
pub struct gk_signer(pub(super) Signer);

/// A token that lacks its signature.
pub struct gk_unsigned(Unsigned);

/// Begins a signer: tokens of 15 minutes with `typ` JWT, the key's `kid` and a random `jti`.
///
/// @param key The key, which is shared. A public key makes a signer that can only prepare tokens.
/// @param builder Receives the builder, to be freed with gk_signer_builder_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_builder_new(
    key: Option<&gk_key>,
    builder: *mut *mut gk_signer_builder,
    err: *mut gk_error,
) -> gk_status {
    create(builder, err, || {
        Ok(gk_signer_builder(Sticky::new(Signer::builder(&given(key, "key")?.0))))
    })
}

/// Begins a signer that signs with the active key of a ring, whichever that is at each token.
///
/// @param ring The ring, which is shared.
/// @param builder Receives the builder, to be freed with gk_signer_builder_free; NULL if the call
/// fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_builder_following(
    ring: Option<&gk_key_ring>,
    builder: *mut *mut gk_signer_builder,
    err: *mut gk_error,
) -> gk_status {
    create(builder, err, || {
        let ring = Arc::new(given(ring, "ring")?.inner.clone());
        Ok(gk_signer_builder(Sticky::new(Signer::following(ring))))
    })
}

/// Copies a builder.
///
/// @param builder The builder; NULL is fine.
/// @return A copy, to be freed with gk_signer_builder_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_signer_builder_clone(
    builder: Option<&gk_signer_builder>,
) -> Option<Box<gk_signer_builder>> {
    share(|| Some(gk_signer_builder(builder?.0.clone())))
}

/// Frees a builder; signers made with it are not affected.
///
/// @param builder The builder, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_signer_builder_free(builder: Option<Box<gk_signer_builder>>) {
    release(builder);
}

/// Every token says this `iss` (RFC 7519 section 4.1.1).
///
/// @param builder The builder.
/// @param issuer The issuer, not empty, UTF-8; copied.
/// @param issuer_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_issuer(
    builder: Option<&mut gk_signer_builder>,
    issuer: *const c_char,
    issuer_len: usize,
) {
    set(builder, |builder| Ok(builder.issuer(text(issuer, issuer_len, "issuer")?)));
}

/// Every token says this `aud`; several calls make a list (RFC 7519 section 4.1.3).
///
/// @param builder The builder.
/// @param audience The audience, not empty, UTF-8; copied.
/// @param audience_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_audience(
    builder: Option<&mut gk_signer_builder>,
    audience: *const c_char,
    audience_len: usize,
) {
    set(builder, |builder| Ok(builder.audience(text(audience, audience_len, "audience")?)));
}

/// Sets how long tokens live.
///
/// @param builder The builder.
/// @param seconds The time to live in seconds, at least 1 and less than a hundred years; 900 unless
/// set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_ttl(
    builder: Option<&mut gk_signer_builder>,
    seconds: u64,
) {
    set(builder, |builder| Ok(builder.ttl(seconds)));
}

/// Sets no `exp`: the claims must bring their own.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_no_ttl(builder: Option<&mut gk_signer_builder>) {
    set(builder, |builder| Ok(builder.no_ttl()));
}

/// Sets the header's `typ` (RFC 8725 section 3.11).
///
/// @param builder The builder.
/// @param typ The media type, not empty, UTF-8; copied.
/// @param typ_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_typ(
    builder: Option<&mut gk_signer_builder>,
    typ: *const c_char,
    typ_len: usize,
) {
    set(builder, |builder| Ok(builder.typ(text(typ, typ_len, "typ")?)));
}

/// Leaves `typ` out of the header.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_no_typ(builder: Option<&mut gk_signer_builder>) {
    set(builder, |builder| Ok(builder.no_typ()));
}

/// Sets whether the header names the key's `kid`.
///
/// @param builder The builder.
/// @param named True unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_kid(
    builder: Option<&mut gk_signer_builder>,
    named: bool,
) {
    set(builder, |builder| Ok(builder.kid(named)));
}

/// Sets a member of every token's header: `x5t`, `x5t#S256`, `x5c`, `cty`, `nonce`, or a private
/// one. A member set twice keeps the later value. `alg`, `kid` and `typ` are the signer's own;
/// `crit`, `b64`, `jwk`, `jku`, `x5u`, `enc` and `zip` are never set. Checked by
/// gk_signer_builder_build, whose error names the member (gk_error_claim).
///
/// @param builder The builder.
/// @param name The member's name, not empty, UTF-8; copied.
/// @param name_len Its length in bytes.
/// @param json Its value as JSON text; copied.
/// @param json_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_header(
    builder: Option<&mut gk_signer_builder>,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
) {
    set(builder, |builder| {
        let name = text(name, name_len, "name")?;
        Ok(builder.header(name, text(json, json_len, "json")?))
    });
}

/// Sets whether a token without `jti` gets a random one of 128 bits.
///
/// @param builder The builder.
/// @param made True unless set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_token_ids(
    builder: Option<&mut gk_signer_builder>,
    made: bool,
) {
    set(builder, |builder| Ok(builder.token_ids(made)));
}

/// Allows tokens without `exp`, which live for ever; only together with gk_signer_builder_no_ttl.
///
/// @param builder The builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_allow_missing_exp(
    builder: Option<&mut gk_signer_builder>,
) {
    set(builder, |builder| Ok(builder.allow_missing_exp()));
}

/// Reads the time from this function instead of the system's clock.
///
/// @param builder The builder.
/// @param now The clock.
/// @param user Handed to `now`; may be NULL.
/// @param release Releases `user` when neither the builder nor any copy or signer of it is left;
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_clock(
    builder: Option<&mut gk_signer_builder>,
    now: gk_clock_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let clock = clock(now, user, release); // released in any case
    set(builder, |builder| Ok(builder.clock(clock?)));
}

/// Draws token identifiers from this function instead of the system's generator.
///
/// @param builder The builder.
/// @param fill The source.
/// @param user Handed to `fill`; may be NULL.
/// @param release Releases `user` when neither the builder nor any copy or signer of it is left;
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_signer_builder_random(
    builder: Option<&mut gk_signer_builder>,
    fill: gk_random_fn,
    user: *mut c_void,
    release: gk_release_fn,
) {
    let random = random(fill, user, release); // released in any case
    set(builder, |builder| Ok(builder.random(random?)));
}

/// Makes the signer; the builder stays as it is.
///
/// @param builder The builder.
/// @param signer Receives the signer, to be freed with gk_signer_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION for an empty issuer, audience or type, a
/// time to live that is out of range, contradicts gk_signer_builder_allow_missing_exp or is longer
/// than the ring keeps its keys, or a header member that is not acceptable; GK_STATUS_KEY_USAGE for
/// a private key that may not sign; GK_STATUS_STORE_UNAVAILABLE if a ring cannot be read.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_builder_build(
    builder: Option<&gk_signer_builder>,
    signer: *mut *mut gk_signer,
    err: *mut gk_error,
) -> gk_status {
    create(signer, err, || Ok(gk_signer(given(builder, "builder")?.0.built()?.clone().build()?)))
}

/// Shares a signer.
///
/// @param signer The signer; NULL is fine.
/// @return Another handle to the same signer, to be freed with gk_signer_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_signer_clone(signer: Option<&gk_signer>) -> Option<Box<gk_signer>> {
    share(|| Some(gk_signer(signer?.0.clone())))
}

/// Frees a handle to a signer.
///
/// @param signer The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_signer_free(signer: Option<Box<gk_signer>>) {
    release(signer);
}

/// The key that signs; of a signer that follows a ring, the one that signed last.
///
/// @param signer The signer.
/// @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_key(
    signer: Option<&gk_signer>,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || Ok(gk_key(given(signer, "signer")?.0.key())))
}

/// Signs claims. The signer adds `iss`, `aud`, `iat`, `exp` and `jti` where the claims lack them.
///
/// @param signer The signer.
/// @param claims The claims, which stay as they are.
/// @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for a registered claim of the wrong type, an
/// `iss` or `aud` that is not the signer's, or neither `exp` nor a time to live;
/// GK_STATUS_KEY_USAGE if the key is public; GK_STATUS_RANDOM_UNAVAILABLE;
/// GK_STATUS_STORE_UNAVAILABLE if the ring cannot be read.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_sign(
    signer: Option<&gk_signer>,
    claims: Option<&gk_claims>,
    token: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(token, err, || Ok(given(signer, "signer")?.0.sign(given(claims, "claims")?.0.built()?)?))
}

/// Signs the claims of a JSON object; what it says keeps its exact text.
///
/// @param signer The signer.
/// @param json One JSON object, at most 1 MiB; borrowed for the call. Never paste text from outside
/// into it: use gk_claims.
/// @param json_len Its length in bytes.
/// @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_signer_sign; GK_STATUS_INVALID_ARGUMENT if the text is not acceptable JSON.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_sign_json(
    signer: Option<&gk_signer>,
    json: *const c_char,
    json_len: usize,
    token: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(token, err, || {
        let json = chars(json, json_len, "json")?;
        Ok(given(signer, "signer")?.0.sign_json(json)?)
    })
}

/// The first of two steps, for a key that another machine holds: what is to be signed.
///
/// @param signer The signer, whose key may be public.
/// @param claims The claims, which stay as they are.
/// @param prepared Receives the token without its signature, to be freed with gk_unsigned_free;
/// NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_signer_sign, without GK_STATUS_KEY_USAGE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_prepare(
    signer: Option<&gk_signer>,
    claims: Option<&gk_claims>,
    prepared: *mut *mut gk_unsigned,
    err: *mut gk_error,
) -> gk_status {
    create(prepared, err, || {
        Ok(gk_unsigned(given(signer, "signer")?.0.prepare(given(claims, "claims")?.0.built()?)?))
    })
}

/// gk_signer_prepare for the claims of a JSON object.
///
/// @param signer The signer, whose key may be public.
/// @param json One JSON object, at most 1 MiB; borrowed for the call.
/// @param json_len Its length in bytes.
/// @param prepared Receives the token without its signature, to be freed with gk_unsigned_free;
/// NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_signer_sign_json, without GK_STATUS_KEY_USAGE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_signer_prepare_json(
    signer: Option<&gk_signer>,
    json: *const c_char,
    json_len: usize,
    prepared: *mut *mut gk_unsigned,
    err: *mut gk_error,
) -> gk_status {
    create(prepared, err, || {
        let json = chars(json, json_len, "json")?;
        Ok(gk_unsigned(given(signer, "signer")?.0.prepare_json(json)?))
    })
}

/// What the signature is computed over (RFC 7515 section 5.1).
///
/// @param prepared The token without its signature.
/// @return ASCII text lent by the handle; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_unsigned_signing_input(prepared: Option<&gk_unsigned>) -> gk_str {
    look(gk_str::NONE, || Some(lend(prepared?.0.signing_input())))
}

/// The second of two steps: adds the signature, once the key has verified it.
///
/// @param prepared The token without its signature, which stays as it is.
/// @param signature The signature (RFC 7518 section 3; ECDSA's may be r and s side by side, or
/// DER); borrowed for the call.
/// @param signature_len Its length in bytes.
/// @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_SIGNATURE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_unsigned_attach(
    prepared: Option<&gk_unsigned>,
    signature: *const u8,
    signature_len: usize,
    token: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(token, err, || {
        let signature = slice(signature, signature_len, "signature")?;
        Ok(given(prepared, "prepared")?.0.attach(signature)?)
    })
}

/// Frees a token without its signature.
///
/// @param prepared The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_unsigned_free(prepared: Option<Box<gk_unsigned>>) {
    release(prepared);
}

/// Replaces what was set by what the change makes of it.
fn set(
    builder: Option<&mut gk_signer_builder>,
    change: impl FnOnce(SignerBuilder) -> Outcome<SignerBuilder>,
) {
    sticky::set(builder.map(|builder| &mut builder.0), change);
}
