//! What keys may be used for, what they say about themselves, and the table of algorithms.

use super::*;
use crate::jwk::KeyOptions;

fn with_usage(key: &Key, usage: &str) -> String {
    let text = key.to_private_jwk().unwrap().expose_str().to_owned();
    text.replace(r#","use":"sig""#, usage)
}

#[test]
fn use_must_be_sig() {
    for alg in [Alg::Hs256, Alg::Es256, Alg::Rs256] {
        let key = Key::generate(alg).unwrap();
        assert_eq!(key.key_use(), Some("sig"));
        assert_eq!(jwk(&with_usage(&key, "")).unwrap().key_use(), Some("sig"));
        for usage in ["enc", "SIG", "sig ", "", "signature", "x509-svid", "JWT-SVID"] {
            let text = with_usage(&key, &format!(r#","use":"{usage}""#));
            refused(jwk(&text), ErrorKind::KeyUsage);
        }
    }
}

#[test]
fn the_use_of_spiffe_is_for_signatures() {
    for alg in [Alg::Es256, Alg::Rs256] {
        let key = Key::generate(alg).unwrap();
        let loaded = jwk(&with_usage(&key, r#","use":"jwt-svid""#)).unwrap();
        assert!(loaded.may_sign() && loaded.may_verify());
        assert_eq!(loaded.key_use(), Some("sig"));
        let text = with_usage(&key, r#","use":"jwt-svid","key_ops":["encrypt"]"#);
        refused(jwk(&text), ErrorKind::KeyUsage);
    }
}

#[test]
fn the_six_operations_of_key_vault_are_those_of_signatures() {
    const SIX: [&str; 6] = ["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"];
    let ops = |ops: &[&str]| format!(r#","key_ops":{ops:?}"#);
    for alg in [Alg::Rs256, Alg::Ps512, Alg::Es256] {
        let key = Key::generate(alg).unwrap();
        let turned: Vec<_> = SIX.iter().rev().copied().collect();
        for six in [&SIX[..], &turned] {
            let loaded = jwk(&with_usage(&key, &ops(six))).unwrap();
            assert!(loaded.may_sign() && loaded.may_verify());
            let written = loaded.to_private_jwk().unwrap();
            assert!(written.expose_str().contains(r#""key_ops":["sign","verify"]"#));
            let public = key.to_jwk().unwrap().replace(r#","use":"sig""#, &ops(six));
            assert_works_with(&key, &jwk(&public).unwrap());
        }
        for wrong in [&SIX[..5], &SIX[1..], &["sign", "verify", "encrypt"], &SIX[2..]] {
            refused(jwk(&with_usage(&key, &ops(wrong))), ErrorKind::KeyUsage);
        }
        let more = [&SIX[..], &["deriveKey"]].concat();
        refused(jwk(&with_usage(&key, &ops(&more))), ErrorKind::KeyUsage);
        let twice = [&SIX[..], &["sign"]].concat();
        refused(jwk(&with_usage(&key, &ops(&twice))), ErrorKind::InvalidKey);
        let text = with_usage(&key, &format!(r#","use":"enc"{}"#, ops(&SIX)));
        refused(jwk(&text), ErrorKind::KeyUsage);
    }
    let secret = Key::generate(Alg::Hs256).unwrap();
    refused(jwk(&with_usage(&secret, &ops(&SIX))), ErrorKind::KeyUsage);
}

#[test]
fn key_ops_permit_and_forbid() {
    let key = Key::generate(Alg::Es256).unwrap();
    for (ops, sign, verify) in [
        (r#"["sign"]"#, true, false),
        (r#"["verify"]"#, false, true),
        (r#"["verify","sign"]"#, true, true),
        (r#"["sign","custom"]"#, true, false),
    ] {
        for usage in ["", r#","use":"sig""#] {
            let text = with_usage(&key, &format!(r#"{usage},"key_ops":{ops}"#));
            let loaded = jwk(&text).unwrap();
            assert_eq!((loaded.may_sign(), loaded.may_verify()), (sign, verify), "{ops}");
            assert_eq!(loaded.key_use().is_some(), !usage.is_empty());
            let signed = loaded.sign_with(b"m", <[u8]>::to_vec);
            match signed {
                Ok(signature) => {
                    assert!(sign);
                    // The public half may verify, whatever the private one may.
                    let public = loaded.public().unwrap();
                    assert!(public.may_verify() && !public.may_sign());
                    public.verify_signature(b"m", &signature).unwrap();
                    let outcome = loaded.verify_signature(b"m", &signature);
                    assert_eq!(outcome.is_ok(), verify);
                }
                Err(error) => {
                    assert!(!sign);
                    assert_eq!(error.kind(), ErrorKind::KeyUsage);
                }
            }
            if !verify {
                refused(loaded.verify_signature(b"m", &[0; 64]), ErrorKind::KeyUsage);
            }
            // What was stated is stated again.
            let again = jwk(loaded.to_private_jwk().unwrap().expose_str()).unwrap();
            assert_eq!((again.may_sign(), again.may_verify()), (sign, verify));
            assert_eq!(again.key_use(), loaded.key_use());
            let public = jwk(&loaded.to_jwk().unwrap()).unwrap();
            assert!(public.may_verify() && !public.is_private());
        }
    }
}

#[test]
fn key_ops_that_contradict_are_refused() {
    let key = Key::generate(Alg::Es256).unwrap();
    for (ops, kind) in [
        ("[]", ErrorKind::KeyUsage),
        (r#"["encrypt"]"#, ErrorKind::KeyUsage),
        (r#"["Sign"]"#, ErrorKind::KeyUsage),
        (r#"["sign","encrypt"]"#, ErrorKind::KeyUsage),
        (r#"["deriveKey","verify"]"#, ErrorKind::KeyUsage),
        (r#"["sign","sign"]"#, ErrorKind::InvalidKey),
        (r#"["sign","\u0073ign"]"#, ErrorKind::InvalidKey),
        (r#"["sign","x","x"]"#, ErrorKind::InvalidKey),
        (r#"["sign",1]"#, ErrorKind::InvalidKey),
        (r#""sign""#, ErrorKind::InvalidKey),
        (r#"{"sign":true}"#, ErrorKind::InvalidKey),
        ("null", ErrorKind::InvalidKey),
        (
            r#"["sign","a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p"]"#,
            ErrorKind::InvalidKey,
        ),
    ] {
        for usage in ["", r#","use":"sig""#] {
            let text = with_usage(&key, &format!(r#"{usage},"key_ops":{ops}"#));
            refused(jwk(&text), kind);
        }
    }
    // A public key that may only sign can do nothing.
    let public = key.to_jwk().unwrap().replace(r#""use":"sig""#, r#""key_ops":["sign"]"#);
    refused(jwk(&public), ErrorKind::KeyUsage);
}

#[test]
fn a_name_can_be_given_and_changed() {
    let key = KeyOptions::new().alg(Alg::Hs384).kid("first").generate().unwrap();
    assert_eq!(key.kid(), "first");
    assert!(key.has_explicit_kid());
    let second = key.with_kid("second").unwrap();
    assert_eq!((key.kid(), second.kid()), ("first", "second"));
    assert_eq!(key.thumbprint(), second.thumbprint());
    assert_works_with(&key, &second);
    refused(KeyOptions::new().generate(), ErrorKind::AlgorithmRequired);
    refused(KeyOptions::new().from_secret(&[7; 32]), ErrorKind::AlgorithmRequired);
}

#[test]
fn keys_and_sets_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(value: &T) -> T {
        value.clone()
    }
    let key = Key::generate(Alg::Es256).unwrap();
    let set = shared(&crate::jwk::KeySet::new([shared(&key)]).unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (key, set) = (key.clone(), set.clone());
            std::thread::spawn(move || {
                assert_works_with(&key, set.select(Some(key.kid()), Alg::Es256).unwrap());
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn nothing_secret_is_printed() {
    for &alg in Alg::ALL {
        let key = Key::generate(alg).unwrap().with_kid("name").unwrap();
        let text = format!("{key:?}");
        assert_eq!(text, format!(r#"Key {{ alg: {alg:?}, kid: "name", private: true, .. }}"#));
        let set = crate::jwk::KeySet::new([key]).unwrap();
        assert_eq!(format!("{set:?}"), format!("[{text}]"));
    }
    let secret = Key::generate(Alg::Es256).unwrap().to_private_jwk().unwrap();
    assert_eq!(format!("{secret:?}"), format!("Secret({} bytes)", secret.expose().len()));
}

#[test]
fn errors_do_not_repeat_the_input() {
    let marker = "sEcReTmArKeR";
    let texts = [
        format!(r#"{{"kty":"{marker}"}}"#),
        format!(r#"{{"kty":"EC","crv":"{marker}"}}"#),
        format!(r#"{{"kty":"oct","alg":"{marker}","k":"{marker}"}}"#),
        format!(r#"{{"kty":"oct","alg":"HS256","k":"{marker}"}}"#),
        format!(r#"{{"kty":"oct","alg":"HS256","k":"{marker}!"}}"#),
        format!(r#"{{"kty":"oct","use":"{marker}"}}"#),
        format!("-----BEGIN {marker}-----\nAAAA\n-----END {marker}-----"),
        marker.to_owned(),
    ];
    for text in &texts {
        let errors = [
            Key::from_jwk(text.as_bytes(), None).err(),
            Key::from_pem(text.as_bytes(), None).err(),
            Key::from_der(text.as_bytes(), None).err(),
            Key::from_secret(text.as_bytes(), Alg::Hs512).err(),
            Alg::from_name(text).err(),
        ];
        for error in errors.into_iter().flatten() {
            assert!(!format!("{error} {error:?}").contains(marker), "{error:?}");
        }
    }
}

#[test]
fn the_table_of_algorithms_agrees_with_itself() {
    for (i, &alg) in Alg::ALL.iter().enumerate() {
        assert_eq!(alg.code() as usize, i + 1);
        assert_eq!(Alg::from_code(alg.code()), Some(alg));
        assert_eq!(Alg::from_name(alg.name()).unwrap(), alg);
        assert_eq!(alg.to_string(), alg.name());
        assert_eq!(alg.is_symmetric(), alg.name().starts_with("HS"));
        for &other in Alg::ALL {
            let same =
                alg == other || alg.name().starts_with("Ed") && other.name().starts_with("Ed");
            assert_eq!(alg.same_algorithm(other), same);
            assert_eq!(alg.accepts_name(other.name().as_bytes()), same);
        }
    }
    for code in [0, -1, 19, i32::MAX, i32::MIN] {
        assert_eq!(Alg::from_code(code), None);
    }
    for name in [
        "none", "None", "nOnE", "", "HS256 ", "hs256", "eddsa", "ED25519", "Ed448", "ESP256",
        "ML-DSA-4",
    ] {
        refused(Alg::from_name(name), ErrorKind::InvalidArgument);
        assert!(Alg::ALL.iter().all(|alg| !alg.accepts_name(name.as_bytes())));
    }
}

#[test]
fn signatures_have_one_length_per_key() {
    for &alg in Alg::ALL {
        let key = Key::generate(alg).unwrap();
        let expected = match alg {
            Alg::Hs256 => 32,
            Alg::Hs384 => 48,
            Alg::Hs512 => 64,
            Alg::Es256 | Alg::Es256k | Alg::EdDsa | Alg::Ed25519 => 64,
            Alg::Es384 => 96,
            Alg::Es512 => 132,
            Alg::MlDsa44 => 2420,
            Alg::MlDsa65 => 3309,
            Alg::MlDsa87 => 4627,
            _ => 256,
        };
        assert_eq!(key.signature_len(), expected, "{alg}");
        let signature = key.sign_with(b"m", <[u8]>::to_vec).unwrap();
        for bad in [&signature[..0], &signature[1..], &signature[..expected - 1]] {
            refused(key.verify_signature(b"m", bad), ErrorKind::InvalidSignature);
        }
        let longer = [&signature[..], &[0]].concat();
        refused(key.verify_signature(b"m", &longer), ErrorKind::InvalidSignature);
    }
}

#[test]
fn rsa_keys_are_generated_in_the_sizes_asked_for() {
    let key = Key::generate_rsa(Alg::Ps256, 3072).unwrap();
    assert_eq!((key.alg(), key.signature_len()), (Alg::Ps256, 384));
    for bits in [0, 512, 1024, 2047, 2049, 16384] {
        refused(Key::generate_rsa(Alg::Rs256, bits), ErrorKind::InvalidArgument);
    }
    refused(Key::generate_rsa(Alg::Es256, 2048), ErrorKind::InvalidArgument);
}
