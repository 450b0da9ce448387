//! What a browser makes of a `Set-Cookie` header: the storage model of RFC 6265bis section 5.6 and 5.7,
//! written from its text, as far as it says whether a cookie is stored and with what.

use std::collections::BTreeMap;

/// A stored cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) path: String,
    pub(super) domain: Option<String>,
    pub(super) max_age: Option<i64>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site: String,
    pub(super) partitioned: bool,
}

/// Parses a header as section 5.6 says; `None` where the agent ignores it.
pub(super) fn parse(header: &str) -> Option<Stored> {
    let is_control = |c: char| matches!(c, '\0'..='\u{8}' | '\n'..='\u{1f}' | '\u{7f}');
    if header.chars().any(is_control) {
        return None;
    }
    let trim = |text: &str| text.trim_matches([' ', '\t']).to_owned();
    let mut parts = header.split(';');
    let pair = parts.next()?;
    let (name, value) = match pair.split_once('=') {
        Some((name, value)) => (trim(name), trim(value)),
        None => (String::new(), trim(pair)),
    };
    if name.len() + value.len() > 4096 || name.is_empty() && value.is_empty() {
        return None;
    }
    let mut cookie =
        Stored { name, value, path: "/".into(), same_site: "Default".into(), ..Stored::default() };
    let mut attributes = BTreeMap::new();
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if trim(value).len() <= 1024 {
            attributes.insert(trim(name).to_ascii_lowercase(), trim(value));
        }
    }
    if let Some(path) = attributes.get("path").filter(|path| path.starts_with('/')) {
        cookie.path.clone_from(path);
    }
    if let Some(domain) = attributes.get("domain").filter(|domain| !domain.is_empty()) {
        cookie.domain = Some(domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase());
    }
    cookie.max_age = attributes.get("max-age").and_then(|age| age.parse().ok());
    cookie.secure = attributes.contains_key("secure");
    cookie.http_only = attributes.contains_key("httponly");
    cookie.partitioned = attributes.contains_key("partitioned");
    if let Some(same_site) = attributes.get("samesite") {
        let known = ["None", "Strict", "Lax"].into_iter();
        let known = known.into_iter().find(|known| known.eq_ignore_ascii_case(same_site));
        cookie.same_site = known.unwrap_or("Default").to_owned();
    }
    may_be_stored(&cookie).then_some(cookie)
}

/// The refusals of section 5.7, for a cookie that comes over HTTPS.
fn may_be_stored(cookie: &Stored) -> bool {
    let begins = |prefix: &str| {
        cookie.name.len() >= prefix.len()
            && cookie.name[..prefix.len()].eq_ignore_ascii_case(prefix)
    };
    let host_only = cookie.domain.is_none() && cookie.path == "/";
    let refused = [
        cookie.same_site == "None" && !cookie.secure,
        cookie.partitioned && !cookie.secure,
        begins("__Secure-") && !cookie.secure,
        begins("__Host-") && !(cookie.secure && host_only),
        begins("__Http-") && !(cookie.secure && cookie.http_only),
        begins("__Host-Http-") && !cookie.http_only,
    ];
    !refused.contains(&true)
}
