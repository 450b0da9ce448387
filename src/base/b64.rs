//! Base64url without padding, canonical form only (RFC 4648 section 5, RFC 7515 appendix C).
//!
//! Refused: padding, white space, the `+/` alphabet, a length of 4n+1, and non-zero trailing bits:
//! every byte string has exactly one accepted encoding.

use crate::error::{Error, ErrorKind, Result};
use base64_simd::{AsOut as _, STANDARD, URL_SAFE_NO_PAD};

const MALFORMED: Error = Error::new(
    ErrorKind::MalformedToken,
    "A part of the token is not base64url without padding in its one form (RFC 7515 section 2): it was cut or changed on \
     the way.",
);

/// Bytes that `n` characters decode to, rounded down.
pub(crate) const fn decoded_len(n: usize) -> usize {
    n / 4 * 3 + n % 4 * 3 / 4
}

/// Characters that `n` bytes encode to.
pub(crate) const fn encoded_len(n: usize) -> usize {
    n / 3 * 4 + (n % 3 * 4).div_ceil(3)
}

/// Encodes without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Encodes with the other alphabet and padding, as `Authorization: Basic` wants it (RFC 7617
/// section 2).
pub(crate) fn encode_padded(bytes: &[u8]) -> String {
    STANDARD.encode_to_string(bytes)
}

/// Appends the encoding of `bytes` to `out`.
pub(crate) fn encode_into(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, out);
}

/// Checks that the text is canonical without decoding it.
pub(crate) fn check(text: &[u8]) -> Result<()> {
    URL_SAFE_NO_PAD.check(text).map_err(|_| MALFORMED)
}

/// The text without its padding, which is absent or as much as its length asks for.
pub(crate) fn unpadded(text: &[u8]) -> Result<&[u8]> {
    match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] if text.len().is_multiple_of(4) => Ok(rest),
        [.., b'='] => Err(MALFORMED),
        _ => Ok(text),
    }
}

/// Decodes into a new vector.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| MALFORMED)
}

/// Decodes into the front of `out` and returns the part written; a part that does not fit is
/// refused like one that is malformed.
pub(crate) fn decode_to_slice<'o>(text: &[u8], out: &'o mut [u8]) -> Result<&'o mut [u8]> {
    if decoded_len(text.len()) > out.len() {
        return Err(MALFORMED);
    }
    URL_SAFE_NO_PAD.decode(text, out.as_out()).map_err(|_| MALFORMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_every_non_canonical_form() {
        for text in [
            "A", "AAAAA", "AA==", "AAA=", "AB", "AAB", "A A", "AA\n", "A+", "A/", "é", "AA.A",
            "AAAA=",
        ] {
            assert!(decode(text.as_bytes()).is_err(), "{text:?}");
            assert!(decode_to_slice(text.as_bytes(), &mut [0; 16]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn agrees_with_the_reference_crate_and_the_length_rules() {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as REFERENCE};
        let bytes: Vec<u8> = (0..=255).cycle().take(300).collect();
        for n in 0..bytes.len() {
            let text = encode(&bytes[..n]);
            assert_eq!(text, REFERENCE.encode(&bytes[..n]));
            assert_eq!(text.len(), encoded_len(n));
            assert_eq!(decoded_len(text.len()), n);
            assert_eq!(decode(text.as_bytes()).unwrap(), &bytes[..n]);
            let mut out = vec![0; n];
            assert_eq!(decode_to_slice(text.as_bytes(), &mut out).unwrap(), &bytes[..n]);
        }
    }

    #[test]
    fn exhaustive_over_the_last_two_characters() {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as REFERENCE};
        for prefix in ["", "AAAA", &"A".repeat(32)] {
            for a in 0..=255u8 {
                for b in 0..=255u8 {
                    let mut text = prefix.as_bytes().to_vec();
                    text.extend([a, b]);
                    assert_eq!(decode(&text).ok(), REFERENCE.decode(&text).ok());
                }
            }
        }
    }

    #[test]
    fn padding_is_taken_off_where_it_is_right() {
        for (text, bare) in [
            ("AA==", "AA"),
            ("AAA=", "AAA"),
            ("AAAA", "AAAA"),
            ("AA", "AA"),
            ("", ""),
            // Refused by what decodes it.
            ("A===", "A="),
            ("====", "=="),
        ] {
            assert_eq!(unpadded(text.as_bytes()).unwrap(), bare.as_bytes(), "{text}");
        }
        for text in ["=", "==", "AA=", "AAAA=", "AAAA==", "A="] {
            assert!(unpadded(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["A=", "=="] {
            assert!(decode(text.as_bytes()).is_err());
        }
    }

    #[test]
    fn a_part_that_does_not_fit_is_refused() {
        assert!(decode_to_slice(b"AAAA", &mut [0; 2]).is_err());
    }
}
