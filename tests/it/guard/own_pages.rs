//! Log-ins, which no cookie proves: from our own pages alone, so that no other site logs its
//! visitors in as a user of its choice.

use super::*;
use gatekey::ErrorKind;

fn log_in() -> Demand {
    demand(|demand| demand.public().own_pages().limit("log-in", "3/min"))
}

/// The value of a cookie that is set.
fn pair(set_cookie: &str) -> String {
    set_cookie.split(';').next().unwrap().to_owned()
}

/// Row 748.
#[test]
fn a_browser_says_where_a_log_in_comes_from() {
    let service = service();
    let on = |request: Sent| service.on(request, &log_in());
    for (name, value) in [("origin", "https://shop.test"), ("sec-fetch-site", "same-origin")] {
        let decision = on(post().header(name, value));
        assert!(decision.is_allowed() && decision.access().unwrap().is_anonymous(), "{value}");
    }
    for (origin, site) in [
        (Some("https://evil.test"), None),
        (Some("https://evil.test"), Some("cross-site")),
        (Some("https://evil.test"), Some("same-origin")),
        (Some("https://shop.test.evil.test"), None),
        (Some("http://shop.test"), None),
        (Some("null"), None),
        (Some("null"), Some("cross-site")),
        (None, Some("cross-site")),
        (None, Some("same-site")),
        (None, Some("")),
        (None, None),
    ] {
        let mut request = post();
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            request = value.iter().fold(request, |request, value| request.header(name, value));
        }
        let decision = on(request);
        refused(&decision, 403);
        assert_eq!(
            decision.error().unwrap().kind(),
            ErrorKind::CsrfRejected,
            "{origin:?} {site:?}"
        );
    }
    // None of these has taken from the limit, of which one is left.
    assert!(on(post().header("origin", "https://shop.test")).is_allowed());
    refused_for_rate(&on(post().header("origin", "https://shop.test")));
    // The page itself is for everybody.
    assert!(service.on(get().header("sec-fetch-site", "cross-site"), &page()).is_allowed());
    assert!(!service.on(get().with_upgrade(), &page()).is_allowed());
}

fn page() -> Demand {
    demand(|demand| demand.public().own_pages())
}

fn refused_for_rate(decision: &Decision) {
    assert_eq!(decision.status(), 429);
}

impl Sent {
    fn with_upgrade(mut self) -> Self {
        self.upgrade = true;
        self
    }
}

/// Row 748.
#[test]
fn a_browser_that_says_nothing_sends_a_token_of_the_page() {
    let service = service();
    let made = get().with(|request| service.guard.form_token(request)).unwrap();
    let set_cookie = made.set_cookie.clone().unwrap();
    assert!(set_cookie.starts_with("__Host-csrf=") && set_cookie.contains("; Secure"));
    assert!(!format!("{made:?}").contains(&made.token));
    let cookie = pair(&set_cookie);
    let on = |request: Sent| service.on(request, &page());
    assert!(on(post().header("cookie", &cookie).header("x-csrf-token", &made.token)).is_allowed());
    let mut form = post().header("cookie", &cookie);
    form.field = Some(made.token.clone());
    assert!(on(form).is_allowed());
    // A second page of the same browser has the same one.
    let again = get().header("cookie", &cookie).with(|request| service.guard.form_token(request));
    let again = again.unwrap();
    assert_eq!((again.token, again.set_cookie), (made.token.clone(), None));

    let other = get().with(|request| service.guard.form_token(request)).unwrap();
    let session = service.log_in("mallory");
    let of_mallory = service.csrf.issue(session.family()).unwrap();
    for (cookie, token) in [
        ("", &*made.token),
        (&cookie, ""),
        (&cookie, &*other.token),
        ("__Host-csrf=", ""),
        (&format!("__Host-csrf={of_mallory}"), &of_mallory),
        (&format!("__Host-csrf={}", "A".repeat(64)), &"A".repeat(64)),
        (&format!("{cookie}; {cookie}"), &made.token),
    ] {
        let mut request = post().header("x-csrf-token", token);
        if !cookie.is_empty() {
            request = request.header("cookie", cookie);
        }
        let decision = on(request);
        assert!(matches!(decision.status(), 400 | 403), "{cookie} {token}: {decision:?}");
    }
    // What the browser says goes first.
    let forged = post().header("cookie", &cookie).header("x-csrf-token", &made.token);
    refused(&on(forged.header("origin", "https://evil.test")), 403);
}

#[test]
fn a_page_beside_a_session_keeps_its_token() {
    let service = service();
    let tokens = service.log_in("alice");
    let own = service.csrf.issue(tokens.family()).unwrap();
    let cookies = format!("__Host-refresh={}; __Host-csrf={own}", text(&tokens.refresh_token));
    let asked = |header: &str| {
        let request = get().header("cookie", header);
        request.with(|request| service.guard.form_token(request)).unwrap()
    };
    let made = asked(&cookies);
    assert_eq!((&made.token, &made.set_cookie), (&own, &None));
    let request = post().header("cookie", &cookies).header("x-csrf-token", &own);
    assert!(service.on(request, &page()).is_allowed());
    // The token of a session that is gone is replaced.
    assert!(asked(&format!("__Host-csrf={own}")).set_cookie.is_some());
}

#[test]
fn optional_callers_and_demands_that_contradict_themselves() {
    let service = service();
    let optional = demand(|demand| demand.optional().own_pages());
    refused(&service.on(post(), &optional), 403);
    assert!(service.on(post().header("origin", "https://shop.test"), &optional).is_allowed());
    assert!(service.on(post().key(&service.key(|_| {})), &optional).is_allowed());
    let error = Demand::builder().own_pages().build().unwrap_err();
    assert_eq!(error.claim(), Some("own_pages"));
    let without = Guard::builder().api_keys(service.keys).build().unwrap();
    let token = get().with(|request| without.form_token(request)).unwrap_err();
    assert_eq!(token.kind(), ErrorKind::InvalidConfiguration);
    assert!(!post().with(|request| without.check(request, &page())).is_allowed());
}
