//! The protected header: the data is signed over a good payload and both verifiers are asked.

use crate::token::{compare, signed};

const PAYLOAD: &[u8] =
    br#"{"iss":"https://issuer.example","aud":"api","sub":"alice","exp":4102444800}"#;

/// Compares the verifiers on a token with this header.
pub fn run(data: &[u8]) -> bool {
    compare(&signed(data, PAYLOAD))
}
