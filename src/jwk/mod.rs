//! Layer 2: JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037, RFC 9964) and the other formats
//! keys come in, each key bound to exactly one algorithm.
//!
//! Reading is strict: what is loaded is a key that works, and what may not be used is refused at
//! load and not at the first token. Nothing here knows tokens, claims or time, and nothing does
//! I/O.

mod alg;
mod armour;
mod beside;
mod der;
mod disguise;
mod export;
mod external;
mod import;
mod key;
mod material;
pub(crate) mod mistaken;
mod options;
mod passphrase;
mod pem;
mod set;
mod skipped;
mod source;
mod ssh;
mod stated;
mod strength;
mod thumbprint;
mod usage;

pub use alg::Alg;
pub use external::{ExternalSigner, SignRequest};
pub use key::Key;
pub use options::KeyOptions;
pub use set::KeySet;
pub use skipped::Skipped;
pub use source::KeySource;

use crate::crypto::Curve;

/// The curve's name in a JWK (RFC 7518 section 7.6.2, RFC 8812 section 3.1).
const fn curve_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "P-256",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
        Curve::Secp256k1 => "secp256k1",
    }
}

#[cfg(test)]
mod tests;
