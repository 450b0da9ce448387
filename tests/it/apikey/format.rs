//! The text of a key.

use super::{bench, refused, text};
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec, scan_rule};
use gatekey::store::MemoryStore;
use gatekey::{ApiKeys, ErrorKind};
use std::collections::HashSet;
use std::sync::Arc;

#[test]
fn a_key_has_the_documented_form() {
    let bench = bench();
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let issued = bench.create(|_| ());
        let key = text(&issued);
        assert_eq!(key.len(), 57, "{key}");
        let (head, tail) = key.rsplit_once('_').unwrap();
        assert_eq!(head, format!("gk_live_{}", issued.record.id));
        assert_eq!((issued.record.id.len(), tail.len()), (12, 36));
        assert!(tail.bytes().chain(issued.record.id.bytes()).all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(bench.keys.verify(&key, &Check::new()).unwrap().key_id(), issued.record.id);
        assert!(seen.insert(key));
    }
}

/// The checksum, computed here bit by bit, over a key made up here.
#[test]
fn the_checksum_is_the_one_of_the_documentation() {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            })
        })
    };
    assert_eq!(crc(b"123456789"), 0xcbf4_3926);
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let with_checksum = |body: &str| {
        let mut value = crc(body.as_bytes());
        let mut digits = [b'0'; 6];
        for digit in digits.iter_mut().rev() {
            *digit = alphabet[(value % 62) as usize];
            value /= 62;
        }
        format!("{body}{}", String::from_utf8_lossy(&digits))
    };
    let bench = bench();
    let key = text(&bench.create(|_| ()));
    assert_eq!(with_checksum(&key[..51]), key);
    // A right checksum makes it well-formed, and known or not is told apart inside.
    let made_up = with_checksum(&format!("gk_live_{}_{}", "0".repeat(12), "z".repeat(30)));
    refused(bench.keys.verify(&made_up, &Check::new()), ErrorKind::UnknownApiKey, &made_up);
    let other_secret = with_checksum(&format!("{}{}", &key[..21], "z".repeat(30)));
    refused(bench.keys.verify(&other_secret, &Check::new()), ErrorKind::BadApiKeySecret, "secret");
    for (wrong, context) in [
        (format!("gk_LIVE_{}_{}", "0".repeat(12), "z".repeat(30)), "environment"),
        (format!("gk_l_{}_{}", "0".repeat(12), "z".repeat(30)), "short environment"),
        (format!("gk_lllllllll_{}_{}", "0".repeat(12), "z".repeat(30)), "long environment"),
        (format!("9k_live_{}_{}", "0".repeat(12), "z".repeat(30)), "prefix"),
        (format!("{}_live_{}_{}", "a".repeat(21), "0".repeat(12), "z".repeat(30)), "long prefix"),
        (format!("live_{}_{}", "0".repeat(12), "z".repeat(30)), "no prefix"),
        (format!("_live_{}_{}", "0".repeat(12), "z".repeat(30)), "empty prefix"),
        (format!("gk_live_{}_{}", "0".repeat(11), "z".repeat(31)), "shifted"),
        (format!("gk_live_{}_{}", "0".repeat(11) + "-", "z".repeat(30)), "id"),
        (format!("gk_live_{}_{}", "0".repeat(12), "z".repeat(29) + "-"), "secret"),
    ] {
        let wrong = with_checksum(&wrong);
        refused(bench.keys.verify(&wrong, &Check::new()), ErrorKind::MalformedApiKey, context);
    }
}

#[test]
fn any_changed_character_is_refused_before_the_store_is_asked() {
    let bench = bench();
    let key = text(&bench.create(|_| ()));
    for at in 0..key.len() {
        for byte in 0..=255 {
            let mut changed = key.clone().into_bytes();
            if std::mem::replace(&mut changed[at], byte) == byte {
                continue;
            }
            refused(
                bench.keys.verify(&changed, &Check::new()),
                ErrorKind::MalformedApiKey,
                "changed",
            );
        }
        let (left, right) = key.split_at(at);
        for other in [format!("{left}a{right}"), format!("{left}{}", &right[1..]), left.to_owned()]
        {
            if other != key {
                let nothing = other.is_empty().then_some(ErrorKind::MissingCredentials);
                refused(
                    bench.keys.verify(&other, &Check::new()),
                    nothing.unwrap_or(ErrorKind::MalformedApiKey),
                    &other,
                );
            }
        }
    }
    for other in [
        format!("{key} "),
        format!(" {key}"),
        format!("{key}\n"),
        format!("Bearer {key}"),
        "a".repeat(129),
        "\u{e9}".repeat(40),
        "_".repeat(57),
        format!("{key}{key}"),
    ] {
        refused(bench.keys.verify(&other, &Check::new()), ErrorKind::MalformedApiKey, &other);
    }
}

#[test]
fn prefixes_may_hold_underscores() {
    for (prefix, env) in
        [("a", "xx"), ("my_app_", "test"), ("a_live", "live"), ("abcdefghijklmnopqrst", "abcdefgh")]
    {
        let options = ApiKeyOptions::new().prefix(prefix).env(env);
        let keys =
            ApiKeys::open(Arc::new(MemoryStore::new()), super::pepper(&[1]), options).unwrap();
        let issued = keys.create(&KeySpec::new("acme")).unwrap();
        let key = text(&issued);
        assert!(key.starts_with(&format!("{prefix}_{env}_{}", issued.record.id)), "{key}");
        let record = keys.verify(&key, &Check::new()).unwrap().record();
        assert_eq!((&*record.prefix, &*record.env), (prefix, env));
    }
    for (prefix, env) in [
        ("", "live"),
        ("A", "live"),
        ("1a", "live"),
        ("_a", "live"),
        ("a-b", "live"),
        ("é", "live"),
        ("abcdefghijklmnopqrstu", "live"),
        ("gk", ""),
        ("gk", "l"),
        ("gk", "Live"),
        ("gk", "li1e"),
        ("gk", "abcdefghi"),
    ] {
        let options = ApiKeyOptions::new().prefix(prefix).env(env);
        let opened = ApiKeys::open(Arc::new(MemoryStore::new()), super::pepper(&[1]), options);
        refused(opened, ErrorKind::InvalidArgument, &format!("{prefix}_{env}"));
    }
}

/// Every letter at every place is as likely as any other: 62 letters, so many keys that each is
/// expected 200 times a place; seven standard deviations are allowed.
#[test]
fn letters_are_drawn_evenly() {
    let bench = bench();
    let mut counts = [0_u32; 128];
    let draws = 400;
    for _ in 0..draws {
        let key = text(&bench.create(|_| ()));
        for byte in key[8..20].bytes().chain(key[21..51].bytes()) {
            counts[usize::from(byte)] += 1;
        }
    }
    let expected = f64::from(draws * 42) / 62.0;
    for byte in (0..=127_u8).filter(u8::is_ascii_alphanumeric) {
        let off = (f64::from(counts[usize::from(byte)]) - expected).abs();
        assert!(off < 7.0 * expected.sqrt(), "{}: {}", char::from(byte), counts[usize::from(byte)]);
    }
}

#[test]
fn the_scan_rule_is_for_keys_of_the_prefix() {
    let rule = scan_rule("my_app").unwrap();
    assert_eq!(rule.regex, r"\bmy_app_[a-z]{2,8}_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}\b");
    assert!(rule.gitleaks.contains(&format!("regex = '''{}'''", rule.regex)), "{}", rule.gitleaks);
    assert!(rule.gitleaks.contains("id = \"my-app-api-key\""), "{}", rule.gitleaks);
    assert!(rule.gitleaks.contains("keywords = [\"my_app_\"]"), "{}", rule.gitleaks);
    for wrong in ["", "My", "a b", "a'''", "a\"", "a\nb"] {
        refused(scan_rule(wrong), ErrorKind::InvalidArgument, wrong);
    }
}

#[test]
fn an_address_is_an_address_alone() {
    use gatekey::apikey::parse_ip;
    for (text, known) in
        [("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("2001:DB8::1", "2001:db8::1")]
    {
        assert_eq!(parse_ip(text).unwrap().to_string(), known);
    }
    // With a port, a zone or whatever else, who calls is not known: safer than half of it.
    for text in [
        "",
        "testclient",
        "unknown",
        "192.0.2.1:80",
        "[::1]",
        "[::1]:80",
        "fe80::1%eth0",
        "010.0.0.1",
        "10.0.0",
        " ::1",
        "192.0.2.1, 192.0.2.2",
    ] {
        assert_eq!(parse_ip(text), None, "{text}");
    }
}

#[test]
fn headers_hold_one_key_or_none() {
    use gatekey::apikey::{api_key_from_headers as from, api_key_from_query as query};
    for (headers, key) in [
        (&[("authorization", "Bearer k")][..], Some("k")),
        (&[("AUTHORIZATION", "bearer   k")], Some("k")),
        (&[("X-Api-Key", " k\t")], Some("k")),
        (&[("Authorization", "Api-Key k")], Some("k")),
        (&[("authorization", " api-key  k ")], Some("k")),
        (&[("Authorization", "ApiKey k")], Some("k")),
        (&[("Authorization", "Api-Keys k")], None),
        (&[("Authorization", "Api Key k")], None),
        (&[("Host", "a"), ("x-api-key", "k"), ("Accept", "b")], Some("k")),
        (&[("Authorization", "Basic a2V5")], None),
        (&[("Authorization", "Basic a2V5"), ("X-API-Key", "k")], Some("k")),
        (&[("Authorization", "Bearerk")], None),
        (&[("X-API-Keys", "k")], None),
        (&[], None),
    ] {
        assert_eq!(from(headers.iter().copied()).unwrap(), key, "{headers:?}");
    }
    for headers in [
        &[("Authorization", "Bearer k"), ("authorization", "Bearer k")][..],
        &[("X-API-Key", "k"), ("x-api-key", "k")],
        &[("X-API-Key", "k"), ("Authorization", "Bearer k")],
        &[("Authorization", "Basic x"), ("Authorization", "Bearer k")],
        &[("X-API-Key", "k"), ("Authorization", "Api-Key k")],
        &[("Authorization", "Bearer k"), ("Authorization", "Api-Key k")],
    ] {
        let context = format!("{headers:?}");
        refused(from(headers.iter().copied()), ErrorKind::SeveralCredentials, &context);
    }
    for headers in [
        &[("Authorization", "Bearer")][..],
        &[("Authorization", "Api-Key")],
        &[("Authorization", "Bearer ")],
        &[("X-API-Key", "")],
        &[("X-API-Key", " ")],
    ] {
        refused(from(headers.iter().copied()), ErrorKind::MalformedApiKey, &format!("{headers:?}"));
    }
    assert_eq!(query("a=1&api_key=k&b", "api_key").unwrap(), Some("k"));
    assert_eq!(query("a=1&xapi_key=k", "api_key").unwrap(), None);
    for wrong in ["api_key=a&api_key=b", "api_key=a&api_key"] {
        refused(query(wrong, "api_key"), ErrorKind::SeveralCredentials, wrong);
    }
    for wrong in ["api_key=", "api_key"] {
        refused(query(wrong, "api_key"), ErrorKind::MalformedApiKey, wrong);
    }
}
