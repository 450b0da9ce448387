//! Rows 318 to 326 and 341 of the threat model: ID tokens, logout tokens, and what is taken for them.

use crate::authority::{Authority, CLIENT, SECRET, cookies, http, now};
use crate::evil::Reply;
use crate::forge;
use gatekey::oauth::{LoginOptions, OAuthTokens};
use gatekey::{Alg, ErrorKind, Key, KeySet, OAuthClient};
use serde_json::{Value, json};

#[track_caller]
fn refused(authority: &Authority) -> ErrorKind {
    authority.sign_in().expect_err("the ID token was accepted").kind()
}

fn claiming(alter: impl Fn(&mut Value) + Send + Sync + 'static) -> Authority {
    Authority::claiming(alter)
}

/// Row 318.
#[test]
fn nonces() {
    assert_eq!(
        refused(&claiming(|claims| claims["nonce"] = json!("another"))),
        ErrorKind::OauthNonceMismatch
    );
    assert_eq!(
        refused(&claiming(|claims| claims["nonce"] = json!([claims["nonce"]]))),
        ErrorKind::OauthNonceMismatch
    );
    let missing = |claims: &mut Value| {
        claims.as_object_mut().unwrap().remove("nonce");
    };
    assert_eq!(refused(&claiming(missing)), ErrorKind::OauthNonceMismatch);
    // One that was not asked for: without `openid` the ID token is not even looked at.
    let authority = claiming(|claims| claims["nonce"] = json!("x"));
    let client = OAuthClient::new(authority.config().scopes(&["email"])).unwrap();
    let login = authority.sign_in_with(&client).unwrap();
    assert!(login.subject.is_none() && login.tokens.id_token.is_none());
}

/// Rows 319 and 320: no algorithm, another one, the public key as a secret.
#[test]
fn algorithms() {
    for alg in ["none", "None", "NONE", "nOnE"] {
        let authority = Authority::identifying(move |request, world| {
            let header = format!(r#"{{"alg":"{alg}"}}"#);
            forge::with_signature(header, world.claims(request).to_string(), b"")
        });
        assert_eq!(refused(&authority), ErrorKind::UnsupportedAlgorithm, "{alg}");
    }
    let authority = Authority::identifying(|request, world| {
        forge::resign(&world.sign(&world.claims(request)), b"")
    });
    assert_eq!(refused(&authority), ErrorKind::InvalidSignature);
    for form in 0..4 {
        let authority = Authority::identifying(move |request, world| {
            let key = world.key().public().unwrap();
            let pem = key.to_pem().unwrap();
            let secret = match form {
                0 => pem.into_bytes(),
                1 => pem.trim().as_bytes().to_vec(),
                2 => forge::der(&pem),
                _ => key.to_jwk().unwrap().into_bytes(),
            };
            let header = r#"{"alg":"HS256","kid":"one"}"#;
            forge::hmac_token(Alg::Hs256, &secret, header, world.claims(request).to_string())
        });
        assert_eq!(refused(&authority), ErrorKind::InvalidAlgorithm, "{form}");
    }
    // With the client's own secret, HMAC is for those who have registered it.
    let authority = Authority::identifying(|request, world| {
        let claims = world.claims(request).to_string();
        forge::hmac_token(Alg::Hs256, SECRET.as_bytes(), r#"{"alg":"HS256"}"#, claims)
    });
    assert_eq!(refused(&authority), ErrorKind::InvalidAlgorithm);
    let offering =
        |request: &crate::evil::Request, world: &crate::authority::World| match &*request.path {
            "/.well-known/openid-configuration" => {
                let mut metadata = world.metadata();
                metadata["id_token_signing_alg_values_supported"] = json!(["RS256", "HS256"]);
                Some(Reply::json(200, metadata))
            }
            "/token" => {
                let claims = world.claims(request).to_string();
                let token =
                    forge::hmac_token(Alg::Hs256, SECRET.as_bytes(), r#"{"alg":"HS256"}"#, claims);
                Some(Reply::json(200, world.tokens(&token)))
            }
            _ => None,
        };
    let authority = Authority::with(offering);
    let registered =
        OAuthClient::new(authority.config().id_token_algorithms([Alg::Hs256])).unwrap();
    assert_eq!(authority.sign_in_with(&registered).unwrap().subject.as_deref(), Some("alice"));
    // Registered for one, signed with another.
    let authority = Authority::start();
    let registered =
        OAuthClient::new(authority.config().id_token_algorithms([Alg::EdDsa])).unwrap();
    assert!(authority.sign_in_with(&registered).is_err());
    // Two algorithms of one key: the key's own name is what counts.
    let authority = Authority::with(|request, world| match &*request.path {
        "/.well-known/openid-configuration" => {
            let mut metadata = world.metadata();
            metadata["id_token_signing_alg_values_supported"] = json!(["RS256", "RS512"]);
            Some(Reply::json(200, metadata))
        }
        "/jwks" => Some(Reply::json(
            200,
            KeySet::new([rsa(Alg::Rs256).public().unwrap()]).unwrap().to_jwks().unwrap(),
        )),
        "/token" => {
            let key = rsa(Alg::Rs512);
            let token = forge::sign(
                &key,
                r#"{"alg":"RS512","kid":"r"}"#,
                world.claims(request).to_string(),
            );
            Some(Reply::json(200, world.tokens(&token)))
        }
        _ => None,
    });
    assert_eq!(refused(&authority), ErrorKind::InvalidAlgorithm);
}

/// One RSA key, under either algorithm.
fn rsa(alg: Alg) -> Key {
    static PEM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let pem = PEM.get_or_init(|| {
        Key::generate(Alg::Rs256).unwrap().to_private_pem().unwrap().expose_str().to_owned()
    });
    Key::from_pem(pem.as_bytes(), Some(alg)).unwrap().with_kid("r").unwrap()
}

/// Row 321: keys that a token brings along, and what it demands that we do not know.
#[test]
fn headers() {
    let attacker = Key::generate(Alg::Es256).unwrap();
    let jwk = attacker.public().unwrap().to_jwk().unwrap();
    for header in [
        format!(r#"{{"alg":"ES256","jwk":{jwk}}}"#),
        r#"{"alg":"ES256","jku":"https://evil.example/jwks"}"#.to_owned(),
        r#"{"alg":"ES256","x5u":"https://evil.example/x"}"#.to_owned(),
        r#"{"alg":"ES256","kid":"one","x5c":["AAAA"]}"#.to_owned(),
    ] {
        let (attacker, own) = (attacker.clone(), header.clone());
        let authority = Authority::identifying(move |request, world| {
            forge::sign(&attacker, &own, world.claims(request).to_string())
        });
        assert_eq!(refused(&authority), ErrorKind::InvalidSignature, "{header}");
    }
    let authority = Authority::identifying(|request, world| {
        world.sign_as(&world.claims(request), r#""crit":["x"],"x":1,"#)
    });
    assert_eq!(refused(&authority), ErrorKind::UnsupportedCritical);
}

/// Row 322.
#[test]
fn issuers_and_audiences() {
    assert_eq!(
        refused(&claiming(|c| c["iss"] = json!("https://evil.example"))),
        ErrorKind::InvalidIssuer
    );
    assert_eq!(
        refused(&claiming(|c| c["iss"] = json!(format!("{}/", c["iss"].as_str().unwrap())))),
        ErrorKind::InvalidIssuer
    );
    assert_eq!(refused(&claiming(|c| c["aud"] = json!([]))), ErrorKind::InvalidClaim);
    for audience in [json!("another"), json!(["another"]), json!("")] {
        assert_eq!(
            refused(&claiming(move |c| c["aud"] = audience.clone())),
            ErrorKind::InvalidAudience
        );
    }
    assert_eq!(
        refused(&claiming(|c| c["aud"] = json!([CLIENT, "x"]))),
        ErrorKind::InvalidAudience,
        "no azp"
    );
    assert_eq!(refused(&claiming(|c| c["azp"] = json!("x"))), ErrorKind::InvalidAudience);
    assert_eq!(refused(&claiming(|c| c["azp"] = json!([CLIENT]))), ErrorKind::InvalidAudience);
    let others = claiming(|c| {
        c["aud"] = json!(["another"]);
        c["azp"] = json!(CLIENT);
    });
    assert_eq!(refused(&others), ErrorKind::InvalidAudience);
    claiming(|c| {
        c["aud"] = json!([CLIENT, "x"]);
        c["azp"] = json!(CLIENT);
    })
    .sign_in()
    .unwrap();
    let authority = claiming(|c| c["aud"] = json!([CLIENT, "x"]));
    let trusting = OAuthClient::new(authority.config().trusted_audience("x")).unwrap();
    authority.sign_in_with(&trusting).unwrap();
}

/// Row 323.
#[test]
fn times() {
    assert_eq!(refused(&claiming(|c| c["exp"] = json!(now() - 61))), ErrorKind::Expired);
    assert_eq!(refused(&claiming(|c| c["iat"] = json!(now() + 120))), ErrorKind::IssuedInFuture);
    assert_eq!(refused(&claiming(|c| c["nbf"] = json!(now() + 120))), ErrorKind::NotYetValid);
    for wrong in [json!("9999999999"), json!(true), json!(-1), json!(1e300), Value::Null] {
        let kind = refused(&claiming(move |c| c["exp"] = wrong.clone()));
        assert!(
            matches!(kind, ErrorKind::InvalidClaim | ErrorKind::Expired | ErrorKind::MissingClaim),
            "{kind:?}"
        );
    }
    claiming(|c| c["exp"] = json!(now() as f64 + 100.5)).sign_in().unwrap();
    let missing =
        |name: &'static str| claiming(move |c| drop(c.as_object_mut().unwrap().remove(name)));
    for name in ["exp", "iat", "sub", "iss", "aud"] {
        let kind = refused(&missing(name));
        assert!(matches!(kind, ErrorKind::MissingClaim), "{name}: {kind:?}");
    }
    // A log-in that must be recent.
    for (auth_time, fine) in [
        (json!(now() - 10), true),
        (json!(now() as f64 - 10.5), true),
        (json!(now() - 1000), false),
        (json!(0), false),
        (json!("now"), false),
        (Value::Null, false),
    ] {
        let (at, expected) = (auth_time.clone(), fine);
        let authority = claiming(move |c| c["auth_time"] = at.clone());
        let client = authority.client();
        let begun =
            client.begin(&LoginOptions::new().max_age(60), "").unwrap().run(&http()).unwrap();
        let login = client
            .finish(&crate::authority::callback(&begun), &cookies(&begun))
            .unwrap()
            .run(&http());
        assert_eq!(login.is_ok(), expected, "{auth_time}");
    }
}

/// Row 324: the token belongs to the access token and the code that came with it.
#[test]
fn hashes() {
    let half = |secret: &str| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
        forge::b64(&digest.as_ref()[..16])
    };
    let good = half("an-access-token");
    claiming(move |c| c["at_hash"] = json!(good)).sign_in().unwrap();
    claiming(move |c| c["c_hash"] = json!(half(c["nonce"].as_str().unwrap()))).sign_in().unwrap();
    for wrong in [json!(half("another")), json!(""), json!(7), json!([half("an-access-token")])] {
        for name in ["at_hash", "c_hash"] {
            let wrong = wrong.clone();
            assert_eq!(
                refused(&claiming(move |c| c[name] = wrong.clone())),
                ErrorKind::InvalidClaim
            );
        }
    }
}

/// Row 325: tokens of another kind.
#[test]
fn token_confusion() {
    for typ in ["at+jwt", "logout+jwt", "token-introspection+jwt", "dpop+jwt", "application/at+jwt"]
    {
        let authority = Authority::identifying(move |request, world| {
            world.sign_as(&world.claims(request), &format!(r#""typ":"{typ}","#))
        });
        assert_eq!(refused(&authority), ErrorKind::InvalidType, "{typ}");
    }
    assert_eq!(
        refused(&Authority::identifying(|_, _| "not-a-token".to_owned())),
        ErrorKind::MalformedToken
    );
    let none = Authority::giving(200, json!({ "access_token": "a", "token_type": "Bearer" }));
    assert_eq!(refused(&none), ErrorKind::OauthMalformedResponse);
}

/// Row 326: the user info of someone else, or that cannot be known to be anybody's.
#[test]
fn user_info() {
    let told = |status: u16, kind: &'static str, body: String| {
        let authority = Authority::with(move |request, _| {
            (request.path == "/userinfo").then(|| Reply::text(status, kind, body.clone()))
        });
        let tokens: OAuthTokens = authority.sign_in().unwrap().tokens;
        authority.client().userinfo(&tokens).run(&http()).unwrap_err().kind()
    };
    let json = "application/json";
    assert_eq!(
        told(200, json, json!({ "sub": "mallory" }).to_string()),
        ErrorKind::OauthSubjectMismatch
    );
    assert_eq!(
        told(200, json, json!({ "sub": ["alice"] }).to_string()),
        ErrorKind::OauthMalformedResponse
    );
    assert_eq!(told(200, json, json!({}).to_string()), ErrorKind::OauthMalformedResponse);
    assert_eq!(told(200, "application/jwt", "a.b.c".to_owned()), ErrorKind::MalformedToken);
    assert_eq!(told(401, json, String::new()), ErrorKind::OauthInvalidGrant);
    assert_eq!(told(500, json, String::new()), ErrorKind::OauthServerFailed);
}

/// Row 329: a key that came after the keys were fetched is looked for, once.
#[test]
fn rotated_keys() {
    let authority = Authority::start();
    let client = authority.client();
    authority.sign_in_with(&client).unwrap();
    *authority.world.key.lock().unwrap() =
        Key::generate(Alg::Es256).unwrap().with_kid("two").unwrap();
    authority.sign_in_with(&client).unwrap();
    assert_eq!(authority.server.count("/jwks"), 2);
    // Under the old name: within the pause it is not looked for again.
    *authority.world.key.lock().unwrap() =
        Key::generate(Alg::Es256).unwrap().with_kid("two").unwrap();
    assert_eq!(authority.sign_in_with(&client).unwrap_err().kind(), ErrorKind::InvalidSignature);
    assert_eq!(authority.server.count("/jwks"), 2);
}

/// An issuer's keys of one name, or of none, are tried: they are all its own. The same key twice is one key, and one that
/// cannot be used is told with the reason.
#[test]
fn keys_of_one_name() {
    let stranger = Key::generate(Alg::Es256).unwrap();
    let publishing = |more: String| {
        Authority::with(move |request, world| {
            let key = world.key();
            let kid = format!(r#""kid":"{}""#, key.kid());
            let more = more.replace(r#""kid":"K""#, &kid);
            let own = key.public().unwrap().to_jwk().unwrap();
            let keys = format!(r#"{{"keys":[{more},{own},{own}]}}"#);
            (request.path == "/jwks").then(|| Reply::json(200, keys))
        })
    };
    let other = stranger.with_kid("K").unwrap().public().unwrap().to_jwk().unwrap();
    for more in [other, r#"{"kty":"EC","kid":"K"}"#.to_owned(), r#"{"kid":"K","use":"enc"}"#.into()]
    {
        let authority = publishing(more.clone());
        assert_eq!(authority.sign_in().unwrap().subject.as_deref(), Some("alice"), "{more}");
    }
    let authority = Authority::with(|request, world| {
        let own = world.key().public().unwrap().to_jwk().unwrap();
        let broken = own.replace(r#""y":""#, r#""y":"AA"#);
        let other = Key::generate(Alg::Es256).unwrap().public().unwrap().to_jwk().unwrap();
        (request.path == "/jwks")
            .then(|| Reply::json(200, format!(r#"{{"keys":[{broken},{other}]}}"#)))
    });
    let error = authority.sign_in().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnusableKey, "{error:?}");
    assert_eq!(error.unusable_key().unwrap().1.kind(), ErrorKind::InvalidKey);
}
