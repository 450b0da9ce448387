//! The C ABI, from which `build.rs` renders `include/gatekey.h`. The order of the modules below is
//! the order of the header.
//!
//! Every extern body is one call of a function in `boundary`, which catches panics and turns an error
//! into a status. Handles arrive as `Option<&T>` (shared), `Option<&mut T>` (exclusive) or
//! `Option<Box<T>>` (given up), so that ownership is a type; bytes arrive as a pointer and a length.
//! The documentation is written for the reader of the header.
//!
//! Refused everywhere: NULL where something is required, text that is not UTF-8, numbers that name
//! no algorithm. What the C caller alone can guarantee is listed at the top of the header: pointers
//! are valid for the lengths given, handles are alive and used as `const` says.

#![expect(unsafe_code, reason = "the one folder where pointers from C become references")]
#![expect(non_camel_case_types, reason = "these are the names that C sees")]
#![expect(
    unsafe_op_in_unsafe_fn,
    reason = "an extern body only passes its pointers to `boundary`, whose contract is the header's"
)]
#![expect(
    clippy::missing_safety_doc,
    reason = "the contract is the documentation of the header: its first comment and every @param"
)]

mod boundary;

mod version;

mod status;

mod error;

mod buf;

mod alg;

mod callback;

mod pepper;

mod sticky;

mod key;

mod key_options;

mod key_set;

mod claims;

mod signer;

mod policy;

mod verifier;

mod verified;

mod unverified;

mod filter;

mod apikey_options;

mod apikey_spec;

mod apikey;

mod apikey_verify;

mod web;

mod revocations_options;

mod revocations;

mod keyring_options;

mod keyring;

mod session_options;

mod session_spec;

mod session;

mod json;

mod http;

mod operation;

mod oauth;

mod remote;

mod manager;

mod resource;

mod store;

pub use alg::*;
pub use apikey::*;
pub use apikey_options::*;
pub use apikey_spec::*;
pub use apikey_verify::*;
pub use buf::*;
pub use callback::*;
pub use claims::*;
pub use error::*;
pub use filter::*;
pub use http::*;
pub use json::*;
pub use key::*;
pub use key_options::*;
pub use key_set::*;
pub use keyring::*;
pub use keyring_options::*;
pub use manager::*;
pub use oauth::*;
pub use operation::*;
pub use policy::*;
pub use remote::*;
pub use resource::*;
pub use revocations::*;
pub use revocations_options::*;
pub use session::*;
pub use session_options::*;
pub use session_spec::*;
pub use signer::*;
pub use status::*;
pub use store::*;
pub use unverified::*;
pub use verified::*;
pub use verifier::*;
pub use version::*;
pub use web::*;

#[cfg(test)]
mod tests;
