//! Rows 311 to 315 of the threat model: what a server says about itself, and where it may lead.

use crate::authority::{Authority, http};
use crate::evil::{Evil, Reply};
use gatekey::oauth::{LoginOptions, OAuthConfig, TokenGrant};
use gatekey::transport::{HttpOptions, HttpResponse, HttpTransport, Operation, Step};
use gatekey::{ErrorKind, OAuthClient, Secret};
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

/// Row 311: metadata that name another issuer, by a slash, a host or a scheme.
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
    // It says which one.
    let authority = announcing(|metadata| metadata["issuer"] = json!("https://another.example/"));
    let error = authority.client().begin(&LoginOptions::new(), "").unwrap().run(&http());
    let error = error.unwrap_err();
    assert_eq!(error.peer_message(), Some("https://another.example/"));
    let said = error.to_string();
    assert!(said.contains("https://another.example/") && said.contains(&authority.server.url));
}

/// Row 312: where metadata are, for an issuer with a path; RFC 8414 after OpenID Connect.
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

/// Row 313: endpoints that are less safe than the issuer, or not addresses at all: refused by name when they are used, and
/// no harm to who does not use them.
#[test]
fn endpoint_downgrade() {
    let wrong = [
        json!("http://auth.example/x"),
        json!("javascript:alert(1)"),
        json!("file:///etc/passwd"),
        json!("https://user:pw@auth.example/x"),
        json!("https://auth.example/x\ny"),
        json!("https://auth.example/x#f"),
        json!("//auth.example/x"),
        json!("/logout"),
        json!("http://127.0.0.1.evil/"),
        json!(""),
        json!(7),
        json!(["https://auth.example/x"]),
        json!(false),
    ];
    for endpoint in [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
        "end_session_endpoint",
    ] {
        for url in &wrong {
            let own = url.clone();
            let requires = endpoint.starts_with("pushed");
            let authority = announcing(move |metadata| {
                metadata[endpoint] = own.clone();
                metadata["require_pushed_authorization_requests"] = json!(requires);
            });
            let client = authority.client();
            let token = Secret::from("t".to_owned());
            let signed_in = authority.sign_in_with(&client);
            let used = match endpoint {
                "userinfo_endpoint" => {
                    client.userinfo(&signed_in.unwrap().tokens).run(&http()).map(|_| ())
                }
                "revocation_endpoint" => client.revoke(&token, true).run(&http()),
                "introspection_endpoint" => client.introspect(&token).run(&http()).map(|_| ()),
                "device_authorization_endpoint" => {
                    client.device_codes(&TokenGrant::new()).unwrap().run(&http()).map(|_| ())
                }
                "end_session_endpoint" => {
                    client.logout_url(None, None, None).unwrap().run(&http()).map(|_| ())
                }
                _ => signed_in.map(|_| ()),
            };
            let error = used.expect_err(endpoint);
            assert_eq!(
                (error.kind(), error.claim()),
                (ErrorKind::RequestBlocked, Some(endpoint)),
                "{url}"
            );
            if endpoint.starts_with("end_session") || endpoint.starts_with("revocation") {
                assert!(authority.sign_in().is_ok(), "{endpoint} {url}");
            }
        }
    }
    // Without the switch for tests, this machine is no exception.
    let error = OAuthClient::new(OAuthConfig::new("c").issuer("http://127.0.0.1:1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
}

/// The three places of an issuer with a path, in the order in which they are asked.
const PLACES: [&str; 3] = [
    "/tenant/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server/tenant",
    "/.well-known/openid-configuration/tenant",
];

/// A server whose metadata are at some of the places, as `at` makes them of what they should be.
fn places(at: impl Fn(usize, Value) -> Reply + Send + Sync + 'static) -> (Evil, OAuthClient) {
    let server = Evil::start(move |request| {
        let url = format!("http://{}", request.headers["host"]);
        let metadata = json!({
            "issuer": format!("{url}/tenant"), "token_endpoint": format!("{url}/token"),
            "introspection_endpoint": format!("{url}/introspect"),
        });
        match PLACES.iter().position(|place| *place == request.path) {
            Some(place) => at(place, metadata),
            None if request.path.starts_with("/token") => {
                Reply::json(200, json!({ "access_token": "a", "token_type": "bearer" }))
            }
            None if request.path == "/introspect" => Reply::json(200, json!({ "active": true })),
            None => Reply::json(404, json!({})),
        }
    });
    let config = OAuthConfig::new("c").issuer(format!("{}/tenant", server.url));
    let client = OAuthClient::new(config.allow_loopback_http(true)).unwrap();
    (server, client)
}

fn machine(client: &OAuthClient) -> gatekey::Result<gatekey::oauth::OAuthTokens> {
    client.client_credentials(&TokenGrant::new()).unwrap().run(&http())
}

/// What stands at the first places does not count, whatever it is; the first document that names the issuer does.
#[test]
fn the_next_place_is_asked() {
    type Make = fn(Value) -> Reply;
    let makes: [(&str, Make); 13] = [
        ("nothing", |_| Reply::json(404, json!({}))),
        ("a page", |_| Reply::text(200, "text/html", "<!doctype html><title>app</title>")),
        ("a huge page", |_| Reply::text(200, "text/html", " ".repeat(600_000))),
        ("nothing at all", |_| Reply::text(204, "text/html", "")),
        ("a list", |_| Reply::json(200, json!([]))),
        ("no issuer", |_| Reply::json(200, json!({ "token_endpoint": "https://evil.example" }))),
        ("a null issuer", |mut m| {
            m["issuer"] = Value::Null;
            m["token_endpoint"] = json!("https://evil.example/token");
            Reply::json(200, m)
        }),
        ("another issuer", |mut m| {
            m["issuer"] = json!(format!("{}/", m["issuer"].as_str().unwrap()));
            m["token_endpoint"] = json!("https://evil.example/token");
            Reply::json(200, m)
        }),
        ("a redirect", |_| Reply::redirect(302, "https://evil.example/")),
        ("a failure", |_| Reply::json(500, json!({}))),
        ("a pause", |_| Reply::json(503, json!({}))),
        ("no permission", |_| Reply::json(403, json!({}))),
        ("a name that comes twice", |m| {
            let text = m.to_string().replacen('{', r#"{"issuer":"x","#, 1);
            Reply::text(200, "application/json", text)
        }),
    ];
    for (what, make) in makes {
        for (place, path) in PLACES.iter().enumerate().skip(1) {
            let (server, client) = places(move |at, metadata| match at {
                at if at < place => make(metadata),
                at if at == place => Reply::json(200, metadata),
                _ => panic!("it has what it needs"),
            });
            let tokens = machine(&client).expect(what);
            assert_eq!(tokens.issuer, format!("{}/tenant", server.url), "{what}");
            machine(&client).unwrap();
            assert_eq!(server.count(path), 1, "{what}: once is enough");
        }
        // And if none counts, nothing is used.
        let (server, client) = places(move |_, metadata| make(metadata));
        assert!(machine(&client).is_err(), "{what}");
        assert_eq!(server.count("/token"), 0);
        assert!(PLACES.iter().all(|place| server.count(place) == 1), "{what}");
    }
}

/// Who wants to be left alone is not asked on.
#[test]
fn a_pause_is_kept() {
    let (server, client) =
        places(|_, _| Reply::Full(503, vec![("retry-after", "7".to_owned())], Vec::new()));
    assert_eq!(machine(&client).unwrap_err().retry_after(), Some(7000));
    assert_eq!(server.count(PLACES[1]), 0);
}

/// Later documents fill gaps, when what is missing is needed, and replace nothing.
#[test]
fn gaps_are_filled() {
    let (server, client) = places(|at, mut metadata| {
        let url = metadata["token_endpoint"].as_str().unwrap().to_owned();
        if at == 0 {
            metadata.as_object_mut().unwrap().remove("introspection_endpoint");
        } else {
            metadata["token_endpoint"] = json!(format!("{url}-of-another-document"));
            metadata["revocation_endpoint"] = json!("");
        }
        Reply::json(200, metadata)
    });
    machine(&client).unwrap();
    assert_eq!(server.count(PLACES[1]), 0, "nobody needs it");
    let token = Secret::from("t".to_owned());
    for _ in 0..2 {
        assert!(client.introspect(&token).run(&http()).unwrap().active);
        machine(&client).unwrap();
    }
    assert_eq!((server.count("/token"), server.count(PLACES[1])), (3, 1));
    let error = client.revoke(&token, true).run(&http()).unwrap_err();
    assert_eq!(
        (error.kind(), error.claim()),
        (ErrorKind::RequestBlocked, Some("revocation_endpoint"))
    );
    // What nobody names is missing, and is looked for once.
    for _ in 0..3 {
        let error = client.device_codes(&TokenGrant::new()).unwrap().run(&http()).unwrap_err();
        assert_eq!(
            (error.kind(), error.claim()),
            (ErrorKind::InvalidConfiguration, Some("device_authorization_endpoint"))
        );
    }
    assert_eq!((server.count(PLACES[0]), server.count(PLACES[2])), (1, 1));
}

/// A place that could not answer is asked again for what is missing.
#[test]
fn a_gap_that_cannot_be_filled_yet() {
    let asked = std::sync::atomic::AtomicU32::new(0);
    let clock = std::sync::Arc::new(gatekey::clock::FixedClock::new(crate::authority::now()));
    let (server, _) = places(move |at, mut metadata| {
        if at == 0 {
            metadata.as_object_mut().unwrap().remove("introspection_endpoint");
        } else if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            return Reply::json(503, json!({}));
        }
        Reply::json(200, metadata)
    });
    let config = OAuthConfig::new("c").issuer(format!("{}/tenant", server.url));
    let config = config.allow_loopback_http(true).clock(clock.clone());
    let client = OAuthClient::new(config).unwrap();
    let token = Secret::from("t".to_owned());
    for _ in 0..3 {
        let error = client.introspect(&token).run(&http()).unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::OauthServerFailed, Some(1000)));
        machine(&client).unwrap();
    }
    clock.advance(1);
    client.introspect(&token).run(&http()).unwrap();
}

/// Metadata that were held up on their way do not replace later ones.
#[test]
fn metadata_that_come_late() {
    let clock = std::sync::Arc::new(gatekey::clock::FixedClock::new(crate::authority::now()));
    let config = OAuthConfig::new("c").issuer("https://auth.example").clock(clock.clone());
    let client = OAuthClient::new(config).unwrap();
    let answer = |name: &str| {
        let text = json!({
            "issuer": "https://auth.example", "token_endpoint": format!("https://auth.example/{name}"),
        });
        HttpResponse { status: 200, headers: Vec::new(), body: Secret::from(text.to_string()) }
    };
    let grant = TokenGrant::new();
    let mut early = client.client_credentials(&grant).unwrap();
    let mut late = client.client_credentials(&grant).unwrap();
    let asks = |operation: &mut Operation<_>| loop {
        match operation.next().unwrap() {
            Step::Request(request) => return request.url,
            Step::Wait(_) => {} // for the other one, at most as long as that may take
            _ => panic!("a request"),
        }
    };
    asks(&mut early);
    asks(&mut late);
    late.feed(answer("new"));
    assert_eq!(asks(&mut late), "https://auth.example/new");
    early.feed(answer("old"));
    assert_eq!(asks(&mut early), "https://auth.example/new");
    let mut third = client.client_credentials(&grant).unwrap();
    assert_eq!(asks(&mut third), "https://auth.example/new");
    clock.advance(3601);
    let mut next = client.client_credentials(&grant).unwrap();
    asks(&mut next);
    next.feed(answer("newest"));
    assert_eq!(asks(&mut next), "https://auth.example/newest");
}

/// Row 314: addresses that nobody outside should reach through us, whatever name or number they go by.
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

/// Row 315: a redirect is an error, and nothing reaches where it leads.
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
        let token = Secret::from("t".to_owned());
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
