//! Layer 5: `ResourceServer`, an API's door: one call for the access tokens of an authorization server (RFC 9068),
//! for opaque ones that it is asked about (RFC 7662), and for this project's API keys. Whoever is refused is told
//! how to do better (RFC 6750 section 3, RFC 9470, RFC 9728).
//!
//! Refused: a token that is bound to a key (`cnf`), because whether the caller has the key cannot be known here; ID
//! tokens and other tokens of another type; tokens for another audience.

mod asked;
mod builder;
mod challenge;
mod memory;
mod server;

pub use asked::IntrospectionOptions;
pub use builder::ResourceServerBuilder;
pub use server::{Access, AccessKind, Demand, ResourceServer};
