//! gatekey's JSON reader against serde_json: same texts accepted, same values read, but for what
//! gatekey refuses on purpose (duplicate members, more than 32 levels).

use crate::reference::Json;
use gatekey::json::{Kind, MAX_DEPTH, Value, parse, write_str};

/// Compares the two readers on one text.
pub fn run(data: &[u8]) -> bool {
    let ours = parse(data);
    let accepted = ours.is_ok();
    match (ours, Json::parse(data)) {
        (Ok(ours), Ok(theirs)) => {
            assert!(!theirs.has_duplicates(), "duplicate members accepted");
            assert!(theirs.depth() <= MAX_DEPTH, "nested too deeply, yet accepted");
            assert!(same(ours, &theirs), "the readers disagree on the value");
            assert!(parse(ours.raw().as_bytes()).is_ok(), "a value's own text is not accepted");
        }
        // Integers of any size are JSON; serde_json holds none that a double cannot.
        (Ok(_), Err(reason)) => {
            assert!(reason.to_string().starts_with("number out of range"), "{reason}")
        }
        (Err(reason), Ok(theirs)) => {
            assert!(
                theirs.has_duplicates() || theirs.depth() > MAX_DEPTH,
                "refused without a reason: {reason}"
            );
        }
        (Err(_), Err(_)) => {}
    }
    accepted
}

fn same(ours: Value<'_>, theirs: &Json) -> bool {
    match theirs {
        Json::Null => ours.kind() == Kind::Null,
        Json::Bool(value) => ours.as_bool() == Some(*value),
        Json::Number(number) if number.is_f64() => {
            ours.as_f64().zip(number.as_f64()).is_some_and(|(a, b)| close(a, b))
        }
        Json::Number(number) => {
            ours.as_i64() == number.as_i64() && ours.as_u64() == number.as_u64()
        }
        Json::String(text) => ours.as_str().as_deref() == Some(text) && written(text),
        Json::Array(items) => {
            ours.elements().count() == items.len()
                && ours.elements().zip(items).all(|(a, b)| same(a, b))
        }
        Json::Object(members) => {
            ours.members().count() == members.len()
                && ours.members().zip(members).all(|((name, a), (n, b))| name == **n && same(a, b))
                && members.iter().all(|(name, b)| ours.member(name).is_some_and(|a| same(a, b)))
        }
    }
}

/// serde_json's quick reading of a double may be one unit in the last place off.
fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= a.abs() * f64::EPSILON * 2.0
}

/// Whether a string that gatekey writes is read back by both.
fn written(text: &str) -> bool {
    let mut out = String::new();
    write_str(&mut out, text);
    serde_json::from_str::<String>(&out).is_ok_and(|back| back == text)
        && parse(out.as_bytes()).is_ok_and(|value| value.as_str().as_deref() == Some(text))
}
