//! Rates that the processes of one machine share, at once, one after the other, and killed.

use super::apikey::open;
use super::rounds::rounds;
use super::{Dice, append, child, folder, say};
use gatekey::ErrorKind;
use gatekey::apikey::{Check, IssuedKey, KeySpec, KeyUpdate, Rate};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// So long that nothing drips while a test runs.
const YEAR: u32 = 366 * 86_400;

/// What a child does in this part.
pub(super) fn play(part: &str, number: &str, folder: &Path) -> bool {
    match part {
        "limited" => use_keys(folder, number),
        "hasty" => use_until_killed(folder),
        #[cfg(unix)]
        "cut" => cut_off(folder),
        _ => return false,
    }
    true
}

fn keys_in(folder: &Path) -> Vec<String> {
    std::fs::read_to_string(folder.join("limited")).unwrap().lines().map(str::to_owned).collect()
}

fn limited(folder: &Path, burst: u32) -> IssuedKey {
    let keys = open(folder);
    let mut spec = KeySpec::new("acme");
    spec.rate = Some(Rate { burst, period: YEAR });
    let issued = keys.create(&spec).unwrap();
    append(folder, "limited", issued.secret.expose_str());
    keys.close().unwrap();
    issued
}

/// Uses each key as long as it is let, when all children are there.
fn use_keys(folder: &Path, number: &str) {
    let keys = open(folder);
    append(folder, &format!("ready{number}"), "");
    while !folder.join("go").exists() {
        std::hint::spin_loop();
    }
    for (place, key) in keys_in(folder).iter().enumerate() {
        let mut passed = 0;
        loop {
            match keys.verify(key, &Check::new()) {
                Ok(_) => passed += 1,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error:?}");
                    break;
                }
            }
        }
        append(folder, &format!("passed{place}"), &passed.to_string());
    }
    keys.check_limits().unwrap();
}

fn sum(folder: &Path, place: usize) -> u32 {
    let text = std::fs::read_to_string(folder.join(format!("passed{place}"))).unwrap();
    text.lines().map(|line| line.parse::<u32>().unwrap()).sum()
}

/// Every round on new keys, and every other one on a new table, which the children make at once.
#[test]
fn processes_share_the_limit_of_a_key() {
    const BURST: u32 = 50;
    for round in 0..rounds(2) {
        for processes in [4, 8] {
            let folder = folder(&format!("limits-{round}-{processes}"));
            for _ in 0..20 {
                limited(&folder, BURST);
            }
            let children = |from: usize| -> Vec<Child> {
                let start = |n| child(&format!("limited:{}", from + n), &folder, Stdio::null());
                (0..processes).map(start).collect()
            };
            let mut first = children(0);
            while !(0..processes).all(|n| folder.join(format!("ready{n}")).exists()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::fs::write(folder.join("go"), "").unwrap();
            first.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
            let most = BURST + u32::try_from(processes).unwrap();
            let passed: Vec<u32> = (0..20).map(|place| sum(&folder, place)).collect();
            for passed in &passed {
                assert!(
                    (BURST..=most).contains(passed),
                    "{passed} of {BURST}, {processes} processes"
                );
            }
            // A restart forgets nothing.
            children(100).iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
            let later: Vec<u32> = (0..20).map(|place| sum(&folder, place)).collect();
            assert_eq!(later, passed);
            let files = std::fs::read_dir(&folder).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            let tables: Vec<String> = names.filter(|name| name.contains("limits")).collect();
            assert_eq!(tables, ["keys.sqlite.limits"]);
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
}

/// A mark after each request that has passed.
fn use_until_killed(folder: &Path) {
    let keys = open(folder);
    let key = keys_in(folder).remove(0);
    say("begun");
    while keys.verify(&key, &Check::new()).is_ok() {
        say("!");
    }
}

#[test]
fn kills_lose_no_limit_and_lock_no_key() {
    let folder = folder("limits-killed");
    let (kills, mut told, mut dice) = (rounds(20), 0, Dice(7));
    // More than they can use before they are killed.
    let burst = 60_000 * kills;
    let issued = limited(&folder, burst);
    for round in 0..kills {
        let place = |n| folder.join(format!("told-{round}-{n}"));
        let start = |n| {
            let out = std::fs::File::create(place(n)).unwrap();
            child(&format!("hasty:{n}"), &folder, out.into())
        };
        let mut pair: Vec<Child> = (0..2).map(start).collect();
        // Long enough for most, and for some only to make the table.
        std::thread::sleep(Duration::from_micros(2_000 + dice.roll(30_000)));
        for (n, child) in pair.iter_mut().enumerate() {
            child.kill().unwrap();
            assert!(child.wait().unwrap().code().is_none(), "a child ended by itself");
            let text = std::fs::read_to_string(place(n)).unwrap();
            told += text.lines().filter(|line| *line == "!").count();
        }
    }
    let keys = open(&folder);
    keys.check_limits().unwrap();
    let passes =
        || (0..).take_while(|_| keys.verify(issued.secret.expose(), &Check::new()).is_ok());
    let left = passes().count();
    let (all, killed, wanted) = (told + left, 2 * kills as usize, burst as usize);
    assert!(all <= wanted && all + killed >= wanted, "{told} told and {left} left of {burst}");
    assert!(told > 0 && left > 0, "{told} told and {left} left: the kills came at no good time");
    // The key is not stuck: a higher rate lets as many more through.
    let rate = Some(Some(Rate { burst: burst + burst / 50, period: YEAR }));
    keys.update(&issued.record.id, &KeyUpdate { rate, ..KeyUpdate::default() }).unwrap();
    let more = passes().count();
    assert!(more.abs_diff(wanted / 50) <= 1, "{more} more of {}", wanted / 50);
    eprintln!("{killed} processes killed, {told} requests told of, {left} left");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Cuts the table off while it is mapped; the next request comes later than the next look.
#[cfg(unix)]
fn cut_off(folder: &Path) {
    let keys = open(folder);
    let key = keys_in(folder).remove(0);
    let table = folder.join("keys.sqlite.limits");
    for length in [0, 1, 65_536, 65_536 + 16] {
        keys.verify(&key, &Check::new()).unwrap();
        std::fs::OpenOptions::new().write(true).open(&table).unwrap().set_len(length).unwrap();
        std::thread::sleep(Duration::from_millis(30));
        keys.verify(&key, &Check::new()).unwrap();
        assert!(std::fs::metadata(&table).unwrap().len() > 65_536 + 16, "{length}");
        keys.check_limits().unwrap();
    }
    say("alive");
}

/// A mapped file that was made shorter kills who reads it: whoever looks first maps another.
#[cfg(unix)]
#[test]
fn a_table_that_is_cut_off_is_noticed_before_it_is_read() {
    let folder = folder("limits-cut");
    limited(&folder, 100);
    let out = std::fs::File::create(folder.join("said")).unwrap();
    let ended = child("cut", &folder, out.into()).wait().unwrap();
    let said = std::fs::read_to_string(folder.join("said")).unwrap();
    assert!(ended.success() && said.contains("alive"), "{ended}: {said}");
    std::fs::remove_dir_all(&folder).unwrap();
}
