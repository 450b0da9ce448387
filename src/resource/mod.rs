//! Layer 5: `ResourceServer`, the check of an API's incoming requests: one call for the access
//! tokens of an authorization server (RFC 9068), for opaque ones that it is asked about (RFC 7662),
//! and for this project's API keys. A refused caller receives what to do (RFC 6750 section 3, RFC
//! 9470, RFC 9728).
//!
//! Refused: a token that is bound to a key (`cnf`), because whether the caller has the key cannot
//! be known here; ID tokens, refresh tokens and other tokens of another type; tokens for another
//! audience; two credentials, unless the call says which decides.

mod access;
mod asked;
mod builder;
mod challenge;
mod claims;
mod former;
mod issuers;
mod memory;
mod presented;
mod proven;
mod rule;
mod server;

/// The place that decides, for [`Demand::decided_by`].
pub use crate::apikey::CredentialPlace;
pub use access::{Access, AccessKind, Demand};
pub use asked::IntrospectionOptions;
pub(crate) use builder::OwnSessions;
pub use builder::ResourceServerBuilder;
pub(crate) use former::User;
pub use former::{FormerTokens, FormerUser};
pub(crate) use presented::Authorized;
pub use presented::Presented;
pub(crate) use proven::Proven;
pub use rule::DoorRule;
pub use server::ResourceServer;
