//! Rows 53 and 54: what an error gives away.

use crate::fixtures::{
    check_message, claims, claims_with, key, other, policy, rows, verifier, verifying,
};
use crate::forge::{b64, header, header_and, resign, sign, signature, token};
use gatekey::{Alg, Claims, Error, Key, KeySet, Signer, Verifier};
use serde_json::json;

/// CVE-2019-7644: the expected signature stood in the error; and no key, token or claim may either.
#[test]
fn row_53_errors_hold_no_secret_and_no_token() {
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let marked = "ATTACKER-CHOSEN-TEXT";
        let good = token(key(alg), &claims());
        let mut flipped = signature(&good);
        flipped[3] ^= 4;
        let hostile = [
            resign(&good, &flipped),
            resign(&good, marked.as_bytes()),
            sign(
                other(alg),
                header_and(alg, &format!(r#""kid":"{marked}""#)),
                claims().to_string(),
            ),
            sign(
                key(alg),
                header_and(alg, &format!(r#""crit":["{marked}"],"{marked}":1"#)),
                claims().to_string(),
            ),
            sign(key(alg), format!(r#"{{"alg":"{marked}"}}"#), claims().to_string()),
            sign(other(alg), header(alg), claims_with("iss", json!(marked)).to_string()),
            sign(other(alg), header(alg), claims_with("aud", json!([marked])).to_string()),
            sign(key(alg), header(alg), format!(r#"{{"{marked}":1,"{marked}":2}}"#)),
            sign(key(alg), header(alg), marked),
            marked.to_owned(),
            format!("{marked}.{marked}.{marked}"),
        ];
        for token in &hostile {
            let error = verifier.verify(token).expect_err(token);
            for shown in [
                error.to_string(),
                format!("{error:?}"),
                error.message().to_owned(),
                format!("{:?}", error.claim()),
            ] {
                assert!(!shown.contains(marked) && !shown.contains(&b64(marked)), "{shown}");
                leaks_nothing(&shown, alg);
                assert!(
                    !token.split('.').any(|part| part.len() > 8 && shown.contains(part)),
                    "{shown}"
                );
            }
        }
        for shown in [
            format!("{:?}", key(alg)),
            format!("{verifier:?}"),
            format!("{:?}", Signer::builder(key(alg)).build().unwrap()),
        ] {
            leaks_nothing(&shown, alg);
        }
        let exported = key(alg).to_private_jwk().unwrap();
        leaks_nothing(&format!("{exported:?}"), alg);
        let verified = verifier.verify(&good).unwrap();
        assert!(!format!("{verified:?}").contains("ada"), "claims are not for the log");
    }
}

/// What a good signature vouches for is told, cut and printable; it steers no terminal and no page.
#[test]
fn row_53_what_is_signed_is_told_cut_and_printable() {
    let evil = "<b>`\u{1b}]0;x\u{7}\n\u{202e}\"&\\é".repeat(9);
    let alg = Alg::Hs256;
    let verifier = verifier(alg);
    for (token, name) in [
        (
            sign(
                key(alg),
                header_and(alg, &format!(r#""typ":{}"#, json!(evil))),
                claims().to_string(),
            ),
            "typ",
        ),
        (sign(key(alg), header(alg), claims_with("iss", json!(evil)).to_string()), "iss"),
        (sign(key(alg), header(alg), claims_with("aud", json!([evil])).to_string()), "aud"),
    ] {
        let text = verifier.verify(&token).unwrap_err().to_string();
        let value = text
            .split(&format!("`{name}` begins with `"))
            .nth(1)
            .and_then(|rest| rest.split('`').next());
        let value = value.unwrap_or_else(|| panic!("{text}"));
        assert!(value.len() == 31 && value.starts_with("?b??"), "{text}");
        assert!(
            value.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>&\"\\`".contains(&byte)),
            "{text}"
        );
    }
    // Of what nobody vouches for, one thing: the name of a key that is not there.
    let set = KeySet::new([verifying(key(alg))]).unwrap();
    let verifier = Verifier::new(&set, policy()).unwrap();
    let stray = sign(other(alg), header_and(alg, &format!(r#""kid":{}"#, json!(evil))), "{}");
    let text = verifier.verify(&stray).unwrap_err().to_string();
    assert!(text.contains("(`kid` begins with `?b??") && text.len() < 200, "{text}");
}

/// joserfc 1.4.2: an error that echoes a megabyte.
#[test]
fn row_54_messages_are_bounded() {
    let giant = "G".repeat(1 << 20);
    let pad = |n: usize| "p".repeat(n);
    for &alg in Alg::ALL {
        let verifier = Verifier::with_key(
            &verifying(key(alg)),
            policy().max_token_bytes(1 << 20).max_header_bytes(1 << 19),
        )
        .unwrap();
        for token in [
            giant.clone(),
            sign(
                key(alg),
                header_and(alg, &format!(r#""kid":"{0}","typ":"{0}""#, pad(90_000))),
                claims().to_string(),
            ),
            sign(key(alg), header(alg), claims_with("iss", json!(pad(90_000))).to_string()),
            sign(
                key(alg),
                header(alg),
                claims_with(&pad(90_000), json!(1)).to_string().replacen('{', "{,", 1),
            ),
            sign(key(alg), format!(r#"{{"alg":"{}"}}"#, pad(90_000)), "{}"),
        ] {
            let error = verifier.verify(token).expect_err("a giant is refused");
            check_message(&error);
            assert!(format!("{error:?}").len() < Error::MAX_TEXT + 64);
        }
    }
    let key = key(Alg::Hs256);
    let mut errors = vec![
        Key::from_pem(giant.as_bytes(), None).unwrap_err(),
        Key::from_der(giant.as_bytes(), None).unwrap_err(),
        Key::from_jwk(giant.as_bytes(), None).unwrap_err(),
        Key::from_jwk(format!(r#"{{"kty":"{giant}"}}"#).as_bytes(), None).unwrap_err(),
        KeySet::from_jwks(giant.as_bytes()).unwrap_err(),
        Alg::from_name(&giant).unwrap_err(),
        key.with_kid(&giant).unwrap_err(),
        Claims::from_json(giant.as_bytes()).unwrap_err(),
        Claims::new().claim_json("x", &giant).unwrap_err(),
        Signer::builder(key).build().unwrap().sign_json(&giant).unwrap_err(),
    ];
    let required = Verifier::with_key(key, policy().require_claim(pad(5000))).unwrap();
    errors.push(required.verify(token(key, &claims())).unwrap_err());
    errors.iter().for_each(check_message);
}

/// No private member of any fixed key of this algorithm stands in the text.
#[track_caller]
fn leaks_nothing(shown: &str, alg: Alg) {
    for row in rows().iter().filter(|row| row.alg == alg) {
        let jwk: serde_json::Value = serde_json::from_str(row.jwk).unwrap();
        for member in ["k", "d", "p", "q", "dp", "dq", "qi", "priv"] {
            if let Some(secret) = jwk[member].as_str() {
                assert!(!shown.contains(secret), "{member} of {} is shown", row.name);
                let bytes = format!("{:?}", crate::forge::unb64(secret));
                assert!(
                    !shown.contains(bytes.trim_matches(['[', ']'])),
                    "{member} of {} is shown",
                    row.name
                );
            }
        }
    }
}
