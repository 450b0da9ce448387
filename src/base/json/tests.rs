//! The reader against RFC 8259, hostile text and serde_json.

use super::*;
use proptest::prelude::*;
use rounds::rounds;

#[path = "../../../tests/rounds/mod.rs"]
mod rounds;

fn ok(text: &str) -> bool {
    validate(text.as_bytes()).is_ok()
}

#[test]
fn accepts_what_rfc_8259_allows() {
    for text in [
        "{}",
        "[]",
        " { } ",
        "0",
        "-0",
        "1.5e-3",
        "1E+2",
        "\"\"",
        "null",
        "true",
        "false",
        "[1,[2,{\"a\":[]}]]",
        r#"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}"#,
        r#""\ud83d\ude00\u0000\/""#,
        "\t\r\n[ 1 , 2 ]\n",
        r#"{"":1}"#,
    ] {
        assert!(ok(text), "{text}");
    }
}

#[test]
fn refuses_what_it_does_not() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "'a'",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "tru",
        "nul",
        "True",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\u{0}\"",
        "{}{}",
        "{} x",
        "\u{feff}{}",
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\u0041""#,
        r#""\ud800x""#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"[{"x":{"b":1,"b":1}}]"#,
        "{\"a\" 1}",
        "[1 2]",
        "{,}",
        "/**/{}",
        "1 //",
        "0x10",
        "--1",
    ] {
        assert!(!ok(text), "{text:?}");
    }
    for bytes in
        [&b"\"\xff\""[..], b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"\xff\xfe{\0}\0", b"{\0}\0"]
    {
        assert!(validate(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn depth_is_bounded_without_recursion_trouble() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(ok(&nested(MAX_DEPTH)));
    assert!(!ok(&nested(MAX_DEPTH + 1)));
    assert!(!ok(&"[".repeat(1_000_000)));
    assert!(!ok(&"{\"a\":".repeat(1_000_000)));
}

#[test]
fn duplicates_are_found_in_objects_of_every_size() {
    for members in [1, 2, 23, 24, 25, 26, 48, 49, 100, 1000] {
        let unique: Vec<_> =
            (0..members).map(|i| format!("\"n{i}\":{{\"n0\":0,\"x\":1}}")).collect();
        assert!(ok(&format!("{{{}}}", unique.join(","))), "{members}");
        for twice in [0, members / 2, members - 1] {
            let mut doubled = unique.clone();
            doubled.push(format!("\"n{twice}\":0"));
            assert!(!ok(&format!("{{{}}}", doubled.join(","))), "{members} {twice}");
            let inner = format!("{{{},\"last\":{{{}}}}}", unique.join(","), doubled.join(","));
            assert!(!ok(&inner), "{members} {twice} inner");
        }
    }
}

#[test]
fn values_walk_the_text() {
    let value =
        parse(br#" {"s":"a\"b","n":-12,"f":1.5,"t":true,"z":null,"a":[1,"]",[2]],"o":{"k":"}"}} "#)
            .unwrap();
    let get = |name| value.member(name).unwrap();
    assert_eq!(get("s").as_str().unwrap(), "a\"b");
    assert_eq!(get("n").as_i64(), Some(-12));
    assert_eq!(get("n").as_u64(), None);
    assert_eq!(get("f").as_f64(), Some(1.5));
    assert_eq!(get("f").as_i64(), None);
    assert_eq!(get("t").as_bool(), Some(true));
    assert_eq!(get("z").kind(), Kind::Null);
    assert_eq!(get("a").elements().map(|v| v.raw()).collect::<Vec<_>>(), ["1", "\"]\"", "[2]"]);
    assert_eq!(get("o").member("k").unwrap().as_str().unwrap(), "}");
    assert!(value.member("missing").is_none());
    assert_eq!(value.members().count(), 7);
    assert_eq!(get("s").elements().count(), 0);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn same(ours: Value<'_>, theirs: &serde_json::Value) -> bool {
    use serde_json::Value as J;
    match theirs {
        J::Null => ours.kind() == Kind::Null,
        J::Bool(b) => ours.as_bool() == Some(*b),
        J::Number(n) if n.is_f64() => ours.as_f64() == n.as_f64(),
        J::Number(n) => ours.as_i64() == n.as_i64() && ours.as_u64() == n.as_u64(),
        J::String(s) => ours.as_str().as_deref() == Some(s),
        J::Array(items) => {
            ours.elements().count() == items.len()
                && ours.elements().zip(items).all(|(a, b)| same(a, b))
        }
        J::Object(map) => {
            ours.members().count() == map.len()
                && map.iter().all(|(k, v)| ours.member(k).is_some_and(|mine| same(mine, v)))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(rounds(64)))]

    #[test]
    fn reads_what_serde_json_writes(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert!(same(parse(text.as_bytes()).unwrap(), &value));
    }

    #[test]
    fn accepts_nothing_that_serde_json_refuses(text in r#"[\[\]{}",:0-9.eE+\-truefalsn\\ud8c0 ]{0,24}"#) {
        if ok(&text) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = validate(&bytes).is_ok();
        prop_assert!(!ours || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
    }

    #[test]
    fn strings_are_written_as_serde_json_reads_them(text in any::<String>()) {
        let mut out = String::new();
        write_str(&mut out, &text);
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text.clone());
        prop_assert_eq!(parse(out.as_bytes()).unwrap().as_str().unwrap(), text);
    }
}

/// An error says where, so that a long configuration needs no search.
#[test]
fn a_fault_has_a_place() {
    for (text, place) in [
        (&b"{\"a\":1,}"[..], (1, 8)),
        (b"{\n  \"a\": 1,\n  \"a\": 2\n}", (3, 6)),
        (b"{}\n\nx", (3, 1)),
        (b"", (1, 1)),
        (b"{\n\"a\": \"\xff\"}", (2, 7)),
        (b"[1,\n 2\n", (3, 1)),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.place(), Some(place), "{}", String::from_utf8_lossy(text));
        assert!(error.to_string().contains(&format!("(line {}, column {})", place.0, place.1)));
    }
}
