//! `gk_status`: one number per kind of failure, the same as `ErrorKind` in Rust and `number` in
//! Python.

use super::boundary::look;
use crate::ErrorKind;
use libc::c_char;
use std::ffi::CString;
use std::sync::LazyLock;

/// The outcome of a call: GK_STATUS_OK, which is 0, or why it failed. Blocks: 1-99 misuse and
/// internal, 1000s token, 2000s key, 3000s API key, 4000s session and cookie, 5000s OAuth and
/// incoming requests, 6000s store, 7000s transport; none lies in 100 to 599, so that none is taken
/// for an HTTP status. A number is never reused; treat one you do not know as a failure.
pub type gk_status = i32;

// From here to the first empty line, `make errors` renders src/error/kind.rs.
/// The call succeeded.
pub const GK_STATUS_OK: gk_status = 0;
/// A defect in gatekey itself; please report it.
pub const GK_STATUS_INTERNAL: gk_status = 1;
/// An argument is out of range, NULL, not UTF-8 or of the wrong shape.
pub const GK_STATUS_INVALID_ARGUMENT: gk_status = 2;
/// A policy, signer or verifier contradicts itself or is incomplete.
pub const GK_STATUS_INVALID_CONFIGURATION: gk_status = 3;
/// This part of gatekey was not built into the library at hand.
pub const GK_STATUS_UNSUPPORTED: gk_status = 4;
/// The operating system's random number generator failed.
pub const GK_STATUS_RANDOM_UNAVAILABLE: gk_status = 5;
/// The token is not a JWS compact serialization of a JSON object (RFC 7515 section 7.1).
pub const GK_STATUS_MALFORMED_TOKEN: gk_status = 1000;
/// The signature or MAC does not match. Always wins over a claim error.
pub const GK_STATUS_INVALID_SIGNATURE: gk_status = 1001;
/// `exp` is now or in the past (RFC 7519 section 4.1.4).
pub const GK_STATUS_EXPIRED: gk_status = 1002;
/// `nbf` is in the future (RFC 7519 section 4.1.5).
pub const GK_STATUS_NOT_YET_VALID: gk_status = 1003;
/// `iss` is not the expected one, or is present and the policy says nothing about it.
pub const GK_STATUS_INVALID_ISSUER: gk_status = 1004;
/// `aud` names no expected audience, or is present and the policy says nothing about it.
pub const GK_STATUS_INVALID_AUDIENCE: gk_status = 1005;
/// The header's `typ` is not the expected one.
pub const GK_STATUS_INVALID_TYPE: gk_status = 1006;
/// `sub` is not the expected one.
pub const GK_STATUS_INVALID_SUBJECT: gk_status = 1007;
/// A claim the policy requires is absent.
pub const GK_STATUS_MISSING_CLAIM: gk_status = 1008;
/// A registered claim has the wrong JSON type or an impossible value.
pub const GK_STATUS_INVALID_CLAIM: gk_status = 1009;
/// gatekey does not implement the algorithm; `none` is not an algorithm.
pub const GK_STATUS_UNSUPPORTED_ALGORITHM: gk_status = 1010;
/// The header's `alg` is not the one the key is bound to.
pub const GK_STATUS_INVALID_ALGORITHM: gk_status = 1011;
/// The header lists an extension in `crit` that gatekey does not understand.
pub const GK_STATUS_UNSUPPORTED_CRITICAL: gk_status = 1012;
/// No key of the set fits the token's `kid` and `alg`.
pub const GK_STATUS_KEY_NOT_FOUND: gk_status = 1013;
/// Several keys fit and the policy does not allow trying them.
pub const GK_STATUS_AMBIGUOUS_KEY: gk_status = 1014;
/// The token or one of its parts is longer than the policy allows.
pub const GK_STATUS_TOKEN_TOO_LARGE: gk_status = 1015;
/// `iat` is in the future (beyond the leeway).
pub const GK_STATUS_ISSUED_IN_FUTURE: gk_status = 1016;
/// `iat` is longer ago than the policy's maximal age.
pub const GK_STATUS_TOO_OLD: gk_status = 1017;
/// The token, its session, its subject or its key has been revoked.
pub const GK_STATUS_REVOKED_TOKEN: gk_status = 1018;
/// The key that the token names is in the set, but cannot be used; the error says why.
pub const GK_STATUS_UNUSABLE_KEY: gk_status = 1019;
/// The key cannot be parsed or its parts do not form a key.
pub const GK_STATUS_INVALID_KEY: gk_status = 2000;
/// The key is too weak: RSA under 2048 bits, a short secret, a ROCA modulus.
pub const GK_STATUS_WEAK_KEY: gk_status = 2001;
/// gatekey does not implement the key type or curve.
pub const GK_STATUS_UNSUPPORTED_KEY: gk_status = 2002;
/// The private part does not belong to the public part.
pub const GK_STATUS_KEY_PAIR_MISMATCH: gk_status = 2003;
/// `use`, `key_ops` or `alg` of the key forbids what is asked, or a public key is asked to sign.
pub const GK_STATUS_KEY_USAGE: gk_status = 2004;
/// An HMAC secret that is really a PEM, DER, SSH or JWK key in some disguise.
pub const GK_STATUS_SECRET_LOOKS_LIKE_KEY: gk_status = 2005;
/// A key set mixes symmetric and asymmetric keys.
pub const GK_STATUS_MIXED_KEY_SET: gk_status = 2006;
/// The algorithm cannot be told from the key alone (RSA, symmetric).
pub const GK_STATUS_ALGORITHM_REQUIRED: gk_status = 2007;
/// A call that manages a key ring names a key that the ring does not have.
pub const GK_STATUS_RING_KEY_NOT_FOUND: gk_status = 2008;
/// A private key is encrypted, and no passphrase was given for it.
pub const GK_STATUS_PASSPHRASE_REQUIRED: gk_status = 2009;
/// The passphrase given is not that of the private key, or the key was damaged.
pub const GK_STATUS_WRONG_PASSPHRASE: gk_status = 2010;
/// The callback that signs for a key in a KMS or HSM has failed, or has given no signature in time.
pub const GK_STATUS_KEY_UNAVAILABLE: gk_status = 2011;
/// The text is not an API key: wrong length, alphabet or checksum. It never reaches the store.
pub const GK_STATUS_MALFORMED_API_KEY: gk_status = 3000;
/// No API key has the presented id in this environment and tenant.
pub const GK_STATUS_UNKNOWN_API_KEY: gk_status = 3001;
/// The id exists, the secret is not its own.
pub const GK_STATUS_BAD_API_KEY_SECRET: gk_status = 3002;
/// The key is disabled; it can be enabled again.
pub const GK_STATUS_API_KEY_DISABLED: gk_status = 3003;
/// The key is revoked for good.
pub const GK_STATUS_API_KEY_REVOKED: gk_status = 3004;
/// The key's time of expiry is now or in the past.
pub const GK_STATUS_API_KEY_EXPIRED: gk_status = 3005;
/// The key's time of validity begins in the future.
pub const GK_STATUS_API_KEY_NOT_YET_VALID: gk_status = 3006;
/// The caller's address is not on the key's allow-list, or was not given.
pub const GK_STATUS_API_KEY_ADDRESS: gk_status = 3007;
/// The key or token lacks a scope that the call requires (RFC 6750 section 3.1).
pub const GK_STATUS_INSUFFICIENT_SCOPE: gk_status = 3008;
/// The key's rate limit is reached; `retry_after` says when to come back.
pub const GK_STATUS_RATE_LIMITED: gk_status = 3009;
/// The key's credits are spent; `retry_after` says when the next refill is.
pub const GK_STATUS_CREDITS_EXHAUSTED: gk_status = 3010;
/// A call that manages API keys names one that is not there.
pub const GK_STATUS_API_KEY_NOT_FOUND: gk_status = 3011;
/// A cookie's name comes twice, or its value holds what no cookie holds (RFC 6265bis).
pub const GK_STATUS_MALFORMED_COOKIE: gk_status = 4000;
/// The request was caused by another site, or brings no CSRF token of its session.
pub const GK_STATUS_CSRF_REJECTED: gk_status = 4001;
/// The text is not a refresh token of ours, or its session is not known any more.
pub const GK_STATUS_INVALID_REFRESH_TOKEN: gk_status = 4002;
/// A refresh token was used a second time, so that an attacker may have it: the session has been
/// ended.
pub const GK_STATUS_TOKEN_REUSE: gk_status = 4003;
/// The session was logged out.
pub const GK_STATUS_SESSION_ENDED: gk_status = 4004;
/// The session was not refreshed in time, or has lasted for as long as a session may.
pub const GK_STATUS_SESSION_EXPIRED: gk_status = 4005;
/// There is no session with this id.
pub const GK_STATUS_SESSION_NOT_FOUND: gk_status = 4006;
/// The callback's `state` fits no log-in that this browser has begun in the last ten minutes (RFC
/// 6749 section 10.12).
pub const GK_STATUS_OAUTH_STATE_MISMATCH: gk_status = 5000;
/// The callback's `iss` (RFC 9207) names another issuer than the one configured.
pub const GK_STATUS_OAUTH_ISSUER_MISMATCH: gk_status = 5001;
/// The user, or the server's policy, said no (`access_denied`, RFC 6749 section 4.1.2.1).
pub const GK_STATUS_OAUTH_ACCESS_DENIED: gk_status = 5002;
/// The server cannot answer without the user: `login_required`, `consent_required` and the like
/// (OpenID Connect Core section 3.1.2.6).
pub const GK_STATUS_OAUTH_INTERACTION_REQUIRED: gk_status = 5003;
/// The authorization server refused the code, refresh token or assertion for good (`invalid_grant`,
/// RFC 6749 section 5.2).
pub const GK_STATUS_OAUTH_INVALID_GRANT: gk_status = 5004;
/// The client's own authentication failed, or it may not do this (`invalid_client`,
/// `unauthorized_client`).
pub const GK_STATUS_OAUTH_INVALID_CLIENT: gk_status = 5005;
/// The authorization server answered with any other error; `peer_code` names it.
pub const GK_STATUS_OAUTH_REFUSED: gk_status = 5006;
/// The authorization server answered 5xx or 429, `server_error` or `temporarily_unavailable`.
pub const GK_STATUS_OAUTH_SERVER_FAILED: gk_status = 5007;
/// The answer is not what the RFC asks for: no JSON object, a duplicate member, a token with
/// control characters, another token type.
pub const GK_STATUS_OAUTH_MALFORMED_RESPONSE: gk_status = 5008;
/// The ID token's `nonce` is not the one of this log-in (OpenID Connect Core section 3.1.3.7).
pub const GK_STATUS_OAUTH_NONCE_MISMATCH: gk_status = 5009;
/// The `sub` of the user info is not the one of the ID token (OpenID Connect Core section 5.3.2).
pub const GK_STATUS_OAUTH_SUBJECT_MISMATCH: gk_status = 5010;
/// The device code has expired before the user said yes or no (RFC 8628 section 3.5).
pub const GK_STATUS_OAUTH_DEVICE_EXPIRED: gk_status = 5011;
/// The token manager has no token under this name, or the authorization server has ended it.
pub const GK_STATUS_OAUTH_NO_TOKEN: gk_status = 5012;
/// There is no `Authorization` header, or another scheme than the ones accepted.
pub const GK_STATUS_MISSING_CREDENTIALS: gk_status = 5013;
/// The authorization server says that the token is expired, revoked or unknown (RFC 7662 section
/// 2.2).
pub const GK_STATUS_TOKEN_INACTIVE: gk_status = 5014;
/// The token's `acr` or `auth_time` does not meet what this call demands (RFC 9470).
pub const GK_STATUS_INSUFFICIENT_AUTHENTICATION: gk_status = 5015;
/// The request brings more than one credential, in one place or in two (RFC 6750 sections 2 and
/// 3.1).
pub const GK_STATUS_SEVERAL_CREDENTIALS: gk_status = 5016;
/// HTTP does not allow the request: control characters in its path or in a header that is read (RFC
/// 9110 section 5.5), or a header twice that is there once.
pub const GK_STATUS_MALFORMED_REQUEST: gk_status = 5017;
/// The request has more headers, or longer ones, than are read (RFC 6585 section 5).
pub const GK_STATUS_REQUEST_TOO_LARGE: gk_status = 5018;
/// The store cannot be reached or has been out of reach for longer than `max_stale`.
pub const GK_STATUS_STORE_UNAVAILABLE: gk_status = 6000;
/// The store, or a row of it, is damaged, was altered from outside, or is of a version that this
/// library does not know.
pub const GK_STATUS_STORE_CORRUPT: gk_status = 6001;
/// The row has changed since it was read, or exists already.
pub const GK_STATUS_STORE_CONFLICT: gk_status = 6002;
/// The store is read-only: the file, its folder or the file system.
pub const GK_STATUS_STORE_READ_ONLY: gk_status = 6003;
/// The disk is full; nothing was changed.
pub const GK_STATUS_STORE_FULL: gk_status = 6004;
/// A pepper that the store's rows were made with is missing or has another value.
pub const GK_STATUS_WRONG_PEPPER: gk_status = 6005;
/// The store is older than its mark, such as a backup that was put back, or one of the two is
/// missing: what was revoked since would be good again.
pub const GK_STATUS_STORE_RESTORED: gk_status = 6006;
/// The name does not resolve, nothing listens there, or the connection broke.
pub const GK_STATUS_CONNECTION_FAILED: gk_status = 7000;
/// The whole answer was not there within the deadline (10 seconds unless set).
pub const GK_STATUS_DEADLINE_EXCEEDED: gk_status = 7001;
/// TLS could not be agreed on: the certificate is unknown, expired or for another name, or the
/// version is too old.
pub const GK_STATUS_TLS_FAILED: gk_status = 7002;
/// The URL is not HTTPS, names an address that the policy keeps out, or the answer was a redirect.
pub const GK_STATUS_REQUEST_BLOCKED: gk_status = 7003;
/// The answer's body or head is longer than what the operation takes (1 MiB, key sets and metadata
/// 512 KiB).
pub const GK_STATUS_RESPONSE_TOO_LARGE: gk_status = 7004;

/// The name of a status, the same in every language.
///
/// @param status A status.
/// @return A name such as "InvalidSignature", NUL-terminated, valid for ever; "Ok" for GK_STATUS_OK
/// and "Unknown" for a number that this library does not know.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_name(status: gk_status) -> *const c_char {
    look(c"Unknown".as_ptr(), || match status {
        GK_STATUS_OK => Some(c"Ok".as_ptr()),
        _ => NAMES.get(index(status)?).map(|name| name.as_ptr().cast()),
    })
}

/// The name of a status for programs, metrics and answers: snake case, the same in every language.
///
/// @param status A status.
/// @return A name such as "invalid_signature", NUL-terminated, valid for ever; "ok" for
/// GK_STATUS_OK and "unknown" for a number that this library does not know.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_code(status: gk_status) -> *const c_char {
    look(c"unknown".as_ptr(), || match status {
        GK_STATUS_OK => Some(c"ok".as_ptr()),
        _ => CODES.get(index(status)?).map(|code| code.as_ptr().cast()),
    })
}

/// What the caller of your API may be told, no matter who it is: nothing of how your program works
/// inside, and of a refused token, key or session not which check it failed. gk_error.message is
/// for the log.
///
/// @param status A status.
/// @return The sentence, NUL-terminated, valid for ever; empty for GK_STATUS_OK. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_public_message(status: gk_status) -> *const c_char {
    look(UNKNOWN_FAULT.as_ptr().cast(), || match status {
        GK_STATUS_OK => Some(c"".as_ptr()),
        _ => PUBLIC.get(index(status)?).map(|text| text.as_ptr().cast()),
    })
}

/// The value of the header WWW-Authenticate of the answer (RFC 6750 section 3, RFC 9110 section
/// 15.5.2). A resource server says more: see gk_resource_server_check.
///
/// @param status A status.
/// @return The value, NUL-terminated, valid for ever; empty where the answer has no such header.
/// Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_challenge(status: gk_status) -> *const c_char {
    look(c"".as_ptr(), || CHALLENGES.get(index(status)?)?.as_ref().map(|text| text.as_ptr()))
}

/// One sentence that says what a status means, whatever the call.
///
/// @param status A status.
/// @return The sentence, NUL-terminated, valid for ever. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_summary(status: gk_status) -> *const c_char {
    look(c"This library does not know this status.".as_ptr(), || match status {
        GK_STATUS_OK => Some(c"The call succeeded.".as_ptr()),
        _ => SUMMARIES.get(index(status)?).map(|summary| summary.as_ptr().cast()),
    })
}

/// Whether what the caller of your API presented was refused: answer gk_status_http (RFC 6750
/// section 3).
///
/// @param status A status.
/// @return True for the 1000s, 3000s and 4000s, most of the 5000s and GK_STATUS_RING_KEY_NOT_FOUND.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_is_rejected(status: gk_status) -> bool {
    look(false, || Some(ErrorKind::from_number(status)?.is_rejected()))
}

/// Whether your program made the mistake (an argument, the configuration, a key): answer 500 and
/// fix the program.
///
/// @param status A status.
/// @return True for 2 to 4, the 2000s but GK_STATUS_RING_KEY_NOT_FOUND,
/// GK_STATUS_OAUTH_INVALID_CLIENT, GK_STATUS_OAUTH_REFUSED, GK_STATUS_WRONG_PEPPER and
/// GK_STATUS_REQUEST_BLOCKED.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_is_misuse(status: gk_status) -> bool {
    look(false, || Some(ErrorKind::from_number(status)?.is_misuse()))
}

/// Whether something the library depends on is out of reach: answer 503 and try again later.
///
/// @param status A status.
/// @return True for GK_STATUS_RANDOM_UNAVAILABLE, GK_STATUS_OAUTH_SERVER_FAILED,
/// GK_STATUS_OAUTH_MALFORMED_RESPONSE, the 6000s but GK_STATUS_WRONG_PEPPER and the 7000s but
/// GK_STATUS_REQUEST_BLOCKED.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_is_unavailable(status: gk_status) -> bool {
    look(false, || Some(ErrorKind::from_number(status)?.is_unavailable()))
}

/// What an HTTP service answers: 400, 401, 403, 404, 429 or 431 where the caller was refused, 503
/// where something is out of reach, 500 where the program or the library is wrong.
///
/// @param status A status.
/// @return The HTTP status code; 200 for GK_STATUS_OK, 500 for a status this library does not know.
#[unsafe(no_mangle)]
pub extern "C" fn gk_status_http(status: gk_status) -> u16 {
    look(500, || match status {
        GK_STATUS_OK => Some(200),
        _ => Some(ErrorKind::from_number(status)?.http_status()),
    })
}

fn index(status: gk_status) -> Option<usize> {
    ErrorKind::ALL.iter().position(|kind| kind.number() == status)
}

static NAMES: [[u8; 32]; ErrorKind::ALL.len()] = table(Column::Name);
static CODES: [[u8; 32]; ErrorKind::ALL.len()] = table(Column::Code);
static SUMMARIES: [[u8; 96]; ErrorKind::ALL.len()] = table(Column::Summary);
static PUBLIC: [[u8; 64]; ErrorKind::ALL.len()] = table(Column::Public);
static UNKNOWN_FAULT: [u8; 64] = c_text(ErrorKind::Internal.public_message());

static CHALLENGES: LazyLock<Vec<Option<CString>>> = LazyLock::new(|| {
    ErrorKind::ALL.iter().map(|kind| CString::new(kind.challenge()?).ok()).collect()
});

#[derive(Clone, Copy)]
enum Column {
    Name,
    Code,
    Summary,
    Public,
}

/// One text of all kinds, as C wants it.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn table<const N: usize>(column: Column) -> [[u8; N]; ErrorKind::ALL.len()] {
    let mut rows = [[0; N]; ErrorKind::ALL.len()];
    let mut i = 0;
    while i < rows.len() {
        let kind = ErrorKind::ALL[i];
        rows[i] = c_text(match column {
            Column::Name => kind.name(),
            Column::Code => kind.code(),
            Column::Summary => kind.summary(),
            Column::Public => kind.public_message(),
        });
        i += 1;
    }
    rows
}

/// The text and at least one NUL. Does not compile where that does not fit.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
pub(super) const fn c_text<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    assert!(bytes.len() < N, "a text of the C ABI does not fit its table");
    let mut out = [0; N];
    let mut i = 0;
    while i < bytes.len() {
        out[i] = bytes[i];
        i += 1;
    }
    out
}
