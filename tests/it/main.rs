//! The public API as a user sees it: published vectors, the attack catalogue, every knob of the
//! policy, threads, properties and the comparison with `jsonwebtoken`. One binary, so that the
//! crate is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets the unexpected must fail loudly and say why"
)]

mod counting;
mod fixtures;
mod forge;

mod apikey;
mod attacks;
mod backups;
mod claims;
mod clocks;
mod concurrency;
#[cfg(all(unix, feature = "postgres", feature = "sqlite"))]
mod copy;
#[cfg(feature = "sqlite")]
mod damaged_reports;
#[cfg(feature = "sqlite")]
mod damaged_rows;
#[cfg(feature = "jsonwebtoken")]
mod differential_jsonwebtoken;
mod guard;
#[cfg(all(unix, feature = "postgres"))]
mod health;
#[cfg(feature = "jsonwebtoken")]
mod interop;
mod jwk;
mod jwk_sets;
mod keyring;
mod kms;
mod links;
mod lost;
mod mark_places;
mod options;
#[cfg(all(unix, feature = "sqlite"))]
mod pipes;
mod policy;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
mod properties;
mod revocations;
mod rfc;
mod rfc7520;
#[path = "../rounds/mod.rs"]
mod rounds;
mod session;
#[cfg(all(unix, feature = "redis"))]
mod shared_limits;
mod signer;
mod store;
mod token_file;
mod vectors;
mod web;
mod wycheproof_jwk;
mod wycheproof_jws;
