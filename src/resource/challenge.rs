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
        let mut parts = Vec::new();
        parts.extend(self.0.realm.as_deref().map(|realm| pair("realm", realm)));
        if let Some(code) = code {
            parts.push(pair("error", code));
            parts.push(pair("error_description", kind.public_message()));
        }
        let scopes = [demand.scopes, demand.any_scopes].concat().join(" ");
        if matches!(code, None | Some("insufficient_scope")) && !scopes.is_empty() {
            parts.push(pair("scope", &scopes));
        }
        if code == Some("insufficient_user_authentication") {
            if !demand.acr_values.is_empty() {
                parts.push(pair("acr_values", &demand.acr_values.join(" ")));
            }
            // A token of the sign-in itself is one of a new sign-in.
            let max_age = if demand.fresh { demand.max_age.or(Some(0)) } else { demand.max_age };
            parts.extend(max_age.map(|age| pair("max_age", &age.to_string())));
        }
        parts.extend(self.0.metadata_url.as_deref().map(|url| pair("resource_metadata", url)));
        if parts.is_empty() {
            return Some("Bearer".to_owned());
        }
        Some(format!("Bearer {}", parts.join(", ")))
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

/// `name="value"`, without what would end the quotes or the header.
fn pair(name: &str, value: &str) -> String {
    let value: String =
        value.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect();
    format!("{name}=\"{value}\"")
}
