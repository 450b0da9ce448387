//! Tokens without a browser: what each grant sends, and what it makes of the answer.

use crate::authority::{Authority, http};
use crate::evil::Reply;
use gatekey::oauth::{AuthMethod, OAuthConfig, OAuthTokens, TokenExchange, TokenGrant};
use gatekey::{Alg, ErrorKind, Key, OAuthClient, Secret};
use serde_json::json;

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

#[test]
fn what_each_grant_sends() {
    let authority = Authority::giving(
        200,
        json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 60 }),
    );
    let client = authority.client();
    let grant = TokenGrant::new()
        .scopes(&["a", "b"])
        .resource("https://api.example")
        .parameter("audience", "x y");
    client.client_credentials(&grant).unwrap().run(&http()).unwrap();
    client.jwt_bearer(secret("the.jwt.itself"), &grant).unwrap().run(&http()).unwrap();
    let exchange = TokenExchange::new(secret("subject"), TokenExchange::ACCESS_TOKEN)
        .actor(secret("actor"), TokenExchange::JWT)
        .requested_type(TokenExchange::ACCESS_TOKEN)
        .audience("there")
        .grant(TokenGrant::new().scopes(&["a"]));
    client.token_exchange(&exchange).unwrap().run(&http()).unwrap();
    let seen = authority.server.seen("/token");
    for (request, parameters) in seen.iter().zip([
        &[
            ("grant_type", "client_credentials"),
            ("scope", "a b"),
            ("resource", "https://api.example"),
            ("audience", "x y"),
        ][..],
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", "the.jwt.itself"),
            ("scope", "a b"),
        ],
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", "subject"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("actor_token", "actor"),
            ("actor_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("audience", "there"),
            ("scope", "a"),
        ],
    ]) {
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!((&*request.method, &*request.headers["accept"]), ("POST", "application/json"));
        assert!(request.headers["user-agent"].starts_with("gatekey/") && request.query.is_empty());
        assert_eq!(request.headers["accept-encoding"], "identity");
        for (name, value) in parameters {
            assert_eq!(request.form(name).as_deref(), Some(*value), "{name}");
        }
    }
    for own in ["grant_type", "client_id", "scope", "code"] {
        let error = client.client_credentials(&TokenGrant::new().parameter(own, "x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    for bad in ["", "a b", "a\"", "a\\", "é"] {
        assert_eq!(
            client.client_credentials(&TokenGrant::new().scopes(&[bad])).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }
}

/// An exchanged token that is no access token has no type of its own.
#[test]
fn exchanged_tokens() {
    let given = json!({
        "access_token": "a.b.c", "token_type": "N_A",
        "issued_token_type": "urn:ietf:params:oauth:token-type:id_token",
    });
    let authority = Authority::giving(200, given);
    let exchange = TokenExchange::new(secret("subject"), TokenExchange::ID_TOKEN);
    let tokens = authority.client().token_exchange(&exchange).unwrap().run(&http()).unwrap();
    assert_eq!(tokens.issued_token_type.as_deref(), Some(TokenExchange::ID_TOKEN));
    let authority = Authority::giving(200, json!({ "access_token": "a", "token_type": "N_A" }));
    let error = authority.client().token_exchange(&exchange).unwrap().run(&http()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OauthMalformedResponse);
}

/// Row 338: what a refresh leaves out stays as it was; the refresh token goes to its own server alone.
#[test]
fn refreshing() {
    let authority = Authority::start();
    let client = authority.client();
    let first = authority.sign_in_with(&client).unwrap().tokens;
    let bare = Authority::giving(200, json!({ "access_token": "new", "token_type": "Bearer" }));
    let keep = |server: &Authority, tokens: &OAuthTokens| {
        let mut tokens = tokens.clone();
        tokens.issuer = server.server.url.clone();
        server.client().refresh(&tokens).unwrap().run(&http())
    };
    let second = keep(&bare, &first).unwrap();
    assert_eq!(second.access_token.expose_str(), "new");
    assert_eq!(second.refresh_token.as_ref().unwrap().expose_str(), "a-refresh-token");
    assert_eq!(
        (&second.scopes, &second.subject, &second.claims_json),
        (&first.scopes, &first.subject, &first.claims_json)
    );
    assert_eq!(second.expires_at, None);

    let elsewhere = Authority::start();
    let error = elsewhere.client().refresh(&first).unwrap().run(&http()).unwrap_err();
    assert_eq!(
        (error.kind(), elsewhere.server.count("/token")),
        (ErrorKind::OauthIssuerMismatch, 0)
    );

    // An ID token of someone else.
    let other = Authority::claiming(|claims| claims["sub"] = json!("mallory"));
    assert_eq!(keep(&other, &first).unwrap_err().kind(), ErrorKind::OauthSubjectMismatch);
    let mut none = first;
    none.refresh_token = None;
    assert_eq!(client.refresh(&none).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn tokens_as_text() {
    let tokens = Authority::start().sign_in().unwrap().tokens;
    let text = tokens.to_secret_json();
    let read = OAuthTokens::from_secret_json(text.expose()).unwrap();
    assert_eq!(read.to_secret_json().expose_str(), text.expose_str());
    for damaged in ["", "{}", "[]", r#"{"issuer":"a"}"#] {
        assert_eq!(
            OAuthTokens::from_secret_json(damaged.as_bytes()).unwrap_err().kind(),
            ErrorKind::StoreCorrupt
        );
    }
}

#[test]
fn introspection_and_revocation() {
    let authority =
        Authority::with(|request, _| match (&*request.path, request.form("token").as_deref()) {
            ("/introspect", Some("over")) => {
                Some(Reply::json(200, json!({ "active": true, "exp": 1 })))
            }
            ("/introspect", Some("early")) => {
                Some(Reply::json(200, json!({ "active": true, "nbf": 99_999_999_999_u64 })))
            }
            ("/introspect", Some("odd")) => Some(Reply::json(200, json!({ "active": "true" }))),
            ("/introspect", Some("none")) => Some(Reply::json(200, json!({ "active": false }))),
            ("/introspect", Some("html")) => Some(Reply::text(200, "text/html", "<html>")),
            ("/revoke", Some("refused")) => {
                Some(Reply::json(400, json!({ "error": "unsupported_token_type" })))
            }
            _ => None,
        });
    let client = authority.client();
    let ask = |token: &str| client.introspect(&secret(token)).run(&http());
    let good = ask("good").unwrap();
    assert!(good.active && good.scopes == ["read"] && good.subject.as_deref() == Some("alice"));
    assert!(["over", "early", "none"].iter().all(|token| !ask(token).unwrap().active));
    for token in ["odd", "html"] {
        assert_eq!(ask(token).unwrap_err().kind(), ErrorKind::OauthMalformedResponse);
    }
    client.revoke(&secret("good"), true).run(&http()).unwrap();
    let seen = authority.server.seen("/revoke").remove(0);
    assert_eq!(seen.form("token_type_hint").as_deref(), Some("refresh_token"));
    assert_eq!(
        client.revoke(&secret("refused"), false).run(&http()).unwrap_err().kind(),
        ErrorKind::OauthRefused
    );
}

#[test]
fn logging_out() {
    let authority = Authority::start();
    let client = authority.client();
    let url = client
        .logout_url(Some(&secret("a.b.c")), Some("https://app.example/bye"), Some("s"))
        .unwrap();
    let url = url.run(&http()).unwrap();
    assert_eq!(
        url,
        format!(
            "{}/logout?client_id=client&id_token_hint=a.b.c&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&state=s",
            authority.server.url
        )
    );
    assert!(client.logout_url(None, Some("https://a\r\n"), None).is_err());
}

/// A secret that the client signs itself, as Apple wants it: fresh for each request.
#[test]
fn signed_secrets() {
    let authority = Authority::giving(200, json!({ "access_token": "a", "token_type": "Bearer" }));
    let key = Key::generate(Alg::Es256).unwrap().with_kid("ABC123").unwrap();
    let config = json!({
        "issuer": authority.server.url, "client_id": "com.example.web", "allow_loopback_http": true,
        "token_endpoint_auth_method": "signed_secret",
        "private_key": serde_json::from_str::<serde_json::Value>(key.to_private_jwk().unwrap().expose_str()).unwrap(),
        "quirks": { "signed_secret": ["TEAM", "https://appleid.apple.com"] },
    });
    let client =
        OAuthClient::new(OAuthConfig::from_json(config.to_string().as_bytes()).unwrap()).unwrap();
    client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
    let request = authority.server.seen("/token").remove(0);
    let policy =
        gatekey::Policy::new().expect_issuer("TEAM").expect_audience("https://appleid.apple.com");
    let verifier = gatekey::Verifier::with_key(&key.public().unwrap(), policy).unwrap();
    let secret = verifier.verify(request.form("client_secret").unwrap()).unwrap();
    assert_eq!((secret.subject().as_deref(), secret.key_id()), (Some("com.example.web"), "ABC123"));
    assert_eq!(AuthMethod::from_name("self_signed_tls_client_auth").unwrap(), AuthMethod::Tls);
    assert!(AuthMethod::from_name("password").is_err());
}
