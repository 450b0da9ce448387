//! A real PostgreSQL as a child of the test, and schemas of it that each test has for itself.

use gatekey::store::{PostgresStore, PostgresUrl};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub(crate) const PASSWORD: &str = "Zx9!kQ@7";
const IN_A_URL: &str = "Zx9%21kQ%407";

/// The version of most tests: 18, or what `make test-all` says.
fn usual() -> String {
    std::env::var("GATEKEY_POSTGRES").unwrap_or_else(|_| "18".to_owned())
}

/// It ends when the test program does, since its input ends then.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) sockets: String,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Child,
}

impl Server {
    /// The one that all tests share that do it no harm; `None`, and a word of it that no test
    /// runner swallows, where it cannot be had.
    pub(crate) fn shared(test: &str) -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start(&usual())).as_ref();
        if shared.is_none() {
            let _ = writeln!(std::io::stderr(), "postgres: SKIPPED {test}");
        }
        shared
    }

    /// As [`Self::shared`], of Debian's version 15.
    fn of_debian(test: &str) -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start("15")).as_ref();
        if shared.is_none() {
            let _ = writeln!(std::io::stderr(), "postgres: SKIPPED {test} (15)");
        }
        shared
    }

    /// The port of Debian's pgbouncer, in transaction mode, in front of the one that all share.
    fn pool(&'static self, test: &str) -> Option<u16> {
        static POOL: OnceLock<Option<u16>> = OnceLock::new();
        let port = POOL.get_or_init(|| self.ask("bouncer").ok()?.parse().ok());
        if port.is_none() {
            let _ = writeln!(std::io::stderr(), "postgres: SKIPPED {test} (pgbouncer)");
        }
        *port
    }

    /// One for this test alone.
    pub(crate) fn own(test: &str) -> Option<Self> {
        Self::own_of(test, &usual())
    }

    /// One of this version for this test alone.
    pub(crate) fn own_of(test: &str, version: &str) -> Option<Self> {
        let own = Self::start(version);
        if own.is_none() {
            let _ = writeln!(std::io::stderr(), "postgres: SKIPPED {test}");
        }
        own
    }

    fn start(version: &str) -> Option<Self> {
        /// What `postgres.py start` ends with where this machine cannot have the server.
        const UNAVAILABLE: i32 = 77;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/postgres.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg("start")
            .env("GATEKEY_POSTGRES", version)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        if line.is_empty() {
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(UNAVAILABLE), "tests/servers/postgres.py: {status}");
            return None;
        }
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("READY"), "{line}");
        let port = words.next().unwrap().parse().unwrap();
        let sockets = words.next().unwrap().to_owned();
        let talk = Mutex::new((child.stdin.take().unwrap(), answers));
        Some(Self { port, sockets, talk, child })
    }

    /// Has it do this; what it answers.
    pub(crate) fn obey(&self, line: &str) -> String {
        self.ask(line).unwrap_or_else(|answer| panic!("{line}: {answer}"))
    }

    fn ask(&self, line: &str) -> Result<String, String> {
        let mut talk = self.talk.lock().unwrap();
        writeln!(talk.0, "{line}").unwrap();
        let mut answer = String::new();
        talk.1.read_line(&mut answer).unwrap();
        let is_done = !answer.is_empty() && !answer.starts_with("ERROR");
        if is_done { Ok(answer.trim_end().to_owned()) } else { Err(answer) }
    }

    /// What the superuser gets for this statement.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.obey(&format!("sql {}", statement.replace('\n', " ")))
    }

    /// A URL of a schema that no other test has.
    pub(crate) fn url(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        self.url_of(&format!("test_{number}"))
    }

    pub(crate) fn url_of(&self, schema: &str) -> String {
        url_at(&[self.port], schema)
    }

    /// Makes a server that streams from it; its port.
    pub(crate) fn standby(&self) -> u16 {
        self.obey("standby").parse().unwrap()
    }

    /// Waits until its standby has done all that it has done itself.
    pub(crate) fn wait_for_standby(&self) {
        let at = self.sql("SELECT pg_current_wal_insert_lsn()");
        let is_there = format!("standby sql SELECT pg_last_wal_replay_lsn() >= '{at}'");
        wait_for("the standby", || self.obey(&is_there) == "t");
    }
}

/// A server that all tests share, and perhaps a pool in front of it.
pub(crate) struct Place {
    pub(crate) server: &'static Server,
    pool: Option<u16>,
}

impl Place {
    /// PostgreSQL 18, Debian's 15, and 18 behind pgbouncer: what of that can be had.
    pub(crate) fn each(test: &str) -> Vec<Self> {
        let newest = Server::shared(test);
        let pooled = newest.and_then(|server| Some((server, server.pool(test)?)));
        let direct = [newest, Server::of_debian(test)].into_iter().flatten();
        let direct = direct.map(|server| Self { server, pool: None });
        let pooled = pooled.map(|(server, port)| Self { server, pool: Some(port) });
        direct.chain(pooled).collect()
    }

    /// A URL of a schema that no other test has; what comes from a pool, hears of changes from the
    /// server itself.
    pub(crate) fn url(&self) -> String {
        let own = self.server.url();
        let Some(port) = self.pool else { return own };
        let feed: String = own.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let schema = own.rsplit('=').next().unwrap();
        let pooled = url_at(&[port], schema);
        pooled.replace("schema=", &format!("feed_url={feed}&schema="))
    }

    /// A new store.
    pub(crate) fn store(&self) -> PostgresStore {
        open(&self.url())
    }
}

/// A URL of servers at these ports.
pub(crate) fn url_at(ports: &[u16], schema: &str) -> String {
    let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let hosts = hosts.join(",");
    format!("postgresql://postgres:{IN_A_URL}@{hosts}/postgres?schema={schema}")
}

/// Waits until it is so, for a minute at most.
#[track_caller]
pub(crate) fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&url.parse::<PostgresUrl>().unwrap()).unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        // Also after a test that has failed in the middle of it.
        let talk = self.talk.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Its input ends; it removes its folder then.
        let (_, ended) = std::io::pipe().unwrap();
        let _ = std::mem::replace(&mut talk.0, ChildStdin::from(std::os::fd::OwnedFd::from(ended)));
        let _ = self.child.wait();
    }
}
