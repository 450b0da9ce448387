//! Log-in, refresh and log-out by cookies: two tabs, late answers, and what is cleared when.

use super::*;
use gatekey::ErrorKind;
use std::collections::BTreeMap;

/// What a browser has, as answers arrive.
#[derive(Clone, Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    fn take(&mut self, decision: &Decision) {
        for header in set_cookies(decision) {
            let (pair, attributes) = header.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn post(&self) -> Sent {
        let all: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = post().header("origin", "https://shop.test").header("cookie", all.join("; "));
        match self.0.get("__Host-csrf") {
            Some(token) => request.header("x-csrf-token", token),
            None => request,
        }
    }
}

impl Service {
    fn refresh(&self, request: &Sent) -> Decision {
        request.with(|request| self.guard.refresh(request, None))
    }

    fn log_out(&self, request: &Sent) -> Decision {
        request.with(|request| self.guard.log_out(request))
    }

    fn jar(&self) -> Jar {
        let mut jar = Jar::default();
        jar.take(&self.guard.log_in("alice", &SessionSpec::default()).unwrap());
        jar
    }
}

#[test]
fn a_log_in_sets_three_and_a_refresh_needs_no_fourth() {
    let service = service();
    let decision = service.guard.log_in("alice", &SessionSpec::default()).unwrap();
    let cookies = set_cookies(&decision);
    assert_eq!(cookies.len(), 3);
    for (cookie, name, rest) in [
        (cookies[0], "__Host-access=", "; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax"),
        (
            cookies[1],
            "__Host-refresh=",
            "; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict",
        ),
        (cookies[2], "__Host-csrf=", "; Path=/; Max-Age=604800; Secure; SameSite=Lax"),
    ] {
        assert!(cookie.starts_with(name) && cookie.ends_with(rest), "{cookie}");
    }
    assert_eq!(decision.header("cache-control"), Some("no-store"));
    let mut jar = Jar::default();
    jar.take(&decision);
    assert_eq!(subject(&service.ask(jar.post())), "alice");
    // The access token has expired, and the browser has dropped its cookie.
    service.clock.advance(1000);
    jar.0.remove("__Host-access");
    let refreshed = service.refresh(&jar.post());
    assert!(refreshed.is_allowed() && refreshed.tokens().is_some(), "{refreshed:?}");
    jar.take(&refreshed);
    assert_eq!(subject(&service.ask(jar.post())), "alice");
    // And log-out gets what it needs, too.
    let out = service.log_out(&jar.post());
    assert!(out.is_allowed() && clears(&out), "{out:?}");
    assert_eq!(out.header("cache-control"), Some("no-store"));
    let before = jar.clone();
    jar.take(&out);
    assert!(jar.0.is_empty());
    refused(&service.ask(before.post()), 401);
}

/// Row 719.
#[test]
fn nobody_else_refreshes_or_logs_out() {
    let service = service();
    let (jar, other) = (service.jar(), service.jar());
    let cookie = |request: Sent| {
        request.header("cookie", format!("__Host-refresh={}", jar.0["__Host-refresh"]))
    };
    let stranger = &other.0["__Host-csrf"];
    for request in [
        cookie(post()),
        cookie(post())
            .header("origin", "https://evil.test")
            .header("x-csrf-token", &jar.0["__Host-csrf"]),
        cookie(post())
            .header("sec-fetch-site", "cross-site")
            .header("x-csrf-token", &jar.0["__Host-csrf"]),
        cookie(post()).header("origin", "https://shop.test").header("x-csrf-token", stranger),
        cookie(post()).header("authorization", "Bearer x"),
        cookie(get()).header("x-csrf-token", &jar.0["__Host-csrf"]),
        cookie(sent("HEAD")).header("x-csrf-token", &jar.0["__Host-csrf"]),
    ] {
        for decision in [service.refresh(&request), service.log_out(&request)] {
            refused(&decision, 403);
            assert!(set_cookies(&decision).is_empty(), "{decision:?}");
        }
    }
    // Nothing is there: nothing is cleared, or any page could log everybody out.
    for decision in [service.refresh(&post()), service.log_out(&post())] {
        refused(&decision, 401);
        assert!(set_cookies(&decision).is_empty());
    }
    assert!(service.refresh(&jar.post()).is_allowed(), "it was not used up");
}

/// Row 720.
#[test]
fn the_loser_of_two_tabs_never_clears_the_winners_cookies() {
    let service = service();
    // Both get the same refresh token, in whichever order the answers arrive.
    for loser_last in [true, false] {
        let mut jar = service.jar();
        let request = jar.post();
        let (winner, loser) = (service.refresh(&request), service.refresh(&request));
        assert!(winner.is_allowed() && loser.is_allowed());
        let order = if loser_last { [&winner, &loser] } else { [&loser, &winner] };
        order.into_iter().for_each(|answer| jar.take(answer));
        assert!(service.refresh(&jar.post()).is_allowed());
    }
    // Later than the grace it is reuse: the session is over for both, and so are the cookies.
    let mut jar = service.jar();
    let old = jar.post();
    jar.take(&service.refresh(&old));
    service.clock.advance(60);
    let late = service.refresh(&old);
    refused(&late, 401);
    assert!(clears(&late));
    assert_eq!(late.error().unwrap().kind(), ErrorKind::TokenReuse);
    refused(&service.ask(jar.post()), 401);
    // A store or clock that cannot tell is no end of a session.
    let mut jar = service.jar();
    let old = jar.post();
    jar.take(&service.refresh(&old));
    service.clock.set(NOW - 86_400);
    let unknown = service.refresh(&old);
    assert!(!unknown.is_allowed() && !clears(&unknown), "{unknown:?}");
}

/// Row 721.
#[test]
fn what_a_late_refresh_brings_back_is_worth_nothing() {
    let service = service();
    let mut jar = service.jar();
    let request = jar.post();
    let held = service.refresh(&request);
    jar.take(&held);
    jar.take(&service.log_out(&jar.post()));
    assert!(jar.0.is_empty());
    jar.take(&held);
    let decision = service.ask(jar.post());
    refused(&decision, 401);
    assert!(clears(&decision), "the next request clears them");
    let again = service.refresh(&jar.post());
    refused(&again, 401);
    assert!(clears(&again));
    // A second log-out is one.
    assert!(service.log_out(&jar.post()).is_allowed());
    // What has only expired is not over, and what was never ours ends nothing.
    let jar = service.jar();
    service.clock.advance(1000);
    let expired = service.ask(jar.post());
    refused(&expired, 401);
    assert!(!clears(&expired));
    let junk = service.ask(post().header("cookie", "__Host-access=a.b.c"));
    assert!(!junk.is_allowed() && !clears(&junk));
}

#[test]
fn a_log_out_by_the_access_token_alone() {
    let service = service();
    let tokens = service.log_in("alice");
    refused(&service.log_out(&post().cookie(&tokens)), 403);
    assert!(service.log_out(&post().cookie(&tokens).ours(&service, &tokens)).is_allowed());
    refused(&service.ask(get().cookie(&tokens)), 401);
    let tokens = service.log_in("alice");
    assert!(service.log_out(&post().bearer(&text(&tokens.access_token))).is_allowed());
    refused(&service.ask(get().bearer(&text(&tokens.access_token))), 401);
    let issued = service.key(|_| {});
    for none in [
        post().bearer(&foreign(|_| {})),
        post().bearer(&text(&issued.secret)),
        post().key(&issued),
        post().bearer("junk"),
    ] {
        refused(&service.log_out(&none), 401);
    }
    let both = post().cookie(&service.log_in("a")).bearer(&text(&service.log_in("b").access_token));
    refused(&service.log_out(&both), 400);
}

#[test]
fn a_log_in_adopts_nothing_that_was_planted() {
    let service = service();
    let mut jar = service.jar();
    let before = jar.clone();
    jar.take(&service.guard.log_in("alice", &SessionSpec::default()).unwrap());
    for (name, value) in &before.0 {
        assert_ne!(value, &jar.0[name], "{name}");
    }
    let mixed = post()
        .header("cookie", format!("__Host-access={}", jar.0["__Host-access"]))
        .header("origin", "https://shop.test")
        .header("x-csrf-token", &before.0["__Host-csrf"]);
    refused(&service.ask(mixed), 403);
    // Claims that are too long for a cookie leave no session behind.
    let claims = Claims::new().claim_str("x", &"y".repeat(5000));
    let spec = SessionSpec { claims, ..SessionSpec::default() };
    let error = service.guard.log_in("bob", &spec).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(service.sessions.list("bob").unwrap().is_empty());
}

#[test]
fn cookies_by_themselves() {
    let service = service();
    let tokens = service.log_in("alice");
    let built = |change: fn(
        gatekey::session::SessionCookiesBuilder,
    ) -> gatekey::session::SessionCookiesBuilder| {
        change(SessionCookies::builder(&service.csrf)).build()
    };
    let dev = built(|cookies| cookies.danger_allow_http()).unwrap();
    assert_eq!(dev.names(), ["access", "refresh", "csrf"]);
    assert!(dev.set(&tokens).unwrap().iter().all(|cookie| !cookie.contains("Secure")));
    let path = built(|cookies| cookies.refresh_path("/auth").names("a", "b", "c")).unwrap();
    assert_eq!(path.names(), ["__Host-a", "__Secure-b", "__Host-c"]);
    assert!(path.set(&tokens).unwrap()[1].contains("; Path=/auth; "));
    assert!(path.clear()[1].contains("; Path=/auth; ") || path.clear()[1].contains("; Path=/auth"));
    for wrong in [
        built(|cookies| cookies.names("a", "a", "c")),
        built(|cookies| cookies.names("a b", "b", "c")),
        built(|cookies| cookies.refresh_path("auth")),
    ] {
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    }
    let sent = dev.read("access=x; csrf=y").unwrap();
    assert_eq!((sent.access, sent.refresh, sent.csrf), (Some("x"), None, Some("y")));
    assert!(!format!("{sent:?}").contains('x'));
    assert_eq!(dev.read("csrf=y; csrf=z").unwrap_err().kind(), ErrorKind::MalformedCookie);
    let family = Sessions::family_of(tokens.refresh_token.expose());
    assert_eq!(family, Some(tokens.family()));
    assert_eq!(Sessions::family_of(b"junk"), None);
}

#[test]
fn over_http_in_development() {
    let service = service_with(|builder| {
        let csrf = Csrf::new(&Secret::new(vec![7; 32])).unwrap();
        let cookies = SessionCookies::builder(&csrf).danger_allow_http().build().unwrap();
        builder.cookies(cookies).origin("http://localhost:8000")
    });
    let tokens = service.log_in("alice");
    let request = post()
        .header("cookie", format!("access={}", text(&tokens.access_token)))
        .header("origin", "http://localhost:8000")
        .header("x-csrf-token", service.csrf.issue(tokens.family()).unwrap());
    assert_eq!(subject(&service.ask(request)), "alice");
}
