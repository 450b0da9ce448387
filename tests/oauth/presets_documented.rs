//! The presets that come from documentation: what each is said to do otherwise, held against answers as its pages show
//! them. Nobody has driven these providers from here.

use crate::authority::{Authority, cookies};
use crate::evil::parameter;
use crate::presets::{answered, begin, preset};
use gatekey::oauth::{LoginOptions, OAuthConfig, OAuthTokens};
use gatekey::{ErrorKind, OAuthClient};
use serde_json::{Value, json};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const JSON: &str = "application/json";

/// Those of them that need variables.
pub(crate) fn documented(name: &str, config: OAuthConfig) -> OAuthConfig {
    match name {
        "cognito" => config.variable("region", "eu-west-1").variable("pool", "eu-west-1_AbC"),
        "github_enterprise" => config.variable("base_url", "https://github.acme.example"),
        "github_enterprise_cloud" => config.variable("subdomain", "acme"),
        "microsoft_b2c" => {
            let config = config.variable("name", "acme").variable("tenant_id", TENANT);
            config.variable("policy", "B2C_1_signin")
        }
        "microsoft_ciam" => config.variable("name", "acme").variable("tenant_id", TENANT),
        _ => config,
    }
}

/// The metadata of those that have some.
pub(crate) fn documented_metadata(name: &str, of: impl Fn(&str, &str, Value) -> String) -> String {
    match name {
        "cognito" => of(
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC",
            "https://acme.auth.eu-west-1.amazoncognito.com/oauth2",
            json!({ "end_session_endpoint": "https://acme.auth.eu-west-1.amazoncognito.com/logout" }),
        ),
        "microsoft_b2c" => of(
            &format!("https://acme.b2clogin.com/{TENANT}/v2.0/"),
            "https://acme.b2clogin.com/acme.onmicrosoft.com/b2c_1_signin/oauth2/v2.0",
            json!({}),
        ),
        "microsoft_ciam" => of(
            &format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"),
            &format!("https://acme.ciamlogin.com/{TENANT}/oauth2/v2.0"),
            json!({}),
        ),
        "twitch" => of("https://id.twitch.tv/oauth2", "https://id.twitch.tv/oauth2", json!({})),
        _ => "{}".to_owned(),
    }
}

/// The page that a log-in begins at.
pub(crate) fn documented_page(name: &str) -> &'static str {
    match name {
        "bitbucket" => "https://bitbucket.org/site/oauth2/authorize",
        "cognito" => "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/authorize",
        "github_enterprise" => "https://github.acme.example/login/oauth/authorize",
        "github_enterprise_cloud" => "https://acme.ghe.com/login/oauth/authorize",
        "microsoft_b2c" => {
            "https://acme.b2clogin.com/acme.onmicrosoft.com/b2c_1_signin/oauth2/v2.0/authorize"
        }
        "microsoft_china" => {
            "https://login.partner.microsoftonline.cn/organizations/oauth2/v2.0/authorize"
        }
        "microsoft_ciam" => {
            "https://acme.ciamlogin.com/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/authorize"
        }
        "microsoft_us" => "https://login.microsoftonline.us/organizations/oauth2/v2.0/authorize",
        "patreon" => "https://www.patreon.com/oauth2/authorize",
        "spotify" => "https://accounts.spotify.com/authorize",
        "twitch" => "https://id.twitch.tv/oauth2/authorize",
        "x" => "https://x.com/i/oauth2/authorize",
        _ => "",
    }
}

/// The tokens of a log-in that the server ends with this answer, and what was sent for them.
fn finish(name: &str, status: u16, answer: &Value) -> (gatekey::Result<OAuthTokens>, String) {
    let (client, cookie, url) = begin(name);
    let callback = format!("code=c&state={}", parameter(&url, "state").unwrap());
    let operation = client.finish(&callback, &cookie).unwrap();
    let (login, asked) = answered(operation, &[(status, JSON, answer.to_string())]);
    (login.map(|login| login.tokens), asked.join(" "))
}

fn tokens(name: &str, more: &Value) -> OAuthTokens {
    let mut answer = json!({ "access_token": "a", "token_type": "bearer", "expires_in": 7200 });
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    finish(name, 200, &answer).0.unwrap()
}

/// Tokens of an earlier log-in.
fn kept() -> OAuthTokens {
    let text = br#"{"issuer":"https://h","access_token":"a","scopes":[]}"#;
    OAuthTokens::from_secret_json(text).unwrap()
}

/// Subject and proven address, and where they were asked for.
fn user(name: &str, answers: &[Value]) -> (String, Option<String>, Vec<String>) {
    let (client, _, _) = begin(name);
    let answers: Vec<_> = answers.iter().map(|answer| (200, JSON, answer.to_string())).collect();
    let (info, asked) = answered(client.userinfo(&kept()), &answers);
    let info = info.unwrap();
    (info.subject, info.verified_email, asked)
}

#[test]
fn bitbucket() {
    assert_eq!(
        tokens("bitbucket", &json!({ "scopes": "account email" })).scopes,
        ["account", "email"]
    );
    let list = |confirmed: bool| {
        json!({ "pagelen": 10, "values": [
            { "email": "old@b", "is_primary": false, "is_confirmed": true },
            { "email": "a@b", "is_primary": true, "is_confirmed": confirmed },
        ] })
    };
    let who = json!({ "uuid": "{7f8c}", "username": "alice", "email": "claimed@b" });
    let (subject, email, asked) = user("bitbucket", &[who.clone(), list(true)]);
    assert_eq!((&*subject, email.as_deref()), ("{7f8c}", Some("a@b")));
    assert_eq!(asked[1], "https://api.bitbucket.org/2.0/user/emails");
    assert_eq!(user("bitbucket", &[who, list(false)]).1, None);
}

#[test]
fn cognito() {
    let (client, _, _) = begin("cognito");
    let metadata = documented_metadata("cognito", |issuer, base, more| {
        let mut all = json!({ "issuer": issuer, "token_endpoint": format!("{base}/token") });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all.to_string()
    });
    let back = Some("https://app.example/");
    let operation = client.logout_url(None, back, None).unwrap();
    let url = answered(operation, &[(200, JSON, metadata)]).0.unwrap();
    assert_eq!(parameter(&url, "logout_uri").as_deref(), back);
    assert!(parameter(&url, "client_id").is_some());
    assert!(parameter(&url, "post_logout_redirect_uri").is_none(), "{url}");
}

/// What GitHub does, at other addresses.
#[test]
fn github_enterprise() {
    for (name, token, api) in [
        (
            "github_enterprise",
            "https://github.acme.example/login/oauth/access_token",
            "https://github.acme.example/api/v3/user",
        ),
        (
            "github_enterprise_cloud",
            "https://acme.ghe.com/login/oauth/access_token",
            "https://api.acme.ghe.com/user",
        ),
    ] {
        let (refused, asked) = finish(name, 200, &json!({ "error": "bad_verification_code" }));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::OauthInvalidGrant);
        assert!(asked.starts_with(token) && asked.contains("client_secret="), "{asked}");
        let emails = json!([{ "email": "a@b", "primary": true, "verified": true }]);
        let (subject, email, asked) = user(name, &[json!({ "id": 7, "login": "alice" }), emails]);
        assert_eq!((&*subject, email.as_deref()), ("7", Some("a@b")));
        assert_eq!(asked, [api.to_owned(), format!("{api}/emails")]);
        let error = OAuthClient::new(OAuthConfig::new("id").preset(name).unwrap()).unwrap_err();
        assert!(error.claim().unwrap().starts_with("variables."), "{name}");
    }
}

/// Issuers of their own, for the tenant of each token; nothing of the worldwide cloud is asked.
#[test]
fn clouds_of_microsoft() {
    for (name, host, graph) in [
        ("microsoft_us", "login.microsoftonline.us", "https://graph.microsoft.us/"),
        (
            "microsoft_china",
            "login.partner.microsoftonline.cn",
            "https://microsoftgraph.chinacloudapi.cn/",
        ),
    ] {
        let asked =
            user(name, &[json!({ "sub": "alice", "email": "a@b", "email_verified": true })]);
        assert_eq!(asked.1, None, "nobody has proven it");
        assert!(asked.2[0].starts_with(graph), "{asked:?}");
        let named = |iss: String| {
            Authority::claiming(move |claims| {
                claims["iss"] = json!(iss);
                claims["tid"] = json!(TENANT);
            })
        };
        let sign_in = |server: &Authority| {
            let base = server.server.url.clone();
            let text = json!({
                "preset": name, "client_id": "client", "allow_loopback_http": true, "scopes": ["openid"],
                "redirect_uri": "https://app.example/callback", "id_token_algorithms": ["ES256"],
                "authorization_endpoint": format!("{base}/authorize"), "jwks_uri": format!("{base}/jwks"),
                "token_endpoint": format!("{base}/token"),
            });
            let config = OAuthConfig::from_json(text.to_string().as_bytes()).unwrap();
            server.sign_in_with(&OAuthClient::new(config).unwrap())
        };
        sign_in(&named(format!("https://{host}/{TENANT}/v2.0"))).unwrap();
        let other = named(format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
        assert_eq!(sign_in(&other).unwrap_err().kind(), ErrorKind::InvalidIssuer);
    }
}

/// Their metadata are elsewhere than their issuer says, and must name it all the same.
#[test]
fn customers_of_microsoft() {
    for (name, place) in [
        (
            "microsoft_b2c",
            "https://acme.b2clogin.com/acme.onmicrosoft.com/B2C_1_signin/v2.0/.well-known/openid-configuration"
                .to_owned(),
        ),
        (
            "microsoft_ciam",
            format!("https://acme.ciamlogin.com/{TENANT}/v2.0/.well-known/openid-configuration"),
        ),
    ] {
        let client = OAuthClient::new(preset(name)).unwrap();
        let operation = client.begin(&LoginOptions::new(), "").unwrap();
        let wrong = json!({ "issuer": "https://acme.b2clogin.com/x/v2.0/" }).to_string();
        let (refused, asked) = answered(operation, &[(200, JSON, wrong)]);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::OauthIssuerMismatch);
        assert_eq!(asked, [place]);
    }
}

/// An answer leaves `offline_access` out of its scopes; without it the next one brings no refresh token.
#[test]
fn scopes_of_entra_when_refreshing() {
    for name in ["microsoft", "microsoft_us", "microsoft_china", "microsoft_b2c", "microsoft_ciam"]
    {
        let server = Authority::start();
        let url = server.server.url.clone();
        let variables = match name {
            "microsoft_b2c" => json!({ "name": "acme", "tenant_id": TENANT, "policy": "p" }),
            "microsoft_ciam" => json!({ "name": "acme", "tenant_id": TENANT }),
            _ => json!({}),
        };
        let text = json!({
            "preset": name, "client_id": "client", "allow_loopback_http": true, "discover": false,
            "token_endpoint": format!("{url}/token"), "variables": variables,
        });
        let config = OAuthConfig::from_json(text.to_string().as_bytes()).unwrap();
        let client = OAuthClient::new(config).unwrap();
        let issuer = client.issuer().unwrap();
        for (granted, sent) in [
            ("openid email", "openid email offline_access"),
            ("api://x/read offline_access", "api://x/read offline_access"),
        ] {
            let kept = json!({
                "issuer": issuer, "access_token": "a", "refresh_token": "r",
                "scopes": granted.split(' ').collect::<Vec<_>>(),
            });
            let kept = OAuthTokens::from_secret_json(kept.to_string().as_bytes()).unwrap();
            client.refresh(&kept).unwrap().run(&crate::authority::http()).unwrap();
            let seen = server.server.seen("/token");
            assert_eq!(seen.last().unwrap().form("scope").as_deref(), Some(sent), "{name}");
        }
    }
}

#[test]
fn patreon() {
    let answer = |proven: Value| {
        json!({ "data": { "id": "12345", "type": "user",
            "attributes": { "email": "a@b", "is_email_verified": proven } }, "links": {} })
    };
    let (subject, email, asked) = user("patreon", &[answer(json!(true))]);
    assert_eq!((&*subject, email.as_deref()), ("12345", Some("a@b")));
    assert!(asked[0].contains("?fields%5Buser%5D="), "{asked:?}");
    for unproven in [json!(false), Value::Null, json!(1)] {
        assert_eq!(user("patreon", &[answer(unproven)]).1, None);
    }
    assert!(
        finish("patreon", 401, &json!({ "error": "invalid_client" })).1.contains("client_secret=")
    );
}

#[test]
fn spotify() {
    let (subject, email, _) = user("spotify", &[json!({ "id": "wizzler", "email": "a@b" })]);
    assert_eq!((&*subject, email), ("wizzler", None));
    assert!(
        !finish("spotify", 400, &json!({ "error": "invalid_grant" })).1.contains("client_secret=")
    );
}

#[test]
fn twitch() {
    let (_, _, url) = begin("twitch");
    let claims: Value = serde_json::from_str(&parameter(&url, "claims").unwrap()).unwrap();
    assert_eq!(claims["id_token"]["email_verified"], Value::Null);
    assert!(claims["userinfo"].as_object().unwrap().contains_key("email"));
    for (status, message, kind) in [
        (400, "Invalid authorization code", ErrorKind::OauthInvalidGrant),
        (400, "Invalid refresh token", ErrorKind::OauthInvalidGrant),
        (400, "invalid client", ErrorKind::OauthInvalidClient),
        (403, "invalid client secret", ErrorKind::OauthInvalidClient),
        (400, "missing client id", ErrorKind::OauthRefused),
    ] {
        for answer in [
            json!({ "status": status, "message": message }),
            json!({ "error": "Bad Request", "status": status, "message": message }),
        ] {
            let (refused, asked) = finish("twitch", status, &answer);
            let error = refused.unwrap_err();
            let code = message.replace(' ', "");
            assert_eq!((error.kind(), error.peer_code()), (kind, Some(&*code)), "{answer}");
            assert!(asked.contains("client_secret="));
        }
    }
    // Its scopes are a list; it has no ID token to verify here, which is what is found wrong.
    let answer = json!({ "access_token": "a", "token_type": "bearer", "scope": ["openid"] });
    assert_eq!(finish("twitch", 200, &answer).0.unwrap_err().claim(), Some("id_token"));
    assert!(finish("twitch", 500, &json!({ "message": "oh" })).0.unwrap_err().is_retryable());
}

#[test]
fn x() {
    let (subject, email, asked) =
        user("x", &[json!({ "data": { "id": "2244994945", "username": "alice" } })]);
    assert_eq!((&*subject, email), ("2244994945", None));
    assert_eq!(asked, ["https://api.x.com/2/users/me"]);
    // Numbers and empty texts inside of an object as outside of it; nobody is found where it does not stand.
    let (client, _, _) = begin("x");
    for nobody in [
        json!({ "id": "1" }),
        json!({ "data": {} }),
        json!({ "data": { "id": "" } }),
        json!({ "data": "id" }),
    ] {
        let operation = client.userinfo(&kept());
        let error = answered(operation, &[(200, JSON, nobody.to_string())]).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OauthMalformedResponse, "{nobody}");
    }
}

/// A member whose own name has dots is no path.
#[test]
fn names_with_dots() {
    let server = Authority::with(|request, _| {
        (request.path == "/userinfo").then(|| {
            crate::evil::Reply::json(200, json!({ "a.b": "named", "a": { "b": "inside" } }))
        })
    });
    let config = server.config().scopes(&["email"]).quirks(br#"{"subject_member":"a.b"}"#).unwrap();
    let client = OAuthClient::new(config).unwrap();
    let tokens = server.sign_in_with(&client).unwrap().tokens;
    let info = client.userinfo(&tokens).run(&crate::authority::http()).unwrap();
    assert_eq!(info.subject, "named");
}

/// Metadata at an address of their own: asked there and nowhere else, with an issuer that they must name.
#[test]
fn metadata_elsewhere() {
    let server = Authority::with(|request, world| {
        (request.path == "/elsewhere").then(|| crate::evil::Reply::json(200, world.metadata()))
    });
    let url = format!("{}/elsewhere", server.server.url);
    let client = OAuthClient::new(server.config().metadata_url(&url)).unwrap();
    server.sign_in_with(&client).unwrap();
    assert_eq!(server.server.count("/elsewhere"), 1);
    assert_eq!(server.server.count("/.well-known/openid-configuration"), 0);
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&crate::authority::http());
    assert!(cookies(&begun.unwrap()).contains("gk_flow_"));
    let config = |text: Value| {
        OAuthConfig::from_json(text.to_string().as_bytes()).and_then(OAuthClient::new)
    };
    for wrong in [
        json!({ "client_id": "c", "token_endpoint": "https://h/t", "metadata_url": "https://h/m" }),
        json!({ "client_id": "c", "issuer": "https://h", "metadata_url": "http://h/m" }),
        json!({ "client_id": "c", "issuer": "https://h", "metadata_url": "h/m" }),
    ] {
        let error = config(wrong.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
        assert_eq!(error.claim(), Some("metadata_url"), "{wrong}");
    }
    let other = server.config().issuer("https://other.example").metadata_url(&url);
    let client = OAuthClient::new(other).unwrap();
    let refused = client.begin(&LoginOptions::new(), "").unwrap().run(&crate::authority::http());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::OauthIssuerMismatch);
}

/// Every one of them says that it comes from documentation, and of when.
#[test]
fn the_documentation_has_a_date() {
    let text = include_str!("../../src/oauth/presets.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let dated = all.as_object().unwrap().iter().filter(|(_, preset)| {
        preset["comment"].as_str().unwrap().starts_with("From documentation, 2026-11-28. ")
    });
    let dated: Vec<&str> = dated.map(|(name, _)| name.as_str()).collect();
    assert_eq!(dated.len(), 12, "{dated:?}");
}
