//! `gk_key_options`: reading a key under conditions that are not the default.

use super::alg::gk_alg;
use super::boundary::{Outcome, alg, chars, create, given, release, share, slice, text};
use super::error::gk_error;
use super::key::gk_key;
use super::status::gk_status;
use super::sticky::{self, Sticky};
use crate::jwk::KeyOptions;
use libc::c_char;

/// How to read or make a key: its algorithm, its identifier, its passphrase, and the one escape for
/// weak legacy keys.
pub struct gk_key_options(Sticky<KeyOptions>);

/// Options that say nothing.
///
/// @return The options, to be freed with gk_key_options_free.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_options_new() -> Option<Box<gk_key_options>> {
    share(|| Some(gk_key_options(Sticky::new(KeyOptions::new()))))
}

/// Copies options.
///
/// @param options The options; NULL is fine.
/// @return A copy, to be freed with gk_key_options_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_options_clone(
    options: Option<&gk_key_options>,
) -> Option<Box<gk_key_options>> {
    share(|| Some(gk_key_options(options?.0.clone())))
}

/// Frees options.
///
/// @param options The options, which must not be used again; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn gk_key_options_free(options: Option<Box<gk_key_options>>) {
    release(options);
}

/// Names the algorithm.
///
/// @param options The options.
/// @param alg A GK_ALG_ constant.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_options_alg(options: Option<&mut gk_key_options>, alg: gk_alg) {
    set(options, |options| Ok(options.alg(self::alg(alg)?)));
}

/// Gives the key its identifier.
///
/// @param options The options.
/// @param kid The identifier, 1 to 256 bytes of UTF-8; copied. Checked when the key is read.
/// @param kid_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_options_kid(
    options: Option<&mut gk_key_options>,
    kid: *const c_char,
    kid_len: usize,
) {
    set(options, |options| Ok(options.kid(text(kid, kid_len, "kid")?)));
}

/// Gives the passphrase of an encrypted private key (PKCS#8 under PBES2, or OpenSSH's format). A
/// key that is not encrypted is read without it.
///
/// What the key asks for is bounded (10,000,000 iterations of PBKDF2, 256 MiB of scrypt, 1000
/// rounds of bcrypt); up to that, reading it may take some ten seconds.
///
/// @param options The options.
/// @param passphrase The passphrase, 1 to 1024 bytes; copied, and wiped with the options. Checked
/// when the key is read.
/// @param passphrase_len Its length in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_options_passphrase(
    options: Option<&mut gk_key_options>,
    passphrase: *const c_char,
    passphrase_len: usize,
) {
    set(options, |options| {
        Ok(options.passphrase(chars(passphrase, passphrase_len, "passphrase")?))
    });
}

/// DANGER: accepts HMAC secrets of any length but zero, and RSA public keys of 1024 to 2047 bits to
/// verify with, for legacy systems that cannot be changed. Such keys can be guessed or factored.
///
/// @param options The options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gk_key_options_danger_allow_weak(options: Option<&mut gk_key_options>) {
    set(options, |options| Ok(options.danger_allow_weak()));
}

/// Makes a new private key as gk_key_generate does.
///
/// @param options The options, which must name the algorithm.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_key_generate, and GK_STATUS_ALGORITHM_REQUIRED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_options_generate(
    options: Option<&gk_key_options>,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || Ok(gk_key(given(options, "options")?.0.built()?.generate()?)))
}

/// Makes an HMAC key of a shared secret as gk_key_from_secret does.
///
/// @param options The options, which must name the algorithm.
/// @param secret The secret; copied.
/// @param secret_len Its length in bytes.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_key_from_secret, and GK_STATUS_ALGORITHM_REQUIRED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_options_from_secret(
    options: Option<&gk_key_options>,
    secret: *const u8,
    secret_len: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let secret = slice(secret, secret_len, "secret")?;
        Ok(gk_key(given(options, "options")?.0.built()?.from_secret(secret)?))
    })
}

/// Reads a key from PEM as gk_key_from_pem does.
///
/// @param options The options.
/// @param pem The text, at most 64 KiB; borrowed for the call.
/// @param pem_len Its length in bytes.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_key_from_pem.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_options_from_pem(
    options: Option<&gk_key_options>,
    pem: *const c_char,
    pem_len: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let pem = chars(pem, pem_len, "pem")?;
        Ok(gk_key(given(options, "options")?.0.built()?.from_pem(pem)?))
    })
}

/// Reads a key from DER as gk_key_from_der does.
///
/// @param options The options.
/// @param der The bytes, at most 64 KiB; borrowed for the call.
/// @param der_len Their number.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_key_from_pem.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_options_from_der(
    options: Option<&gk_key_options>,
    der: *const u8,
    der_len: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let der = slice(der, der_len, "der")?;
        Ok(gk_key(given(options, "options")?.0.built()?.from_der(der)?))
    })
}

/// Reads a key from a JSON Web Key as gk_key_from_jwk does.
///
/// @param options The options.
/// @param json The JWK, at most 512 KiB; borrowed for the call.
/// @param json_len Its length in bytes.
/// @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
/// @param err Receives the error; may be NULL.
/// @return As gk_key_from_jwk.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_key_options_from_jwk(
    options: Option<&gk_key_options>,
    json: *const c_char,
    json_len: usize,
    key: *mut *mut gk_key,
    err: *mut gk_error,
) -> gk_status {
    create(key, err, || {
        let json = chars(json, json_len, "json")?;
        Ok(gk_key(given(options, "options")?.0.built()?.from_jwk(json)?))
    })
}

/// Replaces what was set by what the change makes of it.
fn set(
    options: Option<&mut gk_key_options>,
    change: impl FnOnce(KeyOptions) -> Outcome<KeyOptions>,
) {
    sticky::set(options.map(|options| &mut options.0), change);
}
