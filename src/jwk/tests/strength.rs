//! RSA numbers that are too weak, too large or no RSA key; the ROCA fingerprint.

use super::*;
use crate::base::b64;
use crate::jwk::KeyOptions;
use crate::jwk::strength::is_roca;

fn rsa_jwk(n: &[u8], e: &[u8]) -> String {
    format!(r#"{{"kty":"RSA","alg":"RS256","n":"{}","e":"{}"}}"#, b64::encode(n), b64::encode(e))
}

/// An odd number of this many bits that is no ROCA modulus.
fn modulus(bits: usize) -> Vec<u8> {
    let mut n = vec![0xA5; bits.div_ceil(8)];
    n[0] = 1 << ((bits - 1) % 8);
    if let Some(low) = n.last_mut() {
        *low |= 1;
    }
    n
}

const E: &[u8] = &[1, 0, 1];

#[test]
fn sizes() {
    for bits in [2048, 2049, 3072, 4096, 8192] {
        let key = jwk(&rsa_jwk(&modulus(bits), E)).unwrap();
        assert_eq!(key.signature_len(), bits.div_ceil(8));
    }
    for bits in [8, 512, 1023, 1024, 2040, 2047] {
        refused(jwk(&rsa_jwk(&modulus(bits), E)), ErrorKind::WeakKey);
    }
    for bits in [8193, 16384, 100_000] {
        refused(jwk(&rsa_jwk(&modulus(bits), E)), ErrorKind::UnsupportedKey);
    }
}

#[test]
fn shapes() {
    let mut even = modulus(2048);
    *even.last_mut().unwrap() &= !1;
    refused(jwk(&rsa_jwk(&even, E)), ErrorKind::InvalidKey);
    for e in [&[2][..], &[1, 0, 0], &[4]] {
        refused(jwk(&rsa_jwk(&modulus(2048), e)), ErrorKind::InvalidKey);
    }
    refused(jwk(&rsa_jwk(&modulus(2048), &[1])), ErrorKind::WeakKey);
    refused(jwk(&rsa_jwk(&modulus(2048), &[2, 0, 0, 0, 1])), ErrorKind::UnsupportedKey);
    refused(jwk(&rsa_jwk(&modulus(2048), &modulus(2048))), ErrorKind::UnsupportedKey);
    for e in [&[3][..], &[17], E, &[1, 0, 0, 0, 1]] {
        assert!(jwk(&rsa_jwk(&modulus(2048), e)).is_ok());
    }
}

#[test]
fn legacy_keys_only_verify_and_only_on_request() {
    let public = fixture("rsa-1024.spki").as_bytes();
    let private = fixture("rsa-1024.pkcs8").as_bytes();
    for alg in [Alg::Rs256, Alg::Rs512] {
        refused(Key::from_pem(public, Some(alg)), ErrorKind::WeakKey);
        let options = KeyOptions::new().alg(alg).danger_allow_weak();
        let key = options.from_pem(public).unwrap();
        assert!(key.may_verify() && !key.may_sign());
        assert_eq!(key.signature_len(), 128);
        assert_eq!(key.public().unwrap().kid(), key.kid());
        refused(options.from_pem(private), ErrorKind::WeakKey);
        let short = rsa_jwk(&modulus(1023), E).replace("RS256", alg.name());
        refused(options.from_jwk(short.as_bytes()), ErrorKind::WeakKey);
    }
    let options = KeyOptions::new().alg(Alg::Ps256).danger_allow_weak();
    refused(options.from_pem(public), ErrorKind::UnsupportedKey);
}

#[test]
fn roca_moduli_are_refused_in_every_form_even_under_danger() {
    for name in ["roca.spki", "roca.pkcs8"] {
        refused(load(name, Some(Alg::Rs256)), ErrorKind::WeakKey);
        let options = KeyOptions::new().alg(Alg::Ps256).danger_allow_weak();
        refused(options.from_pem(fixture(name).as_bytes()), ErrorKind::WeakKey);
        let error = load(name, Some(Alg::Rs256)).unwrap_err();
        assert!(error.message().contains("ROCA"), "{error}");
    }
}

#[test]
fn the_roca_fingerprint_fires_on_the_structure_and_on_nothing_else() {
    // Powers of the generator, reduced modulo the primorial, with any multiple of it added: the
    // structure of the flawed primes and of their products. 39 primes fit into 219 bits.
    let primes = (2..168u32).filter(|n| (2..*n).all(|d| n % d != 0));
    let primorial = primes.fold(vec![1u8], |m, p| times(&m, p));
    for exponent in [1, 2, 3, 1000, 65536, 99991] {
        let mut power = vec![1u8];
        for _ in 0..exponent % 2000 + 1 {
            power = remainder(&times(&power, 65537), &primorial);
        }
        for multiple in [0, 1, 2, 12345] {
            let n = plus(&times(&primorial, multiple), &power);
            assert!(is_roca(&n), "{exponent} {multiple}");
            let off_by_two = plus(&n, &[2]);
            assert!(!is_roca(&off_by_two), "{exponent} {multiple}");
        }
    }
    for name in ["rsa", "rsa-e3", "rsa-1024"] {
        let key = KeyOptions::new().alg(Alg::Rs256).danger_allow_weak();
        let key = key.from_pem(fixture(&format!("{name}.spki")).as_bytes()).unwrap();
        let text = key.to_jwk().unwrap();
        let n = crate::base::json::parse(text.as_bytes()).unwrap().member("n").unwrap();
        assert!(!is_roca(&b64::decode(n.as_str().unwrap().as_bytes()).unwrap()), "{name}");
    }
    assert!(!is_roca(&[]) && !is_roca(&[0]));
}

// Big-endian arithmetic, just enough for the test above.

fn times(a: &[u8], factor: u32) -> Vec<u8> {
    let mut carry = 0u64;
    let mut out: Vec<u8> = Vec::new();
    for &byte in a.iter().rev() {
        carry += u64::from(byte) * u64::from(factor);
        out.push(carry as u8);
        carry >>= 8;
    }
    while carry > 0 {
        out.push(carry as u8);
        carry >>= 8;
    }
    out.reverse();
    out
}

fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let len = a.len().max(b.len()) + 1;
    let digit = |x: &[u8], i: usize| x.len().checked_sub(i + 1).map_or(0, |at| u16::from(x[at]));
    let mut carry = 0;
    let mut out: Vec<u8> = (0..len)
        .map(|i| {
            carry = (carry >> 8) + digit(a, i) + digit(b, i);
            carry as u8
        })
        .collect();
    out.reverse();
    out
}

/// Shift and subtract, one bit at a time.
fn remainder(a: &[u8], modulus: &[u8]) -> Vec<u8> {
    let trim = |mut x: Vec<u8>| {
        while x.first() == Some(&0) {
            x.remove(0);
        }
        x
    };
    let less = |x: &[u8], y: &[u8]| (x.len(), x) < (y.len(), y);
    let mut rest = Vec::new();
    for bit in a.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1)) {
        rest = trim(plus(&times(&rest, 2), &[bit]));
        if !less(&rest, modulus) {
            let complement: Vec<u8> = modulus.iter().map(|byte| !byte).collect();
            let pad = vec![0xFF; rest.len() - modulus.len()];
            let difference = plus(&plus(&rest, &[pad, complement].concat()), &[1]);
            rest = trim(difference[difference.len() - rest.len()..].to_vec());
        }
    }
    rest
}
