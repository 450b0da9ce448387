//! Rows 301 to 310, 316 to 318 and 342 of the threat model: what comes back with the browser.

use crate::authority::{Authority, CALLBACK, CLIENT, callback, cookies, http};
use crate::evil::{Reply, parameter};
use gatekey::clock::FixedClock;
use gatekey::oauth::{LoginOptions, OAuthConfig};
use gatekey::open::open_revocations;
use gatekey::revocations::RevocationOptions;
use gatekey::{ErrorKind, OAuthClient, Peppers, Secret};
use serde_json::json;
use std::sync::Arc;

/// The kind of error of a callback, and that nothing was asked of the token endpoint.
#[track_caller]
fn refused(
    authority: &Authority,
    client: &OAuthClient,
    callback: &str,
    cookies: &str,
) -> ErrorKind {
    let error = client.finish(callback, cookies).unwrap_err();
    assert_eq!(authority.server.count("/token"), 0, "the code was sent");
    error.kind()
}

#[test]
fn a_log_in_from_beginning_to_end() {
    let authority = Authority::start();
    let client = authority.client();
    let options =
        LoginOptions::new().return_to("/orders?page=2").login_hint("alice").prompt("login");
    let begun = client.begin(&options, "").unwrap().run(&http()).unwrap();
    assert!(
        begun.url.starts_with(&format!("{}/authorize?", authority.server.url)),
        "{}",
        begun.url
    );
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
        ("login_hint", "alice"),
        ("prompt", "login"),
    ] {
        assert_eq!(parameter(&begun.url, name).as_deref(), Some(value));
    }
    let login = client.finish(&callback(&begun), &cookies(&begun)).unwrap().run(&http()).unwrap();
    assert_eq!((login.subject.as_deref(), &*login.return_to), (Some("alice"), "/orders?page=2"));
    assert_eq!(login.tokens.access_token.expose_str(), "an-access-token");
    assert_eq!(login.tokens.scopes, ["openid", "email"]);
    assert!(login.set_cookies[0].contains("Max-Age=0"), "{:?}", login.set_cookies);

    let [request] = &authority.server.seen("/token")[..] else { panic!("one request") };
    let verifier = request.form("code_verifier").unwrap();
    let challenge = parameter(&begun.url, "code_challenge").unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    assert_eq!(challenge, crate::forge::b64(digest), "S256 (RFC 7636 section 4.2)");
    assert_eq!(request.form("redirect_uri").as_deref(), Some(CALLBACK));
    assert!(!begun.url.contains(&verifier) && !format!("{begun:?} {login:?}").contains(&verifier));

    let info = client.userinfo(&login.tokens).run(&http()).unwrap();
    assert_eq!((&*info.subject, info.verified_email.as_deref()), ("alice", Some("a@example")));
}

/// Row 301: a stranger's callback in the victim's browser.
#[test]
fn log_in_csrf() {
    let authority = Authority::start();
    let client = authority.client();
    let attacker = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let victim = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    for cookies in ["", "gk_flow_x=1", &cookies(&victim)] {
        assert_eq!(
            refused(&authority, &client, &callback(&attacker), cookies),
            ErrorKind::OauthStateMismatch
        );
    }
}

/// Row 302: `state` absent, empty, twice, wrong, another tab's; two tabs in either order.
#[test]
fn states() {
    let authority = Authority::start();
    let client = authority.client();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let (cookies_1, state) = (cookies(&begun), parameter(&begun.url, "state").unwrap());
    for query in [
        "code=x".to_owned(),
        "code=x&state=".to_owned(),
        format!("code=x&state={state}&state={state}"),
        format!("code=x&state={state}&state=b"),
        format!("code=x&state={state}x"),
        "code=x&state=%ff".to_owned(),
        format!("code=x&code=y&state={state}"),
        format!("state={state}"),
        format!("code=x&state={state}&pad={}", "x".repeat(20_000)),
        String::new(),
    ] {
        assert_eq!(
            refused(&authority, &client, &query, &cookies_1),
            ErrorKind::OauthStateMismatch,
            "{query}"
        );
    }
    let other = client.begin(&LoginOptions::new(), &cookies_1).unwrap().run(&http()).unwrap();
    let both = format!("{cookies_1}; {}", cookies(&other));
    for tab in [&other, &begun] {
        client.finish(&callback(tab), &both).unwrap().run(&http()).unwrap();
    }
}

/// Row 303: the same callback again: the cookie is gone; whoever kept it is refused by the list.
#[test]
fn replays() {
    let authority = Authority::start();
    let seen = open_revocations("memory:", RevocationOptions::new()).unwrap();
    let client = OAuthClient::new(authority.config().replay(Arc::new(seen))).unwrap();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let (callback, kept) = (callback(&begun), cookies(&begun));
    let login = client.finish(&callback, &kept).unwrap().run(&http()).unwrap();
    let cleared = login.set_cookies[0].split('=').next().unwrap();
    assert_eq!(cleared, kept.split('=').next().unwrap());
    assert_eq!(client.end_login(&callback).unwrap(), login.set_cookies[0]);
    for cookies in ["", &kept] {
        assert_eq!(
            client.finish(&callback, cookies).unwrap_err().kind(),
            ErrorKind::OauthStateMismatch
        );
    }
    assert_eq!(authority.server.count("/token"), 1);
}

/// Row 304: the cookie altered, of another key, client or server, expired, cut; keys that rotate; not too many.
#[test]
fn cookies_of_log_ins() {
    let authority = Authority::start();
    let clock = Arc::new(FixedClock::new(crate::authority::now()));
    let peppers = |numbers: &[u32]| {
        let secret =
            |number: &u32| (*number, Secret::new(vec![u8::try_from(*number).unwrap(); 32]));
        Peppers::new(&numbers.iter().map(secret).collect::<Vec<_>>()).unwrap()
    };
    let config = || authority.config().clock(Arc::clone(&clock) as _);
    let client = |numbers: &[u32]| OAuthClient::new(config().flow_keys(peppers(numbers))).unwrap();
    let first = client(&[1]);
    let begun = first.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let set = &begun.set_cookies[0];
    assert!(set.starts_with("__Host-gk_flow_") && set.len() < 1024, "{} bytes", set.len());
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"] {
        assert!(set.contains(attribute), "{set} lacks {attribute}");
    }
    let (callback, cookie) = (callback(&begun), cookies(&begun));
    let is_refused = |client: &OAuthClient, cookie: &str| {
        let error = client.finish(&callback, cookie).unwrap_err();
        error.kind() == ErrorKind::OauthStateMismatch
    };
    let (name, value) = cookie.split_once('=').unwrap();
    for at in (0..value.len()).step_by(7) {
        let mut altered = value.to_owned().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        assert!(
            is_refused(&first, &format!("{name}={}", String::from_utf8(altered).unwrap())),
            "byte {at}"
        );
        assert!(is_refused(&first, &format!("{name}={}", &value[..at])), "cut to {at}");
    }
    assert!(is_refused(&first, &format!("{cookie}; {cookie}")), "twice");
    assert!(is_refused(&client(&[2]), &cookie), "another key");
    // What a process without the key says, and nobody who has no cookie at all.
    let names_keys = |client: &OAuthClient, cookie: &str| {
        client.finish(&callback, cookie).unwrap_err().message().contains("flow_keys")
    };
    assert!(names_keys(&client(&[2]), &cookie) && names_keys(&client(&[1]), &cookie[..50]));
    assert!(!names_keys(&client(&[1]), "") && !names_keys(&client(&[2]), "a=b"));
    let others = OAuthConfig::new("another").issuer(&*authority.server.url).redirect_uri(CALLBACK);
    let others =
        others.allow_loopback_http(true).clock(Arc::clone(&clock) as _).flow_keys(peppers(&[1]));
    assert!(is_refused(&OAuthClient::new(others).unwrap(), &cookie), "another client");
    let elsewhere = Authority::start();
    let others = elsewhere.config().clock(Arc::clone(&clock) as _).flow_keys(peppers(&[1]));
    assert!(is_refused(&OAuthClient::new(others).unwrap(), &cookie), "another server");
    // The second key seals, the first still opens.
    let both = client(&[1, 2]);
    assert!(both.finish(&callback, &cookie).is_ok());
    let begun = both.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    assert!(client(&[2]).finish(&crate::authority::callback(&begun), &cookies(&begun)).is_ok());
    clock.advance(599);
    assert!(first.finish(&callback, &cookie).is_ok());
    clock.advance(1);
    assert!(is_refused(&first, &cookie), "too late");
}

/// Row 304: a browser never has more than five log-ins begun; the oldest go.
#[test]
fn many_tabs() {
    let authority = Authority::start();
    let clock = Arc::new(FixedClock::new(crate::authority::now()));
    let client = OAuthClient::new(authority.config().clock(Arc::clone(&clock) as _)).unwrap();
    let mut jar: Vec<(String, String)> = Vec::new();
    for tab in 0..20 {
        clock.advance(1);
        let header: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let begun =
            client.begin(&LoginOptions::new(), &header.join("; ")).unwrap().run(&http()).unwrap();
        for set in &begun.set_cookies {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            jar.retain(|(known, _)| known != name);
            if !set.contains("Max-Age=0") {
                jar.push((name.to_owned(), value.to_owned()));
            }
        }
        assert_eq!(jar.len(), 5.min(tab + 1));
    }
}

/// What this site has of other clients, of other keys and of other programs is left alone and not counted.
#[test]
fn cookies_of_others() {
    let (authority, another) = (Authority::start(), Authority::start());
    let keys = || Peppers::new(&[(1, Secret::new(vec![1; 32]))]).unwrap();
    let begin = |client: &OAuthClient, cookies: &str| {
        client.begin(&LoginOptions::new(), cookies).unwrap().run(&http()).unwrap()
    };
    let own = OAuthClient::new(authority.config().flow_keys(keys())).unwrap();
    let tenant = OAuthConfig::new("tenant").issuer(&*authority.server.url).redirect_uri(CALLBACK);
    let others = [
        ("another provider", another.client()),
        (
            "another provider, the same keys",
            OAuthClient::new(another.config().flow_keys(keys())).unwrap(),
        ),
        ("another program", authority.client()),
        (
            "another tenant",
            OAuthClient::new(tenant.allow_loopback_http(true).flow_keys(keys())).unwrap(),
        ),
    ];
    for (what, other) in &others {
        // Ten of theirs, and ours goes on beside them; and the other way around.
        let mut jar: Vec<String> = Vec::new();
        for _ in 0..5 {
            jar.extend([cookies(&begin(other, "")), cookies(&begin(other, ""))]);
        }
        let theirs = begin(other, "");
        jar.push(cookies(&theirs));
        let ours = begin(&own, &jar.join("; "));
        assert_eq!(ours.set_cookies.len(), 1, "{what}: {:?}", ours.set_cookies);
        jar.push(cookies(&ours));
        let header = jar.join("; ");
        assert!(own.finish(&callback(&ours), &header).is_ok(), "{what}");
        assert!(other.finish(&callback(&theirs), &header).is_ok(), "{what}");
    }
    // Nor anything that only looks like one.
    let strange = "__Host-gk_flow_AAAAAAAAAAA=1.AAAA; __Host-gk_flow_AAAAAAAAAAE=x; __Host-gk_flow_AAAAAAAAAAI=";
    assert_eq!(begin(&own, strange).set_cookies.len(), 1);
}

/// Text that is not UTF-8, escapes that are none, in what is only shown or is nobody's; paths of every kind.
#[test]
fn callbacks_of_careless_servers() {
    let authority = Authority::start();
    let client = authority.client();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let (full, cookies) = (callback(&begun), cookies(&begun));
    let state = parameter(&full, "state").unwrap();
    for (more, shown) in [
        ("error_description=acc%E8s+refus%E9", Some("acc?s refus?")),
        ("error_description=100%", Some("100%")),
        ("error_description=%u00e9", Some("%u00e9")),
        ("error_description=%", Some("%")),
        ("utm=%&x=%E8&%=y&%zz", None),
    ] {
        let callback = format!("?error=access_denied&state={state}&{more}");
        let error = client.finish(&callback, &cookies).unwrap_err();
        assert_eq!((error.kind(), error.peer_message()), (ErrorKind::OauthAccessDenied, shown));
        assert!(client.end_login(&callback).is_some());
        assert!(client.finish(&format!("{full}&{more}"), &cookies).is_ok(), "{more}");
    }
    for name in ["state", "code", "iss", "error"] {
        for wrong in ["%", "%E8", "%zz"] {
            let query = format!("?state={state}&code=c&{name}={wrong}");
            assert!(client.finish(&query, &cookies).is_err(), "{query}");
        }
    }
    // The name of a parameter in other letters is the same parameter.
    let twice = format!("{full}&%73tate={state}");
    assert_eq!(refused(&authority, &client, &twice, &cookies), ErrorKind::OauthStateMismatch);
    let query = full.split_once('?').unwrap().1;
    for address in [
        "https://app.example/cb;jsessionid=1A2B",
        "https://app.example/tenant=acme/cb",
        "https://app.example/a&b/cb",
        "https://app.example:8443/a/b",
        "/tenant=acme/cb",
        "/cb;jsessionid=1",
        "com.example.app:/tenant=acme/cb",
        "com.example.app://cb;a=b",
        "/",
        "cb",
        "",
    ] {
        assert!(client.finish(&format!("{address}?{query}"), &cookies).is_ok(), "{address}");
    }
    // A form's values are no addresses.
    for form in
        [format!("x=https://h/?{query}"), format!("x=/?a=b&{query}"), format!("a&b=c://?&{query}")]
    {
        let found = client.finish(&form, &cookies).is_ok();
        assert_eq!(found, !form.contains("/?state"), "{form}");
    }
}

/// A form that is posted is read like a query, whatever its values hold.
#[test]
fn callbacks_in_every_form() {
    let authority = Authority::start();
    let client = authority.client();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let (full, cookies) = (callback(&begun), cookies(&begun));
    let query = full.split_once('?').unwrap().1;
    for form in [
        full.clone(),
        format!("?{query}"),
        query.to_owned(),
        format!("{query}&user=what?&x=%7B"),
        format!("{full}#_=_"),
        format!("/callback?{query}"),
    ] {
        assert!(client.finish(&form, &cookies).is_ok(), "{form}");
    }
}

/// Endpoints of an issuer that are taken as they are given.
#[test]
fn without_discovery() {
    let authority = Authority::start();
    let url = &authority.server.url;
    let mut config = authority.config().discover(false).id_token_algorithms([gatekey::Alg::Es256]);
    for (name, path) in
        [("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "jwks")]
    {
        config = config.endpoint(name, format!("{url}/{path}")).unwrap();
    }
    let login = authority.sign_in_with(&OAuthClient::new(config).unwrap()).unwrap();
    assert_eq!(login.subject.as_deref(), Some("alice"));
    assert_eq!(authority.server.count("/.well-known/openid-configuration"), 0);
}

/// Row 305 and 306: S256 is always sent; who demands it refuses a server that does not know it.
#[test]
fn pkce() {
    let authority = Authority::with(|request, world| {
        (request.path == "/.well-known/openid-configuration").then(|| {
            let mut metadata = world.metadata();
            metadata["code_challenge_methods_supported"] = json!(["plain"]);
            Reply::json(200, metadata)
        })
    });
    let begun = authority.client().begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    assert_eq!(parameter(&begun.url, "code_challenge").unwrap().len(), 43);
    assert_eq!(parameter(&begun.url, "code_challenge_method").as_deref(), Some("S256"));
    let strict = OAuthClient::new(authority.config().require_pkce(true)).unwrap();
    let error = strict.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    for own in ["code_challenge_method", "state", "redirect_uri", "request"] {
        let options = LoginOptions::new().parameter(own, "plain");
        assert_eq!(
            strict.begin(&options, "").unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{own}"
        );
    }
}

/// Row 307: someone's code in someone else's log-in: the nonce tells, at a server that ignores PKCE.
#[test]
fn code_injection() {
    let authority = Authority::start();
    let client = authority.client();
    let begin = || client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let (victim, attacker) = (begin(), begin());
    let stolen = parameter(&callback(&victim), "code").unwrap();
    let state = parameter(&attacker.url, "state").unwrap();
    let injected = format!("{CALLBACK}?code={stolen}&state={state}");
    let error = client.finish(&injected, &cookies(&attacker)).unwrap().run(&http()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OauthNonceMismatch);
}

/// Rows 308 to 310: the answer is from another server, also if it is an error; compared byte by byte.
#[test]
fn mix_up() {
    let promising = Authority::with(|request, world| {
        (request.path == "/.well-known/openid-configuration").then(|| {
            let mut metadata = world.metadata();
            metadata["authorization_response_iss_parameter_supported"] = json!(true);
            Reply::json(200, metadata)
        })
    });
    let silent = Authority::start();
    for (authority, promises) in [(&promising, true), (&silent, false)] {
        let client = authority.client();
        let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
        let (good, cookies, own) = (callback(&begun), cookies(&begun), &authority.server.url);
        for iss in [
            "https://other.example".to_owned(),
            format!("{own}/"),
            own.to_uppercase(),
            own.replace("127.0.0.1", "127.0.0.1."),
            own.replace("http:", "https:"),
            format!("{own}%20"),
            String::new(),
            "%".to_owned(),
        ] {
            let wrong = format!("{good}&iss={iss}");
            assert_eq!(
                refused(authority, &client, &wrong, &cookies),
                ErrorKind::OauthIssuerMismatch,
                "{iss}"
            );
            let state = parameter(&good, "state").unwrap();
            let error = format!("state={state}&error=access_denied&iss={iss}");
            assert_eq!(
                refused(authority, &client, &error, &cookies),
                ErrorKind::OauthIssuerMismatch,
                "{iss}"
            );
        }
        if promises {
            assert_eq!(
                refused(authority, &client, &good, &cookies),
                ErrorKind::OauthIssuerMismatch
            );
        } else {
            assert!(client.finish(&good, &cookies).is_ok());
        }
        // Both are named, for the log.
        let told = client.finish(&format!("{good}&iss={own}/"), &cookies).unwrap_err().to_string();
        assert!(told.contains(&format!("`iss` is `{own}/`, configured is `{own}`")), "{told}");
        client.finish(&format!("{good}&iss={own}"), &cookies).unwrap().run(&http()).unwrap();
    }
}

/// Row 316: where the browser may be sent back to.
#[test]
fn redirect_uris() {
    let config = |uri: &str| {
        OAuthClient::new(OAuthConfig::new("c").issuer("https://h").redirect_uri(uri)).map(|_| ())
    };
    for good in [
        "https://app.example/cb",
        "http://127.0.0.1:9/cb",
        "http://[::1]/cb",
        "com.example.app:/cb",
    ] {
        assert!(config(good).is_ok(), "{good}");
    }
    for bad in [
        "http://app.example/cb",
        "http://127.0.0.1.evil/cb",
        "https://app.example/cb#f",
        "javascript:alert(1)",
        "data:text/html,x",
        "/cb",
        "https://user@app.example/cb",
        "https://app.example\\@evil/",
        "",
    ] {
        assert_eq!(config(bad).unwrap_err().kind(), ErrorKind::InvalidConfiguration, "{bad}");
    }
}

/// Row 317: after the log-in, only to a page of this site.
#[test]
fn open_redirects() {
    let authority = Authority::start();
    let client = authority.client();
    for evil in [
        "//evil",
        "/\\evil",
        "https:evil",
        "/%2f/evil",
        "/x\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
    ] {
        let options = LoginOptions::new().return_to(evil);
        let begun = client.begin(&options, "").unwrap().run(&http()).unwrap();
        let login =
            client.finish(&callback(&begun), &cookies(&begun)).unwrap().run(&http()).unwrap();
        assert_eq!(login.return_to, "/", "{evil}");
    }
}

/// Row 342: errors in the callback: typed, bounded, and they win over a code.
#[test]
fn errors_in_callbacks() {
    let authority = Authority::start();
    let client = authority.client();
    let begun = client.begin(&LoginOptions::new(), "").unwrap().run(&http()).unwrap();
    let (good, cookies) = (callback(&begun), cookies(&begun));
    for (code, kind) in [
        ("access_denied", ErrorKind::OauthAccessDenied),
        ("login_required", ErrorKind::OauthInteractionRequired),
        ("consent_required", ErrorKind::OauthInteractionRequired),
        ("temporarily_unavailable", ErrorKind::OauthServerFailed),
        ("server_error", ErrorKind::OauthServerFailed),
        ("unauthorized_client", ErrorKind::OauthInvalidClient),
        ("invalid_scope", ErrorKind::OauthRefused),
        ("something_new", ErrorKind::OauthRefused),
    ] {
        let wrong = format!(
            "{good}&error={code}&error_description=%3Cscript%3E%0d%0aSet-Cookie%3A%20a{}",
            "b".repeat(5000)
        );
        let error = client.finish(&wrong, &cookies).unwrap_err();
        assert_eq!((error.kind(), error.peer_code()), (kind, Some(code)));
        let message = error.peer_message().unwrap();
        assert!(
            message.starts_with("?script???Set-Cookie: a") && message.len() == 200,
            "{message}"
        );
        assert!(!format!("{error} {error:?}").contains("script"));
    }
    let error = client.finish(&format!("{good}&error=%3Cb%3E"), &cookies).unwrap_err();
    assert_eq!((error.kind(), error.peer_code()), (ErrorKind::OauthRefused, Some("b")));
    assert_eq!(authority.server.count("/token"), 0);
    // Whoever asks in the dark learns nothing.
    let state = parameter(&good, "state").unwrap();
    let unknown = format!("error=access_denied&state={}", &state[1..]);
    assert_eq!(refused(&authority, &client, &unknown, &cookies), ErrorKind::OauthStateMismatch);
}
