//! A real PostgreSQL as a child of the test, and schemas of it that each test has for itself.

use gatekey::store::{PostgresStore, PostgresUrl};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

pub(crate) const PASSWORD: &str = "Zx9!kQ@7";
const IN_A_URL: &str = "Zx9%21kQ%407";

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
        let shared = SHARED.get_or_init(Self::start).as_ref();
        if shared.is_none() {
            let _ = writeln!(std::io::stderr(), "postgres: SKIPPED {test}");
        }
        shared
    }

    /// One for this test alone.
    pub(crate) fn own(test: &str) -> Option<Self> {
        let own = Self::start();
        if own.is_none() {
            let _ = writeln!(std::io::stderr(), "postgres: SKIPPED {test}");
        }
        own
    }

    fn start() -> Option<Self> {
        /// What `postgres.py start` ends with where this machine cannot have the server.
        const UNAVAILABLE: i32 = 77;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/postgres.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg("start")
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
        let mut talk = self.talk.lock().unwrap();
        writeln!(talk.0, "{line}").unwrap();
        let mut answer = String::new();
        talk.1.read_line(&mut answer).unwrap();
        let is_done = !answer.is_empty() && !answer.starts_with("ERROR");
        assert!(is_done, "{line}: {answer}");
        answer.trim_end().to_owned()
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
        format!("postgresql://postgres:{IN_A_URL}@127.0.0.1:{}/postgres?schema={schema}", self.port)
    }

    /// A new store.
    pub(crate) fn store(&self) -> PostgresStore {
        open(&self.url())
    }
}

pub(crate) fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&url.parse::<PostgresUrl>().unwrap()).unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(talk) = self.talk.get_mut() {
            // Its input ends; it removes its folder then.
            let (_, ended) = std::io::pipe().unwrap();
            let _ =
                std::mem::replace(&mut talk.0, ChildStdin::from(std::os::fd::OwnedFd::from(ended)));
        }
        let _ = self.child.wait();
    }
}
