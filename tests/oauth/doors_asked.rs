//! What an authorization server says about opaque tokens, and what it is not asked: refresh tokens open nothing, and API
//! keys are nobody else's business.

use crate::authority::{Authority, http, now};
use crate::evil::Reply;
use gatekey::apikey::{ApiKeyOptions, ImportRow, ImportScheme, KeySpec};
use gatekey::open::{open_api_keys, open_revocations};
use gatekey::pepper::PepperSource;
use gatekey::resource::{Access, AccessKind, Demand, IntrospectionOptions};
use gatekey::revocations::{RevocationOptions, RevokeScope};
use gatekey::{ApiKeys, Error, ErrorKind, ResourceServer, Revocations, Secret};
use serde_json::{Value, json};
use std::sync::Arc;

const API: &str = "https://api.example";

/// A server that says this about every token.
fn telling(answer: Value) -> Authority {
    Authority::with(move |request, _| {
        (request.path == "/introspect").then(|| Reply::json(200, answer.clone()))
    })
}

fn active() -> Value {
    json!({
        "active": true, "sub": "alice", "scope": "read", "client_id": "app", "aud": API,
        "iat": now() - 5, "exp": now() + 300,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = active();
    answer[name] = value;
    answer
}

fn door(authority: &Authority, options: IntrospectionOptions) -> ResourceServer {
    let builder = ResourceServer::builder(API);
    builder.introspection(authority.client(), Arc::new(http()), options).build().unwrap()
}

fn knock(answer: Value) -> Result<Access, Error> {
    let authority = telling(answer);
    door(&authority, IntrospectionOptions::new()).check(Some("Bearer t"), &Demand::new())
}

#[test]
fn the_kind_of_token_is_looked_at() {
    for (name, value) in [
        ("token_type", json!("refresh_token")),
        ("token_type", json!("DPoP")),
        ("token_type", json!("N_A")),
        ("token_type", json!("")),
        ("token_type", json!(7)),
        ("token_use", json!("refresh_token")),
        ("token_use", json!("id")),
        ("typ", json!("Refresh")),
        ("typ", json!("Offline")),
        ("typ", json!("ID")),
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
        ("c_hash", json!("h")),
        ("s_hash", json!("h")),
        ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
        ("events", json!(null)),
        ("events", json!(["a"])),
        ("cnf", json!({ "jkt": "x" })),
    ] {
        let error = knock(with(name, value.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidClaim, "{name} {value}");
        assert_eq!(error.claim(), Some(name), "{value}");
    }
    for (name, value) in [
        ("token_type", json!("Bearer")),
        ("token_type", json!("bearer")),
        ("token_type", json!("access_token")),
        ("token_use", json!("access_token")),
        ("typ", json!("Bearer")),
        ("typ", json!("at+jwt")),
        ("nonce", json!(null)),
        ("at_hash", json!(null)),
        ("token_type", json!(null)),
    ] {
        knock(with(name, value)).expect(name);
    }
}

#[test]
fn the_server_is_told_what_is_meant() {
    let authority = telling(active());
    let api = door(&authority, IntrospectionOptions::new());
    api.check(Some("Bearer t"), &Demand::new()).unwrap();
    let asked = authority.server.seen("/introspect");
    assert_eq!(asked[0].form("token_type_hint").as_deref(), Some("access_token"));
    // Who asks about any token says nothing.
    authority.client().introspect(&Secret::from("r".to_owned())).run(&http()).unwrap();
    assert_eq!(authority.server.seen("/introspect")[1].form("token_type_hint"), None);
}

#[test]
fn whose_and_whom_for() {
    let access = knock(active()).unwrap();
    assert_eq!((access.client_id.as_deref(), access.tenant), (Some("app"), None));
    assert!(access.issuer.unwrap().starts_with("http://127.0.0.1:"), "the client's own server");
    // Its users are its own: no other server's, whatever it says.
    let error = knock(with("iss", json!("https://other.example"))).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidIssuer, Some("iss")));
    for aud in [json!(null), json!([]), json!("https://other.example"), json!([7]), json!("")] {
        let error = knock(with("aud", aud.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidAudience, "{aud}");
    }
    // Any audience, of known clients.
    let open = |answer: Value| {
        let authority = telling(answer);
        let builder = ResourceServer::builder("").any_audience().client("app");
        let builder = builder.introspection_by(authority.client(), Arc::new(http()));
        builder.build().unwrap().check(Some("Bearer t"), &Demand::new())
    };
    for aud in [json!(null), json!("https://other.example")] {
        open(with("aud", aud)).unwrap();
    }
    let mut by_cid = with("client_id", json!(null));
    by_cid["cid"] = json!("app");
    assert_eq!(open(by_cid).unwrap().client_id.as_deref(), Some("app"));
    assert_eq!(open(with("client_id", json!("x"))).unwrap_err().kind(), ErrorKind::InvalidClaim);
    assert_eq!(open(with("cid", json!("x"))).unwrap_err().kind(), ErrorKind::InvalidClaim);
    let mut nobody = with("client_id", json!(null));
    nobody["azp"] = json!("app");
    assert_eq!(open(nobody).unwrap_err().kind(), ErrorKind::MissingClaim);
}

#[test]
fn scopes_as_a_list() {
    let access = knock(with("scope", json!(["read", "write"]))).unwrap();
    assert!(access.has_scope("read") && access.has_scope("write"));
    let authority = telling(with("scope", json!(["read", "write"])));
    let token = Secret::from("t".to_owned());
    let told = authority.client().introspect(&token).run(&http()).unwrap();
    assert_eq!(told.scopes, ["read", "write"]);
    assert_eq!(told.issued_at, active()["iat"].as_u64());
    let error = knock(with("scope", json!([7]))).unwrap_err();
    assert_eq!((error.kind(), error.claim()), (ErrorKind::OauthMalformedResponse, Some("scope")));
}

/// Revocations hold for opaque tokens as for JWTs: by subject, by token, for everyone.
#[test]
fn revoked_tokens() {
    let open = |answer: Value, revoke: &dyn Fn(&Revocations)| {
        let authority = telling(answer);
        let list = open_revocations("memory:", RevocationOptions::new()).unwrap();
        let builder = ResourceServer::builder(API).revocations(Arc::new(list.clone()));
        let builder = builder.introspection_by(authority.client(), Arc::new(http()));
        let door = builder.build().unwrap();
        let knock = || door.check(Some("Bearer t"), &Demand::new()).map_err(|error| error.kind());
        let before = knock();
        revoke(&list);
        (before.map(drop), knock().map(drop), authority.server.count("/introspect"))
    };
    let revoked = (Ok(()), Err(ErrorKind::RevokedToken), 1);
    assert_eq!(open(active(), &|list| list.revoke_subject("alice").unwrap()), revoked);
    assert_eq!(
        open(active(), &|list| list.revoke_before(now(), RevokeScope::All).unwrap()),
        revoked
    );
    assert_eq!(open(active(), &|list| list.revoke_subject("bob").unwrap()), (Ok(()), Ok(()), 1));
    let answer = with("sid", json!("s"));
    assert_eq!(open(answer, &|list| list.revoke_session("s").unwrap()), revoked);
    // By the token's id, under the name of the server that was asked where it does not say.
    let authority = telling(with("jti", json!("one")));
    let list = open_revocations("memory:", RevocationOptions::new()).unwrap();
    let builder = ResourceServer::builder(API).revocations(Arc::new(list.clone()));
    let door = builder.introspection_by(authority.client(), Arc::new(http())).build().unwrap();
    door.check(Some("Bearer t"), &Demand::new()).unwrap();
    list.revoke_token(&authority.server.url, "one", now() + 600).unwrap();
    let error = door.check(Some("Bearer t"), &Demand::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RevokedToken);
    // What cannot be held against the list is not let in.
    for name in ["iat", "exp"] {
        let (before, _, _) = open(with(name, json!(null)), &|_| {});
        assert_eq!(before, Err(ErrorKind::MissingClaim), "{name}");
    }
}

fn imported(keys: &ApiKeys, secret: &str, lookup: Option<&str>) {
    let credential = Secret::from(secret.to_owned());
    let lookup = lookup.map(str::to_owned);
    let row = ImportRow { spec: KeySpec::new("acme"), credential, lookup };
    assert_eq!(keys.import(ImportScheme::Plaintext, &[row]).unwrap().imported, 1);
}

/// What may be an API key of ours is never sent away: imported, mistyped, revoked, of any form.
#[test]
fn own_keys_are_asked_first() {
    let authority = telling(json!({ "active": false }));
    let keys = open_api_keys("memory:", &PepperSource::Beside, ApiKeyOptions::new()).unwrap().keys;
    let issued = keys.create(&KeySpec::new("acme")).unwrap();
    let plain = ["sk_prod_51Habcdefghijklmnop", "SG.abcdefgh.ijklmnop", "a-legacy-key-of-theirs"];
    for key in plain {
        imported(&keys, key, None);
    }
    imported(&keys, "pk-one.the-secret-of-it", Some("pk-one"));
    let builder = ResourceServer::builder(API).api_keys(keys.clone());
    let builder = builder.introspection_by(authority.client(), Arc::new(http()));
    let door = builder.build().unwrap();
    let knock = |key: &str| door.check(Some(&format!("Bearer {key}")), &Demand::new());
    let own = issued.secret.expose_str();
    for key in plain.into_iter().chain([own]) {
        let access = knock(key).expect(key);
        assert_eq!((access.kind, access.subject.as_deref()), (AccessKind::ApiKey, Some("acme")));
    }
    let end = if own.ends_with('0') { "1" } else { "0" };
    let mistyped = format!("{}{end}", &own[..own.len() - 1]);
    let foreign = mistyped.replacen("gk_live", "acme_test", 1);
    let quoted = format!("\"{own}\"");
    let escaped = own.replacen('_', "%5F", 1);
    let (lower, upper) = (own.to_lowercase(), own.to_uppercase());
    for key in [
        &*mistyped,
        &foreign,
        "gk_",
        "gk_live_short",
        &quoted,
        &escaped,
        &lower,
        &upper,
        &format!("key={own}"),
        &format!("_{own}"),
        "'gk_test_other'",
    ] {
        assert_eq!(knock(key).unwrap_err().kind(), ErrorKind::MalformedApiKey, "{key}");
    }
    // Found by what it begins with, and wrong in the rest.
    knock("pk-one.the-secret-of-it").unwrap();
    let error = knock("pk-one.the-secret-of-lt").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadApiKeySecret);
    // Of a door where users sign in, a key is no user: and no stranger is told of it.
    let signed_in = Demand::new().max_age(60);
    let error = door.check(Some(&format!("Bearer {}", plain[0])), &signed_in).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsufficientAuthentication);
    keys.revoke(&issued.record.id, "leaked").unwrap();
    assert_eq!(knock(own).unwrap_err().kind(), ErrorKind::ApiKeyRevoked);
    assert_eq!(authority.server.count("/introspect"), 0);
    // What is none of ours is asked about.
    for token in ["opaque", "sk_prod_other", "x.y.z", "eyJ.x", "abgk_cd"] {
        assert_eq!(knock(token).unwrap_err().kind(), ErrorKind::TokenInactive, "{token}");
    }
    assert_eq!(authority.server.count("/introspect"), 5);
}

/// What the claims must say is asked of opaque tokens, too.
#[test]
fn values_that_claims_must_have() {
    let asked = |answer: Value| {
        let authority = telling(answer);
        let builder = ResourceServer::builder(API).claim("env", r#""live""#).claim("env", "1");
        let options = IntrospectionOptions::new();
        let door = builder.introspection(authority.client(), Arc::new(http()), options);
        door.build().unwrap().check(Some("Bearer t"), &Demand::new()).map(|_| ())
    };
    asked(with("env", json!("live"))).unwrap();
    asked(with("env", json!(1))).unwrap();
    let refused = asked(with("env", json!("test"))).unwrap_err();
    assert_eq!((refused.kind(), refused.claim()), (ErrorKind::InvalidClaim, Some("env")));
    assert_eq!(asked(active()).unwrap_err().kind(), ErrorKind::MissingClaim);

    let key = gatekey::Key::generate(gatekey::Alg::Es256).unwrap();
    let keys = Arc::new(gatekey::KeySet::new([key.public().unwrap()]).unwrap());
    let text = json!({
        "audience": API, "issuer": "https://auth.example", "claims": {"token_type": "access"},
    });
    let door = gatekey::resource::ResourceServerBuilder::from_json(text.to_string().as_bytes());
    let door = door.unwrap().keys(keys.clone()).build().unwrap();
    let signer = gatekey::Signer::builder(&key).issuer("https://auth.example").audience(API);
    let signer = signer.typ("at+jwt").build().unwrap();
    let knock = |kind: &str| {
        let claims = gatekey::Claims::new().subject("alice").claim_str("client_id", "app");
        let token = signer.sign(&claims.claim_str("token_type", kind)).unwrap();
        door.check(Some(&format!("Bearer {token}")), &Demand::new()).map(|_| ())
    };
    knock("access").unwrap();
    let refused = knock("Bearer").unwrap_err();
    assert_eq!((refused.kind(), refused.claim()), (ErrorKind::InvalidClaim, Some("token_type")));
    let long = "n".repeat(100);
    let text = json!({"audience": API, "issuer": "https://auth.example", "claims": {&long: null}});
    let by_long_name =
        gatekey::resource::ResourceServerBuilder::from_json(text.to_string().as_bytes());
    let by_long_name = by_long_name.unwrap().keys(keys.clone()).build().unwrap();
    let claims = gatekey::Claims::new().subject("alice").claim_str("client_id", "app");
    let token = signer.sign(&claims.clone().claim_json(&long, "null").unwrap()).unwrap();
    by_long_name.check(Some(&format!("Bearer {token}")), &Demand::new()).unwrap();
    let token = signer.sign(&claims).unwrap();
    let refused = by_long_name.check(Some(&format!("Bearer {token}")), &Demand::new()).unwrap_err();
    assert_eq!((refused.kind(), refused.claim()), (ErrorKind::MissingClaim, Some(long.as_str())));
    for claims in [json!({"iss": "x"}), json!({"": 1}), json!(7)] {
        let text = json!({"audience": API, "issuer": "https://a.example", "claims": claims});
        let door = gatekey::resource::ResourceServerBuilder::from_json(text.to_string().as_bytes());
        let error = door.and_then(|door| door.keys(keys.clone()).build()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{text}");
    }
}
