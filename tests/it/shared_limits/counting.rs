//! What is counted: the same as everywhere, in one place for all.

use super::*;
use gatekey::apikey::{ApiKeyOptions, Check, KeySpec};
use gatekey::open::StoreOptions;
use gatekey::{ApiKeys, Store};

#[test]
fn units_costs_looks_and_what_is_given_back() {
    for server in Server::each("units_costs_looks_and_what_is_given_back") {
        let (here, there) =
            (open(&server.url()), open(&format!("unix:{}?timeout_ms=1000", server.socket)));
        let (ten, name) = (Rate { burst: 10, period: YEAR }, counter("a"));
        for _ in 0..3 {
            assert!(matches!(here.take(&name, ten, 10, false), Ok(Counted::Taken(_))), "a look");
        }
        assert!(matches!(here.take(&name, ten, 4, true), Ok(Counted::Taken(_))));
        assert!(matches!(there.take(&name, ten, 7, true), Ok(Counted::Wait(_))));
        assert!(matches!(there.take(&name, ten, 7, false), Ok(Counted::Wait(_))));
        assert!(matches!(there.take(&name, ten, 6, true), Ok(Counted::Taken(_))));
        // All is used: a unit is there in a tenth of the period.
        let unit = u64::from(YEAR) * 100_000_000;
        let Ok(Counted::Wait(wait)) = here.take(&name, ten, 1, true) else { panic!("one more") };
        assert!(wait <= unit + 1_000_000 && wait > unit / 10 * 9, "{wait} of {unit}");
        assert!(matches!(here.take(&name, ten, 0, true), Ok(Counted::Taken(_))), "costs nothing");
        here.give_back(&name, ten).unwrap();
        assert_eq!([take(&there, &name, ten), take(&there, &name, ten)], [Some(true), Some(false)]);
        // Giving back more than was taken is no credit.
        (0..20).for_each(|_| here.give_back(&name, ten).unwrap());
        assert_eq!((0..20).filter(|_| take(&here, &name, ten) == Some(true)).count(), 10);
        // Another rate: the units that were used stay used.
        let hundred = Rate { burst: 100, period: YEAR };
        let more = (0..200).filter(|_| take(&there, &name, hundred) == Some(true)).count();
        assert_eq!(more, 90);
        // Other names are other counters, and none has anything of a caller's in it.
        assert_eq!(take(&here, &counter("b"), ten), Some(true));
        let keys = server.keys();
        assert_eq!(keys.len(), 3, "{keys:?}");
        for key in keys {
            let rest = key.strip_prefix("{gatekey}:").unwrap();
            let hex = rest.strip_prefix("limit:").unwrap_or("");
            let is_hex = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(rest == "processes" || is_hex, "{key}");
        }
    }
}

/// Costs and rates at their ends, names with anything in them.
#[test]
fn odd_rates_costs_and_names() {
    let Some(server) = Server::own("odd_rates_costs_and_names", &[]) else { return };
    let limits = open(&server.url());
    let long = "x".repeat(1 << 20);
    let names = ["", ":", "a:b", "{a}", "}{", "\r\nDEL x\r\n", "\0", &long];
    for (at, name) in names.iter().enumerate() {
        for rate in [
            Rate { burst: 1, period: 1 },
            Rate { burst: u32::MAX, period: 1 },
            Rate { burst: 1, period: YEAR },
            Rate { burst: u32::MAX, period: YEAR },
        ] {
            let name = Counter::of(&[
                name.as_bytes(),
                &rate.burst.to_be_bytes(),
                &rate.period.to_be_bytes(),
            ]);
            let all = limits.take(&name, rate, rate.burst, true);
            assert!(matches!(all, Ok(Counted::Taken(_))), "{at} {rate}: {all:?}");
            let full = limits.take(&name, rate, rate.burst, true);
            let is_full = matches!(full, Ok(Counted::Wait(_)));
            assert!(is_full || rate.period == 1, "{at} {rate}: {full:?}");
        }
    }
    // The life of a counter is what it takes to drain, in milliseconds.
    let name = counter("life");
    assert!(limits.take(&name, Rate { burst: 10, period: 3600 }, 5, true).is_ok());
    let key = server.keys().into_iter().find(|key| server.command(&["PTTL", key]).len() == 8);
    let life: i64 = server.command(&["PTTL", &key.unwrap()])[1..].parse().unwrap();
    assert!((1_700_000..=1_800_000).contains(&life), "{life}");
    // Two lists of parts that differ anywhere.
    let of = |parts: [&str; 2]| Counter::of(&parts.map(str::as_bytes));
    assert_ne!(of(["a:b", "c"]), of(["a", "b:c"]));
}

/// `?name=` keeps services apart that share a server.
#[test]
fn services_that_share_a_server_are_kept_apart() {
    let Some(server) = Server::own("services_that_share_a_server", &[]) else { return };
    let one = Rate { burst: 1, period: YEAR };
    let shop = open(&format!("{}&name=shop", server.url()));
    let blog = open(&server.url().replace('?', "/0?name=blog&"));
    let other = open(&server.url().replace('?', "/1?name=shop&"));
    for limits in [&shop, &blog, &other] {
        assert_eq!(take(limits, &counter("a"), one), Some(true));
        assert_eq!(take(limits, &counter("a"), one), Some(false));
    }
}

/// Values that lie where the script would have put them when the server's clock was an hour ahead or
/// behind, and values that are none of ours.
#[test]
fn a_clock_that_stepped_and_values_of_strangers() {
    let Some(server) = Server::own("a_clock_that_stepped_and_values_of_strangers", &[]) else {
        return;
    };
    let limits = open(&server.url());
    let (ten, name) = (Rate { burst: 10, period: 60 }, counter("clock"));
    assert_eq!(take(&limits, &name, ten), Some(true));
    let key = server.keys().into_iter().find(|key| key.contains("limit")).unwrap();
    let ours = server.command(&["GET", &key]);
    let (tat, unit) = ours.split_once(' ').unwrap();
    let tat: f64 = tat.parse().unwrap();
    for (value, most, least) in [
        // An hour ahead: all of it is used, once, and then it drains as ever.
        (format!("{:.3} {unit}", tat + 3.6e9), 0, 0),
        (format!("99999999999999999999.0 {unit}"), 0, 0),
        (format!("{}.0 {unit}", "9".repeat(30)), 0, 0),
        // An hour behind: one burst.
        (format!("{:.3} {unit}", tat - 3.6e9), 10, 10),
        // What is none of ours counts as nothing.
        (String::new(), 10, 10),
        ("nonsense".to_owned(), 10, 10),
        (format!("-1.0 {unit}"), 10, 10),
        ("nan nan".to_owned(), 10, 10),
        (format!("{tat:.3} 0.000000"), 10, 10),
        (format!("{:.3} 0.000001", tat + 3.6e9), 0, 0),
        ("9".repeat(1 << 16), 10, 10),
    ] {
        server.command(&["SET", &key, &value]);
        let passed = (0..15).filter(|_| take(&limits, &name, ten) == Some(true)).count();
        // A unit may have drained meanwhile.
        assert!((least..=most + 1).contains(&passed), "{passed} after {value:.80}");
        let life: i64 = server.command(&["PTTL", &key])[1..].parse().unwrap();
        assert!((1..=60_000).contains(&life), "{life} after {value:.80}");
        let now = server.command(&["GET", &key]);
        let left: f64 = now.split_once(' ').unwrap().0.parse().unwrap();
        assert!(left <= tat + 120e6, "{now} after {value:.80}");
    }
    // A list, a hash or a set is in the place of nothing as well.
    for command in [&["LPUSH", &key, "x"][..], &["HSET", &key, "a", "b"], &["SADD", &key, "x"]] {
        server.all(&[&["DEL", &key], command]);
        assert_eq!(take(&limits, &name, ten), Some(true), "{command:?}");
        assert_eq!(server.command(&["TYPE", &key]), "+string");
    }
    server.all(&[&["DEL", "{gatekey}:processes"], &["SET", "{gatekey}:processes", "x"]]);
    limits.check().unwrap();
    assert_eq!(server.command(&["TYPE", "{gatekey}:processes"]), "+zset");
}

fn store(url: &str) -> Store {
    Store::open_with("memory:", StoreOptions::new().limits(url)).unwrap()
}

/// A key with a rate, in a store that names the server, and another rate that is counted elsewhere.
#[test]
fn keys_of_a_store_are_counted_together() {
    let Some(server) = Server::own("keys_of_a_store_are_counted_together", &[]) else { return };
    let store = store(&server.url());
    let here = store.api_keys(ApiKeyOptions::new()).unwrap();
    let there = store.api_keys(ApiKeyOptions::new()).unwrap();
    here.check_limits().unwrap();
    let mut spec = KeySpec::new("acme");
    spec.rate = Some(Rate { burst: 10, period: YEAR });
    let issued = here.create(&spec).unwrap();
    let passes =
        |keys: &ApiKeys, cost| keys.verify(issued.secret.expose(), &Check::new().cost(cost));
    assert_eq!(passes(&here, 4).unwrap().rate_left().unwrap().remaining, 6);
    wait_for("the key", || passes(&there, 0).is_ok());
    assert_eq!(passes(&there, 6).unwrap().rate_left().unwrap().remaining, 0);
    assert_eq!(passes(&here, 1).unwrap_err().kind(), ErrorKind::RateLimited);
    let never = passes(&here, 11).unwrap_err();
    assert!(never.retry_after().is_none(), "more than is ever allowed: {never}");
    // In memory alone nothing can be said of it.
    assert!(gatekey::reach::in_memory(|| passes(&here, 1)).is_none());
    let state = store.limits_state().unwrap();
    assert!(state.connected && state.alone == 0 && state.asked >= 3, "{state:?}");
    // What the keys say for themselves goes first.
    let options = ApiKeyOptions::new().limits(gatekey::store::Limits::Off);
    let alone = store.api_keys(options).unwrap();
    assert!(passes(&alone, 10).is_ok());
    assert!(alone.check_limits().is_err());
}
