//! The rows of `docs/threat-model.md` about tokens: published weaknesses of other libraries, by number.
//!
//! Each is expanded over the algorithms and the input forms it can take. What is asserted is the
//! kind of the refusal, not merely that there was one.

mod algorithm;
mod cache;
mod claims;
mod errors;
mod header;
mod jwk;
mod secrets;
mod signature;
mod structure;
