//! gatekey: API authentication in one audited core, for Rust, C, C++ and Python.
//!
//! An API must know who calls and what they may do. There are three ways to say it, and sessions
//! join the first two.
//!
//! # JSON Web Tokens: [`jwt`], [`jwk`]
//! Signed and verified without a look-up (RFC 7519), with keys that are bound to one algorithm
//! each, under policies that fail closed.
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
//! # API keys: [`apikey`]
//! Shown once, kept as HMACs under a pepper that is not in the store, verified in memory.
//!
//! ```
//! use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
//! use gatekey::{ErrorKind, Store};
//!
//! let store = Store::open("memory:")?; // or "sqlite:///auth.sqlite"
//! let keys = store.api_keys(ApiKeyOptions::new())?;
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
//! # Sessions: [`session`], [`revocations`], [`keyring`], [`web`]
//! A short-lived access token, and a refresh token that is good once; what is ended is refused
//! everywhere; keys that rotate; cookies and the check for forged requests.
//!
//! ```
//! use gatekey::keyring::KeyRingOptions;
//! use gatekey::session::{SessionOptions, SessionSpec};
//! use gatekey::{ErrorKind, Signer, Store};
//! use std::sync::Arc;
//!
//! let store = Store::open("memory:")?;
//! let ring = store.key_ring("default", KeyRingOptions::new())?;
//! let signer = Signer::following(Arc::new(ring)).issuer("https://auth.example").build()?;
//! let sessions = store.sessions(Some(&signer), SessionOptions::new())?;
//!
//! let first = sessions.start("alice", &SessionSpec::default())?;
//! let second = sessions.refresh(first.refresh_token.expose(), None)?;
//! sessions.end(second.refresh_token.expose())?;
//! let refused = sessions.refresh(second.refresh_token.expose(), None).unwrap_err();
//! assert_eq!(refused.kind(), ErrorKind::SessionEnded);
//! # Ok::<(), gatekey::Error>(())
//! ```
//!
//! # OAuth 2.0 and OpenID Connect: [`oauth`], [`resource`]
//! "Sign in with GitHub", tokens for machines, and the check of an API's requests with tokens of
//! other servers. What is asked of other servers is an [`Operation`](transport::Operation), which a
//! program's own event loop or the built-in [`transport`] carries.
//!
//! ```
//! use gatekey::oauth::{LoginOptions, OAuthConfig};
//! use gatekey::transport::Step;
//! use gatekey::{OAuthClient, Secret};
//!
//! let config = OAuthConfig::new("my-client")
//!     .preset("github")?
//!     .client_secret(Secret::from("from a file".to_owned()))
//!     .redirect_uri("https://app.example/callback");
//! let client = OAuthClient::new(config)?;
//! let mut login = client.begin(&LoginOptions::new(), "")?;
//! let Step::Done(begun) = login.next()? else { unreachable!("GitHub has no metadata to fetch") };
//! assert!(begun.url.starts_with("https://github.com/login/oauth/authorize?"));
//! # Ok::<(), gatekey::Error>(())
//! ```
//!
//! # How it is laid out
//! What is used most is here; the rest is in the module of its noun. Each module uses only those
//! above it.
//!
//! | module | what is in it |
//! |---|---|
//! | [`Error`], [`ErrorKind`] | one kind = one number = one C status = one Python class |
//! | [`json`], [`clock`], [`random`], [`Secret`] | strict, bounded, wiped; the only ways in for time and randomness |
//! | [`named`] | what may be said of a name or path that was given: not what may be a secret |
//! | [`reach`] | whether a call can be over at once, for callers on whom others wait |
//! | [`jwk`] | keys: generated, imported (JWK, PEM, DER), checked, exported |
//! | [`jwt`] | from claims to a token, and from a token to claims |
//! | [`store`] | what everything is kept in, by a trait for each use: in memory, in SQLite; key rings and tokens also in a folder |
//! | [`transport`] | what other servers are asked |
//! | [`pepper`] | numbered secrets outside of the store |
//! | [`web`] | cookies that hold secrets; requests that are not forged |
//! | [`apikey`] | API keys: issued, verified, rotated, revoked |
//! | [`revocations`], [`keyring`], [`session`] | what is not good any more; keys that rotate; users that log in and out |
//! | [`oauth`] | log-ins through others, tokens for machines, keys that others publish |
//! | [`resource`] | the check of an API's incoming requests |
//! | [`guard`] | one decision for every door of a service |
//! | [`open`], [`backup`] | a [`Store`] by its URL; copies of it, and how one is put back |
//! | [`doctor`] | what is known of a store without opening it, for `gatekey doctor` |
//!
//! # What it promises
//! Every input is bounded before it is parsed; refusing a token allocates nothing (objects of more
//! than sixteen members excepted); a bad signature is reported as that and nothing else; no message
//! holds a token, a key or text that an attacker chose.

mod error;
pub use error::named;
#[doc(inline)]
pub use error::{Error, ErrorKind, Result, Words};

mod base;
#[doc(inline)]
pub use base::clock::{Clock, SystemClock};
#[doc(inline)]
pub use base::secret::Secret;
pub use base::{clock, json, reach};

mod crypto;

/// Where what is random comes from.
pub mod random {
    pub use crate::base::random::SecureRandom;
    pub use crate::crypto::random::SystemRandom;
}

pub mod jwk;
pub use jwk::{Alg, Key, KeySet};

mod jws;

pub mod jwt;
pub use jwt::{Claims, Policy, Signer, Verified, Verifier};

pub mod store;

pub mod transport;

pub mod pepper;
pub use pepper::Peppers;

pub mod web;

pub mod apikey;
pub use apikey::ApiKeys;

pub mod revocations;
pub use revocations::Revocations;

pub mod keyring;
pub use keyring::KeyRing;

pub mod session;
pub use session::Sessions;

pub mod oauth;
pub use oauth::OAuthClient;

pub mod resource;
pub use resource::ResourceServer;

pub mod open;
pub use open::Store;

pub mod guard;
pub use guard::Guard;

pub mod backup;
pub mod doctor;
pub mod operations;

mod present;
pub use present::ToJson;

#[cfg(feature = "jsonwebtoken")]
pub mod interop;

#[cfg(feature = "capi")]
pub mod ffi;

#[cfg(feature = "cli")]
pub mod cli;
