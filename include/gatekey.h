/*
 * gatekey: API authentication in one audited core. JSON Web Tokens (RFC 7519), API keys, sessions,
 * OAuth 2.0.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * This file is rendered from src/ffi by build.rs. Do not edit it; run `make header`.
 * A C++ program includes gatekey.hpp, which covers everything here.
 *
 * ==== Memory, threads, forks, lifetimes ====
 *
 * Who frees what. Handles are opaque pointers. gk_x_new, gk_x_from_..., and every call that receives a `gk_x **` make one;
 * gk_x_clone makes another; gk_x_free destroys one, takes NULL, and is the only call that gives a handle up. What a call
 * receives as `const` it copies or shares, so that handles may be freed in any order. A gk_buf goes to gk_buf_free, a
 * gk_session_tokens to gk_session_tokens_free, a gk_issued_api_key to gk_issued_api_key_free: each also takes what a failed
 * call has left, and leaves zero. Other structs are the caller's own, with nothing in them to free.
 *
 * NULL. A handle, a struct or a place for a result is needed unless its @param says that NULL is fine. Bytes and text are a
 * pointer and a length in bytes, NULL if and only if the length is 0; text is UTF-8 and needs no NUL, and GK_TEXT("literal")
 * writes both arguments. In a struct a gk_str of {NULL, 0} is not there; one of length 0 that is not NULL is there, and
 * empty. A pointer that receives a result is set to NULL, or its struct to zero, before anything else. A call that cannot
 * fail, and every setter, takes NULL for its handle and does nothing.
 *
 * Errors. A call that can fail returns a gk_status, GK_STATUS_OK (0) on success, and takes as its last argument a gk_error of
 * the caller's, or NULL. Statuses chain: `if (f(..., &err) || g(..., &err))`. Beside those named under @return every such
 * call may return GK_STATUS_INVALID_ARGUMENT (a pointer is NULL that must not be, text is not UTF-8, a number names no
 * algorithm) and GK_STATUS_INTERNAL.
 *
 * Setters. What is put together (options, a policy, claims, a filter, a builder) has setters that return nothing. The first
 * thing that was wrong stays, and the call that uses the handle tells it (_open, _build, _create, gk_signer_sign).
 *
 * Threads. A `const gk_x *` may be used by several threads at once, a `gk_x *` by one at a time, with nothing else using it
 * meanwhile. So what verifies, signs or keeps something is shared by all threads, and what is put together belongs to one.
 * There is nothing to initialize and nothing to clean up.
 *
 * Forks. Every handle may be made before a fork() and used after it, on both sides; no thread needs to be still. fork() waits
 * until no thread is inside of the library, at most ten seconds; after a longer wait, or a bare system call, a store that was
 * open returns GK_STATUS_STORE_UNAVAILABLE in the child until it is opened again there. Each process frees its own handles; a
 * child that calls _exit or exec need not. A callback must not fork (docs/processes.md).
 *
 * Lifetimes. A gk_str, and a `const char *`, lives as long as the handle or the struct that it came from, and until that is
 * changed; names (gk_status_name, gk_alg_name, gk_version) live for ever. What a call is given need not outlive the call,
 * but for what a callback was registered with.
 *
 * Callbacks. A callback is a function, a `user` that it is given back, and a release. The release is called exactly once, from
 * any thread: when no handle uses the callback any more, or at once if the setter does not take it. A callback is called
 * from any thread, by several at once, and must not throw or jump out.
 *
 * Unloading. What is kept for a thread is cleaned up when the thread ends, so the code must still be there:
 * libgatekey.so stays in the process after dlclose. Link a plug-in that contains libgatekey.a with
 * `-Wl,-z,nodelete`, so that it stays, too.
 *
 * Secrets. Keys, exported private keys and tokens are wiped when freed. No message contains a token or a
 * key.
 *
 * Stability. Functions and constants are only ever added under one GK_ABI_VERSION. What a build of the
 * library leaves out returns GK_STATUS_UNSUPPORTED; this header is the same for all of them.
 */


#ifndef GATEKEY_H
#define GATEKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header. gk_version() is that of the library. */
#define GK_VERSION "0.1.0"

/** Text in the form of two arguments, pointer and length; for literals only. */
#define GK_TEXT(literal) ("" literal), (sizeof(literal) - 1)

/** Marks calls whose result must be looked at. */
#if defined(__GNUC__)
#define GK_NODISCARD __attribute__((__warn_unused_result__))
#else
#define GK_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* Handles that are named before their section. */
typedef struct gk_api_key_options gk_api_key_options;
typedef struct gk_api_keys gk_api_keys;
typedef struct gk_http gk_http;
typedef struct gk_key_ring gk_key_ring;
typedef struct gk_key_ring_options gk_key_ring_options;
typedef struct gk_remote_key_set gk_remote_key_set;
typedef struct gk_revocation_options gk_revocation_options;
typedef struct gk_revocations gk_revocations;
typedef struct gk_session_options gk_session_options;
typedef struct gk_sessions gk_sessions;

/*
 * ==== Version ====
 *
 * The number of the ABI and the version of the library: what a program that loads libgatekey.so
 * checks first.
 */

/**
 * The version of the ABI that this header describes, and the number in the name of the shared
 * library (libgatekey.so.0). Functions and constants are only ever added under one number; it
 * rises when something that exists changes or goes.
 */
#define GK_ABI_VERSION 0

/**
 * The ABI version of the library that is linked in.
 *
 * @return The library's GK_ABI_VERSION. A program built against another number must stop.
 */
uint32_t gk_abi_version(void);

/**
 * The version of the library that is linked in.
 *
 * @return Text such as "0.1.0", NUL-terminated, valid for ever.
 */
const char *gk_version(void);

/*
 * ==== Errors ====
 *
 * A call that can fail returns a gk_status and describes it in a gk_error of the caller's. The
 * blocks of numbers are in docs/errors.md: to 999 mistakes of the program, the 1000s tokens, the
 * 2000s keys, the 3000s API keys, the 4000s sessions and cookies, the 5000s OAuth, the 6000s
 * stores, the 7000s transports.
 */

/** The size of gk_error.message in bytes. */
#define GK_ERROR_MESSAGE_SIZE 504

/**
 * The outcome of a call: GK_STATUS_OK, which is 0, or why it failed. Blocks: 1-99 misuse and
 * internal, 1000s token, 2000s key, 3000s API key, 4000s session and cookie, 5000s OAuth and
 * incoming requests, 6000s store, 7000s transport; none lies in 100 to 599, so that none is taken
 * for an HTTP status. A number is never reused; treat one you do not know as a failure.
 */
typedef int32_t gk_status;

/**
 * Why a call failed. 512 bytes, owned by the caller, usually on the stack; nothing in it needs
 * freeing. Each fallible call writes it, so it needs no initial value and can be used again. The
 * size never changes: it has room for a message of 400 bytes, for the name that the error is about
 * and for the id of an API key, and a message that is longer is cut to what it says first.
 */
typedef struct {
    /** The status that the call returned; GK_STATUS_OK after a call that succeeded. */
    gk_status status;
    /**
     * Milliseconds after which the same call may succeed (Retry-After, RFC 9110 section 10.2.3),
     * where waiting is the remedy: a rate, credits, a server that is busy. 0 otherwise.
     */
    uint32_t retry_after_ms;
    /**
     * Sentences for the log, in UTF-8, NUL-terminated, at most 400 bytes: what was given, what was
     * expected and what to do. Empty after a call that succeeded. Never contains a token, a key or
     * a signature. What a caller may read is gk_status_public_message.
     */
    char message[GK_ERROR_MESSAGE_SIZE];
} gk_error;

/** The call succeeded. */
#define GK_STATUS_OK 0

/** A defect in gatekey itself; please report it. */
#define GK_STATUS_INTERNAL 1

/** An argument is out of range, NULL, not UTF-8 or of the wrong shape. */
#define GK_STATUS_INVALID_ARGUMENT 2

/** A policy, signer or verifier contradicts itself or is incomplete. */
#define GK_STATUS_INVALID_CONFIGURATION 3

/** This part of gatekey was not built into the library at hand. */
#define GK_STATUS_UNSUPPORTED 4

/** The operating system's random number generator failed. */
#define GK_STATUS_RANDOM_UNAVAILABLE 5

/** The token is not a JWS compact serialization of a JSON object (RFC 7515 section 7.1). */
#define GK_STATUS_MALFORMED_TOKEN 1000

/** The signature or MAC does not match. Always wins over a claim error. */
#define GK_STATUS_INVALID_SIGNATURE 1001

/** `exp` is now or in the past (RFC 7519 section 4.1.4). */
#define GK_STATUS_EXPIRED 1002

/** `nbf` is in the future (RFC 7519 section 4.1.5). */
#define GK_STATUS_NOT_YET_VALID 1003

/** `iss` is not the expected one, or is present and the policy says nothing about it. */
#define GK_STATUS_INVALID_ISSUER 1004

/** `aud` names no expected audience, or is present and the policy says nothing about it. */
#define GK_STATUS_INVALID_AUDIENCE 1005

/** The header's `typ` is not the expected one. */
#define GK_STATUS_INVALID_TYPE 1006

/** `sub` is not the expected one. */
#define GK_STATUS_INVALID_SUBJECT 1007

/** A claim the policy requires is absent. */
#define GK_STATUS_MISSING_CLAIM 1008

/** A registered claim has the wrong JSON type or an impossible value. */
#define GK_STATUS_INVALID_CLAIM 1009

/** gatekey does not implement the algorithm; `none` is not an algorithm. */
#define GK_STATUS_UNSUPPORTED_ALGORITHM 1010

/** The header's `alg` is not the one the key is bound to. */
#define GK_STATUS_INVALID_ALGORITHM 1011

/** The header lists an extension in `crit` that gatekey does not understand. */
#define GK_STATUS_UNSUPPORTED_CRITICAL 1012

/** No key of the set fits the token's `kid` and `alg`. */
#define GK_STATUS_KEY_NOT_FOUND 1013

/** Several keys fit and the policy does not allow trying them. */
#define GK_STATUS_AMBIGUOUS_KEY 1014

/** The token or one of its parts is longer than the policy allows. */
#define GK_STATUS_TOKEN_TOO_LARGE 1015

/** `iat` is in the future (beyond the leeway). */
#define GK_STATUS_ISSUED_IN_FUTURE 1016

/** `iat` is longer ago than the policy's maximal age. */
#define GK_STATUS_TOO_OLD 1017

/** The token, its session, its subject or its key has been revoked. */
#define GK_STATUS_REVOKED_TOKEN 1018

/** The key that the token names is in the set, but cannot be used; the error says why. */
#define GK_STATUS_UNUSABLE_KEY 1019

/** The key cannot be parsed or its parts do not form a key. */
#define GK_STATUS_INVALID_KEY 2000

/** The key is too weak: RSA under 2048 bits, a short secret, a ROCA modulus. */
#define GK_STATUS_WEAK_KEY 2001

/** gatekey does not implement the key type or curve. */
#define GK_STATUS_UNSUPPORTED_KEY 2002

/** The private part does not belong to the public part. */
#define GK_STATUS_KEY_PAIR_MISMATCH 2003

/** `use`, `key_ops` or `alg` of the key forbids what is asked, or a public key is asked to sign. */
#define GK_STATUS_KEY_USAGE 2004

/** An HMAC secret that is really a PEM, DER, SSH or JWK key in some disguise. */
#define GK_STATUS_SECRET_LOOKS_LIKE_KEY 2005

/** A key set mixes symmetric and asymmetric keys. */
#define GK_STATUS_MIXED_KEY_SET 2006

/** The algorithm cannot be told from the key alone (RSA, symmetric). */
#define GK_STATUS_ALGORITHM_REQUIRED 2007

/** A call that manages a key ring names a key that the ring does not have. */
#define GK_STATUS_RING_KEY_NOT_FOUND 2008

/** A private key is encrypted, and no passphrase was given for it. */
#define GK_STATUS_PASSPHRASE_REQUIRED 2009

/** The passphrase given is not that of the private key, or the key was damaged. */
#define GK_STATUS_WRONG_PASSPHRASE 2010

/** The callback that signs for a key in a KMS or HSM has failed, or has given no signature in time. */
#define GK_STATUS_KEY_UNAVAILABLE 2011

/** The text is not an API key: wrong length, alphabet or checksum. It never reaches the store. */
#define GK_STATUS_MALFORMED_API_KEY 3000

/** No API key has the presented id in this environment and tenant. */
#define GK_STATUS_UNKNOWN_API_KEY 3001

/** The id exists, the secret is not its own. */
#define GK_STATUS_BAD_API_KEY_SECRET 3002

/** The key is disabled; it can be enabled again. */
#define GK_STATUS_API_KEY_DISABLED 3003

/** The key is revoked for good. */
#define GK_STATUS_API_KEY_REVOKED 3004

/** The key's time of expiry is now or in the past. */
#define GK_STATUS_API_KEY_EXPIRED 3005

/** The key's time of validity begins in the future. */
#define GK_STATUS_API_KEY_NOT_YET_VALID 3006

/** The caller's address is not on the key's allow-list, or was not given. */
#define GK_STATUS_API_KEY_ADDRESS 3007

/** The key or token lacks a scope that the call requires (RFC 6750 section 3.1). */
#define GK_STATUS_INSUFFICIENT_SCOPE 3008

/** The key's rate limit is reached; `retry_after` says when to come back. */
#define GK_STATUS_RATE_LIMITED 3009

/** The key's credits are spent; `retry_after` says when the next refill is. */
#define GK_STATUS_CREDITS_EXHAUSTED 3010

/** A call that manages API keys names one that is not there. */
#define GK_STATUS_API_KEY_NOT_FOUND 3011

/** A cookie's name comes twice, or its value holds what no cookie holds (RFC 6265bis). */
#define GK_STATUS_MALFORMED_COOKIE 4000

/** The request was caused by another site, or brings no CSRF token of its session. */
#define GK_STATUS_CSRF_REJECTED 4001

/** The text is not a refresh token of ours, or its session is not known any more. */
#define GK_STATUS_INVALID_REFRESH_TOKEN 4002

/**
 * A refresh token was used a second time, so that an attacker may have it: the session has been
 * ended.
 */
#define GK_STATUS_TOKEN_REUSE 4003

/** The session was logged out. */
#define GK_STATUS_SESSION_ENDED 4004

/** The session was not refreshed in time, or has lasted for as long as a session may. */
#define GK_STATUS_SESSION_EXPIRED 4005

/** There is no session with this id. */
#define GK_STATUS_SESSION_NOT_FOUND 4006

/**
 * The callback's `state` fits no log-in that this browser has begun in the last ten minutes (RFC
 * 6749 section 10.12).
 */
#define GK_STATUS_OAUTH_STATE_MISMATCH 5000

/** The callback's `iss` (RFC 9207) names another issuer than the one configured. */
#define GK_STATUS_OAUTH_ISSUER_MISMATCH 5001

/** The user, or the server's policy, said no (`access_denied`, RFC 6749 section 4.1.2.1). */
#define GK_STATUS_OAUTH_ACCESS_DENIED 5002

/**
 * The server cannot answer without the user: `login_required`, `consent_required` and the like
 * (OpenID Connect Core section 3.1.2.6).
 */
#define GK_STATUS_OAUTH_INTERACTION_REQUIRED 5003

/**
 * The authorization server refused the code, refresh token or assertion for good (`invalid_grant`,
 * RFC 6749 section 5.2).
 */
#define GK_STATUS_OAUTH_INVALID_GRANT 5004

/**
 * The client's own authentication failed, or it may not do this (`invalid_client`,
 * `unauthorized_client`).
 */
#define GK_STATUS_OAUTH_INVALID_CLIENT 5005

/** The authorization server answered with any other error; `peer_code` names it. */
#define GK_STATUS_OAUTH_REFUSED 5006

/** The authorization server answered 5xx or 429, `server_error` or `temporarily_unavailable`. */
#define GK_STATUS_OAUTH_SERVER_FAILED 5007

/**
 * The answer is not what the RFC asks for: no JSON object, a duplicate member, a token with
 * control characters, another token type.
 */
#define GK_STATUS_OAUTH_MALFORMED_RESPONSE 5008

/** The ID token's `nonce` is not the one of this log-in (OpenID Connect Core section 3.1.3.7). */
#define GK_STATUS_OAUTH_NONCE_MISMATCH 5009

/** The `sub` of the user info is not the one of the ID token (OpenID Connect Core section 5.3.2). */
#define GK_STATUS_OAUTH_SUBJECT_MISMATCH 5010

/** The device code has expired before the user said yes or no (RFC 8628 section 3.5). */
#define GK_STATUS_OAUTH_DEVICE_EXPIRED 5011

/** The token manager has no token under this name, or the authorization server has ended it. */
#define GK_STATUS_OAUTH_NO_TOKEN 5012

/** There is no `Authorization` header, or another scheme than the ones accepted. */
#define GK_STATUS_MISSING_CREDENTIALS 5013

/**
 * The authorization server says that the token is expired, revoked or unknown (RFC 7662 section
 * 2.2).
 */
#define GK_STATUS_TOKEN_INACTIVE 5014

/** The token's `acr` or `auth_time` does not meet what this call demands (RFC 9470). */
#define GK_STATUS_INSUFFICIENT_AUTHENTICATION 5015

/**
 * The request brings more than one credential, in one place or in two (RFC 6750 sections 2 and
 * 3.1).
 */
#define GK_STATUS_SEVERAL_CREDENTIALS 5016

/**
 * HTTP does not allow the request: control characters in its path or in a header that is read (RFC
 * 9110 section 5.5), or a header twice that is there once.
 */
#define GK_STATUS_MALFORMED_REQUEST 5017

/** The request has more headers, or longer ones, than are read (RFC 6585 section 5). */
#define GK_STATUS_REQUEST_TOO_LARGE 5018

/** The store cannot be reached or has been out of reach for longer than `max_stale`. */
#define GK_STATUS_STORE_UNAVAILABLE 6000

/**
 * The store, or a row of it, is damaged, was altered from outside, or is of a version that this
 * library does not know.
 */
#define GK_STATUS_STORE_CORRUPT 6001

/** The row has changed since it was read, or exists already. */
#define GK_STATUS_STORE_CONFLICT 6002

/** The store is read-only: the file, its folder or the file system. */
#define GK_STATUS_STORE_READ_ONLY 6003

/** The disk is full; nothing was changed. */
#define GK_STATUS_STORE_FULL 6004

/** A pepper that the store's rows were made with is missing or has another value. */
#define GK_STATUS_WRONG_PEPPER 6005

/**
 * The store is older than its mark, such as a backup that was put back, or one of the two is
 * missing: what was revoked since would be good again.
 */
#define GK_STATUS_STORE_RESTORED 6006

/** The name does not resolve, nothing listens there, or the connection broke. */
#define GK_STATUS_CONNECTION_FAILED 7000

/** The whole answer was not there within the deadline (10 seconds unless set). */
#define GK_STATUS_DEADLINE_EXCEEDED 7001

/**
 * TLS could not be agreed on: the certificate is unknown, expired or for another name, or the
 * version is too old.
 */
#define GK_STATUS_TLS_FAILED 7002

/** The URL is not HTTPS, names an address that the policy keeps out, or the answer was a redirect. */
#define GK_STATUS_REQUEST_BLOCKED 7003

/**
 * The answer's body or head is longer than what the operation takes (1 MiB, key sets and metadata
 * 512 KiB).
 */
#define GK_STATUS_RESPONSE_TOO_LARGE 7004

/**
 * The name of a status, the same in every language.
 *
 * @param status A status.
 * @return A name such as "InvalidSignature", NUL-terminated, valid for ever; "Ok" for GK_STATUS_OK
 * and "Unknown" for a number that this library does not know.
 */
const char *gk_status_name(gk_status status);

/**
 * The name of a status for programs, metrics and answers: snake case, the same in every language.
 *
 * @param status A status.
 * @return A name such as "invalid_signature", NUL-terminated, valid for ever; "ok" for
 * GK_STATUS_OK and "unknown" for a number that this library does not know.
 */
const char *gk_status_code(gk_status status);

/**
 * What the caller of your API may be told, no matter who it is: nothing of how your program works
 * inside, and of a refused token, key or session not which check it failed. gk_error.message is
 * for the log.
 *
 * @param status A status.
 * @return The sentence, NUL-terminated, valid for ever; empty for GK_STATUS_OK. Never NULL.
 */
const char *gk_status_public_message(gk_status status);

/**
 * The value of the header WWW-Authenticate of the answer (RFC 6750 section 3, RFC 9110 section
 * 15.5.2). A resource server says more: see gk_resource_server_check.
 *
 * @param status A status.
 * @return The value, NUL-terminated, valid for ever; empty where the answer has no such header.
 * Never NULL.
 */
const char *gk_status_challenge(gk_status status);

/**
 * One sentence that says what a status means, whatever the call.
 *
 * @param status A status.
 * @return The sentence, NUL-terminated, valid for ever. Never NULL.
 */
const char *gk_status_summary(gk_status status);

/**
 * Whether what the caller of your API presented was refused: answer gk_status_http (RFC 6750
 * section 3).
 *
 * @param status A status.
 * @return True for the 1000s, 3000s and 4000s, most of the 5000s and GK_STATUS_RING_KEY_NOT_FOUND.
 */
bool gk_status_is_rejected(gk_status status);

/**
 * Whether your program made the mistake (an argument, the configuration, a key): answer 500 and
 * fix the program.
 *
 * @param status A status.
 * @return True for 2 to 4, the 2000s but GK_STATUS_RING_KEY_NOT_FOUND,
 * GK_STATUS_OAUTH_INVALID_CLIENT, GK_STATUS_OAUTH_REFUSED, GK_STATUS_WRONG_PEPPER and
 * GK_STATUS_REQUEST_BLOCKED.
 */
bool gk_status_is_misuse(gk_status status);

/**
 * Whether something the library depends on is out of reach: answer 503 and try again later.
 *
 * @param status A status.
 * @return True for GK_STATUS_RANDOM_UNAVAILABLE, GK_STATUS_OAUTH_SERVER_FAILED,
 * GK_STATUS_OAUTH_MALFORMED_RESPONSE, the 6000s but GK_STATUS_WRONG_PEPPER and the 7000s but
 * GK_STATUS_REQUEST_BLOCKED.
 */
bool gk_status_is_unavailable(gk_status status);

/**
 * What an HTTP service answers: 400, 401, 403, 404, 429 or 431 where the caller was refused, 503
 * where something is out of reach, 500 where the program or the library is wrong.
 *
 * @param status A status.
 * @return The HTTP status code; 200 for GK_STATUS_OK, 500 for a status this library does not know.
 */
uint16_t gk_status_http(gk_status status);

/**
 * The name of the claim, member or argument that the error is about, where it is about one: which
 * one was missing, or had the wrong type. The message names it too, where both fit.
 *
 * @param err An error that a call has written; NULL is fine.
 * @return The name, NUL-terminated, cut after 64 bytes, valid as long as `*err` is not changed;
 * empty if the error is not about a claim. Never NULL.
 */
const char *gk_error_claim(const gk_error *err);

/**
 * What to do about it, where that is a sentence of its own at the end of the message: which
 * function to call, for example gk_policy_expect_audience.
 *
 * @param err An error that a call has written; NULL is fine.
 * @return The sentence, NUL-terminated, a part of `err->message`, valid as long as `*err` is not
 * changed; empty if the message says it in its course. Never NULL.
 */
const char *gk_error_remedy(const gk_error *err);

/**
 * The id of the API key that was refused, where its secret was proved: for a log, or a quota of
 * its own. Also of the first key whose row gk_api_keys_wrap_peppers has found damaged.
 *
 * @param err An error that a call has written; NULL is fine.
 * @return The id, NUL-terminated, valid as long as `*err` is not changed; empty if the error is
 * about no API key, or about one that the caller has only named. Never NULL.
 */
const char *gk_error_api_key_id(const gk_error *err);

/*
 * ==== Text and buffers ====
 *
 * What comes out: a gk_str is lent by a handle, a gk_buf belongs to the caller.
 */

/**
 * Text or bytes that the library has allocated and the caller owns: give it to gk_buf_free. The
 * byte behind the last one is NUL. A call that fails leaves {NULL, 0}. Change neither member.
 */
typedef struct {
    /** The first byte, or NULL. */
    char *data;
    /** How many bytes there are, without the NUL behind them. */
    size_t len;
} gk_buf;

/**
 * Text that belongs to a handle: UTF-8 without a NUL at its end, valid until the handle is freed
 * (or changed, where it can be). `data` is NULL if there is nothing; empty text is not NULL.
 */
typedef struct {
    /** The first byte, or NULL. */
    const char *data;
    /** How many bytes there are. */
    size_t len;
} gk_str;

/**
 * Wipes and frees what a gk_buf holds and leaves {NULL, 0}.
 *
 * @param buf A buffer that a call of this library has filled, or {NULL, 0}; NULL is fine.
 */
void gk_buf_free(gk_buf *buf);

/*
 * ==== Callbacks ====
 *
 * Functions of the program's that the library calls: its clock, its randomness, and the release of
 * what belongs to them.
 */

/**
 * Releases the pointer that a callback was registered with. Called exactly once, from any thread,
 * when no handle uses the callback any more.
 *
 * @param user The pointer that the callback was registered with.
 */
typedef void (*gk_release_fn)(void *user);

/**
 * A clock, of dates. Called from any thread that verifies or signs, from several at once; must not
 * throw or jump out. How old something is that was read from a store or fetched (max_stale, the 50
 * ms within which changes of other processes are seen) is measured by the system's time, with that
 * in suspend: it may stand still.
 *
 * @param user The pointer that the clock was registered with.
 * @return Whole seconds since 1970-01-01T00:00:00Z. After the year 9999, such as UINT64_MAX of a
 * clock that failed, calls that need the time fail with GK_STATUS_INVALID_CONFIGURATION.
 */
typedef uint64_t (*gk_clock_fn)(void *user);

/**
 * A source of randomness. Called like a gk_clock_fn.
 *
 * @param user The pointer that the source was registered with.
 * @param out Where to write unpredictable bytes.
 * @param len How many.
 * @return True if all of them were written; false fails the call with
 * GK_STATUS_RANDOM_UNAVAILABLE.
 */
typedef bool (*gk_random_fn)(void *user, uint8_t *out, size_t len);

/*
 * ==== JSON ====
 *
 * Reads what other calls hand out as JSON, by the library's own strict parser.
 */

/**
 * A JSON value (RFC 8259), read strictly: no member twice, nothing after the value, at most 32
 * levels deep. Immutable, safe to use from several threads at once; what it holds may be secret,
 * and is wiped when it is freed. Calls that look into it take NULL for a value that is not there,
 * so that they can be nested: gk_json_text(gk_json_at(gk_json_member(...), 0)).
 */
typedef struct gk_json gk_json;

/** What kind of value something is: one of the GK_JSON_ constants. */
typedef int32_t gk_json_kind;

/** There is no such value. */
#define GK_JSON_MISSING 0

/** `null`. */
#define GK_JSON_NULL 1

/** `true` or `false`. */
#define GK_JSON_BOOL 2

/** A number. */
#define GK_JSON_NUMBER 3

/** A string. */
#define GK_JSON_TEXT 4

/** An array. */
#define GK_JSON_LIST 5

/** An object. */
#define GK_JSON_OBJECT 6

/**
 * Reads JSON.
 *
 * @param text The text, UTF-8, at most 16 MiB; borrowed for the call.
 * @param text_len Its length in bytes.
 * @param json Receives the value, to be freed with gk_json_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not exactly one JSON value.
 */
GK_NODISCARD
gk_status gk_json_parse(const char *text,
                        size_t text_len,
                        gk_json **json,
                        gk_error *err);

/**
 * Frees what gk_json_parse or gk_operation_json has made, with all values in it.
 *
 * @param json The value, which must not be used again; NULL is fine. Never a value that was found
 * in another.
 */
void gk_json_free(gk_json *json);

/**
 * Says what kind of value it is.
 *
 * @param json The value; NULL is fine.
 * @return A GK_JSON_ constant; GK_JSON_MISSING for NULL.
 */
gk_json_kind gk_json_kind_of(const gk_json *json);

/**
 * Finds the member of an object.
 *
 * @param json The object; NULL is fine.
 * @param name The member's name, UTF-8.
 * @param name_len Its length in bytes.
 * @return The value, which belongs to `json`; NULL if this is no object or has no such member.
 */
const gk_json *gk_json_member(const gk_json *json, const char *name, size_t name_len);

/**
 * Says how many elements a list has, or members an object.
 *
 * @param json The list or object; NULL is fine.
 * @return How many; 0 for everything else.
 */
size_t gk_json_len(const gk_json *json);

/**
 * Gives an element of a list, or the value of a member of an object, in the order of the text.
 *
 * @param json The list or object; NULL is fine.
 * @param index From 0.
 * @return The value, which belongs to `json`; NULL if it has fewer.
 */
const gk_json *gk_json_at(const gk_json *json, size_t index);

/**
 * Gives the name of a member of an object, in the order of the text.
 *
 * @param json The object; NULL is fine.
 * @param index From 0.
 * @return The name, valid as long as `json`; {NULL, 0} if this is no object or has fewer.
 */
gk_str gk_json_name_at(const gk_json *json, size_t index);

/**
 * Gives the text of a string, without its escapes.
 *
 * @param json The string; NULL is fine.
 * @return The text, valid as long as `json`; {NULL, 0} if this is no string.
 */
gk_str gk_json_text(const gk_json *json);

/**
 * Gives a whole number.
 *
 * @param json The number; NULL is fine.
 * @param value Receives it; untouched if it is absent. NULL is fine.
 * @return True if this is a number without fraction and exponent, from INT64_MIN to INT64_MAX.
 */
bool gk_json_integer(const gk_json *json, int64_t *value);

/**
 * Gives a number as the nearest double.
 *
 * @param json The number; NULL is fine.
 * @param value Receives it; untouched if it is absent. NULL is fine.
 * @return True if this is a number in the range of doubles.
 */
bool gk_json_number(const gk_json *json, double *value);

/**
 * Gives a truth value.
 *
 * @param json The value; NULL is fine.
 * @param value Receives it; untouched if it is absent. NULL is fine.
 * @return True if this is `true` or `false`.
 */
bool gk_json_bool(const gk_json *json, bool *value);

/*
 * ==== Algorithms ====
 *
 * The signature algorithms (RFC 7518, RFC 8037, RFC 9964) by number. A key is bound to one of them.
 */

/** An algorithm: one of the GK_ALG_ constants. Any other number is refused. */
typedef int32_t gk_alg;

/** Where a function says that it may be given: the key or the JWK itself says which algorithm. */
#define GK_ALG_ANY 0

/** HMAC with SHA-256 (RFC 7518 section 3.2). */
#define GK_ALG_HS256 1

/** HMAC with SHA-384. */
#define GK_ALG_HS384 2

/** HMAC with SHA-512. */
#define GK_ALG_HS512 3

/** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3). */
#define GK_ALG_RS256 4

/** RSASSA-PKCS1-v1_5 with SHA-384. */
#define GK_ALG_RS384 5

/** RSASSA-PKCS1-v1_5 with SHA-512. */
#define GK_ALG_RS512 6

/** RSASSA-PSS with SHA-256 (RFC 7518 section 3.5). */
#define GK_ALG_PS256 7

/** RSASSA-PSS with SHA-384. */
#define GK_ALG_PS384 8

/** RSASSA-PSS with SHA-512. */
#define GK_ALG_PS512 9

/** ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4). */
#define GK_ALG_ES256 10

/** ECDSA on P-384 with SHA-384. */
#define GK_ALG_ES384 11

/** ECDSA on P-521 with SHA-512. */
#define GK_ALG_ES512 12

/** ECDSA on secp256k1 with SHA-256 (RFC 8812 section 3.2). */
#define GK_ALG_ES256K 13

/** Ed25519 under its older name, EdDSA (RFC 8037 section 3.1). */
#define GK_ALG_EDDSA 14

/** Ed25519 under its own name (RFC 9864 section 2.2). A token of either name fits a key of either. */
#define GK_ALG_ED25519 15

/** ML-DSA-44 (RFC 9964). */
#define GK_ALG_ML_DSA_44 16

/** ML-DSA-65 (RFC 9964). */
#define GK_ALG_ML_DSA_65 17

/** ML-DSA-87 (RFC 9964). */
#define GK_ALG_ML_DSA_87 18

/**
 * The name of an algorithm as it stands in `alg`.
 *
 * @param alg A GK_ALG_ constant.
 * @return The name, such as "ES256", NUL-terminated, valid for ever; "" for any other number.
 */
const char *gk_alg_name(gk_alg alg);

/**
 * The algorithm of this name.
 *
 * @param name A name as it stands in `alg`, compared byte by byte; borrowed for the call.
 * @param name_len Its length in bytes.
 * @param alg Receives the number; GK_ALG_ANY if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for a name that is not implemented, `none`
 * included.
 */
GK_NODISCARD
gk_status gk_alg_from_name(const char *name,
                           size_t name_len,
                           gk_alg *alg,
                           gk_error *err);

/**
 * Whether the algorithm is an HMAC, whose key both signs and verifies and must be kept secret.
 *
 * @param alg A GK_ALG_ constant.
 * @return True for GK_ALG_HS256, GK_ALG_HS384 and GK_ALG_HS512; false for any other number.
 */
bool gk_alg_is_symmetric(gk_alg alg);

/**
 * Whether two numbers mean the same algorithm: equal ones, and GK_ALG_EDDSA and GK_ALG_ED25519.
 *
 * @param left A GK_ALG_ constant.
 * @param right A GK_ALG_ constant.
 * @return False if one of them names no algorithm.
 */
bool gk_alg_same_algorithm(gk_alg left, gk_alg right);

/*
 * ==== Keys ====
 *
 * A key of one algorithm: generated, or read from PEM, DER or a JWK (RFC 7517), and given out as
 * such.
 */

/** The size of a thumbprint in bytes, with the NUL at its end. */
#define GK_THUMBPRINT_SIZE 44

/** The size of a thumbprint URI in bytes, with the NUL at its end. */
#define GK_THUMBPRINT_URI_SIZE 89

/**
 * A key: its material, parsed once, and the one algorithm it may be used with. Immutable and
 * shared by reference count. Its memory is wiped when the last handle to it is freed.
 */
typedef struct gk_key gk_key;

/** How a key is signed with that lies in a KMS or HSM. */
typedef struct gk_key_callback gk_key_callback;

/**
 * How to read or make a key: its algorithm, its identifier, its passphrase, and the one escape for
 * weak legacy keys.
 */
typedef struct gk_key_options gk_key_options;

/** What a gk_sign_fn is asked for. All of it is lent for the call. */
typedef struct {
    /**
     * The key's algorithm: one of the GK_ALG_ constants. RSA with PSS (PS256, PS384, PS512) has a
     * salt as long as the digest.
     */
    gk_alg alg;
    /**
     * What is to be signed: for interfaces that compute the digest themselves, and for Ed25519 and
     * ML-DSA.
     */
    const uint8_t *message;
    /** Its length in bytes. */
    size_t message_len;
    /** The algorithm's SHA-2 digest of the message, for interfaces that want that. */
    const uint8_t *digest;
    /** Its length in bytes; 0 for Ed25519 and ML-DSA, which have none. */
    size_t digest_len;
} gk_sign_request;

/**
 * Signs with a key of a KMS or HSM; see gk_key_with_callback. Called from any thread that signs,
 * from several at once, and with no lock held; must not throw or jump out. In the child of a fork
 * it is called like in its parent: sessions and connections of before are its own to renew.
 *
 * @param user The pointer that the callback was registered with.
 * @param request What is to be signed.
 * @param signature Where to write the signature: ECDSA's as r and s side by side (RFC 7518 section
 * 3.4, PKCS#11) or as DER (what AWS, Google and OpenSSL give); others as they are.
 * @param capacity How many bytes there is room for: 8192.
 * @return The signature's length in bytes; 0 if there is none, and the call that signs fails with
 * GK_STATUS_KEY_UNAVAILABLE.
 */
typedef size_t (*gk_sign_fn)(void *user,
                             const gk_sign_request *request,
                             uint8_t *signature,
                             size_t capacity);

/**
 * Makes a new private key: RSA of 2048 bits, or a secret as long as the hash.
 *
 * @param alg A GK_ALG_ constant.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_RANDOM_UNAVAILABLE.
 */
GK_NODISCARD gk_status gk_key_generate(gk_alg alg, gk_key **key, gk_error *err);

/**
 * Makes a new private RSA key. This takes from a tenth of a second to many seconds.
 *
 * @param alg One of GK_ALG_RS256 to GK_ALG_PS512.
 * @param bits The length of the modulus: 2048, 3072, 4096 or 8192.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for another algorithm or length.
 */
GK_NODISCARD gk_status gk_key_generate_rsa(gk_alg alg, size_t bits, gk_key **key, gk_error *err);

/**
 * Makes an HMAC key of a shared secret: random bytes, not a password and not the text of a key.
 *
 * @param secret The secret, at least as long as the hash (32, 48 or 64 bytes), at most 64 KiB;
 * copied.
 * @param secret_len Its length in bytes.
 * @param alg GK_ALG_HS256, GK_ALG_HS384 or GK_ALG_HS512.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_WEAK_KEY if the secret is too short or one byte repeated;
 * GK_STATUS_SECRET_LOOKS_LIKE_KEY if it is a PEM, DER, SSH or JWK key in any disguise;
 * GK_STATUS_INVALID_KEY if it is too long; GK_STATUS_INVALID_ARGUMENT for another algorithm.
 */
GK_NODISCARD
gk_status gk_key_from_secret(const uint8_t *secret,
                             size_t secret_len,
                             gk_alg alg,
                             gk_key **key,
                             gk_error *err);

/**
 * Reads a key from PEM: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate (whose validity is not
 * checked; only its public key is used); or an OpenSSH key, private, or public as a line or RFC
 * 4716. Text around the key is ignored, and so are white space and written-out "\n" inside. For an
 * encrypted key see gk_key_options_passphrase.
 *
 * @param pem The text, at most 64 KiB; borrowed for the call.
 * @param pem_len Its length in bytes.
 * @param alg The algorithm; GK_ALG_ANY where the key itself says it, which an RSA key does not.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_KEY if it is malformed, or the algorithm needs another
 * type of key; GK_STATUS_UNSUPPORTED_KEY if its type or encryption is unknown, or costs too much;
 * GK_STATUS_PASSPHRASE_REQUIRED and GK_STATUS_WRONG_PASSPHRASE if it is encrypted;
 * GK_STATUS_WEAK_KEY; GK_STATUS_KEY_PAIR_MISMATCH; GK_STATUS_ALGORITHM_REQUIRED;
 * GK_STATUS_KEY_USAGE if the key itself says that it is for another algorithm.
 */
GK_NODISCARD
gk_status gk_key_from_pem(const char *pem,
                          size_t pem_len,
                          gk_alg alg,
                          gk_key **key,
                          gk_error *err);

/**
 * Reads a key from DER: PKCS#8, PKCS#1, SEC1, SPKI or an X.509 certificate.
 *
 * @param der The bytes, at most 64 KiB; borrowed for the call.
 * @param der_len Their number.
 * @param alg The algorithm; GK_ALG_ANY where the key itself says it, which an RSA key does not.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_key_from_pem.
 */
GK_NODISCARD
gk_status gk_key_from_der(const uint8_t *der,
                          size_t der_len,
                          gk_alg alg,
                          gk_key **key,
                          gk_error *err);

/**
 * Reads a key from a JSON Web Key (RFC 7517).
 *
 * @param json The JWK, at most 512 KiB; borrowed for the call.
 * @param json_len Its length in bytes.
 * @param alg The algorithm; GK_ALG_ANY where the JWK says it by `alg` or by its curve.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_key_from_pem and gk_key_from_secret; GK_STATUS_KEY_USAGE also if `alg` contradicts
 * the JWK's, or `use` or `key_ops` are for something else than signatures;
 * GK_STATUS_UNSUPPORTED_KEY if the JWK's `alg` is unknown.
 */
GK_NODISCARD
gk_status gk_key_from_jwk(const char *json,
                          size_t json_len,
                          gk_alg alg,
                          gk_key **key,
                          gk_error *err);

/**
 * Shares a key.
 *
 * @param key The key; NULL is fine.
 * @return Another handle to the same key, to be freed with gk_key_free; NULL for NULL.
 */
gk_key *gk_key_clone(const gk_key *key);

/**
 * Frees a handle; the key is wiped with the last one.
 *
 * @param key The handle, which must not be used again; NULL is fine.
 */
void gk_key_free(gk_key *key);

/**
 * The algorithm that the key is bound to.
 *
 * @param key The key.
 * @return A GK_ALG_ constant; GK_ALG_ANY for NULL.
 */
gk_alg gk_key_alg(const gk_key *key);

/**
 * The key's identifier: the one it was given, or its thumbprint.
 *
 * @param key The key.
 * @return 1 to 256 bytes, lent by the key; {NULL, 0} for NULL.
 */
gk_str gk_key_kid(const gk_key *key);

/**
 * Whether the key was given its identifier, by a JWK or by the caller.
 *
 * @param key The key.
 * @return False if gk_key_kid is the thumbprint, and for NULL.
 */
bool gk_key_has_explicit_kid(const gk_key *key);

/**
 * The same key under another identifier.
 *
 * @param key The key, which stays as it is.
 * @param kid The identifier, 1 to 256 bytes of UTF-8; copied.
 * @param kid_len Its length in bytes.
 * @param renamed Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the identifier is empty or too long.
 */
GK_NODISCARD
gk_status gk_key_with_kid(const gk_key *key,
                          const char *kid,
                          size_t kid_len,
                          gk_key **renamed,
                          gk_error *err);

/**
 * Whether the key has a private part, or is a shared secret.
 *
 * @param key The key.
 * @return False for NULL.
 */
bool gk_key_is_private(const gk_key *key);

/**
 * Whether the key is a shared secret (HMAC).
 *
 * @param key The key.
 * @return False for NULL.
 */
bool gk_key_is_symmetric(const gk_key *key);

/**
 * "sig", the `use` that the key is exported with (RFC 7517 section 4.2).
 *
 * @param key The key.
 * @return Text lent by the key; {NULL, 0} if it has `key_ops` instead, and for NULL.
 */
gk_str gk_key_use(const gk_key *key);

/**
 * Whether the key has what it takes to sign and its `use` and `key_ops` allow it.
 *
 * @param key The key.
 * @return False for NULL.
 */
bool gk_key_may_sign(const gk_key *key);

/**
 * Whether the key's `use` and `key_ops` allow it to verify.
 *
 * @param key The key.
 * @return False for NULL.
 */
bool gk_key_may_verify(const gk_key *key);

/**
 * The public part of a key, under the same identifier.
 *
 * @param key The key, which stays as it is.
 * @param public_key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for an HMAC key, which has no public part.
 */
GK_NODISCARD gk_status gk_key_public(const gk_key *key, gk_key **public_key, gk_error *err);

/**
 * The SHA-256 thumbprint of the key's public part, or of the secret (RFC 7638), in base64url.
 *
 * @param key The key.
 * @param thumbprint Receives 43 characters and a NUL; all NUL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_key_thumbprint(const gk_key *key,
                            char (*thumbprint)[GK_THUMBPRINT_SIZE],
                            gk_error *err);

/**
 * The thumbprint as a URI: "urn:ietf:params:oauth:jwk-thumbprint:sha-256:..." (RFC 9278).
 *
 * @param key The key.
 * @param uri Receives 88 characters and a NUL; all NUL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_key_thumbprint_uri(const gk_key *key,
                                char (*uri)[GK_THUMBPRINT_URI_SIZE],
                                gk_error *err);

/**
 * The public part as a JSON Web Key.
 *
 * @param key The key.
 * @param json Receives the JWK, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for an HMAC key.
 */
GK_NODISCARD gk_status gk_key_to_jwk(const gk_key *key, gk_buf *json, gk_error *err);

/**
 * The private key, or the secret, as a JSON Web Key. Keep it secret.
 *
 * @param key The key.
 * @param json Receives the JWK, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a key without a private part.
 */
GK_NODISCARD gk_status gk_key_to_private_jwk(const gk_key *key, gk_buf *json, gk_error *err);

/**
 * The public part as PEM (SPKI, "PUBLIC KEY").
 *
 * @param key The key.
 * @param pem Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for an HMAC key.
 */
GK_NODISCARD gk_status gk_key_to_pem(const gk_key *key, gk_buf *pem, gk_error *err);

/**
 * The private key as PEM (PKCS#8, "PRIVATE KEY"), not encrypted. Keep it secret.
 *
 * @param key The key.
 * @param pem Receives the text, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a key without a private part and for an HMAC key.
 */
GK_NODISCARD gk_status gk_key_to_private_pem(const gk_key *key, gk_buf *pem, gk_error *err);

/**
 * Signs any bytes. For tokens use gk_signer_sign; this is for what stands in for a key store.
 *
 * @param key A key that may sign.
 * @param message The bytes; borrowed for the call.
 * @param message_len Their number.
 * @param signature Receives the raw signature or MAC, to be freed with gk_buf_free; {NULL, 0} if
 * the call fails. It may contain NUL bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a key that may not sign.
 */
GK_NODISCARD
gk_status gk_key_sign(const gk_key *key,
                      const uint8_t *message,
                      size_t message_len,
                      gk_buf *signature,
                      gk_error *err);

/**
 * Verifies a raw signature or MAC of any bytes. For tokens use gk_verifier_verify.
 *
 * @param key A key that may verify.
 * @param message The bytes; borrowed for the call.
 * @param message_len Their number.
 * @param signature The signature; borrowed for the call.
 * @param signature_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK if the signature is valid; GK_STATUS_INVALID_SIGNATURE;
 * GK_STATUS_KEY_USAGE.
 */
GK_NODISCARD
gk_status gk_key_verify_signature(const gk_key *key,
                                  const uint8_t *message,
                                  size_t message_len,
                                  const uint8_t *signature,
                                  size_t signature_len,
                                  gk_error *err);

/**
 * How long the signatures of this key are.
 *
 * @param key The key.
 * @return A number of bytes; 0 for NULL.
 */
size_t gk_key_signature_len(const gk_key *key);

/**
 * A callback that signs, without a deadline.
 *
 * @param sign The callback. It must not sign by a callback itself.
 * @param user Handed to `sign`; may be NULL.
 * @param release Releases `user` when neither the callback nor any key of it is left; may be NULL.
 * @return The callback, to be freed with gk_key_callback_free; gk_key_with_callback refuses one
 * without `sign`.
 */
gk_key_callback *gk_key_callback_new(gk_sign_fn sign, void *user, gk_release_fn release);

/**
 * Frees a callback; keys that were made with it are not affected.
 *
 * @param callback The callback, which must not be used again; NULL is fine.
 */
void gk_key_callback_free(gk_key_callback *callback);

/**
 * Sets how long a signature may take: then the callback has a thread of its own at each call, and
 * what comes later is thrown away. Unless set, the thread that signs waits for it.
 *
 * Another number is refused by gk_key_with_callback.
 *
 * @param callback The callback.
 * @param milliseconds 1 to 300000.
 */
void gk_key_callback_deadline_ms(gk_key_callback *callback, uint64_t milliseconds);

/**
 * A key whose private half lies in a KMS or an HSM, where the callback lets it sign: for signers,
 * sessions, rings and client assertions, as if it were here. Each signature is verified before it
 * leaves; the first is made at once, of a text that is no token.
 *
 * @param public_key The public half, which is shared; its `key_ops` may permit `verify` alone.
 * @param callback The callback, which is shared.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if `public_key` is private or symmetric;
 * GK_STATUS_INVALID_ARGUMENT for a deadline of 0 or more than 300 seconds;
 * GK_STATUS_KEY_UNAVAILABLE if the callback has failed; GK_STATUS_KEY_PAIR_MISMATCH if it has
 * signed with another key, hash or padding.
 */
GK_NODISCARD
gk_status gk_key_with_callback(const gk_key *public_key,
                               const gk_key_callback *callback,
                               gk_key **key,
                               gk_error *err);

/**
 * Whether a callback signs, because the private half is not here.
 *
 * @param key The key.
 * @return False for NULL.
 */
bool gk_key_signs_by_callback(const gk_key *key);

/**
 * Options that say nothing.
 *
 * @return The options, to be freed with gk_key_options_free.
 */
gk_key_options *gk_key_options_new(void);

/**
 * Copies options.
 *
 * @param options The options; NULL is fine.
 * @return A copy, to be freed with gk_key_options_free; NULL for NULL.
 */
gk_key_options *gk_key_options_clone(const gk_key_options *options);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_key_options_free(gk_key_options *options);

/**
 * Names the algorithm.
 *
 * @param options The options.
 * @param alg A GK_ALG_ constant.
 */
void gk_key_options_alg(gk_key_options *options, gk_alg alg);

/**
 * Gives the key its identifier.
 *
 * @param options The options.
 * @param kid The identifier, 1 to 256 bytes of UTF-8; copied. Checked when the key is read.
 * @param kid_len Its length in bytes.
 */
void gk_key_options_kid(gk_key_options *options, const char *kid, size_t kid_len);

/**
 * Gives the passphrase of an encrypted private key (PKCS#8 under PBES2, or OpenSSH's format). A
 * key that is not encrypted is read without it.
 *
 * What the key asks for is bounded (10,000,000 iterations of PBKDF2, 256 MiB of scrypt, 1000
 * rounds of bcrypt); up to that, reading it may take some ten seconds.
 *
 * @param options The options.
 * @param passphrase The passphrase, 1 to 1024 bytes; copied, and wiped with the options. Checked
 * when the key is read.
 * @param passphrase_len Its length in bytes.
 */
void gk_key_options_passphrase(gk_key_options *options,
                               const char *passphrase,
                               size_t passphrase_len);

/**
 * DANGER: accepts HMAC secrets of any length but zero, and RSA public keys of 1024 to 2047 bits to
 * verify with, for legacy systems that cannot be changed. Such keys can be guessed or factored.
 *
 * @param options The options.
 */
void gk_key_options_danger_allow_weak(gk_key_options *options);

/**
 * Makes a new private key as gk_key_generate does.
 *
 * @param options The options, which must name the algorithm.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_key_generate, and GK_STATUS_ALGORITHM_REQUIRED.
 */
GK_NODISCARD
gk_status gk_key_options_generate(const gk_key_options *options,
                                  gk_key **key,
                                  gk_error *err);

/**
 * Makes an HMAC key of a shared secret as gk_key_from_secret does.
 *
 * @param options The options, which must name the algorithm.
 * @param secret The secret; copied.
 * @param secret_len Its length in bytes.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_key_from_secret, and GK_STATUS_ALGORITHM_REQUIRED.
 */
GK_NODISCARD
gk_status gk_key_options_from_secret(const gk_key_options *options,
                                     const uint8_t *secret,
                                     size_t secret_len,
                                     gk_key **key,
                                     gk_error *err);

/**
 * Reads a key from PEM as gk_key_from_pem does.
 *
 * @param options The options.
 * @param pem The text, at most 64 KiB; borrowed for the call.
 * @param pem_len Its length in bytes.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_key_from_pem.
 */
GK_NODISCARD
gk_status gk_key_options_from_pem(const gk_key_options *options,
                                  const char *pem,
                                  size_t pem_len,
                                  gk_key **key,
                                  gk_error *err);

/**
 * Reads a key from DER as gk_key_from_der does.
 *
 * @param options The options.
 * @param der The bytes, at most 64 KiB; borrowed for the call.
 * @param der_len Their number.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_key_from_pem.
 */
GK_NODISCARD
gk_status gk_key_options_from_der(const gk_key_options *options,
                                  const uint8_t *der,
                                  size_t der_len,
                                  gk_key **key,
                                  gk_error *err);

/**
 * Reads a key from a JSON Web Key as gk_key_from_jwk does.
 *
 * @param options The options.
 * @param json The JWK, at most 512 KiB; borrowed for the call.
 * @param json_len Its length in bytes.
 * @param key Receives the key, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_key_from_jwk.
 */
GK_NODISCARD
gk_status gk_key_options_from_jwk(const gk_key_options *options,
                                  const char *json,
                                  size_t json_len,
                                  gk_key **key,
                                  gk_error *err);

/*
 * ==== Key sets ====
 *
 * Several keys, of which a token's header names one: a JWKS (RFC 7517 section 5).
 */

/** At most 100 keys, all symmetric or all asymmetric. Immutable and shared by reference count. */
typedef struct gk_key_set gk_key_set;

/**
 * Makes a set of keys.
 *
 * @param keys The keys, which stay the caller's; the set shares them. None of them NULL.
 * @param keys_len Their number.
 * @param key_set Receives the set, to be freed with gk_key_set_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MIXED_KEY_SET if HMAC keys and others are mixed.
 */
GK_NODISCARD
gk_status gk_key_set_new(const gk_key *const *keys,
                         size_t keys_len,
                         gk_key_set **key_set,
                         gk_error *err);

/**
 * Reads a JWK Set (RFC 7517 section 5). Members that cannot be used are skipped and counted.
 *
 * @param json The JWK Set, at most 512 KiB and 100 keys; borrowed for the call.
 * @param json_len Its length in bytes.
 * @param default_rsa The algorithm of RSA members that name none; with GK_ALG_ANY they are
 * skipped.
 * @param key_set Receives the set, to be freed with gk_key_set_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK, even if every member was skipped; GK_STATUS_INVALID_KEY if the text is not
 * a JWK Set; GK_STATUS_MIXED_KEY_SET.
 */
GK_NODISCARD
gk_status gk_key_set_from_jwks(const char *json,
                               size_t json_len,
                               gk_alg default_rsa,
                               gk_key_set **key_set,
                               gk_error *err);

/**
 * Shares a set.
 *
 * @param key_set The set; NULL is fine.
 * @return Another handle to the same set, to be freed with gk_key_set_free; NULL for NULL.
 */
gk_key_set *gk_key_set_clone(const gk_key_set *key_set);

/**
 * Frees a handle to a set.
 *
 * @param key_set The handle, which must not be used again; NULL is fine.
 */
void gk_key_set_free(gk_key_set *key_set);

/**
 * How many keys there are.
 *
 * @param key_set The set.
 * @return Their number; 0 for NULL.
 */
size_t gk_key_set_len(const gk_key_set *key_set);

/**
 * How many members of the JWK Set were skipped.
 *
 * @param key_set The set.
 * @return Their number; 0 for NULL.
 */
size_t gk_key_set_skipped(const gk_key_set *key_set);

/**
 * Why a member of the JWK Set was skipped.
 *
 * @param key_set The set.
 * @param index Which of the skipped members, from 0, in the order of the JWK Set.
 * @param reason Receives what reading this member alone fails with, its message too; as after a
 * call that succeeded where there is no such member. May be NULL.
 * @return The status of that error; GK_STATUS_OK for NULL and where there is no such member.
 */
gk_status gk_key_set_skipped_reason(const gk_key_set *key_set, size_t index, gk_error *reason);

/**
 * The `kid` of a member of the JWK Set that was skipped.
 *
 * @param key_set The set.
 * @param index Which of the skipped members, from 0, in the order of the JWK Set.
 * @return Its `kid`, borrowed from the set, NOT NUL-terminated; {NULL, 0} if it has none that is
 * a string of 1 to 256 bytes, for NULL and where there is no such member.
 */
gk_str gk_key_set_skipped_kid(const gk_key_set *key_set, size_t index);

/**
 * One key of the set, in the order in which they were given.
 *
 * @param key_set The set.
 * @param index Which key, from 0.
 * @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there are fewer.
 */
GK_NODISCARD
gk_status gk_key_set_at(const gk_key_set *key_set,
                        size_t index,
                        gk_key **key,
                        gk_error *err);

/**
 * The key with this identifier.
 *
 * @param key_set The set.
 * @param kid The identifier, compared byte by byte; borrowed for the call.
 * @param kid_len Its length in bytes.
 * @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_NOT_FOUND; GK_STATUS_UNUSABLE_KEY if the one that has it was
 * skipped; the message says why. GK_STATUS_AMBIGUOUS_KEY if different keys have it.
 */
GK_NODISCARD
gk_status gk_key_set_by_kid(const gk_key_set *key_set,
                            const char *kid,
                            size_t kid_len,
                            gk_key **key,
                            gk_error *err);

/**
 * The one key that a token with this `kid` and `alg` would be verified with.
 *
 * @param key_set The set.
 * @param kid The token's `kid`, borrowed for the call; NULL for a token that has none.
 * @param kid_len Its length in bytes.
 * @param alg The token's algorithm, a GK_ALG_ constant.
 * @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_NOT_FOUND; GK_STATUS_INVALID_ALGORITHM if the key of this
 * `kid` has another algorithm; GK_STATUS_UNUSABLE_KEY if it was skipped or may not verify, and the
 * message says why; GK_STATUS_AMBIGUOUS_KEY if several keys fit, or a skipped one has the `kid`
 * too.
 */
GK_NODISCARD
gk_status gk_key_set_select(const gk_key_set *key_set,
                            const char *kid,
                            size_t kid_len,
                            gk_alg alg,
                            gk_key **key,
                            gk_error *err);

/**
 * The public parts of all keys as a JWK Set, to be published.
 *
 * @param key_set The set.
 * @param json Receives the JWK Set, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE for a set of HMAC keys.
 */
GK_NODISCARD gk_status gk_key_set_to_jwks(const gk_key_set *key_set, gk_buf *json, gk_error *err);

/**
 * All keys as a JWK Set, private parts and secrets included. Keep it secret.
 *
 * @param key_set The set.
 * @param json Receives the JWK Set, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if a key has no private part.
 */
GK_NODISCARD
gk_status gk_key_set_to_private_jwks(const gk_key_set *key_set,
                                     gk_buf *json,
                                     gk_error *err);

/*
 * ==== Verifiers ====
 *
 * Verify JSON Web Tokens (RFC 7519) with keys, by a policy. What a policy says nothing about is
 * refused. gk_verified is what a token says that was good; gk_unverified is what an attacker may
 * have written.
 */

/**
 * One issuer of gk_verifier_for_issuers: its name and its keys, which verify no other issuer's
 * tokens.
 */
typedef struct gk_issuer_rule gk_issuer_rule;

/**
 * What a verifier demands of a token beyond its signature. A policy fails closed: a token with an
 * issuer or an audience about which the policy says nothing is refused; whatever is expected is
 * required; `exp` is required, `nbf` checked, an `iat` in the future refused; `typ` must be absent
 * or `JWT`. Contradictions are found when the verifier is made.
 */
typedef struct gk_policy gk_policy;

/** The header and the claims of a token that was NOT verified: anyone may have written them. */
typedef struct gk_unverified gk_unverified;

/**
 * The claims of a token whose signature and claims were found good, exactly as they were signed;
 * there is no other way to get one. Immutable, safe to use from several threads at once.
 */
typedef struct gk_verified gk_verified;

/**
 * Keys and a policy, checked once. Immutable, shared by reference count, safe to use from several
 * threads at once; make one when the program starts and keep it.
 */
typedef struct gk_verifier gk_verifier;

/**
 * A policy that says nothing: no issuer, no audience, no leeway, tokens of at most 16 KiB.
 *
 * @return The policy, to be freed with gk_policy_free.
 */
gk_policy *gk_policy_new(void);

/**
 * Copies a policy.
 *
 * @param policy The policy; NULL is fine.
 * @return A copy, to be freed with gk_policy_free; NULL for NULL.
 */
gk_policy *gk_policy_clone(const gk_policy *policy);

/**
 * Frees a policy; verifiers made with it are not affected.
 *
 * @param policy The policy, which must not be used again; NULL is fine.
 */
void gk_policy_free(gk_policy *policy);

/**
 * Demands that `iss` is this, or one of the values of several calls (RFC 7519 section 4.1.1).
 *
 * @param policy The policy.
 * @param issuer The issuer, not empty, UTF-8; copied.
 * @param issuer_len Its length in bytes.
 */
void gk_policy_expect_issuer(gk_policy *policy, const char *issuer, size_t issuer_len);

/**
 * Accepts any `iss` and none.
 *
 * @param policy The policy.
 */
void gk_policy_ignore_issuer(gk_policy *policy);

/**
 * Demands that `aud` names this, or one of the values of several calls (RFC 7519 section 4.1.3).
 *
 * @param policy The policy.
 * @param audience The audience, not empty, UTF-8; copied.
 * @param audience_len Its length in bytes.
 */
void gk_policy_expect_audience(gk_policy *policy, const char *audience, size_t audience_len);

/**
 * Accepts any `aud` and none.
 *
 * @param policy The policy.
 */
void gk_policy_ignore_audience(gk_policy *policy);

/**
 * Demands that the header's `typ` is this, or one of the values of several calls; letter case and
 * a leading `application/` do not matter (RFC 8725 section 3.11).
 *
 * @param policy The policy.
 * @param typ The media type, not empty, UTF-8; copied.
 * @param typ_len Its length in bytes.
 */
void gk_policy_expect_type(gk_policy *policy, const char *typ, size_t typ_len);

/**
 * Accepts any `typ` and none.
 *
 * @param policy The policy.
 */
void gk_policy_ignore_type(gk_policy *policy);

/**
 * Demands that `sub` is this (RFC 7519 section 4.1.2).
 *
 * @param policy The policy.
 * @param subject The subject, not empty, UTF-8; copied.
 * @param subject_len Its length in bytes.
 */
void gk_policy_expect_subject(gk_policy *policy, const char *subject, size_t subject_len);

/**
 * Demands that `sub` is this number, which its text is not; allows numbers as
 * gk_policy_allow_numeric_subject does.
 *
 * @param policy The policy.
 * @param subject The number.
 */
void gk_policy_expect_numeric_subject(gk_policy *policy, int64_t subject);

/**
 * Accepts a `sub` that is a whole number of at most 64 bits, which RFC 7519 section 4.1.2 does not
 * allow. 7 and "7" are two subjects: gk_verified_subject gives nothing for the number, which
 * gk_verified_numeric_subject gives and which is revoked by gk_revocations_revoke_numeric_subject.
 *
 * @param policy The policy.
 */
void gk_policy_allow_numeric_subject(gk_policy *policy);

/**
 * Accepts a token whose parts are padded with `=`, which RFC 7515 section 2 does not allow: AWS
 * load balancers sign such. With padding and without, it is one token.
 *
 * @param policy The policy.
 */
void gk_policy_allow_padding(gk_policy *policy);

/**
 * Demands that a claim has a value. Texts are compared without their escapes, numbers by their
 * value, objects in any order. Several calls of one name: any of the values. At most 32 calls;
 * `iss`, `sub`, `aud`, `exp`, `nbf` and `iat` have rules of their own.
 *
 * @param policy The policy.
 * @param name The claim's name, not empty, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
 * @param json_len Its length in bytes.
 */
void gk_policy_expect_claim(gk_policy *policy,
                            const char *name,
                            size_t name_len,
                            const char *json,
                            size_t json_len);

/**
 * Demands that a claim of this name is there; at most 32 names.
 *
 * @param policy The policy.
 * @param name The name, not empty, UTF-8; copied.
 * @param name_len Its length in bytes.
 */
void gk_policy_require_claim(gk_policy *policy, const char *name, size_t name_len);

/**
 * Refuses a token that was issued longer ago than this; `iat` is then required.
 *
 * @param policy The policy.
 * @param seconds The age in seconds, at least 1.
 */
void gk_policy_max_age(gk_policy *policy, uint64_t seconds);

/**
 * Forgives clocks that disagree by up to this much.
 *
 * @param policy The policy.
 * @param seconds The leeway in seconds, at most 600; 0 unless set.
 */
void gk_policy_leeway(gk_policy *policy, uint64_t seconds);

/**
 * Accepts a token without `exp`. One that has it is still checked.
 *
 * @param policy The policy.
 */
void gk_policy_allow_missing_exp(gk_policy *policy);

/**
 * Uses only keys of these algorithms (RFC 8725 section 3.1); those of the keys unless set.
 *
 * @param policy The policy.
 * @param algs GK_ALG_ constants; copied.
 * @param algs_len How many, at least 1.
 */
void gk_policy_algorithms(gk_policy *policy, const gk_alg *algs, size_t algs_len);

/**
 * Sets the longest token that is looked at.
 *
 * @param policy The policy.
 * @param bytes The length in bytes, 1 to 1048576; 16384 unless set.
 */
void gk_policy_max_token_bytes(gk_policy *policy, size_t bytes);

/**
 * Sets the longest header that is looked at.
 *
 * @param policy The policy.
 * @param bytes The length in bytes once decoded, at least 1; 4096 unless set.
 */
void gk_policy_max_header_bytes(gk_policy *policy, size_t bytes);

/**
 * Reads the time from this function instead of the system's clock.
 *
 * @param policy The policy.
 * @param now The clock.
 * @param user Handed to `now`; may be NULL.
 * @param release Releases `user` when neither the policy nor any copy or verifier of it is left;
 * may be NULL.
 */
void gk_policy_clock(gk_policy *policy, gk_clock_fn now, void *user, gk_release_fn release);

/**
 * Refuses tokens that have been revoked, and every token while it cannot be known whether it was.
 * A token must then have `iat` and `exp`.
 *
 * @param policy The policy.
 * @param revocations What has been revoked, which is shared.
 */
void gk_policy_revocations(gk_policy *policy, const gk_revocations *revocations);

/**
 * Tries up to four keys on a token without `kid`, where several have its algorithm.
 *
 * @param policy The policy.
 */
void gk_policy_try_keys_without_kid(gk_policy *policy);

/**
 * Makes a verifier that trusts the keys of a set. A token's `kid` must name one of them; a token
 * without `kid` needs exactly one key of its algorithm.
 *
 * @param key_set The keys, which are shared.
 * @param policy The policy, which is copied.
 * @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if no key can be used or the policy
 * contradicts itself.
 */
GK_NODISCARD
gk_status gk_verifier_new(const gk_key_set *key_set,
                          const gk_policy *policy,
                          gk_verifier **verifier,
                          gk_error *err);

/**
 * Makes a verifier that trusts one key. A token's `kid` must be the key's, if the key was given
 * one; a key known only by its thumbprint takes any.
 *
 * @param key The key, which is shared.
 * @param policy The policy, which is copied.
 * @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_verifier_new.
 */
GK_NODISCARD
gk_status gk_verifier_with_key(const gk_key *key,
                               const gk_policy *policy,
                               gk_verifier **verifier,
                               gk_error *err);

/**
 * Makes a verifier that trusts the keys of a ring as they are at each token, as gk_verifier_new
 * those of a set.
 *
 * @param ring The ring, which is shared.
 * @param policy The policy, which is copied.
 * @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_verifier_new; GK_STATUS_STORE_UNAVAILABLE if the ring cannot be read.
 */
GK_NODISCARD
gk_status gk_verifier_following(const gk_key_ring *ring,
                                const gk_policy *policy,
                                gk_verifier **verifier,
                                gk_error *err);

/**
 * Makes a verifier for several issuers. The token's `iss` selects the rule; a key never verifies
 * another issuer's token (RFC 8725 section 3.8).
 *
 * @param rules The rules, which are copied. None of them NULL.
 * @param rules_len Their number, at least 1.
 * @param policy What holds for all of them; it says nothing about the issuer. It is copied.
 * @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if there is no rule, an issuer has two
 * rules, no key of a rule can be used, or the policy contradicts itself or names an issuer.
 */
GK_NODISCARD
gk_status gk_verifier_for_issuers(const gk_issuer_rule *const *rules,
                                  size_t rules_len,
                                  const gk_policy *policy,
                                  gk_verifier **verifier,
                                  gk_error *err);

/**
 * Shares a verifier.
 *
 * @param verifier The verifier; NULL is fine.
 * @return Another handle to the same verifier, to be freed with gk_verifier_free; NULL for NULL.
 */
gk_verifier *gk_verifier_clone(const gk_verifier *verifier);

/**
 * Frees a handle to a verifier; what it has verified is not affected.
 *
 * @param verifier The handle, which must not be used again; NULL is fine.
 */
void gk_verifier_free(gk_verifier *verifier);

/**
 * Verifies a token: size, structure, header, key, signature, claims, in this order; the first
 * failure is the answer. A refusal allocates nothing, unless the token has objects of more than
 * sixteen members.
 *
 * @param verifier The verifier.
 * @param token A JWS compact serialization (RFC 7515 section 7.1), without surrounding space;
 * borrowed for the call.
 * @param token_len Its length in bytes.
 * @param verified Receives the claims, to be freed with gk_verified_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK only if the token is good; one of the 1000s if it is not;
 * GK_STATUS_MISSING_CREDENTIALS for NULL and 0, what a request without one brings.
 * GK_STATUS_INVALID_SIGNATURE always wins over a status about the claims.
 * GK_STATUS_STORE_UNAVAILABLE if a ring or revocations cannot be read.
 */
GK_NODISCARD
gk_status gk_verifier_verify(const gk_verifier *verifier,
                             const char *token,
                             size_t token_len,
                             gk_verified **verified,
                             gk_error *err);

/**
 * Whether every key is symmetric, so that a verification takes about a microsecond.
 *
 * @param verifier The verifier.
 * @return False for NULL.
 */
bool gk_verifier_is_symmetric(const gk_verifier *verifier);

/**
 * Makes the rule of one issuer.
 *
 * @param issuer Its `iss`, not empty, UTF-8; copied.
 * @param issuer_len Its length in bytes.
 * @param key_set Its keys, which are shared.
 * @param rule Receives the rule, to be freed with gk_issuer_rule_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_issuer_rule_new(const char *issuer,
                             size_t issuer_len,
                             const gk_key_set *key_set,
                             gk_issuer_rule **rule,
                             gk_error *err);

/**
 * Copies a rule.
 *
 * @param rule The rule; NULL is fine.
 * @return A copy, to be freed with gk_issuer_rule_free; NULL for NULL.
 */
gk_issuer_rule *gk_issuer_rule_clone(const gk_issuer_rule *rule);

/**
 * Frees a rule; verifiers made with it are not affected.
 *
 * @param rule The rule, which must not be used again; NULL is fine.
 */
void gk_issuer_rule_free(gk_issuer_rule *rule);

/**
 * Demands this `aud` of the issuer's tokens, or one of several calls; what the policy says unless
 * set.
 *
 * @param rule The rule.
 * @param audience The audience, not empty, UTF-8; copied.
 * @param audience_len Its length in bytes.
 */
void gk_issuer_rule_expect_audience(gk_issuer_rule *rule,
                                    const char *audience,
                                    size_t audience_len);

/**
 * Accepts any `aud` of the issuer's tokens and none, whatever the policy's rule.
 *
 * @param rule The rule.
 */
void gk_issuer_rule_ignore_audience(gk_issuer_rule *rule);

/**
 * Uses only the issuer's keys of these algorithms; what the policy says unless set.
 *
 * @param rule The rule.
 * @param algs GK_ALG_ constants; copied.
 * @param algs_len How many, at least 1.
 */
void gk_issuer_rule_algorithms(gk_issuer_rule *rule, const gk_alg *algs, size_t algs_len);

/**
 * Copies what was verified.
 *
 * @param verified The claims; NULL is fine.
 * @return A copy, to be freed with gk_verified_free; NULL for NULL.
 */
gk_verified *gk_verified_clone(const gk_verified *verified);

/**
 * Frees what was verified, and all text it has lent.
 *
 * @param verified The handle, which must not be used again; NULL is fine.
 */
void gk_verified_free(gk_verified *verified);

/**
 * All claims, exactly as they were signed: the text of one JSON object. Nothing is copied.
 *
 * @param verified The claims.
 * @return Text lent by the handle; {NULL, 0} for NULL.
 */
gk_str gk_verified_claims_json(const gk_verified *verified);

/**
 * The protected header: the text of one JSON object.
 *
 * @param verified The claims.
 * @param json Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_verified_header_json(const gk_verified *verified,
                                  gk_buf *json,
                                  gk_error *err);

/**
 * The algorithm of the key that verified the token.
 *
 * @param verified The claims.
 * @return A GK_ALG_ constant; GK_ALG_ANY for NULL.
 */
gk_alg gk_verified_alg(const gk_verified *verified);

/**
 * The `kid` of the key that verified the token.
 *
 * @param verified The claims.
 * @return Text lent by the handle; {NULL, 0} for NULL.
 */
gk_str gk_verified_key_id(const gk_verified *verified);

/**
 * `iss`, who issued the token (RFC 7519 section 4.1.1).
 *
 * @param verified The claims.
 * @return Text lent by the handle; {NULL, 0} if the token has none, and for NULL.
 */
gk_str gk_verified_issuer(const gk_verified *verified);

/**
 * `sub`, whom the token is about (RFC 7519 section 4.1.2), if it is a string.
 *
 * @param verified The claims.
 * @return Text lent by the handle; {NULL, 0} if the token has none, or a number
 * (gk_verified_numeric_subject), and for NULL.
 */
gk_str gk_verified_subject(const gk_verified *verified);

/**
 * `sub`, if it is a number, which only gk_policy_allow_numeric_subject lets in. 7 is another
 * subject than "7": keep the two apart wherever you keep one.
 *
 * @param verified The claims.
 * @param subject Receives the number; 0 if it is not a number. May be NULL.
 * @return Whether it is a number; false for NULL.
 */
bool gk_verified_numeric_subject(const gk_verified *verified, int64_t *subject);

/**
 * `jti`, the token's own identifier (RFC 7519 section 4.1.7).
 *
 * @param verified The claims.
 * @return Text lent by the handle; {NULL, 0} if the token has none, and for NULL.
 */
gk_str gk_verified_token_id(const gk_verified *verified);

/**
 * How many values `aud` has (RFC 7519 section 4.1.3).
 *
 * @param verified The claims.
 * @return Their number; 0 if the token has none, and for NULL.
 */
size_t gk_verified_audience_len(const gk_verified *verified);

/**
 * One value of `aud`.
 *
 * @param verified The claims.
 * @param index Which value, from 0.
 * @return Text lent by the handle; {NULL, 0} if there are fewer, and for NULL.
 */
gk_str gk_verified_audience_at(const gk_verified *verified, size_t index);

/**
 * `exp`, when the token expires (RFC 7519 section 4.1.4).
 *
 * @param verified The claims.
 * @param seconds Receives whole seconds since 1970-01-01T00:00:00Z, rounded down; 0 if there are
 * none. May be NULL.
 * @return Whether the token has it; false for NULL.
 */
bool gk_verified_expires_at(const gk_verified *verified, int64_t *seconds);

/**
 * `nbf`, from when on the token is valid (RFC 7519 section 4.1.5).
 *
 * @param verified The claims.
 * @param seconds Receives whole seconds since 1970-01-01T00:00:00Z, rounded up; 0 if there are
 * none. May be NULL.
 * @return Whether the token has it; false for NULL.
 */
bool gk_verified_not_before(const gk_verified *verified, int64_t *seconds);

/**
 * `iat`, when the token was issued (RFC 7519 section 4.1.6).
 *
 * @param verified The claims.
 * @param seconds Receives whole seconds since 1970-01-01T00:00:00Z, rounded down; 0 if there are
 * none. May be NULL.
 * @return Whether the token has it; false for NULL.
 */
bool gk_verified_issued_at(const gk_verified *verified, int64_t *seconds);

/**
 * Any claim as JSON text, exactly as it was signed. Nothing is copied.
 *
 * @param verified The claims.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @return Text lent by the handle; {NULL, 0} if the token has no such claim, and for NULL.
 */
gk_str gk_verified_claim_json(const gk_verified *verified, const char *name, size_t name_len);

/**
 * A string claim of any name, without the escapes of JSON.
 *
 * @param verified The claims.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @param value Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails. It
 * may contain NUL bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a string.
 */
GK_NODISCARD
gk_status gk_verified_claim_str(const gk_verified *verified,
                                const char *name,
                                size_t name_len,
                                gk_buf *value,
                                gk_error *err);

/**
 * An integer claim of any name.
 *
 * @param verified The claims.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @param value Receives the number; 0 if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a number,
 * has a fraction or an exponent, or does not fit.
 */
GK_NODISCARD
gk_status gk_verified_claim_i64(const gk_verified *verified,
                                const char *name,
                                size_t name_len,
                                int64_t *value,
                                gk_error *err);

/**
 * A boolean claim of any name.
 *
 * @param verified The claims.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @param value Receives the truth value; false if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not true or
 * false.
 */
GK_NODISCARD
gk_status gk_verified_claim_bool(const gk_verified *verified,
                                 const char *name,
                                 size_t name_len,
                                 bool *value,
                                 gk_error *err);

/**
 * DANGER: decodes a token without verifying anything but its form. The result proves nothing;
 * never authenticate, authorize or pick a key by it.
 *
 * @param token A JWS compact serialization, at most 1 MiB; borrowed for the call.
 * @param token_len Its length in bytes.
 * @param unverified Receives header and claims, to be freed with gk_unverified_free; NULL if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MALFORMED_TOKEN; GK_STATUS_TOKEN_TOO_LARGE.
 */
GK_NODISCARD
gk_status gk_danger_decode_unverified(const char *token,
                                      size_t token_len,
                                      gk_unverified **unverified,
                                      gk_error *err);

/**
 * The header as anyone may have written it: the text of one JSON object.
 *
 * @param unverified The token's parts.
 * @return Text lent by the handle; {NULL, 0} for NULL.
 */
gk_str gk_unverified_header_json(const gk_unverified *unverified);

/**
 * The claims as anyone may have written them: the text of one JSON object.
 *
 * @param unverified The token's parts.
 * @return Text lent by the handle; {NULL, 0} for NULL.
 */
gk_str gk_unverified_claims_json(const gk_unverified *unverified);

/**
 * Frees a token's parts, and all text they have lent.
 *
 * @param unverified The handle, which must not be used again; NULL is fine.
 */
void gk_unverified_free(gk_unverified *unverified);

/**
 * Makes a verifier that trusts an issuer's keys as they are at each token, as gk_verifier_new
 * those of a set. If their issuer cannot be asked now, it is still made, and they are fetched with
 * the first token; until then gk_verifier_verify reports why there are no keys.
 *
 * @param keys The keys, which are shared, and fetched now if they have a transport.
 * @param policy The policy, which is copied.
 * @param verifier Receives the verifier, to be freed with gk_verifier_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_verifier_new.
 */
GK_NODISCARD
gk_status gk_verifier_following_remote(const gk_remote_key_set *keys,
                                       const gk_policy *policy,
                                       gk_verifier **verifier,
                                       gk_error *err);

/**
 * Makes the rule of one issuer, as gk_issuer_rule_new, whose keys are as they are at each token.
 *
 * @param issuer Its `iss`, not empty, UTF-8; copied.
 * @param issuer_len Its length in bytes.
 * @param keys Its keys, which are shared.
 * @param rule Receives the rule, to be freed with gk_issuer_rule_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_issuer_rule_following_remote(const char *issuer,
                                          size_t issuer_len,
                                          const gk_remote_key_set *keys,
                                          gk_issuer_rule **rule,
                                          gk_error *err);

/*
 * ==== Signers ====
 *
 * Sign JSON Web Tokens with one key, and put together what they say.
 */

/** Claims to sign (RFC 7519 section 4). A member that is set twice keeps the later value. */
typedef struct gk_claims gk_claims;

/**
 * A key and what every token of it says. Immutable, shared by reference count, safe to use from
 * several threads at once.
 */
typedef struct gk_signer gk_signer;

/** What every token of a signer says, while it is being put together. */
typedef struct gk_signer_builder gk_signer_builder;

/** A token that lacks its signature. */
typedef struct gk_unsigned gk_unsigned;

/**
 * No claims yet.
 *
 * @return The claims, to be freed with gk_claims_free.
 */
gk_claims *gk_claims_new(void);

/**
 * Takes the claims of a JSON object; values keep their exact text.
 *
 * @param json One JSON object; copied.
 * @param json_len Its length in bytes.
 * @param claims Receives the claims, to be freed with gk_claims_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the text is not acceptable JSON, or a
 * registered claim has the wrong type.
 */
GK_NODISCARD
gk_status gk_claims_from_json(const char *json,
                              size_t json_len,
                              gk_claims **claims,
                              gk_error *err);

/**
 * Copies claims.
 *
 * @param claims The claims; NULL is fine.
 * @return A copy, to be freed with gk_claims_free; NULL for NULL.
 */
gk_claims *gk_claims_clone(const gk_claims *claims);

/**
 * Frees claims.
 *
 * @param claims The claims, which must not be used again; NULL is fine.
 */
void gk_claims_free(gk_claims *claims);

/**
 * Sets `iss`: who issues the token (RFC 7519 section 4.1.1).
 *
 * @param claims The claims.
 * @param issuer The issuer, UTF-8; copied.
 * @param issuer_len Its length in bytes.
 */
void gk_claims_issuer(gk_claims *claims, const char *issuer, size_t issuer_len);

/**
 * Sets `sub`: whom the token is about (RFC 7519 section 4.1.2).
 *
 * @param claims The claims.
 * @param subject The subject, UTF-8; copied.
 * @param subject_len Its length in bytes.
 */
void gk_claims_subject(gk_claims *claims, const char *subject, size_t subject_len);

/**
 * Adds to `aud`: for whom the token is; several calls make a list (RFC 7519 section 4.1.3).
 *
 * @param claims The claims.
 * @param audience The audience, UTF-8; copied.
 * @param audience_len Its length in bytes.
 */
void gk_claims_audience(gk_claims *claims, const char *audience, size_t audience_len);

/**
 * Sets `jti`: the token's own identifier (RFC 7519 section 4.1.7). A signer makes a random one
 * otherwise.
 *
 * @param claims The claims.
 * @param id The identifier, UTF-8; copied.
 * @param id_len Its length in bytes.
 */
void gk_claims_token_id(gk_claims *claims, const char *id, size_t id_len);

/**
 * Sets `exp`: when the token expires (RFC 7519 section 4.1.4).
 *
 * @param claims The claims.
 * @param seconds Seconds since 1970-01-01T00:00:00Z.
 */
void gk_claims_expires_at(gk_claims *claims, int64_t seconds);

/**
 * Sets `nbf`: from when on it is valid (RFC 7519 section 4.1.5).
 *
 * @param claims The claims.
 * @param seconds Seconds since 1970-01-01T00:00:00Z.
 */
void gk_claims_not_before(gk_claims *claims, int64_t seconds);

/**
 * Sets `iat`: when it was issued (RFC 7519 section 4.1.6).
 *
 * @param claims The claims.
 * @param seconds Seconds since 1970-01-01T00:00:00Z.
 */
void gk_claims_issued_at(gk_claims *claims, int64_t seconds);

/**
 * Sets a string claim of any name.
 *
 * @param claims The claims.
 * @param name The claim's name, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param value The value, UTF-8; copied.
 * @param value_len Its length in bytes.
 */
void gk_claims_claim_str(gk_claims *claims,
                         const char *name,
                         size_t name_len,
                         const char *value,
                         size_t value_len);

/**
 * Sets an integer claim of any name.
 *
 * @param claims The claims.
 * @param name The claim's name, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param value The value.
 */
void gk_claims_claim_i64(gk_claims *claims, const char *name, size_t name_len, int64_t value);

/**
 * Sets a boolean claim of any name.
 *
 * @param claims The claims.
 * @param name The claim's name, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param value The value.
 */
void gk_claims_claim_bool(gk_claims *claims, const char *name, size_t name_len, bool value);

/**
 * Sets a claim of any name and kind.
 *
 * GK_STATUS_INVALID_ARGUMENT if the text is not acceptable JSON.
 *
 * @param claims The claims.
 * @param name The claim's name, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param json The value as JSON text, kept exactly; copied.
 * @param json_len Its length in bytes.
 */
void gk_claims_claim_json(gk_claims *claims,
                          const char *name,
                          size_t name_len,
                          const char *json,
                          size_t json_len);

/**
 * The claims as one JSON object.
 *
 * @param claims The claims.
 * @param json Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_claims_to_json(const gk_claims *claims, gk_buf *json, gk_error *err);

/**
 * Begins a signer: tokens of 15 minutes with `typ` JWT, the key's `kid` and a random `jti`.
 *
 * @param key The key, which is shared. A public key makes a signer that can only prepare tokens.
 * @param builder Receives the builder, to be freed with gk_signer_builder_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_signer_builder_new(const gk_key *key,
                                gk_signer_builder **builder,
                                gk_error *err);

/**
 * Begins a signer that signs with the active key of a ring, whichever that is at each token.
 *
 * @param ring The ring, which is shared.
 * @param builder Receives the builder, to be freed with gk_signer_builder_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_signer_builder_following(const gk_key_ring *ring,
                                      gk_signer_builder **builder,
                                      gk_error *err);

/**
 * Copies a builder.
 *
 * @param builder The builder; NULL is fine.
 * @return A copy, to be freed with gk_signer_builder_free; NULL for NULL.
 */
gk_signer_builder *gk_signer_builder_clone(const gk_signer_builder *builder);

/**
 * Frees a builder; signers made with it are not affected.
 *
 * @param builder The builder, which must not be used again; NULL is fine.
 */
void gk_signer_builder_free(gk_signer_builder *builder);

/**
 * Every token says this `iss` (RFC 7519 section 4.1.1).
 *
 * @param builder The builder.
 * @param issuer The issuer, not empty, UTF-8; copied.
 * @param issuer_len Its length in bytes.
 */
void gk_signer_builder_issuer(gk_signer_builder *builder, const char *issuer, size_t issuer_len);

/**
 * Every token says this `aud`; several calls make a list (RFC 7519 section 4.1.3).
 *
 * @param builder The builder.
 * @param audience The audience, not empty, UTF-8; copied.
 * @param audience_len Its length in bytes.
 */
void gk_signer_builder_audience(gk_signer_builder *builder,
                                const char *audience,
                                size_t audience_len);

/**
 * Sets how long tokens live.
 *
 * @param builder The builder.
 * @param seconds The time to live in seconds, at least 1 and less than a hundred years; 900 unless
 * set.
 */
void gk_signer_builder_ttl(gk_signer_builder *builder, uint64_t seconds);

/**
 * Sets no `exp`: the claims must bring their own.
 *
 * @param builder The builder.
 */
void gk_signer_builder_no_ttl(gk_signer_builder *builder);

/**
 * Sets the header's `typ` (RFC 8725 section 3.11).
 *
 * @param builder The builder.
 * @param typ The media type, not empty, UTF-8; copied.
 * @param typ_len Its length in bytes.
 */
void gk_signer_builder_typ(gk_signer_builder *builder, const char *typ, size_t typ_len);

/**
 * Leaves `typ` out of the header.
 *
 * @param builder The builder.
 */
void gk_signer_builder_no_typ(gk_signer_builder *builder);

/**
 * Sets whether the header names the key's `kid`.
 *
 * @param builder The builder.
 * @param named True unless set.
 */
void gk_signer_builder_kid(gk_signer_builder *builder, bool named);

/**
 * Sets a member of every token's header: `x5t`, `x5t#S256`, `x5c`, `cty`, `nonce`, or a private
 * one. A member set twice keeps the later value. `alg`, `kid` and `typ` are the signer's own;
 * `crit`, `b64`, `jwk`, `jku`, `x5u`, `enc` and `zip` are never set. Checked by
 * gk_signer_builder_build, whose error names the member (gk_error_claim).
 *
 * @param builder The builder.
 * @param name The member's name, not empty, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param json Its value as JSON text; copied.
 * @param json_len Its length in bytes.
 */
void gk_signer_builder_header(gk_signer_builder *builder,
                              const char *name,
                              size_t name_len,
                              const char *json,
                              size_t json_len);

/**
 * Sets whether a token without `jti` gets a random one of 128 bits.
 *
 * @param builder The builder.
 * @param made True unless set.
 */
void gk_signer_builder_token_ids(gk_signer_builder *builder, bool made);

/**
 * Allows tokens without `exp`, which live for ever; only together with gk_signer_builder_no_ttl.
 *
 * @param builder The builder.
 */
void gk_signer_builder_allow_missing_exp(gk_signer_builder *builder);

/**
 * Reads the time from this function instead of the system's clock.
 *
 * @param builder The builder.
 * @param now The clock.
 * @param user Handed to `now`; may be NULL.
 * @param release Releases `user` when neither the builder nor any copy or signer of it is left;
 * may be NULL.
 */
void gk_signer_builder_clock(gk_signer_builder *builder,
                             gk_clock_fn now,
                             void *user,
                             gk_release_fn release);

/**
 * Draws token identifiers from this function instead of the system's generator.
 *
 * @param builder The builder.
 * @param fill The source.
 * @param user Handed to `fill`; may be NULL.
 * @param release Releases `user` when neither the builder nor any copy or signer of it is left;
 * may be NULL.
 */
void gk_signer_builder_random(gk_signer_builder *builder,
                              gk_random_fn fill,
                              void *user,
                              gk_release_fn release);

/**
 * Makes the signer; the builder stays as it is.
 *
 * @param builder The builder.
 * @param signer Receives the signer, to be freed with gk_signer_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION for an empty issuer, audience or type, a
 * time to live that is out of range, contradicts gk_signer_builder_allow_missing_exp or is longer
 * than the ring keeps its keys, or a header member that is not acceptable; GK_STATUS_KEY_USAGE for
 * a private key that may not sign; GK_STATUS_STORE_UNAVAILABLE if a ring cannot be read.
 */
GK_NODISCARD
gk_status gk_signer_builder_build(const gk_signer_builder *builder,
                                  gk_signer **signer,
                                  gk_error *err);

/**
 * Shares a signer.
 *
 * @param signer The signer; NULL is fine.
 * @return Another handle to the same signer, to be freed with gk_signer_free; NULL for NULL.
 */
gk_signer *gk_signer_clone(const gk_signer *signer);

/**
 * Frees a handle to a signer.
 *
 * @param signer The handle, which must not be used again; NULL is fine.
 */
void gk_signer_free(gk_signer *signer);

/**
 * The key that signs; of a signer that follows a ring, the one that signed last.
 *
 * @param signer The signer.
 * @param key Receives the key, shared, to be freed with gk_key_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_signer_key(const gk_signer *signer, gk_key **key, gk_error *err);

/**
 * Signs claims. The signer adds `iss`, `aud`, `iat`, `exp` and `jti` where the claims lack them.
 *
 * @param signer The signer.
 * @param claims The claims, which stay as they are.
 * @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for a registered claim of the wrong type, an
 * `iss` or `aud` that is not the signer's, or neither `exp` nor a time to live;
 * GK_STATUS_KEY_USAGE if the key is public; GK_STATUS_RANDOM_UNAVAILABLE;
 * GK_STATUS_STORE_UNAVAILABLE if the ring cannot be read.
 */
GK_NODISCARD
gk_status gk_signer_sign(const gk_signer *signer,
                         const gk_claims *claims,
                         gk_buf *token,
                         gk_error *err);

/**
 * Signs the claims of a JSON object; what it says keeps its exact text.
 *
 * @param signer The signer.
 * @param json One JSON object, at most 1 MiB; borrowed for the call. Never paste text from outside
 * into it: use gk_claims.
 * @param json_len Its length in bytes.
 * @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_signer_sign; GK_STATUS_INVALID_ARGUMENT if the text is not acceptable JSON.
 */
GK_NODISCARD
gk_status gk_signer_sign_json(const gk_signer *signer,
                              const char *json,
                              size_t json_len,
                              gk_buf *token,
                              gk_error *err);

/**
 * The first of two steps, for a key that another machine holds: what is to be signed.
 *
 * @param signer The signer, whose key may be public.
 * @param claims The claims, which stay as they are.
 * @param prepared Receives the token without its signature, to be freed with gk_unsigned_free;
 * NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_signer_sign, without GK_STATUS_KEY_USAGE.
 */
GK_NODISCARD
gk_status gk_signer_prepare(const gk_signer *signer,
                            const gk_claims *claims,
                            gk_unsigned **prepared,
                            gk_error *err);

/**
 * gk_signer_prepare for the claims of a JSON object.
 *
 * @param signer The signer, whose key may be public.
 * @param json One JSON object, at most 1 MiB; borrowed for the call.
 * @param json_len Its length in bytes.
 * @param prepared Receives the token without its signature, to be freed with gk_unsigned_free;
 * NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_signer_sign_json, without GK_STATUS_KEY_USAGE.
 */
GK_NODISCARD
gk_status gk_signer_prepare_json(const gk_signer *signer,
                                 const char *json,
                                 size_t json_len,
                                 gk_unsigned **prepared,
                                 gk_error *err);

/**
 * What the signature is computed over (RFC 7515 section 5.1).
 *
 * @param prepared The token without its signature.
 * @return ASCII text lent by the handle; {NULL, 0} for NULL.
 */
gk_str gk_unsigned_signing_input(const gk_unsigned *prepared);

/**
 * The second of two steps: adds the signature, once the key has verified it.
 *
 * @param prepared The token without its signature, which stays as it is.
 * @param signature The signature (RFC 7518 section 3; ECDSA's may be r and s side by side, or
 * DER); borrowed for the call.
 * @param signature_len Its length in bytes.
 * @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_SIGNATURE.
 */
GK_NODISCARD
gk_status gk_unsigned_attach(const gk_unsigned *prepared,
                             const uint8_t *signature,
                             size_t signature_len,
                             gk_buf *token,
                             gk_error *err);

/**
 * Frees a token without its signature.
 *
 * @param prepared The handle, which must not be used again; NULL is fine.
 */
void gk_unsigned_free(gk_unsigned *prepared);

/*
 * ==== Lists ====
 *
 * Which records the calls give that list something, a page at a time.
 */

/**
 * Which records gk_api_keys_list, gk_api_keys_audit and gk_sessions_events give, and which page of
 * them: all unless set, from the first on. Each call takes the names that its documentation lists
 * and refuses a filter with others. The setters keep the first thing that was wrong, which the
 * call reports.
 */
typedef struct gk_filter gk_filter;

/**
 * A filter that wants all records, from the first on.
 *
 * @return The filter, to be freed with gk_filter_free.
 */
gk_filter *gk_filter_new(void);

/**
 * Frees a filter.
 *
 * @param filter The filter, which must not be used again; NULL is fine.
 */
void gk_filter_free(gk_filter *filter);

/**
 * Only API keys of this owner.
 *
 * @param filter The filter.
 * @param owner The owner; copied. Empty text matches none.
 * @param owner_len Its length in bytes.
 */
void gk_filter_owner(gk_filter *filter, const char *owner, size_t owner_len);

/**
 * Only API keys of this tenant.
 *
 * @param filter The filter.
 * @param tenant The tenant; copied. Empty text is no tenant's.
 * @param tenant_len Its length in bytes.
 */
void gk_filter_tenant(gk_filter *filter, const char *tenant, size_t tenant_len);

/**
 * Only rows of the audit about this API key.
 *
 * @param filter The filter.
 * @param key_id The key's id; copied. Empty text is no key's.
 * @param key_id_len Its length in bytes.
 */
void gk_filter_key_id(gk_filter *filter, const char *key_id, size_t key_id_len);

/**
 * Only events of this subject's sessions.
 *
 * @param filter The filter.
 * @param subject The subject; copied. Empty text matches none.
 * @param subject_len Its length in bytes.
 */
void gk_filter_subject(gk_filter *filter, const char *subject, size_t subject_len);

/**
 * Only events of this session.
 *
 * @param filter The filter.
 * @param family The session's id; copied. Empty text is no session's.
 * @param family_len Its length in bytes.
 */
void gk_filter_family(gk_filter *filter, const char *family, size_t family_len);

/**
 * Continues after a page. With the same filter, page after page.
 *
 * @param filter The filter.
 * @param cursor The `cursor` of the page before; copied. NULL and 0, or empty text, for the first
 * page.
 * @param cursor_len Its length in bytes.
 */
void gk_filter_cursor(gk_filter *filter, const char *cursor, size_t cursor_len);

/**
 * How many records a page has at the most.
 *
 * @param filter The filter.
 * @param limit At most 1000, also if more is given; 100 unless set, or for 0.
 */
void gk_filter_limit(gk_filter *filter, size_t limit);

/*
 * ==== Backups ====
 *
 * Copies of what is kept, and what is to be done when one is put back (docs/backups.md).
 */

/**
 * Hears how far a copy has come. Called by the thread that copies; must not throw or jump out.
 *
 * @param user The pointer that was given with it.
 * @param done How many pages are copied.
 * @param all Of how many.
 * @return True to continue; false stops the copy, which fails with GK_STATUS_INVALID_ARGUMENT.
 */
typedef bool (*gk_progress_fn)(void *user, uint64_t done, uint64_t all);

/*
 * ==== Store ====
 *
 * An open store: it hands out API keys, sessions, revocations and key rings over one pool,
 * one pepper setting and one clock.
 */

/**
 * A store: API keys, sessions, revocations and key rings. It owns one pool of connections, the
 * peppers and the clock, and shares them with what it hands out. Freeing the handle leaves the
 * handed-out objects usable; gk_store_close ends them all. Shared by reference count, safe to use
 * from several threads at once, and usable after a fork.
 */
typedef struct gk_store gk_store;

/**
 * Where the peppers of a store come from, and what holds for all that it hands out unless options
 * of that say otherwise: the pepper in the file beside the store, the system's clock, a store that
 * may be silent for 30 seconds. Copied by gk_store_open.
 */
typedef struct gk_store_options gk_store_options;

/**
 * Copies a store to a file while it is in use: its state of one moment, checked, in one file that
 * only its owner may read.
 *
 * @param options_json What: one JSON object with `store`, its URL, and `to`, a file that must not
 * be there; it may have `pepper_to`, a file that receives the pepper file as well (keep it apart
 * from the backup), and `pepper_file`, where that is unless it lies beside the store.
 * @param options_json_len Its length in bytes.
 * @param progress Hears how far it is; may be NULL.
 * @param user A pointer that is given back to `progress`.
 * @param report Receives a JSON object with `bytes`, `api_keys` and `sessions`, to be freed with
 * gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there is a file already or the URL is not
 * that of a SQLite store; GK_STATUS_INVALID_CONFIGURATION for a member that is unknown, missing or
 * of a wrong type, or a pepper file that others may read; GK_STATUS_WRONG_PEPPER if it cannot be
 * read; GK_STATUS_STORE_CORRUPT if there is nothing in the store, or it is damaged; the other
 * 6000s; GK_STATUS_UNSUPPORTED without SQLite.
 */
GK_NODISCARD
gk_status gk_store_backup(const char *options_json,
                          size_t options_json_len,
                          gk_progress_fn progress,
                          void *user,
                          gk_buf *report,
                          gk_error *err);

/**
 * Puts a backup, which stays as it is, in the place of a store. A store that is there is kept
 * under another name. The pepper is not touched. A store that is older than its mark must be
 * acknowledged after that: gk_store_acknowledge_restore.
 *
 * @param options_json What: one JSON object with `backup`, a file, and `store`, a URL; it may have
 * `force`, true to replace a store that programs have open.
 * @param options_json_len Its length in bytes.
 * @param progress Hears how far it is; may be NULL.
 * @param user A pointer that is given back to `progress`.
 * @param report Receives a JSON object with `bytes`, `api_keys`, `sessions`, `replaced` (where the
 * store is that was there before, or null) and `must_acknowledge`, to be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_STORE_UNAVAILABLE if the store is in use;
 * GK_STATUS_STORE_CORRUPT if the file is not a backup, or is damaged; otherwise as
 * gk_store_backup. Then the store is as it was.
 */
GK_NODISCARD
gk_status gk_store_restore(const char *options_json,
                           size_t options_json_len,
                           gk_progress_fn progress,
                           void *user,
                           gk_buf *report,
                           gk_error *err);

/**
 * Accepts a store, or a folder of key rings, that is older than its mark, such as a backup that
 * was put back, after everything from before a moment has ended: sessions and access tokens
 * always, API keys (disabled) and the keys of key rings (replaced by new ones) unless they are to
 * be kept.
 *
 * @param options_json What: one JSON object with `store`, its URL, or that of a folder of key
 * rings (folder:/path), and `revoke_before`, in seconds since the Unix epoch: the time of the
 * restore; 0 ends nothing, for a store that was only moved. It may have `keep_api_keys` and
 * `keep_key_rings`, true or false, and `pepper_file` or `pepper_env` (the name of an environment
 * variable).
 * @param options_json_len Its length in bytes.
 * @param report Receives a JSON object with the numbers `sessions`, `api_keys` and `key_rings`,
 * with `damaged_key_rings` (the names of those whose rows were altered from outside or cannot be
 * read, which stay as they are), and with `was_refused`: whether it was refused before; if not,
 * what was asked for has still ended. To be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the time is in the future or the URL is not
 * that of a SQLite store; GK_STATUS_INVALID_CONFIGURATION for a member that is unknown, missing or
 * of a wrong type; GK_STATUS_WRONG_PEPPER; the other 6000s, and then a second call continues;
 * GK_STATUS_UNSUPPORTED without SQLite.
 */
GK_NODISCARD
gk_status gk_store_acknowledge_restore(const char *options_json,
                                       size_t options_json_len,
                                       gk_buf *report,
                                       gk_error *err);

/**
 * The usual options.
 *
 * @return The options, to be freed with gk_store_options_free.
 */
gk_store_options *gk_store_options_new(void);

/**
 * Frees options, and wipes the peppers in them.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_store_options_free(gk_store_options *options);

/**
 * Adds a pepper; several calls go from the oldest to the active one. Losing it is losing all that
 * is in the store.
 *
 * gk_store_open reports what is wrong with peppers.
 *
 * @param options The options.
 * @param number Its number, from 1.
 * @param pepper At least 16 bytes; copied.
 * @param pepper_len Its length in bytes.
 */
void gk_store_options_pepper(gk_store_options *options,
                             uint32_t number,
                             const uint8_t *pepper,
                             size_t pepper_len);

/**
 * Takes the peppers from a file that only its owner may read: a line each, the number, a space and
 * 32 bytes in hexadecimal.
 *
 * gk_store_open reports what is wrong with the file.
 *
 * @param options The options.
 * @param path The file's path; copied.
 * @param path_len Its length in bytes.
 */
void gk_store_options_pepper_file(gk_store_options *options, const char *path, size_t path_len);

/**
 * Takes the peppers from an environment variable, written as in a file.
 *
 * gk_store_open reports what is wrong with the variable, with its name and without what it holds.
 *
 * @param options The options.
 * @param name The variable's name, not what it holds; copied.
 * @param name_len Its length in bytes.
 */
void gk_store_options_pepper_env(gk_store_options *options, const char *name, size_t name_len);

/**
 * Whether a store that is not there is made.
 *
 * A process that only reads what another keeps says false, so that a wrong path is an error, and
 * not an empty store which knows of nothing that was revoked.
 *
 * @param options The options.
 * @param create True, the default: it is. False: gk_store_open reports
 * GK_STATUS_STORE_UNAVAILABLE.
 */
void gk_store_options_create(gk_store_options *options, bool create);

/**
 * Takes the time from a callback.
 *
 * @param options The options.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_store_options_clock(gk_store_options *options,
                            gk_clock_fn now,
                            void *user,
                            gk_release_fn release);

/**
 * Whether to look for what other processes have changed at every API key and token.
 *
 * @param options The options.
 * @param strict False, the default, means within 50 ms.
 */
void gk_store_options_strict(gk_store_options *options, bool strict);

/**
 * For how long everything works from memory while the store is out of reach.
 *
 * More is refused by what opens API keys, sessions, revocations or key rings.
 *
 * @param options The options.
 * @param seconds At most 86400; 30 unless set.
 */
void gk_store_options_max_stale(gk_store_options *options, uint64_t seconds);

/**
 * Where the rates of API keys and the limits of guards over this store are counted together with
 * other machines: a Valkey or a Redis of version 7 or later. Unless set, each machine, or each
 * process where a store has no file, counts for itself.
 *
 * A decision that counts asks the server then, for 5 ms at most; while it does not answer, each
 * process admits its part of each limit (docs/many-machines.md). gk_store_open reports a URL that
 * is none; it asks the server nothing.
 *
 * @param options The options.
 * @param url redis://127.0.0.1:6379, rediss://user:password@host:6379 with TLS, or
 * unix:/path/of/socket; valkey:// and valkeys:// are the same. It may end in ?name=, ca_file=,
 * password_file=, joined by &. Copied, and wiped with the options.
 * @param url_len Its length in bytes.
 */
void gk_store_options_limits(gk_store_options *options, const char *url, size_t url_len);

/**
 * Opens a store, and makes it if it is not there.
 *
 * @param url memory:, sqlite:///relative/path, sqlite:////absolute/path, or a path, which is a
 * SQLite file as well; folder:/path is a folder that only its owner may read, which is made if it
 * is not there and holds key rings only. A path is taken as it stands, nothing is percent-decoded.
 * `?mark=FILE` at the end says where the mark is that tells a restored backup from the store,
 * `?mark=none` that it has no mark (docs/backups.md). Nothing else in the process may open the
 * file with a SQLite of its own, not even to read (docs/processes.md).
 * @param url_len Its length in bytes.
 * @param options How; NULL for the usual options. Without a pepper, the file `<path>.pepper` is
 * used, and made with the store: back it up, because without it everything in the store is lost.
 * In a folder, key rings are sealed only if a pepper is given.
 * @param store Receives the store, to be freed with gk_store_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the URL is malformed;
 * GK_STATUS_INVALID_CONFIGURATION if others may read the pepper file or the folder, or the
 * environment variable holds no peppers; GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if this
 * build has no such store; the 6000s.
 */
GK_NODISCARD
gk_status gk_store_open(const char *url,
                        size_t url_len,
                        const gk_store_options *options,
                        gk_store **store,
                        gk_error *err);

/**
 * The API keys in a store.
 *
 * @param store The store.
 * @param options How; NULL for the usual options. What they do not say is as the store's options
 * have it.
 * @param keys Receives the keys, to be freed with gk_api_keys_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_WRONG_PEPPER; GK_STATUS_INVALID_CONFIGURATION if others may read
 * the pepper file; the 6000s.
 */
GK_NODISCARD
gk_status gk_store_api_keys(const gk_store *store,
                            const gk_api_key_options *options,
                            gk_api_keys **keys,
                            gk_error *err);

/**
 * The sessions in a store.
 *
 * @param store The store.
 * @param signer What signs the access tokens, which is shared; its tokens have a time to live, not
 * longer than that of refresh tokens. NULL to look at sessions and to end them, and nothing else.
 * @param options How; NULL for the usual options. What they do not say is as the store's options
 * have it.
 * @param sessions Receives the sessions, to be freed with gk_sessions_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if the signer's tokens live too long or
 * for ever, or others may read the pepper file; GK_STATUS_WRONG_PEPPER; the 6000s.
 */
GK_NODISCARD
gk_status gk_store_sessions(const gk_store *store,
                            const gk_signer *signer,
                            const gk_session_options *options,
                            gk_sessions **sessions,
                            gk_error *err);

/**
 * What is revoked in a store. Needs no pepper.
 *
 * @param store The store.
 * @param options How; NULL for the usual options. What they do not say is as the store's options
 * have it.
 * @param revocations Receives the revocations, to be freed with gk_revocations_free; NULL if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_store_revocations(const gk_store *store,
                               const gk_revocation_options *options,
                               gk_revocations **revocations,
                               gk_error *err);

/**
 * A key ring in a store, which is made, with an active and a next key, if it is not there.
 *
 * @param store The store.
 * @param name The ring's name, 1 to 64 small letters, digits and hyphens; NULL and 0 for that of
 * the options.
 * @param name_len Its length in bytes.
 * @param options How; NULL for the usual options. What they do not say is as the store's options
 * have it.
 * @param ring Receives the ring, to be freed with gk_key_ring_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_WRONG_PEPPER; GK_STATUS_INVALID_CONFIGURATION if others may read
 * the pepper file; the 6000s.
 */
GK_NODISCARD
gk_status gk_store_key_ring(const gk_store *store,
                            const char *name,
                            size_t name_len,
                            const gk_key_ring_options *options,
                            gk_key_ring **ring,
                            gk_error *err);

/**
 * Whether gk_store_open made a pepper file, which should be backed up.
 *
 * @param store The store.
 * @return True if it did; false for NULL.
 */
bool gk_store_made_pepper_file(const gk_store *store);

/**
 * How it is with a store: for an end point such as /healthz. That it is out of reach is no error,
 * but what the answer says. Waits for no other thread; for a server as long as for a connection to
 * it, and while the store is followed not at all; for a program that holds a SQLite file 5 s.
 *
 * @param store The store.
 * @param reachable Receives whether it answers, and is accepted as it is; may be NULL.
 * @param health Receives a JSON object with `kind` (`memory`, `sqlite`, `folder`, `postgresql`),
 * `reachable`, `heard_ago_ms` and `looked_ago_ms` (how many milliseconds ago this process last
 * heard of the store, and what was handed out last looked for changes), `position` (the number of
 * the last change), `version` (of the server, or of SQLite), `writable` and `error` (why it is not
 * reachable, such as `store_unavailable`); what is not known is null. Nothing of it is secret. To
 * be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the store has been closed.
 */
GK_NODISCARD
gk_status gk_store_health(const gk_store *store,
                          bool *reachable,
                          gk_buf *health,
                          gk_error *err);

/**
 * Shares a store.
 *
 * @param store The store; NULL is fine.
 * @return Another handle to the same store, to be freed with gk_store_free; NULL for NULL.
 */
gk_store *gk_store_clone(const gk_store *store);

/**
 * Writes down what is pending, lets go of files and connections, and ends everything that was
 * handed out: each call of it fails with GK_STATUS_INVALID_ARGUMENT from now on and changes
 * nothing. A second call does nothing.
 *
 * @param store The store.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s, and it is closed nevertheless.
 */
GK_NODISCARD gk_status gk_store_close(const gk_store *store, gk_error *err);

/**
 * Gives what this process knows of the server in gk_store_options_limits, as JSON: `server`,
 * `connected`, `sharers` (how many processes count there, as last seen), `asked`, `alone` (how
 * many of the questions this process has decided alone), `troubles` (how often there was which)
 * and `last` (a sentence, or null). Asks nothing; gk_api_keys_check_limits asks the server.
 *
 * @param store The store.
 * @param json Receives it, to be freed with gk_buf_free; {NULL, 0} if there is no such server, or
 * the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_store_limits_state(const gk_store *store, gk_buf *json, gk_error *err);

/**
 * Frees a handle to a store; what it handed out is not affected.
 *
 * @param store The handle, which must not be used again; NULL is fine.
 */
void gk_store_free(gk_store *store);

/*
 * ==== API keys ====
 *
 * Keys that a service issues to its callers: made, found by what a request brings, limited,
 * rotated, revoked. Open gk_api_keys once in a process, and call gk_api_keys_verify for each
 * request.
 */

/** The size of gk_api_key_result.key_id in bytes. */
#define GK_API_KEY_ID_SIZE 16

/** The size of gk_api_key_result.owner in bytes. */
#define GK_API_KEY_OWNER_SIZE 256

/** The size of gk_api_key_result.tenant in bytes. */
#define GK_API_KEY_TENANT_SIZE 128

/** A credential in the Authorization header: a token, or an API key. */
#define GK_CREDENTIAL_AUTHORIZATION 1

/** An API key in the header of its own. */
#define GK_CREDENTIAL_API_KEY 2

/** What a route needs of a key: made once, shared by all threads. */
typedef struct gk_api_key_check gk_api_key_check;

/**
 * Keys of another system, to be imported. gk_api_key_import_add keeps the first thing that was
 * wrong, which gk_api_keys_import reports.
 */
typedef struct gk_api_key_import gk_api_key_import;

/**
 * How API keys are made and verified: the prefix `gk`, the environment `live`, changes by other
 * processes seen within 50 ms, a store that may be silent for 30 seconds. Copied by
 * gk_api_keys_open and gk_store_api_keys.
 */
struct gk_api_key_options;

/**
 * What a key is to be like (gk_api_keys_create), or what is to change of one (gk_api_keys_update):
 * only what is set. Several calls of gk_api_key_spec_scope and gk_api_key_spec_cidr add up.
 */
typedef struct gk_api_key_spec gk_api_key_spec;

/**
 * The API keys of a service, in a store. Shared by reference count, safe to use from several
 * threads at once, and usable after a fork.
 */
struct gk_api_keys;

/** A limit or a list that gk_api_key_spec_clear takes away in an update. */
typedef int32_t gk_api_key_field;

/**
 * A key that was just made: the one time that its text is seen. In memory of the caller's: give it
 * to gk_issued_api_key_free. All zero if the call failed that was to fill it. Change no member.
 */
typedef struct {
    /** The key's text, to be handed to its owner; it is kept nowhere. */
    gk_buf secret;
    /** The key's record as JSON: gk_api_keys_get. */
    gk_buf record;
    /** The key's id, NUL-terminated. */
    char key_id[GK_API_KEY_ID_SIZE];
} gk_issued_api_key;

/** Whose API keys are meant. */
typedef struct {
    /** The owner: 1 to 255 bytes of UTF-8. */
    gk_str owner;
    /** The tenant, of which the owner is a name; {NULL, 0} or empty for keys without one. */
    gk_str tenant;
} gk_api_key_owner;

/** What a request says of who makes it, as it came: none of it is trusted. */
typedef struct {
    /** The key that the caller sent, whatever it is; {NULL, 0} for none. */
    gk_str key;
    /**
     * The caller's address as text, IPv4 or IPv6 without a port; {NULL, 0} if it is not known,
     * which refuses keys that are limited to addresses. A text that is no address says as much.
     */
    gk_str address;
} gk_api_key_request;

/**
 * The outcome of gk_api_keys_verify, in memory of the caller's, usually on the stack; nothing in
 * it needs freeing, and it can be used again.
 */
typedef struct {
    /** The status that the call returned. */
    gk_status status;
    /** What an HTTP service answers: 200, 401, 403, 429 or 503. */
    uint16_t http_status;
    /** The milliseconds after which the same call may succeed; 0 where waiting is no remedy. */
    uint32_t retry_after_ms;
    /** When the key stops being valid, in seconds since 1970; 0 for never. 0 if it was refused. */
    uint64_t expires_at;
    /**
     * The key's id, NUL-terminated; of a key that was refused only if its secret was proved, else
     * empty.
     */
    char key_id[GK_API_KEY_ID_SIZE];
    /** Whose key it is, in UTF-8, NUL-terminated; empty if the key was refused. */
    char owner[GK_API_KEY_OWNER_SIZE];
    /** The tenant, in UTF-8, NUL-terminated; empty if it has no tenant or the key was refused. */
    char tenant[GK_API_KEY_TENANT_SIZE];
} gk_api_key_result;

/** All scopes. */
#define GK_API_KEY_FIELD_SCOPES 1

/** All networks: the key may be used from anywhere. */
#define GK_API_KEY_FIELD_CIDRS 2

/** The first second at which the key is valid. */
#define GK_API_KEY_FIELD_NOT_BEFORE 3

/** The first second at which the key is not valid any more. */
#define GK_API_KEY_FIELD_EXPIRES_AT 4

/** The rate. */
#define GK_API_KEY_FIELD_RATE 5

/** The credits. */
#define GK_API_KEY_FIELD_CREDITS 6

/**
 * The usual options.
 *
 * @return The options, to be freed with gk_api_key_options_free.
 */
gk_api_key_options *gk_api_key_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_api_key_options_free(gk_api_key_options *options);

/**
 * What new keys begin with.
 *
 * A prefix of another form is refused by gk_api_keys_open.
 *
 * @param options The options.
 * @param prefix A small letter, then at most 19 small letters, digits and underscores; copied.
 * @param prefix_len Its length in bytes.
 */
void gk_api_key_options_prefix(gk_api_key_options *options, const char *prefix, size_t prefix_len);

/**
 * The environment of new keys, and the only one that is accepted.
 *
 * An environment of another form is refused by gk_api_keys_open.
 *
 * @param options The options.
 * @param env 2 to 8 small letters; copied.
 * @param env_len Its length in bytes.
 */
void gk_api_key_options_env(gk_api_key_options *options, const char *env, size_t env_len);

/**
 * Whether to look for changes by other processes before every verification.
 *
 * @param options The options.
 * @param strict False, the default, means within 50 ms.
 */
void gk_api_key_options_strict(gk_api_key_options *options, bool strict);

/**
 * For how long keys are served from memory while the store is out of reach.
 *
 * More is refused by gk_api_keys_open.
 *
 * @param options The options.
 * @param seconds At most 86400; 30 unless set.
 */
void gk_api_key_options_max_stale(gk_api_key_options *options, uint64_t seconds);

/**
 * Where the rates of keys are counted. Unless set, where gk_store_options_limits says, or else in
 * the file `<store>.limits` beside a SQLite store: the processes of one machine that count in one
 * place share each key's limit, over restarts; each machine has limits of its own then.
 * gk_api_keys_check_limits says whether that holds.
 *
 * A folder that cannot be used is refused by gk_api_keys_open.
 *
 * @param options The options.
 * @param folder A folder, which is made if it is not there, and must belong to the process's user;
 * copied. Each SQLite store has a file of its own in it. Or the URL of a server, as of
 * gk_store_options_limits. NULL with a length of 0: each process counts for itself, and a restart
 * forgets.
 * @param folder_len Its length in bytes.
 */
void gk_api_key_options_limits(gk_api_key_options *options, const char *folder, size_t folder_len);

/**
 * Takes the time from a callback.
 *
 * @param options The options.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case.
 */
void gk_api_key_options_clock(gk_api_key_options *options,
                              gk_clock_fn now,
                              void *user,
                              gk_release_fn release);

/**
 * A specification that says nothing.
 *
 * @return The specification, to be freed with gk_api_key_spec_free.
 */
gk_api_key_spec *gk_api_key_spec_new(void);

/**
 * Frees a specification.
 *
 * @param spec The specification, which must not be used again; NULL is fine.
 */
void gk_api_key_spec_free(gk_api_key_spec *spec);

/**
 * Whose key it is. Required for a new key.
 *
 * What is out of bounds is refused by the call that uses the specification.
 *
 * @param spec The specification.
 * @param owner 1 to 255 bytes of UTF-8; copied.
 * @param owner_len Its length in bytes.
 */
void gk_api_key_spec_owner(gk_api_key_spec *spec, const char *owner, size_t owner_len);

/**
 * What the owner calls the key.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param name At most 255 bytes of UTF-8; copied.
 * @param name_len Its length in bytes.
 */
void gk_api_key_spec_name(gk_api_key_spec *spec, const char *name, size_t name_len);

/**
 * The tenant, which cannot be changed later.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param tenant At most 127 bytes of UTF-8; copied.
 * @param tenant_len Its length in bytes.
 */
void gk_api_key_spec_tenant(gk_api_key_spec *spec, const char *tenant, size_t tenant_len);

/**
 * The program's own notes.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param meta One JSON object of at most 4096 bytes; copied.
 * @param meta_len Its length in bytes.
 */
void gk_api_key_spec_meta(gk_api_key_spec *spec, const char *meta, size_t meta_len);

/**
 * Adds something that the key may do.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param scope A scope token of RFC 6749 section 3.3, at most 128 bytes; copied.
 * @param scope_len Its length in bytes.
 */
void gk_api_key_spec_scope(gk_api_key_spec *spec, const char *scope, size_t scope_len);

/**
 * Adds a network from which the key may be used; without any, it may be used from anywhere.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param cidr For example 10.0.0.0/8, 2001:db8::/32 or one address; copied.
 * @param cidr_len Its length in bytes.
 */
void gk_api_key_spec_cidr(gk_api_key_spec *spec, const char *cidr, size_t cidr_len);

/**
 * When the key becomes valid.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param seconds Seconds since 1970-01-01T00:00:00Z.
 */
void gk_api_key_spec_not_before(gk_api_key_spec *spec, uint64_t seconds);

/**
 * For how long a new key is valid. An update says gk_api_key_spec_expires_at; so may a new key,
 * instead of this.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param seconds Seconds from the moment at which the key is made; at least 1.
 */
void gk_api_key_spec_expires_in(gk_api_key_spec *spec, uint64_t seconds);

/**
 * When the key stops being valid; not with gk_api_key_spec_expires_in.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param seconds Seconds since 1970-01-01T00:00:00Z: of a new key, a time to come.
 */
void gk_api_key_spec_expires_at(gk_api_key_spec *spec, uint64_t seconds);

/**
 * Says that another system has revoked the key: for gk_api_key_import_add alone. It is imported as
 * a revoked one.
 *
 * @param spec The specification.
 */
void gk_api_key_spec_revoked(gk_api_key_spec *spec);

/**
 * How often the key may be used. The processes of one machine share the limit, over restarts (see
 * gk_api_key_options_limits); each machine has a limit of its own, unless gk_store_options_limits
 * names a server for all.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param burst Units at once, and in each period; at least 1.
 * @param period_seconds The period; at least 1, at most 366 days.
 */
void gk_api_key_spec_rate(gk_api_key_spec *spec, uint32_t burst, uint32_t period_seconds);

/**
 * How much the key may be used.
 *
 * @return As gk_api_key_spec_owner.
 *
 * @param spec The specification.
 * @param amount The credits there are at first.
 * @param refill What each refill adds; 0 for no refill.
 * @param every_seconds The time between refills; 0 for no refill.
 */
void gk_api_key_spec_credits(gk_api_key_spec *spec,
                             uint64_t amount,
                             uint64_t refill,
                             uint32_t every_seconds);

/**
 * Takes a limit or a list away, in an update.
 *
 * @param spec The specification.
 * @param field A GK_API_KEY_FIELD_ constant.
 */
void gk_api_key_spec_clear(gk_api_key_spec *spec, gk_api_key_field field);

/**
 * Wipes and frees a key that was just made and leaves all of it zero.
 *
 * @param issued A key that a call of this library has filled in, or all zero; NULL is fine.
 */
void gk_issued_api_key_free(gk_issued_api_key *issued);

/**
 * Opens API keys: the short way, for a program that keeps nothing else there.
 *
 * @param url As for gk_store_open, which takes other peppers than those in the file
 * `<path>.pepper`; that is made with the store: back it up, because without it every key is lost.
 * @param url_len Its length in bytes.
 * @param options How; NULL for the usual options.
 * @param keys Receives the keys, to be freed with gk_api_keys_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if others may read the pepper file;
 * GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if this build has no SQLite; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_open(const char *url,
                           size_t url_len,
                           const gk_api_key_options *options,
                           gk_api_keys **keys,
                           gk_error *err);

/**
 * Shares keys.
 *
 * @param keys The keys; NULL is fine.
 * @return Another handle to the same keys, to be freed with gk_api_keys_free; NULL for NULL.
 */
gk_api_keys *gk_api_keys_clone(const gk_api_keys *keys);

/**
 * Frees a handle to keys. The last one writes down what is pending and closes the store, without
 * telling what went wrong: see gk_api_keys_close.
 *
 * @param keys The handle, which must not be used again; NULL is fine.
 */
void gk_api_keys_free(gk_api_keys *keys);

/**
 * Shares keys; changes through the new handle are noted in the audit as made by this actor.
 *
 * @param keys The keys.
 * @param actor Who makes the changes: at most 255 bytes of UTF-8; copied.
 * @param actor_len Its length in bytes.
 * @param acting Receives the handle, to be freed with gk_api_keys_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_api_keys_acting_as(const gk_api_keys *keys,
                                const char *actor,
                                size_t actor_len,
                                gk_api_keys **acting,
                                gk_error *err);

/**
 * Makes a key.
 *
 * @param keys The keys.
 * @param spec What the key is to be like; it has an owner at least.
 * @param issued Receives the key, to be freed with gk_issued_api_key_free; all zero if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_create(const gk_api_keys *keys,
                             const gk_api_key_spec *spec,
                             gk_issued_api_key *issued,
                             gk_error *err);

/**
 * Gives a key a new secret under the same id. A key has two secrets at the most: a second rotation
 * within an overlap ends the first secret at once.
 *
 * @param keys The keys.
 * @param id The key's id.
 * @param id_len Its length in bytes.
 * @param overlap_seconds For how long the old secret is still accepted: at most 90 days; 0 ends it
 * now.
 * @param issued Receives the key with its new text, as gk_api_keys_create.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_API_KEY_NOT_FOUND; GK_STATUS_INVALID_ARGUMENT: it is revoked,
 * for good; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_rotate(const gk_api_keys *keys,
                             const char *id,
                             size_t id_len,
                             uint64_t overlap_seconds,
                             gk_issued_api_key *issued,
                             gk_error *err);

/**
 * Revokes a key for good. A key that is revoked already stays as it is.
 *
 * @param keys The keys.
 * @param id The key's id.
 * @param id_len Its length in bytes.
 * @param reason Why, for people: of it the first 500 bytes are kept, with a space for each control
 * character.
 * @param reason_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_API_KEY_NOT_FOUND; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_revoke(const gk_api_keys *keys,
                             const char *id,
                             size_t id_len,
                             const char *reason,
                             size_t reason_len,
                             gk_error *err);

/**
 * Refuses a key until it is enabled again.
 *
 * @param keys The keys.
 * @param id The key's id.
 * @param id_len Its length in bytes.
 * @param reason Why, for people: of it the first 500 bytes are kept, with a space for each control
 * character.
 * @param reason_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return As gk_api_keys_revoke; GK_STATUS_INVALID_ARGUMENT: it is revoked, for good.
 */
GK_NODISCARD
gk_status gk_api_keys_disable(const gk_api_keys *keys,
                              const char *id,
                              size_t id_len,
                              const char *reason,
                              size_t reason_len,
                              gk_error *err);

/**
 * Accepts a disabled key again.
 *
 * @param keys The keys.
 * @param id The key's id.
 * @param id_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return As gk_api_keys_disable.
 */
GK_NODISCARD
gk_status gk_api_keys_enable(const gk_api_keys *keys,
                             const char *id,
                             size_t id_len,
                             gk_error *err);

/**
 * Changes what the specification says of a key.
 *
 * @param keys The keys.
 * @param id The key's id.
 * @param id_len Its length in bytes.
 * @param spec What is to change; at least one thing.
 * @param err Receives the error; may be NULL.
 * @return As gk_api_keys_disable.
 */
GK_NODISCARD
gk_status gk_api_keys_update(const gk_api_keys *keys,
                             const char *id,
                             size_t id_len,
                             const gk_api_key_spec *spec,
                             gk_error *err);

/**
 * The record of a key: one JSON object with id, prefix, env, tenant, owner, name, scopes, cidrs,
 * status, revoked_at, reason, not_before, expires_at, rate, credits, meta, created_at, created_by,
 * rotated_at, overlap_until, last_used_at, uses, version. Times are in seconds since 1970, or
 * null.
 *
 * @param keys The keys.
 * @param id The key's id.
 * @param id_len Its length in bytes.
 * @param record Receives the record, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_API_KEY_NOT_FOUND; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_get(const gk_api_keys *keys,
                          const char *id,
                          size_t id_len,
                          gk_buf *record,
                          gk_error *err);

/**
 * A page of records in ascending order of their ids: {"records":[...],"cursor":"..."}, where the
 * cursor of the last page is null.
 *
 * @param keys The keys.
 * @param filter Which: `owner`, `tenant`, `cursor`, `limit`; NULL for the first 100 of all.
 * @param page Receives the page, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_list(const gk_api_keys *keys,
                           const gk_filter *filter,
                           gk_buf *page,
                           gk_error *err);

/**
 * A page of the audit, oldest first: {"records":[{"seq","at","actor","action","key_id","detail"}],
 * "cursor"}.
 *
 * @param keys The keys.
 * @param filter Which: `key_id`, `cursor`, `limit`; NULL for the first 100 of all.
 * @param page Receives the page, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_audit(const gk_api_keys *keys,
                            const gk_filter *filter,
                            gk_buf *page,
                            gk_error *err);

/**
 * Deletes keys that expired, or were revoked, before a time. Their audit stays. A clock that has
 * run ahead of the time that passes by more than an hour deletes no key that has expired by it
 * alone, until it has gone on so for ten minutes.
 *
 * @param keys The keys.
 * @param before Seconds since 1970; not in the future.
 * @param purged Receives how many; may be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_purge(const gk_api_keys *keys,
                            uint64_t before,
                            uint64_t *purged,
                            gk_error *err);

/**
 * An import without rows.
 *
 * @return The import, to be freed with gk_api_key_import_free.
 */
gk_api_key_import *gk_api_key_import_new(void);

/**
 * Frees an import; credentials are wiped.
 *
 * @param import The import, which must not be used again; NULL is fine.
 */
void gk_api_key_import_free(gk_api_key_import *import);

/**
 * Adds a key of another system.
 *
 * @param import The import.
 * @param spec What the key is to be like; copied.
 * @param credential The key itself, or what the other system kept of it; copied.
 * @param credential_len Its length in bytes.
 * @param lookup The public part that the key begins with, up to a separator . _ - : ~, by which it
 * is found; NULL and 0 for none. Salted hashes need one.
 * @param lookup_len Its length in bytes.
 */
void gk_api_key_import_add(gk_api_key_import *import,
                           const gk_api_key_spec *spec,
                           const char *credential,
                           size_t credential_len,
                           const char *lookup,
                           size_t lookup_len);

/**
 * Imports keys that another system issued. If a row is of the wrong form, or was added with
 * something wrong, nothing is imported; rows that are there already stop no others.
 *
 * @param keys The keys.
 * @param scheme plaintext, sha256-hex, sha256-base64, sha512-hex, drf-api-key, bcrypt, argon2 or
 * pbkdf2-sha256.
 * @param scheme_len Its length in bytes.
 * @param import The rows.
 * @param report Receives
 * {"imported":n,"ids":[...],"rejected":[{"row","number","code","message"}]}, to be freed with
 * gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK, whatever was rejected; what was wrong first at gk_api_key_import_add; the
 * 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_import(const gk_api_keys *keys,
                             const char *scheme,
                             size_t scheme_len,
                             const gk_api_key_import *import,
                             gk_buf *report,
                             gk_error *err);

/**
 * How many keys, sessions and key rings of the store still need each pepper:
 * [{"pepper":n,"active":true,"keys":n,"sessions":n,"key_rings":n,"since":n,"damaged":[]}]. Of the
 * number 0, which is there if anything is damaged, `damaged` has the ids of the API keys, then
 * those of the sessions, then the names of the key rings whose rows were altered from outside or
 * cannot be read.
 *
 * @param keys The keys.
 * @param report Receives the report, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_pepper_report(const gk_api_keys *keys,
                                    gk_buf *report,
                                    gk_error *err);

/**
 * Puts every key under the active pepper as well, now: for the day an old one has leaked.
 *
 * @param keys The keys.
 * @param wrapped Receives how many keys; may be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_STORE_CORRUPT if rows were altered from outside: all others are
 * wrapped, gk_error_api_key_id says the first of them, gk_api_keys_pepper_report all; the other
 * 6000s.
 */
GK_NODISCARD
gk_status gk_api_keys_wrap_peppers(const gk_api_keys *keys,
                                   uint64_t *wrapped,
                                   gk_error *err);

/**
 * Looks now at what other processes have changed, however recent the last look.
 *
 * @param keys The keys.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD gk_status gk_api_keys_refresh(const gk_api_keys *keys, gk_error *err);

/**
 * Whether the rates of all keys are shared by the processes of this machine. For a program that
 * wants to know at its start; where they are not, each process counts for itself, and no key is
 * without its limit.
 *
 * @param keys The keys.
 * @param err Receives why they are not; may be NULL.
 * @return GK_STATUS_OK: they are. GK_STATUS_INVALID_CONFIGURATION: limits are off, the store has
 * no place for them, or their file is another user's. GK_STATUS_UNSUPPORTED: this machine cannot
 * share them. The 6000s: their file cannot be opened or made, is full, or is of a newer version.
 */
GK_NODISCARD gk_status gk_api_keys_check_limits(const gk_api_keys *keys, gk_error *err);

/**
 * Writes down now when keys were last used; otherwise that happens every 10 seconds.
 *
 * @param keys The keys.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD gk_status gk_api_keys_flush(const gk_api_keys *keys, gk_error *err);

/**
 * Writes down what is pending, gives back credits that were not spent, and closes the store for
 * all handles. The handles are still to be freed. Closing a store that may only be read is no
 * error.
 *
 * @param keys The keys.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD gk_status gk_api_keys_close(const gk_api_keys *keys, gk_error *err);

/**
 * Shares keys, of which those of one owner alone are seen, made and changed through the new
 * handle, for programs whose users choose a key by its id, which is public. Another owner's key is
 * GK_STATUS_API_KEY_NOT_FOUND. Calls about all keys (the audit, purges, imports, peppers) are
 * GK_STATUS_INVALID_ARGUMENT. Keys are verified as before.
 *
 * @param keys The keys.
 * @param owner Whose; copied.
 * @param owned Receives the handle, to be freed with gk_api_keys_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_api_keys_owned_by(const gk_api_keys *keys,
                               const gk_api_key_owner *owner,
                               gk_api_keys **owned,
                               gk_error *err);

/**
 * A check that demands nothing: no scope, any tenant, a cost of 1.
 *
 * @return The check, to be freed with gk_api_key_check_free.
 */
gk_api_key_check *gk_api_key_check_new(void);

/**
 * Frees a check.
 *
 * @param check The check, which must not be used again; NULL is fine.
 */
void gk_api_key_check_free(gk_api_key_check *check);

/**
 * Demands a scope; with several calls, all of them.
 *
 * @param check The check.
 * @param scope The scope; copied. At most 16 in all.
 * @param scope_len Its length in bytes.
 */
void gk_api_key_check_scope(gk_api_key_check *check, const char *scope, size_t scope_len);

/**
 * Demands a tenant.
 *
 * @param check The check.
 * @param tenant The tenant; copied.
 * @param tenant_len Its length in bytes.
 */
void gk_api_key_check_tenant(gk_api_key_check *check, const char *tenant, size_t tenant_len);

/**
 * How many units of the rate and how many credits the request takes.
 *
 * @param check The check.
 * @param cost 1 unless set; 0 takes none.
 */
void gk_api_key_check_cost(gk_api_key_check *check, uint32_t cost);

/**
 * Verifies a presented key, and takes the request's cost from its limits. Allocates nothing.
 *
 * @param keys The keys.
 * @param request The caller's key and address; borrowed for the call.
 * @param check What the route needs; NULL for nothing.
 * @param result Receives the outcome, refusals included; may be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MALFORMED_API_KEY, GK_STATUS_UNKNOWN_API_KEY and
 * GK_STATUS_BAD_API_KEY_SECRET, which have one message for the caller; the other 3000s;
 * GK_STATUS_STORE_UNAVAILABLE if the store has been silent for too long.
 */
GK_NODISCARD
gk_status gk_api_keys_verify(const gk_api_keys *keys,
                             const gk_api_key_request *request,
                             const gk_api_key_check *check,
                             gk_api_key_result *result,
                             gk_error *err);

/**
 * The API key among a request's headers: of `Authorization: Bearer` or of `X-API-Key`.
 *
 * @param names The headers' names, UTF-8.
 * @param values The headers' values, UTF-8, as many as names.
 * @param len How many there are.
 * @param key Receives the key, which lies in one of the values; {NULL, 0} if there is no key.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MALFORMED_API_KEY if there is more than one, or an empty one.
 */
GK_NODISCARD
gk_status gk_api_key_from_headers(const gk_str *names,
                                  const gk_str *values,
                                  size_t len,
                                  gk_str *key,
                                  gk_error *err);

/**
 * As gk_api_key_from_headers, of one place alone: for clients that send an API key beside an
 * Authorization header with a token of their user's, which is not looked at here.
 *
 * @param names The headers' names, UTF-8.
 * @param values The headers' values, UTF-8, as many as names.
 * @param len How many there are.
 * @param place GK_CREDENTIAL_AUTHORIZATION or GK_CREDENTIAL_API_KEY.
 * @param key Receives the key, which lies in one of the values; {NULL, 0} if there is no key.
 * @param err Receives the error; may be NULL.
 * @return As gk_api_key_from_headers; GK_STATUS_INVALID_ARGUMENT if the place is neither.
 */
GK_NODISCARD
gk_status gk_api_key_from_headers_at(const gk_str *names,
                                     const gk_str *values,
                                     size_t len,
                                     int32_t place,
                                     gk_str *key,
                                     gk_error *err);

/**
 * The rules by which scanners find keys that were committed by mistake.
 *
 * @param prefix The prefix of the keys.
 * @param prefix_len Its length in bytes.
 * @param regex Receives a regular expression, to be freed with gk_buf_free.
 * @param gitleaks Receives a rule of gitleaks, as TOML, to be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_scan_rule(const char *prefix,
                       size_t prefix_len,
                       gk_buf *regex,
                       gk_buf *gitleaks,
                       gk_error *err);

/*
 * ==== Sessions ====
 *
 * Users that have logged in: a short access token that any verifier accepts, and a refresh token
 * that is exchanged for the next one each time, so that a stolen one shows.
 */

/** The size of gk_session_tokens.family in bytes. */
#define GK_SESSION_FAMILY_SIZE 13

/**
 * How long sessions live and how they are kept: seven days without a refresh, ninety days in all,
 * a grace of ten seconds; what is revoked as in gk_revocation_options_new. Copied by
 * gk_sessions_open and gk_store_sessions.
 */
struct gk_session_options;

/**
 * What a session is to be like, for gk_sessions_start: only what is set. The setters keep the
 * first thing that was wrong, which gk_sessions_start reports.
 */
typedef struct gk_session_spec gk_session_spec;

/**
 * The sessions of a service, in a store. Shared by reference count, safe to use from several
 * threads at once, and usable after a fork.
 */
struct gk_sessions;

/**
 * What a client is given at a log-in and at each refresh, in memory of the caller's: give it to
 * gk_session_tokens_free. All zero if the call failed that was to fill it. Change no member.
 */
typedef struct {
    /** The access token: a JWT with `sub`, `sid` and the claims of the session. */
    gk_buf access_token;
    /**
     * The refresh token, 51 letters, digits and underscores, to be used once, instead of the one
     * before.
     */
    gk_buf refresh_token;
    /** For how many seconds the access token is good (RFC 6749 section 5.1). */
    uint64_t expires_in;
    /** When the session ends unless it is refreshed before, in seconds since 1970. */
    uint64_t expires_at;
    /**
     * The id of the session, which is `sid` of its access tokens: 12 letters and digits,
     * NUL-terminated.
     */
    char family[GK_SESSION_FAMILY_SIZE];
} gk_session_tokens;

/** Which session is meant. */
typedef struct {
    /** The session's id. */
    gk_str family;
    /**
     * Only if it is a session of this subject: the user who is logged in. {NULL, 0} for any, which
     * is for operators. Empty text is no subject's.
     */
    gk_str subject;
} gk_session_identity;

/**
 * The usual options.
 *
 * @return The options, to be freed with gk_session_options_free.
 */
gk_session_options *gk_session_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_session_options_free(gk_session_options *options);

/**
 * After how long a session ends that is not refreshed.
 *
 * Another number is refused by gk_sessions_open.
 *
 * @param options The options.
 * @param seconds 1 to 316224000, which is ten years; 604800, which is seven days, unless set. Not
 * less than the signer's tokens live.
 */
void gk_session_options_refresh_ttl(gk_session_options *options, uint64_t seconds);

/**
 * After how long a session ends however often it is refreshed.
 *
 * Another number is refused by gk_sessions_open.
 *
 * @param options The options.
 * @param seconds At most 316224000, which is ten years, and not less than the time between two
 * refreshes; 7776000, which is ninety days, unless set.
 */
void gk_session_options_absolute_ttl(gk_session_options *options, uint64_t seconds);

/**
 * For how long a refresh token that was used gives the same answer again: for clients that lost
 * the first one, and for tabs that ask at the same time.
 *
 * More is refused by gk_sessions_open.
 *
 * @param options The options.
 * @param seconds At most 60; 10 unless set. 0 takes every second use for a theft.
 */
void gk_session_options_grace(gk_session_options *options, uint64_t seconds);

/**
 * As gk_revocation_options_strict, for gk_sessions_revocations.
 *
 * @param options The options.
 * @param strict False, the default, means within 50 ms.
 */
void gk_session_options_strict(gk_session_options *options, bool strict);

/**
 * As gk_revocation_options_max_stale, for gk_sessions_revocations.
 *
 * More is refused by gk_sessions_open.
 *
 * @param options The options.
 * @param seconds At most 86400; 30 unless set.
 */
void gk_session_options_max_stale(gk_session_options *options, uint64_t seconds);

/**
 * As gk_revocation_options_max_token_ttl, for gk_sessions_revocations. What the signer's tokens
 * live is allowed in any case.
 *
 * Another number is refused by gk_sessions_open.
 *
 * @param options The options.
 * @param seconds 1 to 316224000, which is ten years; 2592000, which is 30 days, unless set.
 */
void gk_session_options_max_token_ttl(gk_session_options *options, uint64_t seconds);

/**
 * As gk_revocation_options_tenant_claim, for gk_sessions_revocations.
 *
 * Another name is refused by gk_sessions_open.
 *
 * @param options The options.
 * @param name The claim's name, 1 to 255 bytes of UTF-8; copied. `tenant` unless set.
 * @param name_len Its length in bytes.
 */
void gk_session_options_tenant_claim(gk_session_options *options,
                                     const char *name,
                                     size_t name_len);

/**
 * Takes the time from a callback, for the dates of access tokens and of revocations as well.
 *
 * @param options The options.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_session_options_clock(gk_session_options *options,
                              gk_clock_fn now,
                              void *user,
                              gk_release_fn release);

/**
 * A specification that says nothing.
 *
 * @return The specification, to be freed with gk_session_spec_free.
 */
gk_session_spec *gk_session_spec_new(void);

/**
 * Frees a specification.
 *
 * @param spec The specification, which must not be used again; NULL is fine.
 */
void gk_session_spec_free(gk_session_spec *spec);

/**
 * What each access token of the session says as well.
 *
 * @param spec The specification.
 * @param claims The claims; copied. Not `sub`, `sid`, `iss`, `aud`, `exp`, `iat`, `jti` or `gkn`;
 * at most 8192 bytes as JSON.
 */
void gk_session_spec_claims(gk_session_spec *spec, const gk_claims *claims);

/**
 * What the subject logs in with, for people, such as the request's User-Agent, whatever that is:
 * of it the first 255 bytes are kept, with a space for each control character.
 *
 * @param spec The specification.
 * @param client The text; copied. What is not UTF-8 is replaced.
 * @param client_len Its length in bytes.
 */
void gk_session_spec_client(gk_session_spec *spec, const char *client, size_t client_len);

/**
 * The program's own notes.
 *
 * @param spec The specification.
 * @param meta One JSON object of at most 4096 bytes; copied.
 * @param meta_len Its length in bytes.
 */
void gk_session_spec_meta(gk_session_spec *spec, const char *meta, size_t meta_len);

/**
 * Wipes and frees tokens and leaves all of it zero.
 *
 * @param tokens Tokens that a call of this library has filled in, or all zero; NULL is fine.
 */
void gk_session_tokens_free(gk_session_tokens *tokens);

/**
 * Opens sessions: the short way, for a program that keeps nothing else there.
 *
 * @param url As for gk_store_open, which takes other peppers than those in the file
 * `<path>.pepper`; that is made with the store: back it up, because without it every session is
 * lost.
 * @param url_len Its length in bytes.
 * @param signer What signs the access tokens, which is shared; its tokens have a time to live, not
 * longer than that of refresh tokens. NULL to look at sessions and to end them, and nothing else.
 * @param options How; NULL for the usual options.
 * @param sessions Receives the sessions, to be freed with gk_sessions_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if the signer's tokens live too long or
 * for ever, or others may read the pepper file; GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if
 * this build has no SQLite; the 6000s.
 */
GK_NODISCARD
gk_status gk_sessions_open(const char *url,
                           size_t url_len,
                           const gk_signer *signer,
                           const gk_session_options *options,
                           gk_sessions **sessions,
                           gk_error *err);

/**
 * Shares sessions.
 *
 * @param sessions The sessions; NULL is fine.
 * @return Another handle to the same sessions, to be freed with gk_sessions_free; NULL for NULL.
 */
gk_sessions *gk_sessions_clone(const gk_sessions *sessions);

/**
 * Frees a handle to sessions. The last one, of their revocations too, closes the store.
 *
 * @param sessions The handle, which must not be used again; NULL is fine.
 */
void gk_sessions_free(gk_sessions *sessions);

/**
 * Starts a session: after a log-in, for the subject that has logged in.
 *
 * @param sessions The sessions.
 * @param subject Who has logged in, `sub` of the access tokens: 1 to 255 bytes.
 * @param subject_len Its length in bytes.
 * @param spec What the session is to be like; NULL for nothing but its subject.
 * @param tokens Receives the tokens, to be freed with gk_session_tokens_free; all zero if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if there is no signer; those of
 * gk_signer_sign; the 6000s. If the call fails, there is no session.
 */
GK_NODISCARD
gk_status gk_sessions_start(const gk_sessions *sessions,
                            const char *subject,
                            size_t subject_len,
                            const gk_session_spec *spec,
                            gk_session_tokens *tokens,
                            gk_error *err);

/**
 * Exchanges a refresh token for new tokens. Of several calls at the same time one does; the others
 * get the same refresh token.
 *
 * @param sessions The sessions.
 * @param token The refresh token as the client sent it, whatever it is.
 * @param token_len Its length in bytes.
 * @param claims What the access tokens say from now on, as in gk_session_spec_claims; NULL for
 * what they said before.
 * @param tokens Receives the tokens, to be freed with gk_session_tokens_free; all zero if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_REFRESH_TOKEN, also if it was used before and the clock,
 * which was set since, cannot tell how long ago; GK_STATUS_TOKEN_REUSE if it was used before: the
 * session has been ended; GK_STATUS_SESSION_ENDED; GK_STATUS_SESSION_EXPIRED; those of
 * gk_signer_sign and the 6000s, after which the token is as good as it was.
 */
GK_NODISCARD
gk_status gk_sessions_refresh(const gk_sessions *sessions,
                              const char *token,
                              size_t token_len,
                              const gk_claims *claims,
                              gk_session_tokens *tokens,
                              gk_error *err);

/**
 * Ends the session of a refresh token, whose secret is checked, and revokes its access tokens: a
 * log-out. The public id of a session is no refresh token.
 *
 * @param sessions The sessions.
 * @param token Any refresh token of the session as the client sent it, whatever it is; NULL and 0
 * if it sent none.
 * @param token_len Its length in bytes.
 * @param ended Receives whether it had not been ended before; false if the call fails. May be
 * NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_REFRESH_TOKEN; GK_STATUS_MISSING_CREDENTIALS for NULL;
 * the 6000s.
 */
GK_NODISCARD
gk_status gk_sessions_end(const gk_sessions *sessions,
                          const char *token,
                          size_t token_len,
                          bool *ended,
                          gk_error *err);

/**
 * Ends the session of an id and revokes its access tokens. The id is public: every API that sees
 * an access token knows it as `sid`. So a caller who may choose it must be allowed to end that
 * session.
 *
 * @param sessions The sessions.
 * @param session Which session; borrowed for the call.
 * @param ended Receives whether it had not been ended before; false if the call fails. May be
 * NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_SESSION_NOT_FOUND, also if it is another subject's; the 6000s.
 */
GK_NODISCARD
gk_status gk_sessions_end_by_id(const gk_sessions *sessions,
                                const gk_session_identity *session,
                                bool *ended,
                                gk_error *err);

/**
 * Ends every session whose refresh token was made under a pepper, and revokes its access tokens:
 * for the day that an old pepper has leaked. Sessions that were refreshed since a newer one came
 * stay, if that is more than a minute ago; those whose rows were altered from outside end.
 * Afterwards none needs the pepper.
 *
 * @param sessions The sessions.
 * @param pepper The pepper's number; not the newest one.
 * @param ended Receives how many sessions; 0 if the call fails. May be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT for the newest pepper; GK_STATUS_WRONG_PEPPER
 * for one that was not given, or if rows are sealed under another one that was not given, which
 * stay, while all others are done; the 6000s: what was ended by then stays ended, and a second
 * call continues.
 */
GK_NODISCARD
gk_status gk_sessions_end_under_pepper(const gk_sessions *sessions,
                                       uint32_t pepper,
                                       uint64_t *ended,
                                       gk_error *err);

/**
 * Ends all sessions of a subject and revokes what access tokens it has: logs it out everywhere. A
 * later log-in gives good tokens, also in the same second.
 *
 * @param sessions The sessions.
 * @param subject The subject, 1 to 255 bytes.
 * @param subject_len Its length in bytes.
 * @param ended Receives how many sessions; 0 if the call fails. May be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s: what was ended by then stays ended, and a second call
 * continues.
 */
GK_NODISCARD
gk_status gk_sessions_end_all(const gk_sessions *sessions,
                              const char *subject,
                              size_t subject_len,
                              uint64_t *ended,
                              gk_error *err);

/**
 * Ends all sessions of a subject but one, and revokes their access tokens: "log out my other
 * devices". The one that is kept is not touched, and sessions that are started meanwhile are not
 * ended.
 *
 * @param sessions The sessions.
 * @param kept The session to keep, and the subject, which must be given; borrowed for the call.
 * @param ended Receives how many sessions; 0 if the call fails. May be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_SESSION_NOT_FOUND: there is no such session, or it is of another
 * subject; GK_STATUS_SESSION_ENDED: it was ended; then none is. The 6000s: what was ended by then
 * stays ended, and a second call continues.
 */
GK_NODISCARD
gk_status gk_sessions_end_others(const gk_sessions *sessions,
                                 const gk_session_identity *kept,
                                 uint64_t *ended,
                                 gk_error *err);

/**
 * The live sessions of a subject, the last one used first: its devices. A JSON array of at most
 * 10000 records. Those whose rows were altered from outside or cannot be read too: their `altered`
 * is true.
 *
 * @param sessions The sessions.
 * @param subject The subject.
 * @param subject_len Its length in bytes.
 * @param records Receives the array, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_sessions_list(const gk_sessions *sessions,
                           const char *subject,
                           size_t subject_len,
                           gk_buf *records,
                           gk_error *err);

/**
 * The record of a session, live or not: one JSON object with family, subject, client, meta,
 * created_at, last_seen_at, expires_at, absolute_expires_at, refreshes, ended_at, end (logout,
 * logout_everywhere, reuse, expired). Times are in seconds since 1970, or null.
 *
 * @param sessions The sessions.
 * @param family The session's id.
 * @param family_len Its length in bytes.
 * @param record Receives the record, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_SESSION_NOT_FOUND; the 6000s.
 */
GK_NODISCARD
gk_status gk_sessions_get(const gk_sessions *sessions,
                          const char *family,
                          size_t family_len,
                          gk_buf *record,
                          gk_error *err);

/**
 * A page of what happened to sessions, oldest first:
 * {"records":[{"seq","at","family","subject","action", "detail"}],"cursor"}, where the action is
 * start, logout, logout_everywhere, reuse or expired.
 *
 * @param sessions The sessions.
 * @param filter Which: `subject`, `family`, `cursor`, `limit`; NULL for the first 100 of all.
 * @param page Receives the page, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_sessions_events(const gk_sessions *sessions,
                             const gk_filter *filter,
                             gk_buf *page,
                             gk_error *err);

/**
 * Deletes sessions that expired, or were ended, before a time, and events from before it. Their
 * refresh tokens are refused as unknown from then on.
 *
 * @param sessions The sessions.
 * @param before Seconds since 1970; not in the future.
 * @param purged Receives how many sessions; 0 if the call fails. May be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_sessions_purge(const gk_sessions *sessions,
                            uint64_t before,
                            uint64_t *purged,
                            gk_error *err);

/**
 * What is revoked, for gk_policy_revocations: a session that has ended has its access tokens
 * there.
 *
 * @param sessions The sessions; NULL is fine.
 * @return A handle to it, to be freed with gk_revocations_free; NULL for NULL.
 */
gk_revocations *gk_sessions_revocations(const gk_sessions *sessions);

/*
 * ==== Revocations ====
 *
 * Tokens that are not good any more, although their signature and their dates are; for policies
 * (gk_policy_revocations).
 */

/**
 * How what is revoked is kept and followed: tokens that live for at most 30 days, what other
 * processes have revoked seen within 50 ms, a store that may be silent for 30 seconds, the claim
 * `tenant`. Copied by gk_revocations_open and gk_store_revocations.
 */
struct gk_revocation_options;

/**
 * Tokens, sessions, subjects and keys that have been revoked, in a store; for
 * gk_policy_revocations. Shared by reference count, safe to use from several threads at once, and
 * usable after a fork. A call that has revoked something is durable when it returns, and in force
 * in other processes within 50 ms.
 */
struct gk_revocations;

/** Which token is meant: what its claims say. */
typedef struct {
    /** Its `iss`, at most 1024 bytes; {NULL, 0} for a token without one. */
    gk_str issuer;
    /** Its `jti`, 1 to 1024 bytes. */
    gk_str token_id;
    /** Its `exp`, in seconds since 1970: for how long it must be remembered. */
    uint64_t expires_at;
} gk_token_identity;

/**
 * Whose tokens gk_revocations_revoke_before means: those of a subject or those of a tenant, one of
 * the three.
 */
typedef struct {
    /** The `sub` of the tokens, 1 to 1024 bytes; {NULL, 0} for none. Empty text is refused. */
    gk_str subject;
    /** The tenant of the tokens, 1 to 1024 bytes; {NULL, 0} for none. Empty text is refused. */
    gk_str tenant;
    /**
     * The `sub` of the tokens where it is a number (gk_policy_allow_numeric_subject), which is
     * another subject than its text; NULL for none.
     */
    const int64_t *numeric_subject;
} gk_revoke_scope;

/**
 * The usual options.
 *
 * @return The options, to be freed with gk_revocation_options_free.
 */
gk_revocation_options *gk_revocation_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_revocation_options_free(gk_revocation_options *options);

/**
 * Whether a store that is not there is made.
 *
 * A process that only reads what another keeps says false, so that a wrong path is an error, and
 * not an empty store which knows of nothing that was revoked.
 *
 * @param options The options.
 * @param create True, the default: it is. False: gk_revocations_open reports
 * GK_STATUS_STORE_UNAVAILABLE.
 */
void gk_revocation_options_create(gk_revocation_options *options, bool create);

/**
 * Whether to look for what other processes have revoked at every token.
 *
 * @param options The options.
 * @param strict False, the default, means within 50 ms.
 */
void gk_revocation_options_strict(gk_revocation_options *options, bool strict);

/**
 * For how long tokens are accepted while the store is out of reach.
 *
 * More is refused by gk_revocations_open.
 *
 * @param options The options.
 * @param seconds At most 86400; 30 unless set.
 */
void gk_revocation_options_max_stale(gk_revocation_options *options, uint64_t seconds);

/**
 * How long tokens live at the most, from `iat` to `exp`: others are refused, because what is
 * revoked is not remembered for longer. The same for all that share the store.
 *
 * Another number is refused by gk_revocations_open.
 *
 * @param options The options.
 * @param seconds 1 to 316224000, which is ten years; 2592000, which is 30 days, unless set.
 */
void gk_revocation_options_max_token_ttl(gk_revocation_options *options, uint64_t seconds);

/**
 * The claim that names a token's tenant.
 *
 * Another name is refused by gk_revocations_open.
 *
 * @param options The options.
 * @param name The claim's name, 1 to 255 bytes of UTF-8; copied. `tenant` unless set.
 * @param name_len Its length in bytes.
 */
void gk_revocation_options_tenant_claim(gk_revocation_options *options,
                                        const char *name,
                                        size_t name_len);

/**
 * Takes the time at which something is revoked from a callback.
 *
 * @param options The options.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_revocation_options_clock(gk_revocation_options *options,
                                 gk_clock_fn now,
                                 void *user,
                                 gk_release_fn release);

/**
 * Opens what has been revoked. Sessions have theirs: gk_sessions_revocations.
 *
 * @param url memory:, sqlite:///relative/path or sqlite:////absolute/path; ?mark=FILE at its end
 * says where its mark is, ?mark=none that it has none (docs/backups.md). Nothing else in the
 * process may open the file with a SQLite of its own, not even to read (docs/processes.md).
 * @param url_len Its length in bytes.
 * @param options How; NULL for the usual options.
 * @param revocations Receives what has been revoked, to be freed with gk_revocations_free; NULL if
 * the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_UNSUPPORTED if this build has no SQLite; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_open(const char *url,
                              size_t url_len,
                              const gk_revocation_options *options,
                              gk_revocations **revocations,
                              gk_error *err);

/**
 * Shares what has been revoked.
 *
 * @param revocations What has been revoked; NULL is fine.
 * @return Another handle to the same, to be freed with gk_revocations_free; NULL for NULL.
 */
gk_revocations *gk_revocations_clone(const gk_revocations *revocations);

/**
 * Frees a handle to what has been revoked; verifiers that ask it are not affected.
 *
 * @param revocations The handle, which must not be used again; NULL is fine.
 */
void gk_revocations_free(gk_revocations *revocations);

/**
 * Revokes one token; without an issuer, every token with this `jti`, whatever its `iss`.
 *
 * @param revocations What has been revoked.
 * @param token Which token; borrowed for the call.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if `expires_at` has passed by more than 600
 * seconds, or is after the year 9999, as milliseconds are: nothing is revoked; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_revoke_token(const gk_revocations *revocations,
                                      const gk_token_identity *token,
                                      gk_error *err);

/**
 * Revokes the tokens of one session, whose next refresh is refused and ends it. gk_sessions_end
 * does that, too.
 *
 * @param revocations What has been revoked.
 * @param session_id The `sid` of its tokens, 1 to 1024 bytes.
 * @param session_id_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_revoke_session(const gk_revocations *revocations,
                                        const char *session_id,
                                        size_t session_id_len,
                                        gk_error *err);

/**
 * Revokes the tokens that a subject has now, from any issuer; a later log-in gives good ones.
 * Access tokens of gk_sessions on the same store say which revocations came before them, whatever
 * the clocks say; others go by `iat`: refused are those of this second or before, or up to the
 * verifier's leeway later. Its sessions continue, and their next refresh gives good tokens;
 * gk_sessions_end_all ends them as well.
 *
 * @param revocations What has been revoked.
 * @param subject The `sub` of its tokens, 1 to 1024 bytes.
 * @param subject_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_revoke_subject(const gk_revocations *revocations,
                                        const char *subject,
                                        size_t subject_len,
                                        gk_error *err);

/**
 * The same for a subject that is a number (gk_policy_allow_numeric_subject): 7 is another one than
 * "7".
 *
 * @param revocations What has been revoked.
 * @param subject The `sub` of its tokens.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_revoke_numeric_subject(const gk_revocations *revocations,
                                                int64_t subject,
                                                gk_error *err);

/**
 * Revokes the tokens of one key, for ever.
 *
 * @param revocations What has been revoked.
 * @param key_id The `kid` of the key that verifies them, 1 to 1024 bytes.
 * @param key_id_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_revoke_key(const gk_revocations *revocations,
                                    const char *key_id,
                                    size_t key_id_len,
                                    gk_error *err);

/**
 * Revokes the tokens that were issued (`iat`) before a time, or up to the verifier's leeway later.
 *
 * @param revocations What has been revoked.
 * @param at Seconds since 1970; not in the future by more than a second, which means all that
 * there is now.
 * @param scope Whose; borrowed for the call. Those of all subjects for NULL, or where it names
 * none.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_revoke_before(const gk_revocations *revocations,
                                       uint64_t at,
                                       const gk_revoke_scope *scope,
                                       gk_error *err);

/**
 * Whether a token that is good for one use has not been used yet; from now on it has, in every
 * process that shares the store. A token that has expired is good for none.
 *
 * @param revocations What has been revoked.
 * @param token Which token; borrowed for the call.
 * @param first Receives true if this is its first use; false otherwise, and if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK, whatever the answer; the 6000s, and then the token must not be accepted.
 */
GK_NODISCARD
gk_status gk_revocations_seen_once(const gk_revocations *revocations,
                                   const gk_token_identity *token,
                                   bool *first,
                                   gk_error *err);

/**
 * Looks now at what other processes have revoked, however recent the last look.
 *
 * @param revocations What has been revoked.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD gk_status gk_revocations_refresh(const gk_revocations *revocations, gk_error *err);

/**
 * Forgets now what has become needless; otherwise that happens every ten minutes. If the clock has
 * run ahead of the machine's monotonic one by more than an hour, what is over by that date alone
 * is kept, until it has gone on like that for ten minutes.
 *
 * @param revocations What has been revoked.
 * @param purged Receives how many entries of the store; 0 if the call fails. May be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_revocations_purge(const gk_revocations *revocations,
                               uint64_t *purged,
                               gk_error *err);

/**
 * How many entries there are in memory.
 *
 * @param revocations What has been revoked.
 * @return How many; 0 for NULL.
 */
size_t gk_revocations_len(const gk_revocations *revocations);

/*
 * ==== Key rings ====
 *
 * Signing keys of a service, kept under a pepper and rotated; signers and verifiers follow them.
 */

/**
 * The keys of a signer over time: one is active and signs, the next one is published already, and
 * retired ones are good until their last token has expired. gk_signer_builder_following and
 * gk_verifier_following go along with it without a restart, in other processes within 50 ms.
 * Shared by reference count, safe to use from several threads at once, and usable after a fork.
 */
struct gk_key_ring;

/**
 * How a ring is kept and followed: the name `default`, ES256 keys, tokens that live as long as the
 * ring remembers (at most 15 minutes if it is new), a store that may be silent for 30 seconds.
 * Copied by gk_key_ring_open and gk_store_key_ring.
 */
struct gk_key_ring_options;

/**
 * The usual options.
 *
 * @return The options, to be freed with gk_key_ring_options_free.
 */
gk_key_ring_options *gk_key_ring_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_key_ring_options_free(gk_key_ring_options *options);

/**
 * The ring's name in its store or folder.
 *
 * A name of another form is refused by gk_key_ring_open.
 *
 * @param options The options.
 * @param name 1 to 64 small letters, digits and hyphens; copied. `default` unless set.
 * @param name_len Its length in bytes.
 */
void gk_key_ring_options_name(gk_key_ring_options *options, const char *name, size_t name_len);

/**
 * The algorithm of new keys; those that are there keep theirs.
 *
 * @param options The options.
 * @param alg One of the GK_ALG_ constants but GK_ALG_ANY; GK_ALG_ES256 unless set.
 */
void gk_key_ring_options_alg(gk_key_ring_options *options, gk_alg alg);

/**
 * A key that was not made here, such as one of gk_key_with_callback; may be called for several. A
 * ring that is not there is made with the first as its active key and the second, if there is one,
 * as its next. For a ring that is there, they are the callbacks that this process has; a new key
 * is added by gk_key_ring_add.
 *
 * A key that may not sign is refused by gk_key_ring_open.
 *
 * @param options The options.
 * @param key The key, which is shared.
 */
void gk_key_ring_options_key(gk_key_ring_options *options, const gk_key *key);

/**
 * How long the tokens live, at most, that signers of this handle sign. The ring remembers the
 * longest that it was ever opened with (gk_key_ring_token_ttl). A retired key is still good for
 * that long and 600 seconds more, whichever process rotates.
 *
 * Another number is refused by gk_key_ring_open.
 *
 * @param options The options.
 * @param seconds 1 to 31622400, which is a year. Unless set, what the ring remembers; 900 if it is
 * new.
 */
void gk_key_ring_options_token_ttl(gk_key_ring_options *options, uint64_t seconds);

/**
 * For how long the keys are used while their store is out of reach.
 *
 * More is refused by gk_key_ring_open.
 *
 * @param options The options.
 * @param seconds At most 86400; 30 unless set.
 */
void gk_key_ring_options_max_stale(gk_key_ring_options *options, uint64_t seconds);

/**
 * Takes the time from a callback.
 *
 * @param options The options.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_key_ring_options_clock(gk_key_ring_options *options,
                               gk_clock_fn now,
                               void *user,
                               gk_release_fn release);

/**
 * Opens a ring, and makes it, with an active and a next key, if it is not there: sealed under a
 * pepper in a store, or in a folder that only its owner may read (mode 0700).
 *
 * @param url As for gk_store_open, which takes other peppers than those in the file
 * `<path>.pepper`; that is made with the store: back it up, because without it the ring is lost.
 * @param url_len Its length in bytes.
 * @param options How; NULL for the usual options.
 * @param ring Receives the ring, to be freed with gk_key_ring_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if others may read the folder or the
 * pepper file; GK_STATUS_WRONG_PEPPER; GK_STATUS_UNSUPPORTED if this build has no SQLite; the
 * 6000s.
 */
GK_NODISCARD
gk_status gk_key_ring_open(const char *url,
                           size_t url_len,
                           const gk_key_ring_options *options,
                           gk_key_ring **ring,
                           gk_error *err);

/**
 * Shares a ring.
 *
 * @param ring The ring; NULL is fine.
 * @return Another handle to the same ring, to be freed with gk_key_ring_free; NULL for NULL.
 */
gk_key_ring *gk_key_ring_clone(const gk_key_ring *ring);

/**
 * Frees a handle to a ring; signers and verifiers that follow it are not affected.
 *
 * @param ring The handle, which must not be used again; NULL is fine.
 */
void gk_key_ring_free(gk_key_ring *ring);

/**
 * Makes the next key the active one, retires the one that was, and makes a new next one. Wait with
 * another rotation until all that cache the published keys have fetched the new next one.
 *
 * @param ring The ring.
 * @param active Receives the key that is active now, as in gk_key_ring_keys, to be freed with
 * gk_buf_free; {NULL, 0} if the call fails. May be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if there are 64 keys whose tokens are
 * still good, or the active one signs by a callback and no next one was added;
 * GK_STATUS_MIXED_KEY_SET if new keys are symmetric and old ones are not, or the other way; the
 * 6000s.
 */
GK_NODISCARD gk_status gk_key_ring_rotate(const gk_key_ring *ring, gk_buf *active, gk_error *err);

/**
 * Makes a key that was not made here the next one: a key of a KMS or HSM (gk_key_with_callback),
 * or one that the ring takes over. gk_key_ring_rotate makes it the active one. A next key that has
 * never signed is dropped for it. Of a key with a callback, the ring keeps the public half, and
 * each process that signs must have the callback: by this call, which changes nothing if the ring
 * has the key already, or by gk_key_ring_options_key. While such a key is active, the ring makes
 * no keys of its own.
 *
 * @param ring The ring.
 * @param key The key, which is shared.
 * @param added Receives the key as in gk_key_ring_keys, to be freed with gk_buf_free; {NULL, 0} if
 * the call fails. May be NULL.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if the key may not sign; GK_STATUS_INVALID_ARGUMENT if
 * another key of the ring has its `kid`; GK_STATUS_MIXED_KEY_SET if it is symmetric and the others
 * are not, or the other way; the 6000s.
 */
GK_NODISCARD
gk_status gk_key_ring_add(const gk_key_ring *ring,
                          const gk_key *key,
                          gk_buf *added,
                          gk_error *err);

/**
 * Takes a key out of the ring at once: for the day that it has leaked. Its tokens are refused by
 * anyone who follows the ring; where only the published keys are known, gk_revocations_revoke_key
 * as well. If it is the active one, the next one takes its place.
 *
 * @param ring The ring.
 * @param kid The key's `kid`.
 * @param kid_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_RING_KEY_NOT_FOUND; the 6000s.
 */
GK_NODISCARD
gk_status gk_key_ring_remove(const gk_key_ring *ring,
                             const char *kid,
                             size_t kid_len,
                             gk_error *err);

/**
 * The keys of the ring, without the keys themselves: a JSON array of objects with kid, alg, state
 * (next, active, retired), created_at, active_at, retired_at, until, by_callback. The next one
 * comes first, then the active one, then the retired ones, the latest first. Times are in seconds
 * since 1970, or null.
 *
 * @param ring The ring.
 * @param keys Receives the array, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD gk_status gk_key_ring_keys(const gk_key_ring *ring, gk_buf *keys, gk_error *err);

/**
 * The longest life of a token that the ring was ever opened with, by any process
 * (gk_key_ring_options_token_ttl). A retired key stays good for that long and 600 seconds more.
 *
 * @param ring The ring.
 * @param seconds Receives it, in seconds; 0 if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_key_ring_token_ttl(const gk_key_ring *ring,
                                uint64_t *seconds,
                                gk_error *err);

/**
 * The public keys as a JWK Set (RFC 7517 section 5), to be published: the next one too.
 *
 * @param ring The ring.
 * @param jwks Receives the set as JSON, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_KEY_USAGE if the keys are symmetric; the 6000s.
 */
GK_NODISCARD gk_status gk_key_ring_to_jwks(const gk_key_ring *ring, gk_buf *jwks, gk_error *err);

/**
 * Looks now at what other processes have changed, however recent the last look.
 *
 * @param ring The ring.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD gk_status gk_key_ring_refresh(const gk_key_ring *ring, gk_error *err);

/*
 * ==== Web: cookies and CSRF ====
 *
 * Cookies that hold secrets (RFC 6265bis), and requests that another site has not caused.
 */

/** Leaves HttpOnly out, so that scripts can read the cookie: for CSRF tokens. */
#define GK_COOKIE_FOR_SCRIPTS 1

/** Keeps the cookie apart for each top-level site that embeds us (CHIPS). */
#define GK_COOKIE_PARTITIONED 2

/** Leaves Secure out, for development without HTTPS: anyone who sees the traffic has the session. */
#define GK_COOKIE_DANGER_ALLOW_HTTP 4

/** Accepts requests of other hosts of the same site: only where every host of the site is trusted. */
#define GK_CSRF_ALLOW_SAME_SITE 1

/** Accepts an Origin of `http://`, for development without HTTPS. */
#define GK_CSRF_DANGER_ALLOW_HTTP 2

/**
 * A cookie of one name: how it is set, cleared and read (RFC 6265bis). Made once, shared by all
 * threads.
 */
typedef struct gk_cookie gk_cookie;

/** Makes and checks CSRF tokens, which are bound to a session. Made once, shared by all threads. */
typedef struct gk_csrf gk_csrf;

/**
 * When a browser sends a cookie with requests that other sites cause: one of the GK_SAME_SITE_
 * constants. Any other number is refused.
 */
typedef int32_t gk_same_site;

/**
 * What a cookie is apart from its name; all zero means `Path=/; HttpOnly; Secure; SameSite=Lax`,
 * until the browser ends.
 */
typedef struct {
    /** Under which path it is sent; {NULL, 0} for `/`. */
    gk_str path;
    /** To which domain, and all below, it is sent; {NULL, 0} for the host that set it and no other. */
    gk_str domain;
    /** For how many seconds it is kept, at most 400 days; 0 for until the browser ends. */
    uint64_t max_age;
    /** One of the GK_SAME_SITE_ constants. */
    gk_same_site same_site;
    /** Any of the GK_COOKIE_ constants, added up. */
    uint32_t flags;
} gk_cookie_attributes;

/** What is known of a request, whatever it says; {NULL, 0} for what is not there. */
typedef struct {
    /** The CSRF token that it brings. */
    gk_str token;
    /** The method, such as POST. */
    gk_str method;
    /** The `Sec-Fetch-Site` header. */
    gk_str sec_fetch_site;
    /** The `Origin` header; goes with `host`. */
    gk_str origin;
    /** The `Host` header or, behind a proxy, the name under which users know the service. */
    gk_str host;
} gk_csrf_request;

/** With navigations by links, not with other requests. */
#define GK_SAME_SITE_LAX 0

/** Never. */
#define GK_SAME_SITE_STRICT 1

/** Always; needs Secure. */
#define GK_SAME_SITE_NONE 2

/**
 * Makes the name and the attributes of a cookie, from which gk_cookie_set makes its text. The name
 * should begin with `__Host-`, which keeps other hosts of the domain from planting one.
 *
 * @param name The name.
 * @param name_len Its length in bytes.
 * @param attributes What else it is; NULL for all zero.
 * @param cookie Receives the cookie, to be freed with gk_cookie_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if a browser would refuse it, cut it, or
 * send it where it should not go.
 */
GK_NODISCARD
gk_status gk_cookie_new(const char *name,
                        size_t name_len,
                        const gk_cookie_attributes *attributes,
                        gk_cookie **cookie,
                        gk_error *err);

/**
 * Frees a cookie.
 *
 * @param cookie The cookie, which must not be used again; NULL is fine.
 */
void gk_cookie_free(gk_cookie *cookie);

/**
 * The value of a `Set-Cookie` header that sets the cookie.
 *
 * @param cookie The cookie.
 * @param value The value: visible ASCII without quotes, commas, semicolons and backslashes; with
 * the name at most 4096 bytes.
 * @param value_len Its length in bytes.
 * @param header Receives the header's value, to be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_cookie_set(const gk_cookie *cookie,
                        const char *value,
                        size_t value_len,
                        gk_buf *header,
                        gk_error *err);

/**
 * The value of a `Set-Cookie` header that makes the browser forget the cookie.
 *
 * @param cookie The cookie.
 * @param header Receives the header's value, to be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_cookie_clear(const gk_cookie *cookie, gk_buf *header, gk_error *err);

/**
 * What a `Cookie` header says that the cookie is. Several headers (HTTP/2) are to be joined with
 * `; ` before.
 *
 * @param cookie The cookie.
 * @param header The header's value, whatever it is.
 * @param header_len Its length in bytes.
 * @param value Receives the value, which lies in the header; {NULL, 0} if it is not there.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MALFORMED_COOKIE if the name comes twice, or the value is
 * malformed.
 */
GK_NODISCARD
gk_status gk_cookie_read(const gk_cookie *cookie,
                         const char *header,
                         size_t header_len,
                         gk_str *value,
                         gk_error *err);

/**
 * Makes what makes and checks CSRF tokens.
 *
 * @param secret At least 32 random bytes, the same in every process.
 * @param secret_len How many.
 * @param flags Any of the GK_CSRF_ constants, added up; 0 for none.
 * @param csrf Receives it, to be freed with gk_csrf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_WEAK_KEY if the secret is too short.
 */
GK_NODISCARD
gk_status gk_csrf_new(const uint8_t *secret,
                      size_t secret_len,
                      uint32_t flags,
                      gk_csrf **csrf,
                      gk_error *err);

/**
 * Frees what makes and checks CSRF tokens.
 *
 * @param csrf It, which must not be used again; NULL is fine.
 */
void gk_csrf_free(gk_csrf *csrf);

/**
 * A new token for a session: 64 characters of base64url. It fits for as long as the session's id
 * stays the same.
 *
 * @param csrf What makes it.
 * @param session_id The id of the session: 1 to 512 bytes.
 * @param session_id_len Its length in bytes.
 * @param token Receives the token, to be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_csrf_issue(const gk_csrf *csrf,
                        const char *session_id,
                        size_t session_id_len,
                        gk_buf *token,
                        gk_error *err);

/**
 * Lets a request pass that is harmless (GET, HEAD, OPTIONS), or that no other site has caused and
 * that brings a token of its session.
 *
 * @param csrf What made the token.
 * @param session_id The id of the session: 1 to 512 bytes; NULL and 0 for a request without one.
 * @param session_id_len Its length in bytes.
 * @param request The request; borrowed for the call.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_CSRF_REJECTED if it is neither; GK_STATUS_MISSING_CREDENTIALS if
 * it is not harmless and has no session.
 */
GK_NODISCARD
gk_status gk_csrf_check(const gk_csrf *csrf,
                        const char *session_id,
                        size_t session_id_len,
                        const gk_csrf_request *request,
                        gk_error *err);

/*
 * ==== OAuth client ====
 *
 * Log-ins and tokens of other servers (OAuth 2.0, OpenID Connect). A call that needs an answer of
 * the server begins a gk_operation, which asks for requests; gk_operation_run carries them out.
 */

/** The operation wants a request to be sent: see gk_operation_request. */
#define GK_STEP_REQUEST 1

/** The operation wants to be asked again after some milliseconds. */
#define GK_STEP_WAIT 2

/** The operation is over: see gk_operation_result. */
#define GK_STEP_DONE 3

/**
 * What one log-in asks for. The setters keep the first thing that was wrong, which
 * gk_oauth_client_begin reports.
 */
typedef struct gk_login_options gk_login_options;

/**
 * Whom to sign out, and where to go then. The setters keep the first thing that was wrong, which
 * gk_oauth_client_logout_url reports.
 */
typedef struct gk_logout_options gk_logout_options;

/**
 * One registration at one authorization server. Shared by reference count, safe to use from
 * several threads at once.
 */
typedef struct gk_oauth_client gk_oauth_client;

/**
 * How a client is registered at its authorization server: its id, and the server by its issuer, by
 * a preset, or by endpoints. The setters keep the first thing that was wrong, which
 * gk_oauth_client_new reports.
 */
typedef struct gk_oauth_config gk_oauth_config;

/**
 * What a token endpoint has given. Immutable, safe to use from several threads at once; wiped when
 * it is freed.
 */
typedef struct gk_oauth_tokens gk_oauth_tokens;

/** Something that takes requests to another server. Not to be used by two threads at once. */
typedef struct gk_operation gk_operation;

/**
 * A token that is exchanged for another (RFC 8693 section 2.1). The setters keep the first thing
 * that was wrong, which gk_oauth_client_token_exchange reports.
 */
typedef struct gk_token_exchange gk_token_exchange;

/**
 * What a token is asked for: scopes, the APIs that it is for, parameters of the server's own. The
 * setters keep the first thing that was wrong, which the call that uses it reports.
 */
typedef struct gk_token_grant gk_token_grant;

/**
 * The tokens of other servers under names of the program's own: one refresh for all threads and,
 * in a folder, for all processes. Shared by reference count, safe to use from several threads at
 * once, and usable after a fork.
 */
typedef struct gk_token_manager gk_token_manager;

/**
 * Where tokens are kept, and what a name gets under which there is no token. The setters keep the
 * first thing that was wrong, which gk_token_manager_new reports.
 */
typedef struct gk_token_manager_options gk_token_manager_options;

/** What came back with the browser, as it came: none of it is trusted. */
typedef struct {
    /** The callback's address, its query, or the form that was posted. */
    const char *query;
    /** Its length in bytes. */
    size_t query_len;
    /** The request's Cookie header; NULL and 0 for none. */
    const char *cookies;
    /** Its length in bytes. */
    size_t cookies_len;
} gk_login_callback;

/** An access token that an API has refused with 401. */
typedef struct {
    /** The name that it is kept under. */
    const char *name;
    /** Its length in bytes. */
    size_t name_len;
    /** The access token. */
    const char *access_token;
    /** Its length in bytes. */
    size_t access_token_len;
} gk_refused_token;

/** What an operation wants next. */
typedef struct {
    /** GK_STEP_REQUEST, GK_STEP_WAIT or GK_STEP_DONE. */
    int32_t kind;
    /** For GK_STEP_WAIT, how many milliseconds. */
    uint64_t wait_ms;
} gk_step;

/**
 * A request to another server. Follow no redirect, ask for no compression, send it once. Its texts
 * belong to the operation, until the answer is fed.
 */
typedef struct {
    /** `GET` or `POST`. */
    gk_str method;
    /** The absolute address. */
    gk_str url;
    /** The body of a `POST`, which holds secrets. */
    gk_str body;
    /** What it is for, for example `token`. */
    gk_str purpose;
    /** How many headers there are: gk_operation_header. */
    size_t headers;
    /** Milliseconds that everything may take. */
    uint64_t deadline_ms;
    /** The most bytes of the answer's body. */
    size_t max_body;
} gk_request;

/** A header of an answer. */
typedef struct {
    /** The name, in any case. */
    gk_str name;
    /** The value. */
    gk_str value;
} gk_header;

/** The answer to a request. */
typedef struct {
    /** The HTTP status. */
    uint16_t status;
    /**
     * Its headers; `cache-control`, `content-encoding`, `content-type`, `date`, `retry-after` and
     * `x-ratelimit-remaining` are read. NULL and 0 for none.
     */
    const gk_header *headers;
    /** How many. */
    size_t headers_len;
    /** Its body; NULL and 0 for none. */
    const char *body;
    /** The body's length in bytes. */
    size_t body_len;
} gk_response;

/**
 * A configuration of nothing yet.
 *
 * @return The configuration, to be freed with gk_oauth_config_free.
 */
gk_oauth_config *gk_oauth_config_new(void);

/**
 * Frees a configuration; clients that were made of it are not affected.
 *
 * @param config The configuration, which must not be used again; NULL is fine.
 */
void gk_oauth_config_free(gk_oauth_config *config);

/**
 * Takes over the members of a configuration in JSON: they override what was set before, and later
 * calls override them.
 *
 * @param config The configuration.
 * @param json One JSON object with members of docs/oauth.md, at most 64 KiB; borrowed for the
 * call. What is not known or of another kind is GK_STATUS_INVALID_CONFIGURATION, and
 * gk_error_claim names it.
 * @param json_len Its length in bytes.
 */
void gk_oauth_config_json(gk_oauth_config *config, const char *json, size_t json_len);

/**
 * The client's id, as it is registered at the server.
 *
 * @param config The configuration.
 * @param client_id The id; copied.
 * @param client_id_len Its length in bytes.
 */
void gk_oauth_config_client_id(gk_oauth_config *config,
                               const char *client_id,
                               size_t client_id_len);

/**
 * The client's secret, for `client_secret_basic`, `client_secret_post` and `client_secret_jwt`.
 *
 * @param config The configuration.
 * @param client_secret The secret; copied, and wiped in the end.
 * @param client_secret_len Its length in bytes.
 */
void gk_oauth_config_client_secret(gk_oauth_config *config,
                                   const char *client_secret,
                                   size_t client_secret_len);

/**
 * The client's private key, for `private_key_jwt` (RFC 7523), or a secret that the client signs
 * itself.
 *
 * @param config The configuration.
 * @param key The key, which is shared.
 */
void gk_oauth_config_private_key(gk_oauth_config *config, const gk_key *key);

/**
 * How the client proves who it is; otherwise the best that its secret or key and the server's
 * metadata allow.
 *
 * @param config The configuration.
 * @param method A name of `token_endpoint_auth_method` (RFC 7591 section 2): `none`,
 * `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt` or
 * `tls_client_auth`; or `signed_secret`.
 * @param method_len Its length in bytes.
 */
void gk_oauth_config_auth_method(gk_oauth_config *config, const char *method, size_t method_len);

/**
 * Whom the tokens of `client_secret_jwt` and `private_key_jwt` are for.
 *
 * @param config The configuration.
 * @param audience `issuer`, which it is unless set, or `token_endpoint`, where a server takes
 * nothing else.
 * @param audience_len Its length in bytes.
 */
void gk_oauth_config_assertion_audience(gk_oauth_config *config,
                                        const char *audience,
                                        size_t audience_len);

/**
 * Sets a header member of the tokens of `client_secret_jwt` and `private_key_jwt`: `x5t` or
 * `x5t#S256` for Entra ID, see gk_signer_builder_header.
 *
 * @param config The configuration.
 * @param name The member's name, not empty, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param json Its value as JSON text; copied.
 * @param json_len Its length in bytes.
 */
void gk_oauth_config_assertion_header(gk_oauth_config *config,
                                      const char *name,
                                      size_t name_len,
                                      const char *json,
                                      size_t json_len);

/**
 * The authorization server by its issuer: its metadata are fetched when they are first needed and
 * must name this very issuer (OpenID Connect Discovery section 4, RFC 8414 section 3).
 *
 * @param config The configuration.
 * @param issuer An https address; copied.
 * @param issuer_len Its length in bytes.
 */
void gk_oauth_config_issuer(gk_oauth_config *config, const char *issuer, size_t issuer_len);

/**
 * Whether the issuer's metadata are fetched.
 *
 * @param config The configuration.
 * @param discover True unless set, or unless a preset knows better. Without them endpoints must be
 * set, `jwks_uri` for ID tokens, too.
 */
void gk_oauth_config_discover(gk_oauth_config *config, bool discover);

/**
 * Where the issuer's metadata are, if they are at none of the places that its address leads to.
 * They must name the issuer that is set, byte by byte.
 *
 * @param config The configuration.
 * @param url An https address; copied.
 * @param url_len Its length in bytes.
 */
void gk_oauth_config_metadata_url(gk_oauth_config *config, const char *url, size_t url_len);

/**
 * Takes over what is known about a provider; later calls override it.
 *
 * @param config The configuration.
 * @param name For example `github` or `google`: docs/oauth.md lists them.
 * @param name_len Its length in bytes.
 */
void gk_oauth_config_preset(gk_oauth_config *config, const char *name, size_t name_len);

/**
 * A value for a placeholder of the preset.
 *
 * @param config The configuration.
 * @param name For example `tenant`, `domain` or `base_url`; copied.
 * @param name_len Its length in bytes.
 * @param value Letters, digits and any of `. _ : / -`; copied.
 * @param value_len Its length in bytes.
 */
void gk_oauth_config_variable(gk_oauth_config *config,
                              const char *name,
                              size_t name_len,
                              const char *value,
                              size_t value_len);

/**
 * One endpoint, which is used instead of what metadata say.
 *
 * @param config The configuration.
 * @param name Its name in metadata (RFC 8414 section 2), for example `token_endpoint`.
 * @param name_len Its length in bytes.
 * @param url An https address; copied.
 * @param url_len Its length in bytes.
 */
void gk_oauth_config_endpoint(gk_oauth_config *config,
                              const char *name,
                              size_t name_len,
                              const char *url,
                              size_t url_len);

/**
 * Where the server departs from the RFCs, if no preset says so.
 *
 * @param config The configuration.
 * @param json One JSON object with quirks of docs/oauth.md; borrowed for the call. Others stay as
 * they are.
 * @param json_len Its length in bytes.
 */
void gk_oauth_config_quirks(gk_oauth_config *config, const char *json, size_t json_len);

/**
 * Where the server sends the browser back to, as it is registered there.
 *
 * @param config The configuration.
 * @param uri An https address, http on this machine, or a scheme of the program's own; copied.
 * @param uri_len Its length in bytes.
 */
void gk_oauth_config_redirect_uri(gk_oauth_config *config, const char *uri, size_t uri_len);

/**
 * What a log-in asks for unless it says otherwise.
 *
 * @param config The configuration.
 * @param scopes The scopes, separated by spaces; copied.
 * @param scopes_len Its length in bytes.
 */
void gk_oauth_config_scopes(gk_oauth_config *config, const char *scopes, size_t scopes_len);

/**
 * The algorithms that ID tokens may be signed with (`id_token_signed_response_alg`); otherwise the
 * asymmetric ones of the server's metadata. HMAC is used only if it is named here.
 *
 * @param config The configuration.
 * @param codes GK_ALG_ constants; copied.
 * @param codes_len How many.
 */
void gk_oauth_config_id_token_algorithms(gk_oauth_config *config,
                                         const gk_alg *codes,
                                         size_t codes_len);

/**
 * An audience that may stand beside this client in an ID token's `aud`; several calls, several
 * audiences.
 *
 * @param config The configuration.
 * @param audience The audience; copied.
 * @param audience_len Its length in bytes.
 */
void gk_oauth_config_trusted_audience(gk_oauth_config *config,
                                      const char *audience,
                                      size_t audience_len);

/**
 * A tenant whose users may sign in, where the preset has tenants; several calls, several tenants.
 * Without any, all may.
 *
 * @param config The configuration.
 * @param tenant The tenant's id; copied.
 * @param tenant_len Its length in bytes.
 */
void gk_oauth_config_allowed_tenant(gk_oauth_config *config, const char *tenant, size_t tenant_len);

/**
 * Adds a secret that the cookies of log-ins are sealed with; several calls go from the oldest to
 * the active one. Every process that finishes log-ins needs the same ones; without any, a client
 * makes one of its own.
 *
 * @param config The configuration.
 * @param number Its number, from 1.
 * @param key At least 16 bytes; copied, and wiped in the end.
 * @param key_len Its length in bytes.
 */
void gk_oauth_config_flow_key(gk_oauth_config *config,
                              uint32_t number,
                              const uint8_t *key,
                              size_t key_len);

/**
 * Refuses callbacks that have been seen, even if the cookie was kept.
 *
 * @param config The configuration.
 * @param seen Where it is kept which were seen; shared.
 */
void gk_oauth_config_replay(gk_oauth_config *config, const gk_revocations *seen);

/**
 * Refuses a server whose metadata do not say that it knows PKCE with S256 (OAuth 2.1). PKCE is
 * used in any case.
 *
 * @param config The configuration.
 * @param require False unless set.
 */
void gk_oauth_config_require_pkce(gk_oauth_config *config, bool require);

/**
 * Allows plain http to this very machine, for tests.
 *
 * @param config The configuration.
 * @param allow False unless set.
 */
void gk_oauth_config_allow_loopback_http(gk_oauth_config *config, bool allow);

/**
 * How many seconds the server's clock may be off.
 *
 * @param config The configuration.
 * @param seconds 60 unless set; more than 600 is refused by gk_oauth_client_new.
 */
void gk_oauth_config_leeway(gk_oauth_config *config, uint64_t seconds);

/**
 * How many milliseconds each request may take in all.
 *
 * @param config The configuration.
 * @param milliseconds 1 to 120000, checked by gk_oauth_client_new; 10000 unless set.
 */
void gk_oauth_config_deadline_ms(gk_oauth_config *config, uint64_t milliseconds);

/**
 * Takes the time from a callback.
 *
 * @param config The configuration.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_oauth_config_clock(gk_oauth_config *config,
                           gk_clock_fn now,
                           void *user,
                           gk_release_fn release);

/**
 * Takes randomness from a callback.
 *
 * @param config The configuration.
 * @param fill The source.
 * @param user A pointer that is given back to `fill`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_oauth_config_random(gk_oauth_config *config,
                            gk_random_fn fill,
                            void *user,
                            gk_release_fn release);

/**
 * Makes a client.
 *
 * @param config The configuration, which is copied.
 * @param client Receives the client, to be freed with gk_oauth_client_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if something is
 * missing, contradicts itself or is not https; gk_error_claim names the member where there is one.
 */
GK_NODISCARD
gk_status gk_oauth_client_new(const gk_oauth_config *config,
                              gk_oauth_client **client,
                              gk_error *err);

/**
 * Shares a client.
 *
 * @param client The client; NULL is fine.
 * @return Another handle to the same client, to be freed with gk_oauth_client_free; NULL for NULL.
 */
gk_oauth_client *gk_oauth_client_clone(const gk_oauth_client *client);

/**
 * Frees a handle to a client.
 *
 * @param client The handle, which must not be used again; NULL is fine.
 */
void gk_oauth_client_free(gk_oauth_client *client);

/**
 * Gets new tokens; keep them before they are used. A gk_token_manager does that once for all. The
 * operation ends with tokens: gk_operation_tokens, or as JSON `access_token`, `refresh_token`,
 * `expires_at`, `scopes`, `id_token`, `claims`, `subject` and `issuer`.
 *
 * @param client The client.
 * @param tokens The tokens with the refresh token; copied.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_refresh(const gk_oauth_client *client,
                                  const gk_oauth_tokens *tokens,
                                  gk_operation **operation,
                                  gk_error *err);

/**
 * As gk_oauth_client_refresh, with more to say.
 *
 * @param client The client.
 * @param tokens The tokens with the refresh token; copied.
 * @param grant Scopes to ask for instead of all that were granted (RFC 6749 section 6), resources
 * instead of those of the tokens, parameters of the server's own; copied. NULL for nothing.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_refresh_with(const gk_oauth_client *client,
                                       const gk_oauth_tokens *tokens,
                                       const gk_token_grant *grant,
                                       gk_operation **operation,
                                       gk_error *err);

/**
 * Asks what the server says about itself (RFC 8414 section 2). The operation ends with one JSON
 * object, for gk_json_parse, with the endpoints of the configuration in their places. Nothing of
 * it has been checked but the issuer.
 *
 * @param client The client.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there is no client.
 */
GK_NODISCARD
gk_status gk_oauth_client_metadata(const gk_oauth_client *client,
                                   gk_operation **operation,
                                   gk_error *err);

/**
 * Asks who the user is. If an ID token has said so before, it must be the same.
 * The operation ends with `issuer`, `subject`, `verified_email` and `claims`.
 *
 * @param client The client.
 * @param tokens The tokens of the log-in; copied.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_userinfo(const gk_oauth_client *client,
                                   const gk_oauth_tokens *tokens,
                                   gk_operation **operation,
                                   gk_error *err);

/**
 * As gk_oauth_client_userinfo, by an access token alone. It is not known whom it should be about:
 * look at the subject.
 *
 * @param client The client.
 * @param access_token The token.
 * @param access_token_len Its length in bytes.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if something is missing.
 */
GK_NODISCARD
gk_status gk_oauth_client_userinfo_by_token(const gk_oauth_client *client,
                                            const char *access_token,
                                            size_t access_token_len,
                                            gk_operation **operation,
                                            gk_error *err);

/**
 * Asks whether a token is good (RFC 7662).
 * The operation ends with `active`, `scopes`, `subject`, `client_id`, `expires_at` and `claims`.
 *
 * @param client The client.
 * @param token The token.
 * @param token_len Its length in bytes.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable.
 */
GK_NODISCARD
gk_status gk_oauth_client_introspect(const gk_oauth_client *client,
                                     const char *token,
                                     size_t token_len,
                                     gk_operation **operation,
                                     gk_error *err);

/**
 * As gk_oauth_client_introspect, with more to say.
 *
 * @param client The client.
 * @param token The token.
 * @param token_len Its length in bytes.
 * @param grant `token_type_hint`, or parameters of the server's own; copied. NULL for nothing.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_introspect_with(const gk_oauth_client *client,
                                          const char *token,
                                          size_t token_len,
                                          const gk_token_grant *grant,
                                          gk_operation **operation,
                                          gk_error *err);

/**
 * Ends a token at the server (RFC 7009).
 * The operation ends with nothing: an empty text.
 *
 * @param client The client.
 * @param token The token.
 * @param token_len Its length in bytes.
 * @param is_refresh_token Which kind it is.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable.
 */
GK_NODISCARD
gk_status gk_oauth_client_revoke(const gk_oauth_client *client,
                                 const char *token,
                                 size_t token_len,
                                 bool is_refresh_token,
                                 gk_operation **operation,
                                 gk_error *err);

/**
 * The configuration's scopes, and back to `/`.
 *
 * @return The options, to be freed with gk_login_options_free.
 */
gk_login_options *gk_login_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_login_options_free(gk_login_options *options);

/**
 * Takes over the members of options in JSON: they override what was set before, and later calls
 * override them.
 *
 * What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
 * gk_error_claim names it.
 *
 * @param options The options.
 * @param json One JSON object with any of `scopes`, `return_to`, `prompt`, `login_hint`,
 * `acr_values`, `max_age`, `resources` and `parameters`; borrowed for the call.
 * @param json_len Its length in bytes.
 */
void gk_login_options_json(gk_login_options *options, const char *json, size_t json_len);

/**
 * The scopes to ask for, instead of the configuration's.
 *
 * @param options The options.
 * @param scopes The scopes, separated by spaces; copied.
 * @param scopes_len Its length in bytes.
 */
void gk_login_options_scopes(gk_login_options *options, const char *scopes, size_t scopes_len);

/**
 * The page of this site to go to afterwards.
 *
 * @param options The options.
 * @param path A path of at most 2048 bytes; copied. What could lead elsewhere becomes `/`.
 * @param path_len Its length in bytes.
 */
void gk_login_options_return_to(gk_login_options *options, const char *path, size_t path_len);

/**
 * What the server asks the user for (OpenID Connect Core section 3.1.2.1).
 *
 * @param options The options.
 * @param prompt `none`, `login`, `consent` or `select_account`; copied.
 * @param prompt_len Its length in bytes.
 */
void gk_login_options_prompt(gk_login_options *options, const char *prompt, size_t prompt_len);

/**
 * Who is probably going to sign in.
 *
 * @param options The options.
 * @param hint For example an e-mail address; copied.
 * @param hint_len Its length in bytes.
 */
void gk_login_options_login_hint(gk_login_options *options, const char *hint, size_t hint_len);

/**
 * How strongly the user is to sign in.
 *
 * @param options The options.
 * @param values The best first, separated by spaces; copied.
 * @param values_len Its length in bytes.
 */
void gk_login_options_acr_values(gk_login_options *options, const char *values, size_t values_len);

/**
 * The user must have signed in within this many seconds; the ID token must prove it.
 *
 * @param options The options.
 * @param seconds How many.
 */
void gk_login_options_max_age(gk_login_options *options, uint64_t seconds);

/**
 * An API that the access token is for (RFC 8707); several calls, several APIs.
 *
 * @param options The options.
 * @param resource Its address; copied.
 * @param resource_len Its length in bytes.
 */
void gk_login_options_resource(gk_login_options *options,
                               const char *resource,
                               size_t resource_len);

/**
 * A parameter of the server's own, instead of the preset's of that name; none of those that
 * protect the log-in.
 *
 * @param options The options.
 * @param name Its name; copied.
 * @param name_len Its length in bytes.
 * @param value Its value; copied.
 * @param value_len Its length in bytes.
 */
void gk_login_options_parameter(gk_login_options *options,
                                const char *name,
                                size_t name_len,
                                const char *value,
                                size_t value_len);

/**
 * Begins a log-in: send the browser to `url`, with every one of `set_cookies`.
 * The operation ends with `url` and `set_cookies`.
 *
 * @param client The client.
 * @param options What it asks for; copied. NULL for the usual.
 * @param cookies The request's Cookie header; NULL and 0 for none.
 * @param cookies_len Its length in bytes.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_begin(const gk_oauth_client *client,
                                const gk_login_options *options,
                                const char *cookies,
                                size_t cookies_len,
                                gk_operation **operation,
                                gk_error *err);

/**
 * Finishes a log-in. `state`, `iss` and errors are looked at before anything is asked of another
 * server. The operation ends with `issuer`, `subject`, `verified_email`, `claims`, `user`,
 * `return_to`, `set_cookies` and `tokens`, which gk_operation_tokens gives.
 *
 * @param client The client.
 * @param callback What came back with the browser; borrowed for the call.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_OAUTH_STATE_MISMATCH, GK_STATUS_OAUTH_ISSUER_MISMATCH,
 * GK_STATUS_OAUTH_ACCESS_DENIED and others that the server names. Whatever it is, answer with the
 * cookie of gk_oauth_client_end_login.
 */
GK_NODISCARD
gk_status gk_oauth_client_finish(const gk_oauth_client *client,
                                 const gk_login_callback *callback,
                                 gk_operation **operation,
                                 gk_error *err);

/**
 * As gk_oauth_client_finish, with more to say in the request for the tokens.
 *
 * @param client The client.
 * @param callback What came back with the browser; borrowed for the call.
 * @param grant Resources out of those that gk_oauth_client_begin asked for, scopes, parameters of
 * the server's own; copied. NULL for nothing.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return As gk_oauth_client_finish; GK_STATUS_INVALID_ARGUMENT if something is not acceptable;
 * gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_finish_with(const gk_oauth_client *client,
                                      const gk_login_callback *callback,
                                      const gk_token_grant *grant,
                                      gk_operation **operation,
                                      gk_error *err);

/**
 * Gives the Set-Cookie value that ends the log-in of a callback, whatever became of it.
 *
 * @param client The client.
 * @param callback The callback.
 * @param callback_len Its length in bytes.
 * @param cookie Receives the value, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_OAUTH_STATE_MISMATCH if the callback names no log-in.
 */
GK_NODISCARD
gk_status gk_oauth_client_end_login(const gk_oauth_client *client,
                                    const char *callback,
                                    size_t callback_len,
                                    gk_buf *cookie,
                                    gk_error *err);

/**
 * Who it is, the server finds out; it stays there.
 *
 * @return The options, to be freed with gk_logout_options_free.
 */
gk_logout_options *gk_logout_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_logout_options_free(gk_logout_options *options);

/**
 * Whom to sign out (`id_token_hint`).
 *
 * @param options The options.
 * @param id_token The ID token of the log-in; copied, and wiped in the end.
 * @param id_token_len Its length in bytes.
 */
void gk_logout_options_id_token(gk_logout_options *options,
                                const char *id_token,
                                size_t id_token_len);

/**
 * Where to come back to.
 *
 * @param options The options.
 * @param uri An address that is registered at the server; copied.
 * @param uri_len Its length in bytes.
 */
void gk_logout_options_post_logout_redirect_uri(gk_logout_options *options,
                                                const char *uri,
                                                size_t uri_len);

/**
 * What to come back with.
 *
 * @param options The options.
 * @param state What to come back with; copied.
 * @param state_len Its length in bytes.
 */
void gk_logout_options_state(gk_logout_options *options, const char *state, size_t state_len);

/**
 * Says where to send the browser so that the user is signed out at the server too (RP-Initiated
 * Logout 1.0 section 2). The operation ends with the address itself: gk_operation_result gives it
 * as it is, gk_operation_json as a text.
 *
 * @param client The client.
 * @param options Whom to sign out, and where to go then; copied. NULL if nothing of it is known.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_logout_url(const gk_oauth_client *client,
                                     const gk_logout_options *options,
                                     gk_operation **operation,
                                     gk_error *err);

/**
 * Verifies the `logout_token` that the server posts when a session ends (Back-Channel Logout 1.0).
 * It is of the type `logout+jwt`, `JWT` or none, names a subject, a session or both, and is at
 * most two minutes old; see that its `token_id` has not been seen. The operation ends with
 * `subject`, `session_id`, `token_id` and `expires_at`.
 *
 * @param client The client.
 * @param logout_token The token.
 * @param logout_token_len Its length in bytes.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable.
 */
GK_NODISCARD
gk_status gk_oauth_client_logout_notice(const gk_oauth_client *client,
                                        const char *logout_token,
                                        size_t logout_token_len,
                                        gk_operation **operation,
                                        gk_error *err);

/**
 * No scope in particular.
 *
 * @return The grant, to be freed with gk_token_grant_free.
 */
gk_token_grant *gk_token_grant_new(void);

/**
 * Frees a grant.
 *
 * @param grant The grant, which must not be used again; NULL is fine.
 */
void gk_token_grant_free(gk_token_grant *grant);

/**
 * Takes over the members of a grant in JSON: scopes override those that were set
 * before, resources and parameters come behind them.
 *
 * What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
 * gk_error_claim names it.
 *
 * @param grant The grant.
 * @param json One JSON object with any of `scopes`, `resources` and `parameters`; borrowed for the
 * call.
 * @param json_len Its length in bytes.
 */
void gk_token_grant_json(gk_token_grant *grant, const char *json, size_t json_len);

/**
 * The scopes to ask for.
 *
 * @param grant The grant.
 * @param scopes The scopes, separated by spaces; copied.
 * @param scopes_len Its length in bytes.
 */
void gk_token_grant_scopes(gk_token_grant *grant, const char *scopes, size_t scopes_len);

/**
 * An API that the token is for (RFC 8707); several calls, several APIs.
 *
 * @param grant The grant.
 * @param resource Its address; copied.
 * @param resource_len Its length in bytes.
 */
void gk_token_grant_resource(gk_token_grant *grant, const char *resource, size_t resource_len);

/**
 * A parameter of the server's own, for example `audience` of Auth0.
 *
 * @param grant The grant.
 * @param name Its name; copied.
 * @param name_len Its length in bytes.
 * @param value Its value; copied.
 * @param value_len Its length in bytes.
 */
void gk_token_grant_parameter(gk_token_grant *grant,
                              const char *name,
                              size_t name_len,
                              const char *value,
                              size_t value_len);

/**
 * An exchange of nothing yet.
 *
 * @return The exchange, to be freed with gk_token_exchange_free.
 */
gk_token_exchange *gk_token_exchange_new(void);

/**
 * Frees an exchange.
 *
 * @param exchange The exchange, which must not be used again; NULL is fine.
 */
void gk_token_exchange_free(gk_token_exchange *exchange);

/**
 * Takes over the members of an exchange in JSON: they override what was set before, and later
 * calls override them.
 *
 * What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
 * gk_error_claim names it.
 *
 * @param exchange The exchange.
 * @param json One JSON object with any of `subject_token`, `subject_token_type`, `actor_token`,
 * `actor_token_type`, `requested_token_type`, `audience`, `scopes`, `resources` and `parameters`;
 * borrowed for the call.
 * @param json_len Its length in bytes.
 */
void gk_token_exchange_json(gk_token_exchange *exchange, const char *json, size_t json_len);

/**
 * On behalf of whom the new token is: it must be set.
 *
 * @param exchange The exchange.
 * @param token The token; copied, and wiped in the end.
 * @param token_len Its length in bytes.
 * @param token_type Its type, for example `urn:ietf:params:oauth:token-type:jwt`; copied. NULL and
 * 0 for an access token.
 * @param token_type_len Its length in bytes.
 */
void gk_token_exchange_subject(gk_token_exchange *exchange,
                               const char *token,
                               size_t token_len,
                               const char *token_type,
                               size_t token_type_len);

/**
 * Who acts for them.
 *
 * @param exchange The exchange.
 * @param token The token; copied, and wiped in the end.
 * @param token_len Its length in bytes.
 * @param token_type Its type, for example `urn:ietf:params:oauth:token-type:jwt`; copied. NULL and
 * 0 for an access token.
 * @param token_type_len Its length in bytes.
 */
void gk_token_exchange_actor(gk_token_exchange *exchange,
                             const char *token,
                             size_t token_len,
                             const char *token_type,
                             size_t token_type_len);

/**
 * The type of token that is wanted.
 *
 * @param exchange The exchange.
 * @param token_type The type; copied.
 * @param token_type_len Its length in bytes.
 */
void gk_token_exchange_requested_type(gk_token_exchange *exchange,
                                      const char *token_type,
                                      size_t token_type_len);

/**
 * For whom the new token is.
 *
 * @param exchange The exchange.
 * @param audience The audience; copied.
 * @param audience_len Its length in bytes.
 */
void gk_token_exchange_audience(gk_token_exchange *exchange,
                                const char *audience,
                                size_t audience_len);

/**
 * Scopes, resources and further parameters.
 *
 * @param exchange The exchange.
 * @param grant The grant, which is copied.
 */
void gk_token_exchange_grant(gk_token_exchange *exchange, const gk_token_grant *grant);

/**
 * Gets a token for the client itself (RFC 6749 section 4.4). The operation ends with tokens:
 * gk_operation_tokens, or as JSON `access_token`, `refresh_token`, `expires_at`, `scopes`,
 * `id_token`, `claims`, `subject` and `issuer`.
 *
 * @param client The client.
 * @param grant What is asked for; copied. NULL for nothing in particular.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_client_credentials(const gk_oauth_client *client,
                                             const gk_token_grant *grant,
                                             gk_operation **operation,
                                             gk_error *err);

/**
 * Exchanges an assertion: a JWT of an issuer that the server trusts (RFC 7523). The operation ends
 * with tokens: gk_operation_tokens, or as JSON `access_token`, `refresh_token`, `expires_at`,
 * `scopes`, `id_token`, `claims`, `subject` and `issuer`.
 *
 * @param client The client.
 * @param assertion The assertion.
 * @param assertion_len Its length in bytes.
 * @param grant What is asked for; copied. NULL for nothing in particular.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_jwt_bearer(const gk_oauth_client *client,
                                     const char *assertion,
                                     size_t assertion_len,
                                     const gk_token_grant *grant,
                                     gk_operation **operation,
                                     gk_error *err);

/**
 * Exchanges one token for another (RFC 8693). The operation ends with tokens: gk_operation_tokens,
 * or as JSON `access_token`, `refresh_token`, `expires_at`, `scopes`, `id_token`, `claims`,
 * `subject` and `issuer`.
 *
 * @param client The client.
 * @param exchange The exchange; copied.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_token_exchange(const gk_oauth_client *client,
                                         const gk_token_exchange *exchange,
                                         gk_operation **operation,
                                         gk_error *err);

/**
 * Begins the flow for a device (RFC 8628): show the codes, then gk_oauth_client_poll. The
 * operation ends with `user_code`, `verification_uri`, `verification_uri_complete`, `expires_at`
 * and `interval`.
 *
 * @param client The client.
 * @param grant What is asked for; copied. NULL for nothing in particular.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION or GK_STATUS_INVALID_ARGUMENT if something
 * is not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_device_codes(const gk_oauth_client *client,
                                       const gk_token_grant *grant,
                                       gk_operation **operation,
                                       gk_error *err);

/**
 * Asks until the user has said yes or no, as often as the server wants it. The operation ends with
 * tokens: gk_operation_tokens, or as JSON `access_token`, `refresh_token`, `expires_at`, `scopes`,
 * `id_token`, `claims`, `subject` and `issuer`.
 *
 * @param client The client.
 * @param codes The operation of gk_oauth_client_device_codes, which has ended; it may be freed
 * afterwards.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it has not ended with codes.
 */
GK_NODISCARD
gk_status gk_oauth_client_poll(const gk_oauth_client *client,
                               const gk_operation *codes,
                               gk_operation **operation,
                               gk_error *err);

/**
 * As gk_oauth_client_poll, with more to say in each question.
 *
 * @param client The client.
 * @param codes The operation of gk_oauth_client_device_codes, which has ended; it may be freed
 * afterwards.
 * @param grant Resources and parameters of the server's own; copied. NULL for nothing.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it has not ended with codes, or something is
 * not acceptable; gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_oauth_client_poll_with(const gk_oauth_client *client,
                                    const gk_operation *codes,
                                    const gk_token_grant *grant,
                                    gk_operation **operation,
                                    gk_error *err);

/**
 * Reads tokens that were kept, or those that are known from elsewhere.
 *
 * @param json What gk_oauth_tokens_to_json has given, or as much of it as is known: `issuer`, and
 * `refresh_token` or `access_token`; borrowed for the call.
 * @param json_len Its length in bytes.
 * @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_STORE_CORRUPT if these are no tokens.
 */
GK_NODISCARD
gk_status gk_oauth_tokens_from_json(const char *json,
                                    size_t json_len,
                                    gk_oauth_tokens **tokens,
                                    gk_error *err);

/**
 * Writes tokens down, to be kept in a safe place: who reads them is the user.
 *
 * @param tokens The tokens.
 * @param json Receives the text, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_oauth_tokens_to_json(const gk_oauth_tokens *tokens,
                                  gk_buf *json,
                                  gk_error *err);

/**
 * Makes tokens of a refresh token that was got in another way, for example by another library: no
 * access token yet, so that the first use refreshes. gk_oauth_tokens_from_json says more of them.
 *
 * @param issuer Who gave it: the issuer of the client that will use it; copied.
 * @param issuer_len Its length in bytes.
 * @param refresh_token The refresh token; copied, and wiped in the end.
 * @param refresh_token_len Its length in bytes.
 * @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if one of them is empty or cannot be sent;
 * gk_error_claim names it.
 */
GK_NODISCARD
gk_status gk_oauth_tokens_from_refresh_token(const char *issuer,
                                             size_t issuer_len,
                                             const char *refresh_token,
                                             size_t refresh_token_len,
                                             gk_oauth_tokens **tokens,
                                             gk_error *err);

/**
 * Copies tokens.
 *
 * @param tokens The tokens; NULL is fine.
 * @return Others that are the same, to be freed with gk_oauth_tokens_free; NULL for NULL.
 */
gk_oauth_tokens *gk_oauth_tokens_clone(const gk_oauth_tokens *tokens);

/**
 * Wipes and frees tokens.
 *
 * @param tokens The tokens, which must not be used again; NULL is fine.
 */
void gk_oauth_tokens_free(gk_oauth_tokens *tokens);

/**
 * Gives who gave the tokens: the issuer, or the token endpoint of a server without one.
 *
 * @param tokens The tokens; NULL is fine.
 * @return The address, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_issuer(const gk_oauth_tokens *tokens);

/**
 * Gives what is sent to the API, as `Authorization: Bearer`.
 *
 * @param tokens The tokens; NULL is fine.
 * @return The token, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_access_token(const gk_oauth_tokens *tokens);

/**
 * Gives what gets the next access token.
 *
 * @param tokens The tokens; NULL is fine.
 * @return The token, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_refresh_token(const gk_oauth_tokens *tokens);

/**
 * Gives who signed in, as a token (OpenID Connect Core section 2), which was verified.
 *
 * @param tokens The tokens; NULL is fine.
 * @return The token, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_id_token(const gk_oauth_tokens *tokens);

/**
 * Gives the ID token's claims, for gk_json_parse.
 *
 * @param tokens The tokens; NULL is fine.
 * @return One JSON object, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_claims_json(const gk_oauth_tokens *tokens);

/**
 * Gives the ID token's `sub`.
 *
 * @param tokens The tokens; NULL is fine.
 * @return The subject, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_subject(const gk_oauth_tokens *tokens);

/**
 * Gives the ID token's `email`, where the provider says that it is the user's and proven.
 *
 * @param tokens The tokens; NULL is fine.
 * @return The address, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_verified_email(const gk_oauth_tokens *tokens);

/**
 * Says how many APIs the access token was asked for (RFC 8707).
 *
 * @param tokens The tokens; NULL is fine.
 * @return How many; 0 for NULL.
 */
size_t gk_oauth_tokens_resources_len(const gk_oauth_tokens *tokens);

/**
 * Gives an API that the access token was asked for.
 *
 * @param tokens The tokens; NULL is fine.
 * @param index From 0.
 * @return Its address, valid as long as `tokens`; {NULL, 0} if there are fewer.
 */
gk_str gk_oauth_tokens_resource_at(const gk_oauth_tokens *tokens, size_t index);

/**
 * Gives what kind of token an exchange has given (RFC 8693 section 2.2.1).
 *
 * @param tokens The tokens; NULL is fine.
 * @return The type, valid as long as `tokens`; {NULL, 0} if it is absent.
 */
gk_str gk_oauth_tokens_issued_token_type(const gk_oauth_tokens *tokens);

/**
 * Gives when the access token expires.
 *
 * @param tokens The tokens; NULL is fine.
 * @param seconds Receives seconds since 1970-01-01T00:00:00Z; untouched if it is not known. NULL
 * is fine.
 * @return True if the server said so.
 */
bool gk_oauth_tokens_expires_at(const gk_oauth_tokens *tokens, uint64_t *seconds);

/**
 * Says how many scopes were granted.
 *
 * @param tokens The tokens; NULL is fine.
 * @return How many; 0 for NULL.
 */
size_t gk_oauth_tokens_scopes_len(const gk_oauth_tokens *tokens);

/**
 * Gives a scope that was granted.
 *
 * @param tokens The tokens; NULL is fine.
 * @param index From 0.
 * @return The scope, valid as long as `tokens`; {NULL, 0} if there are fewer.
 */
gk_str gk_oauth_tokens_scope_at(const gk_oauth_tokens *tokens, size_t index);

/**
 * Tokens in memory; a name without tokens gets none.
 *
 * @return The options, to be freed with gk_token_manager_options_free.
 */
gk_token_manager_options *gk_token_manager_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_token_manager_options_free(gk_token_manager_options *options);

/**
 * Keeps the tokens in a folder, which processes may share, and managers of other servers and
 * clients: each has its own tokens.
 *
 * @param options The options.
 * @param path Its path; copied. The folder (mode 0700, files 0600) is made if it is not there.
 * @param path_len Its length in bytes.
 */
void gk_token_manager_options_folder(gk_token_manager_options *options,
                                     const char *path,
                                     size_t path_len);

/**
 * A name under which there is no token gets one for the client itself (RFC 6749 section 4.4). A
 * manager that asks for something else gets another token.
 *
 * @param options The options.
 * @param grant What is asked for; copied. NULL for nothing in particular.
 */
void gk_token_manager_options_client_credentials(gk_token_manager_options *options,
                                                 const gk_token_grant *grant);

/**
 * What each refresh says apart from the refresh token, as gk_oauth_client_refresh_with takes it:
 * parameters of the server's own, scopes instead of all that were granted, resources instead of
 * those of the tokens. The first refresh reports what is not acceptable in it.
 *
 * @param options The options.
 * @param grant What is said; copied. NULL for nothing in particular.
 */
void gk_token_manager_options_refresh_with(gk_token_manager_options *options,
                                           const gk_token_grant *grant);

/**
 * Adds a pepper that what is kept is sealed with (AES-256-GCM); several calls go from the oldest
 * to the active one. Tokens that were put and do not fit them are GK_STATUS_WRONG_PEPPER, about
 * `seal`; what the client can ask for itself it asks for again.
 *
 * @param options The options.
 * @param number Its number, from 1.
 * @param pepper At least 16 bytes; copied.
 * @param pepper_len Its length in bytes.
 */
void gk_token_manager_options_pepper(gk_token_manager_options *options,
                                     uint32_t number,
                                     const uint8_t *pepper,
                                     size_t pepper_len);

/**
 * Makes a manager.
 *
 * @param client Whose tokens they are; shared.
 * @param http What carries the requests; shared. NULL for an event loop, which drives
 * gk_token_manager_renewal and gk_token_manager_replacement: then no call of the manager waits or
 * asks a server. What would have to is GK_STATUS_INVALID_ARGUMENT if other tokens are needed, and
 * GK_STATUS_STORE_UNAVAILABLE while an operation of the same name, or another process, renews
 * them.
 * @param options Where tokens are kept; copied. NULL for memory.
 * @param manager Receives the manager, to be freed with gk_token_manager_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if others may read
 * the folder; the 6000s.
 */
GK_NODISCARD
gk_status gk_token_manager_new(const gk_oauth_client *client,
                               const gk_http *http,
                               const gk_token_manager_options *options,
                               gk_token_manager **manager,
                               gk_error *err);

/**
 * Shares a manager.
 *
 * @param manager The manager; NULL is fine.
 * @return Another handle to the same manager, to be freed with gk_token_manager_free; NULL for
 * NULL.
 */
gk_token_manager *gk_token_manager_clone(const gk_token_manager *manager);

/**
 * Frees a handle to a manager.
 *
 * @param manager The handle, which must not be used again; NULL is fine.
 */
void gk_token_manager_free(gk_token_manager *manager);

/**
 * Keeps tokens, for example of a log-in that was just finished.
 *
 * @param manager The manager.
 * @param name A name of the program's own: 1 to 120 bytes.
 * @param name_len Its length in bytes.
 * @param tokens The tokens; copied.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT, about `issuer`, if the tokens are of another
 * server than the client's; the 6000s.
 */
GK_NODISCARD
gk_status gk_token_manager_put(const gk_token_manager *manager,
                               const char *name,
                               size_t name_len,
                               const gk_oauth_tokens *tokens,
                               gk_error *err);

/**
 * Forgets the tokens of a name; revoke them first.
 *
 * @param manager The manager.
 * @param name A name of the program's own: 1 to 120 bytes.
 * @param name_len Its length in bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 6000s.
 */
GK_NODISCARD
gk_status gk_token_manager_remove(const gk_token_manager *manager,
                                  const char *name,
                                  size_t name_len,
                                  gk_error *err);

/**
 * Gives the access token of a name, refreshed if need be; one thread and process refreshes, the
 * others wait. With a folder, what another process has put or removed is noticed at each call.
 *
 * @param manager The manager.
 * @param name A name of the program's own: 1 to 120 bytes.
 * @param name_len Its length in bytes.
 * @param min_ttl Seconds that it must be good for at least; half of its life where that is less.
 * @param access_token Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is no token, so that a log-in is needed;
 * GK_STATUS_OAUTH_INVALID_GRANT if it has ended for good; the 5000s, 6000s and 7000s.
 */
GK_NODISCARD
gk_status gk_token_manager_access_token(const gk_token_manager *manager,
                                        const char *name,
                                        size_t name_len,
                                        uint64_t min_ttl,
                                        gk_buf *access_token,
                                        gk_error *err);

/**
 * Gives another access token than the one that was refused, unless there is one by now. If an API
 * refuses new ones as well, the next is asked for after a second, then after two, at most once a
 * minute; until then the refused one is given once more, and it is of no use to send it.
 *
 * @param manager The manager.
 * @param refused Which one, and whose; borrowed for the call.
 * @param access_token Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is no token, so that a log-in is needed;
 * GK_STATUS_OAUTH_INVALID_GRANT if it has ended for good; the 5000s, 6000s and 7000s.
 */
GK_NODISCARD
gk_status gk_token_manager_replace(const gk_token_manager *manager,
                                   const gk_refused_token *refused,
                                   gk_buf *access_token,
                                   gk_error *err);

/**
 * Gives all that came with the access token, refreshed if need be.
 *
 * @param manager The manager.
 * @param name A name of the program's own: 1 to 120 bytes.
 * @param name_len Its length in bytes.
 * @param min_ttl Seconds that the access token must be good for at least; half of its life where
 * that is less.
 * @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_OAUTH_NO_TOKEN if there is no token, so that a log-in is needed;
 * GK_STATUS_OAUTH_INVALID_GRANT if it has ended for good; the 5000s, 6000s and 7000s.
 */
GK_NODISCARD
gk_status gk_token_manager_tokens(const gk_token_manager *manager,
                                  const char *name,
                                  size_t name_len,
                                  uint64_t min_ttl,
                                  gk_oauth_tokens **tokens,
                                  gk_error *err);

/**
 * Gives what is known under a name without asking a server, if it is as good as
 * gk_token_manager_tokens says. With a folder, a small file is read.
 *
 * @param manager The manager.
 * @param name A name of the program's own: 1 to 120 bytes.
 * @param name_len Its length in bytes.
 * @param min_ttl Seconds that the access token must be good for at least; half of its life where
 * that is less.
 * @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if none are known
 * that are good: then drive a gk_token_manager_renewal.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK, also if none are known; GK_STATUS_INVALID_ARGUMENT.
 */
GK_NODISCARD
gk_status gk_token_manager_known(const gk_token_manager *manager,
                                 const char *name,
                                 size_t name_len,
                                 uint64_t min_ttl,
                                 gk_oauth_tokens **tokens,
                                 gk_error *err);

/**
 * gk_token_manager_tokens as an operation, for event loops; it ends with tokens
 * (gk_operation_tokens). It is over at its first step if what is known is good. Otherwise one
 * operation of a name asks, and what others want of that name waits for it: GK_STEP_WAIT. If that
 * one fails, they fail with its reason until it is worth another try; if it is freed, or not
 * driven any more, another takes over. It holds the folder's lock while a request is out; its
 * steps read and write small files there.
 *
 * @param manager The manager, which may be freed before the operation.
 * @param name A name of the program's own: 1 to 120 bytes.
 * @param name_len Its length in bytes.
 * @param min_ttl Seconds that the access token must be good for at least; half of its life where
 * that is less.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails. It ends as gk_token_manager_tokens does.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT.
 */
GK_NODISCARD
gk_status gk_token_manager_renewal(const gk_token_manager *manager,
                                   const char *name,
                                   size_t name_len,
                                   uint64_t min_ttl,
                                   gk_operation **operation,
                                   gk_error *err);

/**
 * gk_token_manager_replace as an operation, as gk_token_manager_renewal.
 *
 * @param manager The manager, which may be freed before the operation.
 * @param refused Which one, and whose; copied.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails. It ends as gk_token_manager_replace does, with all that came with the access token.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT.
 */
GK_NODISCARD
gk_status gk_token_manager_replacement(const gk_token_manager *manager,
                                       const gk_refused_token *refused,
                                       gk_operation **operation,
                                       gk_error *err);

/**
 * Takes an operation to its end over a transport; blocks meanwhile.
 *
 * @param operation The operation.
 * @param http The transport.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the 5000s, 7000s and 1000s as the call says that made the operation, which
 * is over then.
 */
GK_NODISCARD
gk_status gk_operation_run(gk_operation *operation,
                           const gk_http *http,
                           gk_error *err);

/**
 * Asks an operation what it wants. After a request feed the answer or the failure; after a wait
 * just ask again.
 *
 * @param operation The operation.
 * @param step Receives what it wants.
 * @param err Receives the error; may be NULL.
 * @return As gk_operation_run; GK_STATUS_INVALID_ARGUMENT if the last request has not been
 * answered.
 */
GK_NODISCARD gk_status gk_operation_next(gk_operation *operation, gk_step *step, gk_error *err);

/**
 * Gives the request that gk_operation_next has asked for.
 *
 * @param operation The operation.
 * @param request Receives it; all zero if nothing is to be sent.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if none is wanted.
 */
GK_NODISCARD
gk_status gk_operation_request(const gk_operation *operation,
                               gk_request *request,
                               gk_error *err);

/**
 * Gives a header of the request.
 *
 * @param operation The operation.
 * @param index Which, from 0.
 * @return The header, its name in lower case; {NULL, 0} twice after the last one.
 */
gk_header gk_operation_header(const gk_operation *operation, size_t index);

/**
 * Feeds the answer to the request, whatever its status. A body that is longer than max_body is
 * refused.
 *
 * @param operation The operation.
 * @param response The answer; borrowed for the call.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if no request is out.
 */
GK_NODISCARD
gk_status gk_operation_feed(gk_operation *operation,
                            const gk_response *response,
                            gk_error *err);

/**
 * Tells an operation that its request has no answer.
 *
 * @param operation The operation.
 * @param reason One of the 7000s, for example GK_STATUS_CONNECTION_FAILED.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if no request is out, or the reason is another.
 */
GK_NODISCARD gk_status gk_operation_fail(gk_operation *operation, gk_status reason, gk_error *err);

/**
 * Gives what an operation has ended with, as the call says that made it.
 *
 * @param operation The operation.
 * @param json Receives the value, to be freed with gk_json_free; `null` of an operation that ends
 * with nothing; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not over, or has failed.
 */
GK_NODISCARD
gk_status gk_operation_json(const gk_operation *operation,
                            gk_json **json,
                            gk_error *err);

/**
 * Gives the tokens that an operation has ended with, those of a log-in included. A refresh that
 * has failed still gives the tokens to keep, if the server had given a new refresh token by then:
 * the old ones, with that.
 *
 * @param operation The operation.
 * @param tokens Receives the tokens, to be freed with gk_oauth_tokens_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not over, has failed and left nothing
 * to keep, or ends with something else.
 */
GK_NODISCARD
gk_status gk_operation_tokens(const gk_operation *operation,
                              gk_oauth_tokens **tokens,
                              gk_error *err);

/**
 * Gives the text of what an operation has ended with, to be passed on; gk_operation_json is for
 * looking into it.
 *
 * @param operation The operation.
 * @param json Receives it, to be freed with gk_buf_free, which wipes it; {NULL, 0} if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not over, or has failed.
 */
GK_NODISCARD
gk_status gk_operation_result(const gk_operation *operation,
                              gk_buf *json,
                              gk_error *err);

/**
 * Gives the authorization server's own name of the error that an operation has ended with (RFC
 * 6749 section 5.2).
 *
 * @param operation The operation.
 * @return At most 64 letters, digits, `_`, `-` and `.`; {NULL, 0} if the server gave none.
 */
gk_str gk_operation_peer_code(const gk_operation *operation);

/**
 * Gives how many milliseconds to wait before the same is worth another try.
 *
 * @param operation The operation.
 * @return Milliseconds; 0 if it has not failed, or waiting is no remedy, or the server did not
 * say.
 */
uint64_t gk_operation_retry_after(const gk_operation *operation);

/**
 * Frees an operation; one that is not over is given up.
 *
 * @param operation The operation, which must not be used again; NULL is fine.
 */
void gk_operation_free(gk_operation *operation);

/*
 * ==== Resource server ====
 *
 * The check of an API's incoming requests: JWTs of an issuer, opaque tokens and API keys, in one
 * call.
 */

/**
 * What a route demands of its caller: made once, shared by all threads. The setters keep the first
 * thing that was wrong, which gk_resource_server_check reports.
 */
typedef struct gk_demand gk_demand;

/**
 * What a door accepts of one issuer's tokens instead of what it accepts of all; what is not set is
 * as the door has it. The setters keep the first thing that was wrong, which
 * gk_resource_server_builder_build reports.
 */
typedef struct gk_door_rule gk_door_rule;

/**
 * The check of an API's incoming requests: JWTs of an issuer, opaque tokens and API keys, in one
 * call. Shared by reference count, safe to use from several threads at once, and usable after a
 * fork.
 */
typedef struct gk_resource_server gk_resource_server;

/**
 * A gk_resource_server while it is put together. At least one of an issuer with keys, an
 * introspection and API keys. The setters keep the first thing that was wrong, which
 * gk_resource_server_builder_build reports.
 */
typedef struct gk_resource_server_builder gk_resource_server_builder;

/**
 * What of a request says who calls, as it came: none of it is trusted. What is not there is
 * NULL and 0.
 */
typedef struct {
    /** The value of its one Authorization header; NULL and 0 for a request without. */
    const char *authorization;
    /** Its length in bytes. */
    size_t authorization_len;
    /**
     * The caller's address as text, for API keys with an allow-list; NULL and 0 for unknown, as
     * which a text that is no address counts.
     */
    const char *address;
    /** Its length in bytes. */
    size_t address_len;
    /**
     * The value of its one X-API-Key header, or of the program's own header for API keys; NULL and
     * 0 for a request without. Nothing but API keys is looked for here.
     */
    const char *api_key;
    /** Its length in bytes. */
    size_t api_key_len;
} gk_caller;

/**
 * Any caller that is known.
 *
 * @return The demand, to be freed with gk_demand_free.
 */
gk_demand *gk_demand_new(void);

/**
 * Frees a demand.
 *
 * @param demand The demand, which must not be used again; NULL is fine.
 */
void gk_demand_free(gk_demand *demand);

/**
 * Demands a scope; with several calls, all of them.
 *
 * @param demand The demand.
 * @param scope The scope; copied.
 * @param scope_len Its length in bytes.
 */
void gk_demand_scope(gk_demand *demand, const char *scope, size_t scope_len);

/**
 * Demands a way in which the user must have signed in (RFC 9470); with several calls, one of them.
 *
 * @param demand The demand.
 * @param acr The value of `acr`; copied.
 * @param acr_len Its length in bytes.
 */
void gk_demand_acr_value(gk_demand *demand, const char *acr, size_t acr_len);

/**
 * Demands that the user has signed in within this many seconds (RFC 9470).
 *
 * @param demand The demand.
 * @param seconds How many.
 */
void gk_demand_max_age(gk_demand *demand, uint64_t seconds);

/**
 * Demands that the caller belongs to a tenant: an API key's own, or that of a token's claim, see
 * gk_resource_server_builder_tenant_claim.
 *
 * @param demand The demand.
 * @param tenant The tenant; copied.
 * @param tenant_len Its length in bytes.
 */
void gk_demand_tenant(gk_demand *demand, const char *tenant, size_t tenant_len);

/**
 * Lets a request bring two credentials and says which of them decides. That one must be there, it
 * alone must meet the demand, and what is granted is what it grants; the other, if it is there,
 * must be valid. Unless set, a request has exactly one credential.
 *
 * @param demand The demand.
 * @param place GK_CREDENTIAL_AUTHORIZATION or GK_CREDENTIAL_API_KEY.
 */
void gk_demand_decided_by(gk_demand *demand, int32_t place);

/**
 * Begins the door of an API.
 *
 * @param audience What tokens must name as their audience: the API's identifier, 1 to 1024 bytes
 * of UTF-8; copied.
 * @param audience_len Its length in bytes.
 * @return The builder, to be freed with gk_resource_server_builder_free.
 */
gk_resource_server_builder *gk_resource_server_builder_new(const char *audience,
                                                           size_t audience_len);

/**
 * Begins the door of an API from JSON.
 *
 * @param options_json One JSON object with `audience`, and any of `any_audience` and `clients`,
 * `issuer`, `token_types` (instead of at+jwt; `null` in the list for tokens without type),
 * `claims` (an object of the values that claims must have), `algorithms`, `leeway` (30),
 * `tenant_claim`, `metadata_url`, `scopes_supported`, `introspection` with any of `ttl` (30),
 * `negative_ttl` (10), `unknown_tokens` (100) and `require_audience` (true), and `issuers`, an
 * object that has for an issuer's name what a gk_door_rule can say: any of `audience` (a text or
 * several), `any_audience`, `clients`, `token_types`, `claims`, `algorithms`, `leeway` and
 * `tenant_claim`.
 * @param options_json_len Its length in bytes, at most 64 KiB.
 * @param builder Receives the builder, to be freed with gk_resource_server_builder_free; NULL if
 * the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if a member is not known or of another
 * kind, which gk_error_claim names.
 */
GK_NODISCARD
gk_status gk_resource_server_builder_from_json(const char *options_json,
                                               size_t options_json_len,
                                               gk_resource_server_builder **builder,
                                               gk_error *err);

/**
 * Frees a builder.
 *
 * @param builder The builder, which must not be used again; NULL is fine.
 */
void gk_resource_server_builder_free(gk_resource_server_builder *builder);

/**
 * Accepts tokens for any audience and for none, of the clients that are named by
 * gk_resource_server_builder_client: for issuers whose access tokens name no API. Without such a
 * client gk_resource_server_builder_build fails.
 *
 * @param builder The builder.
 */
void gk_resource_server_builder_any_audience(gk_resource_server_builder *builder);

/**
 * Accepts the tokens of this client alone; several calls, several clients. Read from `client_id`,
 * `cid` or `appid`, which must agree; never from `azp` or `aud`, by which ID tokens name theirs.
 *
 * @param builder The builder.
 * @param client_id The client's id; copied.
 * @param client_id_len Its length in bytes.
 */
void gk_resource_server_builder_client(gk_resource_server_builder *builder,
                                       const char *client_id,
                                       size_t client_id_len);

/**
 * Accepts the JWTs of an issuer, verified with keys of another server's. Several calls, several
 * issuers: the keys of each verify its own tokens and no others.
 *
 * @param builder The builder.
 * @param issuer Its `iss`; copied.
 * @param issuer_len Its length in bytes.
 * @param keys Its keys, which are shared.
 */
void gk_resource_server_builder_issuer_keys(gk_resource_server_builder *builder,
                                            const char *issuer,
                                            size_t issuer_len,
                                            const gk_remote_key_set *keys);

/**
 * As gk_resource_server_builder_issuer_keys, with keys of our own.
 *
 * @param builder The builder.
 * @param issuer Its `iss`; copied.
 * @param issuer_len Its length in bytes.
 * @param ring The key ring, which is shared.
 */
void gk_resource_server_builder_issuer_key_ring(gk_resource_server_builder *builder,
                                                const char *issuer,
                                                size_t issuer_len,
                                                const gk_key_ring *ring);

/**
 * As gk_resource_server_builder_issuer_keys, with keys that stay as they are, such as those of a
 * file.
 *
 * @param builder The builder.
 * @param issuer Its `iss`; copied.
 * @param issuer_len Its length in bytes.
 * @param key_set The keys, which are shared.
 */
void gk_resource_server_builder_issuer_key_set(gk_resource_server_builder *builder,
                                               const char *issuer,
                                               size_t issuer_len,
                                               const gk_key_set *key_set);

/**
 * Accepts the JWTs of one issuer, whose keys are set as well: for the issuer and the keys that
 * come apart. See gk_resource_server_builder_issuer_keys.
 *
 * @param builder The builder.
 * @param issuer Its `iss`; copied.
 * @param issuer_len Its length in bytes.
 */
void gk_resource_server_builder_issuer(gk_resource_server_builder *builder,
                                       const char *issuer,
                                       size_t issuer_len);

/**
 * The keys of the issuer, where they are another server's.
 *
 * @param builder The builder.
 * @param keys The keys, which are shared.
 */
void gk_resource_server_builder_keys(gk_resource_server_builder *builder,
                                     const gk_remote_key_set *keys);

/**
 * The keys of the issuer, where they are our own.
 *
 * @param builder The builder.
 * @param ring The key ring, which is shared.
 */
void gk_resource_server_builder_key_ring(gk_resource_server_builder *builder,
                                         const gk_key_ring *ring);

/**
 * Accepts tokens of this `typ` instead of `at+jwt`; several calls, several types.
 *
 * @param builder The builder.
 * @param typ The type; copied.
 * @param typ_len Its length in bytes.
 */
void gk_resource_server_builder_token_type(gk_resource_server_builder *builder,
                                           const char *typ,
                                           size_t typ_len);

/**
 * Accepts tokens without `typ`, instead of `at+jwt` or beside the types that are named. ID tokens
 * are still refused, by their claims.
 *
 * @param builder The builder.
 */
void gk_resource_server_builder_allow_missing_type(gk_resource_server_builder *builder);

/**
 * The claim that names a token's tenant, for `tenant` of gk_resource_server_check and for
 * gk_demand_tenant. Without it, only API keys have a tenant.
 *
 * @param builder The builder.
 * @param name The claim's name; copied.
 * @param name_len Its length in bytes.
 */
void gk_resource_server_builder_tenant_claim(gk_resource_server_builder *builder,
                                             const char *name,
                                             size_t name_len);

/**
 * Accepts only tokens whose claim of this name has this value; several calls of one name, any of
 * the values. Of opaque tokens, the answer's member. See gk_policy_expect_claim.
 *
 * @param builder The builder.
 * @param name The claim's name, not empty, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
 * @param json_len Its length in bytes.
 */
void gk_resource_server_builder_claim(gk_resource_server_builder *builder,
                                      const char *name,
                                      size_t name_len,
                                      const char *json,
                                      size_t json_len);

/**
 * Accepts only these algorithms.
 *
 * @param builder The builder.
 * @param codes GK_ALG_ constants; copied.
 * @param codes_len How many; at least one.
 */
void gk_resource_server_builder_algorithms(gk_resource_server_builder *builder,
                                           const gk_alg *codes,
                                           size_t codes_len);

/**
 * How many seconds an issuer's clock may be off.
 *
 * @param builder The builder.
 * @param seconds 30 unless set, and 0 for issuers whose keys are a key ring of ours; more than 600
 * is refused by gk_resource_server_builder_build.
 */
void gk_resource_server_builder_leeway(gk_resource_server_builder *builder, uint64_t seconds);

/**
 * Where gk_resource_server_metadata is served, for challenges (RFC 9728 section 5.1).
 *
 * @param builder The builder.
 * @param url The address; copied.
 * @param url_len Its length in bytes.
 */
void gk_resource_server_builder_metadata_url(gk_resource_server_builder *builder,
                                             const char *url,
                                             size_t url_len);

/**
 * The scopes that there are, for the metadata.
 *
 * @param builder The builder.
 * @param scopes The scopes, separated by spaces; copied.
 * @param scopes_len Its length in bytes.
 */
void gk_resource_server_builder_scopes_supported(gk_resource_server_builder *builder,
                                                 const char *scopes,
                                                 size_t scopes_len);

/**
 * Refuses tokens that are on this list. With one, introspection must tell `iat` and `exp`.
 *
 * @param builder The builder.
 * @param revocations The list, which is shared.
 */
void gk_resource_server_builder_revocations(gk_resource_server_builder *builder,
                                            const gk_revocations *revocations);

/**
 * Accepts these API keys.
 *
 * @param builder The builder.
 * @param keys The keys, which are shared.
 */
void gk_resource_server_builder_api_keys(gk_resource_server_builder *builder,
                                         const gk_api_keys *keys);

/**
 * Asks the client's server about tokens that are not JWTs of the issuer (RFC 7662).
 *
 * @param builder The builder.
 * @param client Who asks; shared.
 * @param http What carries the questions; shared.
 */
void gk_resource_server_builder_introspection(gk_resource_server_builder *builder,
                                              const gk_oauth_client *client,
                                              const gk_http *http);

/**
 * For how long the answers of an introspection are remembered: so late is the end of a token
 * noticed.
 *
 * @param builder The builder.
 * @param seconds Of a token that is good: 30 unless set, at most 3600; 0 asks each time.
 * @param negative_seconds Of one that is not: 10 unless set, at most 3600. More is refused by
 * gk_resource_server_builder_build.
 */
void gk_resource_server_builder_introspection_ttl(gk_resource_server_builder *builder,
                                                  uint64_t seconds,
                                                  uint64_t negative_seconds);

/**
 * How many tokens that the server does not know, or has not told about yet, it is asked about at
 * once; a tenth of it again each second. Beyond that such tokens are answered with
 * GK_STATUS_OAUTH_SERVER_FAILED; those that are or were known to be good are not.
 *
 * @param builder The builder.
 * @param most 100 unless set, 0 for any number.
 */
void gk_resource_server_builder_unknown_tokens(gk_resource_server_builder *builder, uint32_t most);

/**
 * Whether a token is refused whose audience the server does not tell at an introspection.
 *
 * @param builder The builder.
 * @param required True unless set: a server that names no audiences lets every token of its own
 * into every API that asks it.
 */
void gk_resource_server_builder_require_audience(gk_resource_server_builder *builder,
                                                 bool required);

/**
 * Takes the time from a callback.
 *
 * @param builder The builder.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_resource_server_builder_clock(gk_resource_server_builder *builder,
                                      gk_clock_fn now,
                                      void *user,
                                      gk_release_fn release);

/**
 * Opens the door. Keys are fetched now, so that a wrong address shows in time; if their issuer is
 * out of reach, with the first token.
 *
 * @param builder The builder, which can be used again.
 * @param server Receives the resource server, to be freed with gk_resource_server_free; NULL if
 * the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if nothing would be
 * accepted, or the options contradict themselves; those of the keys, unless their issuer is only
 * out of reach.
 */
GK_NODISCARD
gk_status gk_resource_server_builder_build(const gk_resource_server_builder *builder,
                                           gk_resource_server **server,
                                           gk_error *err);

/**
 * Shares a resource server.
 *
 * @param server The resource server; NULL is fine.
 * @return Another handle to the same, to be freed with gk_resource_server_free; NULL for NULL.
 */
gk_resource_server *gk_resource_server_clone(const gk_resource_server *server);

/**
 * Frees a handle to a resource server.
 *
 * @param server The handle, which must not be used again; NULL is fine.
 */
void gk_resource_server_free(gk_resource_server *server);

/**
 * Says who calls.
 *
 * @param server The resource server.
 * @param caller The request's header and address; borrowed for the call.
 * @param demand What the route demands; NULL for any caller that is known.
 * @param access Receives who calls, as JSON for gk_json_parse: `kind` (`jwt`, `opaque`,
 * `api_key`), `issuer`, `subject`, `tenant`, `client_id`, `scopes`, `expires_at` and `claims`; to
 * be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param challenge Receives the value of the WWW-Authenticate header if the call fails with 401 or
 * 403, to be freed with gk_buf_free; otherwise {NULL, 0}. NULL is fine.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; the reason otherwise: gk_status_http says which HTTP status to answer.
 */
GK_NODISCARD
gk_status gk_resource_server_check(const gk_resource_server *server,
                                   const gk_caller *caller,
                                   const gk_demand *demand,
                                   gk_buf *access,
                                   gk_buf *challenge,
                                   gk_error *err);

/**
 * Gives the metadata of the API (RFC 9728 section 2), to be served as application/json.
 *
 * @param server The resource server.
 * @param json Receives them, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_resource_server_metadata(const gk_resource_server *server,
                                      gk_buf *json,
                                      gk_error *err);

/**
 * Begins a rule that says nothing.
 *
 * @return The rule, to be freed with gk_door_rule_free.
 */
gk_door_rule *gk_door_rule_new(void);

/**
 * Frees a rule; doors that have it are not affected.
 *
 * @param rule The rule, which must not be used again; NULL is fine.
 */
void gk_door_rule_free(gk_door_rule *rule);

/**
 * The issuer's tokens must name this audience; several calls, one of several.
 *
 * @param rule The rule.
 * @param audience The audience, 1 to 1024 bytes; copied.
 * @param audience_len Its length in bytes.
 */
void gk_door_rule_audience(gk_door_rule *rule, const char *audience, size_t audience_len);

/**
 * They may be for any audience and for none; only with clients that are named, here or for the
 * whole door.
 *
 * @param rule The rule.
 */
void gk_door_rule_any_audience(gk_door_rule *rule);

/**
 * They must be of this client; several calls, several clients.
 *
 * @param rule The rule.
 * @param client_id The client's id; copied.
 * @param client_id_len Its length in bytes.
 */
void gk_door_rule_client(gk_door_rule *rule, const char *client_id, size_t client_id_len);

/**
 * They have this `typ` instead of `at+jwt`; several calls, several types.
 *
 * @param rule The rule.
 * @param typ The type; copied.
 * @param typ_len Its length in bytes.
 */
void gk_door_rule_token_type(gk_door_rule *rule, const char *typ, size_t typ_len);

/**
 * They may have no `typ`.
 *
 * @param rule The rule.
 */
void gk_door_rule_allow_missing_type(gk_door_rule *rule);

/**
 * Their claim of this name has this value; several calls of one name, any of the values. Of opaque
 * tokens, the answer's member. See gk_policy_expect_claim.
 *
 * @param rule The rule.
 * @param name The claim's name, not empty, UTF-8; copied.
 * @param name_len Its length in bytes.
 * @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
 * @param json_len Its length in bytes.
 */
void gk_door_rule_claim(gk_door_rule *rule,
                        const char *name,
                        size_t name_len,
                        const char *json,
                        size_t json_len);

/**
 * They are signed with one of these algorithms.
 *
 * @param rule The rule.
 * @param codes GK_ALG_ constants; copied.
 * @param codes_len How many; at least one.
 */
void gk_door_rule_algorithms(gk_door_rule *rule, const gk_alg *codes, size_t codes_len);

/**
 * How many seconds the issuer's clock may be off.
 *
 * @param rule The rule.
 * @param seconds At most 600.
 */
void gk_door_rule_leeway(gk_door_rule *rule, uint64_t seconds);

/**
 * The claim that names a token's tenant.
 *
 * @param rule The rule.
 * @param name The claim's name; copied.
 * @param name_len Its length in bytes.
 */
void gk_door_rule_tenant_claim(gk_door_rule *rule, const char *name, size_t name_len);

/**
 * Accepts of this issuer's tokens what the rule says, instead of what the door says of all. It
 * holds for what the issuer answers about opaque tokens, too. The issuer is one that is named with
 * its keys, or asked about tokens; a second rule replaces the first.
 *
 * @param builder The builder.
 * @param issuer Its `iss`; copied.
 * @param issuer_len Its length in bytes.
 * @param rule The rule; copied.
 */
void gk_resource_server_builder_issuer_rule(gk_resource_server_builder *builder,
                                            const char *issuer,
                                            size_t issuer_len,
                                            const gk_door_rule *rule);

/*
 * ==== Guard ====
 *
 * One decision for every door of a service (docs/guard.md): a request goes in as the server has
 * it; who calls comes out, or the whole answer of a refusal.
 */

/**
 * The request opens a websocket, or another protocol, as the server knows; an `Upgrade` header
 * says so, too.
 */
#define GK_GUARD_UPGRADE 1

/**
 * The server names headers as CGI does: `X-Forwarded-For` and `X_Forwarded_For` look the same, and
 * a client may have sent the latter.
 */
#define GK_GUARD_COLLAPSED_NAMES 2

/**
 * Who calls, and what they may do: gk_guard_decision_access. It belongs to the decision, is never
 * freed, and lives as long as that. Immutable, safe to use from several threads at once.
 */
typedef struct gk_access gk_access;

/**
 * The access tokens of what a service had before, such as a library that signs with one secret.
 * They are taken until a date, of users whom the program has looked up in that very request
 * (gk_guard_former_user). The setters keep the first thing that was wrong, which
 * gk_guard_builder_build reports.
 */
typedef struct gk_former_tokens gk_former_tokens;

/** Whose former token a request brings, and what the program grants to it. Of that request only. */
typedef struct gk_former_user gk_former_user;

/**
 * One decision for every door of a service: who calls, by an API key, a session in a cookie or
 * behind `Bearer`, or a token of another issuer; or the whole answer of a refusal. Shared by
 * reference count, safe to use from several threads at once, and usable after a fork.
 */
typedef struct gk_guard gk_guard;

/**
 * What is known of one request while it is decided on an event loop. Not to be used by two threads
 * at once, and for one request only.
 */
typedef struct gk_guard_attempt gk_guard_attempt;

/**
 * A gk_guard while it is put together. At least one of API keys, sessions and tokens. The setters
 * keep the first thing that was wrong, which gk_guard_builder_build reports.
 */
typedef struct gk_guard_builder gk_guard_builder;

/**
 * What a guard has decided: status, headers and body of a refusal; or who calls, and the headers
 * that are added to the application's own. Immutable, safe to use from several threads at once;
 * what it holds may be cookies, and is wiped when it is freed.
 */
typedef struct gk_guard_decision gk_guard_decision;

/**
 * What a route demands of its caller, for gk_guard_check: made once, when the route is, and kept
 * with it. Shared by all threads. (gk_demand is that of gk_resource_server_check.)
 */
typedef struct gk_guard_demand gk_guard_demand;

/**
 * A gk_guard_demand while it is put together. The setters keep the first thing that was wrong,
 * which gk_guard_demand_builder_build reports.
 */
typedef struct gk_guard_demand_builder gk_guard_demand_builder;

/**
 * The cookies of a session in a browser (RFC 6265bis): `__Host-access`, `__Host-refresh` and
 * `__Host-csrf`. gk_guard_log_in and gk_guard_refresh set them, gk_guard_log_out clears them.
 * Made once, shared by all threads.
 */
typedef struct gk_session_cookies gk_session_cookies;

/**
 * gk_session_cookies while they are put together. The setters keep the first thing that was wrong,
 * which gk_session_cookies_builder_build reports.
 */
typedef struct gk_session_cookies_builder gk_session_cookies_builder;

/** One of a session's cookies: one of the GK_SESSION_COOKIE_ constants. */
typedef int32_t gk_session_cookie;

/** What kind of credential let a caller in: one of the GK_ACCESS_ constants. */
typedef int32_t gk_access_kind;

/** What of a request proved who calls: one of the GK_PROVED_BY_ constants. */
typedef int32_t gk_proved_by;

/**
 * A request as the server has it: none of it is trusted, all of it is borrowed for the call.
 * Adapters split, join and decode nothing. {NULL, 0} for what is not there.
 */
typedef struct {
    /** The method, such as POST, as it came. */
    gk_str method;
    /**
     * The path that the server routes by, not an address that was put together from `Host`; it
     * decides nothing.
     */
    gk_str path;
    /**
     * The headers in the order in which they came; a name that comes twice is there twice. NULL
     * and 0 for none.
     */
    const gk_header *headers;
    /** How many. More than 500, or 128 KiB of them, are refused (431). */
    size_t headers_len;
    /**
     * Whom the socket is connected to: an address, with or without a port. A Unix socket is empty
     * (and not NULL), `@...`, `unix:...` or a path. {NULL, 0} if it is not known.
     */
    gk_str peer;
    /** The CSRF token of a form's field, for pages without scripts. The header goes first. */
    gk_str csrf_field;
    /** GK_GUARD_UPGRADE and GK_GUARD_COLLAPSED_NAMES, added up; 0 for none. */
    uint32_t flags;
} gk_guard_request;

/** The cookie of the access token. */
#define GK_SESSION_COOKIE_ACCESS 0

/** The cookie of the refresh token. */
#define GK_SESSION_COOKIE_REFRESH 1

/** The cookie of the CSRF token, which scripts may read. */
#define GK_SESSION_COOKIE_CSRF 2

/** No credential: the route is public, or a credential is optional and there was none. */
#define GK_ACCESS_ANONYMOUS 0

/** An API key. */
#define GK_ACCESS_API_KEY 1

/** The access token of a session of this service's own. */
#define GK_ACCESS_SESSION 2

/** An access token that says everything itself (RFC 9068). */
#define GK_ACCESS_JWT 3

/** A token that the authorization server was asked about (RFC 7662). */
#define GK_ACCESS_OPAQUE 4

/** Nothing: the caller is anonymous. */
#define GK_PROVED_BY_NOTHING 0

/** A cookie, which browsers send with requests of other sites, too. */
#define GK_PROVED_BY_COOKIE 1

/** An API key, wherever it stood. */
#define GK_PROVED_BY_KEY 2

/** A token in `Authorization: Bearer`. */
#define GK_PROVED_BY_BEARER 3

/**
 * Begins the cookies of sessions.
 *
 * @param csrf What makes and checks the CSRF tokens in one of them; copied.
 * @param builder Receives the builder, to be freed with gk_session_cookies_builder_free; NULL if
 * the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_session_cookies_builder_new(const gk_csrf *csrf,
                                         gk_session_cookies_builder **builder,
                                         gk_error *err);

/**
 * Frees a builder.
 *
 * @param builder The builder, which must not be used again; NULL is fine.
 */
void gk_session_cookies_builder_free(gk_session_cookies_builder *builder);

/**
 * What one of the cookies is called, behind `__Host-`: `access`, `refresh` and `csrf` unless set.
 * Services on one host name, on several ports, need different names: cookies know no ports.
 *
 * @param builder The builder.
 * @param which One of the GK_SESSION_COOKIE_ constants.
 * @param name The name; copied.
 * @param name_len Its length in bytes.
 */
void gk_session_cookies_builder_name(gk_session_cookies_builder *builder,
                                     gk_session_cookie which,
                                     const char *name,
                                     size_t name_len);

/**
 * Sends the refresh token under this path alone, below which the routes of both refresh and
 * log-out are. Its name begins with `__Secure-` then, because `__Host-` needs the path `/`:
 * another host of the domain may plant such a cookie.
 *
 * @param builder The builder.
 * @param path Such as `/auth`; `/` unless set; copied.
 * @param path_len Its length in bytes.
 */
void gk_session_cookies_builder_refresh_path(gk_session_cookies_builder *builder,
                                             const char *path,
                                             size_t path_len);

/**
 * When the access token is sent with requests that other sites cause. The refresh token never is.
 *
 * @param builder The builder.
 * @param when One of the GK_SAME_SITE_ constants; GK_SAME_SITE_LAX unless set.
 */
void gk_session_cookies_builder_same_site(gk_session_cookies_builder *builder, gk_same_site when);

/**
 * For development without HTTPS: the cookies have no Secure, and names without `__Host-`. Anyone
 * who sees or changes the traffic has, or plants, the session.
 *
 * @param builder The builder.
 */
void gk_session_cookies_builder_danger_allow_http(gk_session_cookies_builder *builder);

/**
 * Makes the cookies.
 *
 * @param builder The builder, which can be used again.
 * @param cookies Receives the cookies, to be freed with gk_session_cookies_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if a name or the
 * path is not acceptable, or two names are the same.
 */
GK_NODISCARD
gk_status gk_session_cookies_builder_build(const gk_session_cookies_builder *builder,
                                           gk_session_cookies **cookies,
                                           gk_error *err);

/**
 * Frees cookies; guards that have them are not affected.
 *
 * @param cookies The cookies, which must not be used again; NULL is fine.
 */
void gk_session_cookies_free(gk_session_cookies *cookies);

/**
 * The whole name of one of the cookies, such as `__Host-csrf`: where scripts of our own pages find
 * the CSRF token.
 *
 * @param cookies The cookies; NULL is fine.
 * @param which One of the GK_SESSION_COOKIE_ constants.
 * @return The name, lent by the handle; {NULL, 0} for another number, and for NULL.
 */
gk_str gk_session_cookies_name(const gk_session_cookies *cookies, gk_session_cookie which);

/**
 * The value of a `Set-Cookie` header that makes the browser forget one of the cookies: for an
 * answer after gk_sessions_end_all. gk_guard_log_out says all three itself.
 *
 * @param cookies The cookies.
 * @param which One of the GK_SESSION_COOKIE_ constants.
 * @param header Receives the header's value, to be freed with gk_buf_free.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_session_cookies_clear(const gk_session_cookies *cookies,
                                   gk_session_cookie which,
                                   gk_buf *header,
                                   gk_error *err);

/**
 * Says what kind of credential it was.
 *
 * @param access Who calls.
 * @return One of the GK_ACCESS_ constants; GK_ACCESS_ANONYMOUS for NULL.
 */
gk_access_kind gk_access_kind_of(const gk_access *access);

/**
 * The name of what gk_access_kind_of says, for logs: `api_key`, `session`, `jwt`, `opaque`.
 *
 * @param access Who calls.
 * @return The name, lent for ever; {NULL, 0} of an anonymous caller, and for NULL.
 */
gk_str gk_access_kind_name(const gk_access *access);

/**
 * Says what of the request proved the caller.
 *
 * @param access Who calls.
 * @return One of the GK_PROVED_BY_ constants; GK_PROVED_BY_NOTHING for NULL.
 */
gk_proved_by gk_access_proved_by(const gk_access *access);

/**
 * Whether the caller is not known: the route is public, or a credential is optional and there was
 * none. Nothing else is known then but perhaps the address.
 *
 * @param access Who calls.
 * @return True if nothing is known; true for NULL.
 */
bool gk_access_is_anonymous(const gk_access *access);

/**
 * Who says so: a token's `iss`, or the server that was asked. Subjects are names of this issuer's:
 * the same name at another one is another user.
 *
 * @param access Who calls.
 * @return The issuer, lent by the decision; {NULL, 0} for an API key, for sessions whose tokens
 * name none, and for NULL.
 */
gk_str gk_access_issuer(const gk_access *access);

/**
 * Who it is: a token's `sub`, an API key's owner.
 *
 * @param access Who calls.
 * @return The subject, lent by the decision; {NULL, 0} if there is none, and for NULL.
 */
gk_str gk_access_subject(const gk_access *access);

/**
 * The tenant: an API key's own, or that of a token's claim.
 *
 * @param access Who calls.
 * @return The tenant, lent by the decision; {NULL, 0} if there is none, and for NULL.
 */
gk_str gk_access_tenant(const gk_access *access);

/**
 * What acts for them: a token's client, an API key's id.
 *
 * @param access Who calls.
 * @return The client's id, lent by the decision; {NULL, 0} if there is none, and for NULL.
 */
gk_str gk_access_client_id(const gk_access *access);

/**
 * How many scopes were granted.
 *
 * @param access Who calls.
 * @return How many; 0 for NULL.
 */
size_t gk_access_scopes_len(const gk_access *access);

/**
 * Gives a scope that was granted.
 *
 * @param access Who calls.
 * @param index From 0.
 * @return The scope, lent by the decision; {NULL, 0} if there are fewer, and for NULL.
 */
gk_str gk_access_scope_at(const gk_access *access, size_t index);

/**
 * Whether a scope was granted.
 *
 * @param access Who calls.
 * @param scope The scope.
 * @param scope_len Its length in bytes.
 * @return True if it was; false for NULL, and for a text that is not UTF-8.
 */
bool gk_access_has_scope(const gk_access *access, const char *scope, size_t scope_len);

/**
 * Until when the credential is good.
 *
 * @param access Who calls.
 * @param seconds Receives seconds since 1970-01-01T00:00:00Z; 0 if it has no end. May be NULL.
 * @return Whether it has an end; false for NULL.
 */
bool gk_access_expires_at(const gk_access *access, uint64_t *seconds);

/**
 * The token's claims, or the answer of the server that was asked.
 *
 * @param access Who calls.
 * @return The text of one JSON object, lent by the decision; `{}` for an API key and an anonymous
 * caller; {NULL, 0} for NULL.
 */
gk_str gk_access_claims_json(const gk_access *access);

/**
 * Any claim as JSON text, exactly as it was signed. Nothing is copied.
 *
 * @param access Who calls.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @return Text lent by the decision; {NULL, 0} if there is no such claim, and for NULL.
 */
gk_str gk_access_claim_json(const gk_access *access, const char *name, size_t name_len);

/**
 * A string claim of any name, without the escapes of JSON.
 *
 * @param access Who calls.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @param value Receives the text, to be freed with gk_buf_free; {NULL, 0} if the call fails. It
 * may contain NUL bytes.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a string.
 */
GK_NODISCARD
gk_status gk_access_claim_str(const gk_access *access,
                              const char *name,
                              size_t name_len,
                              gk_buf *value,
                              gk_error *err);

/**
 * An integer claim of any name.
 *
 * @param access Who calls.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @param value Receives the number; 0 if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not a number,
 * has a fraction or an exponent, or does not fit.
 */
GK_NODISCARD
gk_status gk_access_claim_i64(const gk_access *access,
                              const char *name,
                              size_t name_len,
                              int64_t *value,
                              gk_error *err);

/**
 * A boolean claim of any name.
 *
 * @param access Who calls.
 * @param name The claim's name, UTF-8; borrowed for the call.
 * @param name_len Its length in bytes.
 * @param value Receives the truth value; false if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_MISSING_CLAIM; GK_STATUS_INVALID_CLAIM if it is not true or
 * false.
 */
GK_NODISCARD
gk_status gk_access_claim_bool(const gk_access *access,
                               const char *name,
                               size_t name_len,
                               bool *value,
                               gk_error *err);

/**
 * The id of the API key. Its owner is gk_access_subject.
 *
 * @param access Who calls.
 * @return The id, lent by the decision; {NULL, 0} if it was no API key, and for NULL.
 */
gk_str gk_access_key_id(const gk_access *access);

/**
 * The record of the API key, as gk_api_keys_get gives it, without a look at the store: its name,
 * `meta`, rate and everything else.
 *
 * @param access Who calls.
 * @param record Receives the record, to be freed with gk_buf_free; {NULL, 0} if it was no API key,
 * or the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_access_key_record(const gk_access *access, gk_buf *record, gk_error *err);

/**
 * The id of the session of our own.
 *
 * @param access Who calls.
 * @return The id, lent by the decision; {NULL, 0} if it was no session, and for NULL.
 */
gk_str gk_access_session(const gk_access *access);

/**
 * The second credential's, where the demand pairs two.
 *
 * @param access Who calls.
 * @return It, which belongs to the decision; NULL if there is none, and for NULL.
 */
const gk_access *gk_access_other(const gk_access *access);

/**
 * The caller's address, past the proxies that are trusted.
 *
 * @param access Who calls.
 * @param address Receives the address as text, to be freed with gk_buf_free; {NULL, 0} if it is
 * not known, or the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_access_address(const gk_access *access, gk_buf *address, gk_error *err);

/**
 * Begins a demand of any caller that is known.
 *
 * @return The builder, to be freed with gk_guard_demand_builder_free.
 */
gk_guard_demand_builder *gk_guard_demand_builder_new(void);

/**
 * Frees a builder.
 *
 * @param builder The builder, which must not be used again; NULL is fine.
 */
void gk_guard_demand_builder_free(gk_guard_demand_builder *builder);

/**
 * Takes this kind of credential; several calls, several kinds. All that the guard knows unless
 * set. One of another kind is refused before anything of it is looked at.
 *
 * @param builder The builder.
 * @param kind One of the GK_ACCESS_ constants, but for GK_ACCESS_ANONYMOUS.
 */
void gk_guard_demand_builder_kind(gk_guard_demand_builder *builder, gk_access_kind kind);

/**
 * Demands a scope; with several calls, all of them; at most 16.
 *
 * @param builder The builder.
 * @param scope The scope; copied.
 * @param scope_len Its length in bytes.
 */
void gk_guard_demand_builder_scope(gk_guard_demand_builder *builder,
                                   const char *scope,
                                   size_t scope_len);

/**
 * Demands one of several scopes, a call for each; at most 16.
 *
 * @param builder The builder.
 * @param scope The scope; copied.
 * @param scope_len Its length in bytes.
 */
void gk_guard_demand_builder_any_scope(gk_guard_demand_builder *builder,
                                       const char *scope,
                                       size_t scope_len);

/**
 * Demands that the caller belongs to a tenant; see gk_guard_demand_in_tenant for one that a
 * request names.
 *
 * @param builder The builder.
 * @param tenant The tenant; copied.
 * @param tenant_len Its length in bytes.
 */
void gk_guard_demand_builder_tenant(gk_guard_demand_builder *builder,
                                    const char *tenant,
                                    size_t tenant_len);

/**
 * Demands that a claim has this value; several calls of one name, any of the values. API keys have
 * no claims.
 *
 * @param builder The builder.
 * @param name The claim's name; copied.
 * @param name_len Its length in bytes.
 * @param json The value as JSON text, such as "\"gold\"" with its quotes; copied.
 * @param json_len Its length in bytes.
 */
void gk_guard_demand_builder_claim(gk_guard_demand_builder *builder,
                                   const char *name,
                                   size_t name_len,
                                   const char *json,
                                   size_t json_len);

/**
 * Demands a way in which the user must have signed in (`acr`, RFC 9470); with several calls, one
 * of them; at most 16.
 *
 * @param builder The builder.
 * @param acr The value of `acr`; copied.
 * @param acr_len Its length in bytes.
 */
void gk_guard_demand_builder_acr_value(gk_guard_demand_builder *builder,
                                       const char *acr,
                                       size_t acr_len);

/**
 * Demands that the user has signed in within this many seconds (`auth_time`, RFC 9470). Sessions
 * of our own say when they were started.
 *
 * @param builder The builder.
 * @param seconds How many.
 */
void gk_guard_demand_builder_max_age(gk_guard_demand_builder *builder, uint64_t seconds);

/**
 * Demands a token of the sign-in itself, and not of a refresh (`auth_time` and `iat` are at most
 * 60 s apart).
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_fresh(gk_guard_demand_builder *builder);

/**
 * How many units of an API key's rate and credits the call takes.
 *
 * @param builder The builder.
 * @param units 1 unless set; 0 takes none.
 */
void gk_guard_demand_builder_cost(gk_guard_demand_builder *builder, uint32_t units);

/**
 * How often this may be done from one address, counted by each process, or for all machines where
 * gk_store_options_limits says; several calls, several limits. Demands whose limits
 * have one name count together, whatever the route. Taken when everything else has passed.
 *
 * @param builder The builder.
 * @param name The name: 1 to 64 visible ASCII characters without quotes and backslashes; copied.
 * @param name_len Its length in bytes.
 * @param rate Such as `5/min`; copied.
 * @param rate_len Its length in bytes.
 */
void gk_guard_demand_builder_limit(gk_guard_demand_builder *builder,
                                   const char *name,
                                   size_t name_len,
                                   const char *rate,
                                   size_t rate_len);

/**
 * Demands a CSRF token of a cookie's request with every method, and not only with those that may
 * change something.
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_csrf_always(gk_guard_demand_builder *builder);

/**
 * No check for forged requests: any page that the user's browser shows can do this in the user's
 * name.
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_danger_no_csrf(gk_guard_demand_builder *builder);

/**
 * Lets in who brings no credential; one that is there must be good.
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_optional(gk_guard_demand_builder *builder);

/**
 * Lets in everybody, and looks at no credential: for log-ins and health checks. Limits hold.
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_public(gk_guard_demand_builder *builder);

/**
 * Callers who are not known change something from our own pages alone: for the forms of log-ins,
 * which no cookie proves, so that no other site logs its visitors in as a user of its choice. By
 * what the browser says of where a request comes from or, if it says nothing, by a CSRF token
 * (gk_guard_form_token). For demands that are public or optional.
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_own_pages(gk_guard_demand_builder *builder);

/**
 * Takes two credentials: this demand is about the one whose kind gk_guard_demand_builder_kind
 * names, and the other is of this kind; several calls, one of several. Both must be there, and
 * good; nothing of what the other may do is granted.
 *
 * @param builder The builder.
 * @param kind One of the GK_ACCESS_ constants, but for GK_ACCESS_ANONYMOUS.
 */
void gk_guard_demand_builder_pair(gk_guard_demand_builder *builder, gk_access_kind kind);

/**
 * Both credentials of a pair belong to one tenant, and neither to none.
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_same_tenant(gk_guard_demand_builder *builder);

/**
 * Both credentials of a pair name one subject: an API key's owner is the other's subject. Tenants
 * are the same too, or both have none.
 *
 * @param builder The builder.
 */
void gk_guard_demand_builder_same_subject(gk_guard_demand_builder *builder);

/**
 * Makes the demand.
 *
 * @param builder The builder, which can be used again.
 * @param demand Receives the demand, to be freed with gk_guard_demand_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION for a scope, tenant,
 * claim, `acr` value or limit that can never be met, and for demands that contradict each other:
 * gk_error_claim names it.
 */
GK_NODISCARD
gk_status gk_guard_demand_builder_build(const gk_guard_demand_builder *builder,
                                        gk_guard_demand **demand,
                                        gk_error *err);

/**
 * The same demand, of callers of this tenant: for a tenant that the request names, such as in its
 * path. A tenant without a name is nobody's.
 *
 * @param demand The demand.
 * @param tenant The tenant, UTF-8; copied.
 * @param tenant_len Its length in bytes.
 * @param narrower Receives the other demand, to be freed with gk_guard_demand_free; NULL if the
 * call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if it is not UTF-8.
 */
GK_NODISCARD
gk_status gk_guard_demand_in_tenant(const gk_guard_demand *demand,
                                    const char *tenant,
                                    size_t tenant_len,
                                    gk_guard_demand **narrower,
                                    gk_error *err);

/**
 * Whether everybody is let in, without a look at credentials: for a service that lists its routes.
 *
 * @param demand The demand.
 * @return True if it is; false for NULL.
 */
bool gk_guard_demand_is_public(const gk_guard_demand *demand);

/**
 * Shares a demand.
 *
 * @param demand The demand; NULL is fine.
 * @return Another handle to the same, to be freed with gk_guard_demand_free; NULL for NULL.
 */
gk_guard_demand *gk_guard_demand_clone(const gk_guard_demand *demand);

/**
 * Frees a handle to a demand.
 *
 * @param demand The handle, which must not be used again; NULL is fine.
 */
void gk_guard_demand_free(gk_guard_demand *demand);

/**
 * Begins a guard that takes nothing.
 *
 * @return The builder, to be freed with gk_guard_builder_free.
 */
gk_guard_builder *gk_guard_builder_new(void);

/**
 * Frees a builder.
 *
 * @param builder The builder, which must not be used again; NULL is fine.
 */
void gk_guard_builder_free(gk_guard_builder *builder);

/**
 * Takes these API keys: `Authorization: Api-Key` or `Bearer`, and `X-API-Key`.
 *
 * @param builder The builder.
 * @param keys The keys, which are shared.
 */
void gk_guard_builder_api_keys(gk_guard_builder *builder, const gk_api_keys *keys);

/**
 * Takes the access tokens of these sessions, as their signer makes them: `Authorization: Bearer`,
 * and with gk_guard_builder_cookies the session's cookie. Their tenant is in the claim `tenant`,
 * unless the tokens of others say another.
 *
 * @param builder The builder.
 * @param sessions The sessions, which are shared.
 */
void gk_guard_builder_sessions(gk_guard_builder *builder, const gk_sessions *sessions);

/**
 * Takes the tokens of others, as this resource server would: JWTs of issuers, and opaque tokens.
 * What is said there of API keys holds unless gk_guard_builder_api_keys says more.
 *
 * @param builder The builder.
 * @param tokens The resource server while it is put together; copied as it is now.
 */
void gk_guard_builder_tokens(gk_guard_builder *builder, const gk_resource_server_builder *tokens);

/**
 * Refuses tokens of others that are on this list. Those of gk_guard_builder_sessions are refused
 * by the sessions' own.
 *
 * @param builder The builder.
 * @param revocations The list, which is shared.
 */
void gk_guard_builder_revocations(gk_guard_builder *builder, const gk_revocations *revocations);

/**
 * The sessions are in these cookies, too; and a request that a cookie proves shows that no other
 * site has caused it.
 *
 * @param builder The builder.
 * @param cookies The cookies; copied.
 */
void gk_guard_builder_cookies(gk_guard_builder *builder, const gk_session_cookies *cookies);

/**
 * An origin of our own pages; several calls, several origins. Compared with what browsers say of a
 * request (`Origin`), never with `Host`. Without any, only `Sec-Fetch-Site` is believed, and no
 * cookie opens a websocket.
 *
 * @param builder The builder.
 * @param origin Such as `https://shop.example`; copied.
 * @param origin_len Its length in bytes.
 */
void gk_guard_builder_origin(gk_guard_builder *builder, const char *origin, size_t origin_len);

/**
 * Believes this proxy, or network of proxies, whom it speaks for; several calls, several.
 *
 * @param builder The builder.
 * @param network An address, a network such as `10.0.0.0/8`, or `unix` for a Unix socket; copied.
 * @param network_len Its length in bytes.
 */
void gk_guard_builder_trusted_proxy(gk_guard_builder *builder,
                                    const char *network,
                                    size_t network_len);

/**
 * The one header by which the proxies say so. For `Forwarded` (RFC 7239) its `for` is read, of any
 * other a list of addresses. No other header is looked at.
 *
 * @param builder The builder.
 * @param name `X-Forwarded-For` unless set; copied.
 * @param name_len Its length in bytes.
 */
void gk_guard_builder_forwarded_header(gk_guard_builder *builder,
                                       const char *name,
                                       size_t name_len);

/**
 * The server drops headers with an underscore in their name, so that where names collapse
 * (GK_GUARD_COLLAPSED_NAMES) a client cannot forge gk_guard_builder_forwarded_header. nginx does.
 *
 * @param builder The builder.
 */
void gk_guard_builder_exact_names(gk_guard_builder *builder);

/**
 * The header of API keys.
 *
 * @param builder The builder.
 * @param name `X-API-Key` unless set; copied.
 * @param name_len Its length in bytes.
 */
void gk_guard_builder_api_key_header(gk_guard_builder *builder, const char *name, size_t name_len);

/**
 * The header in which our own pages send the CSRF token.
 *
 * @param builder The builder.
 * @param name `X-CSRF-Token` unless set; copied.
 * @param name_len Its length in bytes.
 */
void gk_guard_builder_csrf_header(gk_guard_builder *builder, const char *name, size_t name_len);

/**
 * What challenges name as the realm (RFC 9110 section 11.5).
 *
 * @param builder The builder.
 * @param realm 1 to 128 visible ASCII characters and spaces, without quotes and backslashes;
 * copied.
 * @param realm_len Its length in bytes.
 */
void gk_guard_builder_realm(gk_guard_builder *builder, const char *realm, size_t realm_len);

/**
 * Where gk_guard_metadata is served, for challenges (RFC 9728 section 5.1).
 *
 * @param builder The builder.
 * @param url The address; copied.
 * @param url_len Its length in bytes.
 */
void gk_guard_builder_metadata_url(gk_guard_builder *builder, const char *url, size_t url_len);

/**
 * How many bits of an IPv6 address make one caller of limits.
 *
 * @param builder The builder.
 * @param bits 64 unless set; 32 to 128, others are refused by gk_guard_builder_build.
 */
void gk_guard_builder_ipv6_prefix(gk_guard_builder *builder, uint8_t bits);

/**
 * Where the limits of demands are counted together with other machines: see
 * gk_store_options_limits, which holds for a guard over what is in that store. Unless set in one
 * of the two, each process counts for itself.
 *
 * @param builder The builder.
 * @param url The server's URL; copied. gk_guard_builder_build reports one that is none.
 * @param url_len Its length in bytes.
 */
void gk_guard_builder_limits(gk_guard_builder *builder, const char *url, size_t url_len);

/**
 * Takes the time from a callback. Sessions and API keys have their own.
 *
 * @param builder The builder.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_guard_builder_clock(gk_guard_builder *builder,
                            gk_clock_fn now,
                            void *user,
                            gk_release_fn release);

/**
 * Makes the guard. Keys of issuers are fetched now, so that a wrong address shows in time; if
 * their issuer is out of reach, with the first token.
 *
 * @param builder The builder, which can be used again.
 * @param guard Receives the guard, to be freed with gk_guard_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if nobody would be
 * let in, or a setting is not acceptable, which gk_error_claim names; those of
 * gk_resource_server_builder_build.
 */
GK_NODISCARD
gk_status gk_guard_builder_build(const gk_guard_builder *builder,
                                 gk_guard **guard,
                                 gk_error *err);

/**
 * Shares a guard.
 *
 * @param guard The guard; NULL is fine.
 * @return Another handle to the same, to be freed with gk_guard_free; NULL for NULL.
 */
gk_guard *gk_guard_clone(const gk_guard *guard);

/**
 * Frees a handle to a guard.
 *
 * @param guard The handle, which must not be used again; NULL is fine.
 */
void gk_guard_free(gk_guard *guard);

/**
 * Decides a request. May wait for the store or another server; see gk_guard_try_check.
 *
 * @param guard The guard.
 * @param request The request; borrowed for the call.
 * @param demand What the route demands.
 * @param decision Receives the decision, of a refusal as well, to be freed with
 * gk_guard_decision_free; NULL if the arguments cannot be used, which is answered as 500.
 * @param err Receives why the caller is refused, for the log; may be NULL.
 * @return GK_STATUS_OK if the application goes on; otherwise the reason, and the answer is in the
 * decision.
 */
GK_NODISCARD
gk_status gk_guard_check(const gk_guard *guard,
                         const gk_guard_request *request,
                         const gk_guard_demand *demand,
                         gk_guard_decision **decision,
                         gk_error *err);

/**
 * As gk_guard_check, from memory alone: for event loops. Where a store, a slow hash or another
 * server is to be asked, nothing is decided and nothing was taken: then call gk_guard_check in a
 * thread that may wait, or drive a gk_guard_attempt.
 *
 * @param guard The guard.
 * @param request The request; borrowed for the call.
 * @param demand What the route demands.
 * @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if memory
 * is not enough for one, or the arguments cannot be used.
 * @param err Receives why the caller is refused, for the log; may be NULL.
 * @return As gk_guard_check; GK_STATUS_STORE_UNAVAILABLE with a decision of NULL if memory is not
 * enough.
 */
GK_NODISCARD
gk_status gk_guard_try_check(const gk_guard *guard,
                             const gk_guard_request *request,
                             const gk_guard_demand *demand,
                             gk_guard_decision **decision,
                             gk_error *err);

/**
 * Checks that callers of a guard can meet a demand, for services that make their routes before
 * they take requests. The first request of each demand asks the same, and all of a demand that
 * cannot be met are answered with 500.
 *
 * @param guard The guard.
 * @param demand What a route demands.
 * @param err Receives the error; its claim names what is demanded: kinds, of which the guard takes
 * none, or API keys alone where claims or a sign-in are demanded; pair, alike; tenant, which no
 * credential that is taken has; limit, whose name another demand has with another rate. May be
 * NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION.
 */
GK_NODISCARD
gk_status gk_guard_check_demand(const gk_guard *guard,
                                const gk_guard_demand *demand,
                                gk_error *err);

/**
 * The answer of a refusal that the program decides itself, in the form of all others: a limit of
 * its own, a part of it that is out of reach.
 *
 * @param guard The guard.
 * @param reason Why, such as GK_STATUS_INSUFFICIENT_SCOPE; a number that is no status counts as
 * GK_STATUS_INTERNAL.
 * @param demand What the route demands.
 * @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if the
 * arguments cannot be used.
 * @param err Receives the reason; may be NULL.
 * @return The reason; never GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_guard_refuse(const gk_guard *guard,
                          gk_status reason,
                          const gk_guard_demand *demand,
                          gk_guard_decision **decision,
                          gk_error *err);

/**
 * Starts a session for the subject that has logged in: the decision's headers set its cookies. All
 * of them are new, whatever cookies the request has brought. May wait for the store.
 *
 * @param guard The guard.
 * @param subject Who has logged in: 1 to 255 bytes.
 * @param subject_len Its length in bytes.
 * @param spec What the session is to be like; NULL for nothing but its subject.
 * @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; those of gk_sessions_start; GK_STATUS_INVALID_CONFIGURATION if the guard
 * has no sessions or no cookies; GK_STATUS_INVALID_ARGUMENT if the claims are too many for a
 * cookie. If the call fails, there is no session.
 */
GK_NODISCARD
gk_status gk_guard_log_in(const gk_guard *guard,
                          const char *subject,
                          size_t subject_len,
                          const gk_session_spec *spec,
                          gk_guard_decision **decision,
                          gk_error *err);

/**
 * Exchanges the refresh cookie for new cookies: the answer of a route of its own, which is POST.
 * The request shows that it is of our own pages. Of two tabs that refresh at once both get the
 * same cookies; one that is late is answered with 401, and its answer clears nothing unless the
 * session is over. May wait for the store.
 *
 * @param guard The guard.
 * @param request The request; borrowed for the call.
 * @param claims What the access tokens say from now on, as in gk_session_spec_claims; NULL for
 * what they said before.
 * @param decision Receives the decision, of a refusal as well, to be freed with
 * gk_guard_decision_free; NULL if the arguments cannot be used.
 * @param err Receives why the caller is refused, for the log; may be NULL.
 * @return As gk_guard_check.
 */
GK_NODISCARD
gk_status gk_guard_refresh(const gk_guard *guard,
                           const gk_guard_request *request,
                           const gk_claims *claims,
                           gk_guard_decision **decision,
                           gk_error *err);

/**
 * Ends the session of the request, whichever of its tokens it brings, and clears its cookies: the
 * answer of a route of its own, which is POST. A request with cookies shows that it is of our own
 * pages. May wait for the store.
 *
 * @param guard The guard.
 * @param request The request; borrowed for the call.
 * @param decision Receives the decision, of a refusal as well, to be freed with
 * gk_guard_decision_free; NULL if the arguments cannot be used.
 * @param err Receives why the caller is refused, for the log; may be NULL.
 * @return As gk_guard_check.
 */
GK_NODISCARD
gk_status gk_guard_log_out(const gk_guard *guard,
                           const gk_guard_request *request,
                           gk_guard_decision **decision,
                           gk_error *err);

/**
 * Gives a CSRF token for the page of this request, whose form goes to a route with
 * gk_guard_demand_builder_own_pages: for its field, or the header. Only browsers need it that say
 * nothing of where a request comes from, which are older than 2023.
 *
 * @param guard The guard.
 * @param request The request for the page.
 * @param token Receives the token, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param set_cookie Receives the value of a `Set-Cookie` header that the page's answer must have,
 * to be freed with gk_buf_free; {NULL, 0} if the browser has the cookie already, or the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_CONFIGURATION if the guard has no cookies;
 * GK_STATUS_MALFORMED_REQUEST; GK_STATUS_REQUEST_TOO_LARGE; GK_STATUS_RANDOM_UNAVAILABLE.
 */
GK_NODISCARD
gk_status gk_guard_form_token(const gk_guard *guard,
                              const gk_guard_request *request,
                              gk_buf *token,
                              gk_buf *set_cookie,
                              gk_error *err);

/**
 * Gives the metadata of the API (RFC 9728 section 2), to be served as application/json at
 * gk_guard_metadata_path.
 *
 * @param guard The guard.
 * @param json Receives them, to be freed with gk_buf_free; {NULL, 0} if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_guard_metadata(const gk_guard *guard, gk_buf *json, gk_error *err);

/**
 * Gives what this process knows of the server that the limits are counted in together with other
 * machines: see gk_store_limits_state.
 *
 * @param guard The guard.
 * @param json Receives it, to be freed with gk_buf_free; {NULL, 0} if there is no such server, or
 * the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_guard_limits_state(const gk_guard *guard, gk_buf *json, gk_error *err);

/**
 * Gives the path that the metadata of the API are served at.
 *
 * @param guard The guard.
 * @param path Receives it, to be freed with gk_buf_free; {NULL, 0} if the API's identifier is no
 * address, or the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD gk_status gk_guard_metadata_path(const gk_guard *guard, gk_buf *path, gk_error *err);

/**
 * Frees a decision, with all that it has lent.
 *
 * @param decision The decision, which must not be used again; NULL is fine.
 */
void gk_guard_decision_free(gk_guard_decision *decision);

/**
 * Whether the application goes on.
 *
 * @param decision The decision.
 * @return True if it does; false for NULL.
 */
bool gk_guard_decision_is_allowed(const gk_guard_decision *decision);

/**
 * The HTTP status.
 *
 * @param decision The decision.
 * @return 200 if the application goes on, which then answers with its own; otherwise 400, 401,
 * 403, 429, 431 or 503, and 500 for a defect of the program and for NULL.
 */
uint16_t gk_guard_decision_http_status(const gk_guard_decision *decision);

/**
 * How many headers the answer has: of a refusal all; otherwise those that are added to the
 * application's own.
 *
 * @param decision The decision.
 * @return How many; 0 for NULL.
 */
size_t gk_guard_decision_headers_len(const gk_guard_decision *decision);

/**
 * Gives a header of the answer. `Vary` joins the application's own, `Set-Cookie` comes several
 * times.
 *
 * @param decision The decision.
 * @param index Which, from 0.
 * @return The header, lent by the decision, with a NUL behind its name and its value; {NULL, 0}
 * twice if there are fewer, and for NULL.
 */
gk_header gk_guard_decision_header_at(const gk_guard_decision *decision, size_t index);

/**
 * Gives the value of a header, the first if there are several.
 *
 * @param decision The decision.
 * @param name The name, in any case.
 * @param name_len Its length in bytes.
 * @return The value, lent by the decision, with a NUL behind it; {NULL, 0} if it is not there, and
 * for NULL.
 */
gk_str gk_guard_decision_header(const gk_guard_decision *decision,
                                const char *name,
                                size_t name_len);

/**
 * Gives the body of a refusal: application/problem+json (RFC 9457), which the header Content-Type
 * says.
 *
 * @param decision The decision.
 * @return The body, lent by the decision, with a NUL behind it; {NULL, 0} if the application goes
 * on, and for NULL.
 */
gk_str gk_guard_decision_body(const gk_guard_decision *decision);

/**
 * Gives why the caller was refused, for the log: it says more than the answer does. It is what the
 * call has given that made the decision.
 *
 * @param decision The decision.
 * @param err Receives the reason; may be NULL.
 * @return The reason; GK_STATUS_OK if the application goes on.
 */
gk_status gk_guard_decision_error(const gk_guard_decision *decision, gk_error *err);

/**
 * Gives who calls.
 *
 * @param decision The decision.
 * @return Who, which belongs to the decision; NULL of a refusal, and for NULL.
 */
const gk_access *gk_guard_decision_access(const gk_guard_decision *decision);

/**
 * Gives the session's new tokens, after gk_guard_log_in and gk_guard_refresh: for clients without
 * cookies. The cookies hold them already.
 *
 * @param decision The decision.
 * @param tokens Receives the tokens, to be freed with gk_session_tokens_free; all zero if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the decision made none.
 */
GK_NODISCARD
gk_status gk_guard_decision_tokens(const gk_guard_decision *decision,
                                   gk_session_tokens *tokens,
                                   gk_error *err);

/**
 * Begins an attempt, for one request.
 *
 * @return The attempt, to be freed with gk_guard_attempt_free.
 */
gk_guard_attempt *gk_guard_attempt_new(void);

/**
 * Frees an attempt.
 *
 * @param attempt The attempt, which must not be used again; NULL is fine.
 */
void gk_guard_attempt_free(gk_guard_attempt *attempt);

/**
 * Says whether gk_guard_attempt_check may wait for the store and for slow hashes: where it is
 * called in a thread that may. It asks no other server, either way.
 *
 * @param attempt The attempt.
 * @param may_wait False unless set: memory only.
 */
void gk_guard_attempt_may_wait(gk_guard_attempt *attempt, bool may_wait);

/**
 * Decides a request as far as it can. If it cannot, the decision is NULL, nothing was taken, and
 * gk_guard_attempt_about says whether another server is to be asked. If so, drive the operation
 * that gk_guard_attempt_operation gives, give its outcome to gk_guard_attempt_told and call this
 * again. If not, call this again in a thread, with gk_guard_attempt_may_wait.
 *
 * @param attempt The attempt.
 * @param guard The guard.
 * @param request The request, the same each time; borrowed for the call.
 * @param demand What the route demands.
 * @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if it
 * cannot be decided yet, or the arguments cannot be used.
 * @param err Receives why the caller is refused, for the log; may be NULL.
 * @return As gk_guard_check; GK_STATUS_STORE_UNAVAILABLE with a decision of NULL if it cannot be
 * decided yet.
 */
GK_NODISCARD
gk_status gk_guard_attempt_check(gk_guard_attempt *attempt,
                                 const gk_guard *guard,
                                 const gk_guard_request *request,
                                 const gk_guard_demand *demand,
                                 gk_guard_decision **decision,
                                 gk_error *err);

/**
 * Says what another server is to be asked about. While one operation is out, other attempts that
 * want to know about the same need none of their own: give its outcome to each of them.
 *
 * @param attempt The attempt.
 * @return A name for the question, valid until the attempt is used again; {NULL, 0} if the last
 * gk_guard_attempt_check has no question, and for NULL.
 */
gk_str gk_guard_attempt_about(const gk_guard_attempt *attempt);

/**
 * Gives the question as an operation to be driven (gk_operation_next, gk_operation_run).
 *
 * @param attempt The attempt.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if there is no question, or the operation was
 * given before.
 */
GK_NODISCARD
gk_status gk_guard_attempt_operation(gk_guard_attempt *attempt,
                                     gk_operation **operation,
                                     gk_error *err);

/**
 * Takes the outcome of an operation of this attempt's, or of another's about the same: what the
 * server has answered, or why it has not; the request is refused for that.
 *
 * @param attempt The attempt.
 * @param operation The operation, which is over, or has failed.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_INVALID_ARGUMENT if the operation is not over, or is another
 * kind of operation.
 */
GK_NODISCARD
gk_status gk_guard_attempt_told(gk_guard_attempt *attempt,
                                const gk_operation *operation,
                                gk_error *err);

/**
 * Begins the tokens that these keys have signed, each with its one algorithm. At least one
 * gk_former_tokens_claim is needed.
 *
 * @param keys The keys, which are shared.
 * @param user_claim The claim that names the user, who is a text or a whole number; copied.
 * @param user_claim_len Its length in bytes.
 * @param until The date from which on none of them is taken, in seconds since 1970.
 * @return The tokens, to be freed with gk_former_tokens_free.
 */
gk_former_tokens *gk_former_tokens_new(const gk_key_set *keys,
                                       const char *user_claim,
                                       size_t user_claim_len,
                                       uint64_t until);

/**
 * Frees the tokens; guards that take them are not affected.
 *
 * @param former The tokens, which must not be used again; NULL is fine.
 */
void gk_former_tokens_free(gk_former_tokens *former);

/**
 * A claim that tells access tokens from refresh tokens and others, which the same key has signed.
 *
 * @param former The tokens.
 * @param name The claim's name; copied.
 * @param name_len Its length in bytes.
 * @param json The value as JSON text, such as "\"access\"" with its quotes; copied.
 * @param json_len Its length in bytes.
 */
void gk_former_tokens_claim(gk_former_tokens *former,
                            const char *name,
                            size_t name_len,
                            const char *json,
                            size_t json_len);

/**
 * Their `iss`; without, they have none.
 *
 * @param former The tokens.
 * @param issuer The issuer; copied.
 * @param issuer_len Its length in bytes.
 */
void gk_former_tokens_issuer(gk_former_tokens *former, const char *issuer, size_t issuer_len);

/**
 * Their `aud`; several calls, one of several. Without, they have none.
 *
 * @param former The tokens.
 * @param audience The audience; copied.
 * @param audience_len Its length in bytes.
 */
void gk_former_tokens_audience(gk_former_tokens *former, const char *audience, size_t audience_len);

/**
 * How many seconds clocks may be off.
 *
 * @param former The tokens.
 * @param seconds 0 unless set; at most 600.
 */
void gk_former_tokens_leeway(gk_former_tokens *former, uint64_t seconds);

/**
 * Takes the access tokens of what the service had before, until their date. Their kind is
 * GK_ACCESS_JWT. Before each decision gk_guard_former_user tells whose the request brings.
 *
 * @param builder The builder.
 * @param former The tokens; copied as they are now.
 */
void gk_guard_builder_former_tokens(gk_guard_builder *builder, const gk_former_tokens *former);

/**
 * Tells whose former token a request brings, if it is good in all else: for programs whose guard
 * has gk_guard_builder_former_tokens. Look the user up. If it is active, name what is granted to
 * it (gk_former_user_scope), and decide by gk_guard_check_user; else decide without a user, which
 * refuses the token. From memory alone.
 *
 * @param guard The guard.
 * @param request The request; borrowed for the call.
 * @param user Receives the user, to be freed with gk_former_user_free; NULL if the request brings
 * no former token that is good, or the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_guard_former_user(const gk_guard *guard,
                               const gk_guard_request *request,
                               gk_former_user **user,
                               gk_error *err);

/**
 * Frees a user.
 *
 * @param user The user, which must not be used again; NULL is fine.
 */
void gk_former_user_free(gk_former_user *user);

/**
 * Who it is, as text; a number in decimal.
 *
 * @param user The user.
 * @return The name, valid as long as the user; {NULL, 0} for NULL.
 */
gk_str gk_former_user_subject(const gk_former_user *user);

/**
 * The token's claims.
 *
 * @param user The user.
 * @return The text of one JSON object, valid as long as the user; {NULL, 0} for NULL.
 */
gk_str gk_former_user_claims_json(const gk_former_user *user);

/**
 * Grants a scope; several calls, several. Of the token itself, nothing is granted.
 *
 * @param user The user, which the program knows to be active.
 * @param scope The scope; copied.
 * @param scope_len Its length in bytes.
 */
void gk_former_user_scope(gk_former_user *user, const char *scope, size_t scope_len);

/**
 * As gk_guard_check, of a request whose user the program has looked up, and knows to be active.
 *
 * @param guard The guard.
 * @param request The request; borrowed for the call.
 * @param user Whom gk_guard_former_user has told of this request; NULL as gk_guard_check.
 * @param demand What the route demands.
 * @param decision Receives the decision, of a refusal as well, to be freed with
 * gk_guard_decision_free; NULL if the arguments cannot be used, which is answered as 500.
 * @param err Receives why the caller is refused, for the log; may be NULL.
 * @return As gk_guard_check.
 */
GK_NODISCARD
gk_status gk_guard_check_user(const gk_guard *guard,
                              const gk_guard_request *request,
                              const gk_former_user *user,
                              const gk_guard_demand *demand,
                              gk_guard_decision **decision,
                              gk_error *err);

/**
 * As gk_guard_try_check, of a request whose user the program has looked up, and knows to be
 * active.
 *
 * @param guard The guard.
 * @param request The request; borrowed for the call.
 * @param user Whom gk_guard_former_user has told of this request; NULL as gk_guard_try_check.
 * @param demand What the route demands.
 * @param decision Receives the decision, to be freed with gk_guard_decision_free; NULL if memory
 * is not enough for one, or the arguments cannot be used.
 * @param err Receives why the caller is refused, for the log; may be NULL.
 * @return As gk_guard_try_check.
 */
GK_NODISCARD
gk_status gk_guard_try_check_user(const gk_guard *guard,
                                  const gk_guard_request *request,
                                  const gk_former_user *user,
                                  const gk_guard_demand *demand,
                                  gk_guard_decision **decision,
                                  gk_error *err);

/**
 * Has an attempt decide for a user whom the program has looked up, and knows to be active.
 *
 * @param attempt The attempt.
 * @param user Whom gk_guard_former_user has told of the attempt's request; copied. NULL for
 * nobody.
 */
void gk_guard_attempt_user(gk_guard_attempt *attempt, const gk_former_user *user);

/*
 * ==== Remote keys ====
 *
 * The keys of another server (its JWKS), fetched when needed and kept fresh.
 */

/**
 * The keys that an issuer publishes: fetched when they are first needed, and again when they are
 * not fresh any more or a token wants a key that is not known. Shared by reference count, safe to
 * use from several threads at once, and usable after a fork.
 */
struct gk_remote_key_set;

/**
 * Where keys are, or whose they are, how they are fetched and for how long they are believed. The
 * setters keep the first thing that was wrong, which gk_remote_key_set_new reports, and which
 * numbers are out of range.
 */
typedef struct gk_remote_key_set_options gk_remote_key_set_options;

/**
 * Keys of nowhere yet: an address or an issuer must be set.
 *
 * @return The options, to be freed with gk_remote_key_set_options_free.
 */
gk_remote_key_set_options *gk_remote_key_set_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_remote_key_set_options_free(gk_remote_key_set_options *options);

/**
 * Takes over the members of options in JSON: they override what was set before, and later calls
 * override them.
 *
 * What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
 * gk_error_claim names it.
 *
 * @param options The options.
 * @param json One JSON object with any of `url`, `issuer`, `metadata_url`, `ttl`, `min_ttl`,
 * `max_ttl`, `cooldown`, `max_stale` (seconds), `rsa_alg`, `allow_loopback_http` and
 * `deadline_ms`; borrowed for the call.
 * @param json_len Its length in bytes.
 */
void gk_remote_key_set_options_json(gk_remote_key_set_options *options,
                                    const char *json,
                                    size_t json_len);

/**
 * Where the keys are, instead of an issuer.
 *
 * @param options The options.
 * @param url An https address; copied.
 * @param url_len Its length in bytes.
 */
void gk_remote_key_set_options_url(gk_remote_key_set_options *options,
                                   const char *url,
                                   size_t url_len);

/**
 * Whose keys they are, instead of an address: its metadata say where they are (RFC 8414, OpenID
 * Connect Discovery).
 *
 * @param options The options.
 * @param issuer Its `iss`, an https address; copied.
 * @param issuer_len Its length in bytes.
 */
void gk_remote_key_set_options_issuer(gk_remote_key_set_options *options,
                                      const char *issuer,
                                      size_t issuer_len);

/**
 * Where the issuer's metadata are, if they are at none of the places that its address leads to.
 * They must name the issuer that is set, byte by byte.
 *
 * @param options The options.
 * @param url An https address; copied.
 * @param url_len Its length in bytes.
 */
void gk_remote_key_set_options_metadata_url(gk_remote_key_set_options *options,
                                            const char *url,
                                            size_t url_len);

/**
 * For how long keys are fresh if the issuer's `Cache-Control` does not say.
 *
 * @param options The options.
 * @param seconds 3600 unless set.
 */
void gk_remote_key_set_options_ttl(gk_remote_key_set_options *options, uint64_t seconds);

/**
 * The least and the most of what `Cache-Control: max-age` may say.
 *
 * @param options The options.
 * @param least Seconds, from 1; 60 unless set.
 * @param most Seconds, at most a year; 86400 unless set.
 */
void gk_remote_key_set_options_ttl_between(gk_remote_key_set_options *options,
                                           uint64_t least,
                                           uint64_t most);

/**
 * A token of an unknown key makes the keys be fetched again, once in this many seconds. What has
 * failed is tried again after a second, then after twice as long each time, up to this many
 * seconds.
 *
 * @param options The options.
 * @param seconds At most 86400; 30 unless set.
 */
void gk_remote_key_set_options_cooldown(gk_remote_key_set_options *options, uint64_t seconds);

/**
 * For how long after their last fetch keys are used although the issuer is out of reach.
 *
 * @param options The options.
 * @param seconds At most a year; 86400 unless set.
 */
void gk_remote_key_set_options_max_stale(gk_remote_key_set_options *options, uint64_t seconds);

/**
 * The algorithm of RSA keys that name none.
 *
 * @param options The options.
 * @param alg One of the GK_ALG_ constants but GK_ALG_ANY; GK_ALG_RS256 unless set.
 */
void gk_remote_key_set_options_rsa_alg(gk_remote_key_set_options *options, gk_alg alg);

/**
 * Allows plain http to this very machine, for tests.
 *
 * @param options The options.
 * @param allow False unless set.
 */
void gk_remote_key_set_options_allow_loopback_http(gk_remote_key_set_options *options, bool allow);

/**
 * How many milliseconds each request may take in all.
 *
 * @param options The options.
 * @param milliseconds 10000 unless set.
 */
void gk_remote_key_set_options_deadline_ms(gk_remote_key_set_options *options,
                                           uint64_t milliseconds);

/**
 * Takes the time from a callback.
 *
 * @param options The options.
 * @param now The clock.
 * @param user A pointer that is given back to `now`.
 * @param release Releases `user`; may be NULL. Called in any case, once.
 */
void gk_remote_key_set_options_clock(gk_remote_key_set_options *options,
                                     gk_clock_fn now,
                                     void *user,
                                     gk_release_fn release);

/**
 * Makes keys that are fetched when they are needed.
 *
 * @param options Where they are; copied.
 * @param http What carries the requests, which is shared; NULL if verifiers must never block: then
 * drive gk_remote_key_set_refresh yourself.
 * @param keys Receives the keys, to be freed with gk_remote_key_set_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if the address is
 * not https, there are an address and an issuer, or neither, or metadata_url without an issuer;
 * gk_error_claim names the member.
 */
GK_NODISCARD
gk_status gk_remote_key_set_new(const gk_remote_key_set_options *options,
                                const gk_http *http,
                                gk_remote_key_set **keys,
                                gk_error *err);

/**
 * Shares keys.
 *
 * @param keys The keys; NULL is fine.
 * @return Another handle to the same keys, to be freed with gk_remote_key_set_free; NULL for NULL.
 */
gk_remote_key_set *gk_remote_key_set_clone(const gk_remote_key_set *keys);

/**
 * Frees a handle to keys; verifiers that follow them are not affected.
 *
 * @param keys The handle, which must not be used again; NULL is fine.
 */
void gk_remote_key_set_free(gk_remote_key_set *keys);

/**
 * Whether it is time to fetch the keys: there are no keys yet, or they are not fresh any more.
 *
 * @param keys The keys.
 * @return True if it is; false for NULL.
 */
bool gk_remote_key_set_wants_refresh(const gk_remote_key_set *keys);

/**
 * Fetches the keys now; while another fetch is under way, what comes of that is waited for instead
 * (GK_STEP_WAIT). The operation ends with nothing: an empty text.
 *
 * @param keys The keys.
 * @param operation Receives the operation, to be freed with gk_operation_free; NULL if the call
 * fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK.
 */
GK_NODISCARD
gk_status gk_remote_key_set_refresh(const gk_remote_key_set *keys,
                                    gk_operation **operation,
                                    gk_error *err);

/**
 * The keys as they are now, fetched if need be; with what was skipped of them, which
 * gk_key_set_skipped and its neighbours tell.
 *
 * @param keys The keys.
 * @param key_set Receives the set, to be freed with gk_key_set_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; GK_STATUS_OAUTH_SERVER_FAILED and others of the OAuth and transport blocks
 * if there are no keys.
 */
GK_NODISCARD
gk_status gk_remote_key_set_keys(const gk_remote_key_set *keys,
                                 gk_key_set **key_set,
                                 gk_error *err);

/*
 * ==== Transport ====
 *
 * What carries requests to other servers, for programs without an event loop of their own.
 */

/**
 * The built-in transport: blocking, HTTPS only, no redirects; no proxy and nothing from the
 * environment unless it is asked for. Connections are kept for 15 seconds for requests that may be
 * asked twice: metadata, keys, user info and introspection. Shared by reference count, safe to use
 * from several threads at once, and usable after a fork.
 */
struct gk_http;

/**
 * How the built-in transport connects. The setters keep the first thing that was wrong, which
 * gk_http_new reports, and which numbers are out of range.
 */
typedef struct gk_http_options gk_http_options;

/**
 * https to any address but those of the link itself, with Mozilla's authorities; 10 seconds in
 * all.
 *
 * @return The options, to be freed with gk_http_options_free.
 */
gk_http_options *gk_http_options_new(void);

/**
 * Frees options.
 *
 * @param options The options, which must not be used again; NULL is fine.
 */
void gk_http_options_free(gk_http_options *options);

/**
 * Takes over the members of options in JSON: they override what was set before, and later calls
 * override them.
 *
 * What is not known or of another kind is reported as GK_STATUS_INVALID_CONFIGURATION, and
 * gk_error_claim names it.
 *
 * @param options The options.
 * @param json One JSON object with any of `allow_loopback_http`, `public_only`, `deadline_ms`,
 * `connect_ms`, `ca_pem`, `client_certificate_pem`, `client_key_pem` and `proxy`; at most 1 MiB,
 * borrowed for the call.
 * @param json_len Its length in bytes.
 */
void gk_http_options_json(gk_http_options *options, const char *json, size_t json_len);

/**
 * Allows plain http to this very machine, for tests.
 *
 * @param options The options.
 * @param allow False unless set.
 */
void gk_http_options_allow_loopback_http(gk_http_options *options, bool allow);

/**
 * Reaches only public addresses, checked when connecting: for addresses that a caller may have
 * had a say in.
 *
 * @param options The options.
 * @param only False unless set.
 */
void gk_http_options_public_only(gk_http_options *options, bool only);

/**
 * The most milliseconds that a request may take in all, whatever it asks for.
 *
 * @param options The options.
 * @param milliseconds 1 to 120000; 10000 unless set.
 */
void gk_http_options_deadline_ms(gk_http_options *options, uint64_t milliseconds);

/**
 * The most milliseconds that connecting may take.
 *
 * @param options The options.
 * @param milliseconds 1 to 120000; 5000 unless set.
 */
void gk_http_options_connect_ms(gk_http_options *options, uint64_t milliseconds);

/**
 * Sends https requests through a proxy, by CONNECT: TLS is spoken with the other server itself.
 * Plain http to this machine never goes through it.
 *
 * The proxy looks names up, so that gk_http_options_public_only cannot be kept: gk_http_new
 * refuses both together with GK_STATUS_INVALID_CONFIGURATION, as it does an address that cannot
 * be read; gk_error_claim is `proxy`.
 *
 * @param options The options.
 * @param proxy `http://[user[:password]@]host[:port]`, user and password percent-encoded; or
 * `environment` for what https_proxy, all_proxy and no_proxy say, in small or capital letters,
 * when gk_http_new is called, if they say anything. Copied, and wiped in the end.
 * @param proxy_len Its length in bytes.
 */
void gk_http_options_proxy(gk_http_options *options, const char *proxy, size_t proxy_len);

/**
 * Trusts these certificate authorities instead of Mozilla's.
 *
 * @param options The options.
 * @param pem Certificates; copied.
 * @param pem_len Its length in bytes.
 */
void gk_http_options_ca_pem(gk_http_options *options, const char *pem, size_t pem_len);

/**
 * Presents a certificate to servers that ask for one (RFC 8705).
 *
 * @param options The options.
 * @param chain The certificate and those that it was signed with; copied.
 * @param chain_len Its length in bytes.
 * @param key Its private key; copied, and wiped in the end.
 * @param key_len Its length in bytes.
 */
void gk_http_options_client_certificate_pem(gk_http_options *options,
                                            const char *chain,
                                            size_t chain_len,
                                            const char *key,
                                            size_t key_len);

/**
 * Makes a transport.
 *
 * @param options How it connects; copied. NULL for the usual options.
 * @param http Receives the transport, to be freed with gk_http_free; NULL if the call fails.
 * @param err Receives the error; may be NULL.
 * @return GK_STATUS_OK; what was wrong first; GK_STATUS_INVALID_CONFIGURATION if a certificate or
 * key cannot be used, or the proxy; gk_error_claim names the member. GK_STATUS_UNSUPPORTED if this
 * build has no transport: drive the operations yourself.
 */
GK_NODISCARD gk_status gk_http_new(const gk_http_options *options, gk_http **http, gk_error *err);

/**
 * Shares a transport.
 *
 * @param http The transport; NULL is fine.
 * @return Another handle to the same transport, to be freed with gk_http_free; NULL for NULL.
 */
gk_http *gk_http_clone(const gk_http *http);

/**
 * Frees a handle to a transport; what shares it is not affected.
 *
 * @param http The handle, which must not be used again; NULL is fine.
 */
void gk_http_free(gk_http *http);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GATEKEY_H */
