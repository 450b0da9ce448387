//! RSA: round trips, cross-scheme refusals, sizes, exponents and contradicting private keys.

use super::{MESSAGE, accepts_only, hex, kind};
use crate::base::secret::Secret;
use crate::crypto::Hash;
use crate::crypto::rsa::{PrivateKey, PublicKey, Scheme, generate};
use crate::error::ErrorKind;
use der::{Decode, Encode, asn1::UintRef};
use pkcs1::{OtherPrimeInfo, RsaPrivateKeyRef, RsaPublicKeyRef};
use std::sync::LazyLock;

const SCHEMES: [Scheme; 6] = [
    Scheme::Pkcs1(Hash::Sha256),
    Scheme::Pkcs1(Hash::Sha384),
    Scheme::Pkcs1(Hash::Sha512),
    Scheme::Pss(Hash::Sha256),
    Scheme::Pss(Hash::Sha384),
    Scheme::Pss(Hash::Sha512),
];

static KEY: LazyLock<Secret> = LazyLock::new(|| generate(2048).expect("key"));
static OTHER: LazyLock<Secret> = LazyLock::new(|| generate(2048).expect("key"));

fn parts(key: &Secret) -> RsaPrivateKeyRef<'_> {
    RsaPrivateKeyRef::from_der(key.expose()).expect("RSAPrivateKey")
}

fn public(scheme: Scheme, key: &RsaPublicKeyRef<'_>) -> PublicKey {
    PublicKey::new(scheme, key.modulus.as_bytes(), key.public_exponent.as_bytes(), false)
        .expect("public key")
}

#[test]
fn round_trip_in_every_scheme() {
    let numbers = parts(&KEY);
    let numbers = numbers.public_key();
    assert_eq!(numbers.public_exponent.as_bytes(), [1, 0, 1]);
    for scheme in SCHEMES {
        let private = PrivateKey::from_pkcs1(scheme, KEY.expose()).expect("private key");
        let key = public(scheme, &numbers);
        assert_eq!((private.modulus_len(), key.modulus_len()), (256, 256));
        let mut out = [0xa5; 300];
        assert_eq!(private.sign(MESSAGE, &mut out).expect("signature"), 256);
        assert!(out[256..].iter().all(|byte| *byte == 0xa5), "wrote past the signature");
        accepts_only(&out[..256], |msg, sig| key.verify(msg, sig));
        for other in SCHEMES.into_iter().filter(|other| *other != scheme) {
            assert!(!public(other, &numbers).verify(MESSAGE, &out[..256]), "{scheme:?} {other:?}");
        }
        assert_eq!(kind(private.sign(MESSAGE, &mut out[..255])), ErrorKind::Internal);
    }
}

#[test]
fn leading_zeros_are_ignored() {
    let key = parts(&KEY);
    let n = [&[0, 0], key.modulus.as_bytes()].concat();
    let scheme = Scheme::Pss(Hash::Sha256);
    let padded = PublicKey::new(scheme, &n, &[0, 1, 0, 1], false).expect("public key");
    assert_eq!(padded.modulus_len(), 256);
    let mut out = [0; 256];
    let private = PrivateKey::from_pkcs1(scheme, KEY.expose()).expect("private key");
    private.sign(MESSAGE, &mut out).expect("signature");
    assert!(padded.verify(MESSAGE, &out));
}

/// An odd number of exactly this many bits.
fn odd(bits: usize) -> Vec<u8> {
    let mut number = vec![0; bits.div_ceil(8)];
    number[0] = 1 << ((bits - 1) % 8);
    *number.last_mut().expect("digits") |= 1;
    number
}

#[test]
fn moduli() {
    let scheme = Scheme::Pkcs1(Hash::Sha256);
    let load = |n: &[u8], weak| PublicKey::new(scheme, n, &[3], weak);
    for bits in [2048, 2049, 3072, 8191, 8192] {
        let key = load(&odd(bits), false).expect("public key");
        assert_eq!(key.modulus_len(), bits.div_ceil(8));
        assert!(!key.verify(MESSAGE, &vec![1; bits.div_ceil(8)]));
    }
    for bits in [8, 512, 1023, 1024, 2047] {
        assert_eq!(kind(load(&odd(bits), false)), ErrorKind::WeakKey, "{bits}");
    }
    for bits in [1024, 1025, 2047, 2048] {
        assert!(load(&odd(bits), true).is_ok(), "{bits}");
    }
    for bits in [8, 512, 1023] {
        assert_eq!(kind(load(&odd(bits), true)), ErrorKind::WeakKey, "{bits}");
    }
    for bits in [8193, 16384, 65536] {
        assert_eq!(kind(load(&odd(bits), true)), ErrorKind::UnsupportedKey, "{bits}");
    }
    let mut even = odd(2048);
    even[255] = 2;
    for bad in [&even[..], &[], &[0; 256]] {
        assert_eq!(kind(load(bad, true)), ErrorKind::InvalidKey);
    }
}

#[test]
fn exponents() {
    let load = |e: &[u8]| PublicKey::new(Scheme::Pss(Hash::Sha256), &odd(2048), e, false);
    for good in [&[3][..], &[17], &[1, 0, 1], &[0xff; 4], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(load(good).is_ok(), "{good:?}");
    }
    for bad in [&[][..], &[0], &[2], &[0, 0], &[1, 0, 0], &[0xfe; 300]] {
        assert_eq!(kind(load(bad)), ErrorKind::InvalidKey, "{bad:?}");
    }
    assert_eq!(kind(load(&[1])), ErrorKind::WeakKey);
    assert_eq!(kind(load(&[0, 0, 1])), ErrorKind::WeakKey);
    for long in [&[2, 0, 0, 0, 1][..], &[1, 0, 0, 0, 0, 1], &odd(2048)] {
        assert_eq!(kind(load(long)), ErrorKind::UnsupportedKey, "{long:?}");
    }
}

#[test]
fn short_keys_verify_on_demand_and_never_sign() {
    let n = hex(N_1024);
    for (hash, sig) in [(Hash::Sha256, SIG_256), (Hash::Sha512, SIG_512)] {
        let scheme = Scheme::Pkcs1(hash);
        assert_eq!(kind(PublicKey::new(scheme, &n, &[1, 0, 1], false)), ErrorKind::WeakKey);
        let key = PublicKey::new(scheme, &n, &[1, 0, 1], true).expect("public key");
        accepts_only(&hex(sig), |msg, sig| key.verify(msg, sig));
    }
    for scheme in SCHEMES {
        let private = PrivateKey::from_pkcs1(scheme, &hex(DER_1024));
        assert_eq!(kind(private), ErrorKind::WeakKey);
        if !matches!(scheme, Scheme::Pkcs1(Hash::Sha256 | Hash::Sha512)) {
            let public = PublicKey::new(scheme, &n, &[1, 0, 1], true);
            assert_eq!(kind(public), ErrorKind::UnsupportedKey, "{scheme:?}");
        }
    }
}

#[test]
fn private_keys_that_contradict_themselves() {
    let load = |key: &RsaPrivateKeyRef<'_>| {
        PrivateKey::from_pkcs1(Scheme::Pkcs1(Hash::Sha256), &key.to_der().expect("DER"))
    };
    let (good, other) = (parts(&KEY), parts(&OTHER));
    assert!(load(&good).is_ok());
    let zero = UintRef::new(&[0]).expect("zero");
    // One number of another key, or none at all.
    macro_rules! replaced {
        ($($field:ident)+) => {$(
            for foreign in [other.$field, zero] {
                let mixed = RsaPrivateKeyRef { $field: foreign, ..good.clone() };
                assert_eq!(kind(load(&mixed)), ErrorKind::KeyPairMismatch, stringify!($field));
            }
        )+};
    }
    replaced!(private_exponent prime1 prime2 exponent1 exponent2 coefficient);
    let mixed = RsaPrivateKeyRef { modulus: other.modulus, ..good.clone() };
    assert_eq!(kind(load(&mixed)), ErrorKind::KeyPairMismatch);
    let three = UintRef::new(&[3]).expect("three");
    let mixed = RsaPrivateKeyRef { public_exponent: three, ..good.clone() };
    assert_eq!(kind(load(&mixed)), ErrorKind::KeyPairMismatch);
    // Without e, p and q the library would take the key and sign without blinding.
    let stripped = RsaPrivateKeyRef {
        public_exponent: zero,
        prime1: zero,
        prime2: zero,
        exponent1: zero,
        exponent2: zero,
        coefficient: zero,
        ..good.clone()
    };
    assert_eq!(kind(load(&stripped)), ErrorKind::InvalidKey);
    let primeless = RsaPrivateKeyRef { public_exponent: good.public_exponent, ..stripped };
    assert_eq!(kind(load(&primeless)), ErrorKind::KeyPairMismatch);
    let third = OtherPrimeInfo {
        prime: good.prime1,
        exponent: good.exponent1,
        coefficient: good.coefficient,
    };
    let multi = RsaPrivateKeyRef { other_prime_infos: Some(vec![third]), ..good.clone() };
    assert_eq!(kind(load(&multi)), ErrorKind::UnsupportedKey);
}

#[test]
fn private_keys_in_other_forms() {
    let der = KEY.expose();
    let trailing = [der, &[0]].concat();
    for bad in [&[][..], &[0x30, 0], &der[..der.len() - 1], &trailing, &hex(N_1024)] {
        let private = PrivateKey::from_pkcs1(Scheme::Pss(Hash::Sha512), bad);
        assert_eq!(kind(private), ErrorKind::InvalidKey);
    }
}

#[test]
fn generated_sizes() {
    for bits in [0, 512, 1024, 2047] {
        assert_eq!(kind(generate(bits)), ErrorKind::WeakKey, "{bits}");
    }
    for bits in [2049, 2056, 5000, 16384, usize::MAX] {
        assert_eq!(kind(generate(bits)), ErrorKind::UnsupportedKey, "{bits}");
    }
    let longer = generate(3072).expect("key");
    assert_eq!(parts(&longer).modulus.as_bytes().len(), 384);
}

/// A key of 1024 bits and its signatures of [`MESSAGE`], made with OpenSSL for this test.
const N_1024: &str = "
    e071369b7fc51d0119c1d7fe6feb80bc7a11561e38f125774338a9fa44bc52f0245f82a25a7862f403bc6e5e7007
    d03484190ffa0b78ee234660960f55f259b700061f3a2dd1428090ee622da7294a062c260467d6bc821cf6b317d9
    688576e531b387f58b3c7f21400bd4e5ba4570fd9eb3e6a33aced1d0b215f3d6604db743";
const SIG_256: &str = "
    c65bd4e5631903ffbc373c9bbaacecc6e9026564fe5ae0a137f1438a22e4bcdb9880d7c1b646fcedb85458401703
    8dd06d70f6aebfb2832985ba6f8c53ee78da84d754e07eda85263c5310795a630e82f92b27a95113eaca43b7c8b5
    2bc45744830557af126521c7a3ef1071d25fbdfd154e6d432467941bfa8ef12e4ecd27e5";
const SIG_512: &str = "
    6b98b964defd9b6dde42bf77b1338a76fe05bfa69f8858b0449ac4e72d7b029f64a143d0476c065299dda4954cb7
    ad2999725c527e5b3b5eb24a3f8171b43e5eaad9b5f5b70e5db57ecf12896ed325e98293a19f051d8f291cfa6f37
    89e6f8fc0056847379d4e11049a7738d2d2e13b167e76847493640eb22209281e507f421";
const DER_1024: &str = "
    3082025d02010002818100e071369b7fc51d0119c1d7fe6feb80bc7a11561e38f125774338a9fa44bc52f0245f82
    a25a7862f403bc6e5e7007d03484190ffa0b78ee234660960f55f259b700061f3a2dd1428090ee622da7294a062c
    260467d6bc821cf6b317d9688576e531b387f58b3c7f21400bd4e5ba4570fd9eb3e6a33aced1d0b215f3d6604db7
    4302030100010281801904658ad5a61a028a6571f6f970adabd48b6427003fd8e63f46eca369cff80aae733af36f
    d4256b7f931c564874867fa40dcb1b1af642cd09c63053cb47b53a1c3c785239da1bed3deca445d4a651c5758a54
    7ea893a82fc3d374b167432f201b3d90a073f5944133eb79b0eb2e35e254494149d91e2a48817f5416302b07d902
    4100f8a9c8cb8b64adb25dd0dbfd5c07c95411d1d1697aa8123518594bd64b1f443a56e7eac6fe51d1cdfa10e588
    5d0fe04fa46b5324df696751b7da4a9572b886e7024100e7107b583c270f8dd40237b51d647e371eed57a68922d0
    4c602ed06ec5e856eda2fb2393ab16c169d5fd42f790798c987452af11ea45a6d1b0ae337c6cb76d45024045c2cc
    345e6ce6560dffd457e603c135b6b2187ff10b49e05f6e5dda46c504cd21287b334c9203bc379599ef81bc3c7fdb
    6ec8aaa58ada939072cb4dd61b72ad024100a119a7b5ec329bb099f975d7ac078dcc669eba36dd744d6082cb00fd
    cab4642f492bea3121df3ab8ccbec87b0cdb0240a511a5084b9b8664bad7aa03fd54a235024100b114dedca8450a
    64baad8238d2c806a62f2c4e731c820801102aea580a84fa26d3c55fcadd3c99194a1b166d3dcd80c1149c7f64c5
    50106c12ba2dc57682be55";
