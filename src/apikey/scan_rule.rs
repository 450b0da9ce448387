//! Rules by which scanners find keys that were committed or pasted by mistake.

use super::format::check_prefix;
use crate::error::Result;

/// What a scanner needs to find keys of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanRule {
    /// A regular expression (RE2 and PCRE alike), as secret-scanning partner programs want it.
    pub regex: String,
    /// A rule of gitleaks, as TOML.
    pub gitleaks: String,
}

/// The rule for keys that begin with `prefix`.
///
/// # Errors
/// `InvalidArgument`: it is not a prefix.
///
/// ```
/// let rule = gatekey::apikey::scan_rule("acme")?;
/// assert_eq!(rule.regex, r"\bacme_[a-z]{2,8}_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}\b");
/// # Ok::<(), gatekey::Error>(())
/// ```
pub fn scan_rule(prefix: &str) -> Result<ScanRule> {
    check_prefix(prefix)?;
    let regex = format!(r"\b{prefix}_[a-z]{{2,8}}_[0-9A-Za-z]{{12}}_[0-9A-Za-z]{{36}}\b");
    let id = prefix.replace('_', "-");
    let gitleaks = format!(
        "[[rules]]\n\
         id = \"{id}-api-key\"\n\
         description = \"An API key of {prefix}\"\n\
         regex = '''{regex}'''\n\
         entropy = 3.5\n\
         keywords = [\"{prefix}_\"]\n"
    );
    Ok(ScanRule { regex, gitleaks })
}
