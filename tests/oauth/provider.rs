//! The certified authorization server `oidc-provider` as a child of the test, and the browser that signs in at it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) const CALLBACK: &str = "http://127.0.0.1:9999/cb";
pub(crate) const SECRET: &str = "a-secret-of-the-tests-0123456789abcdef";
pub(crate) const API: &str = "https://api.example.test";

pub(crate) struct Provider {
    pub(crate) issuer: String,
    child: Child,
}

impl Provider {
    /// Starts it for the test of this name; `None`, and a word of it that no test runner swallows, where it cannot be
    /// had.
    pub(crate) fn or_skip(test: &str, variant: &[(&str, &str)]) -> Option<Self> {
        let provider = Self::start(variant);
        if provider.is_none() {
            let _ = writeln!(std::io::stderr(), "oauth: SKIPPED {test}");
        }
        provider
    }

    /// Starts it on a free port; `None` where it cannot be had.
    pub(crate) fn start(variant: &[(&str, &str)]) -> Option<Self> {
        /// What `servers.py start` ends with where this machine cannot have the server.
        const UNAVAILABLE: i32 = 77;
        let mut child = Command::new("python3")
            .arg(servers("servers.py"))
            .args(["start", "oidc-provider"])
            .envs(variant.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(UNAVAILABLE), "tests/servers/servers.py: {status}");
            return None;
        }
        let issuer =
            line.trim().strip_prefix("READY ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Some(Self { issuer, child })
    }

    pub(crate) fn port(&self) -> String {
        self.issuer.rsplit(':').next().unwrap().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of tests/servers.
pub(crate) fn servers(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(file)
}

/// What the browser does: `login`, `deny`, `device`, `logout`; what it ends up with.
pub(crate) fn browse(arguments: &[&str]) -> String {
    let output =
        Command::new("python3").arg(servers("browser.py")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
