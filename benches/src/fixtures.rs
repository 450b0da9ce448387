//! The keys and tokens every contender is given: made fresh on each run, shared as files.
//!
//! Per algorithm: `ALG.private` and `ALG.public` (PEM; for HS256 both hold the secret in hexadecimal),
//! `ALG.tokens` (good ones, one a line) and `ALG.bad` (`WHAT<TAB>TOKEN` a line).

use crate::primitive::{Signing, Verifying};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use base64_simd::URL_SAFE_NO_PAD as B64;
use pem_rfc7468::{LineEnding, encode_string};
use serde::{Deserialize, Serialize};
use std::path::Path;

pub(crate) const ALGORITHMS: [&str; 6] = ["HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"];
pub(crate) const ISSUER: &str = "https://issuer.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
const GOOD_TOKENS: usize = 16;

/// The payload: nine members, 265 bytes of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) exp: u64,
    pub(crate) nbf: u64,
    pub(crate) iat: u64,
    pub(crate) jti: String,
    pub(crate) scope: String,
    pub(crate) client_id: String,
}

impl Claims {
    pub(crate) fn sample(serial: usize) -> Self {
        Self {
            iss: ISSUER.into(),
            sub: "user-0123456789".into(),
            aud: AUDIENCE.into(),
            exp: 4_102_444_800, // 2100-01-01
            nbf: 1_760_000_000,
            iat: 1_760_000_000,
            jti: format!("3b241101-e2bb-4255-8caf-4136c566{serial:04}"),
            scope: "read:orders write:orders read:profile".into(),
            client_id: "web-frontend-7".into(),
        }
    }
}

pub(crate) struct Fixtures {
    pub(crate) alg: &'static str,
    /// PEM, or the secret itself for HS256.
    pub(crate) private: Vec<u8>,
    pub(crate) public: Vec<u8>,
    pub(crate) tokens: Vec<String>,
    pub(crate) bad: Vec<(String, String)>,
}

impl Fixtures {
    pub(crate) fn load(dir: &Path, alg: &'static str) -> Self {
        let read = |part: &str| {
            let path = dir.join(format!("{alg}.{part}"));
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let key = |part: &str| match alg {
            "HS256" => unhex(read(part).trim()),
            _ => read(part).into_bytes(),
        };
        let bad = read("bad");
        let bad = bad.lines().filter_map(|line| line.split_once('\t'));
        Self {
            alg,
            private: key("private"),
            public: key("public"),
            tokens: read("tokens").lines().map(Into::into).collect(),
            bad: bad.map(|(what, token)| (what.into(), token.into())).collect(),
        }
    }
}

pub(crate) fn header(alg: &str) -> String {
    format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#)
}

pub(crate) fn generate(dir: &Path) {
    std::fs::create_dir_all(dir).expect("the fixtures' directory can be made");
    let (rsa, rsa_public) = rsa();
    for alg in ALGORITHMS {
        let (private, public) = match alg {
            "HS256" => {
                let secret: String = secret().iter().map(|byte| format!("{byte:02x}")).collect();
                (secret.clone(), secret)
            }
            "RS256" | "PS256" => (rsa.clone(), rsa_public.clone()),
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => ed25519(),
        };
        let raw = |text: &str| if alg == "HS256" { unhex(text) } else { text.as_bytes().to_vec() };
        let signing = Signing::new(alg, &raw(&private));
        let verifying = Verifying::new(alg, &raw(&public));
        let token = |claims: &Claims| {
            let payload = serde_json::to_string(claims).expect("claims are JSON");
            assert_eq!(payload.len(), 265);
            let input =
                format!("{}.{}", B64.encode_to_string(header(alg)), B64.encode_to_string(payload));
            let signature = signing.sign(input.as_bytes());
            assert!(verifying.verify(input.as_bytes(), &signature));
            format!("{input}.{}", B64.encode_to_string(signature))
        };
        let tokens: Vec<_> =
            (0..GOOD_TOKENS).map(|serial| token(&Claims::sample(serial))).collect();
        let claims = Claims::sample(0);
        let broken_signature = {
            let (input, _) = tokens[0].rsplit_once('.').expect("three parts");
            let (_, other) = tokens[1].rsplit_once('.').expect("three parts");
            format!("{input}.{other}")
        };
        let none = {
            let payload = tokens[0].split('.').nth(1).expect("three parts");
            format!("{}.{payload}.", B64.encode_to_string(header("none")))
        };
        let bad = [
            ("bad signature", broken_signature),
            ("expired", token(&Claims { exp: 1_760_000_001, ..claims.clone() })),
            (
                "wrong audience",
                token(&Claims { aud: "https://api.example.net".into(), ..claims.clone() }),
            ),
            ("wrong issuer", token(&Claims { iss: "https://issuer.example.net".into(), ..claims })),
            ("alg none", none),
        ];
        let bad: Vec<_> = bad.iter().map(|(what, token)| format!("{what}\t{token}")).collect();
        let parts = [
            ("private", private),
            ("public", public),
            ("tokens", tokens.join("\n")),
            ("bad", bad.join("\n")),
        ];
        for (part, text) in parts {
            std::fs::write(dir.join(format!("{alg}.{part}")), text)
                .expect("the fixtures can be written");
        }
    }
}

fn secret() -> [u8; 32] {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    bytes
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|d| u8::from_str_radix(&String::from_utf8_lossy(d), 16).expect("hexadecimal"))
        .collect()
}

fn pems(private: &[u8], public: &[u8]) -> (String, String) {
    let pem = |label, der: &[u8]| encode_string(label, LineEnding::LF, der).expect("PEM");
    (pem("PRIVATE KEY", private), pem("PUBLIC KEY", public))
}

fn rsa() -> (String, String) {
    let pair =
        aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("an RSA key");
    let private: Pkcs8V1Der<'_> = pair.as_der().expect("PKCS#8");
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("SPKI");
    pems(private.as_ref(), public.as_ref())
}

fn ecdsa(alg: &'static EcdsaSigningAlgorithm) -> (String, String) {
    let pair = EcdsaKeyPair::generate(alg).expect("an EC key");
    let private = pair.to_pkcs8v1().expect("PKCS#8");
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("SPKI");
    pems(private.as_ref(), public.as_ref())
}

fn ed25519() -> (String, String) {
    let pair = Ed25519KeyPair::generate().expect("an Ed25519 key");
    let private = pair.to_pkcs8v1().expect("PKCS#8");
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("SPKI");
    pems(private.as_ref(), public.as_ref())
}
