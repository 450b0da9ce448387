//! Rows 13 and 16-18: what counts as a signature.

use crate::fixtures::{asymmetric, claims, key, kind_of, refused, row, verifier};
use crate::forge::{header, resign, sign, signature, token};
use gatekey::{Alg, ErrorKind, Key};

/// The order of each curve's group, big-endian (SEC 2; the coordinate's length).
const ORDERS: [(Alg, &str); 4] = [
    (Alg::Es256, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
    (Alg::Es256k, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141"),
    (
        Alg::Es384,
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
    ),
    (
        Alg::Es512,
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
    ),
];

/// CVE-2020-28042, CVE-2018-1000125: the empty, short, cut and long signature.
#[test]
fn row_13_signatures_of_the_wrong_length() {
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let good = token(key(alg), &claims());
        let bytes = signature(&good);
        assert_eq!(bytes.len(), key(alg).signature_len(), "{alg}");
        verifier.verify(&good).unwrap();
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            refused(
                verifier.verify(resign(&good, &bytes[..cut])),
                ErrorKind::InvalidSignature,
                &format!("{alg} {cut}"),
            );
        }
        for extra in [&b"\0"[..], b"\x01", &[0; 64], &bytes] {
            let longer = [&bytes, extra].concat();
            refused(
                verifier.verify(resign(&good, &longer)),
                ErrorKind::InvalidSignature,
                &format!("{alg} longer"),
            );
            let prefixed = [extra, &bytes].concat();
            refused(
                verifier.verify(resign(&good, &prefixed)),
                ErrorKind::InvalidSignature,
                &format!("{alg} prefixed"),
            );
        }
        for filled in [0, 1, 0xff] {
            let constant = vec![filled; bytes.len()];
            refused(
                verifier.verify(resign(&good, &constant)),
                ErrorKind::InvalidSignature,
                &format!("{alg} constant"),
            );
        }
        let (input, _) = good.rsplit_once('.').unwrap();
        refused(verifier.verify(input), ErrorKind::MalformedToken, "no third part");
    }
}

/// CVE-2022-21449: r and s must lie in 1..n.
#[test]
fn row_16_r_and_s_at_the_edges() {
    for (alg, order) in ORDERS {
        let verifier = verifier(alg);
        let good = token(key(alg), &claims());
        let n = hex(order);
        let len = n.len();
        let mut below = n.clone();
        *below.last_mut().unwrap() -= 1;
        let mut one = vec![0; len];
        one[len - 1] = 1;
        let edges = [vec![0; len], one, below, n.clone(), vec![0xff; len]];
        for r in &edges {
            for s in &edges {
                let forged = resign(&good, &[r.as_slice(), s].concat());
                refused(
                    verifier.verify(forged),
                    ErrorKind::InvalidSignature,
                    &format!("{alg} {r:x?} {s:x?}"),
                );
            }
        }
        let honest = signature(&good);
        let (r, s) = honest.split_at(len);
        for (r, s) in [
            (vec![0; len], s.to_vec()),
            (r.to_vec(), vec![0; len]),
            (n.clone(), s.to_vec()),
            (r.to_vec(), n),
        ] {
            refused(
                verifier.verify(resign(&good, &[r, s].concat())),
                ErrorKind::InvalidSignature,
                "one edge",
            );
        }
    }
}

/// Wycheproof 379 and 385 (jwcrypto 1.6.1): exactly 2 x 32, 48 or 66 bytes, and no DER.
#[test]
fn row_17_ecdsa_signatures_have_one_length_and_one_form() {
    for (alg, _) in ORDERS {
        let verifier = verifier(alg);
        let good = token(key(alg), &claims());
        let bytes = signature(&good);
        let half = bytes.len() / 2;
        assert_eq!(
            half,
            match alg {
                Alg::Es384 => 48,
                Alg::Es512 => 66,
                _ => 32,
            }
        );
        let (r, s) = bytes.split_at(half);
        for pad in 1..=4 {
            let wide = |part: &[u8]| [vec![0; pad], part.to_vec()].concat();
            for forged in [
                [wide(r), wide(s)].concat(),
                [wide(r), s.to_vec()].concat(),
                [r.to_vec(), wide(s)].concat(),
                [bytes.clone(), vec![0; 2 * pad]].concat(),
            ] {
                refused(
                    verifier.verify(resign(&good, &forged)),
                    ErrorKind::InvalidSignature,
                    &format!("{alg} padded"),
                );
            }
        }
        let der = der_signature(r, s);
        refused(
            verifier.verify(resign(&good, &der)),
            ErrorKind::InvalidSignature,
            &format!("{alg} DER"),
        );
        let swapped = [s, r].concat();
        refused(
            verifier.verify(resign(&good, &swapped)),
            ErrorKind::InvalidSignature,
            &format!("{alg} swapped"),
        );
    }
}

/// fast-jwt 6.3.6, PyJWT before 2.11: one curve, one algorithm.
#[test]
fn row_18_curve_and_algorithm_are_one_choice() {
    let curves = [
        (Alg::Es256, "P-256"),
        (Alg::Es384, "P-384"),
        (Alg::Es512, "P-521"),
        (Alg::Es256k, "secp256k1"),
    ];
    for (of_key, crv) in curves {
        let jwk = row(&of_key.name().to_ascii_lowercase()).jwk;
        let bare = jwk.replace(&format!(r#""alg":"{}","#, of_key.name()), "");
        assert_ne!(bare, jwk);
        assert_eq!(
            Key::from_jwk(bare.as_bytes(), None).unwrap().alg(),
            of_key,
            "the curve alone tells"
        );
        for (wanted, other_crv) in curves {
            let as_other = Key::from_jwk(bare.as_bytes(), Some(wanted));
            let renamed = jwk.replace(of_key.name(), wanted.name());
            let moved =
                bare.replace(&format!(r#""crv":"{crv}""#), &format!(r#""crv":"{other_crv}""#));
            let pem = key(of_key).to_pem().unwrap();
            if of_key == wanted {
                as_other.unwrap();
                continue;
            }
            for (what, loaded) in [
                ("asked for", as_other),
                ("named in the JWK", Key::from_jwk(renamed.as_bytes(), None)),
                ("another crv", Key::from_jwk(moved.as_bytes(), None)),
                ("PEM", Key::from_pem(pem.as_bytes(), Some(wanted))),
            ] {
                let kind = kind_of(loaded, &format!("{crv} as {wanted}, {what}"));
                assert!(
                    kind.is_misuse() || kind == ErrorKind::InvalidAlgorithm,
                    "{crv} as {wanted}, {what}: {kind:?}"
                );
            }
            let claimed = sign(key(of_key), header(wanted), claims().to_string());
            refused(
                verifier(of_key).verify(&claimed),
                ErrorKind::InvalidAlgorithm,
                "by its own key",
            );
            refused(
                verifier(wanted).verify(&claimed),
                ErrorKind::InvalidSignature,
                "by the other curve's key",
            );
        }
    }
    for alg in asymmetric().filter(|alg| matches!(alg, Alg::EdDsa | Alg::Ed25519)) {
        let jwk = row(&alg.name().to_ascii_lowercase()).jwk;
        for crv in ["Ed448", "X25519", "X448", "P-256", ""] {
            let moved = jwk.replace(r#""crv":"Ed25519""#, &format!(r#""crv":"{crv}""#));
            let kind = kind_of(Key::from_jwk(moved.as_bytes(), None), crv);
            assert!(
                matches!(kind, ErrorKind::UnsupportedKey | ErrorKind::InvalidKey),
                "{crv}: {kind:?}"
            );
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// ECDSA-Sig-Value of RFC 3279 section 2.2.3.
fn der_signature(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let first = bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len() - 1);
        let mut body = bytes[first..].to_vec();
        if body[0] >= 0x80 {
            body.insert(0, 0);
        }
        [vec![2, body.len() as u8], body].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let length =
        if body.len() < 0x80 { vec![body.len() as u8] } else { vec![0x81, body.len() as u8] };
    [vec![0x30], length, body].concat()
}
