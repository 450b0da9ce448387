//! Rows 327, 335 and 342 of the threat model: answers of the token endpoint that are none, and what is sent to it.

use crate::authority::{Authority, http};
use crate::evil::Reply;
use gatekey::oauth::{AssertionAudience, AuthMethod, OAuthConfig, OAuthTokens, TokenGrant};
use gatekey::{Error, ErrorKind, OAuthClient, Secret};
use serde_json::json;

fn answered(
    status: u16,
    kind: &'static str,
    body: impl Into<Vec<u8>>,
) -> gatekey::Result<OAuthTokens> {
    let body = body.into();
    let authority = Authority::with(move |request, _| {
        (request.path == "/token").then(|| Reply::text(status, kind, body.clone()))
    });
    authority.client().client_credentials(&TokenGrant::new()).unwrap().run(&http())
}

fn refused(status: u16, body: impl ToString) -> Error {
    let body = body.to_string();
    answered(status, "application/json", body.clone()).map(|_| ()).expect_err(&body)
}

/// Row 327: whatever it is, it is an error of one kind, and never a token.
#[test]
fn bodies_that_are_no_tokens() {
    let malformed = ErrorKind::OauthMalformedResponse;
    let token = |more: &str| format!(r#"{{"access_token":"a","token_type":"Bearer"{more}}}"#);
    for body in [
        String::new(),
        "[]".to_owned(),
        "null".to_owned(),
        "<html></html>".to_owned(),
        "access_token=a&token_type=bearer".to_owned(),
        format!("\u{feff}{}", token("")),
        token(r#","access_token":"b""#),
        "[".repeat(200_000),
        format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000)),
        r#"{"access_token":7,"token_type":"Bearer"}"#.to_owned(),
        r#"{"access_token":"","token_type":"Bearer"}"#.to_owned(),
        r#"{"access_token":null,"token_type":"Bearer"}"#.to_owned(),
        r#"{"access_token":"a\r\nX: y","token_type":"Bearer"}"#.to_owned(),
        r#"{"access_token":"a b","token_type":"Bearer"}"#.to_owned(),
        r#"{"access_token":"é","token_type":"Bearer"}"#.to_owned(),
        r#"{"access_token":"a"}"#.to_owned(),
        r#"{"access_token":"a","token_type":"mac"}"#.to_owned(),
        // Row 333: bound to a key that was never shown.
        r#"{"access_token":"a","token_type":"DPoP"}"#.to_owned(),
        r#"{"access_token":"a","token_type":["Bearer"]}"#.to_owned(),
        token(r#","expires_in":"3600""#),
        token(r#","expires_in":-5"#),
        token(r#","expires_in":1e308"#),
        token(r#","expires_in":1.5"#),
        token(r#","scope":["a"]"#),
        token(r#","scope":7"#),
        token(r#","refresh_token":7"#),
        token(r#","refresh_token":"a\n""#),
        token(r#","id_token":{}"#),
        format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "a".repeat(40_000)),
    ] {
        let shown: String = body.chars().take(80).collect();
        assert_eq!(refused(200, body).kind(), malformed, "{shown}");
    }
    // As long as no date could say: for ever.
    for life in ["9223372036854775807", "3153600000"] {
        let tokens =
            answered(200, "application/json", token(&format!(r#","expires_in":{life}"#))).unwrap();
        assert_eq!(tokens.expires_at, None, "{life}");
    }
    let fine =
        answered(200, "application/json", token(r#","expires_in":60,"scope":"a b""#)).unwrap();
    assert_eq!(fine.scopes, ["a", "b"]);
    assert!(
        answered(200, "application/json", r#"{"access_token":"a","token_type":"bEaReR"}"#).is_ok()
    );
}

#[test]
fn statuses_and_errors() {
    let code = |code: &str| json!({ "error": code });
    for (status, body, kind, retryable) in [
        (400, code("invalid_grant").to_string(), ErrorKind::OauthInvalidGrant, false),
        (401, code("invalid_client").to_string(), ErrorKind::OauthInvalidClient, false),
        (400, code("unauthorized_client").to_string(), ErrorKind::OauthInvalidClient, false),
        (400, code("invalid_scope").to_string(), ErrorKind::OauthRefused, false),
        (400, code("invalid_target").to_string(), ErrorKind::OauthRefused, false),
        (400, code("temporarily_unavailable").to_string(), ErrorKind::OauthServerFailed, true),
        (200, code("bad_verification_code").to_string(), ErrorKind::OauthRefused, false),
        (200, r#"{"ok":false,"error":"x"}"#.to_owned(), ErrorKind::OauthRefused, false),
        (
            200,
            r#"{"access_token":"a","token_type":"Bearer","error":"x"}"#.to_owned(),
            ErrorKind::OauthRefused,
            false,
        ),
        (400, "{}".to_owned(), ErrorKind::OauthMalformedResponse, false),
        (
            400,
            r#"{"access_token":"a","token_type":"Bearer"}"#.to_owned(),
            ErrorKind::OauthMalformedResponse,
            false,
        ),
        (404, "<html>".to_owned(), ErrorKind::OauthMalformedResponse, false),
        (401, String::new(), ErrorKind::OauthInvalidClient, false),
        (500, code("invalid_grant").to_string(), ErrorKind::OauthInvalidGrant, false),
        (503, code("invalid_grant").to_string(), ErrorKind::OauthServerFailed, true),
        (502, "<html>".to_owned(), ErrorKind::OauthServerFailed, true),
        (503, String::new(), ErrorKind::OauthServerFailed, true),
        (204, String::new(), ErrorKind::OauthMalformedResponse, false),
    ] {
        let error = refused(status, &body);
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status} {body}");
    }
    // A number of seconds, as bounded as everything else.
    for (header, seconds) in [
        ("7", Some(7)),
        ("999999999", Some(86_400)),
        ("x", None),
        ("-1", None),
        ("Wed, 21 Oct 2026 07:28:00 CET", None),
    ] {
        let authority = Authority::with(move |request, _| {
            (request.path == "/token").then(|| {
                Reply::Full(429, vec![("retry-after", header.to_owned())], b"slow".to_vec())
            })
        });
        let error = authority
            .client()
            .client_credentials(&TokenGrant::new())
            .unwrap()
            .run(&http())
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ErrorKind::OauthServerFailed, seconds.map(|s: u32| s * 1000))
        );
    }
}

/// Row 342: what the server says about its error is bounded and harmless.
#[test]
fn error_descriptions() {
    let error = refused(
        400,
        json!({ "error": "invalid_grant", "error_description": "<b>\r\n\u{202e}x".to_owned() + &"y".repeat(500_000) }),
    );
    let message = error.peer_message().unwrap();
    assert!(message.starts_with("?b????x") && message.len() == 200, "{message}");
    let error = refused(400, json!({ "error": "inv\"alid\r\n<", "error_description": 7 }));
    assert_eq!((error.peer_code(), error.peer_message()), (Some("invalid"), None));
    // More than the operation takes is not even read.
    let error = refused(400, json!({ "error": "x", "error_description": "y".repeat(10_000_000) }));
    assert_eq!(error.kind(), ErrorKind::ResponseTooLarge);
}

/// Row 335: `Basic` is form-encoded first; every other way puts the client into the body.
#[test]
fn client_authentication() {
    let (id, secret) = ("web+odd:id é", "p@ss w0rd:/+%=ü and enough of it to sign");
    let sent = |method: Option<AuthMethod>, offered: &'static [&'static str]| {
        let authority = Authority::with(move |request, world| {
            (request.path == "/.well-known/openid-configuration").then(|| {
                let mut metadata = world.metadata();
                if !offered.is_empty() {
                    metadata["token_endpoint_auth_methods_supported"] = json!(offered);
                }
                Reply::json(200, metadata)
            })
        });
        let id = if id.is_ascii() { id } else { "web+odd:id" };
        let mut config = OAuthConfig::new(id)
            .issuer(&*authority.server.url)
            .client_secret(Secret::from(secret.to_owned()))
            .allow_loopback_http(true);
        if let Some(method) = method {
            config = config.auth_method(method);
        }
        let client = OAuthClient::new(config).unwrap();
        client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
        (authority.server.seen("/token").remove(0), authority.server.url)
    };
    for (method, offered) in [
        (None, &[][..]),
        (None, &["client_secret_basic", "client_secret_post"]),
        (Some(AuthMethod::SecretBasic), &[]),
    ] {
        let (request, _) = sent(method, offered);
        let pair = "web%2Bodd%3Aid:p%40ss%20w0rd%3A%2F%2B%25%3D%C3%BC%20and%20enough%20of%20it%20to%20sign";
        use base64::Engine as _;
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        assert_eq!(request.headers["authorization"], format!("Basic {basic}"));
        assert!(request.form("client_id").is_none() && request.form("client_secret").is_none());
    }
    for (method, offered) in
        [(None, &["client_secret_post"][..]), (Some(AuthMethod::SecretPost), &[])]
    {
        let (request, _) = sent(method, offered);
        assert!(!request.headers.contains_key("authorization"));
        assert_eq!(request.form("client_id").as_deref(), Some("web+odd:id"));
        assert_eq!(request.form("client_secret").as_deref(), Some(secret));
    }
    // Row 334: for the issuer alone, for a minute, each with an id of its own.
    let (request, issuer) = sent(Some(AuthMethod::SecretJwt), &[]);
    let assertion = request.form("client_assertion").unwrap();
    let claims = gatekey::jwt::danger_decode_unverified(&assertion).unwrap();
    let claims: serde_json::Value = serde_json::from_str(claims.claims_json()).unwrap();
    assert_eq!(
        (&claims["aud"], &claims["iss"], &claims["sub"]),
        (&json!(issuer), &json!("web+odd:id"), &json!("web+odd:id"))
    );
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    assert!(claims["jti"].as_str().unwrap().len() >= 20);
    let (again, _) = sent(Some(AuthMethod::SecretJwt), &[]);
    assert_ne!(again.form("client_assertion").unwrap(), assertion);
    let short =
        OAuthConfig::new("c").issuer("https://h").client_secret(Secret::from("short".to_owned()));
    let error = OAuthClient::new(short.auth_method(AuthMethod::SecretJwt)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WeakKey);
    for method in [
        AuthMethod::SecretBasic,
        AuthMethod::SecretPost,
        AuthMethod::PrivateKeyJwt,
        AuthMethod::SignedSecret,
    ] {
        let error = OAuthClient::new(OAuthConfig::new("c").issuer("https://h").auth_method(method))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{method:?}");
    }
}

/// The member that is wrong is named.
#[test]
fn the_member_is_named() {
    for (name, value) in [
        ("access_token", json!("")),
        ("access_token", json!(7)),
        ("token_type", json!("mac")),
        ("token_type", json!(null)),
        ("expires_in", json!("3600")),
        ("expires_in", json!(-1)),
        ("scope", json!(["a"])),
        ("scope", json!("\u{e9}")),
        ("refresh_token", json!("a\u{7f}b")),
        ("id_token", json!({})),
        ("issued_token_type", json!(7)),
    ] {
        let mut answer = json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 60 });
        answer[name] = value.clone();
        let error = refused(200, answer);
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::OauthMalformedResponse, Some(name)),
            "{value}"
        );
    }
}

/// Row 334: whom an assertion is for: the issuer, or its token endpoint where the client says so; one text, and the same
/// one at every endpoint.
#[test]
fn audiences_of_assertions() {
    let authority = Authority::start();
    let issuer = &authority.server.url;
    let key = gatekey::Key::generate(gatekey::Alg::Es256).unwrap();
    let audience = |config: OAuthConfig, path: &str| {
        let client = OAuthClient::new(config).unwrap();
        let token = Secret::from("t".to_owned());
        let before = authority.server.count(path);
        match path {
            "/token" => {
                client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
            }
            "/introspect" => drop(client.introspect(&token).run(&http()).unwrap()),
            _ => client.revoke(&token, true).run(&http()).unwrap(),
        }
        let assertion =
            authority.server.seen(path).remove(before).form("client_assertion").unwrap();
        let claims = gatekey::jwt::danger_decode_unverified(&assertion).unwrap();
        let claims: serde_json::Value = serde_json::from_str(claims.claims_json()).unwrap();
        claims["aud"].clone()
    };
    for path in ["/token", "/introspect", "/revoke"] {
        for method in [AuthMethod::SecretJwt, AuthMethod::PrivateKeyJwt] {
            let config = || authority.config().auth_method(method).private_key(&key);
            let endpoint = json!(format!("{issuer}/token"));
            assert_eq!(audience(config(), path), json!(issuer));
            let named = config().assertion_audience(AssertionAudience::Issuer);
            assert_eq!(audience(named, path), json!(issuer));
            let named = config().assertion_audience(AssertionAudience::TokenEndpoint);
            assert_eq!(audience(named, path), endpoint, "{path}");
        }
    }
    let text = |audience: &str| {
        let text = json!({
            "client_id": "c", "issuer": issuer, "client_secret": "a secret of thirty-two bytes, or more",
            "token_endpoint_auth_method": "client_secret_jwt", "allow_loopback_http": true,
            "assertion_audience": audience,
        });
        OAuthConfig::from_json(text.to_string().as_bytes())
    };
    let endpoint = json!(format!("{issuer}/token"));
    assert_eq!(audience(text("token_endpoint").unwrap(), "/token"), endpoint);
    for wrong in ["", "endpoint", "https://h/token"] {
        let error = text(wrong).map(|_| ()).unwrap_err();
        assert_eq!(error.claim(), Some("assertion_audience"), "{wrong}");
    }
}

/// Entra ID knows a client's certificate by `x5t` in the header of its assertion.
#[test]
fn assertions_have_the_header_members_that_they_are_told() {
    let authority = Authority::start();
    let key = gatekey::Key::generate(gatekey::Alg::Ps256).unwrap();
    let hash = "BwcHBwcHBwcHBwcHBwcHBwcHBwc";
    let header = |config: OAuthConfig| {
        let client = OAuthClient::new(config).unwrap();
        client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
        let assertion = authority.server.seen("/token").pop().unwrap();
        let assertion = assertion.form("client_assertion").unwrap();
        let seen = gatekey::jwt::danger_decode_unverified(&assertion).unwrap();
        serde_json::from_str::<serde_json::Value>(seen.header_json()).unwrap()
    };
    let config = || authority.config().auth_method(AuthMethod::PrivateKeyJwt).private_key(&key);
    let seen = header(config().assertion_header("x5t", format!("\"{hash}\"")));
    assert_eq!(
        (&seen["x5t"], &seen["alg"], &seen["kid"]),
        (&json!(hash), &json!("PS256"), &json!(key.kid()))
    );
    let more = json!({"assertion_headers": {"x5t": hash, "cty": "JWT", "v": [1]}}).to_string();
    let seen = header(config().json(more.as_bytes()).unwrap());
    assert_eq!(
        (&seen["x5t"], &seen["cty"], &seen["v"]),
        (&json!(hash), &json!("JWT"), &json!([1]))
    );
    for (name, json) in
        [("alg", "\"none\""), ("x5u", "\"https://a.example\""), ("x5t", "\"AB:CD\"")]
    {
        let error = OAuthClient::new(config().assertion_header(name, json)).unwrap_err();
        assert_eq!((error.kind(), error.claim()), (ErrorKind::InvalidConfiguration, Some(name)));
    }
    let nothing_to_sign = authority.config().assertion_header("v", "1");
    let error = OAuthClient::new(nothing_to_sign).unwrap_err();
    assert_eq!(error.claim(), Some("assertion_headers"));
}
