//! What went wrong where: the endpoint, the member or the option that a refusal is about.

use crate::authority::{Authority, CLIENT, http, now};
use crate::evil::Reply;
use gatekey::oauth::{LoginOptions, OAuthConfig, TokenGrant};
use gatekey::{Error, ErrorKind, OAuthClient, Secret};
use serde_json::{Value, json};

fn token() -> Secret {
    Secret::from("t".to_owned())
}

/// Everything that is asked of a server, by the name of the endpoint.
fn asked(client: &OAuthClient) -> Vec<(&'static str, Error)> {
    let grant = TokenGrant::new();
    vec![
        ("userinfo_endpoint", client.userinfo_by_token(&token()).run(&http()).unwrap_err()),
        ("introspection_endpoint", client.introspect(&token()).run(&http()).unwrap_err()),
        (
            "device_authorization_endpoint",
            client.device_codes(&grant).unwrap().run(&http()).unwrap_err(),
        ),
        ("token_endpoint", client.client_credentials(&grant).unwrap().run(&http()).unwrap_err()),
        ("jwks_uri", client.logout_notice("a.b.c").run(&http()).unwrap_err()),
    ]
}

/// A server whose endpoints answer this, but for its metadata.
fn answering(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Authority {
    Authority::with(move |request, _| (!request.path.starts_with("/.well-known")).then(&reply))
}

#[test]
fn which_request_has_failed() {
    for (status, body) in
        [(404, "<html>"), (405, ""), (500, "<html>"), (408, ""), (200, "<html>"), (200, "[]")]
    {
        let authority = answering(move || Reply::text(status, "text/html", body));
        let client = authority.client();
        let revoked = client.revoke(&token(), true).run(&http());
        assert_eq!(revoked.is_ok(), status == 200);
        let revoked = revoked.err().map(|error| ("revocation_endpoint", error));
        for (endpoint, error) in asked(&client).into_iter().chain(revoked) {
            assert_eq!(error.claim(), Some(endpoint), "{status} {body}: {error}");
            assert!(error.to_string().contains(&format!("status {status}")), "{error}");
            let is_busy = status == 408 || status == 500;
            assert_eq!(error.is_retryable(), is_busy, "{endpoint} {status}: {error}");
        }
    }
    // One that hangs up has no status.
    let silent = answering(|| Reply::Stream(Box::new(|_| {})));
    for (endpoint, error) in asked(&silent.client()) {
        assert_eq!(error.claim(), Some(endpoint), "{error}");
        let said = error.to_string();
        assert!(said.ends_with(&format!("(`{endpoint}`)")), "{said}");
        assert!(error.is_retryable() && !said.contains("status"), "{said}");
    }
    let nowhere = Authority::with(|_, _| Some(Reply::text(503, "text/html", "")));
    let error = nowhere.client().begin(&LoginOptions::new(), "").unwrap().run(&http());
    assert_eq!(error.unwrap_err().claim(), Some("metadata"));
    // What is about a member is about that.
    let odd = Authority::giving(200, json!({ "access_token": "a", "token_type": 7 }));
    let error = odd.client().client_credentials(&TokenGrant::new()).unwrap().run(&http());
    assert_eq!(error.unwrap_err().claim(), Some("token_type"));
    // A code that is not good any more is no fault of the endpoint.
    let old = Authority::giving(400, json!({ "error": "invalid_grant" }));
    assert_eq!(old.sign_in().unwrap_err().claim(), None);
}

/// What a server answers at this path, and what comes of it.
fn told(path: &'static str, answer: &Value) -> OAuthClient {
    let answer = answer.to_string();
    let authority = Authority::with(move |request, _| {
        (request.path == path).then(|| Reply::json(200, &answer))
    });
    let client = authority.client();
    std::mem::forget(authority);
    client
}

#[test]
fn which_member_of_an_answer() {
    let device = json!({
        "device_code": "d", "user_code": "u", "verification_uri": "https://a.example/d",
        "verification_uri_complete": "https://a.example/d?u", "expires_in": 60, "interval": 1,
    });
    let codes = |answer: &Value| {
        told("/device", answer).device_codes(&TokenGrant::new()).unwrap().run(&http())
    };
    for (name, wrong) in [
        ("device_code", json!(null)),
        ("device_code", json!("é")),
        ("user_code", json!(7)),
        ("user_code", json!("")),
        ("verification_uri", json!(null)),
        ("verification_uri", json!("http://a.example/d")),
        ("verification_uri_complete", json!("javascript:x")),
        ("expires_in", json!("60")),
        ("expires_in", json!(null)),
    ] {
        let mut answer = device.clone();
        answer[name] = wrong;
        let error = codes(&answer).unwrap_err();
        assert_eq!(error.claim(), Some(name), "{answer}: {error}");
    }
    // An empty text is none.
    for none in [json!(""), json!(null)] {
        let mut answer = device.clone();
        answer["verification_uri_complete"] = none;
        assert_eq!(codes(&answer).unwrap().verification_uri_complete, None);
    }
    for subject in [json!(null), json!(""), json!([]), json!({})] {
        let client = told("/userinfo", &json!({ "sub": subject, "email": "a@example" }));
        let error = client.userinfo_by_token(&token()).run(&http()).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::OauthMalformedResponse, Some("sub")));
    }
    for issuer in [json!(""), json!(7), json!(["https://a.example"])] {
        let client = told("/introspect", &json!({ "active": true, "sub": "a", "iss": issuer }));
        let error = client.introspect(&token()).run(&http()).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::OauthMalformedResponse, Some("iss")));
    }
    let ended = told("/introspect", &json!({ "active": false, "iss": "" }));
    assert!(!ended.introspect(&token()).run(&http()).unwrap().active);
}

/// A session that is no text is no session: to leave it out would end all of the user's.
#[test]
fn the_session_of_a_log_out() {
    let authority = Authority::start();
    let notice = |sid: Value| {
        let claims = json!({
            "iss": authority.server.url, "aud": CLIENT, "iat": now(), "exp": now() + 60, "jti": "j",
            "sub": "alice", "sid": sid,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let token = authority.world.sign_as(&claims, r#""typ":"logout+jwt","#);
        authority.client().logout_notice(&token).run(&http())
    };
    for wrong in [json!(7), json!(["s"]), json!({}), json!(true), json!("")] {
        let error = notice(wrong).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidClaim, Some("sid")));
    }
    assert_eq!(notice(json!("s")).unwrap().session_id.as_deref(), Some("s"));
    assert_eq!(notice(json!(null)).unwrap().session_id, None);
}

#[test]
fn which_option_helps() {
    for offered in [json!(null), json!([]), json!(["RS256"]), json!("ES256"), json!(["PS256"])] {
        let shown = offered.to_string();
        let authority = Authority::with(move |request, world| {
            (request.path == "/.well-known/openid-configuration").then(|| {
                let mut metadata = world.metadata();
                metadata["id_token_signing_alg_values_supported"] = offered.clone();
                Reply::json(200, metadata)
            })
        });
        let error = authority.sign_in().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{shown}");
        assert!(error.to_string().contains("`id_token_algorithms`"), "{shown}: {error}");
    }
    let refused = |config: OAuthConfig| OAuthClient::new(config).unwrap_err();
    let error = refused(OAuthConfig::new("c").issuer("http://keycloak:8080/realms/a"));
    assert_eq!(error.claim(), Some("issuer"));
    let said = error.to_string();
    assert!(said.contains("TLS") && said.contains("`allow_loopback_http`"), "{said}");
    let error = refused(OAuthConfig::new("c").preset("github").unwrap());
    let said = error.to_string();
    assert!(said.contains("`auth_method`") && said.contains("`none`"), "{said}");
}
