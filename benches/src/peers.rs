//! The Rust peers, each the way its documentation says, with its keys parsed once.

use crate::fixtures::{AUDIENCE, Claims, Fixtures, ISSUER};
use crate::serve::{self, Case};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};

pub(crate) const VERSIONS: &[(&str, &str)] = &[("jsonwebtoken", "11.1"), ("jwt-simple", "0.15")];

pub(crate) fn cases(fixtures: &Fixtures, cases: &mut Vec<Case>) {
    jsonwebtoken(fixtures, cases);
    #[cfg(feature = "jwt-simple")]
    simple::cases(fixtures, cases);
}

fn jsonwebtoken(fixtures: &Fixtures, cases: &mut Vec<Case>) {
    let alg: Algorithm = fixtures.alg.parse().expect("an algorithm of jsonwebtoken");
    let (private, public) = (&fixtures.private, &fixtures.public);
    let (encoding, decoding) = match fixtures.alg {
        "HS256" => (EncodingKey::from_secret(private), DecodingKey::from_secret(public)),
        "RS256" | "PS256" => (
            EncodingKey::from_rsa_pem(private).expect("an RSA key"),
            DecodingKey::from_rsa_pem(public).expect("an RSA key"),
        ),
        "EdDSA" => (
            EncodingKey::from_ed_pem(private).expect("an Ed25519 key"),
            DecodingKey::from_ed_pem(public).expect("an Ed25519 key"),
        ),
        _ => (
            EncodingKey::from_ec_pem(private).expect("an EC key"),
            DecodingKey::from_ec_pem(public).expect("an EC key"),
        ),
    };
    let mut validation = Validation::new(alg);
    validation.leeway = 0;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);

    let (key, rules) = (decoding.clone(), validation.clone());
    serve::verify("jsonwebtoken, struct", fixtures, cases, move |token| {
        decode::<Claims>(token, &key, &rules).is_ok()
    });
    serve::verify("jsonwebtoken, Value", fixtures, cases, move |token| {
        decode::<serde_json::Value>(token, &decoding, &validation).is_ok()
    });
    let (header, claims) = (Header::new(alg), Claims::sample(0));
    serve::sign("jsonwebtoken, struct", fixtures, cases, move || {
        encode(&header, &claims, &encoding).expect("a token")
    });
}

#[cfg(feature = "jwt-simple")]
mod simple {
    use crate::fixtures::{AUDIENCE, Claims as Sample, Fixtures, ISSUER};
    use crate::serve::{self, Case};
    use jwt_simple::prelude::*;

    /// What is left of the claims when jwt-simple has taken the registered ones.
    #[derive(Clone, Serialize, Deserialize)]
    struct Rest {
        scope: String,
        client_id: String,
    }

    pub(super) fn cases(fixtures: &Fixtures, cases: &mut Vec<Case>) {
        let text = |pem: &[u8]| String::from_utf8(pem.to_vec()).expect("PEM is text");
        let (private, public) =
            (text_or_empty(&fixtures.private, text), text_or_empty(&fixtures.public, text));
        macro_rules! public_key {
            ($pair:ty, $key:ty) => {{
                let key = <$key>::from_pem(&public).expect("a public key");
                let options = options();
                serve::verify("jwt-simple", fixtures, cases, move |token| {
                    key.verify_token::<Rest>(token, Some(options.clone())).is_ok()
                });
                let pair = <$pair>::from_pem(&private).expect("a private key");
                let claims = claims();
                serve::sign("jwt-simple", fixtures, cases, move || {
                    pair.sign(claims.clone()).expect("a token")
                });
            }};
        }
        match fixtures.alg {
            "HS256" => {
                let key = HS256Key::from_bytes(&fixtures.public);
                let (options, signing, claims) = (options(), key.clone(), claims());
                serve::verify("jwt-simple", fixtures, cases, move |token| {
                    key.verify_token::<Rest>(token, Some(options.clone())).is_ok()
                });
                serve::sign("jwt-simple", fixtures, cases, move || {
                    signing.authenticate(claims.clone()).expect("a token")
                });
            }
            "RS256" => public_key!(RS256KeyPair, RS256PublicKey),
            "PS256" => public_key!(PS256KeyPair, PS256PublicKey),
            "ES256" => public_key!(ES256KeyPair, ES256PublicKey),
            "ES384" => public_key!(ES384KeyPair, ES384PublicKey),
            _ => public_key!(Ed25519KeyPair, Ed25519PublicKey),
        }
    }

    fn text_or_empty(key: &[u8], text: impl Fn(&[u8]) -> String) -> String {
        if key.starts_with(b"-----") { text(key) } else { String::new() }
    }

    fn options() -> VerificationOptions {
        VerificationOptions {
            allowed_issuers: Some([ISSUER.to_owned()].into()),
            allowed_audiences: Some([AUDIENCE.to_owned()].into()),
            time_tolerance: Some(Duration::from_secs(0)),
            ..Default::default()
        }
    }

    fn claims() -> JWTClaims<Rest> {
        let sample = Sample::sample(0);
        let rest = Rest { scope: sample.scope, client_id: sample.client_id };
        let mut claims = Claims::with_custom_claims(rest, Duration::from_secs(900));
        claims.issued_at = Some(Duration::from_secs(sample.iat));
        claims.invalid_before = Some(Duration::from_secs(sample.nbf));
        claims.expires_at = Some(Duration::from_secs(sample.exp));
        claims.issuer = Some(sample.iss);
        claims.subject = Some(sample.sub);
        claims.audiences = Some(jwt_simple::claims::Audiences::AsString(sample.aud));
        claims.jwt_id = Some(sample.jti);
        claims
    }
}
