//! The caller's address: from the socket, or from right to left in the one header of proxies that
//! are trusted.

use super::*;
use core::net::IpAddr;
use gatekey::ErrorKind;
use gatekey::guard::Guard;

fn address(service: &Service, request: Sent) -> Option<IpAddr> {
    let decision = service.on(request, &demand(|d| d.public()));
    decision.access().unwrap().address()
}

/// Row 714.
#[test]
fn from_right_to_left_and_the_first_that_is_not_ours() {
    let service = service_with(|builder| builder.trusted_proxy("10.0.0.0/8"));
    let via = |value: &str| get().peer("10.0.0.2").header("X-Forwarded-For", value);
    for (value, expected) in [
        ("198.51.100.7, 10.0.0.1, 203.0.113.5", Some("203.0.113.5")),
        ("1.1.1.1, 198.51.100.7, 10.0.0.1", Some("198.51.100.7")),
        ("198.51.100.7,10.0.0.1 ,\t10.0.0.9", Some("198.51.100.7")),
        ("[2001:db8::1]:443", Some("2001:db8::1")),
        ("[2001:db8::1]", Some("2001:db8::1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("198.51.100.7:8080", Some("198.51.100.7")),
        ("::ffff:198.51.100.7", Some("198.51.100.7")),
        ("198.51.100.7, ::ffff:10.0.0.1", Some("198.51.100.7")),
        ("fe80::1%eth0", Some("fe80::1")),
        // All of them are ours: the first has called.
        ("10.1.1.1, 10.0.0.1", Some("10.1.1.1")),
        ("198.51.100.7, unknown", None),
        ("198.51.100.7, _hidden", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]x", None),
        ("[2001:db8::1]:99999", None),
        ("198.51.100.7, localhost", None),
        ("0198.51.100.7", None),
        ("", None),
        (" , ", None),
    ] {
        let expected = expected.map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(address(&service, via(value)), expected, "{value:?}");
    }
    let many = "198.51.100.7, ".repeat(5000) + "203.0.113.5";
    assert_eq!(address(&service, via(&many)), "203.0.113.5".parse().ok());
    let many = "198.51.100.7, ".to_owned() + &"10.0.0.1, ".repeat(5000);
    assert_eq!(address(&service, via(&many)), None);
    // Two lines are one list.
    let two = via("1.1.1.1, 198.51.100.7").header("x-forwarded-for", "10.0.0.3");
    assert_eq!(address(&service, two), "198.51.100.7".parse().ok());
    // Only the one header that is configured, and only from a proxy.
    let beside =
        via("198.51.100.7").header("forwarded", "for=1.1.1.1").header("x-real-ip", "1.1.1.1");
    assert_eq!(address(&service, beside), "198.51.100.7".parse().ok());
    let stranger = get().peer("192.0.2.9").header("x-forwarded-for", "1.1.1.1");
    assert_eq!(address(&service, stranger), "192.0.2.9".parse().ok());
    for alias in ["x_forwarded_for", "x.forwarded.for", "remote_addr", "REMOTE-ADDR"] {
        let aliased = via("198.51.100.7").header(alias, "1.1.1.1");
        assert_eq!(address(&service, aliased), "198.51.100.7".parse().ok(), "{alias}");
    }
    // A proxy that does not say for whom speaks for nobody.
    assert_eq!(address(&service, get().peer("10.0.0.2")), None);
}

#[test]
fn what_servers_call_a_peer() {
    let plain = service();
    let sockets = service_with(|builder| builder.trusted_proxy("unix"));
    for (peer, expected) in [
        ("192.0.2.7", Some("192.0.2.7")),
        ("192.0.2.7:80", Some("192.0.2.7")),
        ("::ffff:192.0.2.7", Some("192.0.2.7")),
        ("[2001:db8::1]:80", Some("2001:db8::1")),
        ("testclient", None),
        ("localhost", None),
        ("unix:", None),
        ("@", None),
        ("/run/app.sock", None),
        ("", None),
    ] {
        let expected: Option<IpAddr> = expected.map(|text| text.parse().unwrap());
        for service in [&plain, &sockets] {
            assert_eq!(address(service, get().peer(peer)), expected, "{peer}");
        }
        let forwarded = get().peer(peer).header("x-forwarded-for", "198.51.100.7");
        assert_eq!(address(&plain, forwarded.clone()), expected, "{peer}");
        let is_socket = ["unix:", "@", "/run/app.sock", ""].contains(&peer);
        let through = if is_socket { "198.51.100.7".parse().ok() } else { expected };
        assert_eq!(address(&sockets, forwarded), through, "{peer}");
    }
}

#[test]
fn the_header_of_rfc_7239() {
    let service =
        service_with(|builder| builder.trusted_proxy("10.0.0.0/8").forwarded_header("Forwarded"));
    for (value, expected) in [
        (
            "for=1.1.1.1, for=198.51.100.7;proto=https, by=10.0.0.1;for=10.0.0.3",
            Some("198.51.100.7"),
        ),
        ("For=\"[2001:db8::1]:4711\"", Some("2001:db8::1")),
        ("proto=https; for=198.51.100.7", Some("198.51.100.7")),
        ("for=unknown", None),
        ("for=_secret", None),
        ("for=198.51.100.7;for=1.1.1.1", None),
        ("proto=https", None),
        ("198.51.100.7", None),
    ] {
        let request = get().peer("10.0.0.2").header("forwarded", value);
        let expected: Option<IpAddr> = expected.map(|text| text.parse().unwrap());
        assert_eq!(
            address(&service, request.header("x-forwarded-for", "1.1.1.1")),
            expected,
            "{value}"
        );
    }
}

/// Row 715.
#[test]
fn where_names_collapse_the_client_may_have_sent_it() {
    let build = |exact: bool| {
        service_with(|builder| {
            let builder = builder.trusted_proxy("10.0.0.0/8");
            if exact { builder.exact_names() } else { builder }
        })
    };
    let via = get().peer("10.0.0.2").header("x-forwarded-for", "198.51.100.7");
    let via = Sent { collapsed: true, ..via };
    assert_eq!(address(&build(false), via.clone()), None);
    assert_eq!(address(&build(true), via), "198.51.100.7".parse().ok());
}

#[test]
fn no_address_refuses_keys_with_networks_and_no_others() {
    let service = service();
    let bound = service.key(|spec| spec.cidrs = vec!["192.0.2.0/24".into()]);
    let free = service.key(|_| {});
    for peer in ["", "testclient", "unix:"] {
        let decision = service.ask(get().peer(peer).key(&bound));
        refused(&decision, 403);
        assert_eq!(decision.error().unwrap().kind(), ErrorKind::ApiKeyAddress);
        assert!(service.ask(get().peer(peer).key(&free)).is_allowed());
    }
    assert!(service.ask(get().peer("192.0.2.7:1").key(&bound)).is_allowed());
    refused(&service.ask(get().peer("198.51.100.7").key(&bound)), 403);
}

#[test]
fn a_network_of_all_addresses_is_no_proxy() {
    let keys = service().keys;
    for text in ["0.0.0.0/0", "::/0", "::ffff:0:0/96"] {
        let refused = Guard::builder().api_keys(keys.clone()).trusted_proxy(text).build();
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidConfiguration, "{text}");
        assert!(refused.to_string().contains("all addresses"), "{refused}");
    }
    assert!(Guard::builder().api_keys(keys).trusted_proxy("0.0.0.0/1").build().is_ok());
}
