//! Rates and credits, held against models that are too simple to be wrong.

use super::{NOW, bench, refused, text};
use crate::rounds::rounds;
use gatekey::ErrorKind;
use gatekey::apikey::{Check, CreditSpec, KeyUpdate, Rate, parse_rate};
use proptest::prelude::*;

/// How many of `cost` pass one after the other.
fn how_many(bench: &super::Bench, key: &str, cost: u32) -> u32 {
    (0..10_000).take_while(|_| bench.keys.verify(key, &Check::new().cost(cost)).is_ok()).count()
        as u32
}

#[test]
fn a_burst_then_a_drip() {
    for (burst, period) in [(1, 1), (3, 1), (7, 60), (100, 60), (1000, 1), (5000, 3600)] {
        let bench = bench();
        let key = text(&bench.create(|s| s.rate = Some(Rate { burst, period })));
        assert_eq!(how_many(&bench, &key, 1), burst, "{burst}/{period}");
        let error =
            refused(bench.keys.verify(&key, &Check::new()), ErrorKind::RateLimited, "burst");
        let wait = u64::from(error.retry_after().unwrap()).div_ceil(1000);
        bench.clock.advance(wait);
        assert!(bench.keys.verify(&key, &Check::new()).is_ok(), "{burst}/{period} after {wait} s");
        bench.clock.advance(u64::from(period));
        assert_eq!(how_many(&bench, &key, 1), burst, "{burst}/{period} after a period");
        let error = refused(
            bench.keys.verify(&key, &Check::new().cost(burst + 1)),
            ErrorKind::RateLimited,
            "cost",
        );
        assert_eq!(error.retry_after(), None, "waiting is no remedy");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(16)))]

    /// What passes is what a bucket that drains evenly takes; so in no window of `t` seconds pass more
    /// units than a burst and what drips in `t`.
    #[test]
    fn no_window_is_exceeded(
        burst in 1_u32..20,
        period in 1_u32..30,
        steps in prop::collection::vec((0_u64..10, 1_u32..5), 1..80),
    ) {
        let bench = bench();
        let key = text(&bench.create(|s| s.rate = Some(Rate { burst, period })));
        let (mut now, mut passed) = (0_u64, Vec::new());
        // A bucket that drains evenly.
        let mut level = 0.0_f64;
        for (wait, cost) in steps {
            bench.clock.advance(wait);
            now += wait;
            level = (level - wait as f64 * f64::from(burst) / f64::from(period)).max(0.0);
            let after = level + f64::from(cost);
            match bench.keys.verify(&key, &Check::new().cost(cost)) {
                Ok(_) => {
                    prop_assert!(after <= f64::from(burst) + 1e-6, "let through at a level of {level}");
                    passed.push((now, cost));
                    level = after;
                }
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::RateLimited);
                    prop_assert_eq!(error.retry_after().is_none(), cost > burst);
                    prop_assert!(after > f64::from(burst) - 1e-6, "held back at a level of {level}");
                }
            }
        }
        for (i, (from, _)) in passed.iter().enumerate() {
            let mut sum = 0_u64;
            for (to, cost) in &passed[i..] {
                sum += u64::from(*cost);
                let allowed = u64::from(burst) * (u64::from(period) + (to - from)) / u64::from(period);
                prop_assert!(sum <= allowed, "{sum} in {} s, {allowed} allowed", to - from);
            }
        }
    }

    /// What is spent never exceeds what was given and refilled, and whoever asks for what is there
    /// gets it.
    #[test]
    fn credits_add_up(
        amount in 0_u64..200,
        refill in 0_u64..20,
        steps in prop::collection::vec((0_u64..30, 1_u32..40), 1..60),
    ) {
        let bench = bench();
        let every = if refill == 0 { 0 } else { 10 };
        let key = text(&bench.create(|s| s.credits = Some(CreditSpec { amount, refill, every, limit: None })));
        let limit = amount.max(refill);
        let (mut left, mut refilled, mut now) = (amount, 0_u64, 0_u64);
        for (wait, cost) in steps {
            bench.clock.advance(wait);
            now += wait;
            if every > 0 {
                let times = (now - refilled) / u64::from(every);
                left = (left + times * refill).min(limit);
                refilled += times * u64::from(every);
            }
            let passed = bench.keys.verify(&key, &Check::new().cost(cost)).is_ok();
            let wanted = u64::from(cost);
            // A part of the credits is leased and does not count against the limit when refilling.
            if passed {
                prop_assert!(wanted <= left + limit / 64 + 1, "{wanted} of {left}");
                left = left.saturating_sub(wanted);
            } else {
                prop_assert!(wanted > left || refill > 0, "{wanted} of {left} refused");
            }
        }
    }
}

#[test]
fn a_raised_rate_frees_at_once_and_a_lowered_one_forgives_nothing() {
    let bench = bench();
    let issued = bench.create(|s| s.rate = Some(Rate { burst: 10, period: 3600 }));
    let (key, id) = (text(&issued), &issued.record.id);
    assert_eq!(how_many(&bench, &key, 1), 10);
    let set = |burst, period| {
        let rate = Some(Some(Rate { burst, period }));
        bench.keys.update(id, &KeyUpdate { rate, ..KeyUpdate::default() }).unwrap();
    };
    set(100, 60);
    assert_eq!(how_many(&bench, &key, 1), 90);
    set(5, 3600);
    assert_eq!(how_many(&bench, &key, 1), 0);
    bench.keys.update(id, &KeyUpdate { rate: Some(None), ..KeyUpdate::default() }).unwrap();
    assert_eq!(how_many(&bench, &key, 1), 10_000);
}

#[test]
fn a_clock_that_steps_back_locks_nobody_out() {
    let bench = bench();
    let key = text(&bench.create(|s| s.rate = Some(Rate { burst: 2, period: 10 })));
    assert_eq!(how_many(&bench, &key, 1), 2);
    bench.clock.set(NOW - 1_000_000);
    refused(bench.keys.verify(&key, &Check::new()), ErrorKind::RateLimited, "just used");
    bench.clock.advance(10);
    assert_eq!(how_many(&bench, &key, 1), 2, "one period is enough");
}

#[test]
fn credits_are_spent_once_and_survive_a_clean_close() {
    let bench = bench();
    let issued =
        bench.create(|s| s.credits = Some(CreditSpec { amount: 1000, ..CreditSpec::default() }));
    let (key, id) = (text(&issued), &issued.record.id);
    let other = bench.reopen(&[1]).unwrap();
    for n in 0..100 {
        let keys = if n % 2 == 0 { &bench.keys } else { &other };
        keys.verify(&key, &Check::new().cost(4)).unwrap();
    }
    let left = |keys: &gatekey::ApiKeys| keys.get(id).unwrap().credits.unwrap().remaining;
    let in_store = bench.store.api_key(id).unwrap().unwrap().record.credits.unwrap().remaining;
    let (here, there) = (left(&bench.keys) - in_store, left(&other) - in_store);
    assert!(here > 0 && there > 0, "both hold a lease");
    assert_eq!(in_store + here + there, 600);
    assert_eq!(u64::from(how_many(&bench, &key, 1)), 600 - there);
    other.close().unwrap();
    bench.clock.advance(1);
    assert_eq!(u64::from(how_many(&bench, &key, 1)), there, "a clean close loses none");
}

#[test]
fn refills_come_in_whole_intervals() {
    let bench = bench();
    let issued = bench
        .create(|s| s.credits = Some(CreditSpec { amount: 5, refill: 2, every: 60, limit: None }));
    let key = text(&issued);
    assert_eq!(how_many(&bench, &key, 1), 5);
    let error =
        refused(bench.keys.verify(&key, &Check::new()), ErrorKind::CreditsExhausted, "spent");
    assert_eq!(error.retry_after(), Some(60_000));
    bench.clock.advance(59);
    assert_eq!(how_many(&bench, &key, 1), 0);
    bench.clock.advance(1);
    assert_eq!(how_many(&bench, &key, 1), 2);
    bench.clock.advance(60 * 100);
    assert_eq!(how_many(&bench, &key, 1), 5, "no more than the limit");
    let more = KeyUpdate {
        credits: Some(Some(CreditSpec { amount: 50, ..CreditSpec::default() })),
        ..KeyUpdate::default()
    };
    bench.keys.update(&issued.record.id, &more).unwrap();
    assert_eq!(how_many(&bench, &key, 1), 50, "new credits are there at once");
}

#[test]
fn what_was_leased_of_credits_that_were_replaced_is_worth_nothing() {
    for (amount, left) in [(0, 0), (5, 5), (1000, 1000)] {
        let bench = bench();
        let issued =
            bench.create(|s| s.credits = Some(CreditSpec { amount: 1000, ..Default::default() }));
        let (id, key) = (&*issued.record.id, text(&issued));
        let other = bench.reopen(&[1]).unwrap();
        for keys in [&bench.keys, &other] {
            keys.verify(&key, &Check::new()).unwrap(); // leases some
        }
        let credits = Some(Some(CreditSpec { amount, ..CreditSpec::default() }));
        bench.keys.update(id, &KeyUpdate { credits, ..KeyUpdate::default() }).unwrap();
        other.refresh().unwrap();
        let spent = (0..2000).filter(|_| other.verify(&key, &Check::new()).is_ok()).count();
        assert_eq!(spent, left, "of {amount}");
        assert_eq!(how_many(&bench, &key, 1), 0);
        other.close().unwrap();
        bench.keys.refresh().unwrap();
        assert_eq!(how_many(&bench, &key, 1), 0, "nothing is given back that is not of them");
    }
}

/// Another process has a lease and does not know yet: what it asks the store for is of the new credits.
#[test]
fn a_lease_waits_for_the_credits_that_are_known() {
    let bench = bench();
    let issued = bench.create(|s| s.credits = Some(CreditSpec { amount: 2, ..Default::default() }));
    let (id, key) = (&*issued.record.id, text(&issued));
    let other = bench.reopen(&[1]).unwrap();
    let credits = Some(Some(CreditSpec { amount: 3, ..CreditSpec::default() }));
    bench.keys.update(id, &KeyUpdate { credits, ..KeyUpdate::default() }).unwrap();
    let spent = (0..9).filter(|_| other.verify(&key, &Check::new()).is_ok()).count();
    assert_eq!(spent, 3);
}

#[test]
fn eight_threads_take_no_more_than_there_is() {
    let bench = bench();
    let key = text(&bench.create(|s| {
        s.rate = Some(Rate { burst: 500, period: 3600 });
        s.credits = Some(CreditSpec { amount: 300, ..CreditSpec::default() });
    }));
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..200).filter(|_| bench.keys.verify(&key, &Check::new()).is_ok()).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 300);
}

#[test]
fn rates_are_written_for_people() {
    for (text, burst, period) in [
        ("100/60s", 100, 60),
        ("10/s", 10, 1),
        ("5/min", 5, 60),
        ("5/2m", 5, 120),
        ("1000/h", 1000, 3600),
        ("1/366d", 1, 366 * 86_400),
        ("4294967295/1s", u32::MAX, 1),
    ] {
        let rate = parse_rate(text).unwrap();
        assert_eq!(rate, Rate { burst, period }, "{text}");
        assert_eq!(parse_rate(&rate.to_string()).unwrap(), rate);
    }
    for wrong in [
        "",
        "/",
        "1",
        "1/",
        "/s",
        "0/s",
        "1/0s",
        "-1/s",
        "+1/s",
        "1/+1s",
        "1 /s",
        "1/ s",
        "1.5/s",
        "1/367d",
        "1/w",
        "4294967296/s",
        "1/99999999999s",
        "1/60",
        "1/s/s",
    ] {
        refused(parse_rate(wrong), ErrorKind::InvalidArgument, wrong);
    }
}
