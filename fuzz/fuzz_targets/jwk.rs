//! libFuzzer's entry to `gatekey_fuzz::jwk`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::jwk::run(data);
});
