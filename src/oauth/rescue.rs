//! The new refresh token of an answer that cannot be used otherwise: by then the old one may be
//! dead, and a server ends the whole log-in when that one comes back. It is taken if it can be read
//! in one way only: one member of this name, a text, within bounds; whatever else the answer is.

use super::answer;
use super::config::OAuthConfig;
use super::tokens::{innermost, refresh_token_in, token};
use crate::base::json;
use crate::base::secret::Secret;
use crate::base::url;
use crate::transport::HttpResponse;

const NAME: &str = "refresh_token";

/// The new refresh token of an answer that gives tokens, whatever else is wrong with it.
pub(super) fn new_refresh_token(config: &OAuthConfig, response: &HttpResponse) -> Option<Secret> {
    if !(200..300).contains(&response.status) {
        return None;
    }
    let quirks = &config.quirks;
    if let Some(text) = answer::readable(quirks, response) {
        return token(&innermost(quirks, answer::parsed(&text).ok()?), NAME).ok()?;
    }
    let body = response.body.expose();
    if answer::is_form(quirks, response) {
        let mut values = url::values(std::str::from_utf8(body).ok()?, NAME);
        let value = values.next().filter(|_| values.next().is_none())?;
        return refresh_token_in(url::unescape(value)?);
    }
    let object = behind_junk(body);
    let nested = quirks.nested_in.as_deref().filter(|_| member(object, "access_token").is_none());
    let raw = match nested {
        Some(name) => member(member(object, name)?, NAME)?,
        None => member(object, NAME)?,
    };
    refresh_token_in(json::parse(raw).ok()?.as_str()?)
}

/// What follows a BOM, or a guard against scripts such as `)]}',`, of a few characters that are no
/// JSON themselves.
fn behind_junk(body: &[u8]) -> &[u8] {
    let begin = body.iter().take(16).position(|byte| b"{\"[".contains(byte));
    begin.and_then(|at| body.get(at..)).unwrap_or(body)
}

/// What stands at a member of an object that is not well-formed, or has members twice; `None`
/// unless exactly one has this name.
fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = Vec::new();
    let mut values = Members { text: object, at: 0, depth: 0 };
    while let Some((own, value)) = values.next_member() {
        let own = json::parse(own).ok();
        if own.and_then(|own| own.as_str()).as_deref() == Some(name) {
            found.push(value);
        }
    }
    // What comes behind the object may be another one.
    let rest = object.get(values.at..).unwrap_or_default();
    let is_again = rest.windows(name.len()).any(|part| part == name.as_bytes());
    match found.as_slice() {
        [one] if !is_again => Some(one),
        _ => None,
    }
}

/// The members of the outermost object, told apart by brackets, commas and quotes alone.
struct Members<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Members<'a> {
    /// The next name, with its quotes, and the text of its value.
    fn next_member(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let mut name = None;
        let mut begin = None;
        loop {
            let byte = self.text.get(self.at).copied();
            let ends = matches!(byte, None | Some(b'}' | b']' | b',')) && self.depth == 1;
            if let (true, Some(name), Some(begin)) = (ends, name, begin) {
                let value = self.text.get(begin..self.at)?.trim_ascii();
                return Some((name, value)); // what ends it is looked at the next time
            }
            match byte? {
                b'"' if self.depth > 0 => {
                    let from = self.at;
                    self.skip_text();
                    if self.depth == 1 && begin.is_none() {
                        name = self.text.get(from..self.at);
                    }
                    continue;
                }
                b':' if self.depth == 1 && begin.is_none() => begin = Some(self.at + 1),
                b',' if self.depth == 1 => name = None,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.at += 1;
                        return None;
                    }
                }
                other if self.depth == 0 && !other.is_ascii_whitespace() => return None,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn skip_text(&mut self) {
        self.at += 1;
        while let Some(&byte) = self.text.get(self.at) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
        self.at = self.text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_to_read_it() {
        for (text, value) in [
            (r#"{"refresh_token":"r"}"#, Some(r#""r""#)),
            (r#" { "a" : 1 , "refresh_token" : "r" , "a" : 2 } "#, Some(r#""r""#)),
            (
                r#"{"a":{"refresh_token":"x"},"refresh_token":"r","b":["refresh_token"]}"#,
                Some(r#""r""#),
            ),
            (r#"{"a":"}\",\"refresh_token\":\"x","refresh_token":"r",}"#, Some(r#""r""#)),
            (r#"{"refresh\u005ftoken":"r"}"#, Some(r#""r""#)),
            (r#"{"a":NaN,"refresh_token":"r","b":"#, Some(r#""r""#)),
            (r#"{"refresh_token":["r"]}"#, Some(r#"["r"]"#)),
            (r#"{"a":"refresh_token"}"#, None),
            (r#"{"refresh_token":"r","refresh_token":"r"}"#, None),
            (r#"{"refresh_token":"r","refresh\u005ftoken":"s"}"#, None),
            (r#"{"refresh_token":"r"}{"refresh_token":"s"}"#, None),
            (r#"["refresh_token","r"]"#, None),
            (r#"x{"refresh_token":"r"}"#, None),
            (r#"{"refresh_token"}"#, None),
            ("", None),
        ] {
            let found = member(text.as_bytes(), NAME);
            assert_eq!(found, value.map(str::as_bytes), "{text}");
        }
        let object = r#"{"refresh_token":"r"}"#;
        for junk in ["", "\u{feff}", ")]}',\n", " for(;;); "] {
            let text = format!("{junk}{object}");
            assert_eq!(behind_junk(text.as_bytes()), object.as_bytes(), "{junk}");
        }
        for text in ["[{}]", "\"a\"{}", "no object", "0123456789abcdef{}"] {
            assert_eq!(behind_junk(text.as_bytes()), text.as_bytes());
        }
    }
}
