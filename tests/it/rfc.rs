//! The examples of RFC 7515 appendix A, RFC 7638, RFC 8037 appendix A and RFC 9964 appendix A.

use crate::fixtures::{accepted, refused};
use crate::forge::{b64, unb64};
use gatekey::clock::FixedClock;
use gatekey::jwk::KeyOptions;
use gatekey::jwt::danger_decode_unverified;
use gatekey::{Alg, ErrorKind, Key, Policy, Verifier};
use std::sync::Arc;

/// `exp` of the RFC 7515 payload is 1300819380.
fn in_2011() -> Policy {
    Policy::new().expect_issuer("joe").clock(Arc::new(FixedClock::new(1_300_819_379)))
}

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

const A1_KEY: &str = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
const A1: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

const A2_KEY: &str = concat!(
    r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0"#,
    "Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQ",
    "OS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs9",
    r#"1kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#
);
const A2_SIGNATURE: &str = concat!(
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1",
    "dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzD",
    "wusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
);

const A3_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
const A3_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

const A4_KEY: &str = r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2","d":"AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C"}"#;
const A4: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";

#[test]
fn rfc_7515_a_1_hs256() {
    let key = Key::from_jwk(A1_KEY.as_bytes(), Some(Alg::Hs256)).unwrap();
    let verifier = Verifier::with_key(&key, in_2011()).unwrap();
    let verified = accepted(&verifier, A1, "A.1");
    assert_eq!(verified.header_json(), "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}");
    assert_eq!(verified.claims_json().as_bytes(), unb64(PAYLOAD));
    assert_eq!(verified.claim("http://example.com/is_root").unwrap().as_bool(), Some(true));
    assert_eq!(
        (verified.issuer().as_deref(), verified.expires_at()),
        (Some("joe"), Some(1_300_819_380))
    );
    // HMAC is deterministic: the same header and payload give the RFC's very token.
    let (input, _) = A1.rsplit_once('.').unwrap();
    assert_eq!(crate::forge::sign_text(&key, input), A1);
}

#[test]
fn rfc_7515_a_2_rs256() {
    let key = Key::from_jwk(A2_KEY.as_bytes(), Some(Alg::Rs256)).unwrap();
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{A2_SIGNATURE}");
    let verified = accepted(&Verifier::with_key(&key, in_2011()).unwrap(), &token, "A.2");
    assert_eq!(
        (verified.alg(), verified.header_json().as_str()),
        (Alg::Rs256, r#"{"alg":"RS256"}"#)
    );
    for wrong in [Alg::Rs384, Alg::Rs512, Alg::Ps256] {
        let key = Key::from_jwk(A2_KEY.as_bytes(), Some(wrong)).unwrap();
        refused(
            Verifier::with_key(&key, in_2011()).unwrap().verify(&token),
            ErrorKind::InvalidAlgorithm,
            wrong.name(),
        );
    }
}

#[test]
fn rfc_7515_a_3_es256() {
    let key = Key::from_jwk(A3_KEY.as_bytes(), None).unwrap();
    assert!(key.is_private() && key.alg() == Alg::Es256);
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{A3_SIGNATURE}");
    accepted(&Verifier::with_key(&key.public().unwrap(), in_2011()).unwrap(), &token, "A.3");
}

/// The payload is the text `Payload`, not claims: the JWS is good, the JWT is not.
#[test]
fn rfc_7515_a_4_es512() {
    let key = Key::from_jwk(A4_KEY.as_bytes(), None).unwrap();
    assert_eq!((key.alg(), key.signature_len()), (Alg::Es512, 132));
    let (input, signature) = A4.rsplit_once('.').unwrap();
    key.verify_signature(input.as_bytes(), &unb64(signature)).unwrap();
    let verifier = Verifier::with_key(&key.public().unwrap(), in_2011()).unwrap();
    refused(verifier.verify(A4), ErrorKind::MalformedToken, "a payload that is not claims");
}

/// A.5 is an unsecured JWS; there is no such thing here.
#[test]
fn rfc_7515_a_5_unsecured_is_refused() {
    let key = Key::from_jwk(A1_KEY.as_bytes(), Some(Alg::Hs256)).unwrap();
    let token = format!("eyJhbGciOiJub25lIn0.{PAYLOAD}.");
    refused(
        Verifier::with_key(&key, in_2011()).unwrap().verify(&token),
        ErrorKind::UnsupportedAlgorithm,
        "A.5",
    );
    assert_eq!(danger_decode_unverified(&token).unwrap().header_json(), r#"{"alg":"none"}"#);
}

/// RFC 7515 appendix E and F: a `crit` nobody understands, and detached content.
#[test]
fn rfc_7515_e_and_f() {
    let key = Key::from_jwk(A1_KEY.as_bytes(), Some(Alg::Hs256)).unwrap();
    let verifier = Verifier::with_key(&key, in_2011()).unwrap();
    let negative = "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.";
    refused(verifier.verify(negative), ErrorKind::UnsupportedCritical, "appendix E");
    let parts: Vec<&str> = A1.split('.').collect();
    refused(
        verifier.verify(format!("{}..{}", parts[0], parts[2])),
        ErrorKind::InvalidSignature,
        "appendix F, detached",
    );
}

/// RFC 7638 section 3.1.
#[test]
fn rfc_7638_thumbprint() {
    let jwk = concat!(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"#,
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgn",
        r#"Yb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44"#,
        r#"-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#
    );
    let key = Key::from_jwk(jwk.as_bytes(), None).unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!((key.kid(), key.has_explicit_kid()), ("2011-04-29", true));
    // RFC 9278 section 3, its example being this key.
    let uri =
        "urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(key.thumbprint_uri(), uri);
}

/// RFC 8037 appendices A.1 to A.5.
#[test]
fn rfc_8037_ed25519() {
    let private = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let jws = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = Key::from_jwk(private.as_bytes(), Some(Alg::EdDsa)).unwrap();
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "A.3");
    let (input, signature) = jws.rsplit_once('.').unwrap();
    assert_eq!(crate::forge::sign_text(&key, input), jws, "A.4: Ed25519 is deterministic");
    let public = key.public().unwrap();
    public.verify_signature(input.as_bytes(), &unb64(signature)).unwrap();
    refused(
        public.verify_signature(b"other", &unb64(signature)),
        ErrorKind::InvalidSignature,
        "another message",
    );
    let verifier = Verifier::with_key(&public, Policy::new()).unwrap();
    refused(verifier.verify(jws), ErrorKind::MalformedToken, "A.5: the payload is not claims");
    assert!(
        Alg::EdDsa.accepts_name(b"Ed25519") && Alg::Ed25519.accepts_name(b"EdDSA"),
        "RFC 9864 section 2.2"
    );
}

/// RFC 9964 appendix A.1: keys from the all-zero seed, their thumbprints and their JWS.
#[test]
fn rfc_9964_ml_dsa() {
    let kids = [
        (Alg::MlDsa44, "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o"),
        (Alg::MlDsa65, "Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM"),
        (Alg::MlDsa87, "tRn1JNIkgMsABVQBlXeDHxAIcclh-2IX0UdDEzPt5XU"),
    ];
    let rows: Vec<&str> = include_str!("../vectors/rfc9964.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(rows.len(), kids.len());
    for (row, (alg, kid)) in rows.into_iter().zip(kids) {
        let cells: Vec<&str> = row.split('\t').collect();
        let (name, public, jws) = (cells[0], cells[1], cells[2]);
        assert_eq!(name, alg.name());
        let jwk =
            format!(r#"{{"kty":"AKP","alg":"{name}","pub":"{public}","priv":"{}"}}"#, b64([0; 32]));
        let key = Key::from_jwk(jwk.as_bytes(), None).unwrap();
        assert_eq!((key.alg(), key.thumbprint().as_str(), key.kid()), (alg, kid, kid));
        let exported: serde_json::Value = serde_json::from_str(&key.to_jwk().unwrap()).unwrap();
        assert_eq!(
            (&exported["kty"], &exported["alg"], &exported["pub"]),
            (&"AKP".into(), &name.into(), &public.into())
        );
        assert_eq!(exported.get("priv"), None);
        let (input, signature) = jws.rsplit_once('.').unwrap();
        key.public().unwrap().verify_signature(input.as_bytes(), &unb64(signature)).unwrap();
        assert_eq!(unb64(signature).len(), key.signature_len());
        assert_eq!(
            unb64(input.split('.').next().unwrap()),
            format!(r#"{{"alg":"{name}","kid":"{kid}"}}"#).as_bytes()
        );
        // Ours are hedged (FIPS 204 section 3.4), so they differ and verify.
        let own = crate::forge::sign_text(&key, input);
        assert_ne!(own, jws);
        key.verify_signature(input.as_bytes(), &crate::forge::signature(&own)).unwrap();
    }
}

/// The RFC 7515 keys as someone who knows only the escape hatch would load them.
#[test]
fn the_appendix_keys_are_strong_enough_without_the_escape() {
    for (jwk, alg) in
        [(A1_KEY, Alg::Hs512), (A2_KEY, Alg::Ps512), (A3_KEY, Alg::Es256), (A4_KEY, Alg::Es512)]
    {
        assert_eq!(KeyOptions::new().alg(alg).from_jwk(jwk.as_bytes()).unwrap().alg(), alg);
    }
}
