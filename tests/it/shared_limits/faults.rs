//! Servers that say something else, half of it, or nothing; ports that are none; log-ins.

use super::relay::Say;
use super::*;

/// Row 868.
#[test]
fn whatever_a_server_says_each_process_has_its_part() {
    let Some(server) = Server::own("whatever_a_server_says", &[]) else { return };
    for (said, trouble, stays) in [
        ("-READONLY You can't write against a read only replica.\r\n", "replica", false),
        ("-LOADING Redis is loading the dataset in memory\r\n", "not_ready", false),
        ("-MASTERDOWN Link with MASTER is down\r\n", "not_ready", false),
        ("-CLUSTERDOWN The cluster is down\r\n", "not_ready", false),
        ("-BUSY Redis is busy running a script.\r\n", "busy", true),
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", "out_of_memory", true),
        ("-NOSCRIPT No matching script.\r\n", "refused", true),
        ("-NOPERM this user has no permissions\r\n", "rights", false),
        ("-NOAUTH Authentication required.\r\n", "login", false),
        ("-MOVED 3999 127.0.0.1:6381\r\n", "cluster", false),
        ("-ERR user_script:1: something\r\n", "refused", true),
        ("-\r\n", "refused", true),
        ("+OK\r\n", "garbled", false),
        ("$3\r\nabc\r\n", "garbled", false),
        ("*1\r\n:1\r\n", "garbled", false),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "garbled", false),
    ] {
        let relay = Relay::to(server.port);
        let limits = open(&relay.url());
        let (ten, name) = (Rate { burst: 10, period: YEAR }, counter(said));
        assert_eq!(take(&limits, &name, ten), Some(true), "{said}");
        let before = relay.made();
        relay.say(Say::This(said));
        assert_eq!(take(&limits, &name, ten), None, "{said}");
        assert_eq!(times(&limits, trouble), 1, "{said}: {:?}", limits.state());
        let last = limits.state().last.unwrap();
        assert!(!format!("{last} {last:?}").contains("read only replica"), "our own words: {last}");
        relay.say(Say::Itself);
        if stays {
            assert_eq!(take(&limits, &name, ten), Some(true), "{said}");
            assert_eq!(relay.made(), before, "{said}");
        } else {
            // One attempt to connect, and then none for three seconds, however often it is asked.
            for _ in 0..1000 {
                let _ = take(&limits, &name, ten);
            }
            assert!(relay.made() <= before + 1, "{said}: {} connections", relay.made());
        }
    }
}

/// Row 869.
#[test]
fn half_an_answer_and_then_silence() {
    let Some(server) = Server::own("half_an_answer", &[]) else { return };
    let relay = Relay::to(server.port);
    let limits = open(&format!("redis://127.0.0.1:{}?timeout_ms=50", relay.port));
    let (ten, name) = (Rate { burst: 10, period: YEAR }, counter("half"));
    relay.say(Say::Half);
    wait_for("silence", || take(&limits, &name, ten).is_none());
    assert!(times(&limits, "silent") > 0);
    let before = times(&limits, "silent");
    relay.say(Say::Itself);
    wait_for("an answer", || take(&limits, &name, ten).is_some());
    // Frozen, as a machine that was stopped: nobody says good-bye.
    server.obey("freeze");
    wait_for("silence", || take(&limits, &name, ten).is_none());
    assert!(times(&limits, "silent") > before);
    server.obey("thaw");
    wait_for("an answer", || take(&limits, &name, ten).is_some());
}

/// Row 927.
#[test]
fn a_replica_counts_nothing() {
    let Some(server) = Server::own("a_replica_counts_nothing", &[]) else { return };
    let limits = open(&server.url());
    let (ten, name) = (Rate { burst: 10, period: YEAR }, counter("replica"));
    assert_eq!(take(&limits, &name, ten), Some(true));
    // Of a primary that is not there.
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_for("a refusal", || take(&limits, &name, ten).is_none());
    let told = times(&limits, "replica") + times(&limits, "not_ready");
    assert!(told > 0, "{:?}", limits.state());
    server.command(&["REPLICAOF", "NO", "ONE"]);
    wait_for("the primary", || take(&limits, &name, ten).is_some());
}

/// Row 928.
#[test]
fn log_ins_and_what_is_refused_before_anything_is_sent() {
    const WORD: &str = "Zx9!kQ@7";
    let Some(server) = Server::own("log_ins", &["--requirepass", WORD]) else { return };
    let place = format!("127.0.0.1:{}", server.port);
    let whole = format!("redis://:Zx9%21kQ%407@{place}?timeout_ms=1000");
    let limits = open(&whole);
    assert_eq!(take(&limits, &counter("a"), Rate { burst: 1, period: YEAR }), Some(true));
    let mut said = vec![format!("{limits:?} {:?}", limits.state())];
    for (url, trouble) in [
        (format!("redis://{place}"), "login"),
        (format!("redis://:wrong@{place}"), "login"),
        (format!("redis://nobody:Zx9%21kQ%407@{place}"), "login"),
        (format!("rediss://:Zx9%21kQ%407@{place}"), "tls"),
        ("redis://:Zx9%21kQ%407@127.0.0.1:1".to_owned(), "unreachable"),
        ("redis://:Zx9%21kQ%407@localhost:1".to_owned(), "unreachable"),
    ] {
        let limits = RedisLimits::open(&url).unwrap();
        let error = limits.check().unwrap_err();
        let known: Vec<_> = limits.state().troubles;
        let fits = known == [(trouble, 1)] || (trouble == "tls" && known.len() == 1);
        assert!(fits, "{url}: {known:?}");
        said.push(format!("{error} {error:?} {limits:?} {:?}", limits.state()));
    }
    for url in [
        "redis://cache.example",
        "redis://:Zx9%21kQ%407@cache.example",
        "rediss://cache.example",
        "redis://:Zx9%21kQ%407@192.0.2.1",
    ] {
        let error = RedisLimits::open(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{url}");
        said.push(format!("{error} {error:?}"));
    }
    let options = gatekey::open::StoreOptions::new().limits(&whole);
    said.push(format!("{options:?} {:?}", gatekey::Guard::builder().limits(&whole)));
    for text in &said {
        for form in [WORD, "Zx9", "kQ%40"] {
            assert!(!text.contains(form), "{text}");
        }
    }
}

/// Threads that ask at once share exchanges, and each gets its own answer.
#[test]
fn many_threads_share_one_connection() {
    let Some(server) = Server::own("many_threads_share_one_connection", &[]) else { return };
    let relay = Relay::to(server.port);
    let limits = open(&relay.url());
    std::thread::scope(|scope| {
        for thread in 0..32_u32 {
            let limits = &limits;
            scope.spawn(move || {
                let rate = Rate { burst: thread + 1, period: YEAR };
                let name = counter(&format!("thread {thread}"));
                let all = (0..60).map(|_| take(limits, &name, rate).expect("an answer"));
                assert_eq!(all.filter(|taken| *taken).count(), thread as usize + 1);
            });
        }
    });
    assert_eq!(relay.made(), 1);
    assert_eq!(limits.state().alone, 0);
}
