//! `gk_alg`: the numbers of the algorithms.

use super::boundary::{Fault, chars, guard, look, writable};
use super::error::gk_error;
use super::status::{c_text, gk_status};
use crate::Alg;
use libc::c_char;

/// An algorithm: one of the GK_ALG_ constants. Any other number is refused.
pub type gk_alg = i32;

/// Where a function says that it may be given: the key or the JWK itself says which algorithm.
pub const GK_ALG_ANY: gk_alg = 0;
/// HMAC with SHA-256 (RFC 7518 section 3.2).
pub const GK_ALG_HS256: gk_alg = 1;
/// HMAC with SHA-384.
pub const GK_ALG_HS384: gk_alg = 2;
/// HMAC with SHA-512.
pub const GK_ALG_HS512: gk_alg = 3;
/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
pub const GK_ALG_RS256: gk_alg = 4;
/// RSASSA-PKCS1-v1_5 with SHA-384.
pub const GK_ALG_RS384: gk_alg = 5;
/// RSASSA-PKCS1-v1_5 with SHA-512.
pub const GK_ALG_RS512: gk_alg = 6;
/// RSASSA-PSS with SHA-256 (RFC 7518 section 3.5).
pub const GK_ALG_PS256: gk_alg = 7;
/// RSASSA-PSS with SHA-384.
pub const GK_ALG_PS384: gk_alg = 8;
/// RSASSA-PSS with SHA-512.
pub const GK_ALG_PS512: gk_alg = 9;
/// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
pub const GK_ALG_ES256: gk_alg = 10;
/// ECDSA on P-384 with SHA-384.
pub const GK_ALG_ES384: gk_alg = 11;
/// ECDSA on P-521 with SHA-512.
pub const GK_ALG_ES512: gk_alg = 12;
/// ECDSA on secp256k1 with SHA-256 (RFC 8812 section 3.2).
pub const GK_ALG_ES256K: gk_alg = 13;
/// Ed25519 under its older name, EdDSA (RFC 8037 section 3.1).
pub const GK_ALG_EDDSA: gk_alg = 14;
/// Ed25519 under its own name (RFC 9864 section 2.2). A token of either name fits a key of either.
pub const GK_ALG_ED25519: gk_alg = 15;
/// ML-DSA-44 (RFC 9964).
pub const GK_ALG_ML_DSA_44: gk_alg = 16;
/// ML-DSA-65 (RFC 9964).
pub const GK_ALG_ML_DSA_65: gk_alg = 17;
/// ML-DSA-87 (RFC 9964).
pub const GK_ALG_ML_DSA_87: gk_alg = 18;

/// The name of an algorithm as it stands in `alg`.
///
/// @param alg A GK_ALG_ constant.
/// @return The name, such as "ES256", NUL-terminated, valid for ever; "" for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn gk_alg_name(alg: gk_alg) -> *const c_char {
    look(c"".as_ptr(), || {
        let wanted = Alg::from_code(alg)?;
        let at = Alg::ALL.iter().position(|&known| known == wanted)?;
        NAMES.get(at).map(|name| name.as_ptr().cast())
    })
}

/// The algorithm of this name.
///
/// @param name A name as it stands in `alg`, compared byte by byte; borrowed for the call.
/// @param name_len Its length in bytes.
/// @param alg Receives the number; GK_ALG_ANY if the call fails.
/// @param err Receives the error; may be NULL.
/// @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for a name that is not implemented, `none`
/// included.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn gk_alg_from_name(
    name: *const c_char,
    name_len: usize,
    alg: *mut gk_alg,
    err: *mut gk_error,
) -> gk_status {
    guard(err, || {
        writable(alg)?.write(GK_ALG_ANY);
        let name = std::str::from_utf8(chars(name, name_len, "name")?);
        let name = name.map_err(|_| Fault::NotUtf8("name"))?;
        alg.write(Alg::from_name(name)?.code());
        Ok(())
    })
}

/// Whether the algorithm is an HMAC, whose key both signs and verifies and must be kept secret.
///
/// @param alg A GK_ALG_ constant.
/// @return True for GK_ALG_HS256, GK_ALG_HS384 and GK_ALG_HS512; false for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn gk_alg_is_symmetric(alg: gk_alg) -> bool {
    look(false, || Some(Alg::from_code(alg)?.is_symmetric()))
}

/// Whether two numbers mean the same algorithm: equal ones, and GK_ALG_EDDSA and GK_ALG_ED25519.
///
/// @param left A GK_ALG_ constant.
/// @param right A GK_ALG_ constant.
/// @return False if one of them names no algorithm.
#[unsafe(no_mangle)]
pub extern "C" fn gk_alg_same_algorithm(left: gk_alg, right: gk_alg) -> bool {
    look(false, || Some(Alg::from_code(left)?.same_algorithm(Alg::from_code(right)?)))
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
static NAMES: [[u8; 16]; Alg::ALL.len()] = {
    let mut names = [[0; 16]; Alg::ALL.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = c_text(Alg::ALL[i].name());
        i += 1;
    }
    names
};
