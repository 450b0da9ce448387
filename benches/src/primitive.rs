//! The bare primitive: aws-lc-rs with a key parsed once, a signature already decoded.

use crate::fixtures::Fixtures;
use crate::serve::{Case, time};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair, VerificationAlgorithm,
};
use base64_simd::URL_SAFE_NO_PAD as B64;

pub(crate) enum Verifying {
    Hmac(hmac::Key),
    Public(ParsedPublicKey),
}

impl Verifying {
    pub(crate) fn new(alg: &str, public: &[u8]) -> Self {
        let algorithm: &'static dyn VerificationAlgorithm = match alg {
            "HS256" => return Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, public)),
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            "ES256" => &ECDSA_P256_SHA256_FIXED,
            "ES384" => &ECDSA_P384_SHA384_FIXED,
            _ => &ED25519,
        };
        let (_, der) = pem_rfc7468::decode_vec(public).expect("PEM");
        Self::Public(ParsedPublicKey::new(algorithm, der).expect("a public key"))
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

pub(crate) enum Signing {
    Hmac(hmac::Key),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signing {
    pub(crate) fn new(alg: &str, private: &[u8]) -> Self {
        if alg == "HS256" {
            return Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, private));
        }
        let (_, der) = pem_rfc7468::decode_vec(private).expect("PEM");
        match alg {
            "RS256" => {
                Self::Rsa(RsaKeyPair::from_pkcs8(&der).expect("an RSA key"), &RSA_PKCS1_SHA256)
            }
            "PS256" => {
                Self::Rsa(RsaKeyPair::from_pkcs8(&der).expect("an RSA key"), &RSA_PSS_SHA256)
            }
            "ES256" => Self::Ecdsa(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
                    .expect("a P-256 key"),
            ),
            "ES384" => Self::Ecdsa(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der)
                    .expect("a P-384 key"),
            ),
            _ => Self::Ed25519(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).expect("an Ed25519 key"),
            ),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut out = [0; 512];
        let len = self.sign_into(message, &mut out);
        out[..len].to_vec()
    }

    /// Signs into `out` and returns the signature's length.
    pub(crate) fn sign_into(&self, message: &[u8], out: &mut [u8; 512]) -> usize {
        let mut put = |signature: &[u8]| {
            out[..signature.len()].copy_from_slice(signature);
            signature.len()
        };
        match self {
            Self::Hmac(key) => put(hmac::sign(key, message).as_ref()),
            Self::Rsa(key, encoding) => {
                let len = key.public_modulus_len();
                key.sign(*encoding, &SystemRandom::new(), message, &mut out[..len])
                    .expect("a signature");
                len
            }
            Self::Ecdsa(key) => {
                put(key.sign(&SystemRandom::new(), message).expect("a signature").as_ref())
            }
            Self::Ed25519(key) => put(key.sign(message).as_ref()),
        }
    }
}

pub(crate) fn cases(fixtures: &Fixtures, cases: &mut Vec<Case>) {
    let verifying = Verifying::new(fixtures.alg, &fixtures.public);
    let decode = |token: &String| {
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        (message.to_owned(), B64.decode_to_vec(signature).expect("base64url"))
    };
    let inputs: Vec<_> = fixtures.tokens.iter().map(decode).collect();
    assert!(
        inputs.iter().all(|(message, signature)| verifying.verify(message.as_bytes(), signature))
    );
    assert!(!verifying.verify(inputs[0].0.as_bytes(), &inputs[1].1));
    let message = inputs[0].0.clone();
    time("primitive", "verify", fixtures.alg, cases, inputs, move |(message, signature)| {
        verifying.verify(message.as_bytes(), signature)
    });
    let signing = Signing::new(fixtures.alg, &fixtures.private);
    time("primitive", "sign", fixtures.alg, cases, vec![message], move |message| {
        let mut out = [0; 512];
        signing.sign_into(message.as_bytes(), &mut out);
        out
    });
}
