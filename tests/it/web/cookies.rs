//! Cookies: what a browser makes of them, and what must not become one.

use super::browser::{self, Stored};
use crate::rounds::rounds;
use gatekey::ErrorKind;
use gatekey::web::{Cookie, CookieBuilder, SameSite};
use proptest::prelude::*;

#[test]
fn a_browser_stores_what_was_asked_for_and_forgets_it_again() {
    for name in
        ["__Host-refresh", "__Secure-refresh", "refresh", "__Host-Http-refresh", "__Http-refresh"]
    {
        for same_site in [SameSite::Lax, SameSite::Strict, SameSite::None] {
            for partitioned in [false, true] {
                for max_age in [None, Some(604_800)] {
                    let mut builder =
                        Cookie::builder(name).same_site(same_site).partitioned(partitioned);
                    if let Some(age) = max_age {
                        builder = builder.max_age(age);
                    }
                    let cookie = builder.build().unwrap();
                    let set = browser::parse(&cookie.set("v.1-2_3~").unwrap()).unwrap();
                    let wanted = Stored {
                        name: name.into(),
                        value: "v.1-2_3~".into(),
                        path: "/".into(),
                        domain: None,
                        max_age: max_age.map(|age| age as i64),
                        secure: true,
                        http_only: true,
                        same_site: same_site.name().into(),
                        partitioned,
                    };
                    assert_eq!(set, wanted);
                    let cleared = browser::parse(&cookie.clear()).unwrap();
                    assert_eq!(
                        cleared,
                        Stored { value: String::new(), max_age: Some(0), ..wanted }
                    );
                    let header = format!("a=1; {name}=v.1-2_3~;b=2");
                    assert_eq!(cookie.read(&header).unwrap(), Some("v.1-2_3~"));
                }
            }
        }
    }
    let access = Cookie::builder("access")
        .path("/api")
        .domain("example.com")
        .http_only(false)
        .build()
        .unwrap();
    assert_eq!(
        access.set("x").unwrap(),
        "access=x; Path=/api; Domain=example.com; Secure; SameSite=Lax"
    );
    assert_eq!(
        access.clear(),
        "access=; Path=/api; Domain=example.com; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; SameSite=Lax"
    );
}

#[test]
fn what_a_browser_would_refuse_is_not_built() {
    let new = |name: &str| Cookie::builder(name);
    let wrong: Vec<CookieBuilder> = vec![
        new(""),
        new("a b"),
        new("a=b"),
        new("a;b"),
        new("a\u{e4}"),
        new("a\n"),
        new(&"x".repeat(129)),
        new("__Host-a").domain("example.com"),
        new("__host-a").path("/x"),
        new("__HOST-a").path("/x"),
        new("__Host-a").insecure().danger_allow_http(),
        new("__Secure-a").insecure().danger_allow_http(),
        new("__secure-a").insecure().danger_allow_http(),
        new("__Http-a").http_only(false),
        new("__Host-Http-a").http_only(false),
        new("a").insecure(),
        new("a").same_site(SameSite::None).insecure().danger_allow_http(),
        new("a").partitioned(true).insecure().danger_allow_http(),
        new("a").path(""),
        new("a").path("x"),
        new("a").path("/;x"),
        new("a").path("/\n"),
        new("a").path("/\u{e4}"),
        new("a").path(format!("/{}", "x".repeat(1024))),
        new("a").domain(""),
        new("a").domain(".example.com"),
        new("a").domain("example"),
        new("a").domain("127.0.0.1"),
        new("a").domain("example.com:80"),
        new("a").domain("https://example.com"),
        new("a").domain("a_b.example.com"),
        new("a").domain("-a.example.com"),
        new("a").domain("a..example.com"),
        new("a").domain("x; Path=/"),
        new("a").max_age(0),
        new("a").max_age(400 * 86_400 + 1),
    ];
    for builder in wrong {
        let error = builder.clone().build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{builder:?}");
    }
    new("a").insecure().danger_allow_http().build().unwrap();
    new("a").max_age(400 * 86_400).build().unwrap();
    assert!(SameSite::from_name("lax").is_ok() && SameSite::from_name("Default").is_err());
}

#[test]
fn a_value_is_visible_and_short() {
    let cookie = Cookie::builder("__Host-a").build().unwrap();
    for value in [
        "",
        "a b",
        "a;b",
        "a,b",
        "a\"b",
        "a\\b",
        "a\nb",
        "a\r\nSet-Cookie: b=1",
        "\u{e4}",
        "\u{7f}",
    ] {
        assert_eq!(cookie.set(value).unwrap_err().kind(), ErrorKind::InvalidArgument, "{value:?}");
    }
    let longest = "x".repeat(4096 - "__Host-a=".len());
    assert!(browser::parse(&cookie.set(&longest).unwrap()).is_some());
    assert_eq!(cookie.set(&format!("{longest}x")).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_header_is_read_once_or_not_at_all() {
    let cookie = Cookie::builder("__Host-a").build().unwrap();
    for (header, value) in [
        ("", None),
        ("__Host-a", None),
        ("__Host-b=1", None),
        ("x__Host-a=1", None),
        ("__host-a=1", None),
        ("__Host-a=", None),
        ("__Host-a=1", Some("1")),
        ("b=2;__Host-a=1", Some("1")),
        (" \t__Host-a = 1 ; b", Some("1")),
        ("__Host-a=1=2==", Some("1=2==")),
        ("=__Host-a=1", None),
        (";;;__Host-a=1;;", Some("1")),
    ] {
        assert_eq!(cookie.read(header).unwrap(), value, "{header:?}");
    }
    for header in [
        "__Host-a=1; __Host-a=2",
        "__Host-a=1; __Host-a=1",
        "__Host-a=; __Host-a=1",
        "__Host-a=\"1\"",
        "__Host-a=a b",
        "__Host-a=\u{e4}",
        "__Host-a=a,b",
        &format!("__Host-a={}", "x".repeat(4097)),
        &"x".repeat(64 * 1024 + 1),
    ] {
        assert_eq!(
            cookie.read(header).unwrap_err().kind(),
            ErrorKind::MalformedCookie,
            "{header:.40?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(64)))]

    #[test]
    fn whatever_is_set_is_what_a_browser_stores(value in "\\PC{0,40}", path in "\\PC{0,20}", domain in proptest::option::of("\\PC{0,20}")) {
        let mut builder = Cookie::builder("a").path(&path);
        if let Some(domain) = &domain {
            builder = builder.domain(domain);
        }
        if let Ok(cookie) = builder.build() && let Ok(header) = cookie.set(&value) {
            let stored = browser::parse(&header).unwrap();
            prop_assert_eq!(stored.value, value.clone());
            // White space at the end of an attribute is the one thing that an agent takes away.
            prop_assert_eq!(stored.path, path.trim_end());
            prop_assert_eq!(stored.domain, domain.map(|domain| domain.to_ascii_lowercase()));
            let sent = format!("a={value}");
            prop_assert_eq!(cookie.read(&sent).unwrap(), Some(&*value));
        }
    }

    #[test]
    fn no_header_makes_reading_fail_badly(header in "(a=|a|=|;| |\\PC){0,30}") {
        let cookie = Cookie::builder("a").build().unwrap();
        let names = header.split(';').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| name.trim_matches([' ', '\t']) == "a").count();
        match cookie.read(&header) {
            Ok(Some(value)) => prop_assert!(names == 1 && !value.is_empty()),
            Ok(None) => prop_assert!(names <= 1),
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::MalformedCookie),
        }
    }
}
