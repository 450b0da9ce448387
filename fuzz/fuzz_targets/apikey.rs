//! libFuzzer's entry to `gatekey_fuzz::apikey`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatekey_fuzz::apikey::run(data);
});
