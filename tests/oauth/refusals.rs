//! What a server's "no" stands for: a kind that leads to the right thing to do.

use crate::authority::{Authority, CALLBACK, SECRET, cookies, http};
use crate::evil::{Reply, parameter};
use gatekey::oauth::{LoginOptions, OAuthConfig, OAuthTokens, TokenGrant};
use gatekey::transport::{HttpResponse, Operation, Step};
use gatekey::{Error, ErrorKind, OAuthClient, Secret};
use serde_json::{Value, json};

/// What an operation ends with if its last request gets this answer.
fn answered<T: std::fmt::Debug>(
    mut operation: Operation<T>,
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> Error {
    let Step::Request(_) = operation.next().unwrap() else { panic!("a request") };
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    operation.feed(HttpResponse { status, headers, body: Secret::from(body.to_owned()) });
    operation.next().expect_err(body)
}

/// A client of a preset without metadata to ask for.
fn preset(name: &str) -> OAuthClient {
    let text = json!({
        "preset": name, "client_id": "c", "client_secret": SECRET, "redirect_uri": CALLBACK,
        "token_endpoint_auth_method": "client_secret_post",
    });
    OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap()
}

fn tokens(issuer: &str) -> OAuthTokens {
    let text = json!({ "issuer": issuer, "access_token": "a", "refresh_token": "r", "scopes": [] });
    OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap()
}

#[test]
fn user_info() {
    let ask = |status, headers: &[(&str, &str)], body: &str| {
        answered(preset("github").userinfo(&tokens("x")), status, headers, body)
    };
    let kind = |status, headers: &[(&str, &str)], body: &str| ask(status, headers, body).kind();
    // Only these mean that the token has ended.
    assert_eq!(kind(401, &[], ""), ErrorKind::OauthInvalidGrant);
    assert_eq!(kind(401, &[], r#"{"message":"Bad credentials"}"#), ErrorKind::OauthInvalidGrant);
    for status in [400, 403] {
        let said = r#"{"error":"invalid_token"}"#;
        assert_eq!(kind(status, &[], said), ErrorKind::OauthInvalidGrant, "{status}");
    }
    // A limit is over some time.
    let limits: [&[(&str, &str)]; 3] = [
        &[("X-RateLimit-Remaining", "0")],
        &[("retry-after", "60")],
        &[("x-ratelimit-remaining", "12"), ("retry-after", "60")],
    ];
    for limit in limits {
        let error = ask(403, limit, r#"{"message":"API rate limit exceeded"}"#);
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::OauthServerFailed, true));
        let told = limit.iter().any(|(name, _)| *name == "retry-after");
        assert_eq!(error.retry_after(), told.then_some(60_000));
    }
    assert_eq!(kind(429, &[], ""), ErrorKind::OauthServerFailed);
    // Another token has no other scope.
    for body in [
        r#"{"error":"insufficient_scope"}"#,
        r#"{"message":"Resource not accessible by integration"}"#,
        r#"{"error":{"code":403,"message":"denied","status":"PERMISSION_DENIED"}}"#,
        "<html>",
        "",
    ] {
        let error = ask(403, &[("x-ratelimit-remaining", "4999")], body);
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (ErrorKind::OauthRefused, false),
            "{body}"
        );
        assert!(error.message().contains("scope"), "{body}: {error}");
    }
    assert_eq!(
        ask(403, &[], r#"{"error":"insufficient_scope"}"#).peer_code(),
        Some("insufficient_scope")
    );
    let slack = |code: &str| {
        let body = json!({ "ok": false, "error": code }).to_string();
        answered(preset("slack").userinfo(&tokens("https://slack.com")), 200, &[], &body).kind()
    };
    assert_eq!(slack("token_revoked"), ErrorKind::OauthInvalidGrant);
    assert_eq!(slack("ratelimited"), ErrorKind::OauthServerFailed);
    assert_eq!(slack("missing_scope"), ErrorKind::OauthRefused);
}

#[test]
fn facebook() {
    let ask = |status, error: Value| {
        let client = preset("facebook");
        let begun = client.begin(&LoginOptions::new(), "").unwrap();
        let begun = done(begun);
        let callback = format!("code=c&state={}", parameter(&begun.url, "state").unwrap());
        let operation = client.finish(&callback, &cookies(&begun)).unwrap();
        answered(operation, status, &[], &json!({ "error": error }).to_string())
    };
    let said = |code: u32| json!({ "type": "OAuthException", "code": code, "message": "m" });
    for (code, kind) in [
        (1, ErrorKind::OauthInvalidClient),
        (2, ErrorKind::OauthServerFailed),
        (4, ErrorKind::OauthServerFailed),
        (17, ErrorKind::OauthServerFailed),
        (100, ErrorKind::OauthInvalidGrant),
        (101, ErrorKind::OauthInvalidClient),
        (190, ErrorKind::OauthInvalidGrant),
        (10, ErrorKind::OauthRefused),
        (200, ErrorKind::OauthRefused),
    ] {
        let error = ask(400, said(code));
        assert_eq!((error.kind(), error.peer_code()), (kind, Some("OAuthException")), "{code}");
    }
    for code in [1, 2, 100, 190, 999] {
        let mut passing = said(code);
        passing["is_transient"] = json!(true);
        let error = ask(400, passing);
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::OauthServerFailed, true));
    }
    assert_eq!(ask(500, said(2)).kind(), ErrorKind::OauthServerFailed);
}

fn done<T>(mut operation: Operation<T>) -> T {
    match operation.next().unwrap() {
        Step::Done(done) => done,
        _ => panic!("it asks"),
    }
}

/// A server that is down for a moment, and one that says no with the wrong status.
#[test]
fn slack_and_statuses() {
    let begin = || {
        let client = preset("slack");
        let begun = done(client.begin(&LoginOptions::new(), "").unwrap());
        let callback = format!("code=c&state={}", parameter(&begun.url, "state").unwrap());
        client.finish(&callback, &cookies(&begun)).unwrap()
    };
    for code in
        ["internal_error", "fatal_error", "service_unavailable", "ratelimited", "request_timeout"]
    {
        let body = json!({ "ok": false, "error": code }).to_string();
        let error = answered(begin(), 200, &[("retry-after", "3")], &body);
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::OauthServerFailed, Some(3000)));
        assert_eq!(error.peer_code(), Some(code));
    }
    let machine = |status: u16, body: &str| {
        let text = json!({ "client_id": "c", "token_endpoint": "https://h/token" });
        let config = OAuthConfig::from_json(text.to_string().as_bytes()).unwrap();
        let client = OAuthClient::new(config).unwrap();
        answered(client.refresh(&tokens("https://h/token")).unwrap(), status, &[], body)
    };
    for (code, kind) in [
        ("invalid_grant", ErrorKind::OauthInvalidGrant),
        ("invalid_client", ErrorKind::OauthInvalidClient),
        ("unauthorized_client", ErrorKind::OauthInvalidClient),
        ("invalid_scope", ErrorKind::OauthRefused),
        ("invalid_request", ErrorKind::OauthRefused),
        ("unsupported_grant_type", ErrorKind::OauthRefused),
        // Nothing that is final.
        ("server_error", ErrorKind::OauthServerFailed),
        ("temporarily_unavailable", ErrorKind::OauthServerFailed),
        ("slow", ErrorKind::OauthServerFailed),
    ] {
        let body = json!({ "error": code }).to_string();
        let error = machine(500, &body);
        assert_eq!((error.kind(), error.peer_code()), (kind, Some(code)));
        assert_eq!(error.is_retryable(), kind == ErrorKind::OauthServerFailed, "{code}");
        // These statuses speak of a moment, whatever the body says.
        for status in [429, 502, 503, 504] {
            let error = machine(status, &body);
            assert_eq!(
                (error.kind(), error.peer_code()),
                (ErrorKind::OauthServerFailed, Some(code))
            );
        }
    }
    // Nothing but a status: Glewlwyd's.
    for blank in ["", " \r\n"] {
        assert_eq!(machine(400, blank).kind(), ErrorKind::OauthInvalidGrant);
        assert_eq!(machine(401, blank).kind(), ErrorKind::OauthInvalidClient);
        assert_eq!(machine(403, blank).kind(), ErrorKind::OauthInvalidClient);
        assert_eq!(machine(404, blank).kind(), ErrorKind::OauthMalformedResponse);
    }
    for status in [400, 403] {
        for page in ["<html>no", "{}", "null"] {
            let kind = machine(status, page).kind();
            assert_eq!(kind, ErrorKind::OauthMalformedResponse, "{status} {page}");
        }
    }
    // There is no grant that could have ended.
    let text = json!({ "client_id": "c", "token_endpoint": "https://h/token" });
    let client =
        OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap();
    let error = answered(client.client_credentials(&TokenGrant::new()).unwrap(), 400, &[], "");
    assert_eq!(error.kind(), ErrorKind::OauthMalformedResponse);
}

/// The user has pressed "Cancel", in the words of each provider.
#[test]
fn cancelled() {
    for (name, code, kind) in [
        ("apple", "user_cancelled_authorize", ErrorKind::OauthAccessDenied),
        ("linkedin", "user_cancelled_login", ErrorKind::OauthAccessDenied),
        ("linkedin", "user_cancelled_authorize", ErrorKind::OauthAccessDenied),
        ("facebook", "access_denied", ErrorKind::OauthAccessDenied),
        ("microsoft", "access_denied", ErrorKind::OauthAccessDenied),
        ("github", "access_denied", ErrorKind::OauthAccessDenied),
        // One provider's word is no other's.
        ("github", "user_cancelled_login", ErrorKind::OauthRefused),
        ("apple", "user_cancelled_login", ErrorKind::OauthRefused),
    ] {
        let client = if name == "apple" {
            let config = OAuthConfig::new("c").preset(name).unwrap().variable("team_id", "T");
            let key = gatekey::Key::generate(gatekey::Alg::Es256).unwrap();
            OAuthClient::new(config.private_key(&key).redirect_uri(CALLBACK)).unwrap()
        } else {
            preset(name)
        };
        let begun = done(client.begin(&LoginOptions::new(), "").unwrap());
        let state = parameter(&begun.url, "state").unwrap();
        let error = client.finish(&format!("error={code}&state={state}"), &cookies(&begun));
        assert_eq!(error.unwrap_err().kind(), kind, "{name} {code}");
    }
}

/// What is final ends the waiting, whatever its status.
#[test]
fn a_device_is_denied() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let asked = AtomicU32::new(0);
    let authority = Authority::with(move |request, _| match &*request.path {
        "/device" => Some(Reply::json(
            200,
            json!({ "device_code": "d", "user_code": "U", "expires_in": 60, "interval": 1,
                    "verification_uri": "https://v.example" }),
        )),
        "/token" if asked.fetch_add(1, Ordering::SeqCst) == 0 => {
            Some(Reply::json(500, json!({ "error": "access_denied" })))
        }
        _ => None,
    });
    let client = authority.client();
    let codes = client.device_codes(&TokenGrant::new()).unwrap().run(&http()).unwrap();
    let error = client.poll(&codes).run(&http()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OauthAccessDenied);
    assert_eq!(authority.server.count("/token"), 1);
}
