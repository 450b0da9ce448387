//! The certified authorization server `oidc-provider` as a child of the test, and the browser that signs in at it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

pub(crate) const CALLBACK: &str = "http://127.0.0.1:9999/cb";
pub(crate) const SECRET: &str = "a-secret-of-the-tests-0123456789abcdef";
pub(crate) const API: &str = "https://api.example.test";

pub(crate) struct Provider {
    pub(crate) issuer: String,
    child: Child,
}

impl Provider {
    /// Starts it for the test of this name; `None`, and a word of it that no test runner swallows, where it cannot be
    /// installed.
    pub(crate) fn or_skip(test: &str, environment: &[(&str, &str)]) -> Option<Self> {
        let provider = Self::start(environment);
        if provider.is_none() {
            let _ = writeln!(std::io::stderr(), "oauth: SKIPPED {test}");
        }
        provider
    }

    /// Starts it on a free port; `None` where it cannot be installed.
    pub(crate) fn start(environment: &[(&str, &str)]) -> Option<Self> {
        let server = installed()?.join("server.mjs");
        let mut child = Command::new("node")
            .arg(server)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
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

/// Where it is installed, once for all tests.
fn installed() -> Option<&'static Path> {
    static PLACE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let place = target.join("oauth");
        let status =
            Command::new(root.join("tests/oauth/install.sh")).arg(&place).status().unwrap();
        match status.code() {
            Some(0) => Some(place),
            Some(77) => None,
            _ => panic!("tests/oauth/install.sh: {status}"),
        }
    };
    PLACE.get_or_init(install).as_deref()
}

/// What the browser does: `login`, `deny`, `device`, `logout`; what it ends up with.
pub(crate) fn browse(arguments: &[&str]) -> String {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth/agent.py");
    let output = Command::new("python3").arg(agent).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
