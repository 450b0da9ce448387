//! What is fuzzed: nine functions of bytes that must return, whatever the bytes, without panicking;
//! they say whether gatekey accepted anything, so that a test can tell that they get that far.
//!
//! Each asserts more than that: that gatekey agrees with a reference, or with itself. They run under
//! libFuzzer (`fuzz_targets/`) and, over a fixed sequence of mutations, as a plain test (`tests/`).

pub mod accepted_key;
pub mod apikey;
pub mod header;
pub mod json;
pub mod jwk;
pub mod oauth;
pub mod pem;
pub mod reference;
pub mod refresh;
pub mod request;
pub mod token;

/// A function that is fuzzed, with the name of its folder of seeds.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target.
pub const TARGETS: [Target; 9] = [
    ("token", token::run),
    ("header", header::run),
    ("jwk", jwk::run),
    ("pem", pem::run),
    ("json", json::run),
    ("apikey", apikey::run),
    ("request", request::run),
    ("refresh", refresh::run),
    ("oauth", oauth::run),
];
