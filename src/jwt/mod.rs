//! JSON Web Tokens (RFC 7519): [`Claims`] are signed by a [`Signer`]; a [`Verifier`] turns a token
//! into [`Verified`] claims under a [`Policy`] that fails closed.

mod cache;
mod check;
mod claims;
mod following;
mod header;
mod inspect;
mod once;
mod payload;
mod policy;
mod registered;
mod revoked;
mod signer;
mod strange;
mod trust;
mod values;
mod verified;
mod verifier;

pub use claims::Claims;
pub use inspect::{Unverified, danger_decode_unverified};
pub use once::SeenOnce;
pub use policy::Policy;
pub(crate) use registered::{Found, Marks, Place, mark};
pub(crate) use revoked::check_introspected;
pub use revoked::{PresentedToken, RevocationList};
pub(crate) use signer::OwnTokens;
pub use signer::{Signer, SignerBuilder, Unsigned};
pub(crate) use trust::NO_KEY_OF_ALGORITHM;
pub(crate) use values::ClaimValues;
pub use verified::Verified;
pub use verifier::{IssuerRule, Verifier};
