//! ECDSA and Ed25519: round trips, lengths, points and scalars that must be refused.

use super::{MESSAGE, accepts_only, hex, kind};
use crate::crypto::{Curve, ecdsa, eddsa};
use crate::error::ErrorKind;

const CURVES: [Curve; 4] = [Curve::P256, Curve::P384, Curve::P521, Curve::Secp256k1];

/// The order of the curve's base point (SEC 2 section 2).
fn order(curve: Curve) -> Vec<u8> {
    hex(match curve {
        Curve::P256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Curve::P384 => {
            "ffffffffffffffffffffffffffffffffffffffffffffffff
             c7634d81f4372ddf581a0db248b0a77aecec196accc52973"
        }
        Curve::P521 => {
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
             fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
        }
        Curve::Secp256k1 => "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    })
}

#[test]
fn ecdsa_round_trip() {
    for curve in CURVES {
        let (d, point) = ecdsa::generate(curve).expect("key");
        assert_eq!(d.expose().len(), curve.coordinate_len());
        assert_eq!(point.len(), curve.point_len());
        assert_eq!(ecdsa::public_from_private(curve, d.expose()).expect("point"), point);
        let private = ecdsa::PrivateKey::new(curve, d.expose(), &point).expect("pair");
        let public = ecdsa::PublicKey::new(curve, &point).expect("public key");
        let mut out = [0xa5; 140];
        let len = private.sign(MESSAGE, &mut out).expect("signature");
        assert_eq!(len, curve.signature_len());
        assert!(out[len..].iter().all(|byte| *byte == 0xa5), "wrote past the signature");
        accepts_only(&out[..len], |msg, sig| public.verify(msg, sig));
        assert_eq!(kind(private.sign(MESSAGE, &mut out[..len - 1])), ErrorKind::Internal);
        let (_, other) = ecdsa::generate(curve).expect("key");
        assert!(!ecdsa::PublicKey::new(curve, &other).expect("key").verify(MESSAGE, &out[..len]));
    }
}

#[test]
fn ecdsa_signatures_keep_their_leading_zeros() {
    // One r in 256 starts with a zero byte; 1000 signatures show several.
    let (d, point) = ecdsa::generate(Curve::P256).expect("key");
    let private = ecdsa::PrivateKey::new(Curve::P256, d.expose(), &point).expect("pair");
    let public = ecdsa::PublicKey::new(Curve::P256, &point).expect("public key");
    let mut out = [0; 64];
    for i in 0..1000_u32 {
        assert_eq!(private.sign(&i.to_be_bytes(), &mut out).expect("signature"), 64);
        assert!(public.verify(&i.to_be_bytes(), &out), "signature {i}");
    }
}

#[test]
fn ecdsa_private_and_public_must_match() {
    for curve in CURVES {
        let (d, point) = ecdsa::generate(curve).expect("key");
        let (_, other) = ecdsa::generate(curve).expect("key");
        let result = ecdsa::PrivateKey::new(curve, d.expose(), &other);
        assert_eq!(kind(result), ErrorKind::KeyPairMismatch);
        // -P has the same x.
        let mut negated = ecdsa::decompress(curve, &compressed(curve, &point, true)).expect("-P");
        assert_eq!(
            kind(ecdsa::PrivateKey::new(curve, d.expose(), &negated)),
            ErrorKind::KeyPairMismatch
        );
        negated[1] ^= 1;
        assert_eq!(
            kind(ecdsa::PrivateKey::new(curve, d.expose(), &negated)),
            ErrorKind::InvalidKey
        );
        assert_eq!(kind(ecdsa::PrivateKey::new(curve, d.expose(), &[])), ErrorKind::InvalidKey);
    }
}

#[test]
fn ecdsa_points_off_the_curve_and_odd_encodings() {
    for curve in CURVES {
        let (_, point) = ecdsa::generate(curve).expect("key");
        let len = curve.coordinate_len();
        let mut bad: Vec<Vec<u8>> = vec![
            vec![],
            vec![0],
            vec![4],
            point[..point.len() - 1].to_vec(),
            [&point[..], &[0]].concat(),
            point[1..].to_vec(),
            [&[4], &vec![0; 2 * len][..]].concat(),
            [&[4], &vec![0xff; 2 * len][..]].concat(),
            compressed(curve, &point, false),
        ];
        for i in [1, len, len + 1, 2 * len] {
            let mut off = point.clone();
            off[i] ^= 1;
            bad.push(off);
        }
        for prefix in [0, 2, 3, 5, 6, 7, 0x84] {
            let mut odd = point.clone();
            odd[0] = prefix;
            bad.push(odd);
        }
        for bad in bad {
            assert_eq!(kind(ecdsa::PublicKey::new(curve, &bad)), ErrorKind::InvalidKey);
        }
        for other in CURVES.into_iter().filter(|other| *other != curve) {
            assert_eq!(kind(ecdsa::PublicKey::new(other, &point)), ErrorKind::InvalidKey);
        }
    }
}

#[test]
fn ecdsa_scalars_out_of_range() {
    for curve in CURVES {
        let order = order(curve);
        assert_eq!(order.len(), curve.coordinate_len());
        let mut largest = order.clone();
        *largest.last_mut().expect("digits") -= 1;
        assert!(ecdsa::public_from_private(curve, &largest).is_ok());
        let mut one = vec![0; curve.coordinate_len()];
        one[curve.coordinate_len() - 1] = 1;
        let base = ecdsa::public_from_private(curve, &one).expect("base point");
        let minus_base = ecdsa::public_from_private(curve, &largest).expect("its negative");
        assert_eq!(base[..=curve.coordinate_len()], minus_base[..=curve.coordinate_len()]);
        let zero = vec![0; curve.coordinate_len()];
        let highest = vec![0xff; curve.coordinate_len()];
        for bad in
            [&zero[..], &order, &highest, &one[1..], &[&[0], &one[..]].concat(), &[], &[1; 300]]
        {
            assert_eq!(kind(ecdsa::public_from_private(curve, bad)), ErrorKind::InvalidKey);
            assert_eq!(kind(ecdsa::PrivateKey::new(curve, bad, &base)), ErrorKind::InvalidKey);
        }
    }
}

#[test]
fn ecdsa_decompression() {
    for curve in CURVES {
        for _ in 0..4 {
            let (_, point) = ecdsa::generate(curve).expect("key");
            let short = compressed(curve, &point, false);
            assert_eq!(ecdsa::decompress(curve, &short).expect("point"), point);
        }
        let (_, point) = ecdsa::generate(curve).expect("key");
        let short = compressed(curve, &point, false);
        let mut hybrid = short.clone();
        hybrid[0] = 4;
        let above_p = [&[2], &vec![0xff; curve.coordinate_len()][..]].concat();
        for bad in
            [&[][..], &[2], &short[1..], &short[..short.len() - 1], &point, &hybrid, &above_p]
        {
            assert_eq!(kind(ecdsa::decompress(curve, bad)), ErrorKind::InvalidKey);
        }
        // About half of all x belong to no point.
        let refused = (0..64_u8)
            .filter(|i| {
                let mut guess = short.clone();
                guess[curve.coordinate_len()] ^= i;
                ecdsa::decompress(curve, &guess).is_err()
            })
            .count();
        assert!((8..56).contains(&refused), "{refused} of 64 refused");
    }
}

fn compressed(curve: Curve, point: &[u8], negate: bool) -> Vec<u8> {
    let parity = point[point.len() - 1] & 1;
    [&[2 | (parity ^ u8::from(negate))], &point[1..=curve.coordinate_len()]].concat()
}

#[test]
fn ed25519_of_rfc_8032() {
    // RFC 8032 section 7.1, test 2.
    let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let expected = hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    let private = eddsa::PrivateKey::from_seed(&seed).expect("seed");
    assert_eq!(private.public().to_vec(), public);
    let mut out = [0; 64];
    assert_eq!(private.sign(&[0x72], &mut out).expect("signature"), 64);
    assert_eq!(out.to_vec(), expected);
    assert!(eddsa::PublicKey::new(&public).expect("key").verify(&[0x72], &expected));
}

#[test]
fn ed25519_round_trip() {
    let seed = eddsa::generate().expect("seed");
    assert_ne!(seed.expose(), eddsa::generate().expect("seed").expose());
    let private = eddsa::PrivateKey::from_seed(seed.expose()).expect("key");
    let public = eddsa::PublicKey::new(&private.public()).expect("key");
    let mut out = [0xa5; 70];
    assert_eq!(private.sign(MESSAGE, &mut out).expect("signature"), 64);
    assert!(out[64..].iter().all(|byte| *byte == 0xa5), "wrote past the signature");
    accepts_only(&out[..64], |msg, sig| public.verify(msg, sig));
    assert_eq!(kind(private.sign(MESSAGE, &mut out[..63])), ErrorKind::Internal);
    for len in [0, 31, 33, 64] {
        assert_eq!(kind(eddsa::PrivateKey::from_seed(&vec![7; len])), ErrorKind::InvalidKey);
        assert_eq!(kind(eddsa::PublicKey::new(&vec![7; len])), ErrorKind::InvalidKey);
    }
}

#[test]
fn ed25519_points_of_small_order() {
    // All points whose order divides 8.
    let small = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    for point in small {
        assert_eq!(kind(eddsa::PublicKey::new(&hex(point))), ErrorKind::WeakKey, "{point}");
    }
    // The two of them that have x = 0, as if that had a sign.
    for (low, middle, high) in [(0x01, 0x00, 0x80), (0xec, 0xff, 0xff)] {
        let mut point = [middle; 32];
        (point[0], point[31]) = (low, high);
        assert_eq!(kind(eddsa::PublicKey::new(&point)), ErrorKind::InvalidKey, "{low}");
    }
    // y from p to 2^255 - 1, with either sign.
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut point = [0xff; 32];
            (point[0], point[31]) = (low, high);
            assert_eq!(kind(eddsa::PublicKey::new(&point)), ErrorKind::InvalidKey, "{low} {high}");
        }
    }
}

#[test]
fn ed25519_strings_that_encode_no_point() {
    // No x goes with y = 2, whatever its sign.
    for sign in [0x00, 0x80] {
        let mut no_point = [0; 32];
        (no_point[0], no_point[31]) = (2, sign);
        assert_eq!(kind(eddsa::PublicKey::new(&no_point)), ErrorKind::InvalidKey);
    }
}
