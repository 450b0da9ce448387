//! `ErrorKind`: the one table that every language binding is checked against.
//!
//! One kind = one number = one C status = one Python class = one HTTP status = one text for the
//! caller. The comments of the C statuses, C++'s enumerators and the rows of `docs/errors.md` are
//! rendered from it (`make errors`; `tests/errors.rs` checks). Numbers come in blocks: 1-99 misuse
//! and internal, 1000s token, 2000s key, 3000s API key, 4000s session and cookie, 5000s OAuth and
//! incoming requests, 6000s store, 7000s transport. They are never reused, and none lies in 100 to
//! 599: a log line or a C program that shows such a number shows an HTTP status, and one that takes
//! the one for the other is found at once. (Were "the session has ended" 404, it would be answered
//! as such, though it is a 401.)

use std::fmt;

/// Whose fault it is, and so whether the answer is 4xx, 500 or 503.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// What a caller of the API presented is refused.
    Rejected,
    /// The program that uses gatekey made the mistake.
    Misuse,
    /// Something that gatekey depends on is out of reach.
    Unavailable,
    /// gatekey's own.
    Defect,
}

/// Whether the same call may succeed later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Later {
    Retry,
    Final,
}

/// What the caller of an API may read; see [`ErrorKind::public_message`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Of its log-in, at another server.
    SignIn,
    /// That a sign-in must be newer or stronger.
    Stronger,
    /// That it lacks a scope.
    Scope,
    /// That it brings more than one credential.
    Several,
    /// That it brings none.
    Nothing,
    Token,
    ApiKey,
    Session,
    Malformed,
    Denied,
    Absent,
    TooMany,
    Later,
    Failed,
}

/// The columns: Rust's name = number, code, Python's class, whose fault, HTTP status, whether to
/// try again, what the caller may read; summary; what to do. The comment above is that of the C
/// status as well.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $code:literal, $python:literal,
       $fault:ident $http:literal $later:ident $told:ident,
       $summary:literal,
       $remedy:literal;)+) => {
        /// What went wrong, as one stable number shared by Rust, C, C++ and Python.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl ErrorKind {
            /// Every kind, in ascending order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The Rust name, for example `InvalidSignature`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// The name for programs, metrics and answers, for example `invalid_signature`:
            /// Python's `error.code`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The Python class under `gatekey.exceptions`, for example `InvalidSignatureError`.
            #[must_use]
            pub const fn python_class(self) -> &'static str {
                match self { $(Self::$name => $python),+ }
            }

            /// One sentence that says what this kind means, whatever the call.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$name => $summary),+ }
            }

            /// What it means, as the documentation says: longer than [`Self::summary`].
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }.trim_start()
            }

            /// What to do about it: for who runs or writes the program, in Markdown.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),+ }
            }

            /// What an HTTP service answers: 400, 401, 403, 404, 429 or 431 where the caller was
            /// refused (RFC 6750 section 3.1, RFC 6585), 503 where something is out of reach, 500
            /// otherwise.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $http),+ }
            }

            const fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault),+ }
            }

            const fn later(self) -> Later {
                match self { $(Self::$name => Later::$later),+ }
            }

            pub(super) const fn told(self) -> Told {
                match self { $(Self::$name => Told::$told),+ }
            }

            /// The kind with this number, if there is one.
            #[must_use]
            pub const fn from_number(number: i32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// A defect in gatekey itself; please report it.
    Internal = 1, "internal", "InternalError", Defect 500 Final Failed,
        "gatekey met a defect of its own.",
        "Report it; the message names the place.";
    /// An argument is out of range, NULL, not UTF-8 or of the wrong shape.
    InvalidArgument = 2, "invalid_argument", "UsageError", Misuse 500 Final Failed,
        "An argument is not acceptable.",
        "Read the message and correct the call.";
    /// A policy, signer or verifier contradicts itself or is incomplete.
    InvalidConfiguration = 3, "invalid_configuration", "ConfigurationError", Misuse 500 Final Failed,
        "The configuration contradicts itself or is incomplete.",
        "Correct the policy, signer or verifier; the message names the contradiction. It happens at start-up, or when an issuer's metadata are fetched and name another issuer: write the issuer as they do.";
    /// This part of gatekey was not built into the library at hand.
    Unsupported = 4, "unsupported", "UnsupportedError", Misuse 500 Final Failed,
        "This build of gatekey does not contain the requested part.",
        "Use a build of gatekey that has the part.";
    /// The operating system's random number generator failed.
    RandomUnavailable = 5, "random_unavailable", "RandomUnavailableError", Unavailable 503 Retry Later,
        "The system's random number generator failed.",
        "Answer 503 and try again; the system is in trouble.";

    /// The token is not a JWS compact serialization of a JSON object (RFC 7515 section 7.1).
    MalformedToken = 1000, "malformed_token", "DecodeError", Rejected 401 Final Token,
        "The token is malformed.",
        "Answer 401. If your own signer made it, look at how the token is carried: cut, quoted, or with `Bearer` in front.";
    /// The signature or MAC does not match. Always wins over a claim error.
    InvalidSignature = 1001, "invalid_signature", "InvalidSignatureError", Rejected 401 Final Token,
        "The signature is not valid.",
        "Answer 401. If it is your own token, the verifier holds another key than the signer.";
    /// `exp` is now or in the past (RFC 7519 section 4.1.4).
    Expired = 1002, "expired", "ExpiredSignatureError", Rejected 401 Final Token,
        "The token has expired.",
        "Answer 401; the client gets a new token.";
    /// `nbf` is in the future (RFC 7519 section 4.1.5).
    NotYetValid = 1003, "not_yet_valid", "ImmatureSignatureError", Rejected 401 Final Token,
        "The token is not valid yet.",
        "Answer 401. If it is a second or two, set `leeway` or correct the clocks.";
    /// `iss` is not the expected one, or is present and the policy says nothing about it.
    InvalidIssuer = 1004, "invalid_issuer", "InvalidIssuerError", Rejected 401 Final Token,
        "The issuer is not acceptable.",
        "Answer 401. If the policy is silent, expect the issuer or ignore it explicitly.";
    /// `aud` names no expected audience, or is present and the policy says nothing about it.
    InvalidAudience = 1005, "invalid_audience", "InvalidAudienceError", Rejected 401 Final Token,
        "The audience is not acceptable.",
        "Answer 401. If the policy is silent, expect the audience or ignore it explicitly.";
    /// The header's `typ` is not the expected one.
    InvalidType = 1006, "invalid_type", "InvalidTypeError", Rejected 401 Final Token,
        "The token type is not acceptable.",
        "Answer 401. If other types are meant to be accepted, expect them explicitly.";
    /// `sub` is not the expected one.
    InvalidSubject = 1007, "invalid_subject", "InvalidSubjectError", Rejected 401 Final Token,
        "The subject is not acceptable.",
        "Answer 401; the token is about another subject.";
    /// A claim the policy requires is absent.
    MissingClaim = 1008, "missing_claim", "MissingRequiredClaimError", Rejected 401 Final Token,
        "A required claim is missing.",
        "Answer 401. The error names the claim; the issuer must add it, or the policy must not demand it.";
    /// A registered claim has the wrong JSON type or an impossible value.
    InvalidClaim = 1009, "invalid_claim", "InvalidClaimError", Rejected 401 Final Token,
        "A claim has a wrong type or value.",
        "Answer 401. The error names the claim; the issuer must write it as RFC 7519 section 4.1 says.";
    /// gatekey does not implement the algorithm; `none` is not an algorithm.
    UnsupportedAlgorithm = 1010, "unsupported_algorithm", "UnsupportedAlgorithmError", Rejected 401 Final Token,
        "The algorithm is not supported.",
        "Answer 401. If it is your own issuer, have it sign with one of HS, RS or PS 256, 384, 512; ES256, ES384, ES512, ES256K; `EdDSA` or `Ed25519`; ML-DSA-44, -65, -87.";
    /// The header's `alg` is not the one the key is bound to.
    InvalidAlgorithm = 1011, "invalid_algorithm", "InvalidAlgorithmError", Rejected 401 Final Token,
        "The token's algorithm is not the one of the key.",
        "Answer 401. If it is your own issuer, bind the verifier's key to the algorithm it signs with.";
    /// The header lists an extension in `crit` that gatekey does not understand.
    UnsupportedCritical = 1012, "unsupported_critical", "UnsupportedCriticalError", Rejected 401 Final Token,
        "The token demands an extension that is not supported.",
        "Answer 401; the issuer demands an extension that gatekey does not have.";
    /// No key of the set fits the token's `kid` and `alg`.
    KeyNotFound = 1013, "key_not_found", "KeyNotFoundError", Rejected 401 Final Token,
        "No key fits the token.",
        "Answer 401. If the issuer has rotated its keys, load its key set again, at a bounded rate.";
    /// Several keys fit and the policy does not allow trying them.
    AmbiguousKey = 1014, "ambiguous_key", "AmbiguousKeyError", Rejected 401 Final Token,
        "More than one key fits.",
        "Answer 401. The message says whether `kid` is missing, two keys share it, or a skipped key has it too. Have the issuer name each key, or allow trying keys in the policy.";
    /// The token or one of its parts is longer than the policy allows.
    TokenTooLarge = 1015, "token_too_large", "TokenTooLargeError", Rejected 401 Final Token,
        "The token is too large.",
        "Answer 401. If such tokens are meant, raise `max_token_bytes` or `max_header_bytes`.";
    /// `iat` is in the future (beyond the leeway).
    IssuedInFuture = 1016, "issued_in_future", "InvalidIssuedAtError", Rejected 401 Final Token,
        "The token claims to be issued in the future.",
        "Answer 401. If it is a second or two, set `leeway` or correct the clocks.";
    /// `iat` is longer ago than the policy's maximal age.
    TooOld = 1017, "too_old", "TokenTooOldError", Rejected 401 Final Token,
        "The token was issued too long ago.",
        "Answer 401; the client gets a new token.";
    /// The token, its session, its subject or its key has been revoked.
    RevokedToken = 1018, "revoked_token", "RevokedTokenError", Rejected 401 Final Token,
        "The token has been revoked.",
        "Answer 401; the user logs in again.";
    /// The key that the token names is in the set, but cannot be used; the error says why.
    UnusableKey = 1019, "unusable_key", "UnusableKeyError", Rejected 401 Final Token,
        "The token's key is in the set, but cannot be used.",
        "Answer 401. The message says why the key was skipped; its owner must publish it so that it can be used, or the program must say its algorithm (`default_rsa`).";

    /// The key cannot be parsed or its parts do not form a key.
    InvalidKey = 2000, "invalid_key", "InvalidKeyError", Misuse 500 Final Failed,
        "The key is not valid.",
        "Export the key again, in the form the message names.";
    /// The key is too weak: RSA under 2048 bits, a short secret, a ROCA modulus.
    WeakKey = 2001, "weak_key", "WeakKeyError", Misuse 500 Final Failed,
        "The key is too weak.",
        "Generate a new key. For a legacy peer, and only then, use `danger_allow_weak`.";
    /// gatekey does not implement the key type or curve.
    UnsupportedKey = 2002, "unsupported_key", "UnsupportedKeyError", Misuse 500 Final Failed,
        "The type of the key is not supported.",
        "Use an `oct`, `RSA`, `EC` (P-256, P-384, P-521, secp256k1), `OKP` (Ed25519) or `AKP` (ML-DSA) key.";
    /// The private part does not belong to the public part.
    KeyPairMismatch = 2003, "key_pair_mismatch", "KeyPairMismatchError", Misuse 500 Final Failed,
        "The private key does not match the public key.",
        "Export the key again; its halves come from two keys.";
    /// `use`, `key_ops` or `alg` of the key forbids what is asked, or a public key is asked to
    /// sign.
    KeyUsage = 2004, "key_usage", "KeyUsageError", Misuse 500 Final Failed,
        "The key may not be used for this.",
        "Use the private key to sign, the public one to verify, and correct `use`, `key_ops` or `alg` of the JWK.";
    /// An HMAC secret that is really a PEM, DER, SSH or JWK key in some disguise.
    SecretLooksLikeKey = 2005, "secret_looks_like_key", "SecretLooksLikeKeyError", Misuse 500 Final Failed,
        "The HMAC secret looks like a public or private key.",
        "Load a public or private key with `from_pem`, `from_der` or `from_jwk`; a secret is random bytes.";
    /// A key set mixes symmetric and asymmetric keys.
    MixedKeySet = 2006, "mixed_key_set", "MixedKeySetError", Misuse 500 Final Failed,
        "A key set may not mix symmetric and asymmetric keys.",
        "Keep secrets and public keys in two sets, and two verifiers.";
    /// The algorithm cannot be told from the key alone (RSA, symmetric).
    AlgorithmRequired = 2007, "algorithm_required", "AlgorithmRequiredError", Misuse 500 Final Failed,
        "The key fits several algorithms; name one.",
        "Name the algorithm when loading the key, or put `alg` into the JWK.";
    /// A call that manages a key ring names a key that the ring does not have.
    RingKeyNotFound = 2008, "ring_key_not_found", "RingKeyNotFoundError", Rejected 404 Final Absent,
        "There is no such key in the ring.",
        "Look at `keys` of the ring: the key has been forgotten or removed.";
    /// A private key is encrypted, and no passphrase was given for it.
    PassphraseRequired = 2009, "passphrase_required", "PassphraseRequiredError", Misuse 500 Final Failed,
        "The private key is encrypted; give its passphrase.",
        "Give `passphrase` when loading it; on the command line `--passphrase-file`, `--passphrase-env`, or the prompt.";
    /// The passphrase given is not that of the private key, or the key was damaged.
    WrongPassphrase = 2010, "wrong_passphrase", "WrongPassphraseError", Misuse 500 Final Failed,
        "The passphrase is not that of the private key.",
        "Check it, with its line breaks and spaces; `openssl pkcs8 -in FILE` or `ssh-keygen -y -f FILE` tells whether the file is whole.";
    /// The callback that signs for a key in a KMS or HSM has failed, or has given no signature in
    /// time.
    KeyUnavailable = 2011, "key_unavailable", "KeyUnavailableError", Unavailable 503 Retry Later,
        "The key cannot sign now; the KMS or HSM that has it gave no signature.",
        "Try again later; see the callback's own error, which is the cause of this one.";

    /// The text is not an API key: wrong length, alphabet or checksum. It never reaches the store.
    MalformedApiKey = 3000, "malformed_api_key", "MalformedApiKeyError", Rejected 401 Final ApiKey,
        "The API key is not valid.",
        "Answer 401. A typo, a cut line or a scanner; the message to the caller is the same for 3000 to 3002.";
    /// No API key has the presented id in this environment and tenant.
    UnknownApiKey = 3001, "unknown_api_key", "UnknownApiKeyError", Rejected 401 Final ApiKey,
        "The API key is not valid.",
        "Answer 401; the message to the caller is the same for 3000 to 3002.";
    /// The id exists, the secret is not its own.
    BadApiKeySecret = 3002, "bad_api_key_secret", "BadApiKeySecretError", Rejected 401 Final ApiKey,
        "The API key is not valid.",
        "Answer 401. Many of them for one id: an attacker guesses, or an old key outlived its rotation.";
    /// The key is disabled; it can be enabled again.
    ApiKeyDisabled = 3003, "api_key_disabled", "ApiKeyDisabledError", Rejected 401 Final ApiKey,
        "The API key is disabled.",
        "Answer 401. Enable the key if that was a mistake.";
    /// The key is revoked for good.
    ApiKeyRevoked = 3004, "api_key_revoked", "ApiKeyRevokedError", Rejected 401 Final ApiKey,
        "The API key has been revoked.",
        "Answer 401. Issue a new key.";
    /// The key's time of expiry is now or in the past.
    ApiKeyExpired = 3005, "api_key_expired", "ApiKeyExpiredError", Rejected 401 Final ApiKey,
        "The API key has expired.",
        "Answer 401. Rotate the key or give it a later expiry.";
    /// The key's time of validity begins in the future.
    ApiKeyNotYetValid = 3006, "api_key_not_yet_valid", "ApiKeyNotYetValidError", Rejected 401 Final ApiKey,
        "The API key is not valid yet.",
        "Answer 401. Wait, or correct the clocks.";
    /// The caller's address is not on the key's allow-list, or was not given.
    ApiKeyAddress = 3007, "api_key_address", "ApiKeyAddressError", Rejected 403 Final Denied,
        "The API key may not be used from this address.",
        "Answer 403. Hand in the caller's address, not the proxy's, or widen the allow-list.";
    /// The key or token lacks a scope that the call requires (RFC 6750 section 3.1).
    InsufficientScope = 3008, "insufficient_scope", "InsufficientScopeError", Rejected 403 Final Scope,
        "The API key or token lacks a required scope.",
        "Answer 403. Grant the scope to the key.";
    /// The key's rate limit is reached; `retry_after` says when to come back.
    RateLimited = 3009, "rate_limited", "RateLimitedError", Rejected 429 Retry TooMany,
        "The API key is used too often.",
        "Answer 429 with `Retry-After`.";
    /// The key's credits are spent; `retry_after` says when the next refill is.
    CreditsExhausted = 3010, "credits_exhausted", "CreditsExhaustedError", Rejected 429 Final TooMany,
        "The API key has no credits left.",
        "Answer 429, with `Retry-After` where the credits refill.";
    /// A call that manages API keys names one that is not there.
    ApiKeyNotFound = 3011, "api_key_not_found", "ApiKeyNotFoundError", Rejected 404 Final Absent,
        "There is no such API key.",
        "Answer 404; look at the id. A purged key is gone, too.";

    /// A cookie's name comes twice, or its value holds what no cookie holds (RFC 6265bis).
    MalformedCookie = 4000, "malformed_cookie", "MalformedCookieError", Rejected 400 Final Malformed,
        "The cookie is malformed.",
        "Answer 400 and clear the cookie. If a name comes twice, another host of the domain may have planted one: name it `__Host-...`.";
    /// The request was caused by another site, or brings no CSRF token of its session.
    CsrfRejected = 4001, "csrf_rejected", "CsrfError", Rejected 403 Final Denied,
        "The request may have been forged by another site.",
        "Answer 403. If it was no forgery, the page is older than its session: have it loaded again.";
    /// The text is not a refresh token of ours, or its session is not known any more.
    InvalidRefreshToken = 4002, "invalid_refresh_token", "InvalidRefreshTokenError", Rejected 401 Final Session,
        "The refresh token is not valid.",
        "Answer 401 and clear the cookies; the user logs in again.";
    /// A refresh token was used a second time, so that an attacker may have it: the session has
    /// been ended.
    TokenReuse = 4003, "token_reuse", "TokenReuseError", Rejected 401 Final Session,
        "The refresh token was used before; the session has been ended.",
        "Answer 401 and clear the cookies; tell the user that another person may have used the session. If a client repeats requests later than the grace, raise it.";
    /// The session was logged out.
    SessionEnded = 4004, "session_ended", "SessionEndedError", Rejected 401 Final Session,
        "The session has been ended.",
        "Answer 401 and clear the cookies; the user logs in again.";
    /// The session was not refreshed in time, or has lasted for as long as a session may.
    SessionExpired = 4005, "session_expired", "SessionExpiredError", Rejected 401 Final Session,
        "The session has expired.",
        "Answer 401 and clear the cookies; the user logs in again.";
    /// There is no session with this id.
    SessionNotFound = 4006, "session_not_found", "SessionNotFoundError", Rejected 404 Final Absent,
        "There is no such session.",
        "Answer 404; it may have been purged.";

    /// The callback's `state` fits no log-in that this browser has begun in the last ten minutes
    /// (RFC 6749 section 10.12).
    OauthStateMismatch = 5000, "oauth_state_mismatch", "OAuthStateError", Rejected 400 Final SignIn,
        "The log-in was not begun by this browser, or too long ago.",
        "Begin the log-in again. If it happens to all users: the cookie does not come back; see that the site is on HTTPS and sends the cookie of `begin`. If it happens now and then, or after each start: give every process and worker the same `flow_keys`.";
    /// The callback's `iss` (RFC 9207) names another issuer than the one configured.
    OauthIssuerMismatch = 5001, "oauth_issuer_mismatch", "IssuerMismatchError", Rejected 400 Final SignIn,
        "The answer is from another authorization server than the one that was asked.",
        "Refuse the log-in: the callback, or a refresh token, is of another server; an attacker may be mixing up servers. Where metadata name another issuer than the configured one, the message has both names: put the right one into the configuration. Keys of an issuer (resource servers, verifiers) are refused for that as `InvalidConfiguration`.";
    /// The user, or the server's policy, said no (`access_denied`, RFC 6749 section 4.1.2.1).
    OauthAccessDenied = 5002, "oauth_access_denied", "AccessDeniedError", Rejected 403 Final Denied,
        "The user or the authorization server has denied the request.",
        "Tell the user that nothing was granted, and offer to begin again.";
    /// The server cannot answer without the user: `login_required`, `consent_required` and the like
    /// (OpenID Connect Core section 3.1.2.6).
    OauthInteractionRequired = 5003, "oauth_interaction_required", "InteractionRequiredError", Rejected 401 Final SignIn,
        "The authorization server wants to ask the user something first.",
        "Send the user through an ordinary log-in, without `prompt=none`.";
    /// The authorization server refused the code, refresh token or assertion for good
    /// (`invalid_grant`, RFC 6749 section 5.2).
    OauthInvalidGrant = 5004, "oauth_invalid_grant", "InvalidGrantError", Rejected 401 Final SignIn,
        "The code or refresh token is not good any more.",
        "Final: begin a new log-in. A code is good for one use and about a minute, and only with its own redirect URI.";
    /// The client's own authentication failed, or it may not do this (`invalid_client`,
    /// `unauthorized_client`).
    OauthInvalidClient = 5005, "oauth_invalid_client", "InvalidClientError", Misuse 500 Final Failed,
        "The authorization server does not accept this client.",
        "Correct the configuration: client id, secret or key, and `token_endpoint_auth_method` as the server has it.";
    /// The authorization server answered with any other error; `peer_code` names it.
    OauthRefused = 5006, "oauth_refused", "OAuthRefusedError", Misuse 500 Final Failed,
        "The authorization server refused the request.",
        "Read `peer_code` and `peer_message`: usually a scope, redirect URI or resource that the server does not know; for user info, a scope that was not granted.";
    /// The authorization server answered 5xx or 429, `server_error` or `temporarily_unavailable`.
    OauthServerFailed = 5007, "oauth_server_failed", "OAuthServerError", Unavailable 503 Retry Later,
        "The authorization server cannot answer now.",
        "Answer 503 and try again after `retry_after`; tokens that are there stay good.";
    /// The answer is not what the RFC asks for: no JSON object, a duplicate member, a token with
    /// control characters, another token type.
    OauthMalformedResponse = 5008, "oauth_malformed_response", "OAuthResponseError", Unavailable 503 Final Later,
        "The authorization server's answer is malformed.",
        "See that the endpoint is the right one; if it is, the server has a defect or needs a preset. `claim` names the member.";
    /// The ID token's `nonce` is not the one of this log-in (OpenID Connect Core section 3.1.3.7).
    OauthNonceMismatch = 5009, "oauth_nonce_mismatch", "NonceMismatchError", Rejected 401 Final SignIn,
        "The ID token belongs to another log-in.",
        "Refuse the log-in: a code or token of another log-in was slipped in.";
    /// The `sub` of the user info is not the one of the ID token (OpenID Connect Core section
    /// 5.3.2).
    OauthSubjectMismatch = 5010, "oauth_subject_mismatch", "SubjectMismatchError", Rejected 401 Final SignIn,
        "The user info is about another user.",
        "Refuse the log-in: tokens of two users were mixed.";
    /// The device code has expired before the user said yes or no (RFC 8628 section 3.5).
    OauthDeviceExpired = 5011, "oauth_device_expired", "DeviceCodeExpiredError", Rejected 401 Final SignIn,
        "The user did not enter the code in time.",
        "Begin again and show the new code.";
    /// The token manager has no token under this name, or the authorization server has ended it.
    OauthNoToken = 5012, "oauth_no_token", "NoTokenError", Rejected 401 Final SignIn,
        "There is no token to use; a log-in is needed.",
        "Send the user through the log-in again and `put` the new tokens.";
    /// There is no `Authorization` header, or another scheme than the ones accepted.
    MissingCredentials = 5013, "missing_credentials", "MissingCredentialsError", Rejected 401 Final Nothing,
        "The request brings no credentials.",
        "Answer 401 with the challenge; it names no error, as RFC 6750 section 3.1 asks.";
    /// The authorization server says that the token is expired, revoked or unknown (RFC 7662
    /// section 2.2).
    TokenInactive = 5014, "token_inactive", "InactiveTokenError", Rejected 401 Final Token,
        "The token is not active.",
        "Answer 401; the client gets a new token.";
    /// The token's `acr` or `auth_time` does not meet what this call demands (RFC 9470).
    InsufficientAuthentication = 5015, "insufficient_authentication", "InsufficientAuthenticationError", Rejected 401 Final Stronger,
        "The user must sign in again, or more strongly.",
        "Answer 401 with the challenge; the client sends the user to sign in as it says. If the message says that `auth_time` or `acr` is missing, have the issuer put it into access tokens.";
    /// The request brings more than one credential, in one place or in two (RFC 6750 sections 2 and
    /// 3.1).
    SeveralCredentials = 5016, "several_credentials", "SeveralCredentialsError", Rejected 400 Final Several,
        "The request brings more than one credential.",
        "Answer 400 with the challenge (`invalid_request`, RFC 6750 section 3.1). Where a request may bring two, say which decides (`decided_by`) or where it is (`place`).";
    /// HTTP does not allow the request: control characters in its path or in a header that is
    /// read (RFC 9110 section 5.5), or a header twice that is there once.
    MalformedRequest = 5017, "malformed_request", "MalformedRequestError", Rejected 400 Final Malformed,
        "The request is malformed.",
        "Answer 400. If it is your own client, or a proxy, the message says what it sends.";
    /// The request has more headers, or longer ones, than are read (RFC 6585 section 5).
    RequestTooLarge = 5018, "request_too_large", "RequestTooLargeError", Rejected 431 Final Malformed,
        "The request's headers are too large.",
        "Answer 431. If such requests are meant, look at which cookies and headers have grown.";

    /// The store cannot be reached or has been out of reach for longer than `max_stale`.
    StoreUnavailable = 6000, "store_unavailable", "StoreUnavailableError", Unavailable 503 Retry Later,
        "The store is out of reach.",
        "Answer 503 and try again; nothing was changed. An API key whose row is damaged, or under a pepper that this process was not given, is refused with this as well, and no other key.";
    /// The store, or a row of it, is damaged, was altered from outside, or is of a version that
    /// this library does not know.
    StoreCorrupt = 6001, "store_corrupt", "StoreCorruptError", Unavailable 503 Final Later,
        "The store holds something that is damaged.",
        "Restore the file from a backup. If a newer version of gatekey has migrated it, update this program too. Kept tokens of a `TokenManager`: sign in again.";
    /// The row has changed since it was read, or exists already.
    StoreConflict = 6002, "store_conflict", "StoreConflictError", Unavailable 503 Retry Later,
        "Another process or thread has changed this at the same time.",
        "Read it again and repeat the change.";
    /// The store is read-only: the file, its folder or the file system.
    StoreReadOnly = 6003, "store_read_only", "StoreReadOnlyError", Unavailable 503 Final Later,
        "The store cannot be written to.",
        "Give the process the right to write; verification continues meanwhile.";
    /// The disk is full; nothing was changed.
    StoreFull = 6004, "store_full", "StoreFullError", Unavailable 503 Final Later,
        "The store has no room left.",
        "Make room and repeat the change; verification continues meanwhile.";
    /// A pepper that the store's rows were made with is missing or has another value.
    WrongPepper = 6005, "wrong_pepper", "WrongPepperError", Misuse 500 Final Failed,
        "The pepper does not fit the store.",
        "Hand in the peppers that this store was made with, oldest first; without them its keys are lost. If it names `seal`: the secret that a `TokenManager`'s tokens were sealed with.";
    /// The store is older than its mark, such as a backup that was put back, or one of the two is
    /// missing: what was revoked since would be good again.
    StoreRestored = 6006, "store_restored", "StoreRestoredError", Unavailable 503 Final Later,
        "The store is older than its mark; acknowledge the restore.",
        "Put the newer store back, or accept this one with `gatekey store acknowledge-restore` ([backups.md](backups.md)); until then what was revoked since would be good again.";

    /// The name does not resolve, nothing listens there, or the connection broke.
    ConnectionFailed = 7000, "connection_failed", "ConnectionFailedError", Unavailable 503 Retry Later,
        "The other server cannot be reached.",
        "Answer 503 and try again; if it stays, look at names, routes and firewalls.";
    /// The whole answer was not there within the deadline (10 seconds unless set).
    DeadlineExceeded = 7001, "deadline_exceeded", "DeadlineExceededError", Unavailable 503 Retry Later,
        "The other server took too long.",
        "Answer 503 and try again later.";
    /// TLS could not be agreed on: the certificate is unknown, expired or for another name, or the
    /// version is too old.
    TlsFailed = 7002, "tls_failed", "TlsError", Unavailable 503 Final Later,
        "The other server's certificate is not acceptable.",
        "See that the URL names the right host; for a private authority, configure its certificate. Never switch checks off.";
    /// The URL is not HTTPS, names an address that the policy keeps out, or the answer was a
    /// redirect.
    RequestBlocked = 7003, "request_blocked", "RequestBlockedError", Misuse 500 Final Failed,
        "This address may not be asked.",
        "Use the final https URL; for tests on this machine allow loopback; a private address needs a policy that says so.";
    /// The answer's body or head is longer than what the operation takes (1 MiB, key sets and
    /// metadata 512 KiB).
    ResponseTooLarge = 7004, "response_too_large", "ResponseTooLargeError", Unavailable 503 Final Later,
        "The answer is too large.",
        "See that the endpoint is the right one: such answers have a few kilobytes.";
}

impl ErrorKind {
    /// The stable number: the C status and Python's `error.number`.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The C constant, for example `GK_STATUS_INVALID_SIGNATURE`.
    #[must_use]
    pub fn c_name(self) -> String {
        format!("GK_STATUS_{}", self.code().to_ascii_uppercase())
    }

    /// True when what a caller of the API presented was refused; answer [`Self::http_status`].
    #[must_use]
    pub const fn is_rejected(self) -> bool {
        matches!(self.fault(), Fault::Rejected)
    }

    /// True when the program that uses gatekey made the mistake; answer 500 and fix the program.
    #[must_use]
    pub const fn is_misuse(self) -> bool {
        matches!(self.fault(), Fault::Misuse)
    }

    /// True when something gatekey depends on is out of reach; answer 503 and try again later.
    #[must_use]
    pub const fn is_unavailable(self) -> bool {
        matches!(self.fault(), Fault::Unavailable)
    }

    /// True when the same call may succeed later: something was out of reach, or there was too much
    /// of it.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self.later(), Later::Retry)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.summary())
    }
}
