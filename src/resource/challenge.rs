//! What a refused caller receives: `WWW-Authenticate` (RFC 6750 section 3, RFC 9470 section 3, RFC
//! 9728 section 5.1) and the metadata of the API itself (RFC 9728 section 2). Nothing that a caller
//! sent gets into it.

use super::access::Demand;
use super::server::ResourceServer;
use crate::base::json::ObjectWriter;
use crate::base::url::Url;
use crate::error::Error;

impl ResourceServer {
    /// The value of the `WWW-Authenticate` header for a refusal: that of [`ErrorKind::challenge`],
    /// and what this call demands; `None` where the answer has no such header.
    ///
    /// [`ErrorKind::challenge`]: crate::ErrorKind::challenge
    #[must_use]
    pub fn challenge(&self, error: &Error, demand: &Demand<'_>) -> Option<String> {
        let kind = error.kind();
        if !kind.is_challenged() {
            return None;
        }
        // No error is named to someone who has not tried (RFC 6750 section 3.1).
        let code = kind.bearer_error();
        let mut parts = Parameters(String::with_capacity(256));
        if let Some(realm) = &self.0.realm {
            parts.add("realm", [&**realm]);
        }
        if let Some(code) = code {
            parts.add("error", [code]);
            parts.add("error_description", [kind.public_message()]);
        }
        let scopes = || demand.scopes.iter().chain(demand.any_scopes).copied();
        if matches!(code, None | Some("insufficient_scope"))
            && scopes().any(|scope| !scope.is_empty())
        {
            parts.add("scope", scopes());
        }
        if code == Some("insufficient_user_authentication") {
            if !demand.acr_values.is_empty() {
                parts.add("acr_values", demand.acr_values.iter().copied());
            }
            // A token of the sign-in itself is one of a new sign-in.
            let max_age = if demand.fresh { demand.max_age.or(Some(0)) } else { demand.max_age };
            if let Some(age) = max_age {
                parts.add("max_age", [&*age.to_string()]);
            }
        }
        if let Some(url) = &self.0.metadata_url {
            parts.add("resource_metadata", [&**url]);
        }
        Some(if parts.0.is_empty() { "Bearer".to_owned() } else { parts.0 })
    }

    /// The metadata of the API (RFC 9728 section 2), to be served as `application/json` at
    /// [`Self::metadata_path`].
    #[must_use]
    pub fn metadata_json(&self) -> String {
        let inner = &self.0;
        let mut out = ObjectWriter::new();
        if !inner.audience.is_empty() {
            out.text("resource", &inner.audience);
        }
        if let Some(issuers) = &inner.issuers {
            out.texts("authorization_servers", &issuers.names().collect::<Vec<_>>());
        }
        if !inner.scopes_supported.is_empty() {
            out.texts("scopes_supported", &inner.scopes_supported);
        }
        out.texts("bearer_methods_supported", &["header"]);
        out.end()
    }

    /// The path that the metadata are served at: before the path of the API's own identifier (RFC
    /// 9728 section 3.1); `None` if that is not an address.
    #[must_use]
    pub fn metadata_path(&self) -> Option<String> {
        let url = Url::parse(&self.0.audience).ok()?;
        let path = url.path.strip_suffix('/').unwrap_or(url.path);
        Some(format!("/.well-known/oauth-protected-resource{path}"))
    }
}

/// What a challenge says: `Bearer name="value", other="one two"`.
struct Parameters(String);

impl Parameters {
    /// A parameter whose value is these texts, with spaces between, and without what would end the
    /// quotes or the header.
    fn add<'v>(&mut self, name: &str, texts: impl IntoIterator<Item = &'v str>) {
        let Self(out) = self;
        out.push_str(if out.is_empty() { "Bearer " } else { ", " });
        out.push_str(name);
        out.push_str("=\"");
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        for (at, text) in texts.into_iter().enumerate() {
            out.push_str(if at == 0 { "" } else { " " });
            if text.bytes().all(is_plain) {
                out.push_str(text);
            } else {
                out.extend(text.chars().filter(|c| u8::try_from(*c).is_ok_and(is_plain)));
            }
        }
        out.push('"');
    }
}
