// Everything in gatekey.hpp: each member is called, and what it promises (moves, errors, views,
// callbacks) is checked.
#include "../rounds/rounds.h"
#include "check.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

std::string kid_of(const gatekey::key &key); // in second.cpp

namespace {

using gatekey::alg;
using gatekey::claims;
using gatekey::key;
using gatekey::key_set;
using gatekey::policy;
using gatekey::signer;
using gatekey::status;
using gatekey::verifier;

// Handles are one pointer, move-only, and move without throwing.
template <class T> constexpr bool is_handle() {
    return sizeof(T) == sizeof(void *) && std::is_nothrow_move_constructible_v<T> &&
           std::is_nothrow_move_assignable_v<T> && !std::is_copy_constructible_v<T> &&
           !std::is_copy_assignable_v<T>;
}
static_assert(is_handle<key>() && is_handle<gatekey::key_options>() && is_handle<key_set>());
static_assert(is_handle<claims>() && is_handle<signer>() && is_handle<signer::builder>());
static_assert(is_handle<gatekey::unsigned_token>() && is_handle<policy>());
static_assert(is_handle<verifier>() && is_handle<gatekey::issuer_rule>());
static_assert(is_handle<gatekey::verified>() && is_handle<gatekey::unverified>());
static_assert(noexcept(std::declval<const verifier &>().try_verify("")));

// A private key under a passphrase.
#define SEALED                                                                                     \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"                                                      \
    "MIGaMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAjc+YlMbvvrVgIBAzAM\n"                           \
    "BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBFgQQtkIgdSXEb8xVG+waOndflwRAxH6m\n"                           \
    "SxoblPHWKPBJ8KdR8Gg7fLCtc4Gf+JtEHTky7fsn2CdUN1MmndUBFm3aznESoTSD\n"                           \
    "EnexaOEEky9r30VzLA==\n"                                                                       \
    "-----END ENCRYPTED PRIVATE KEY-----\n"

void statuses_and_algorithms() {
    CHECK(gatekey::version() == GK_VERSION && gatekey::abi_version() == GK_ABI_VERSION);
    CHECK(gatekey::name(status::weak_key) == "WeakKey" && gatekey::name(status::ok) == "Ok");
    CHECK(!gatekey::summary(status::expired).empty());
    CHECK(gatekey::is_rejected(status::expired) && !gatekey::is_rejected(status::weak_key));
    CHECK(gatekey::is_misuse(status::weak_key) && !gatekey::is_misuse(status::expired));
    CHECK(gatekey::is_unavailable(status::random_unavailable));
    CHECK(gatekey::name(alg::ml_dsa_65) == "ML-DSA-65" && gatekey::name(alg::any).empty());
    CHECK(gatekey::is_symmetric(alg::hs384) && !gatekey::is_symmetric(alg::es256k));
    CHECK(gatekey::same_algorithm(alg::eddsa, alg::ed25519));
    CHECK(gatekey::alg_from_name("Ed25519") == alg::ed25519);
    THROWS(status::invalid_argument, gatekey::alg_from_name("none"));
}

void keys() {
    auto generated = key::generate(alg::es256);
    CHECK(generated.alg() == alg::es256 && generated.is_private() && !generated.is_symmetric());
    CHECK(generated.may_sign() && generated.may_verify() && !generated.has_explicit_kid());
    CHECK(generated.kid() == generated.thumbprint() && generated.kid() == kid_of(generated));
    CHECK(generated.thumbprint_uri().find(generated.thumbprint()) != std::string::npos);
    CHECK(generated.use() == "sig");

    const auto named = generated.with_kid("2026-11");
    CHECK(named.kid() == "2026-11" && named.has_explicit_kid());
    const auto half = named.public_key();
    CHECK(!half.is_private() && half.kid() == "2026-11");
    THROWS(status::key_usage, half.to_private_jwk());

    const auto from_jwk = key::from_jwk(named.to_private_jwk().view());
    CHECK(from_jwk.thumbprint() == named.thumbprint() && from_jwk.is_private());
    CHECK(key::from_jwk(half.to_jwk(), alg::es256).kid() == "2026-11");
    CHECK(key::from_pem(named.to_pem()).thumbprint() == named.thumbprint());
    const auto pem = named.to_private_pem();
    CHECK(key::from_pem(pem.view()).is_private() && pem.size() == pem.view().size());
    THROWS(status::invalid_key, key::from_der(std::vector<std::uint8_t>{0x30, 0x00}));

    const std::string message = "message";
    const auto signature = named.sign(message);
    CHECK(signature.size() == named.signature_len());
    half.verify_signature(message, signature.view());
    THROWS(status::invalid_signature,
           half.verify_signature(std::string_view("massage"), signature.view()));

    const std::array<std::uint8_t, 48> secret{1, 2, 3, 4, 5, 6, 7, 8};
    CHECK(key::from_secret(secret, alg::hs384).is_symmetric());
    if (!is_brief()) CHECK(key::generate_rsa(alg::rs256, 2048).signature_len() == 256);
    THROWS(status::invalid_argument, key::generate_rsa(alg::rs256, 1024));
    THROWS(status::invalid_argument, key::generate(alg::any));

    gatekey::key_options options;
    options.alg(alg::hs256).kid("legacy");
    THROWS(status::weak_key, options.from_secret(std::string("12345678")));
    auto weak = options.clone();
    weak.danger_allow_weak();
    CHECK(weak.from_secret(std::string("12345678")).kid() == "legacy");
    CHECK(options.generate().kid() == "legacy");
    gatekey::key_options ec;
    ec.kid("ec");
    CHECK(ec.from_pem(pem.view()).kid() == "ec");
    CHECK(ec.from_jwk(half.to_jwk()).kid() == "ec");
    THROWS(status::invalid_key, ec.from_der(std::string("no key")));
    // Encrypted with the passphrase "correct horse".
    const std::string sealed = SEALED;
    THROWS(status::passphrase_required, ec.from_pem(sealed));
    THROWS(status::wrong_passphrase, ec.clone().passphrase("wrong horse").from_pem(sealed));
    CHECK(ec.clone().passphrase("correct horse").from_pem(sealed).is_private());

    // Moving leaves an empty handle, which refuses and can be assigned to.
    auto moved = std::move(generated);
    CHECK(moved.is_private() && generated.get() == nullptr && generated.kid().empty());
    THROWS(status::invalid_argument, generated.to_jwk());
    generated = moved.clone();
    CHECK(generated.thumbprint() == moved.thumbprint());
    gk_key *raw = moved.release();
    const key owned(raw);
    CHECK(moved.get() == nullptr && owned.get() == raw);
}

void key_sets() {
    const auto first = key::generate(alg::es256), second = key::generate(alg::ed25519);
    auto set = key_set::of(first, second);
    CHECK(set.size() == 2 && !set.empty() && set.skipped() == 0);
    CHECK(set.at(1).alg() == alg::ed25519);
    THROWS(status::invalid_argument, set.at(2));
    CHECK(set.by_kid(first.kid()).thumbprint() == first.thumbprint());
    THROWS(status::key_not_found, set.by_kid("nobody"));
    CHECK(set.select(std::nullopt, alg::eddsa).thumbprint() == second.thumbprint());
    CHECK(set.select(first.kid(), alg::es256).thumbprint() == first.thumbprint());
    THROWS(status::invalid_algorithm, set.select(first.kid(), alg::eddsa));
    THROWS(status::key_not_found, set.select(std::string_view(), alg::es256));
    THROWS(status::mixed_key_set, key_set::of(first, key::generate(alg::hs256)));

    CHECK(key_set::from_jwks(set.to_jwks()).size() == 2);
    CHECK(key_set::from_jwks(set.to_private_jwks().view()).at(0).is_private());
    const auto odd = key_set::from_jwks(R"({"keys":[{"kty":"XYZ","kid":"k"}]})", alg::rs256);
    CHECK(odd.empty() && odd.skipped() == 1 && odd.skipped_kid(0) == "k");
    CHECK(odd.skipped_reason(0).status() == status::unsupported_key);
    CHECK(odd.skipped_reason(1).status() == status::ok && !odd.skipped_kid(1));
    THROWS(status::unusable_key, odd.by_kid("k"));

    std::vector<key> keys;
    keys.push_back(first.clone());
    keys.push_back(second.clone());
    CHECK(key_set(keys).clone().size() == 2);
}

void tokens() {
    const auto signing = key::generate(alg::ed25519);
    const auto both = signer::builder(signing)
                          .issuer("https://issuer.example")
                          .audience("api")
                          .audience("web")
                          .ttl(60)
                          .build();
    CHECK(both.key().thumbprint() == signing.thumbprint());
    claims said;
    said.subject("line\nbreak").token_id("id").not_before(1'700'000'000).claim_str("name", "Zoë");
    said.claim_i64("n", -5).claim_bool("admin", true).claim_json("list", "[1, 2.50]");
    const auto token = both.sign(said);

    policy rules;
    rules.expect_issuer("https://issuer.example").expect_audience("api").algorithms({alg::eddsa});
    const auto one = verifier::with_key(signing.public_key(), rules);
    CHECK(!one.is_symmetric());
    const auto good = one.verify(token);
    CHECK(good.alg() == alg::ed25519 && good.key_id() == signing.kid());
    CHECK(good.issuer() == "https://issuer.example" && good.subject() == "line\nbreak");
    CHECK(good.token_id() == "id" && good.not_before() == 1'700'000'000);
    CHECK(good.audience() == (std::vector<std::string_view>{"api", "web"}));
    CHECK(*good.expires_at() == *good.issued_at() + 60);
    CHECK(good.claim_str("name") == "Zoë" && good.claim_i64("n") == -5 && good.claim_bool("admin"));
    CHECK(good.claim_json("list") == "[1, 2.50]" && !good.claim_json("none"));
    CHECK(good.header_json().find("Ed25519") != std::string::npos);
    CHECK(good.clone().claims_json() == good.claims_json());
    CHECK(THROWS(status::missing_claim, good.claim_str("none")).is_rejected());
    THROWS(status::invalid_claim, good.claim_i64("name"));
    THROWS(status::invalid_claim, good.claim_bool("n"));

    // The same claims as JSON, and in two steps with the public half.
    const auto again = claims::from_json(said.to_json());
    CHECK(one.verify(both.sign_json(again.clone().to_json())).subject() == "line\nbreak");
    const auto preparing = signer::builder(signing.public_key())
                               .issuer("https://issuer.example")
                               .audience("api")
                               .build();
    for (const auto &prepared : {preparing.prepare(again), preparing.prepare_json("{}")}) {
        const auto signature = signing.sign(prepared.signing_input());
        CHECK(one.verify(prepared.attach(signature.view())).issuer() == "https://issuer.example");
        THROWS(status::invalid_signature, prepared.attach(std::string("wrong")));
    }
    THROWS(status::key_usage, preparing.sign(again));
    THROWS(status::invalid_argument, both.sign_json("{"));
    THROWS(status::invalid_argument, claims::from_json(R"({"aud":42})"));

    const auto anyone = gatekey::danger_decode_unverified(token);
    CHECK(anyone.claims_json() == good.claims_json() && anyone.header_json() == good.header_json());
}

void refusals() {
    const auto secret = key::generate(alg::hs256);
    const auto plain = signer::builder(secret).build();
    const auto strict = verifier::with_key(secret, policy().require_claim("tenant"));
    CHECK(strict.is_symmetric());
    auto missing = strict.try_verify(plain.sign(claims()));
    CHECK(!missing && !missing.has_value() && missing.status() == status::missing_claim);
    CHECK(missing.error().claim() == "tenant" && missing.error().is_rejected());
    CHECK(holds(missing.error().what(), "(`tenant`)"));
    CHECK(missing.error().code() == "missing_claim" && missing.error().http_status() == 401);
    CHECK(holds(std::string(missing.error().challenge()), "error=\"invalid_token\""));
    CHECK(!missing.error().is_misuse() && !missing.error().is_unavailable());
    THROWS(status::missing_claim, std::move(missing).value());

    auto found = strict.clone().try_verify(plain.sign(claims().claim_str("tenant", "t")));
    CHECK(found && found.status() == status::ok && found->claim_str("tenant") == "t");
    CHECK((*found).alg() == alg::hs256);
    const auto taken = std::move(found).value();
    CHECK(taken.claim_json("tenant") == "\"t\"");
    CHECK(strict.try_verify("").status() == status::malformed_token);
    CHECK(strict.try_verify({}).status() == status::missing_credentials);
    THROWS(status::malformed_token, strict.verify("a.b.c"));
    THROWS(status::invalid_configuration, verifier::with_key(secret, policy().leeway(601)));
}

void knobs() {
    const auto secret = key::generate(alg::hs256);
    auto now = std::make_shared<std::atomic<std::uint64_t>>(1'795'000'000);
    const auto clock = [now] { return now->load(); };
    const auto base = [&] { return policy().clock(clock).ignore_issuer().clone(); };
    const auto sign = [&](const claims &said) {
        return signer::builder(secret).clock(clock).ttl(10).typ("at+jwt").build().sign(said);
    };
    const auto judge = [&](const policy &rules, const claims &said) {
        return verifier::with_key(secret, rules).try_verify(sign(said)).status();
    };
    CHECK(judge(base(), claims()) == status::invalid_type);
    CHECK(judge(base().expect_type("at+jwt"), claims()) == status::ok);
    CHECK(judge(base().ignore_type().expect_subject("a"), claims().subject("b")) ==
          status::invalid_subject);
    CHECK(judge(base().ignore_type(), claims().audience("x")) == status::invalid_audience);
    CHECK(judge(base().ignore_type().ignore_audience(), claims().audience("x")) == status::ok);
    CHECK(judge(base().ignore_type().max_age(5), claims().issued_at(1'794'999'994)) ==
          status::too_old);
    CHECK(judge(base().ignore_type().leeway(9), claims().expires_at(1'794'999'992)) == status::ok);
    CHECK(judge(base().ignore_type().max_token_bytes(9), claims()) == status::token_too_large);
    CHECK(judge(base().ignore_type().max_header_bytes(9), claims()) == status::token_too_large);
    CHECK(judge(base().ignore_type(), claims().issuer("anyone")) == status::ok);

    const auto plain = verifier::with_key(secret, base().ignore_type());
    const auto token = sign(claims());
    CHECK(plain.try_verify(token).status() == status::ok);
    now->fetch_add(10);
    CHECK(plain.try_verify(token).status() == status::expired);
}

void callbacks() {
    const auto secret = key::generate(alg::hs256);
    auto counted = std::make_shared<int>(0);
    {
        auto builder = signer::builder(secret);
        builder.no_ttl().allow_missing_exp().no_typ().kid(false).random(
            [counted](std::uint8_t *out, std::size_t len) {
                std::fill_n(out, len, std::uint8_t{7});
                ++*counted;
                return true;
            });
        const auto made = builder.clone().build();
        CHECK(counted.use_count() == 2);
        const auto token = made.clone().sign(claims());
        const auto rules = policy().allow_missing_exp().clone();
        CHECK(verifier::with_key(secret, rules).verify(token).token_id() ==
              "BwcHBwcHBwcHBwcHBwcHBw");
        CHECK(*counted == 1);
        builder.random([](std::uint8_t *, std::size_t) -> bool { throw std::runtime_error("no"); });
        THROWS(status::random_unavailable, builder.build().sign(claims()));
        builder.token_ids(false);
        CHECK(builder.build().sign(claims()).size() > 40);
    }
    CHECK(counted.use_count() == 1); // every handle is gone, and so is the callback

    // A clock that throws tells no time: nothing is accepted.
    const auto token = signer::builder(secret).build().sign(claims());
    const policy broken =
        policy().clock([]() -> std::uint64_t { throw std::runtime_error("no"); }).clone();
    CHECK(verifier::with_key(secret, broken).try_verify(token).status() ==
          status::invalid_configuration);
}

void issuers_and_threads() {
    const auto one = key::generate(alg::eddsa), two = key::generate(alg::es256);
    std::vector<gatekey::issuer_rule> rules;
    rules.emplace_back("https://one.example", key_set::of(one));
    rules.emplace_back("https://two.example", key_set::of(two));
    rules[1].expect_audience("api").algorithms({alg::es256});
    rules.push_back(rules[1].clone());
    THROWS(status::invalid_configuration, verifier::for_issuers(rules, policy()));
    rules.pop_back();
    const auto both = verifier::for_issuers(rules, policy());
    const auto good =
        signer::builder(two).issuer("https://two.example").audience("api").build().sign(claims());
    const auto crossed = signer::builder(two).issuer("https://one.example").build().sign(claims());

    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([&] {
            for (int round = 0; round < 25; round++) {
                CHECK(both.verify(good).issuer() == "https://two.example");
                CHECK(both.try_verify(crossed).status() == status::key_not_found);
            }
        });
    }
    for (auto &thread : threads) thread.join();

    // What is demanded, and what is let in.
    const auto access = signer::builder(two)
                            .header("cty", R"("JWT")")
                            .build()
                            .sign(claims().claim_str("token_type", "access"));
    CHECK(gatekey::danger_decode_unverified(access).header_json().find(R"("cty":"JWT")") !=
          std::string_view::npos);
    const auto demanding = [&](std::string_view json) {
        return verifier::with_key(two, policy().expect_claim("token_type", json));
    };
    CHECK(demanding(R"("access")").verify(access).subject() == std::nullopt);
    CHECK(demanding(R"("refresh")").try_verify(access).status() == status::invalid_claim);
    const auto lenient = policy().allow_numeric_subject().allow_padding().clone();
    CHECK(!verifier::with_key(two, lenient).verify(access).numeric_subject());
    THROWS(status::invalid_subject,
           verifier::with_key(two, policy().expect_numeric_subject(7))
               .verify(signer::builder(two).build().sign(claims().subject("7"))));
    THROWS(status::invalid_configuration, signer::builder(two).header("crit", "[]").build());
    gatekey::issuer_rule any("https://two.example", key_set::of(two));
    std::vector<gatekey::issuer_rule> anyone;
    anyone.push_back(any.ignore_audience().clone());
    CHECK(verifier::for_issuers(anyone, policy()).try_verify(good).has_value());

    const auto several = key_set::of(two, key::generate(alg::es256));
    const auto nameless = signer::builder(two).kid(false).build().sign(claims());
    CHECK(verifier(several, policy()).try_verify(nameless).status() == status::ambiguous_key);
    CHECK(verifier(several, policy().try_keys_without_kid()).try_verify(nameless).has_value());
}

} // namespace

int main() {
    statuses_and_algorithms();
    keys();
    key_sets();
    tokens();
    refusals();
    knobs();
    callbacks();
    issuers_and_threads();
    return passed("wrapper");
}
