//! Who signed in: the issuer and the subject together, with ID tokens and without; and what user info says to a token that
//! is for an API.

use crate::authority::{Authority, SECRET, callback, cookies, http, now};
use crate::evil::Reply;
use gatekey::oauth::{LoginOptions, OAuthConfig, OAuthTokens};
use gatekey::{Alg, ErrorKind, OAuthClient, Secret};
use serde_json::{Value, json};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn preset(server: &Authority, name: &str, more: Value) -> OAuthClient {
    let base = &server.server.url;
    let mut text = json!({
        "preset": name, "client_id": "client", "client_secret": SECRET, "allow_loopback_http": true,
        "redirect_uri": "https://app.example/callback", "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"), "userinfo_endpoint": format!("{base}/userinfo"),
        "jwks_uri": format!("{base}/jwks"),
    });
    for (name, value) in more.as_object().unwrap() {
        text[name] = value.clone();
    }
    OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap()
}

/// A server whose ID tokens are those of this tenant.
fn entra(tenant: &'static str) -> Authority {
    Authority::claiming(move |claims| {
        claims["iss"] = json!(format!("https://login.microsoftonline.com/{tenant}/v2.0"));
        claims["tid"] = json!(tenant);
    })
}

#[test]
fn whose_user_it_is() {
    // By the issuer.
    let server = Authority::start();
    let client = server.client();
    let login = server.sign_in_with(&client).unwrap();
    assert_eq!((&login.issuer, login.subject.as_deref()), (&server.server.url, Some("alice")));
    let json: Value = serde_json::from_slice(login.to_secret_json().expose()).unwrap();
    assert_eq!(json["issuer"], json!(server.server.url));
    let info = client.userinfo(&login.tokens).unwrap_run();
    assert_eq!((info.issuer, &*info.subject), (login.issuer, "alice"));
    // By the tenant's issuer, not by the one of all tenants.
    let server = entra(TENANT);
    let more = json!({ "scopes": ["openid"], "id_token_algorithms": ["ES256"] });
    let client = preset(&server, "microsoft", more);
    let login = server.sign_in_with(&client).unwrap();
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    assert_eq!((&login.issuer, &*login.tokens.issuer), (&issuer, client.issuer().unwrap()));
    assert_eq!(client.userinfo(&login.tokens).unwrap_run().issuer, issuer);
    // One name for an issuer with two spellings.
    let server = Authority::claiming(|claims| claims["iss"] = json!("accounts.google.com"));
    let own = json!({ "issuer": server.server.url, "quirks": { "issuer_aliases": ["accounts.google.com"] },
        "scopes": ["openid"], "discover": false, "id_token_algorithms": ["ES256"] });
    let client = preset(&server, "google", own);
    assert_eq!(server.sign_in_with(&client).unwrap().issuer, server.server.url);
    // By the token endpoint, where there is no issuer; who it is tells user info.
    let server = Authority::with(|request, _| {
        (request.path == "/userinfo").then(|| Reply::json(200, json!({ "id": 7 })))
    });
    let more = json!({ "quirks": { "emails_endpoint": format!("{}/none", server.server.url) } });
    let client = preset(&server, "github", more);
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let login = client.finish(&callback(&begun), &cookies(&begun)).unwrap().run(&http()).unwrap();
    assert_eq!((&login.issuer, login.subject), (&format!("{}/token", server.server.url), None));
    let info = client.userinfo(&login.tokens).unwrap_run();
    assert_eq!((&info.issuer, &*info.subject), (&login.issuer, "7"));
    let bare = client.userinfo_by_token(&login.tokens.access_token).unwrap_run();
    assert_eq!(bare.issuer, login.issuer);
}

trait UnwrapRun<T> {
    fn unwrap_run(self) -> T;
}

impl<T: 'static> UnwrapRun<T> for gatekey::transport::Operation<T> {
    fn unwrap_run(self) -> T {
        self.run(&http()).unwrap()
    }
}

/// Entra's tenant of everybody without one is no organization.
#[test]
fn organizations_are_not_people() {
    let more = |tenant: &str| json!({ "scopes": ["openid"], "id_token_algorithms": ["ES256"], "variables": { "tenant": tenant } });
    let own = |variables: &str, tenant| {
        let server = entra(tenant);
        server
            .sign_in_with(&preset(&server, "microsoft", more(variables)))
            .map(drop)
            .map_err(|error| error.kind())
    };
    assert_eq!(own("common", PERSONAL), Ok(()));
    assert_eq!(own("organizations", TENANT), Ok(()));
    assert_eq!(own("organizations", PERSONAL), Err(ErrorKind::InvalidIssuer));
    assert_eq!(own("consumers", TENANT), Err(ErrorKind::InvalidIssuer));
}

/// A token for an API is none for user info: another one like it would not be either. One that has expired is refreshed.
#[test]
fn user_info_of_a_token_for_an_api() {
    let server = Authority::with(|request, _| {
        (request.path == "/userinfo").then(|| Reply::json(401, json!({ "error": "invalid_token" })))
    });
    let ask = |resources: Value, expires_at: u64| {
        let text = json!({ "issuer": server.server.url, "access_token": "a", "refresh_token": "r",
            "resources": resources, "expires_at": expires_at });
        let tokens = OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap();
        server.client().userinfo(&tokens).run(&http()).unwrap_err()
    };
    let error = ask(json!(["https://api.example"]), now() + 60);
    assert_eq!((error.kind(), error.claim()), (ErrorKind::OauthRefused, Some("resources")));
    assert_eq!(ask(json!(["https://api.example"]), now() - 1).kind(), ErrorKind::OauthInvalidGrant);
    assert_eq!(ask(json!([]), now() + 60).kind(), ErrorKind::OauthInvalidGrant);
}

/// A log-in whose ID token could not be accepted does not begin.
#[test]
fn no_algorithm_in_common() {
    let server = Authority::start();
    let begin = |algs: &[Alg]| {
        let config = server.config().id_token_algorithms(algs.iter().copied());
        OAuthClient::new(config).unwrap().begin(&LoginOptions::new(), "").unwrap().run(&http())
    };
    for algs in [&[Alg::Hs256][..], &[Alg::Rs256, Alg::Ps256]] {
        let error = begin(algs).unwrap_err();
        let about = Some("id_token_algorithms");
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, about));
    }
    begin(&[Alg::Rs256, Alg::Es256]).unwrap();
}

/// A user who signs in later than it is now has not signed in.
#[test]
fn sign_ins_of_the_future() {
    for (at, outcome) in [(now() + 30, Ok(())), (now() + 600, Err(ErrorKind::InvalidClaim))] {
        let server = Authority::claiming(move |claims| claims["auth_time"] = json!(at));
        let client = server.client();
        let begun =
            client.begin(&LoginOptions::new().max_age(60), "").unwrap().run(&http()).unwrap();
        let login = client.finish(&callback(&begun), &cookies(&begun)).unwrap().run(&http());
        assert_eq!(login.map(drop).map_err(|error| error.kind()), outcome);
    }
}

/// What a token for the token endpoint of another server would be good for there.
#[test]
fn assertions_go_home() {
    let other = Authority::start();
    let elsewhere = format!("{}/token", other.server.url);
    let at = elsewhere.clone();
    let server = Authority::with(move |request, world| {
        let mut metadata = world.metadata();
        metadata["token_endpoint"] = json!(at);
        (request.path == "/.well-known/openid-configuration").then(|| Reply::json(200, metadata))
    });
    let client = |more: Value| {
        let mut text = json!({
            "issuer": server.server.url, "client_id": "client", "client_secret": SECRET, "allow_loopback_http": true,
            "token_endpoint_auth_method": "client_secret_jwt", "assertion_audience": "token_endpoint",
        });
        for (name, value) in more.as_object().unwrap() {
            text[name] = value.clone();
        }
        OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap()
    };
    let token = Secret::from("opaque".to_owned());
    let aimed = client(json!({}));
    let error = aimed.introspect(&token).run(&http()).unwrap_err();
    assert_eq!(
        (error.kind(), error.claim()),
        (ErrorKind::InvalidConfiguration, Some("token_endpoint"))
    );
    let error = aimed.revoke(&token, true).run(&http()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(
        server.server.seen("/introspect").is_empty() && server.server.seen("/revoke").is_empty()
    );
    // Whoever has configured it has meant it; and the issuer's name is good nowhere else.
    client(json!({ "token_endpoint": elsewhere })).introspect(&token).run(&http()).unwrap();
    client(json!({ "assertion_audience": "issuer" })).introspect(&token).run(&http()).unwrap();
    assert_eq!(server.server.seen("/introspect").len(), 2);
}

/// The server's own names of what is wrong, in words that say what to look at.
#[test]
fn refusals_say_what_was_refused() {
    for (code, word) in [
        ("invalid_target", "`resources`"),
        ("invalid_scope", "scope"),
        ("unsupported_grant_type", "grant"),
        ("unauthorized_client", "not registered"),
        ("invalid_request", "parameter"),
    ] {
        let server = Authority::giving(400, json!({ "error": code }));
        let error = server.sign_in().unwrap_err();
        assert!(error.to_string().contains(word) && error.to_string().contains(code), "{error}");
    }
}
