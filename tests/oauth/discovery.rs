//! Rows 11 to 15 of the catalogue: what a server says about itself, and where it may lead.

use crate::authority::{Authority, http};
use crate::evil::{Evil, Reply};
use gatekey::oauth::{LoginOptions, OAuthConfig, TokenGrant};
use gatekey::transport::{HttpOptions, HttpTransport};
use gatekey::{ErrorKind, OAuthClient};
use serde_json::{Value, json};

fn announcing(alter: impl Fn(&mut Value) + Send + Sync + 'static) -> Authority {
    Authority::with(move |request, world| {
        (request.path == "/.well-known/openid-configuration").then(|| {
            let mut metadata = world.metadata();
            alter(&mut metadata);
            Reply::json(200, metadata)
        })
    })
}

fn begin(authority: &Authority) -> ErrorKind {
    let begun = authority.client().begin(&LoginOptions::new(), "").unwrap().run(&http());
    begun.expect_err("the metadata were believed").kind()
}

/// Row 11: metadata that name another issuer, by a slash, a host or a scheme.
#[test]
fn another_issuer() {
    type Make = fn(&str) -> Value;
    let makes: [Make; 6] = [
        |own| json!(format!("{own}/")),
        |own| json!(own.replace("http:", "https:")),
        |own| json!(own.replace("127.0.0.1", "localhost")),
        |own| json!([own]),
        |_| json!("https://login.microsoftonline.com/{tenantid}/v2.0"),
        |_| Value::Null,
    ];
    for make in makes {
        let authority = announcing(move |metadata| {
            metadata["issuer"] = make(metadata["issuer"].as_str().unwrap());
        });
        assert_eq!(begin(&authority), ErrorKind::OauthIssuerMismatch);
    }
}

/// Row 12: where metadata are, for an issuer with a path; RFC 8414 after OpenID Connect.
#[test]
fn well_known_addresses() {
    let server = Evil::start(|request| match &*request.path {
        "/.well-known/oauth-authorization-server/tenant" => {
            let url = format!("http://{}", request.headers["host"]);
            let metadata = json!({
                "issuer": format!("{url}/tenant"), "token_endpoint": format!("{url}/token"),
                "authorization_endpoint": format!("{url}/authorize"),
            });
            Reply::json(200, metadata)
        }
        "/token" => Reply::json(200, json!({ "access_token": "a", "token_type": "bearer" })),
        _ => Reply::json(404, json!({})),
    });
    let issuer = format!("{}/tenant", server.url);
    let client =
        OAuthClient::new(OAuthConfig::new("c").issuer(&*issuer).allow_loopback_http(true)).unwrap();
    let tokens = client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
    assert_eq!(tokens.issuer, issuer);
    assert_eq!(server.count("/tenant/.well-known/openid-configuration"), 1);
    // Once is enough.
    client.client_credentials(&TokenGrant::new()).unwrap().run(&http()).unwrap();
    assert_eq!(server.count("/.well-known/oauth-authorization-server/tenant"), 1);
    for wrong in ["https://h?q", "https://h#f", "http://h", "h", "https://h\n"] {
        let error = OAuthClient::new(OAuthConfig::new("c").issuer(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
    }
}

/// Row 13: endpoints that are less safe than the issuer, or not addresses at all.
#[test]
fn endpoint_downgrade() {
    for endpoint in ["token_endpoint", "jwks_uri", "authorization_endpoint", "userinfo_endpoint"] {
        for url in [
            "http://auth.example/x",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://user:pw@auth.example/x",
            "https://auth.example/x\ny",
            "https://auth.example/x#f",
            "//auth.example/x",
            "http://127.0.0.1.evil/",
            "",
        ] {
            let authority = announcing(move |metadata| metadata[endpoint] = json!(url));
            assert_eq!(begin(&authority), ErrorKind::RequestBlocked, "{endpoint} {url}");
        }
        let authority = announcing(move |metadata| metadata[endpoint] = json!(7));
        assert_eq!(begin(&authority), ErrorKind::OauthMalformedResponse);
    }
    // Without the switch for tests, this machine is no exception.
    let error = OAuthClient::new(OAuthConfig::new("c").issuer("http://127.0.0.1:1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
}

/// Row 14: addresses that nobody outside should reach through us, whatever name or number they go by.
#[test]
fn server_side_request_forgery() {
    let ask = |url: &str, public: bool| {
        let options = HttpOptions::new().deadline_ms(2_000).connect_ms(300);
        let http =
            HttpTransport::new(if public { options.public_only(true) } else { options }).unwrap();
        let config = OAuthConfig::new("c").endpoint("token_endpoint", url).unwrap();
        let client = OAuthClient::new(config).unwrap();
        client.client_credentials(&TokenGrant::new()).unwrap().run(&http).unwrap_err().kind()
    };
    // The link's own, where clouds keep credentials, are out of reach in any case.
    for url in [
        "https://169.254.169.254/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
    ] {
        assert_eq!(ask(url, false), ErrorKind::RequestBlocked, "{url}");
    }
    for url in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://169.254.169.254/",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://[fc00::1]/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f.1/",
        "https://127.1/",
    ] {
        assert_eq!(ask(url, true), ErrorKind::RequestBlocked, "{url}");
    }
}

/// Row 15: a redirect is an error, and nothing reaches where it leads.
#[test]
fn redirects() {
    for status in [301, 302, 303, 307, 308] {
        let trap = Evil::start(|_| {
            Reply::json(200, json!({ "access_token": "a", "token_type": "Bearer" }))
        });
        let to = format!("{}/trap", trap.url);
        let authority = Authority::with(move |request, _| {
            let known = ["/token", "/introspect", "/revoke", "/userinfo", "/device"];
            known.contains(&&*request.path).then(|| Reply::redirect(status, &to))
        });
        let client = authority.client();
        let token = gatekey::Secret::from("t".to_owned());
        let grant = TokenGrant::new();
        let tokens = Authority::start().sign_in().unwrap().tokens;
        let errors = [
            authority.sign_in().unwrap_err(),
            client.client_credentials(&grant).unwrap().run(&http()).unwrap_err(),
            client.introspect(&token).run(&http()).unwrap_err(),
            client.revoke(&token, true).run(&http()).unwrap_err(),
            client.userinfo(&tokens).run(&http()).unwrap_err(),
            client.device_codes(&grant).unwrap().run(&http()).unwrap_err(),
        ];
        assert!(
            errors.iter().all(|error| error.kind() == ErrorKind::RequestBlocked),
            "{status}: {errors:?}"
        );
        assert_eq!(trap.count("/trap"), 0, "{status}");
    }
    let authority = announcing(|_| {});
    let url = authority.server.url;
    let bouncing = Authority::with(move |request, _| {
        request.path.starts_with("/.well-known").then(|| Reply::redirect(302, &url))
    });
    assert_eq!(begin(&bouncing), ErrorKind::RequestBlocked);
}

#[test]
fn metadata_that_are_none() {
    for body in ["", "[]", "<html>", "{\"issuer\":\"a\",\"issuer\":\"b\"}", "\u{feff}{}", "null"] {
        let authority = Authority::with(move |request, _| {
            request
                .path
                .starts_with("/.well-known")
                .then(|| Reply::text(200, "application/json", body))
        });
        assert_eq!(begin(&authority), ErrorKind::OauthMalformedResponse, "{body}");
    }
    for (status, kind) in [
        (404, ErrorKind::OauthMalformedResponse),
        (500, ErrorKind::OauthServerFailed),
        (503, ErrorKind::OauthServerFailed),
        (429, ErrorKind::OauthServerFailed),
        (204, ErrorKind::OauthMalformedResponse),
    ] {
        let authority = Authority::with(move |request, _| {
            request.path.starts_with("/.well-known").then(|| Reply::json(status, json!({})))
        });
        assert_eq!(begin(&authority), kind, "{status}");
    }
}
