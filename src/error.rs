//! `Error`, `ErrorKind` and the one table that every language binding is checked against.
//!
//! One kind = one number = one C status = one Python class. Numbers come in blocks (1-99 misuse and
//! internal, 100s token, 200s key, 300s API key, 400s session, 500s OAuth peer, 600s store, 700s
//! transport) and are never reused. A message is one or more sentences of at most
//! [`Error::MAX_MESSAGE`] bytes and never holds a token, a key, a MAC or text an attacker chose.

use std::fmt;
use std::sync::Arc;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $python:literal, $summary:literal;)+) => {
        /// What went wrong, as one stable number shared by Rust, C, C++ and Python.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl ErrorKind {
            /// Every kind, in ascending order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The Rust name, for example `InvalidSignature`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
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

            /// The kind with this number, if there is one.
            #[must_use]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// A defect in gatekey itself; please report it.
    Internal = 1, "InternalError", "gatekey met a defect of its own.";
    /// An argument is out of range, NULL, not UTF-8 or of the wrong shape.
    InvalidArgument = 2, "UsageError", "An argument is not acceptable.";
    /// A policy, signer or verifier contradicts itself or is incomplete.
    InvalidConfiguration = 3, "ConfigurationError", "The configuration contradicts itself or is incomplete.";
    /// This part of gatekey was not built into the library at hand.
    Unsupported = 4, "UnsupportedError", "This build of gatekey does not contain the requested part.";
    /// The operating system's random number generator failed.
    RandomUnavailable = 5, "RandomUnavailableError", "The system's random number generator failed.";

    /// The token is not a JWS compact serialization of a JSON object (RFC 7515 section 7.1).
    MalformedToken = 100, "DecodeError", "The token is malformed.";
    /// The signature or MAC does not match. Always wins over a claim error.
    InvalidSignature = 101, "InvalidSignatureError", "The signature is not valid.";
    /// `exp` is now or in the past (RFC 7519 section 4.1.4).
    Expired = 102, "ExpiredSignatureError", "The token has expired.";
    /// `nbf` is in the future (RFC 7519 section 4.1.5).
    NotYetValid = 103, "ImmatureSignatureError", "The token is not valid yet.";
    /// `iss` is not the expected one, or is present and the policy says nothing about it.
    InvalidIssuer = 104, "InvalidIssuerError", "The issuer is not acceptable.";
    /// `aud` names nobody expected, or is present and the policy says nothing about it.
    InvalidAudience = 105, "InvalidAudienceError", "The audience is not acceptable.";
    /// The header's `typ` is not the expected one.
    InvalidType = 106, "InvalidTypeError", "The token type is not acceptable.";
    /// `sub` is not the expected one.
    InvalidSubject = 107, "InvalidSubjectError", "The subject is not acceptable.";
    /// A claim the policy requires is absent.
    MissingClaim = 108, "MissingRequiredClaimError", "A required claim is missing.";
    /// A registered claim has the wrong JSON type or an impossible value.
    InvalidClaim = 109, "InvalidClaimError", "A claim has a wrong type or value.";
    /// The algorithm is not one that gatekey implements; `none` is not an algorithm.
    UnsupportedAlgorithm = 110, "UnsupportedAlgorithmError", "The algorithm is not supported.";
    /// The header's `alg` is not the one the key is bound to.
    InvalidAlgorithm = 111, "InvalidAlgorithmError", "The token's algorithm is not the one of the key.";
    /// The header lists an extension in `crit` that gatekey does not understand.
    UnsupportedCritical = 112, "UnsupportedCriticalError", "The token demands an extension that is not supported.";
    /// No key of the set fits the token's `kid` and `alg`.
    KeyNotFound = 113, "KeyNotFoundError", "No key fits the token.";
    /// Several keys fit and the policy does not allow trying them.
    AmbiguousKey = 114, "AmbiguousKeyError", "More than one key fits.";
    /// The token or one of its parts is longer than the policy allows.
    TokenTooLarge = 115, "TokenTooLargeError", "The token is too large.";
    /// `iat` is in the future (beyond the leeway).
    IssuedInFuture = 116, "InvalidIssuedAtError", "The token claims to be issued in the future.";
    /// `iat` is longer ago than the policy's maximal age.
    TooOld = 117, "TokenTooOldError", "The token was issued too long ago.";
    /// The token, its session, its subject or its key has been revoked.
    RevokedToken = 118, "RevokedTokenError", "The token has been revoked.";

    /// The key cannot be parsed or its parts do not form a key.
    InvalidKey = 200, "InvalidKeyError", "The key is not valid.";
    /// The key is too weak: RSA under 2048 bits, a short secret, a ROCA modulus.
    WeakKey = 201, "WeakKeyError", "The key is too weak.";
    /// The key type or curve is not one that gatekey implements.
    UnsupportedKey = 202, "UnsupportedKeyError", "The type of the key is not supported.";
    /// The private part does not belong to the public part.
    KeyPairMismatch = 203, "KeyPairMismatchError", "The private key does not match the public key.";
    /// `use`, `key_ops` or `alg` of the key forbids what is asked, or a public key is asked to sign.
    KeyUsage = 204, "KeyUsageError", "The key may not be used for this.";
    /// An HMAC secret that is really a PEM, DER, SSH or JWK key in some disguise.
    SecretLooksLikeKey = 205, "SecretLooksLikeKeyError", "The HMAC secret looks like a public or private key.";
    /// A key set mixes symmetric and asymmetric keys.
    MixedKeySet = 206, "MixedKeySetError", "A key set may not mix symmetric and asymmetric keys.";
    /// The algorithm cannot be told from the key alone (RSA, symmetric).
    AlgorithmRequired = 207, "AlgorithmRequiredError", "The key fits several algorithms; name one.";

    /// The text is not an API key: wrong length, alphabet or checksum. It never reaches the store.
    MalformedApiKey = 300, "MalformedApiKeyError", "The API key is not valid.";
    /// No API key has this id in this environment and tenant.
    ApiKeyNotFound = 301, "ApiKeyNotFoundError", "The API key is not valid.";
    /// The id exists, the secret is not its own.
    BadApiKeySecret = 302, "BadApiKeySecretError", "The API key is not valid.";
    /// The key is disabled; it can be enabled again.
    ApiKeyDisabled = 303, "ApiKeyDisabledError", "The API key is disabled.";
    /// The key is revoked for good.
    ApiKeyRevoked = 304, "ApiKeyRevokedError", "The API key has been revoked.";
    /// The key's time of expiry is now or in the past.
    ApiKeyExpired = 305, "ApiKeyExpiredError", "The API key has expired.";
    /// The key's time of validity begins in the future.
    ApiKeyNotYetValid = 306, "ApiKeyNotYetValidError", "The API key is not valid yet.";
    /// The caller's address is not on the key's allow-list, or was not given.
    ApiKeyAddress = 307, "ApiKeyAddressError", "The API key may not be used from this address.";
    /// The key or token lacks a scope that the call requires (RFC 6750 section 3.1).
    InsufficientScope = 308, "InsufficientScopeError", "The API key or token lacks a required scope.";
    /// The key's rate limit is reached; `retry_after` tells when to come back.
    RateLimited = 309, "RateLimitedError", "The API key is used too often.";
    /// The key's credits are spent; `retry_after` tells of the next refill.
    CreditsExhausted = 310, "CreditsExhaustedError", "The API key has no credits left.";

    /// A cookie's name comes twice, or its value holds what no cookie holds (RFC 6265bis).
    MalformedCookie = 400, "MalformedCookieError", "The cookie is malformed.";
    /// The request was caused by another site, or brings no CSRF token of its session.
    CsrfRejected = 401, "CsrfError", "The request may have been forged by another site.";
    /// The text is not a refresh token of ours, or its session is not known any more.
    InvalidRefreshToken = 402, "InvalidRefreshTokenError", "The refresh token is not valid.";
    /// A refresh token was used a second time, so that someone else may have it: the session has been ended.
    TokenReuse = 403, "TokenReuseError", "The refresh token was used before; the session has been ended.";
    /// The session was logged out.
    SessionEnded = 404, "SessionEndedError", "The session has been ended.";
    /// The session was not refreshed in time, or has lasted for as long as a session may.
    SessionExpired = 405, "SessionExpiredError", "The session has expired.";
    /// There is no session with this id.
    SessionNotFound = 406, "SessionNotFoundError", "There is no such session.";

    /// The callback's `state` fits no log-in that this browser has begun in the last ten minutes (RFC 6749 section 10.12).
    OauthStateMismatch = 500, "OAuthStateError", "The log-in was not begun by this browser, or too long ago.";
    /// The metadata, or the callback's `iss` (RFC 9207), names another issuer than the one configured.
    OauthIssuerMismatch = 501, "IssuerMismatchError", "The answer is from another authorization server than the one that was asked.";
    /// The user, or the server's policy, said no (`access_denied`, RFC 6749 section 4.1.2.1).
    OauthAccessDenied = 502, "AccessDeniedError", "The user or the authorization server has denied the request.";
    /// The server cannot answer without the user: `login_required`, `consent_required` and the like (OpenID Connect Core section 3.1.2.6).
    OauthInteractionRequired = 503, "InteractionRequiredError", "The authorization server wants to ask the user something first.";
    /// The authorization server refused the code, refresh token or assertion for good (`invalid_grant`, RFC 6749 section 5.2).
    OauthInvalidGrant = 504, "InvalidGrantError", "The code or refresh token is not good any more.";
    /// The client's own authentication failed, or it may not do this (`invalid_client`, `unauthorized_client`).
    OauthInvalidClient = 505, "InvalidClientError", "The authorization server does not accept this client.";
    /// The authorization server answered with any other error; `peer_code` names it.
    OauthRefused = 506, "OAuthRefusedError", "The authorization server refused the request.";
    /// The authorization server answered 5xx or 429, `server_error` or `temporarily_unavailable`.
    OauthServerFailed = 507, "OAuthServerError", "The authorization server cannot answer now.";
    /// The answer is not what the RFC asks for: no JSON object, a duplicate member, a token with control characters, another token type.
    OauthMalformedResponse = 508, "OAuthResponseError", "The authorization server's answer is not one.";
    /// The ID token's `nonce` is not the one of this log-in (OpenID Connect Core section 3.1.3.7).
    OauthNonceMismatch = 509, "NonceMismatchError", "The ID token belongs to another log-in.";
    /// The `sub` of the user info is not the one of the ID token (OpenID Connect Core section 5.3.2).
    OauthSubjectMismatch = 510, "SubjectMismatchError", "The user info is about someone else.";
    /// The device code has expired before the user said yes or no (RFC 8628 section 3.5).
    OauthDeviceExpired = 511, "DeviceCodeExpiredError", "The user did not enter the code in time.";
    /// The token manager has no token under this name, or the authorization server has ended it.
    OauthNoToken = 512, "NoTokenError", "There is no token to use; a log-in is needed.";
    /// There is no `Authorization` header, or another scheme than the ones accepted.
    MissingCredentials = 513, "MissingCredentialsError", "The request brings no credentials.";
    /// The authorization server says that the token is expired, revoked or unknown (RFC 7662 section 2.2).
    TokenInactive = 514, "InactiveTokenError", "The token is not active.";
    /// The token's `acr` or `auth_time` does not meet what this call demands (RFC 9470).
    InsufficientAuthentication = 515, "InsufficientAuthenticationError", "The user must sign in again, or more strongly.";

    /// The store cannot be reached or has not been heard of for longer than `max_stale`.
    StoreUnavailable = 600, "StoreUnavailableError", "The store is out of reach.";
    /// The store, or a row of it, is damaged, was altered from outside, or is of a version that this library does not know.
    StoreCorrupt = 601, "StoreCorruptError", "The store holds something that is damaged.";
    /// The row has changed since it was read, or exists already.
    StoreConflict = 602, "StoreConflictError", "Someone else has changed this at the same time.";
    /// The store is read-only: the file, its folder or the file system.
    StoreReadOnly = 603, "StoreReadOnlyError", "The store cannot be written to.";
    /// The disk is full; nothing was changed.
    StoreFull = 604, "StoreFullError", "The store has no room left.";
    /// A pepper that the store's rows were made with is missing or has another value.
    WrongPepper = 605, "WrongPepperError", "The pepper does not fit the store.";
    /// The store is older than its mark, such as a backup that was put back, or one of the two is missing:
    /// what was revoked since would be good again.
    StoreRestored = 606, "StoreRestoredError", "The store is older than its mark; acknowledge the restore.";

    /// The name does not resolve, nobody listens, or the connection broke.
    ConnectionFailed = 700, "ConnectionFailedError", "The other server cannot be reached.";
    /// The whole answer was not there within the deadline (10 seconds unless set).
    DeadlineExceeded = 701, "DeadlineExceededError", "The other server took too long.";
    /// TLS could not be agreed on: the certificate is unknown, expired or for another name, or the version is too old.
    TlsFailed = 702, "TlsError", "The other server's certificate is not acceptable.";
    /// The URL is not HTTPS, names an address that the policy keeps out, or the answer was a redirect.
    RequestBlocked = 703, "RequestBlockedError", "This address may not be asked.";
    /// The answer's body or head is longer than what the operation takes (1 MiB, key sets and metadata 512 KiB).
    ResponseTooLarge = 704, "ResponseTooLargeError", "The answer is too large.";
}

impl ErrorKind {
    /// The stable number: the C status and Python's `error.code`.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The C constant, for example `GK_STATUS_INVALID_SIGNATURE`.
    #[must_use]
    pub fn c_name(self) -> String {
        let mut name = String::from("GK_STATUS");
        for c in self.name().chars() {
            if c.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(c.to_ascii_uppercase());
        }
        name
    }

    /// True when what a caller of the API presented was refused; answer [`Self::http_status`].
    #[must_use]
    pub const fn is_rejected(self) -> bool {
        matches!(self.code(), 100..=199 | 300..=504 | 509..=515)
    }

    /// True when the program that uses gatekey made the mistake; answer 500 and fix the program.
    #[must_use]
    pub const fn is_misuse(self) -> bool {
        matches!(self.code(), 2..=4 | 200..=299 | 505 | 506 | 605 | 703)
    }

    /// True when something gatekey depends on is out of reach; answer 503 and try again later.
    #[must_use]
    pub const fn is_unavailable(self) -> bool {
        matches!(self.code(), 5 | 507 | 508 | 600..=604 | 606 | 700..=702 | 704)
    }

    /// True when the same call may succeed later: something was out of reach, or there was too much of it.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RandomUnavailable
                | Self::RateLimited
                | Self::OauthServerFailed
                | Self::StoreUnavailable
                | Self::StoreConflict
                | Self::ConnectionFailed
                | Self::DeadlineExceeded
        )
    }

    /// What an HTTP service answers: 400, 401, 403, 404 or 429 where the caller was refused (RFC 6750 section
    /// 3.1, RFC 6585 section 4), 503 where something is out of reach, 500 otherwise.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::MalformedCookie | Self::OauthStateMismatch | Self::OauthIssuerMismatch => 400,
            Self::ApiKeyAddress
            | Self::InsufficientScope
            | Self::CsrfRejected
            | Self::OauthAccessDenied => 403,
            Self::SessionNotFound => 404,
            Self::RateLimited | Self::CreditsExhausted => 429,
            _ if self.is_rejected() => 401,
            _ if self.is_unavailable() => 503,
            _ => 500,
        }
    }

    /// The reason's name in audit rows, metrics and Python's `error.code`, for example `BAD_SECRET`;
    /// the numbers below 300 have none and answer with an empty text.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::MalformedApiKey => "MALFORMED",
            Self::ApiKeyNotFound => "NOT_FOUND",
            Self::BadApiKeySecret => "BAD_SECRET",
            Self::ApiKeyDisabled => "DISABLED",
            Self::ApiKeyRevoked => "REVOKED",
            Self::ApiKeyExpired => "EXPIRED",
            Self::ApiKeyNotYetValid => "NOT_YET",
            Self::ApiKeyAddress => "IP",
            Self::InsufficientScope => "SCOPE",
            Self::RateLimited => "RATE_LIMITED",
            Self::CreditsExhausted => "CREDITS",
            Self::MalformedCookie => "MALFORMED_COOKIE",
            Self::CsrfRejected => "CSRF",
            Self::InvalidRefreshToken => "INVALID_REFRESH_TOKEN",
            Self::TokenReuse => "TOKEN_REUSE",
            Self::SessionEnded => "SESSION_ENDED",
            Self::SessionExpired => "SESSION_EXPIRED",
            Self::SessionNotFound => "SESSION_NOT_FOUND",
            Self::OauthStateMismatch => "OAUTH_STATE",
            Self::OauthIssuerMismatch => "OAUTH_ISSUER",
            Self::OauthAccessDenied => "ACCESS_DENIED",
            Self::OauthInteractionRequired => "INTERACTION_REQUIRED",
            Self::OauthInvalidGrant => "INVALID_GRANT",
            Self::OauthInvalidClient => "INVALID_CLIENT",
            Self::OauthRefused => "OAUTH_REFUSED",
            Self::OauthServerFailed => "OAUTH_SERVER",
            Self::OauthMalformedResponse => "OAUTH_RESPONSE",
            Self::OauthNonceMismatch => "OAUTH_NONCE",
            Self::OauthSubjectMismatch => "OAUTH_SUBJECT",
            Self::OauthDeviceExpired => "DEVICE_EXPIRED",
            Self::OauthNoToken => "NO_TOKEN",
            Self::MissingCredentials => "MISSING_CREDENTIALS",
            Self::TokenInactive => "TOKEN_INACTIVE",
            Self::InsufficientAuthentication => "INSUFFICIENT_AUTHENTICATION",
            Self::ConnectionFailed => "CONNECTION_FAILED",
            Self::DeadlineExceeded => "DEADLINE",
            Self::TlsFailed => "TLS",
            Self::RequestBlocked => "REQUEST_BLOCKED",
            Self::ResponseTooLarge => "RESPONSE_TOO_LARGE",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::StoreCorrupt => "STORE_CORRUPT",
            Self::StoreConflict => "STORE_CONFLICT",
            Self::StoreReadOnly => "STORE_READ_ONLY",
            Self::StoreFull => "STORE_FULL",
            Self::WrongPepper => "WRONG_PEPPER",
            Self::StoreRestored => "STORE_RESTORED",
            _ => "",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.summary())
    }
}

/// Why a call failed: an [`ErrorKind`] and a message for the log.
///
/// Cheap to make: it never allocates.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: &'static str,
    claim: Option<ClaimName>,
    /// Milliseconds; 0 where coming back later is no remedy.
    retry_after: u32,
    /// The id of an API key whose secret was proved; zeros for none.
    api_key: [u8; 12],
    peer: Option<Arc<Peer>>,
}

/// What an authorization server said was wrong: bounded, and without control characters.
#[derive(PartialEq, Eq)]
struct Peer {
    code: Box<str>,
    message: Box<str>,
}

/// A claim's name; sharing it costs no allocation.
#[derive(Clone, PartialEq, Eq)]
enum ClaimName {
    Registered(&'static str),
    Named(Arc<str>),
}

impl Error {
    /// The most bytes a message has.
    pub const MAX_MESSAGE: usize = 200;

    /// An error with a message that names the remedy.
    #[cold]
    pub(crate) const fn new(kind: ErrorKind, message: &'static str) -> Self {
        debug_assert!(message.len() <= Self::MAX_MESSAGE, "a message is a sentence or two");
        Self { kind, message, claim: None, retry_after: 0, api_key: [0; 12], peer: None }
    }

    /// The same error, about this registered claim.
    #[cold]
    pub(crate) fn about_claim(mut self, claim: &'static str) -> Self {
        self.claim = Some(ClaimName::Registered(claim));
        self
    }

    /// The same error, about a claim that the policy names.
    #[cold]
    pub(crate) fn about_named_claim(mut self, claim: &Arc<str>) -> Self {
        self.claim = Some(ClaimName::Named(Arc::clone(claim)));
        self
    }

    /// The same error, with the milliseconds after which the call may succeed, rounded up to 1.
    #[cold]
    pub(crate) fn retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.retry_after = u32::try_from(milliseconds.max(1)).unwrap_or(u32::MAX);
        self
    }

    /// The same error, about the API key with this id.
    #[cold]
    pub(crate) fn about_api_key(mut self, id: &str) -> Self {
        self.api_key = id.as_bytes().try_into().unwrap_or_default();
        self
    }

    /// The same error, with what an authorization server said: its `error` (RFC 6749 section 5.2) and
    /// `error_description`, of which only a bounded, printable part is kept.
    #[cold]
    pub(crate) fn said_by_peer(mut self, code: &str, message: &str) -> Self {
        let is_code = |c: &char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.');
        let code: String = code.chars().filter(is_code).take(64).collect();
        let shown =
            |c: char| if matches!(c, ' '..='~') && !"<>&\"\\".contains(c) { c } else { '?' };
        let message: String = message.chars().take(200).map(shown).collect();
        self.peer = Some(Arc::new(Peer { code: code.into(), message: message.into() }));
        self
    }

    /// The same message under another kind.
    #[cold]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message: at most [`Self::MAX_MESSAGE`] bytes, safe to log.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// The claim the error is about, where it is about one.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.claim.as_ref().map(|claim| match claim {
            ClaimName::Registered(name) => name,
            ClaimName::Named(name) => name.as_ref(),
        })
    }

    /// The id of the API key that was refused, where its secret was proved: for a log, or a quota of its own.
    /// Never of a key that the caller has only named.
    #[must_use]
    pub fn api_key_id(&self) -> Option<&str> {
        let [first, ..] = self.api_key;
        std::str::from_utf8(&self.api_key).ok().filter(|_| first != 0)
    }

    /// The milliseconds after which the same call may succeed (`Retry-After`, RFC 9110 section
    /// 10.2.3), where waiting is the remedy.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u32> {
        if self.retry_after == 0 { None } else { Some(self.retry_after) }
    }

    /// The authorization server's own name of the error (RFC 6749 section 5.2), where it gave one: at most 64
    /// letters, digits, `_`, `-` and `.`.
    #[must_use]
    pub fn peer_code(&self) -> Option<&str> {
        self.peer.as_ref().map(|peer| &*peer.code).filter(|code| !code.is_empty())
    }

    /// What the authorization server said about it, in its own words: at most 200 printable characters.
    ///
    /// # Security
    /// A stranger's text: show it to nobody who might take it for yours, and never as HTML.
    #[must_use]
    pub fn peer_message(&self) -> Option<&str> {
        self.peer.as_ref().map(|peer| &*peer.message).filter(|message| !message.is_empty())
    }

    /// See [`ErrorKind::is_retryable`].
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// See [`ErrorKind::is_rejected`].
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.kind.is_rejected()
    }

    /// See [`ErrorKind::is_misuse`].
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        self.kind.is_misuse()
    }

    /// See [`ErrorKind::is_unavailable`].
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        self.kind.is_unavailable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}): {}", self.kind.name(), self.kind.code(), self.message)
    }
}

impl std::error::Error for Error {}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, kind.summary())
    }
}
