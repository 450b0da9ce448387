//! An API's door: JWTs, opaque tokens and API keys behind one call, and what whoever is refused is told.

use crate::authority::{Authority, http, now};
use crate::evil::Reply;
use gatekey::apikey::{ApiKeyOptions, KeySpec};
use gatekey::oauth::{RemoteKeySet, RemoteKeySetOptions};
use gatekey::open::{open_api_keys, open_revocations};
use gatekey::pepper::PepperSource;
use gatekey::resource::{AccessKind, Demand, IntrospectionOptions};
use gatekey::revocations::RevocationOptions;
use gatekey::{ErrorKind, ResourceServer};
use serde_json::{Value, json};
use std::sync::Arc;

const API: &str = "https://api.example/v1";

fn keys(authority: &Authority) -> Arc<RemoteKeySet> {
    let options = RemoteKeySetOptions::new().allow_loopback_http(true);
    let keys = RemoteKeySet::of_issuer(&*authority.server.url, options).unwrap();
    Arc::new(keys.over(Arc::new(http())))
}

fn door(authority: &Authority) -> ResourceServer {
    let builder = ResourceServer::builder(API).issuer(&*authority.server.url, keys(authority));
    builder
        .metadata_url("https://api.example/.well-known/oauth-protected-resource/v1")
        .build()
        .unwrap()
}

fn claims(authority: &Authority) -> Value {
    json!({
        "iss": authority.server.url, "sub": "alice", "aud": API, "client_id": "app", "scope": "read write",
        "iat": now(), "exp": now() + 300, "jti": "j", "auth_time": now() - 60, "acr": "silver",
    })
}

fn bearer(authority: &Authority, claims: &Value, typ: &str) -> String {
    format!("Bearer {}", authority.world.sign_as(claims, typ))
}

const TYP: &str = r#""typ":"at+jwt","#;

#[test]
fn access_tokens() {
    let authority = Authority::start();
    let door = door(&authority);
    let good = bearer(&authority, &claims(&authority), TYP);
    for header in [
        good.clone(),
        good.replace("Bearer", "bearer"),
        good.replace("Bearer ", "BEARER   "),
        format!(" {good} "),
    ] {
        let access = door.check(Some(&header), &Demand::new().scopes(&["read"])).unwrap();
        assert_eq!(
            (access.kind, access.subject.as_deref(), access.client_id.as_deref()),
            (AccessKind::Jwt, Some("alice"), Some("app"))
        );
        assert!(
            access.has_scope("write") && !access.has_scope("rea") && access.expires_at.is_some()
        );
    }
    let typed = bearer(&authority, &claims(&authority), r#""typ":"application/at+jwt","#);
    door.check(Some(&typed), &Demand::new()).unwrap();
    let refused =
        |header: Option<&str>, demand: &Demand<'_>| door.check(header, demand).unwrap_err().kind();
    let demand = Demand::new();
    for header in
        [None, Some(""), Some("Basic YTpi"), Some("Bearer"), Some("Bearer "), Some("DPoP a.b.c")]
    {
        assert_eq!(refused(header, &demand), ErrorKind::MissingCredentials, "{header:?}");
    }
    // Row 325: an ID token is no access token, nor is anything else that the issuer signs.
    for typ in ["", r#""typ":"JWT","#, r#""typ":"logout+jwt","#, r#""typ":"id+jwt","#] {
        let kind = refused(Some(&bearer(&authority, &claims(&authority), typ)), &demand);
        assert_eq!(kind, ErrorKind::InvalidType, "{typ}");
    }
    let altered = |name: &str, value: Value| {
        let mut claims = claims(&authority);
        claims[name] = value;
        refused(Some(&bearer(&authority, &claims, TYP)), &demand)
    };
    assert_eq!(altered("aud", json!("https://other.example")), ErrorKind::InvalidAudience);
    assert_eq!(altered("aud", json!(format!("{API}/"))), ErrorKind::InvalidAudience);
    assert_eq!(altered("iss", json!("https://evil.example")), ErrorKind::InvalidIssuer);
    assert_eq!(altered("exp", json!(now() - 31)), ErrorKind::Expired);
    // Row 332: bound to a key that a bearer has not proven.
    assert_eq!(altered("cnf", json!({ "jkt": "x" })), ErrorKind::InvalidClaim);
    for name in ["sub", "client_id", "iat", "exp", "aud"] {
        let mut claims = claims(&authority);
        claims.as_object_mut().unwrap().remove(name);
        let kind = refused(Some(&bearer(&authority, &claims, TYP)), &demand);
        assert_eq!(kind, ErrorKind::MissingClaim, "{name}");
    }
    assert_eq!(refused(Some("Bearer not-a-token"), &demand), ErrorKind::MalformedToken);
    // Scopes that nobody can be granted are a mistake of the call's.
    for wrong in ["read admin", "", " ", "read\"", "lé"] {
        assert_eq!(
            refused(Some(&good), &Demand::new().scopes(&[wrong])),
            ErrorKind::InvalidArgument
        );
    }
    assert_eq!(
        refused(Some(&good), &Demand::new().scopes(&["read", "admin"])),
        ErrorKind::InsufficientScope
    );
    // RFC 9470.
    for (demand, fine) in [
        (Demand::new().acr_values(&["gold", "silver"]), true),
        (Demand::new().acr_values(&["gold"]), false),
        (Demand::new().max_age(90), true),
        (Demand::new().max_age(10), false),
    ] {
        match door.check(Some(&good), &demand) {
            Ok(_) => assert!(fine),
            Err(error) => {
                assert_eq!((error.kind(), fine), (ErrorKind::InsufficientAuthentication, false))
            }
        }
    }
    // Scopes as Entra and Okta write them.
    for (name, value) in [
        ("scp", json!("read write")),
        ("scp", json!(["read", "write"])),
        ("scope", json!("wr\u{69}te read")),
    ] {
        let mut claims = claims(&authority);
        claims.as_object_mut().unwrap().remove("scope");
        claims[name] = value;
        door.check(
            Some(&bearer(&authority, &claims, TYP)),
            &Demand::new().scopes(&["write", "read"]),
        )
        .unwrap();
    }
}

#[test]
fn challenges() {
    let authority = Authority::start();
    let door = door(&authority);
    let metadata =
        r#"resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1""#;
    let demand = Demand::new().scopes(&["read", "write"]).acr_values(&["gold"]).max_age(60);
    let challenge = |kind: ErrorKind| door.challenge(&kind.into(), &demand);
    assert_eq!(
        challenge(ErrorKind::MissingCredentials).unwrap(),
        format!(r#"Bearer scope="read write", {metadata}"#)
    );
    assert_eq!(
        challenge(ErrorKind::Expired).unwrap(),
        format!(
            r#"Bearer error="invalid_token", error_description="The access token is not valid.", {metadata}"#
        )
    );
    assert_eq!(
        challenge(ErrorKind::InsufficientScope).unwrap(),
        format!(
            r#"Bearer error="insufficient_scope", error_description="The request needs a scope that was not granted.", scope="read write", {metadata}"#
        )
    );
    assert_eq!(
        challenge(ErrorKind::InsufficientAuthentication).unwrap(),
        format!(
            r#"Bearer error="insufficient_user_authentication", error_description="A more recent or a stronger sign-in is required.", acr_values="gold", max_age="60", {metadata}"#
        )
    );
    for none in [
        ErrorKind::OauthServerFailed,
        ErrorKind::RateLimited,
        ErrorKind::ApiKeyAddress,
        ErrorKind::StoreUnavailable,
        ErrorKind::Internal,
    ] {
        assert_eq!(challenge(none), None, "{none:?}");
    }
    // A demand is the program's own, and still cannot end the header.
    let odd = Demand::new().scopes(&["a\"b\r\nX: y"]);
    let text = door.challenge(&ErrorKind::InsufficientScope.into(), &odd).unwrap();
    assert!(!text.contains('\r') && text.contains(r#"scope="abX: y""#), "{text}");
    let published: Value = serde_json::from_str(&door.metadata_json()).unwrap();
    assert_eq!(published["resource"], API);
    assert_eq!(published["authorization_servers"], json!([authority.server.url]));
    assert_eq!(door.metadata_path().as_deref(), Some("/.well-known/oauth-protected-resource/v1"));
}

#[test]
fn opaque_tokens_and_their_memory() {
    let authority = Authority::with(|request, _| {
        (request.path == "/introspect").then(|| match request.form("token").as_deref() {
            Some("good") => Reply::json(200, json!({ "active": true, "sub": "bob", "scope": "read", "client_id": "app", "aud": [API], "exp": now() + 300 })),
            Some("open") => Reply::json(200, json!({ "active": true, "scope": "read" })),
            Some("other") => Reply::json(200, json!({ "active": true, "scope": "read", "aud": "https://other.example" })),
            Some("short") => Reply::json(200, json!({ "active": true, "scope": "read", "aud": API, "exp": now() + 3 })),
            Some("bound") => Reply::json(200, json!({ "active": true, "cnf": { "x5t#S256": "x" } })),
            Some("down") => Reply::json(503, json!({})),
            _ => Reply::json(200, json!({ "active": false })),
        })
    });
    let door = |options: IntrospectionOptions| {
        let builder = ResourceServer::builder(API).issuer(&*authority.server.url, keys(&authority));
        builder.introspection(authority.client(), Arc::new(http()), options).build().unwrap()
    };
    let api = door(IntrospectionOptions::new());
    let demand = Demand::new().scopes(&["read"]);
    let check = |token: &str| api.check(Some(&format!("Bearer {token}")), &demand);
    for _ in 0..5 {
        let access = check("good").unwrap();
        assert_eq!((access.kind, access.subject.as_deref()), (AccessKind::Opaque, Some("bob")));
        assert_eq!(check("gone").unwrap_err().kind(), ErrorKind::TokenInactive);
    }
    assert_eq!(authority.server.count("/introspect"), 2, "each was asked about once");
    assert_eq!(check("other").unwrap_err().kind(), ErrorKind::InvalidAudience);
    assert_eq!(check("bound").unwrap_err().kind(), ErrorKind::InvalidClaim);
    let error = check("down").unwrap_err();
    assert!(error.is_unavailable(), "never taken for a refusal");
    let error = check("open").unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidAudience, Some("aud")));
    let trusting = door(IntrospectionOptions::new().require_audience(false));
    trusting.check(Some("Bearer open"), &demand).unwrap();
    let error = trusting.check(Some("Bearer other"), &demand).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidAudience, "what is told must be right");
    // Never remembered for longer than it is good.
    check("short").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(4100));
    assert_eq!(check("short").unwrap_err().kind(), ErrorKind::TokenInactive);
    // A JWT of the issuer is not asked about.
    let before = authority.server.count("/introspect");
    api.check(Some(&bearer(&authority, &claims(&authority), TYP)), &demand).unwrap();
    assert_eq!(authority.server.count("/introspect"), before);
    let fresh = door(IntrospectionOptions::new().ttl(0));
    (0..3).for_each(|_| drop(fresh.check(Some("Bearer good"), &demand).unwrap()));
    assert_eq!(authority.server.count("/introspect"), before + 3);
    for odd in ["\u{e9}", &"x".repeat(17_000)] {
        assert_eq!(check(odd).unwrap_err().kind(), ErrorKind::MalformedToken);
    }
}

#[test]
fn api_keys_at_the_same_door() {
    let authority = Authority::start();
    let own = open_api_keys("memory:", &PepperSource::Beside, ApiKeyOptions::new()).unwrap().keys;
    let mut spec = KeySpec::new("acme");
    spec.scopes = vec!["read".into()];
    let issued = own.create(&spec).unwrap();
    let builder = ResourceServer::builder(API)
        .issuer(&*authority.server.url, keys(&authority))
        .api_keys(own.clone());
    let builder =
        builder.introspection(authority.client(), Arc::new(http()), IntrospectionOptions::new());
    let door = builder.build().unwrap();
    let header = format!("Bearer {}", issued.secret.expose_str());
    let access = door.check(Some(&header), &Demand::new().scopes(&["read"])).unwrap();
    assert_eq!((access.kind, access.subject.as_deref()), (AccessKind::ApiKey, Some("acme")));
    let refused = |demand: &Demand<'_>| door.check(Some(&header), demand).unwrap_err().kind();
    assert_eq!(refused(&Demand::new().scopes(&["write"])), ErrorKind::InsufficientScope);
    assert_eq!(refused(&Demand::new().max_age(60)), ErrorKind::InsufficientAuthentication);
    own.revoke(&issued.record.id, "leaked").unwrap();
    assert_eq!(refused(&Demand::new()), ErrorKind::ApiKeyRevoked);
    assert_eq!(authority.server.count("/introspect"), 0, "our own keys are nobody else's business");
}

#[test]
fn revoked_tokens_and_other_types() {
    let authority = Authority::start();
    let list = open_revocations("memory:", RevocationOptions::new()).unwrap();
    let builder = ResourceServer::builder(API)
        .issuer(&*authority.server.url, keys(&authority))
        .token_type("JWT");
    let door = builder.revocations(Arc::new(list.clone())).build().unwrap();
    let header = bearer(&authority, &claims(&authority), r#""typ":"JWT","#);
    door.check(Some(&header), &Demand::new()).unwrap();
    list.revoke_subject("alice").unwrap();
    assert_eq!(
        door.check(Some(&header), &Demand::new()).unwrap_err().kind(),
        ErrorKind::RevokedToken
    );
}

/// An issuer that is out of reach at the start does not keep the API from starting; a wrong address is told.
#[test]
fn starting() {
    let nobody = Authority::start();
    let url = nobody.server.url.clone();
    let options = RemoteKeySetOptions::new().allow_loopback_http(true).cooldown(0);
    let unreachable =
        RemoteKeySet::new("http://127.0.0.1:1/jwks", options).unwrap().over(Arc::new(http()));
    let door = ResourceServer::builder(API).issuer(&*url, Arc::new(unreachable)).build().unwrap();
    let header = bearer(&nobody, &claims(&nobody), TYP);
    let error = door.check(Some(&header), &Demand::new()).unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let nothing = ResourceServer::builder(API).build().unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::InvalidConfiguration);
    let unnamed = ResourceServer::builder("").issuer(&*url, keys(&nobody)).build().unwrap_err();
    assert_eq!(unnamed.kind(), ErrorKind::InvalidConfiguration);
}
