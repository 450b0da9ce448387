//! What a preset's variables may be: each what its place takes, so that none leads to another server than it seems to.

use gatekey::oauth::{OAuthConfig, oauth_presets};
use gatekey::{Alg, Error, ErrorKind, Key, OAuthClient, Secret};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// A good value of each variable of a preset.
fn good(preset: &str) -> Vec<(&'static str, &'static str)> {
    match preset {
        "apple" => vec![("team_id", "TEAM123")],
        "auth0" => vec![("domain", "acme.eu.auth0.com")],
        "cognito" => vec![("region", "eu-west-1"), ("pool", "eu-west-1_AbC")],
        "facebook" => vec![("version", "v25.0")],
        "github_enterprise" | "gitlab" => vec![("base_url", "https://git.acme.example/sub")],
        "github_enterprise_cloud" => vec![("subdomain", "acme")],
        "keycloak" => vec![("base_url", "https://sso.example:8443/auth"), ("realm", "acme.test")],
        "microsoft" | "microsoft_us" | "microsoft_china" => vec![("tenant", TENANT)],
        "microsoft_b2c" => {
            vec![("name", "acme"), ("tenant_id", TENANT), ("policy", "B2C_1_signin")]
        }
        "microsoft_ciam" => vec![("name", "acme"), ("tenant_id", TENANT)],
        "okta" => vec![("issuer_host", "acme.okta.com/oauth2/default")],
        _ => Vec::new(),
    }
}

fn client(preset: &str, variables: &[(&str, &str)]) -> Result<OAuthClient, Error> {
    let mut config = OAuthConfig::new("id").preset(preset)?;
    config = match preset {
        "apple" => config.private_key(&Key::generate(Alg::Es256).unwrap()),
        _ => config.client_secret(Secret::from("secret".to_owned())),
    };
    for (name, value) in variables {
        config = config.variable(*name, *value);
    }
    OAuthClient::new(config)
}

/// Another value for one variable.
fn with<'a>(all: &[(&'a str, &'a str)], name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let other = |(own, old): &(&'a str, &'a str)| (*own, if *own == name { value } else { *old });
    all.iter().map(other).collect()
}

/// Of all variables of all presets: what is on no place of a host, a path or an address is refused, and named.
#[test]
fn nothing_leads_elsewhere() {
    let mut seen = 0;
    for preset in oauth_presets() {
        let all = good(preset);
        client(preset, &all).unwrap();
        for (name, _) in &all {
            seen += 1;
            let everywhere = [
                "",
                "evil.example/?",
                "a b",
                "a@evil.example",
                "a#b",
                "{x}",
                "a\\b",
                "é",
                "a%2fb",
                "//evil.example",
            ];
            let in_host = [
                "evil.example/",
                "evil.example/x",
                "evil.example",
                "evil.example:443",
                "-a",
                "a-",
                "a_b",
                "../x",
            ];
            let in_path = ["../x", "x/../y", "x/y", "/x", "x/", "..", ".", "x:y", "https://x"];
            let host = [
                "acme.example/path",
                "https://acme.example",
                "acme.example//x",
                "acme.example/../x",
                "acme:x",
                ".",
                "/acme.example",
                ":443",
            ];
            let address = [
                "sso.example",
                "https://",
                "ftp://sso.example",
                "https://sso.example//x",
                "https://sso.example/../x",
                "https:/sso.example",
                "//sso.example",
            ];
            let own: &[&str] = match *name {
                "base_url" => &address,
                "domain" => &host,
                "issuer_host" => &host[1..],
                "region" | "subdomain" | "name" => &in_host,
                // Both one label and one part of a path.
                "tenant_id" if preset == "microsoft_ciam" => &in_host,
                _ => &in_path,
            };
            for value in everywhere.iter().chain(own) {
                let error = client(preset, &with(&all, name, value)).expect_err(value);
                let told = (error.is_misuse(), error.claim().map(str::to_owned));
                assert_eq!(
                    told,
                    (true, Some(format!("variables.{name}"))),
                    "{preset} {value}: {error}"
                );
            }
        }
    }
    assert_eq!(seen, 19);
}

/// The slash that people copy with an address makes no second one.
#[test]
fn a_slash_at_the_end() {
    for (preset, name, value, issuer) in [
        ("keycloak", "base_url", "https://sso.example/", "https://sso.example/realms/acme.test"),
        ("gitlab", "base_url", "https://git.example/", "https://git.example"),
        ("auth0", "domain", "acme.eu.auth0.com/", "https://acme.eu.auth0.com/"),
        (
            "okta",
            "issuer_host",
            "acme.okta.com/oauth2/default/",
            "https://acme.okta.com/oauth2/default",
        ),
    ] {
        let client = client(preset, &with(&good(preset), name, value)).unwrap();
        assert_eq!(client.issuer(), Some(issuer));
    }
}

/// Nothing to sign in at, and a secret that is none, are told at once.
#[test]
fn what_is_missing_is_told() {
    let error = OAuthClient::new(OAuthConfig::new("id")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(
        ["`issuer`", "`preset`"].iter().all(|name| error.to_string().contains(name)),
        "{error}"
    );
    let config = OAuthConfig::new("id").issuer("https://auth.example");
    let error = OAuthClient::new(config.client_secret(Secret::from(String::new())));
    assert_eq!(error.unwrap_err().claim(), Some("client_secret"));
}
