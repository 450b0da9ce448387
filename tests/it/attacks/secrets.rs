//! Rows 3-6, 11, 12 and 50: what may serve as an HMAC secret, and where it comes from.

use crate::fixtures::{asymmetric, claims, key, kind_of, policy, refused, verifier, verifying};
use crate::forge::{b64, der, header, header_and, hmac_token, sign};
use crate::rounds::rounds;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatekey::jwk::KeyOptions;
use gatekey::{Alg, ErrorKind, Key, KeySet, Verifier};

const HMACS: [Alg; 3] = [Alg::Hs256, Alg::Hs384, Alg::Hs512];

/// CVE-2015-9235, CVE-2016-10555: the RSA public key, in any form, as HMAC secret.
#[test]
fn row_03_public_key_as_hmac_secret() {
    for alg in asymmetric() {
        let public = key(alg).public().unwrap();
        let verifier = Verifier::with_key(&public, policy()).unwrap();
        for secret in forms_of(&public) {
            for hmac in HMACS {
                let forged = hmac_token(hmac, &secret, header(hmac), claims().to_string());
                refused(
                    verifier.verify(forged),
                    ErrorKind::InvalidAlgorithm,
                    &format!("{hmac} for {alg}"),
                );
                let disguised = hmac_token(hmac, &secret, header(alg), claims().to_string());
                refused(
                    verifier.verify(disguised),
                    ErrorKind::InvalidSignature,
                    &format!("{hmac} as {alg}"),
                );
            }
        }
        for secret in forms_of(&public).into_iter().chain(forms_of_private(key(alg))) {
            looks_like_key(
                &secret,
                &format!("{alg}: {:?}", String::from_utf8_lossy(&secret[..24])),
            );
        }
    }
}

/// CVE-2017-11424, CVE-2022-29217, CVE-2024-33663, CVE-2024-37568: armours that a filter forgot.
#[test]
fn row_04_every_armour_and_ssh_prefix() {
    let body = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAx".repeat(4);
    for label in [
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "EC PARAMETERS",
        "ENCRYPTED PRIVATE KEY",
        "DSA PRIVATE KEY",
        "CERTIFICATE",
        "X509 CERTIFICATE",
        "TRUSTED CERTIFICATE",
        "CERTIFICATE REQUEST",
        "NEW CERTIFICATE REQUEST",
        "OPENSSH PRIVATE KEY",
        "PKCS7",
        "ANY OTHER KEY",
    ] {
        looks_like_key(
            format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").as_bytes(),
            label,
        );
    }
    looks_like_key(
        format!("---- BEGIN SSH2 PUBLIC KEY ----\n{body}\n---- END SSH2 PUBLIC KEY ----")
            .as_bytes(),
        "ssh2",
    );
    for prefix in [
        "ssh-rsa",
        "ssh-dss",
        "ssh-ed25519",
        "ssh-ed448",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ] {
        looks_like_key(
            format!("{prefix} AAAAB3NzaC1yc2EAAAADAQABAAABgQ{body} me@host").as_bytes(),
            prefix,
        );
        looks_like_key(
            format!("  {prefix} AAAAB3NzaC1yc2EAAAADAQABAAABgQ{body}").as_bytes(),
            prefix,
        );
    }
}

/// CVE-2023-48223, CVE-2026-34950, GHSA-ww5h-9m49-7xx4: an anchored match, then any byte before it.
#[test]
fn row_05_something_before_the_armour() {
    let pem = key(Alg::Rs256).to_pem().unwrap();
    for before in [
        " ",
        "\n",
        "\r\n",
        "\t",
        "\u{feff}",
        "\u{200b}",
        "x",
        "\0",
        "# a comment\n",
        "Bag Attributes\n  x: y\n",
        "\u{b}",
        "\u{a0}",
        "\"",
    ] {
        looks_like_key(format!("{before}{pem}").as_bytes(), &format!("{before:?}"));
        looks_like_key(format!("{before}{before}{pem}{before}").as_bytes(), &format!("{before:?}"));
    }
    looks_like_key(pem.replace('\n', "\r\n").as_bytes(), "CRLF");
    looks_like_key(pem.replace('\n', "\r").as_bytes(), "CR");
    looks_like_key(pem.trim_end().as_bytes(), "no newline at the end");
    looks_like_key(
        pem.replace('\n', "\\n").as_bytes(),
        "escaped newlines, as from an environment variable",
    );
    let utf16: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
    looks_like_key(&utf16, "UTF-16");
}

/// CVE-2026-48526, GHSA-g3jj-5cmm-3hxx: JWK and JWKS text, bare or wrapped, as HMAC secret.
#[test]
fn row_06_jwk_text_as_secret() {
    for alg in asymmetric() {
        let jwk = key(alg).to_jwk().unwrap();
        let spaced = jwk.replace(':', " : ").replace(',', " ,\n");
        for text in [
            jwk.clone(),
            spaced,
            format!("[{jwk}]"),
            format!(r#"{{"keys":[{jwk}]}}"#),
            format!("\u{feff}{jwk}"),
            format!(" \n{jwk}"),
            format!("[ [{jwk}] ]"),
            serde_json::to_string(&jwk).unwrap(),
        ] {
            looks_like_key(text.as_bytes(), &format!("{alg} {}", &text[..12]));
            looks_like_key(STANDARD.encode(&text).as_bytes(), "base64");
            looks_like_key(b64(&text).as_bytes(), "base64url");
        }
        if let Ok(pem) = key(alg).to_pem() {
            let spki = der(&pem);
            looks_like_key(&spki, "DER");
            looks_like_key(STANDARD.encode(&spki).as_bytes(), "base64 of DER");
            looks_like_key(b64(&spki).as_bytes(), "base64url of DER");
            looks_like_key(STANDARD.encode(&pem).as_bytes(), "base64 of PEM");
        }
    }
}

/// The other side of rows 3 to 6: what a careful person makes as a secret is taken.
#[test]
fn row_06_honest_secrets_are_taken() {
    use gatekey::random::SecureRandom as _;
    for round in 0..rounds(200) as usize {
        let mut random = vec![0; 64 + round % 65];
        gatekey::random::SystemRandom.fill(&mut random).unwrap();
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let forms = [
            random.clone(),
            STANDARD.encode(&random).into_bytes(),
            b64(&random).into_bytes(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
        ];
        for secret in forms {
            let loaded = Key::from_secret(&secret, Alg::Hs512);
            assert!(loaded.is_ok(), "{loaded:?}: {secret:?}");
        }
    }
    for phrase in [
        "correct horse battery staple correct horse battery staple correct horse",
        "8f14e45f-ceea-467f-9575-1d4d1a6f4b7c:c9f0f895-fb98-4b91-8f3d-5d1a6f4b7cee",
        "do not begin or end a public key with a secret; this is one of the two ....",
        "-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.-.",
    ] {
        assert!(Key::from_secret(phrase.as_bytes(), Alg::Hs512).is_ok(), "{phrase}");
    }
}

/// CVE-2019-20933, CVE-2020-28637, CVE-2026-45363: the empty secret, by every road.
#[test]
fn row_11_empty_and_short_secrets() {
    for alg in HMACS {
        let need = match alg {
            Alg::Hs256 => 32,
            Alg::Hs384 => 48,
            _ => 64,
        };
        let secret: Vec<u8> = (1..=need as u8).map(|i| i.wrapping_mul(97)).collect();
        for n in 0..need {
            refused(
                Key::from_secret(&secret[..n], alg),
                ErrorKind::WeakKey,
                &format!("{alg} {n} bytes"),
            );
            let jwk =
                format!(r#"{{"kty":"oct","alg":"{}","k":"{}"}}"#, alg.name(), b64(&secret[..n]));
            refused(Key::from_jwk(jwk.as_bytes(), None), ErrorKind::WeakKey, &jwk);
            let set = KeySet::from_jwks(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap();
            assert_eq!((set.len(), set.skipped().len()), (0, 1), "{jwk}");
        }
        assert_eq!(Key::from_secret(&secret, alg).unwrap().alg(), alg);
        let escape = KeyOptions::new().alg(alg).danger_allow_weak();
        assert_eq!(
            escape.from_secret(&secret[..16]).unwrap().alg(),
            alg,
            "the one greppable escape"
        );
        refused(
            escape.from_secret(b""),
            ErrorKind::WeakKey,
            "not even the escape takes an empty secret",
        );
        for empty in [r#"{"kty":"oct","alg":"HS256"}"#, r#"{"kty":"oct","alg":"HS256","k":null}"#] {
            refused(Key::from_jwk(empty.as_bytes(), None), ErrorKind::InvalidKey, empty);
        }
        let forged = hmac_token(alg, b"", header(alg), claims().to_string());
        refused(verifier(alg).verify(forged), ErrorKind::InvalidSignature, "signed with nothing");
    }
}

/// GHSA-8wpc-h4q6-8fxv: a verifier without keys must not exist.
#[test]
fn row_12_no_key_no_verifier() {
    let empty = KeySet::new([]).unwrap();
    refused(Verifier::new(&empty, policy()), ErrorKind::InvalidConfiguration, "an empty set");
    let skipped =
        KeySet::from_jwks(br#"{"keys":[{"kty":"XYZ"},{},{"kty":"oct","alg":"HS256","k":""}]}"#)
            .unwrap();
    assert_eq!((skipped.len(), skipped.skipped().len()), (0, 3));
    refused(Verifier::new(&skipped, policy()), ErrorKind::InvalidConfiguration, "nothing usable");
    refused(Verifier::for_issuers([], policy()), ErrorKind::InvalidConfiguration, "no issuers");
    refused(
        Verifier::for_issuers(
            [gatekey::jwt::IssuerRule::new("https://a.example", &empty)],
            gatekey::Policy::new().ignore_audience(),
        ),
        ErrorKind::InvalidConfiguration,
        "an issuer without keys",
    );
    for alg in Alg::ALL {
        refused(
            Verifier::with_key(&verifying(key(*alg)), policy().algorithms([])),
            ErrorKind::InvalidConfiguration,
            "an empty list of algorithms",
        );
    }
}

/// CVE-2025-65945, CVE-2021-41106: `kid` is opaque bytes: no path, no query, no secret.
#[test]
fn row_50_kid_is_only_compared() {
    let named = key(Alg::Hs256).with_kid("main").unwrap();
    let single = Verifier::with_key(&named, policy()).unwrap();
    let set = Verifier::new(&KeySet::new([named.clone()]).unwrap(), policy()).unwrap();
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "' or 1=1 --",
        "main\\u0000",
        "\\u0000main",
        "main ",
        "MAIN",
        "",
        "main/../main",
        "http://127.0.0.1/k",
        "%6dain",
        "*",
        ".*",
        "$(id)",
        "main\\n",
    ] {
        let header = header_and(Alg::Hs256, &format!(r#""kid":"{kid}""#));
        for token in [
            sign(&named, &header, claims().to_string()),
            hmac_token(Alg::Hs256, b"", &header, claims().to_string()),
            hmac_token(Alg::Hs256, kid.as_bytes(), &header, claims().to_string()),
        ] {
            refused(set.verify(&token), ErrorKind::KeyNotFound, kid);
            refused(single.verify(&token), ErrorKind::KeyNotFound, kid);
        }
    }
    for kid in ["null", "42", "[\"main\"]", "{}", "true"] {
        let header = header_and(Alg::Hs256, &format!(r#""kid":{kid}"#));
        let kind = kind_of(set.verify(sign(&named, header, claims().to_string())), kid);
        assert_eq!(kind, ErrorKind::MalformedToken, "kid {kid}");
    }
    let escaped =
        sign(&named, header_and(Alg::Hs256, r#""kid":"m\u0061in""#), claims().to_string());
    assert_eq!(
        set.verify(escaped).unwrap().key_id(),
        "main",
        "compared after unescaping, like any JSON string"
    );
}

/// The public key in the forms that people keep it in.
fn forms_of(public: &Key) -> Vec<Vec<u8>> {
    let pem = public.to_pem().unwrap();
    let spki = der(&pem);
    vec![
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        pem.replace('\n', "\r\n").into_bytes(),
        STANDARD.encode(&spki).into_bytes(),
        b64(&spki).into_bytes(),
        public.to_jwk().unwrap().into_bytes(),
        spki,
    ]
}

fn forms_of_private(private: &Key) -> Vec<Vec<u8>> {
    let pem = private.to_private_pem().unwrap();
    let pkcs8 = der(pem.expose_str());
    vec![
        pem.expose().to_vec(),
        pkcs8.clone(),
        STANDARD.encode(&pkcs8).into_bytes(),
        private.to_private_jwk().unwrap().expose().to_vec(),
    ]
}

/// Refused as secret by every road, the escape for weak keys included.
#[track_caller]
fn looks_like_key(secret: &[u8], what: &str) {
    for alg in HMACS {
        refused(Key::from_secret(secret, alg), ErrorKind::SecretLooksLikeKey, what);
        let escape = KeyOptions::new().alg(alg).danger_allow_weak();
        refused(escape.from_secret(secret), ErrorKind::SecretLooksLikeKey, what);
        let jwk = format!(r#"{{"kty":"oct","alg":"{}","k":"{}"}}"#, alg.name(), b64(secret));
        refused(Key::from_jwk(jwk.as_bytes(), None), ErrorKind::SecretLooksLikeKey, what);
    }
}
