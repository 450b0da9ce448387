//! Which address is the user's and proven: one rule for each preset, the same for ID tokens and user info.

use crate::authority::{Authority, SECRET, http};
use crate::evil::Reply;
use gatekey::OAuthClient;
use gatekey::oauth::{OAuthConfig, OAuthTokens, oauth_presets};
use serde_json::{Value, json};

/// What a provider may say of `a@b`, and whether that proves it: by `email_verified`, and by `verified`.
fn sayings() -> Vec<(Value, bool, bool)> {
    vec![
        (json!({ "email_verified": true }), true, false),
        (json!({ "email_verified": "true" }), true, false),
        (json!({ "email_verified": false }), false, false),
        (json!({ "email_verified": "false" }), false, false),
        (json!({ "email_verified": null }), false, false),
        (json!({ "email_verified": 1 }), false, false),
        (json!({ "email_verified": "TRUE" }), false, false),
        (json!({ "email_verified": [true] }), false, false),
        (json!({ "verified": true }), false, true),
        (json!({ "verified": "true" }), false, true),
        (json!({ "email_verified": false, "verified": true }), false, true),
        (json!({ "email_verified": true, "verified": false }), true, false),
        (json!({ "verified_email": true }), false, false),
        (json!({ "": true }), false, false),
        (json!({}), false, false),
    ]
}

fn with(said: &Value, mut claims: Value) -> Value {
    claims.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    claims
}

/// A preset, or none, at a server of ours.
fn client(authority: &Authority, preset: Option<&str>) -> OAuthClient {
    let url = &authority.server.url;
    let mut text = json!({
        "client_id": "client", "client_secret": SECRET, "allow_loopback_http": true,
        "redirect_uri": "https://app.example/callback", "scopes": ["openid"], "id_token_algorithms": ["ES256"],
        "token_endpoint_auth_method": "client_secret_post", "discover": false, "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "userinfo_endpoint": format!("{url}/userinfo"),
    });
    if let Some(preset) = preset {
        text["preset"] = json!(preset);
        text["variables"] = match preset {
            "apple" => json!({ "team_id": "T" }),
            "auth0" => json!({ "domain": "d" }),
            "gitlab" => json!({ "base_url": "https://b" }),
            "keycloak" => json!({ "base_url": "https://b", "realm": "r" }),
            "okta" => json!({ "issuer_host": "h" }),
            "cognito" => json!({ "region": "r", "pool": "p" }),
            "microsoft_b2c" => json!({ "name": "n", "tenant_id": "t", "policy": "p" }),
            "microsoft_ciam" => json!({ "name": "n", "tenant_id": "t" }),
            _ => json!({}),
        };
    }
    OAuthClient::new(OAuthConfig::from_json(text.to_string().as_bytes()).unwrap()).unwrap()
}

/// Which member proves an address at a preset.
fn proof(preset: Option<&str>) -> &'static str {
    match preset {
        Some("discord") => "verified",
        // What they say of an address is not that it was proven, or it is told elsewhere.
        Some("facebook" | "spotify" | "slack_apps") => "",
        Some(name) if name.starts_with("microsoft") => "",
        _ => "email_verified",
    }
}

/// Whose user info is another one: `presets::github`, and the same in `presets_documented`.
fn is_elsewhere(preset: &str) -> bool {
    preset.starts_with("github") || ["bitbucket", "patreon", "x"].contains(&preset)
}

#[test]
fn user_info() {
    for preset in oauth_presets().into_iter().map(Some).chain([None]) {
        for (said, by_email, by_account) in sayings() {
            let told = with(&said, json!({ "sub": "alice", "id": "alice", "email": "a@b" }));
            let authority = Authority::with(move |request, _| {
                let path = request.path.split('?').next().unwrap_or_default();
                (path == "/userinfo").then(|| Reply::json(200, told.clone()))
            });
            if preset.is_some_and(is_elsewhere) {
                continue;
            }
            let text = json!({ "issuer": authority.server.url, "access_token": "a", "scopes": [] });
            let tokens = OAuthTokens::from_secret_json(text.to_string().as_bytes()).unwrap();
            let info = client(&authority, preset).userinfo(&tokens).run(&http()).unwrap();
            let expected = match proof(preset) {
                "email_verified" => by_email,
                "verified" => by_account,
                _ => false,
            };
            assert_eq!(info.verified_email.is_some(), expected, "{preset:?} {said}");
        }
    }
}

#[test]
fn log_ins_and_tokens() {
    for preset in [None, Some("apple"), Some("google"), Some("microsoft"), Some("linkedin")] {
        for (said, by_email, _) in sayings() {
            let own = said.clone();
            const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
            let is_microsoft = preset == Some("microsoft");
            let is_linkedin = preset == Some("linkedin");
            let authority = Authority::claiming(move |claims| {
                *claims = with(&own, claims.clone());
                claims["email"] = json!("a@b");
                if is_microsoft {
                    claims["tid"] = json!(TENANT);
                    claims["iss"] =
                        json!(format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
                }
                if is_linkedin {
                    claims.as_object_mut().unwrap().remove("nonce");
                }
            });
            let client = client(&authority, preset);
            let login = authority.sign_in_with(&client).unwrap();
            let expected = (by_email && !is_microsoft).then_some("a@b");
            assert_eq!(login.verified_email.as_deref(), expected, "{preset:?} {said}");
            assert_eq!(login.tokens.verified_email.as_deref(), expected);
            let kept = login.tokens.to_secret_json();
            let kept = OAuthTokens::from_secret_json(kept.expose()).unwrap();
            assert_eq!(kept.verified_email.as_deref(), expected);
            let whole: Value = serde_json::from_slice(login.to_secret_json().expose()).unwrap();
            assert_eq!(whole["verified_email"].as_str(), expected);
        }
    }
}

/// A refresh without an ID token leaves it as it was; one with an ID token tells it again.
#[test]
fn refreshes() {
    let answer = |verified: Option<bool>| {
        Authority::with(move |request, world| {
            if request.path != "/token" {
                return None;
            }
            let mut claims = world.claims(request);
            claims["email"] = json!("a@b");
            claims["email_verified"] = json!(true);
            if request.form("code").is_none() {
                claims.as_object_mut().unwrap().remove("nonce");
                claims["email_verified"] = json!(verified);
            }
            let mut answer = world.tokens(&world.sign(&claims));
            if request.form("code").is_none() && verified.is_none() {
                answer.as_object_mut().unwrap().remove("id_token");
            }
            Some(Reply::json(200, answer))
        })
    };
    for (verified, expected) in [(None, true), (Some(true), true), (Some(false), false)] {
        let authority = answer(verified);
        let client = authority.client();
        let old = authority.sign_in_with(&client).unwrap().tokens;
        let new = client.refresh(&old).unwrap().run(&http()).unwrap();
        assert_eq!(new.verified_email.is_some(), expected, "{verified:?}");
    }
}

/// An address that is none.
#[test]
fn no_address() {
    for email in [json!(""), json!(null), json!(7), json!(["a@b"])] {
        let authority = Authority::claiming(move |claims| {
            claims["email"] = email.clone();
            claims["email_verified"] = json!(true);
        });
        assert_eq!(authority.sign_in().unwrap().verified_email, None);
    }
}
