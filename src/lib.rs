//! gatekey: API authentication in one audited core, for Rust, C, C++ and Python.
//!
//! An API must know who calls and what they may do. This crate signs and verifies JSON Web Tokens
//! (RFC 7519) with keys that are bound to one algorithm each, under policies that fail closed.
//!
//! ```
//! use gatekey::{Alg, Claims, Key, Policy, Signer, Verifier};
//!
//! let key = Key::generate(Alg::Es256)?;
//! let signer = Signer::builder(&key).issuer("https://auth.example").audience("orders").build()?;
//! let token = signer.sign(&Claims::new().subject("alice"))?;
//!
//! let policy = Policy::new().expect_issuer("https://auth.example").expect_audience("orders");
//! let verifier = Verifier::with_key(&key.public()?, policy)?;
//! let claims = verifier.verify(&token)?;
//! assert_eq!(claims.subject().as_deref(), Some("alice"));
//! # Ok::<(), gatekey::Error>(())
//! ```
//!
//! And it issues and verifies API keys, which a store keeps as HMACs under a pepper:
//!
//! ```
//! use gatekey::{ApiKeyOptions, Check, ErrorKind, KeySpec, PepperSource, open_api_keys};
//!
//! let keys = open_api_keys("memory:", &PepperSource::Beside, ApiKeyOptions::new())?.keys;
//! let mut spec = KeySpec::new("acme");
//! spec.scopes = vec!["orders:read".into()];
//! let issued = keys.create(&spec)?; // issued.secret is shown once
//! let check = Check::new().scopes(&["orders:read"]);
//! assert_eq!(keys.verify(issued.secret.expose(), &check)?.owner(), "acme");
//!
//! keys.revoke(&issued.record.id, "leaked")?;
//! let refused = keys.verify(issued.secret.expose(), &check).unwrap_err();
//! assert_eq!(refused.kind(), ErrorKind::ApiKeyRevoked);
//! # Ok::<(), gatekey::Error>(())
//! ```
//!
//! # How it is laid out
//! Modules are listed in the order of their layers; each uses only those above it.
//!
//! | | |
//! |---|---|
//! | [`Error`], [`ErrorKind`] | one kind = one number = one C status = one Python class |
//! | [`json`], [`Secret`], [`Clock`], [`SecureRandom`] | strict, bounded, wiped |
//! | [`in_memory`] | whether a call can be over at once, for callers on whom others wait |
//! | [`Alg`], [`Key`], [`KeySet`] | keys: generated, imported (JWK, PEM, DER), checked, exported |
//! | [`Policy`], [`Verifier`], [`Verified`] | from a token to claims |
//! | [`Claims`], [`Signer`], [`Unsigned`] | from claims to a token |
//! | [`Database`], [`MemoryStore`] | what everything is kept in, by a trait for each use |
//! | [`ApiKeys`], [`KeySpec`], [`Check`], [`Grant`] | API keys: issued, verified, rotated, revoked |
//! | [`Cookie`], [`Csrf`] | cookies that hold secrets; requests that are not forged |
//! | [`Transport`], [`Operation`] | what other servers are asked, over the program's own loop or the built-in one |
//! | [`OAuthClient`], [`TokenManager`], [`RemoteKeySet`] | OAuth 2.0 and OpenID Connect: log-ins, tokens, keys |
//! | [`ResourceServer`], [`Demand`], [`Access`] | an API's door: tokens of another server, and API keys |
//! | [`Store`], [`StoreUrl`], [`PepperSource`] | a store in the hand, by its URL; peppers from a file |
//! | [`ToJson`] | records as JSON |
//!
//! # What it promises
//! Every input is bounded before it is parsed; refusing a token allocates nothing (objects of more than
//! sixteen members excepted); a bad signature is reported as that and nothing else; no message holds a
//! token, a key or text a stranger chose.

mod error;
pub use error::{Error, ErrorKind, Result};

mod base;
pub use base::clock::{Clock, FixedClock, SystemClock};
pub use base::json;
pub use base::random::SecureRandom;
pub use base::reach::{beyond_memory, in_memory};
pub use base::secret::Secret;
pub use crypto::random::SystemRandom;

mod crypto;

mod jwk;
pub use jwk::{Alg, Key, KeyOptions, KeySet, KeySource};

mod jws;

mod jwt;
pub use jwt::{
    Claims, IssuerRule, Policy, PresentedToken, RevocationList, SeenOnce, Signer, SignerBuilder,
    Unsigned, Unverified, Verified, Verifier, danger_decode_unverified,
};

mod store;
pub use store::{
    ApiKeyStore, AuditFilter, AuditRecord, Backend, Change, Changes, Credits, Database, KeyFilter,
    KeyRecord, KeyRingStore, KeyStatus, Lease, Limits, Loaded, Lookup, Mark, MemoryStore,
    MemoryTokenStore, Page, PepperCheck, Previous, Proof, Rate, Revocation, RevocationChanges,
    RevocationKind, RevocationStore, RingFolder, SessionEnd, SessionEvent, SessionEventFilter,
    SessionFilter, SessionRecord, SessionStore, SessionWrite, StoredKey, StoredRing, StoredSession,
    TokenFolder, TokenStore, Usage, Write, write_private_file,
};

#[cfg(feature = "sqlite")]
pub use store::SqliteStore;

mod transport;
#[cfg(feature = "http")]
pub use transport::{HttpOptions, HttpTransport};
pub use transport::{HttpRequest, HttpResponse, Operation, Purpose, Step, Transport};

mod pepper;
pub use pepper::{
    PepperSource, Peppers, add_pepper, pepper_beside, read_pepper_file, read_peppers,
};

mod web;
pub use web::{Cookie, CookieBuilder, Csrf, CsrfRequest, SameSite};

mod apikey;
pub use apikey::{
    ApiKeyOptions, ApiKeys, Check, CreditSpec, Grant, ImportReport, ImportRow, ImportScheme,
    IssuedKey, KeySpec, KeyUpdate, PepperUse, ScanRule, api_key_from_headers, api_key_from_query,
    parse_ip, parse_rate, scan_rule,
};

mod revocations;
pub use revocations::{RevocationOptions, Revocations, RevokeScope};

mod keyring;
pub use keyring::{KeyRing, KeyRingOptions, RingKey, RingKeyState};

mod session;
pub use session::{SessionOptions, SessionSpec, SessionTokens, Sessions};

mod oauth;
pub use oauth::{
    AuthMethod, BegunLogin, DeviceCodes, FinishedLogin, Introspection, LoginOptions, LogoutNotice,
    OAuthClient, OAuthConfig, OAuthTokens, RemoteKeySet, RemoteKeySetOptions, TokenExchange,
    TokenGrant, TokenManager, UserInfo, oauth_presets,
};

mod resource;
pub use resource::{
    Access, AccessKind, Demand, IntrospectionOptions, ResourceServer, ResourceServerBuilder,
};

mod open;
pub use open::{
    Opened, OpenedKeyRing, OpenedSessions, Store, StoreOptions, StoreUrl, open_api_keys,
    open_key_ring, open_revocations, open_sessions,
};

mod backup;
pub use backup::{
    AcknowledgeOptions, Acknowledged, BackupOptions, BackupReport, RestoreOptions, RestoreReport,
    store_acknowledge_restore, store_backup, store_restore,
};

mod present;
pub use present::ToJson;

#[cfg(feature = "jsonwebtoken")]
pub mod interop;

#[cfg(feature = "capi")]
pub mod ffi;

#[cfg(feature = "cli")]
pub mod cli;
