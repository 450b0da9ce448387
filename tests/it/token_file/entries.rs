//! The tokens of the file: per algorithm what depends on its primitive, per family what does not.

use super::{nameless_jwk, verifying_jwk};
use crate::fixtures::{AUDIENCE, ISSUER, NOW, claims, claims_with, claims_without, key, other};
use crate::forge::{
    b64, der, header, header_and, hmac_token, resign, sign, sign_text, signature, token,
    with_signature,
};
use gatekey::{Alg, ErrorKind};
use serde_json::json;

pub(super) struct Entry {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) policy: &'static str,
    pub(super) status: i32,
    pub(super) token: String,
}

/// Collects the entries of one algorithm.
struct Maker {
    alg: Alg,
    entries: Vec<Entry>,
}

impl Maker {
    fn add(
        &mut self,
        what: &str,
        policy: &'static str,
        kind: impl Into<Option<ErrorKind>>,
        token: String,
    ) {
        let alg = self.alg.name().to_ascii_lowercase();
        let status = kind.into().map_or(0, ErrorKind::number);
        self.entries.push(Entry { name: format!("{alg}/{what}"), key: alg, policy, status, token });
    }

    fn signed(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        sign(key(self.alg), header, payload)
    }

    fn with_header(&self, members: &str) -> String {
        self.signed(header_and(self.alg, members), claims().to_string())
    }

    fn claiming(&self, claims: &serde_json::Value) -> String {
        token(key(self.alg), claims)
    }

    /// For every algorithm, however long its signatures.
    fn essential(&mut self) {
        let (alg, good) = (self.alg, self.claiming(&claims()));
        let mut flipped = signature(&good);
        flipped[5] ^= 1;
        let stranger = sign(other(alg), header(alg), claims().to_string());
        let admin = b64(claims_with("sub", json!("admin")).to_string());
        let parts: Vec<&str> = good.split('.').collect();
        let swapped = format!("{}.{admin}.{}", parts[0], parts[2]);
        self.add("good", "main", None, good.clone());
        self.add(
            "good, an audience of several",
            "main",
            None,
            self.claiming(&claims_with("aud", json!(["x", AUDIENCE]))),
        );
        self.add("expired later", "later", ErrorKind::Expired, good.clone());
        self.add(
            "one bit of the signature",
            "main",
            ErrorKind::InvalidSignature,
            resign(&good, &flipped),
        );
        self.add("no signature", "main", ErrorKind::InvalidSignature, resign(&good, b""));
        self.add("a stranger's key", "main", ErrorKind::InvalidSignature, stranger);
        self.add("another payload", "main", ErrorKind::InvalidSignature, swapped);
        self.add(
            "alg none, signed",
            "main",
            ErrorKind::UnsupportedAlgorithm,
            self.signed(r#"{"alg":"none"}"#, claims().to_string()),
        );
        self.add(
            "alg none, unsigned",
            "main",
            ErrorKind::UnsupportedAlgorithm,
            with_signature(r#"{"alg":"none"}"#, claims().to_string(), b""),
        );
        let hmac = if alg == Alg::Hs256 { Alg::Hs512 } else { Alg::Hs256 };
        self.add(
            "HMAC under nothing",
            "main",
            ErrorKind::InvalidAlgorithm,
            hmac_token(hmac, b"", header(hmac), claims().to_string()),
        );
        if !alg.is_symmetric() {
            let pem = key(alg).to_pem().unwrap();
            for (form, secret) in [
                ("PEM", pem.clone().into_bytes()),
                ("DER", der(&pem)),
                ("JWK", nameless_jwk(alg).into_bytes()),
            ] {
                let forged = hmac_token(hmac, &secret, header(hmac), claims().to_string());
                self.add(
                    &format!("HMAC under the public {form}"),
                    "main",
                    ErrorKind::InvalidAlgorithm,
                    forged,
                );
            }
        }
    }

    fn headers(&mut self) {
        let alg = self.alg;
        let jwk = verifying_jwk(other(alg));
        let embedded = header_and(alg, &format!(r#""jwk":{jwk}"#));
        self.add("good, typ JWT", "main", None, self.with_header(r#""typ":"JWT""#));
        self.add(
            "good, typ application/jwt",
            "main",
            None,
            self.with_header(r#""typ":"application/jwt""#),
        );
        self.add("good, any kid", "main", None, self.with_header(r#""kid":"../../dev/null""#));
        self.add(
            "good, jku is ignored",
            "main",
            None,
            self.with_header(r#""jku":"http://127.0.0.1:9/k""#),
        );
        self.add(
            "a key in the header",
            "main",
            ErrorKind::InvalidSignature,
            sign(other(alg), embedded, claims().to_string()),
        );
        let malformed = ErrorKind::MalformedToken;
        for (what, kind, text) in [
            (
                "alg of another case",
                ErrorKind::UnsupportedAlgorithm,
                format!(r#"{{"alg":"{}"}}"#, alg.name().to_lowercase()),
            ),
            ("alg empty", ErrorKind::UnsupportedAlgorithm, r#"{"alg":""}"#.into()),
            ("alg None", ErrorKind::UnsupportedAlgorithm, r#"{"alg":"None"}"#.into()),
            ("alg RSA-OAEP", ErrorKind::UnsupportedAlgorithm, r#"{"alg":"RSA-OAEP"}"#.into()),
            ("no alg", malformed, "{}".into()),
            ("alg null", malformed, r#"{"alg":null}"#.into()),
            ("alg a list", malformed, format!(r#"{{"alg":["{}"]}}"#, alg.name())),
            ("alg twice", malformed, format!(r#"{{"alg":"none","alg":"{}"}}"#, alg.name())),
            ("header with a BOM", malformed, format!("\u{feff}{}", header(alg))),
            ("header a list", malformed, format!("[{}]", header(alg))),
            ("header cut", malformed, header(alg).trim_end_matches('}').into()),
        ] {
            self.add(what, "main", kind, self.signed(text, claims().to_string()));
        }
        for (what, kind, members) in [
            ("crit unknown", ErrorKind::UnsupportedCritical, r#""crit":["x"],"x":1"#),
            ("crit b64", ErrorKind::UnsupportedCritical, r#""crit":["b64"],"b64":false"#),
            ("crit empty", malformed, r#""crit":[]"#),
            ("crit of an absent member", malformed, r#""crit":["x"]"#),
            ("crit of a registered name", malformed, r#""crit":["alg"]"#),
            ("crit not a list", malformed, r#""crit":"x","x":1"#),
            ("typ at+jwt", ErrorKind::InvalidType, r#""typ":"at+jwt""#),
            ("kid a number", malformed, r#""kid":1"#),
        ] {
            self.add(what, "main", kind, self.with_header(members));
        }
        let wrong = if alg == Alg::Hs384 { Alg::Hs256 } else { Alg::Hs384 };
        self.add(
            "alg of another key",
            "main",
            ErrorKind::InvalidAlgorithm,
            self.signed(header(wrong), claims().to_string()),
        );
    }

    fn structure(&mut self) {
        let good = self.claiming(&claims());
        let parts: Vec<&str> = good.split('.').collect();
        let malformed = ErrorKind::MalformedToken;
        let json = format!(
            r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#,
            parts[0], parts[1], parts[2]
        );
        for (what, text) in [
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("four parts", format!("{good}.{}", parts[2])),
            ("padding", format!("{good}=")),
            ("a space inside", format!("{}. {}.{}", &parts[0][..4], &parts[0][4..], parts[1])),
            ("JSON serialization", json),
            ("only dots", "..".to_owned()),
            ("nothing", String::new()),
        ] {
            self.add(what, "main", malformed, text);
        }
        let body = claims().to_string();
        for (what, payload) in [
            ("claims a list", format!("[{body}]").into_bytes()),
            ("claims null", b"null".to_vec()),
            ("claims empty", Vec::new()),
            ("claims with a BOM", format!("\u{feff}{body}").into_bytes()),
            ("claims not UTF-8", [b"{\"x\":\"\xff\",", &body.as_bytes()[1..]].concat()),
            (
                "claims with half a surrogate",
                body.replacen('{', r#"{"x":"\ud800","#, 1).into_bytes(),
            ),
            ("a claim twice", body.replacen('{', r#"{"sub":"eve","#, 1).into_bytes()),
            (
                "a claim twice by escape",
                body.replacen('{', r#"{"s\u0075b":"eve","#, 1).into_bytes(),
            ),
            (
                "claims too deep",
                body.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(33), "]".repeat(33)), 1)
                    .into_bytes(),
            ),
            ("text after the claims", format!("{body}x").into_bytes()),
            ("NaN", body.replacen('{', r#"{"x":NaN,"#, 1).into_bytes()),
        ] {
            self.add(what, "main", malformed, self.signed(header(self.alg), payload));
        }
        let unused_bits = sign_text(key(self.alg), &format!("{}.e31", b64(header(self.alg))));
        self.add("unused bits set", "main", malformed, unused_bits);
    }

    fn claims(&mut self) {
        use ErrorKind::{
            Expired, InvalidAudience, InvalidClaim, InvalidIssuer, IssuedInFuture, MissingClaim,
            NotYetValid,
        };
        for (what, kind, name, value) in [
            ("exp now", Expired, "exp", json!(NOW)),
            ("exp negative", Expired, "exp", json!(-1)),
            ("nbf ahead", NotYetValid, "nbf", json!(NOW + 1)),
            ("iat ahead", IssuedInFuture, "iat", json!(NOW + 1)),
            ("exp text", InvalidClaim, "exp", json!("32503680000")),
            ("exp null", InvalidClaim, "exp", json!(null)),
            ("exp 1e300", InvalidClaim, "exp", json!(1e300)),
            ("exp over 2^53", InvalidClaim, "exp", json!(9_007_199_254_740_993_u64)),
            ("nbf true", InvalidClaim, "nbf", json!(true)),
            ("iat a list", InvalidClaim, "iat", json!([NOW])),
            ("sub a number", InvalidClaim, "sub", json!(7)),
            ("jti null", InvalidClaim, "jti", json!(null)),
            ("iss a list", InvalidClaim, "iss", json!([ISSUER])),
            ("iss longer", InvalidIssuer, "iss", json!(format!("{ISSUER}/"))),
            ("iss shorter", InvalidIssuer, "iss", json!("https://issuer")),
            ("iss empty", InvalidIssuer, "iss", json!("")),
            ("aud a number", InvalidClaim, "aud", json!(42)),
            ("aud an empty list", InvalidClaim, "aud", json!([])),
            ("aud with a number", InvalidClaim, "aud", json!([AUDIENCE, 7])),
            ("aud another", InvalidAudience, "aud", json!("https://other.example")),
            ("aud others", InvalidAudience, "aud", json!(["x", "y"])),
            ("aud empty", InvalidAudience, "aud", json!("")),
        ] {
            self.add(what, "main", kind, self.claiming(&claims_with(name, value)));
        }
        for name in ["exp", "iss", "aud"] {
            self.add(
                &format!("no {name}"),
                "main",
                MissingClaim,
                self.claiming(&claims_without(name)),
            );
        }
        let good = self.claiming(&claims());
        self.add("silent about the issuer", "silent", InvalidIssuer, good.clone());
        self.add("silent about the audience", "issuer-only", InvalidAudience, good);
        let bare =
            json!({"exp": NOW + 1, "n": 123_456_789_012_345_678_u64, "f": 0.1, "u": "é\u{1F600}"});
        self.add("good, nothing to be silent about", "silent", None, self.claiming(&bare));
        self.add("good, no audience", "issuer-only", None, self.claiming(&claims_without("aud")));
        self.add("good, no iat", "main", None, self.claiming(&claims_without("iat")));
        self.add(
            "good, exp with a fraction",
            "main",
            None,
            self.claiming(&claims_with("exp", json!(NOW as f64 + 1.5))),
        );
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let mut all = Vec::new();
    for &alg in Alg::ALL {
        let mut maker = Maker { alg, entries: Vec::new() };
        maker.essential();
        // The rest does not depend on the primitive; one algorithm of each family is enough.
        if matches!(alg, Alg::Hs256 | Alg::Rs256 | Alg::Ps256 | Alg::Es256 | Alg::EdDsa) {
            maker.headers();
            maker.structure();
            maker.claims();
        }
        all.append(&mut maker.entries);
    }
    let header_and_kid = |kid: &str| header_and(Alg::Es256, &format!(r#""kid":"{kid}""#));
    let mut add = |name: &str, key: &str, status: i32, token: String| {
        all.push(Entry { name: name.into(), key: key.into(), policy: "main", status, token });
    };
    add(
        "named/its kid",
        "es256-named",
        0,
        sign(key(Alg::Es256), header_and_kid("main"), claims().to_string()),
    );
    add("named/no kid", "es256-named", 0, token(key(Alg::Es256), &claims()));
    for kid in ["Main", "main ", "", "main\\u0000", "*"] {
        let token = sign(key(Alg::Es256), header_and_kid(kid), claims().to_string());
        add(&format!("named/kid {kid:?}"), "es256-named", ErrorKind::KeyNotFound.number(), token);
    }
    let long = claims_with("pad", json!("x".repeat(16 * 1024)));
    add("size/token", "hs256", ErrorKind::TokenTooLarge.number(), token(key(Alg::Hs256), &long));
    let long = header_and(Alg::Hs256, &format!(r#""x":"{}""#, "x".repeat(4 * 1024)));
    add(
        "size/header",
        "hs256",
        ErrorKind::TokenTooLarge.number(),
        sign(key(Alg::Hs256), long, claims().to_string()),
    );
    all
}
