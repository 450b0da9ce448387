//! Revocations: what is revoked, by whom it is seen, and which names can be.

mod names;
mod revoke;
