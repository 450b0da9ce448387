//! Rows 31, 35-37 and 55: what is a token at all, and what it costs to say no.

use crate::counting::count;
use crate::fixtures::{
    accepted, claims, key, kind_of, policy, refused, silent_policy, verifier, verifying,
};
use crate::forge::{b64, header, header_and, sign, sign_text, token};
use gatekey::jwt::danger_decode_unverified;
use gatekey::{Alg, ErrorKind, Key, KeySet, Verifier};

/// CVE-2022-39227: one text that is JSON to one parser and compact to another.
#[test]
fn row_31_json_and_compact_at_once() {
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let good = token(key(alg), &claims());
        let parts: Vec<&str> = good.split('.').collect();
        let evil = b64(crate::fixtures::claims_with("sub", "admin".into()).to_string());
        for text in [
            format!(
                r#"{{"  {0}.":"{1}.","protected":"{0}","payload":"{evil}","signature":"{2}"}}"#,
                parts[0], parts[1], parts[2]
            ),
            format!(
                r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#,
                parts[0], evil, parts[2]
            ),
            format!(r#"{{"payload":"{evil}","x":"{good}"}}"#),
            format!("[\"{good}\"]"),
            format!("\"{good}\""),
            format!("{good}{{}}"),
        ] {
            refused(verifier.verify(&text), ErrorKind::MalformedToken, &format!("{alg} JSON"));
        }
        for (i, byte) in
            ["{", "}", "\"", " ", "\n", "\t", "\0", "=", "+", "/", ",", "%", "\u{feff}", "é"]
                .iter()
                .enumerate()
        {
            for at in [0, parts[0].len(), parts[0].len() + 1, good.len() - 1, good.len(), 7] {
                let text = format!("{}{byte}{}", &good[..at], &good[at..]);
                let in_payload = at == parts[0].len() + 1;
                let kind = if in_payload {
                    ErrorKind::InvalidSignature
                } else {
                    ErrorKind::MalformedToken
                };
                refused(verifier.verify(&text), kind, &format!("{alg} byte {i} at {at}"));
            }
        }
        for text in
            ["", ".", "..", "...", "a", "a.b", "a.b.c.d", "a.b.c.d.e", " . . ", "Bearer x.y.z"]
        {
            refused(verifier.verify(text), ErrorKind::MalformedToken, text);
        }
        for text in [
            format!(".{good}"),
            format!("{good}."),
            format!("{good}.{}", parts[2]),
            good.replace('.', ".."),
            format!("Bearer {good}"),
        ] {
            refused(verifier.verify(&text), ErrorKind::MalformedToken, &format!("{alg} parts"));
        }
        for text in [format!(".{}.{}", parts[1], parts[2]), format!("{}..{}", parts[0], parts[2])] {
            let kind = kind_of(verifier.verify(&text), "an empty part");
            assert!(
                matches!(kind, ErrorKind::MalformedToken | ErrorKind::InvalidSignature),
                "{kind:?}"
            );
        }
        // A five-part JWE is not a JWS with something extra (CVE-2022-3102).
        let jwe = format!(
            "{}.{}.{}.{}.{}",
            b64(header_and(alg, r#""enc":"A128GCM""#)),
            b64([1; 256]),
            b64([2; 12]),
            evil,
            b64([3; 16])
        );
        refused(verifier.verify(jwe), ErrorKind::MalformedToken, "JWE");
    }
}

/// CVE-2025-30204, CVE-2025-27144, CVE-2025-22868: a million dots must not become a million parts.
#[test]
fn row_35_a_million_dots() {
    let verifier = verifier(Alg::Hs256);
    let good = token(key(Alg::Hs256), &claims());
    for n in [4, 5, 100, 1000, 1_000_000, 10_000_000] {
        for text in [".".repeat(n), format!("{good}{}", ".".repeat(n)), "a.".repeat(n / 2)] {
            let (result, asked) = count(|| verifier.verify(&text));
            let kind = kind_of(result, "dots");
            let expected = if text.len() > 16 * 1024 {
                ErrorKind::TokenTooLarge
            } else {
                ErrorKind::MalformedToken
            };
            assert_eq!(kind, expected, "{n} dots");
            assert_eq!(asked.calls, 0, "{n} dots allocated {asked:?}");
        }
    }
}

/// CVE-2025-61920: nothing is decoded before it is measured.
#[test]
fn row_36_huge_tokens_headers_and_signatures() {
    let verifier = verifier(Alg::Hs256);
    let kid = |n: usize| header_and(Alg::Hs256, &format!(r#""kid":"{}""#, "k".repeat(n)));
    for text in [
        sign(key(Alg::Hs256), kid(20_000), claims().to_string()),
        sign(key(Alg::Hs256), kid(50_000_000), claims().to_string()),
        sign(key(Alg::Hs256), header(Alg::Hs256), format!(r#"{{"x":"{}"}}"#, "x".repeat(20_000))),
        sign(key(Alg::Hs256), header(Alg::Hs256), "{".repeat(30_000_000)),
        "A".repeat(100_000_000),
        format!("{}.e30.{}", b64(header(Alg::Hs256)), "A".repeat(10_000_000)),
    ] {
        let (result, asked) = count(|| verifier.verify(&text));
        refused(result, ErrorKind::TokenTooLarge, "a huge token");
        assert_eq!(asked.calls, 0, "{asked:?}");
        if text.len() > 1 << 20 {
            let (result, asked) = count(|| danger_decode_unverified(&text).map(|_| ()));
            refused(result, ErrorKind::TokenTooLarge, "inspection is bounded too");
            assert_eq!(asked.calls, 0);
        }
    }
    // A header over its own limit inside a token under its limit.
    let text = sign(key(Alg::Hs256), kid(5000), claims().to_string());
    let (result, asked) = count(|| verifier.verify(&text));
    refused(result, ErrorKind::TokenTooLarge, "a header of 5000 bytes");
    assert_eq!(asked.calls, 0);
    // The largest honest tokens fit the defaults.
    for alg in [Alg::MlDsa87, Alg::Rs512] {
        accepted(&crate::fixtures::verifier(alg), &token(key(alg), &claims()), alg.name());
    }
    // The limits are the integrator's, and exact.
    let good = token(key(Alg::Hs256), &claims());
    let at = |n| Verifier::with_key(key(Alg::Hs256), policy().max_token_bytes(n)).unwrap();
    accepted(&at(good.len()), &good, "exactly as long as allowed");
    refused(at(good.len() - 1).verify(&good), ErrorKind::TokenTooLarge, "one byte too long");
}

/// CVE-2025-53864, GHSA-8wjv: nesting and digits must not cost the stack or the afternoon.
#[test]
fn row_37_deep_json_and_endless_numbers() {
    let roomy = |alg: Alg| {
        let policy = policy().max_token_bytes(1 << 20).max_header_bytes(1 << 20);
        Verifier::with_key(&verifying(key(alg)), policy).unwrap()
    };
    let verifier = roomy(Alg::Hs256);
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let objects = |n: usize| format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
    for n in [33, 200, 10_000, 300_000] {
        for value in [nested(n), objects(n / 6 + 33), "[".repeat(n)] {
            let mut text = claims().to_string();
            text.insert_str(1, &format!(r#""deep":{value},"#));
            let in_claims = sign(key(Alg::Hs256), header(Alg::Hs256), &text);
            refused(
                verifier.verify(in_claims),
                ErrorKind::MalformedToken,
                &format!("{n} deep in claims"),
            );
            let in_header = sign(
                key(Alg::Hs256),
                header_and(Alg::Hs256, &format!(r#""deep":{value}"#)),
                claims().to_string(),
            );
            refused(
                verifier.verify(in_header),
                ErrorKind::MalformedToken,
                &format!("{n} deep in header"),
            );
            let kind = kind_of(
                Key::from_jwk(format!(r#"{{"kty":{value}}}"#).as_bytes(), None),
                "deep JWK",
            );
            assert!(matches!(kind, ErrorKind::InvalidKey | ErrorKind::UnsupportedKey), "{kind:?}");
            assert!(
                KeySet::from_jwks(format!(r#"{{"keys":{value}}}"#).as_bytes()).is_err_or_empty()
            );
        }
    }
    let with = |value: &str| {
        let mut text = claims().to_string();
        text.insert_str(1, &format!(r#""n":{value},"#));
        sign(key(Alg::Hs256), header(Alg::Hs256), text)
    };
    accepted(&verifier, &with(&nested(31)), "31 levels inside the claims object");
    for digits in [1_000, 500_000] {
        let number = "9".repeat(digits);
        // An integer of any length is valid JSON and is kept as text; as a date it is out of range.
        accepted(&verifier, &with(&number), "a long integer nobody reads");
        let text = claims().to_string().replace(r#""exp":"#, &format!(r#""exp":{number},"old":"#));
        refused(
            verifier.verify(sign(key(Alg::Hs256), header(Alg::Hs256), text)),
            ErrorKind::InvalidClaim,
            "exp of many digits",
        );
        for value in [format!("1e{number}"), format!("{number}.5"), format!("-{number}e1")] {
            refused(verifier.verify(with(&value)), ErrorKind::MalformedToken, "not a double");
        }
        accepted(&verifier, &with(&format!("0.{number}")), "a long fraction");
        accepted(&verifier, &with(&format!("1e-{number}")), "a tiny number");
    }
    // A thousand and a hundred thousand members cost about the same each.
    let members: Vec<String> = (0..40_000).map(|i| format!(r#""m{i}":{i}"#)).collect();
    let mut text = claims().to_string();
    text.insert_str(1, &format!("{},", members.join(",")));
    accepted(&verifier, &sign(key(Alg::Hs256), header(Alg::Hs256), &text), "many members");
    text.insert_str(1, r#""m5":0,"#);
    refused(
        verifier.verify(sign(key(Alg::Hs256), header(Alg::Hs256), text)),
        ErrorKind::MalformedToken,
        "one of them twice",
    );
}

/// What PyJWT, joserfc, jose, jwcrypto, fast-jwt and jsonwebtoken let through today.
#[test]
fn row_55_text_that_is_not_utf8_json_objects() {
    let good = claims().to_string();
    let body = &good[1..];
    let claims: Vec<Vec<u8>> = vec![
        b"\xff".to_vec(),
        [b"{\"x\":\"\xff\",".to_vec(), body.into()].concat(),
        [b"{\"x\":\"\xc0\xaf\",".to_vec(), body.into()].concat(),
        [b"{\"x\":\"\xed\xa0\x80\",".to_vec(), body.into()].concat(),
        [b"{\"x\":\"\xf4\x90\x80\x80\",".to_vec(), body.into()].concat(),
        [b"{\"\xe2\x82\":1,".to_vec(), body.into()].concat(),
        [br#"{"x":"\ud800","#.to_vec(), body.into()].concat(),
        [br#"{"x":"\udc00\ud800","#.to_vec(), body.into()].concat(),
        [b"\xef\xbb\xbf".to_vec(), good.clone().into()].concat(),
        good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        [vec![0xff, 0xfe], good.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(),
        good.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        b"[]".to_vec(),
        b"\"x\"".to_vec(),
        b"null".to_vec(),
        b"true".to_vec(),
        b"42".to_vec(),
        b"".to_vec(),
        b" ".to_vec(),
        format!("[{good}]").into(),
        format!("{good}x").into(),
        format!("{good}{good}").into(),
        format!("{good}\0").into(),
        format!("//\n{good}").into(),
        good[..good.len() - 1].into(),
        format!("{good},").into(),
        good.replace('"', "'").into(),
        format!("{{{body}").replacen("\"sub\"", "sub", 1).into(),
        [b"{\"x\":\"\n\",".to_vec(), body.into()].concat(),
        [b"{\"x\":\"\0\",".to_vec(), body.into()].concat(),
        [b"{\"sub\":\"eve\",".to_vec(), body.into()].concat(),
        [br#"{"\u0073ub":"eve","#.to_vec(), body.into()].concat(),
        [br#"{"x":{"a":[{"b":1,"b":2}]},"#.to_vec(), body.into()].concat(),
    ];
    for &alg in Alg::ALL {
        let verifier = Verifier::with_key(
            &verifying(key(alg)),
            silent_policy().ignore_audience().ignore_issuer(),
        )
        .unwrap();
        for payload in &claims {
            let shown = String::from_utf8_lossy(payload);
            let token = sign(key(alg), header(alg), payload);
            refused(
                verifier.verify(token),
                ErrorKind::MalformedToken,
                &format!("{alg} claims {shown:.40}"),
            );
            // Unsigned, the same text is a bad signature and nothing else.
            let stranger = sign(crate::fixtures::other(alg), header(alg), payload);
            refused(
                verifier.verify(stranger),
                ErrorKind::InvalidSignature,
                &format!("{alg} claims {shown:.40}"),
            );
        }
        let name = alg.name();
        for text in [
            format!("\u{feff}{{\"alg\":\"{name}\"}}").into_bytes(),
            format!("{{\"alg\":\"{name}\"}}x").into(),
            [format!("{{\"alg\":\"{name}\",\"x\":\"").into_bytes(), b"\xff\"}".to_vec()].concat(),
            format!("[{{\"alg\":\"{name}\"}}]").into(),
            format!("\"{name}\"").into(),
            b"null".to_vec(),
            b"".to_vec(),
            b"{".to_vec(),
            format!("{{\"alg\":\"{name}\",\"alg\":\"{name}\"}}").into(),
            format!("{{\"alg\":\"{name}\",\"x\":1,\"x\":1}}").into(),
            format!("{{\"alg\":\"{name}\",\"x\":\"\\ud800\"}}").into(),
            format!("{{\"alg\":\"{name}\",}}").into(),
        ] {
            let token = sign(key(alg), &text, &good);
            refused(
                verifier.verify(token),
                ErrorKind::MalformedToken,
                &format!("header {:?}", String::from_utf8_lossy(&text)),
            );
        }
        accepted(
            &verifier,
            &sign(key(alg), format!(" {{ \"alg\" : \"{name}\" }} "), format!("\n{good}\t")),
            "white space is JSON",
        );
    }
}

/// Wycheproof 360-375: each byte string has one encoding.
#[test]
fn row_55_base64url_has_one_form() {
    for &alg in Alg::ALL {
        let verifier = verifier(alg);
        let good = token(key(alg), &claims());
        let parts: Vec<&str> = good.split('.').collect();
        for part in 0..3 {
            for damage in ["=", "==", " ", "\n", "+", "/", "A", "AA"] {
                let mut own: Vec<String> = parts.iter().map(ToString::to_string).collect();
                own[part].push_str(damage);
                let text = own.join(".");
                let kind =
                    kind_of(verifier.verify(&text), &format!("{alg} part {part} {damage:?}"));
                // A damaged payload is no longer what was signed; what it decodes to is never asked.
                let plain = part == 2 && damage.starts_with('A');
                let expected =
                    if part == 1 { ErrorKind::InvalidSignature } else { ErrorKind::MalformedToken };
                assert!(
                    kind == expected || plain && kind == ErrorKind::InvalidSignature,
                    "{part} {damage:?} {kind:?}"
                );
            }
        }
        // Signed as sent, so that only the encoding can be at fault.
        let unused_bits = format!("{}.{}", parts[0], "e31"); // "{}" with a trailing bit set
        refused(
            verifier.verify(sign_text(key(alg), &unused_bits)),
            ErrorKind::MalformedToken,
            "payload bits",
        );
        let padded = format!("{}==.{}", b64(header_and(alg, r#""a":1"#)), parts[1]);
        refused(
            verifier.verify(sign_text(key(alg), &padded)),
            ErrorKind::MalformedToken,
            "padded header",
        );
    }
}

trait ErrOrEmpty {
    fn is_err_or_empty(&self) -> bool;
}

impl ErrOrEmpty for gatekey::Result<KeySet> {
    /// A set is refused, or nothing in it was usable; never a panic, never a key.
    fn is_err_or_empty(&self) -> bool {
        self.as_ref().map_or(true, KeySet::is_empty)
    }
}
