//! Nothing that an attacker may have written steers a terminal; dates.

use super::*;

#[test]
fn strangers_do_not_steer_the_terminal() {
    let text = "{\"a\":[1,{}],\"\u{9b}31m\":\"\\u001b[2J\u{202e}\u{7f}\",\"n\":1.50,\"e\":[]}";
    let value = crate::json::parse(text.as_bytes()).unwrap();
    let wanted = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"\\u009b31m\": \
                  \"\\u001b[2J\\u202e\\u007f\",\n  \"n\": 1.50,\n  \"e\": []\n}";
    assert_eq!(pretty(&value).0, wanted);
}

#[test]
fn nothing_of_a_record_steers_the_terminal() {
    let evil =
        "a\u{1b}]0;x\u{7}\r\n\t\u{9b}2J\u{202e}\u{2066}\u{61c}\u{ad}\u{e0041}\u{7f}z".to_owned();
    let mut record = KeyRecord { altered: true, ..KeyRecord::default() };
    for text in [
        &mut record.id,
        &mut record.prefix,
        &mut record.env,
        &mut record.tenant,
        &mut record.owner,
        &mut record.name,
        &mut record.reason,
        &mut record.meta,
        &mut record.created_by,
    ] {
        text.clone_from(&evil);
    }
    (record.scopes, record.cidrs) = (vec![evil.clone()], vec![evil.clone()]);
    let mut audit = AuditRecord::new(1, 1, evil.clone(), evil.clone(), evil.clone(), evil.clone());
    audit.detail.clone_from(&evil);
    let session = SessionRecord {
        family: evil.clone(),
        subject: evil.clone(),
        client: evil.clone(),
        meta: evil.clone(),
        ..SessionRecord::default()
    };
    let event = SessionEvent {
        family: evil.clone(),
        subject: evil.clone(),
        action: evil.clone(),
        detail: evil.clone(),
        ..SessionEvent::default()
    };
    let all = [
        key(&record, 0),
        keys(std::slice::from_ref(&record), 0),
        self::audit(&[audit]),
        self::session(&session, 0),
        sessions(&[session], 0),
        session_events(&[event]),
        Shown::from(&evil),
        Shown::from(evil.clone()),
        Shown::lines([&evil]),
    ];
    for shown in all {
        assert!(!shown.0.chars().any(|c| steers(c) && c != '\n'), "{:?}", shown.0);
        assert!(shown.0.contains("\\u001b]0;x\\u0007\\u000d\\u000a"), "{:?}", shown.0);
    }
    // Programs read the same: JSON, in which these stand in texts only.
    let json = visible("\u{1b}\n\u{9b}", Newlines::Stay);
    assert_eq!(json, "\\u001b\n\\u009b");
    assert!(matches!(visible("plain \u{e9}", Newlines::Stay), Cow::Borrowed(_)));
}

#[test]
fn dates() {
    assert_eq!(date(0), "1970-01-01T00:00:00Z");
    assert_eq!(date(253_402_300_799), "9999-12-31T23:59:59Z");
    assert_eq!(date(1 << 53), "after 9999");
    assert_eq!(date(None), "-");
    for (at, text) in [(1000, "now"), (1119, "in 119s"), (881, "119s ago"), (1120, "in 2m")] {
        assert_eq!(distance(at, 1000), text);
    }
    assert_eq!(distance(1000 + 90 * 86_400, 1000), "in 90d");
}
