//! `null` in what an authorization server answers: as if the member were not there, with the rule of its absence.

use crate::authority::{Authority, http, now};
use crate::evil::Reply;
use gatekey::oauth::{OAuthTokens, TokenGrant};
use gatekey::resource::{Demand, IntrospectionOptions};
use gatekey::{ErrorKind, KeySet, Policy, ResourceServer, Secret, Verifier};
use serde_json::{Value, json};
use std::sync::Arc;

const API: &str = "https://api.example";

#[test]
fn id_tokens() {
    let with = |name: &'static str| Authority::claiming(move |claims| claims[name] = Value::Null);
    for name in ["at_hash", "c_hash", "azp", "nbf", "jti", "sid", "acr", "auth_time", "email"] {
        let login = with(name).sign_in().expect(name);
        assert_eq!(login.subject.as_deref(), Some("alice"), "{name}");
    }
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        let error = with(name).sign_in().unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::MissingClaim, Some(name)));
    }
    assert_eq!(with("nonce").sign_in().unwrap_err().kind(), ErrorKind::OauthNonceMismatch);
    for events in [Value::Null, json!({}), json!([])] {
        let authority = Authority::claiming(move |claims| claims["events"] = events.clone());
        let error = authority.sign_in().unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("events")));
    }
    // What is not null is as it was.
    for name in ["at_hash", "c_hash", "azp", "nbf", "jti"] {
        for wrong in [json!(false), json!([]), json!({})] {
            let authority = Authority::claiming(move |claims| claims[name] = wrong.clone());
            assert!(authority.sign_in().unwrap_err().is_rejected(), "{name}");
        }
    }
}

/// Tokens of nobody in particular are read as strictly as ever.
#[test]
fn claims_at_a_verifier() {
    let authority = Authority::start();
    let keys = KeySet::new([authority.world.key().public().unwrap()]).unwrap();
    let verifier = Verifier::new(&keys, Policy::new().ignore_issuer().ignore_audience()).unwrap();
    for name in ["iss", "sub", "aud", "nbf", "iat", "jti"] {
        let mut claims = json!({ "exp": now() + 300 });
        claims[name] = Value::Null;
        let error = verifier.verify(authority.world.sign(&claims)).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some(name)));
    }
}

#[test]
fn token_answers() {
    let ask = |name: &'static str| -> gatekey::Result<OAuthTokens> {
        let mut answer = json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 60 });
        answer[name] = Value::Null;
        let authority = Authority::giving(200, answer);
        authority.client().client_credentials(&TokenGrant::new()).unwrap().run(&http())
    };
    for name in
        ["expires_in", "refresh_token", "scope", "id_token", "issued_token_type", "error", "ok"]
    {
        let tokens = ask(name).expect(name);
        assert!(tokens.refresh_token.is_none() && tokens.scopes.is_empty());
        assert_eq!(tokens.expires_at.is_none(), name == "expires_in");
    }
    for name in ["access_token", "token_type"] {
        let error = ask(name).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::OauthMalformedResponse, Some(name)));
    }
}

fn telling(answer: Value) -> Authority {
    Authority::with(move |request, _| {
        (request.path == "/introspect").then(|| Reply::json(200, answer.clone()))
    })
}

#[test]
fn introspection_and_the_door() {
    let good = json!({
        "active": true, "sub": "bob", "scope": "read", "client_id": "app", "aud": API,
        "exp": now() + 300, "nbf": now() - 300, "iat": now() - 300, "acr": "x", "auth_time": now(),
    });
    let with = |name: &str, value: Value| {
        let mut answer = good.clone();
        answer[name] = value;
        answer
    };
    let ask = |answer: Value| {
        let authority = telling(answer);
        authority.client().introspect(&Secret::from("t".to_owned())).run(&http())
    };
    let open = |answer: Value, wants_audience: bool| {
        let authority = telling(answer);
        let options = IntrospectionOptions::new().require_audience(wants_audience);
        let door = ResourceServer::builder(API)
            .introspection(authority.client(), Arc::new(http()), options)
            .build()
            .unwrap();
        door.check(Some("Bearer t"), &Demand::new())
    };
    for name in ["sub", "scope", "client_id", "exp", "nbf", "iat", "aud", "acr", "auth_time"] {
        let told = ask(with(name, Value::Null)).expect(name);
        assert!(told.active, "{name}");
        assert_eq!(
            (told.subject.is_none(), told.scopes.is_empty()),
            (name == "sub", name == "scope")
        );
        let access = open(with(name, Value::Null), name != "aud").expect(name);
        assert_eq!(access.subject.is_none(), name == "sub");
    }
    // The same as without one.
    let error = open(with("aud", Value::Null), true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidAudience);
    let mut scp = with("scope", Value::Null);
    scp["scp"] = json!(["write"]);
    assert!(open(scp, true).unwrap().has_scope("write"));
    // These two are never null.
    let error = ask(with("active", Value::Null)).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::OauthMalformedResponse, Some("active")));
    let error = open(with("cnf", Value::Null), true).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("cnf")));
    for (name, wrong) in [("sub", json!(7)), ("exp", json!("soon")), ("scope", json!(true))] {
        let error = ask(with(name, wrong)).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::OauthMalformedResponse, Some(name)));
    }
}

/// Dates with a fraction: never good for longer than they say.
#[test]
fn fractions_of_seconds() {
    let ask = |name: &str, date: Value| {
        let mut answer = json!({ "active": true });
        answer[name] = date;
        let authority = telling(answer);
        authority.client().introspect(&Secret::from("t".to_owned())).run(&http())
    };
    let date = |at: u64, fraction: &str| -> Value {
        serde_json::from_str(&format!("{at}.{fraction}")).unwrap()
    };
    let end = now() + 300;
    let told = ask("exp", date(end, "99")).unwrap();
    assert_eq!((told.active, told.expires_at), (true, Some(end)));
    assert!(!ask("exp", date(now() - 1, "5")).unwrap().active);
    assert!(ask("nbf", date(now() - 10, "5")).unwrap().active);
    let leeway = 60;
    assert!(!ask("nbf", date(now() + leeway + 30, "5")).unwrap().active);
    assert!(ask("exp", json!(1.9e9)).unwrap().active);
    for name in ["exp", "nbf"] {
        for wrong in [json!(-1.5), json!(1e300), json!("1.5"), json!(true), json!([1])] {
            let error = ask(name, wrong).unwrap_err();
            assert_eq!(error.claim(), Some(name));
        }
    }
}

/// A subject that is empty is there, and is nobody.
#[test]
fn empty_subjects() {
    let error = Authority::claiming(|claims| claims["sub"] = json!("")).sign_in().unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("sub")));
    let error = Authority::claiming(|claims| claims["iss"] = json!("")).sign_in().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidIssuer);
    let ask = |active: bool| {
        let authority = telling(json!({ "active": active, "sub": "" }));
        authority.client().introspect(&Secret::from("t".to_owned())).run(&http())
    };
    assert_eq!(ask(true).unwrap_err().claim(), Some("sub"));
    let authority = Authority::start();
    let keys = KeySet::new([authority.world.key().public().unwrap()]).unwrap();
    let builder = ResourceServer::builder(API).issuer(&*authority.server.url, Arc::new(keys));
    let door = builder.build().unwrap();
    let claims = json!({
        "iss": authority.server.url, "sub": "", "aud": API, "client_id": "app", "iat": now(),
        "exp": now() + 300, "jti": "j",
    });
    let token = authority.world.sign_as(&claims, r#""typ":"at+jwt","#);
    let error = door.check(Some(&format!("Bearer {token}")), &Demand::new()).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("sub")));
    assert!(!ask(false).unwrap().active, "of a token that is not good nothing else counts");
}

/// Keys with everything written out that they do not have.
#[test]
fn key_sets_and_metadata() {
    let authority = Authority::with(|request, world| match &*request.path {
        "/jwks" => {
            let key: Value =
                serde_json::from_str(&world.key().public().unwrap().to_jwk().unwrap()).unwrap();
            let mut key = key;
            for name in ["use", "key_ops", "alg", "d", "n", "e", "k", "x5c", "x5t", "x5u", "oth"] {
                key[name] = Value::Null;
            }
            Some(Reply::json(200, json!({ "keys": [null, key, {}] })))
        }
        "/.well-known/openid-configuration" => {
            let mut metadata = world.metadata();
            for name in [
                "end_session_endpoint",
                "token_endpoint_auth_methods_supported",
                "authorization_response_iss_parameter_supported",
                "require_pushed_authorization_requests",
                "pushed_authorization_request_endpoint",
            ] {
                metadata[name] = Value::Null;
            }
            Some(Reply::json(200, metadata))
        }
        _ => None,
    });
    assert_eq!(authority.sign_in().unwrap().subject.as_deref(), Some("alice"));
    let error = authority.client().logout_url(None, None, None).unwrap().run(&http()).unwrap_err();
    assert_eq!(
        (error.kind(), error.claim()),
        (ErrorKind::InvalidConfiguration, Some("end_session_endpoint"))
    );
}

#[test]
fn codes_of_devices() {
    let ask = |answer: Value| {
        let authority = Authority::with(move |request, _| {
            (request.path == "/device").then(|| Reply::json(200, answer.clone()))
        });
        authority.client().device_codes(&TokenGrant::new()).unwrap().run(&http())
    };
    let good = json!({
        "device_code": "d", "user_code": "U", "verification_uri": null, "expires_in": 60, "interval": null,
        "verification_url": "https://v.example", "verification_uri_complete": null,
    });
    let codes = ask(good.clone()).unwrap();
    assert_eq!((&*codes.verification_uri, codes.interval), ("https://v.example", 5));
    assert!(codes.verification_uri_complete.is_none());
    for name in ["device_code", "user_code", "expires_in"] {
        let mut answer = good.clone();
        answer[name] = Value::Null;
        assert_eq!(ask(answer).unwrap_err().kind(), ErrorKind::OauthMalformedResponse, "{name}");
    }
}
