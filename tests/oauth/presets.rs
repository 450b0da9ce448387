//! The presets, held against what their providers are documented to do: recorded forms of metadata and answers.

use crate::authority::{Authority, SECRET, cookies, http};
use crate::evil::{Evil, Reply, parameter};
use crate::presets_documented::{documented, documented_metadata, documented_page};
use gatekey::oauth::{LoginOptions, OAuthConfig, TokenGrant, oauth_presets};
use gatekey::transport::{HttpResponse, Operation, Step};
use gatekey::{Alg, ErrorKind, Key, OAuthClient, Secret};
use serde_json::{Value, json};

/// Every preset as a client, with whatever variables it needs.
pub(crate) fn preset(name: &str) -> OAuthConfig {
    let config =
        OAuthConfig::new("id").preset(name).unwrap().client_secret(Secret::from(SECRET.to_owned()));
    let config = config.redirect_uri("https://app.example/cb");
    match name {
        "apple" => {
            config.variable("team_id", "TEAM").private_key(&Key::generate(Alg::Es256).unwrap())
        }
        "auth0" => config.variable("domain", "acme.eu.auth0.com"),
        "keycloak" => config.variable("base_url", "https://sso.example").variable("realm", "acme"),
        "okta" => config.variable("issuer_host", "acme.okta.com/oauth2/default"),
        _ => documented(name, config),
    }
}

/// What an operation ends with if these are the answers, and the requests that it made.
pub(crate) fn answered<T>(
    mut operation: Operation<T>,
    answers: &[(u16, &str, String)],
) -> (gatekey::Result<T>, Vec<String>) {
    let (mut answers, mut asked) = (answers.iter(), Vec::new());
    loop {
        match operation.next() {
            Ok(Step::Done(done)) => return (Ok(done), asked),
            Err(error) => return (Err(error), asked),
            Ok(Step::Request(request)) => {
                let body = request.body.as_ref().map(|body| format!(" {}", body.expose_str()));
                asked.push(format!("{}{}", request.url, body.unwrap_or_default()));
                let (status, kind, body) =
                    answers.next().unwrap_or_else(|| panic!("no answer to {asked:?}"));
                let headers = vec![("Content-Type".to_owned(), (*kind).to_owned())];
                operation.feed(HttpResponse {
                    status: *status,
                    headers,
                    body: Secret::from(body.clone()),
                });
            }
            Ok(_) => panic!("it wants to wait"),
        }
    }
}

pub(crate) fn begin(name: &str) -> (OAuthClient, String, String) {
    let client = OAuthClient::new(preset(name)).unwrap();
    let operation = client.begin(&LoginOptions::new(), "").unwrap();
    let (begun, _) = answered(operation, &[(200, "application/json", metadata(name))]);
    let begun = begun.unwrap();
    (client, cookies(&begun), begun.url)
}

/// The metadata of those that have some, as their providers serve them, in what matters.
fn metadata(name: &str) -> String {
    let of = |issuer: &str, base: &str, more: Value| {
        let mut metadata = json!({
            "issuer": issuer, "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"), "jwks_uri": format!("{base}/keys"),
        });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        metadata.to_string()
    };
    match name {
        "google" => json!({
            "issuer": "https://accounts.google.com",
            "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
            "token_endpoint": "https://oauth2.googleapis.com/token",
            "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["plain", "S256"],
        })
        .to_string(),
        "auth0" => of("https://acme.eu.auth0.com/", "https://acme.eu.auth0.com", json!({})),
        "gitlab" => of("https://gitlab.com", "https://gitlab.com/oauth", json!({})),
        "okta" => of(
            "https://acme.okta.com/oauth2/default",
            "https://acme.okta.com/oauth2/default/v1",
            json!({}),
        ),
        "keycloak" => of(
            "https://sso.example/realms/acme",
            "https://sso.example/realms/acme/protocol/openid-connect",
            json!({ "authorization_response_iss_parameter_supported": true }),
        ),
        _ => documented_metadata(name, of),
    }
}

#[test]
fn each_begins_a_log_in() {
    assert_eq!(oauth_presets().len(), 25);
    for name in oauth_presets() {
        if name == "slack_apps" {
            continue;
        }
        let (_, cookie, url) = begin(name);
        let place = url.split('?').next().unwrap();
        let has = |parameter_name: &str| parameter(&url, parameter_name);
        let expected = match name {
            "apple" => "https://appleid.apple.com/auth/authorize",
            "auth0" => "https://acme.eu.auth0.com/authorize",
            "discord" => "https://discord.com/oauth2/authorize",
            "facebook" => "https://www.facebook.com/v25.0/dialog/oauth",
            "github" => "https://github.com/login/oauth/authorize",
            "gitlab" => "https://gitlab.com/oauth/authorize",
            "google" => "https://accounts.google.com/o/oauth2/v2/auth",
            "keycloak" => "https://sso.example/realms/acme/protocol/openid-connect/authorize",
            "linkedin" => "https://www.linkedin.com/oauth/v2/authorization",
            "microsoft" => "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
            "okta" => "https://acme.okta.com/oauth2/default/v1/authorize",
            "slack" => "https://slack.com/openid/connect/authorize",
            _ => documented_page(name),
        };
        assert_eq!(place, expected, "{name}");
        assert!(
            has("state").unwrap().len() >= 43 && cookie.starts_with("__Host-gk_flow_"),
            "{name}"
        );
        // PKCE for all but the one that refuses it; a nonce for all that give ID tokens, but for the same one.
        assert_eq!(has("code_challenge_method").is_some(), name != "linkedin", "{name}");
        let openid = has("scope").unwrap().contains("openid");
        let plain = ["discord", "facebook", "github", "bitbucket", "patreon", "spotify", "x"];
        let is_plain = plain.contains(&name) || name.starts_with("github_");
        assert_eq!(openid, !is_plain, "{name}");
        assert_eq!(has("nonce").is_some(), openid && name != "linkedin", "{name}");
        assert_eq!(has("response_mode").as_deref(), (name == "apple").then_some("form_post"));
        assert_eq!(has("access_type").as_deref(), (name == "google").then_some("offline"));
        assert_eq!(
            has("scope").unwrap().contains(','),
            name == "facebook" || name.starts_with("github"),
            "{name}"
        );
    }
}

/// A form that another site posts must bring the cookie along.
#[test]
fn apple_posts() {
    let client = OAuthClient::new(preset("apple")).unwrap();
    let (begun, _) = answered(client.begin(&LoginOptions::new(), "").unwrap(), &[]);
    let begun = begun.unwrap();
    assert!(
        begun.set_cookies[0].contains("SameSite=None") && begun.set_cookies[0].contains("Secure")
    );
    let state = parameter(&begun.url, "state").unwrap();
    let form =
        format!("state={state}&code=c&user=%7B%22name%22%3A%7B%22firstName%22%3A%22A%22%7D%7D");
    let finished = client.finish(&form, &cookies(&begun)).unwrap();
    let (result, asked) =
        answered(finished, &[(400, "application/json", r#"{"error":"invalid_grant"}"#.to_owned())]);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::OauthInvalidGrant);
    assert!(
        asked[0].starts_with("https://appleid.apple.com/auth/token ")
            && asked[0].contains("client_secret=ey"),
        "{asked:?}"
    );
}

/// GitHub: errors with status 200, answers as forms, ids that are numbers, addresses elsewhere.
#[test]
fn github() {
    let (client, cookie, url) = begin("github");
    let callback = format!("code=c&state={}", parameter(&url, "state").unwrap());
    let finish = |kind: &'static str, body: &str| {
        answered(client.finish(&callback, &cookie).unwrap(), &[(200, kind, body.to_owned())]).0
    };
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    let tokens =
        finish(form, "access_token=gho_x&scope=read%3Auser%2Cuser%3Aemail&token_type=bearer")
            .unwrap()
            .tokens;
    assert_eq!((tokens.access_token.expose_str(), tokens.scopes.len()), ("gho_x", 2));
    let json = "application/json; charset=utf-8";
    let tokens = finish(
        json,
        r#"{"access_token":"gho_x","scope":"read:user,user:email","token_type":"bearer"}"#,
    )
    .unwrap()
    .tokens;
    assert_eq!(tokens.scopes, ["read:user", "user:email"]);
    let tokens = finish(
        form,
        "access_token=ghu_x&expires_in=28800&refresh_token=ghr_y&scope=&token_type=bearer",
    )
    .unwrap()
    .tokens;
    assert!(tokens.expires_at.is_some() && tokens.refresh_token.is_some());
    for (kind, body) in [
        (
            json,
            r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}"#,
        ),
        (
            form,
            "error=bad_verification_code&error_description=The+code+passed+is+incorrect+or+expired.",
        ),
    ] {
        let error = finish(kind, body).unwrap_err();
        assert_eq!(
            (error.kind(), error.peer_code()),
            (ErrorKind::OauthInvalidGrant, Some("bad_verification_code"))
        );
    }
    let error = finish(json, r#"{"error":"incorrect_client_credentials"}"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OauthInvalidClient);
    assert!(finish(form, "access_token=a&access_token=b&token_type=bearer").is_err());
    assert!(finish("text/html", "access_token=a&token_type=bearer").is_err());
    let emails = r#"[{"email":"x@y","primary":false,"verified":true},{"email":"a@b","primary":true,"verified":true}]"#;
    let answers = |emails: &str| {
        [
            (200, json, r#"{"id":583231,"login":"octocat","email":"public@x"}"#.to_owned()),
            (200, json, emails.to_owned()),
        ]
    };
    let (info, asked) = answered(client.userinfo(&tokens), &answers(emails));
    let info = info.unwrap();
    assert_eq!((&*info.subject, info.verified_email.as_deref()), ("583231", Some("a@b")));
    assert_eq!(asked, ["https://api.github.com/user", "https://api.github.com/user/emails"]);
    let unproven =
        emails.replace(r#""primary":true,"verified":true"#, r#""primary":true,"verified":false"#);
    assert_eq!(
        answered(client.userinfo(&tokens), &answers(&unproven)).0.unwrap().verified_email,
        None
    );
}

/// Facebook: errors that are objects, tokens without a type, user info with a proof.
#[test]
fn facebook() {
    let (client, cookie, url) = begin("facebook");
    let callback = format!("code=c&state={}", parameter(&url, "state").unwrap());
    let finish = |status, body: &str| {
        answered(
            client.finish(&callback, &cookie).unwrap(),
            &[(status, "application/json", body.to_owned())],
        )
        .0
    };
    let wrong = r#"{"error":{"message":"This authorization code has been used.","type":"OAuthException","code":100,"fbtrace_id":"x"}}"#;
    let error = finish(400, wrong).unwrap_err();
    assert_eq!(
        (error.kind(), error.peer_code()),
        (ErrorKind::OauthInvalidGrant, Some("OAuthException"))
    );
    assert_eq!(error.peer_message(), Some("This authorization code has been used."));
    let tokens = finish(200, r#"{"access_token":"EAAx","expires_in":5183944}"#).unwrap().tokens;
    let (info, asked) = answered(
        client.userinfo(&tokens),
        &[(200, "application/json", r#"{"id":"1","name":"A","email":"a@b"}"#.to_owned())],
    );
    let info = info.unwrap();
    assert_eq!((&*info.subject, info.verified_email), ("1", None), "nobody has proven it");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let proof: String = aws_lc_rs::hmac::sign(&key, b"EAAx")
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(asked[0].ends_with(&format!("&appsecret_proof={proof}")), "{asked:?}");
}

/// Slack: failures with status 200; for its apps the token is nested.
#[test]
fn slack() {
    let (client, cookie, url) = begin("slack");
    let callback = format!("code=c&state={}", parameter(&url, "state").unwrap());
    for (code, kind) in [
        ("invalid_code", ErrorKind::OauthInvalidGrant),
        ("bad_client_secret", ErrorKind::OauthInvalidClient),
        ("ratelimited", ErrorKind::OauthServerFailed),
    ] {
        let body = json!({ "ok": false, "error": code }).to_string();
        let (result, _) = answered(
            client.finish(&callback, &cookie).unwrap(),
            &[(200, "application/json", body)],
        );
        assert_eq!(result.unwrap_err().kind(), kind, "{code}");
    }
    let apps = OAuthClient::new(preset("slack_apps").scopes(&["chat:write"])).unwrap();
    let begun = answered(apps.begin(&LoginOptions::new(), "").unwrap(), &[]).0.unwrap();
    let callback = format!("code=c&state={}", parameter(&begun.url, "state").unwrap());
    let body = json!({ "ok": true, "app_id": "A", "authed_user": { "id": "U", "scope": "chat:write", "access_token": "xoxp-1", "token_type": "user" } });
    let (login, _) = answered(
        apps.finish(&callback, &cookies(&begun)).unwrap(),
        &[(200, "application/json", body.to_string())],
    );
    assert_eq!(login.unwrap().tokens.access_token.expose_str(), "xoxp-1");
}

/// Microsoft: an issuer for each tenant, which must be an allowed one, and of the key's own token.
#[test]
fn microsoft() {
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let at = |server: &Authority| {
        let base = server.server.url.clone();
        let endpoints = json!({
            "preset": "microsoft", "client_id": "client", "client_secret": SECRET, "allow_loopback_http": true,
            "redirect_uri": "https://app.example/callback", "scopes": ["openid"], "id_token_algorithms": ["ES256"],
            "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
            "jwks_uri": format!("{base}/jwks"),
        });
        OAuthConfig::from_json(endpoints.to_string().as_bytes()).unwrap()
    };
    let issued = |iss: String, tid: Value| {
        Authority::claiming(move |claims| {
            claims["iss"] = json!(iss);
            claims["tid"] = tid.clone();
        })
    };
    let own = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let good = issued(own.clone(), json!(TENANT));
    good.sign_in_with(&OAuthClient::new(at(&good)).unwrap()).unwrap();
    good.sign_in_with(&OAuthClient::new(at(&good).allowed_tenant(TENANT)).unwrap()).unwrap();
    let other = "11111111-1111-1111-1111-111111111111";
    for (server, config) in [
        (&good, at(&good).allowed_tenant(other)),
        (&good, at(&good).variable("tenant", other)),
        (&good, at(&good).variable("tenant", "consumers")),
    ] {
        let error = server.sign_in_with(&OAuthClient::new(config).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidIssuer);
    }
    for (iss, tid) in [
        (own.clone(), json!(other)),
        (format!("{own}/"), json!(TENANT)),
        ("https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(), json!("{tenantid}")),
        ("https://login.microsoftonline.com/common/v2.0".to_owned(), json!("common")),
        (format!("https://sts.windows.net/{TENANT}/"), json!(TENANT)),
        (own, Value::Null),
    ] {
        let server = issued(iss, tid);
        let error = server.sign_in_with(&OAuthClient::new(at(&server)).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidIssuer);
    }
    let by_name = OAuthClient::new(preset("microsoft").variable("tenant", "contoso.example"));
    assert_eq!(by_name.unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    assert!(
        OAuthClient::new(
            preset("microsoft").variable("tenant", "contoso.example").allowed_tenant(TENANT)
        )
        .is_ok()
    );
}

/// Google says its name in two ways; LinkedIn has no nonce; Entra wants the scopes again.
#[test]
fn google_linkedin_and_scopes() {
    let aliased = Authority::claiming(|claims| claims["iss"] = json!("accounts.google.com"));
    let config = |server: &Authority, quirks: Value| {
        let text = json!({
            "issuer": server.server.url, "client_id": "client", "client_secret": SECRET, "allow_loopback_http": true,
            "redirect_uri": "https://app.example/callback", "scopes": ["openid", "email"], "quirks": quirks,
        });
        OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap()
    };
    aliased
        .sign_in_with(&config(&aliased, json!({ "issuer_aliases": ["accounts.google.com"] })))
        .unwrap();
    assert_eq!(aliased.sign_in().unwrap_err().kind(), ErrorKind::InvalidIssuer);

    let silent =
        Authority::claiming(|claims| drop(claims.as_object_mut().unwrap().remove("nonce")));
    silent.sign_in_with(&config(&silent, json!({ "no_nonce": true, "no_pkce": true }))).unwrap();
    assert!(silent.server.seen("/token")[0].form("code_verifier").is_none());

    let strict = Authority::start();
    let client = config(&strict, json!({ "scope_on_refresh": true }));
    let tokens = strict.sign_in_with(&client).unwrap().tokens;
    client.refresh(&tokens).unwrap().run(&http()).unwrap();
    let seen = strict.server.seen("/token");
    assert_eq!(seen[1].form("scope").as_deref(), Some("openid email"));

    let lenient = Evil::start(|_| {
        Reply::json(
            200,
            json!({ "access_token": "a", "token_type": "Bearer", "expires_in": "3600", "scope": ["x", "y"] }),
        )
    });
    let text = json!({
        "token_endpoint": format!("{}/token", lenient.url), "client_id": "c", "allow_loopback_http": true,
        "quirks": { "expires_in_text": true, "scope_list": true },
    });
    let client =
        OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap();
    let tokens = client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
    assert!(tokens.expires_at.is_some() && tokens.scopes == ["x", "y"]);
}

/// A configuration says what is wrong with it.
#[test]
fn configurations() {
    let error = |text: Value| {
        OAuthConfig::from_json(text.to_string().as_bytes())
            .and_then(OAuthClient::new)
            .map(|_| ())
            .unwrap_err()
    };
    for (text, about) in [
        (json!({ "client_id": "c", "isuer": "https://h" }), Some("isuer")),
        (json!({ "client_id": 7, "issuer": "https://h" }), Some("client_id")),
        (json!({ "client_id": "c", "issuer": "https://h", "scopes": "openid" }), Some("scopes")),
        (
            json!({ "client_id": "c", "issuer": "https://h", "quirks": { "no_state": true } }),
            Some("quirks.no_state"),
        ),
        (json!({ "client_id": "c", "token_endpoint": "http://h/token" }), Some("token_endpoint")),
        (json!({ "client_id": "c", "preset": "keycloak" }), Some("variables.base_url")),
        (json!({ "client_id": "c", "preset": "myspace" }), Some("preset")),
        (json!({ "client_id": "c" }), None),
        (
            json!({ "client_id": "c", "issuer": "https://h", "token_endpoint_auth_method": "password" }),
            Some("token_endpoint_auth_method"),
        ),
        (json!([]), None),
    ] {
        let error = error(text.clone());
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::InvalidConfiguration, about),
            "{text}"
        );
    }
    for wrong in [
        json!({ "client_id": "", "issuer": "https://h" }),
        json!({ "client_id": "c", "issuer": "https://h", "leeway": 601 }),
        json!({ "client_id": "c", "preset": "gitlab", "variables": { "base_url": "https://h/{x}" } }),
    ] {
        assert!(error(wrong.clone()).is_misuse(), "{wrong}");
    }
}
