//! How much is admitted in all: with the server within 1 % of the rate, without it at most what the
//! parts of all processes come to.

use super::*;
use crate::rounds::rounds;
use gatekey::apikey::{ApiKeyOptions, Check, IssuedKey, KeySpec};
use gatekey::store::{Limits, SharedLimits};
use gatekey::{ApiKeys, Store};
use std::sync::Arc;

const NODES: usize = 8;
const QUOTA: u32 = 2_000;

/// A process with keys: a connection of its own, and a memory of its own.
struct Node {
    limits: Arc<dyn SharedLimits>,
    keys: ApiKeys,
}

/// Nodes over one store, and a key with the quota.
fn nodes(url: &str, count: usize) -> (Vec<Node>, IssuedKey) {
    let store = Store::open("memory:").unwrap();
    let opened = |_| {
        let Limits::Shared(limits) = url.parse().unwrap() else { panic!("{url}") };
        let shared = Limits::Shared(Arc::clone(&limits));
        let keys = store.api_keys(ApiKeyOptions::new().strict(true).limits(shared)).unwrap();
        Node { limits, keys }
    };
    let nodes: Vec<Node> = (0..count).map(opened).collect();
    let mut spec = KeySpec::new("acme");
    spec.rate = Some(Rate { burst: QUOTA, period: YEAR });
    let issued = nodes[0].keys.create(&spec).unwrap();
    for node in &nodes {
        wait_for("the server", || node.keys.check_limits().is_ok());
    }
    // Each has seen all of them.
    for node in &nodes {
        node.keys.check_limits().unwrap();
        assert_eq!(node.limits.sharers() as usize, count);
    }
    (nodes, issued)
}

/// All nodes at once, each until it is refused three times in a row; how many were let.
fn all_pass(nodes: &[Node], issued: &IssuedKey, meanwhile: impl FnOnce()) -> u32 {
    let secret = issued.secret.expose_str();
    std::thread::scope(|scope| {
        let work = |node: &Node| {
            let (mut passed, mut refused) = (0, 0);
            while refused < 3 {
                match node.keys.verify(secret, &Check::new()) {
                    Ok(_) => {
                        passed += 1;
                        refused = 0;
                    }
                    Err(error) => {
                        // Never a 500 or 503.
                        assert_eq!(error.kind(), ErrorKind::RateLimited, "{error:?}");
                        refused += 1;
                    }
                }
            }
            passed
        };
        let children: Vec<_> = nodes.iter().map(|node| scope.spawn(move || work(node))).collect();
        meanwhile();
        children.into_iter().map(|child| child.join().unwrap()).sum()
    })
}

/// Row 920.
#[test]
fn eight_nodes_share_one_limit() {
    for server in Server::each("eight_nodes_share_one_limit") {
        for _ in 0..rounds(1) {
            server.command(&["FLUSHALL"]);
            let (nodes, issued) = nodes(&server.url(), NODES);
            let passed = all_pass(&nodes, &issued, || ());
            assert!(passed.abs_diff(QUOTA) <= QUOTA / 100, "{passed} of {QUOTA}");
            let alone: u64 = nodes.iter().map(|n| n.limits.state().alone).sum();
            assert_eq!(alone, 0, "the server was there");
        }
    }
}

/// Two counters, each of which admits the rate: the server's, and that of the parts. A server that
/// forgets all begins again.
fn within_bound(passed: u32, forgotten: u32) {
    let most = QUOTA * (2 + forgotten);
    assert!(
        (QUOTA * 99 / 100..=most + NODES as u32).contains(&passed),
        "{passed} of {QUOTA}, at most {most}"
    );
}

/// Row 864.
#[test]
fn a_server_that_is_killed() {
    let Some(server) = Server::own("a_server_that_is_killed", &[]) else { return };
    for _ in 0..rounds(1) {
        let (nodes, issued) = nodes(&server.url(), NODES);
        let passed = all_pass(&nodes, &issued, || {
            std::thread::sleep(Duration::from_millis(20));
            server.obey("kill");
        });
        within_bound(passed, 0);
        // From now on each has its part alone, of which it knows what all had used before.
        assert_eq!(all_pass(&nodes, &issued, || ()), 0, "the parts are used");
        server.obey("start");
        for node in &nodes {
            wait_for("the server", || node.keys.check_limits().is_ok());
        }
        let again = all_pass(&nodes, &issued, || ());
        assert!(again <= QUOTA + QUOTA / 100, "{again}: what was forgotten begins again, once");
    }
}

/// Never seen a server: each node has all of the rate, which is said; once it has been seen, the
/// parts of all are the whole.
#[test]
fn a_server_that_was_never_there_and_one_that_has_gone() {
    let Some(server) = Server::own("a_server_that_was_never_there", &[]) else { return };
    let (nodes, issued) = nodes(&server.url(), NODES);
    server.obey("kill");
    let passed = all_pass(&nodes, &issued, || ());
    assert!(passed <= QUOTA, "{passed}: eight parts of {QUOTA}");
    assert!(passed >= QUOTA * 99 / 100, "{passed}: eight parts of {QUOTA}");
    for node in &nodes {
        let state = node.limits.state();
        assert!(state.alone > 0 && !state.connected && state.last.is_some(), "{state:?}");
        // More than a part at once is for when there is a server again.
        let cost = QUOTA / NODES as u32 + 1;
        let refused =
            node.keys.verify(issued.secret.expose(), &Check::new().cost(cost)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RateLimited);
        assert!(refused.retry_after().is_some(), "{refused}");
    }
    let lonely = RedisLimits::open(&server.url()).unwrap();
    assert_eq!(lonely.sharers(), 1);
}

/// Rows 865 and 866.
#[test]
fn a_server_that_forgets_and_one_that_is_paused() {
    let Some(server) = Server::own("a_server_that_forgets", &[]) else { return };
    let (nodes, issued) = nodes(&server.url(), NODES);
    const TIMES: u32 = 5;
    let passed = all_pass(&nodes, &issued, || {
        for _ in 0..TIMES {
            server.command(&["FLUSHALL"]);
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    within_bound(passed, TIMES);
    all_pass(&nodes, &issued, || ());
    server.command(&["SCRIPT", "FLUSH"]);
    assert_eq!(all_pass(&nodes, &issued, || ()), 0, "the counter is there, and the script again");

    let paused = format!("redis://127.0.0.1:{}", server.port);
    let (slow, issued) = self::nodes(&paused, NODES);
    let passed = all_pass(&slow, &issued, || {
        std::thread::sleep(Duration::from_millis(5));
        server.command(&["CLIENT", "PAUSE", "60000", "ALL"]);
    });
    within_bound(passed, 0);
}

/// Row 867.
#[test]
fn a_server_without_memory() {
    for (policy, settings) in [
        ("noeviction", ["--maxmemory", "2mb", "--maxmemory-policy", "noeviction"]),
        ("allkeys-lru", ["--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru"]),
    ] {
        let Some(server) = Server::own("a_server_without_memory", &settings) else { return };
        let (nodes, issued) = nodes(&server.url(), NODES);
        let large = "x".repeat(20_000);
        let fill = || {
            for number in 0..500 {
                server.command(&["SET", &format!("stranger{number}"), &large]);
            }
        };
        if policy == "noeviction" {
            fill();
            // As after the connections of those who have filled it were closed.
            assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "1mb"]), "+OK");
        }
        let passed = all_pass(&nodes, &issued, || {
            if policy != "noeviction" {
                fill();
            }
        });
        // What is evicted begins again; how often that was is the server's.
        within_bound(passed, if policy == "noeviction" { 0 } else { 20 });
        if policy == "noeviction" {
            let full = nodes.iter().map(|node| {
                let troubles = node.limits.state().troubles;
                troubles.iter().filter(|(name, _)| *name == "out_of_memory").count()
            });
            assert!(full.sum::<usize>() > 0, "counted by its name");
        }
    }
}
