//! `gk_key`: key material bound to exactly one algorithm.

use super::alg::gk_alg;
use super::boundary::{
    alg, alg_or_any, chars, create, fill, fill_array, given, guard, lend, look, release, share,
    slice, text,
};
use super::buf::{gk_buf, gk_str};
use super::error::gk_error;
use super::status::gk_status;
use crate::Key;
use libc::c_char;

/// A key: its material, parsed once, and the one algorithm it may be used with. Immutable and
/// shared by reference count. Its memory is wiped when the last handle to it is freed.
pub struct gk_key(pub(super) Key);

/// The size of a thumbprint in bytes, with the NUL at its end.
pub const GK_THUMBPRINT_SIZE: usize = 44;

/// The size of a thumbprint URI in bytes, with the NUL at its end.
pub const GK_THUMBPRINT_URI_SIZE: usize = 89;

/// Makes a new private key: RSA of 2048 bits, or a secret as long as the hash.
///
/// @param alg A GK_ALG_ constant.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_RANDOM_UNAVAILABLE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_generate(
    alg: gk_alg,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || Ok(gk_key(Key::generate(self::alg(alg)?)?)))
}

/// Makes a new private RSA key. This takes from a tenth of a second to many seconds.
///
/// @param alg One of GK_ALG_RS256 to GK_ALG_PS512.
/// @param bits The length of the modulus: 2048, 3072, 4096 or 8192.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for another algorithm or length.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_generate_rsa(
    alg: gk_alg,
    bits: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || Ok(gk_key(Key::generate_rsa(self::alg(alg)?, bits)?)))
}

/// Makes an HMAC key of a shared secret: random bytes, not a password and not the text of a key.
///
/// @param secret The secret, at least as long as the hash (32, 48 or 64 bytes), at most 64 KiB;
/// copied.
/// @param secret_len Its length in bytes.
/// @param alg GK_ALG_HS256, GK_ALG_HS384 or GK_ALG_HS512.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_WEAK_KEY if the secret is too short or one byte repeated;
/// GK_STATUS_SECRET_LOOKS_LIKE_KEY if it is a PEM, DER, SSH or JWK key in any disguise;
/// GK_STATUS_INVALID_KEY if it is too long; GK_STATUS_INVALID_ARGUMENT for another algorithm.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_from_secret(
    secret: *const u8,
    secret_len: usize,
    alg: gk_alg,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        Ok(gk_key(Key::from_secret(slice(secret, secret_len, "secret")?, self::alg(alg)?)?))
    })
}

/// Reads a key from PEM: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate (whose validity is not
/// checked; only its public key is used); or an OpenSSH key, private, or public as a line or RFC
/// 4716. Text around the key is ignored, and so are white space and written-out "\n" inside. For an
/// encrypted key see gk_key_options_passphrase.
///
/// @param pem The text, at most 64 KiB; borrowed for the call.
/// @param pem_len Its length in bytes.
/// @param alg The algorithm; GK_ALG_ANY where the key itself says it, which an RSA key does not.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_KEY if it is malformed, or the algorithm needs another
/// type of key; GK_STATUS_UNSUPPORTED_KEY if its type or encryption is unknown, or costs too much;
/// GK_STATUS_PASSPHRASE_REQUIRED and GK_STATUS_WRONG_PASSPHRASE if it is encrypted;
/// GK_STATUS_WEAK_KEY; GK_STATUS_KEY_PAIR_MISMATCH; GK_STATUS_ALGORITHM_REQUIRED;
/// GK_STATUS_KEY_USAGE if the key itself says that it is for another algorithm.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_from_pem(
    pem: *const c_char,
    pem_len: usize,
    alg: gk_alg,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || Ok(gk_key(Key::from_pem(chars(pem, pem_len, "pem")?, alg_or_any(alg)?)?)))
}

/// Reads a key from DER: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate.
///
/// @param der The bytes, at most 64 KiB; borrowed for the call.
/// @param der_len Their number.
/// @param alg The algorithm; GK_ALG_ANY where the key itself says it, which an RSA key does not.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_key_from_pem.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_from_der(
    der: *const u8,
    der_len: usize,
    alg: gk_alg,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || Ok(gk_key(Key::from_der(slice(der, der_len, "der")?, alg_or_any(alg)?)?)))
}

/// Reads a key from a JSON Web Key (RFC 7517).
///
/// @param json The JWK, at most 512 KiB; borrowed for the call.
/// @param json_len Its length in bytes.
/// @param alg The algorithm; GK_ALG_ANY where the JWK says it by `alg` or by its curve.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_key_from_pem and gk_key_from_secret; GK_STATUS_KEY_USAGE also if `alg` contradicts
/// the JWK's, or `use` or `key_ops` are for something else than signatures;
/// GK_STATUS_UNSUPPORTED_KEY if the JWK's `alg` is unknown.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_from_jwk(
    json: *const c_char,
    json_len: usize,
    alg: gk_alg,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        Ok(gk_key(Key::from_jwk(chars(json, json_len, "json")?, alg_or_any(alg)?)?))
    })
}

/// Shares a key.
///
/// @param key The key; NULL is fine.
/// @return Another handle to the same key, to be freed with gk_key_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_clone(key: Option<&gk_key>) -> Option<Box<gk_key>> {
    share(|| Some(gk_key(key?.0.clone())))
}

/// Frees a handle; the key is wiped with the last one.
///
/// @param key The handle, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_free(key: Option<Box<gk_key>>) {
    release(key);
}

/// The algorithm that the key is bound to.
///
/// @param key The key.
/// @return A GK_ALG_ constant; GK_ALG_ANY for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_alg(key: Option<&gk_key>) -> gk_alg {
    look(0, || Some(key?.0.alg().code()))
}

/// The key's identifier: the one it was given, or its thumbprint.
///
/// @param key The key.
/// @return 1 to 256 bytes, lent by the key; {NULL, 0} for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_kid(key: Option<&gk_key>) -> gk_str {
    look(gk_str::NONE, || Some(lend(key?.0.kid())))
}

/// Whether the key was given its identifier, by a JWK or by the caller.
///
/// @param key The key.
/// @return False if gk_key_kid is the thumbprint, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_has_explicit_kid(key: Option<&gk_key>) -> bool {
    look(false, || Some(key?.0.has_explicit_kid()))
}

/// The same key under another identifier.
///
/// @param key The key, which stays as it is.
/// @param kid The identifier, 1 to 256 bytes of UTF-8; copied.
/// @param kid_len Its length in bytes.
/// @param renamed Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the identifier is empty or too long.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_with_kid(
    key: Option<&gk_key>,
    kid: *const c_char,
    kid_len: usize,
    renamed: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(renamed, err, || Ok(gk_key(given(key, "key")?.0.with_kid(text(kid, kid_len, "kid")?)?)))
}

/// Whether the key has a private part, or is a shared secret.
///
/// @param key The key.
/// @return False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_is_private(key: Option<&gk_key>) -> bool {
    look(false, || Some(key?.0.is_private()))
}

/// Whether the key is a shared secret (HMAC).
///
/// @param key The key.
/// @return False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_is_symmetric(key: Option<&gk_key>) -> bool {
    look(false, || Some(key?.0.is_symmetric()))
}

/// "sig", the `use` that the key is exported with (RFC 7517 section 4.2).
///
/// @param key The key.
/// @return Text lent by the key; {NULL, 0} if it has `key_ops` instead, and for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_use(key: Option<&gk_key>) -> gk_str {
    look(gk_str::NONE, || key?.0.key_use().map(lend))
}

/// Whether the key has what it takes to sign and its `use` and `key_ops` allow it.
///
/// @param key The key.
/// @return False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_may_sign(key: Option<&gk_key>) -> bool {
    look(false, || Some(key?.0.may_sign()))
}

/// Whether the key's `use` and `key_ops` allow it to verify.
///
/// @param key The key.
/// @return False for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_may_verify(key: Option<&gk_key>) -> bool {
    look(false, || Some(key?.0.may_verify()))
}

/// The public part of a key, under the same identifier.
///
/// @param key The key, which stays as it is.
/// @param public_key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for an HMAC key, which has no public part.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_public(
    key: Option<&gk_key>,
    public_key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(public_key, err, || Ok(gk_key(given(key, "key")?.0.public()?)))
}

/// The SHA-256 thumbprint of the key's public part, or of the secret (RFC 7638), in base64url.
///
/// @param key The key.
/// @param thumbprint Receives 43 characters and a NUL; all NUL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_thumbprint(
    key: Option<&gk_key>,
    thumbprint: *mut [c_char; GK_THUMBPRINT_SIZE],
    err: *mut gk_error,
) -> gk_status {
    fill_array(thumbprint, err, || Ok(given(key, "key")?.0.thumbprint()))
}

/// The thumbprint as a URI: "urn:ietf:params:oauth:jwk-thumbprint:sha-256:..." (RFC 9278).
///
/// @param key The key.
/// @param uri Receives 88 characters and a NUL; all NUL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_thumbprint_uri(
    key: Option<&gk_key>,
    uri: *mut [c_char; GK_THUMBPRINT_URI_SIZE],
    err: *mut gk_error,
) -> gk_status {
    fill_array(uri, err, || Ok(given(key, "key")?.0.thumbprint_uri()))
}

/// The public part as a JSON Web Key.
///
/// @param key The key.
/// @param json Receives the JWK, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for an HMAC key.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_to_jwk(
    key: Option<&gk_key>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(key, "key")?.0.to_jwk()?))
}

/// The private key, or the secret, as a JSON Web Key. Keep it secret.
///
/// @param key The key.
/// @param json Receives the JWK, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a key without a private part.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_to_private_jwk(
    key: Option<&gk_key>,
    json: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(json, err, || Ok(given(key, "key")?.0.to_private_jwk()?))
}

/// The public part as PEM (SPKI, "PUBLIC KEY").
///
/// @param key The key.
/// @param pem Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for an HMAC key.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_to_pem(
    key: Option<&gk_key>,
    pem: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(pem, err, || Ok(given(key, "key")?.0.to_pem()?))
}

/// The private key as PEM (PKCS#8, "PRIVATE KEY"), not encrypted. Keep it secret.
///
/// @param key The key.
/// @param pem Receives the text, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
/// call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a key without a private part and for an HMAC key.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_to_private_pem(
    key: Option<&gk_key>,
    pem: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(pem, err, || Ok(given(key, "key")?.0.to_private_pem()?))
}

/// Signs any bytes. For tokens use gk_signer_sign; this is for what stands in for a key store.
///
/// @param key A key that may sign.
/// @param message The bytes; borrowed for the call.
/// @param message_len Their number.
/// @param signature Receives the raw signature or MAC, to be freed with gk_buf_free; {NULL, 0} if
/// the call fails. It may contain NUL bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a key that may not sign.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_sign(
    key: Option<&gk_key>,
    message: *const u8,
    message_len: usize,
    signature: *mut gk_buf,
    err: *mut gk_error,
) -> gk_status {
    fill(signature, err, || {
        let message = slice(message, message_len, "message")?;
        Ok(given(key, "key")?.0.sign_with(message, <[u8]>::to_vec)?)
    })
}

/// Verifies a raw signature or MAC of any bytes. For tokens use gk_verifier_verify.
///
/// @param key A key that may verify.
/// @param message The bytes; borrowed for the call.
/// @param message_len Their number.
/// @param signature The signature; borrowed for the call.
/// @param signature_len Its length in bytes.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK if the signature is valid; GK_STATUS_INVALID_SIGNATURE;
/// GK_STATUS_KEY_USAGE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_verify_signature(
    key: Option<&gk_key>,
    message: *const u8,
    message_len: usize,
    signature: *const u8,
    signature_len: usize,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        let message = slice(message, message_len, "message")?;
        let signature = slice(signature, signature_len, "signature")?;
        Ok(given(key, "key")?.0.verify_signature(message, signature)?)
    })
}

/// How long the signatures of this key are.
///
/// @param key The key.
/// @return A number of bytes; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_signature_len(key: Option<&gk_key>) -> usize {
    look(0, || Some(key?.0.signature_len()))
}
