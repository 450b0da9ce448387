//! Requests that another site has caused, and tokens that are of another session.

use gatekey::web::{Csrf, CsrfRequest};
use gatekey::{ErrorKind, Secret};

fn csrf() -> Csrf {
    Csrf::new(&Secret::new(vec![7; 32])).unwrap()
}

const POST: CsrfRequest<'_> = CsrfRequest::new("POST");

#[track_caller]
fn refused(csrf: &Csrf, session: &str, token: &str, request: &CsrfRequest<'_>) {
    let error = csrf.check(session, token, request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CsrfRejected, "{request:?}");
    assert!(token.is_empty() || !error.to_string().contains(token));
}

#[test]
fn a_token_is_of_one_session_and_one_secret() {
    let csrf = csrf();
    let (first, second) = (csrf.issue("s1").unwrap(), csrf.issue("s1").unwrap());
    assert_ne!(first, second, "each page may have its own");
    assert_eq!(first.len(), 64);
    csrf.check("s1", &first, &POST).unwrap();
    csrf.check("s1", &second, &POST).unwrap();
    refused(&csrf, "s2", &first, &POST);
    refused(&csrf, "S1", &first, &POST);
    let other = Csrf::new(&Secret::new(vec![8; 32])).unwrap();
    refused(&other, "s1", &first, &POST);
    // The id's length is under the MAC: no part of the random bytes can become part of the id.
    for at in 0..first.len() {
        let mut forged = first.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        refused(&csrf, "s1", std::str::from_utf8(&forged).unwrap(), &POST);
    }
    for token in [
        "",
        "x",
        &first[1..],
        &format!("{first}A"),
        &format!("{first}="),
        &first.replace('_', "/"),
        &"A".repeat(64),
        &"x".repeat(1 << 20),
    ] {
        if *token != first {
            refused(&csrf, "s1", token, &POST);
        }
    }
}

#[test]
fn mistakes() {
    assert_eq!(Csrf::new(&Secret::new(vec![7; 31])).unwrap_err().kind(), ErrorKind::WeakKey);
    let csrf = csrf();
    for id in ["", &"x".repeat(513)] {
        assert_eq!(csrf.issue(id).unwrap_err().kind(), ErrorKind::InvalidArgument);
        let kind =
            if id.is_empty() { ErrorKind::MissingCredentials } else { ErrorKind::InvalidArgument };
        assert_eq!(csrf.check(id, "", &POST).unwrap_err().kind(), kind);
        assert!(csrf.check(id, "", &CsrfRequest::new("GET")).is_ok(), "harmless");
    }
    let token = csrf.issue("s").unwrap();
    let request = POST.origin("https://example.com");
    assert_eq!(csrf.check("s", &token, &request).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(format!("{csrf:?}"), "Csrf([redacted])");
}

#[test]
fn methods() {
    let csrf = csrf();
    for method in ["GET", "HEAD", "OPTIONS"] {
        csrf.check("s", "", &CsrfRequest::new(method).sec_fetch_site("cross-site")).unwrap();
    }
    // A method that nobody knows, or in the wrong case, is not harmless.
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "Get", "", "GET ", "PROPFIND"]
    {
        refused(&csrf, "s", "", &CsrfRequest::new(method));
    }
}

#[test]
fn what_the_browser_says_comes_first() {
    let csrf = csrf();
    let token = csrf.issue("s").unwrap();
    for site in ["same-origin", "none"] {
        csrf.check("s", &token, &POST.sec_fetch_site(site)).unwrap();
        refused(&csrf, "s", "", &POST.sec_fetch_site(site));
    }
    for site in ["cross-site", "same-site", "", "Same-Origin", "same-origin, same-origin", "x"] {
        refused(&csrf, "s", &token, &POST.sec_fetch_site(site));
        // It counts more than an Origin, which older proxies change.
        let both = POST.sec_fetch_site(site).origin("https://a.example").host("a.example");
        refused(&csrf, "s", &token, &both);
    }
    let friendly = csrf.allow_same_site();
    friendly.check("s", &token, &POST.sec_fetch_site("same-site")).unwrap();
    refused(&friendly, "s", &token, &POST.sec_fetch_site("cross-site"));
}

#[test]
fn an_origin_is_compared_with_the_host() {
    let csrf = csrf();
    let token = csrf.issue("s").unwrap();
    for (origin, host) in [
        ("https://a.example", "a.example"),
        ("https://a.example", "A.EXAMPLE"),
        ("https://a.example:443", "a.example"),
        ("https://a.example", "a.example:443"),
        ("https://a.example:8443", "a.example:8443"),
        ("https://[::1]:8443", "[::1]:8443"),
    ] {
        csrf.check("s", &token, &POST.origin(origin).host(host)).unwrap();
    }
    for (origin, host) in [
        ("null", "a.example"),
        ("", "a.example"),
        ("https://", ""),
        ("https://b.example", "a.example"),
        ("https://a.example.b.example", "a.example"),
        ("https://b.example/a.example", "a.example"),
        ("https://xa.example", "a.example"),
        ("https://a.example:8443", "a.example"),
        ("https://a.example:80", "a.example"),
        ("http://a.example", "a.example"),
        ("ftp://a.example", "a.example"),
        ("a.example", "a.example"),
        ("https://a.example@b.example", "a.example"),
        ("https://a.example, https://b.example", "a.example"),
        (&format!("https://{}", "a".repeat(2000)), &"a".repeat(2000)),
    ] {
        refused(&csrf, "s", &token, &POST.origin(origin).host(host));
    }
    let in_development = csrf.danger_allow_http();
    in_development
        .check("s", &token, &POST.origin("http://localhost:8000").host("localhost:8000"))
        .unwrap();
    refused(
        &in_development,
        "s",
        &token,
        &POST.origin("http://localhost:8001").host("localhost:8000"),
    );
}
