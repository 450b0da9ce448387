//! The cookie of a log-in that has begun: everything that its callback is checked against, sealed
//! (AES-256-GCM), so that the server keeps nothing and any of its processes can finish it.
//!
//! The cookie's name is made from `state`, so that log-ins in several tabs do not disturb each
//! other. Whatever is wrong with it, the kind of error is the same.

use super::client::Inner;
use crate::base::b64;
use crate::base::json::{self, ObjectWriter};
use crate::base::secret::Secret;
use crate::base::text::argument;
use crate::crypto::{aead, constant_time_eq, hash::sha256};
use crate::error::{Error, ErrorKind, Result};
use crate::pepper::{Fields, Peppers};
use crate::web::{Cookie, SameSite};
use zeroize::Zeroizing;

/// How long a log-in may take, in seconds.
pub(super) const TTL: u64 = 600;
/// The most log-ins that one browser has begun and not finished.
const MOST: usize = 5;

pub(super) const MISMATCH: Error = Error::new(
    ErrorKind::OauthStateMismatch,
    "The callback fits no log-in that this browser has begun in the last ten minutes: its cookie is not there, or of another \
     log-in; begin again.",
);
const OTHER_KEYS: Error = Error::new(
    ErrorKind::OauthStateMismatch,
    "The log-in's cookie cannot be opened: give every process and worker that finishes log-ins the same `flow_keys`.",
);

const OTHER_CLOCK: Error = Error::new(
    ErrorKind::OauthStateMismatch,
    "The log-in was begun in the future: the clocks of two processes or machines of this site differ by more than \
     `leeway`; set them right.",
);
const NO_ROOM: Error = argument(
    "The log-in does not fit its cookie, of which a browser keeps 4096 bytes: ask for fewer `scopes`, or for a shorter \
     `return_to`.",
);

/// What the callback is checked against.
pub(super) struct Flow {
    pub(super) state_hash: [u8; 32],
    pub(super) nonce: Option<String>,
    pub(super) verifier: Option<Secret>,
    pub(super) issuer: String,
    pub(super) promises_iss: bool,
    pub(super) redirect_uri: String,
    pub(super) return_to: String,
    pub(super) scopes: Vec<String>,
    /// The one API that was asked for, if it is one: the token is then asked for it again.
    pub(super) resource: Option<String>,
    pub(super) max_age: Option<u64>,
    pub(super) begun_at: u64,
}

impl Flow {
    fn write(&self) -> Secret {
        let mut out = ObjectWriter::new();
        out.text("h", &b64::encode(&self.state_hash));
        out.optional("n", self.nonce.as_deref());
        out.optional("v", self.verifier.as_ref().map(Secret::expose_str));
        out.text("i", &self.issuer);
        out.bool("p", self.promises_iss);
        out.text("r", &self.redirect_uri);
        out.text("t", &self.return_to);
        out.text("s", &shortened(&self.scopes));
        out.optional("a", self.resource.as_deref());
        out.number("m", self.max_age);
        out.number("b", self.begun_at);
        out.end_secret()
    }

    fn read(text: &[u8]) -> Option<Self> {
        let value = json::parse(text).ok()?;
        let text = |name: &str| value.member(name)?.as_str().map(String::from);
        Some(Self {
            state_hash: b64::decode(text("h")?.as_bytes()).ok()?.try_into().ok()?,
            nonce: text("n"),
            verifier: text("v").map(Secret::from),
            issuer: text("i")?,
            promises_iss: value.member("p")?.as_bool()?,
            redirect_uri: text("r")?,
            return_to: text("t")?,
            scopes: in_full(&text("s")?)?,
            resource: text("a"),
            max_age: value.member("m").and_then(|age| age.as_u64()),
            begun_at: value.member("b")?.as_u64()?,
        })
    }

    /// That it does not fit the cookie, about the member that takes most of the room.
    #[cold]
    fn too_large(&self) -> Error {
        let members = [
            ("redirect_uri", self.redirect_uri.len()),
            ("resources", self.resource.as_ref().map_or(0, String::len)),
            ("return_to", self.return_to.len()),
            ("scopes", shortened(&self.scopes).len()),
        ];
        let largest = members.into_iter().max_by_key(|(_, size)| *size);
        largest.map_or(NO_ROOM, |(name, _)| NO_ROOM.about_claim(name))
    }
}

/// Scopes in one text, each as how many bytes at its beginning are those of the previous one, and
/// the rest: many are addresses that differ at their end only.
fn shortened(scopes: &[String]) -> String {
    let (mut out, mut before) = (String::new(), "");
    for scope in scopes {
        let same = before.bytes().zip(scope.bytes()).take_while(|(a, b)| a == b).count();
        let rest = scope.get(same..).unwrap_or_default(); // all of a scope is ASCII
        let joint = if out.is_empty() { "" } else { " " };
        out.push_str(&format!("{joint}{same}:{rest}"));
        before = scope;
    }
    out
}

fn in_full(text: &str) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (same, rest) = word.split_once(':')?;
        let before = scopes.last().map_or("", String::as_str);
        scopes.push(format!("{}{rest}", before.get(..same.parse().ok()?)?));
    }
    Some(scopes)
}

impl Inner {
    /// The `Set-Cookie` values that begin a log-in: its own, and the ends of the oldest ones beyond
    /// five.
    pub(super) fn set_flow(&self, state: &str, flow: &Flow, cookies: &str) -> Result<Vec<String>> {
        let cookie = self.cookie(&self.flow_name(&flow.state_hash))?;
        let key = key(&self.flow_keys, self.flow_keys.active()).ok_or(ErrorKind::Internal)?;
        let context = self.context(cookie.name());
        let sealed = aead::seal(&key, &context, flow.write().expose(), &*self.config.random)?;
        let value = format!("{}.{}", self.flow_keys.active(), b64::encode(&sealed));
        debug_assert!(constant_time_eq(&sha256(state.as_bytes()), &flow.state_hash));
        if cookie.name().len() + 1 + value.len() > Cookie::MAX_PAIR {
            return Err(flow.too_large());
        }
        let mut set = vec![cookie.set(&value)?];
        for name in self.surplus(cookies)? {
            set.push(self.cookie(&name)?.clear());
        }
        Ok(set)
    }

    /// The log-in that a callback's `state` belongs to.
    pub(super) fn open_flow(&self, state: &str, cookies: &str) -> Result<Flow> {
        let hash = sha256(state.as_bytes());
        let name = self.flow_name(&hash);
        let value = self.cookie(&name)?.read(cookies).ok().flatten().ok_or(MISMATCH)?;
        let flow = self.unseal(&name, value).ok_or(OTHER_KEYS)?;
        let now = self.config.now()?;
        // The clocks of two processes may differ a little.
        let in_time = match now.checked_sub(flow.begun_at) {
            Some(age) => age < TTL,
            None if flow.begun_at - now > self.config.leeway => return Err(OTHER_CLOCK),
            None => true,
        };
        if in_time && constant_time_eq(&hash, &flow.state_hash) { Ok(flow) } else { Err(MISMATCH) }
    }

    /// The `Set-Cookie` value that ends the log-in of this `state`.
    pub(super) fn clear_flow(&self, state: &str) -> Result<String> {
        Ok(self.cookie(&self.flow_name(&sha256(state.as_bytes())))?.clear())
    }

    fn unseal(&self, name: &str, value: &str) -> Option<Flow> {
        let (number, sealed) = value.split_once('.')?;
        let key = key(&self.flow_keys, number.parse().ok()?)?;
        let sealed = b64::decode(sealed.as_bytes()).ok()?;
        Flow::read(&aead::open(&key, &self.context(name), &sealed)?)
    }

    /// The names of the log-ins that must make room for one more: those that are over, and the
    /// oldest. What cannot be read is of another client, server or program on this site, and ends
    /// by itself.
    fn surplus(&self, cookies: &str) -> Result<Vec<String>> {
        if cookies.len() > Cookie::MAX_HEADER {
            return Ok(Vec::new());
        }
        let prefix = self.flow_prefix();
        let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let mut begun: Vec<(u64, String)> = pairs
            .filter(|(name, _)| {
                name.strip_prefix(prefix)
                    .is_some_and(|rest| rest.len() == 11 && b64::check(rest.as_bytes()).is_ok())
            })
            .take(64)
            .filter_map(|(name, value)| {
                self.unseal(name, value).map(|flow| (flow.begun_at, name.to_owned()))
            })
            .collect();
        begun.sort();
        let keep = MOST - 1;
        let old = self.config.now()?.saturating_sub(TTL);
        let surplus = begun.len().saturating_sub(keep);
        let is_surplus = |(at, (time, _)): &(usize, (u64, String))| *at < surplus || *time <= old;
        Ok(begun.into_iter().enumerate().filter(is_surplus).map(|(_, (_, name))| name).collect())
    }

    fn flow_name(&self, state_hash: &[u8; 32]) -> String {
        let (short, _) = state_hash.split_at(8);
        format!("{}{}", self.flow_prefix(), b64::encode(short))
    }

    /// Without `https` (on this machine, in tests) no browser takes the prefix of a safe cookie.
    fn flow_prefix(&self) -> &'static str {
        if self.is_secure() { "__Host-gk_flow_" } else { "gk_flow_" }
    }

    fn is_secure(&self) -> bool {
        !self.config.redirect_uri.as_deref().unwrap_or_default().starts_with("http://")
    }

    fn cookie(&self, name: &str) -> Result<Cookie> {
        // A form that another site posts brings cookies only if they are for all sites.
        let posted = self.config.quirks.response_mode.as_deref() == Some("form_post");
        let same_site = if posted && self.is_secure() { SameSite::None } else { SameSite::Lax };
        let builder = Cookie::builder(name).max_age(TTL).same_site(same_site);
        if self.is_secure() {
            builder.build()
        } else {
            builder.insecure().danger_allow_http().build()
        }
    }

    /// What a sealed flow belongs to: another cookie, client or server's does not fit.
    fn context(&self, name: &str) -> Vec<u8> {
        let mut context = Fields::new(b"gatekey/flow/1");
        for text in
            [name, &self.config.client_id, self.config.issuer.as_deref().unwrap_or_default()]
        {
            context.bytes(text.as_bytes());
        }
        context.into_bytes()
    }
}

fn key(keys: &Peppers, number: u32) -> Option<Zeroizing<[u8; 32]>> {
    keys.mac(number, b"gkf1 key of log-ins").map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::{in_full, shortened};

    #[test]
    fn scopes_there_and_back() {
        for scopes in [
            &[][..],
            &["openid"],
            &["a", "ab", "abc", "ab", "a", "a"],
            &["0:x", "0:", "12:y", ":"],
            &["https://api.example/read", "https://api.example/read.all", "openid"],
        ] {
            let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            assert_eq!(in_full(&shortened(&scopes)).as_ref(), Some(&scopes));
        }
        assert_eq!(shortened(&["ab:c".to_owned(), "ab:d".to_owned()]), "0:ab:c 3:d");
        for wrong in ["x", "1:a", "0:a 2:b", "-1:a", "0:a 18446744073709551616:b"] {
            assert_eq!(in_full(wrong), None, "{wrong}");
        }
    }
}
