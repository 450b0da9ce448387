//! A real server as a child of the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// It ends when the test program does, since its input ends then.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) socket: String,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Child,
}

impl Server {
    /// One for this test alone, with these settings; `None`, and a word of it that no test runner
    /// swallows, where it cannot be had.
    pub(crate) fn own(test: &str, settings: &[&str]) -> Option<Self> {
        Self::named("valkey", test, settings)
    }

    /// Valkey and Redis, as far as they can be had.
    pub(crate) fn each(test: &str) -> Vec<Self> {
        let named = |name| Self::named(name, test, &[]);
        ["valkey", "redis"].into_iter().filter_map(named).collect()
    }

    fn named(name: &str, test: &str, settings: &[&str]) -> Option<Self> {
        /// What `valkey.py start` ends with where this machine cannot have the server.
        const UNAVAILABLE: i32 = 77;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/valkey.py");
        let mut child = Command::new("python3")
            .arg(script)
            .args(["start", name])
            .args(settings)
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
            assert_eq!(status.code(), Some(UNAVAILABLE), "tests/servers/valkey.py: {status}");
            let _ = writeln!(std::io::stderr(), "{name}: SKIPPED {test}");
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], "READY", "{line}");
        let (port, socket) = (words[1].parse().unwrap(), words[2].to_owned());
        let talk = Mutex::new((child.stdin.take().unwrap(), answers));
        Some(Self { port, socket, talk, child })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}?timeout_ms=1000", self.port)
    }

    /// Has it do this: `kill`, `start`, `freeze`, `thaw`.
    pub(crate) fn obey(&self, word: &str) {
        let mut talk = self.talk.lock().unwrap();
        writeln!(talk.0, "{word}").unwrap();
        let mut answer = String::new();
        talk.1.read_line(&mut answer).unwrap();
        assert_eq!(answer, "DONE\n", "{word}");
    }

    /// Sends commands, over one connection; the first line of each answer, or the text that it holds.
    pub(crate) fn all(&self, commands: &[&[&str]]) -> Vec<String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut answers = BufReader::new(&stream);
        let mut given = Vec::new();
        for command in commands {
            let parts = command.iter().map(|part| format!("${}\r\n{part}\r\n", part.len()));
            let text = format!("*{}\r\n{}", command.len(), parts.collect::<String>());
            (&stream).write_all(text.as_bytes()).unwrap();
            let mut line = String::new();
            answers.read_line(&mut line).unwrap();
            let mut line = line.trim_end().to_owned();
            if let Some(length) = line.strip_prefix('$')
                && let Ok(length) = length.parse::<usize>()
            {
                let mut text = vec![0; length + 2];
                answers.read_exact(&mut text).unwrap();
                line = String::from_utf8_lossy(&text[..length]).into_owned();
            }
            given.push(line);
        }
        given
    }

    pub(crate) fn command(&self, command: &[&str]) -> String {
        self.all(&[command]).remove(0)
    }

    /// The names of all keys.
    pub(crate) fn keys(&self) -> Vec<String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        (&stream).write_all(b"KEYS *\r\n").unwrap();
        let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
        let count: usize = lines.next().unwrap()[1..].parse().unwrap();
        let lines = lines.take(2 * count).collect::<Vec<_>>();
        lines.into_iter().filter(|line| !line.starts_with('$')).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(talk) = self.talk.get_mut() {
            // Its input ends; it stops the server then.
            let (_, ended) = std::io::pipe().unwrap();
            let _ =
                std::mem::replace(&mut talk.0, ChildStdin::from(std::os::fd::OwnedFd::from(ended)));
        }
        let _ = self.child.wait();
    }
}
