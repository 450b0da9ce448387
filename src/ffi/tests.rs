//! What the C programs under tests/ffi cannot reach: panics, and the two tables of constants.

use super::boundary::{Fault, create, fill, fill_array, guard, look};
use super::*;
use crate::{Alg, ErrorKind};
use std::ffi::CStr;
use std::ptr;

fn blank() -> gk_error {
    gk_error { status: -1, retry_after_ms: 7, message: [b'x'.cast_signed(); GK_ERROR_MESSAGE_SIZE] }
}

fn message(err: &gk_error) -> &str {
    // SAFETY: every call ends the message with a NUL.
    unsafe { CStr::from_ptr(err.message.as_ptr()) }.to_str().unwrap()
}

fn claim(err: &gk_error) -> &str {
    // SAFETY: `gk_error_claim` returns text with a NUL inside `err`.
    unsafe { CStr::from_ptr(gk_error_claim(Some(err))) }.to_str().unwrap()
}

#[test]
fn a_panic_becomes_a_status() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut err = blank();
    let mut handle = ptr::dangling_mut::<gk_key>();
    let mut buf = gk_buf { data: ptr::dangling_mut(), len: 7 };
    let mut array = [1; 4];
    // SAFETY: every place is a local variable.
    unsafe {
        assert_eq!(guard(&raw mut err, || panic!("on purpose")), GK_STATUS_INTERNAL);
        assert_eq!(err.status, GK_STATUS_INTERNAL);
        assert_eq!(message(&err), ErrorKind::Internal.summary());
        assert_eq!(
            create(&raw mut handle, ptr::null_mut(), || panic!("on purpose")),
            GK_STATUS_INTERNAL
        );
        let status = fill::<Vec<u8>>(&raw mut buf, ptr::null_mut(), || panic!("on purpose"));
        assert_eq!(status, GK_STATUS_INTERNAL);
        let status = fill_array(&raw mut array, ptr::null_mut(), || panic!("on purpose"));
        assert_eq!(status, GK_STATUS_INTERNAL);
    }
    assert_eq!(look(5, || panic!("on purpose")), 5);
    std::panic::set_hook(quiet);
    assert!(handle.is_null());
    assert!(buf.data.is_null() && buf.len == 0);
    assert_eq!(array, [0; 4]);
}

#[test]
fn an_error_holds_message_and_claim_and_success_clears_both() {
    let mut err = blank();
    let named = |name: &str| {
        let policy = crate::Policy::new().require_claim(name).ignore_issuer().ignore_audience();
        let key = crate::Key::generate(Alg::Hs256).unwrap();
        let token = crate::Signer::builder(&key).build().unwrap().sign_json("{}").unwrap();
        Fault::from(crate::Verifier::with_key(&key, policy).unwrap().verify(token).unwrap_err())
    };
    for name in ["scope", &"long".repeat(30), &"\u{1F511}".repeat(20)] {
        // SAFETY: `err` is a local variable.
        let status = unsafe { guard(&raw mut err, || Err(named(name))) };
        assert_eq!((status, err.status), (GK_STATUS_MISSING_CLAIM, GK_STATUS_MISSING_CLAIM));
        assert!(!message(&err).is_empty() && message(&err).len() <= 200);
        assert!(name.starts_with(claim(&err)) && claim(&err).len() >= name.len().min(48));
    }
    // SAFETY: as above.
    let status = unsafe { guard(&raw mut err, || Ok(())) };
    assert_eq!((status, err.status), (GK_STATUS_OK, GK_STATUS_OK));
    assert_eq!((message(&err), claim(&err)), ("", ""));
}

#[test]
fn the_tables_hold_every_kind_and_every_algorithm() {
    // SAFETY: both functions return static text with a NUL.
    let text = |text| unsafe { CStr::from_ptr(text) }.to_str().unwrap();
    for kind in ErrorKind::ALL {
        assert_eq!(text(gk_status_name(kind.number())), kind.name());
        assert_eq!(text(gk_status_summary(kind.number())), kind.summary());
        assert_eq!(gk_status_is_rejected(kind.number()), kind.is_rejected());
        assert_eq!(gk_status_is_misuse(kind.number()), kind.is_misuse());
        assert_eq!(gk_status_is_unavailable(kind.number()), kind.is_unavailable());
    }
    for alg in Alg::ALL {
        assert_eq!(text(gk_alg_name(alg.code())), alg.name());
    }
    assert_eq!(text(gk_status_name(-1)), "Unknown");
    assert_eq!(text(gk_alg_name(0)), "");
}
