// Everything in gatekey/session.hpp, revocations.hpp and keyring.hpp: each member is called.
#include "check.hpp"

#include <array>
#include <stdexcept>
#include <thread>

namespace {

using namespace gatekey;

std::atomic<std::uint64_t> now{1800000000};

std::uint64_t read_now() { return now; }

verifier verifier_with(const key &key, const revocations &list) {
    return verifier::with_key(key, policy().clock(read_now).revocations(list));
}

session_options options() {
    return std::move(session_options()
                         .refresh_ttl(1000)
                         .absolute_ttl(2500)
                         .grace(10)
                         .strict()
                         .max_stale(10)
                         .max_token_ttl(3600)
                         .tenant_claim("org")
                         .clock(read_now));
}

void life() {
    const auto key = key::generate(alg::es256);
    const auto signer = signer::builder(key).build();
    const auto sessions = sessions::open("memory:", signer, options());
    const auto api = verifier_with(key, sessions.revocations());

    const auto first = sessions.start("alice", session_spec()
                                                   .claims(claims().claim_str("scope", "read"))
                                                   .client("Firefox")
                                                   .meta("{\"ip\":\"::1\"}"));
    CHECK(first.expires_in() == 900 && first.expires_at() == now + 1000);
    CHECK(first.refresh_token().substr(0, 16) == "gkr_" + std::string(first.family()));
    const auto who = api.verify(first.access_token());
    CHECK(who.subject() == "alice" && who.claim_str("sid") == first.family());
    CHECK(who.claim_str("scope") == "read");

    auto second = sessions.refresh(first.refresh_token());
    CHECK(second.family() == first.family() && second.refresh_token() != first.refresh_token());
    CHECK(sessions.refresh(first.refresh_token()).refresh_token() == second.refresh_token());
    const auto write = std::move(claims().claim_str("scope", "write"));
    auto third = sessions.refresh(second.refresh_token(), write);
    CHECK(api.verify(third.access_token()).claim_str("scope") == "write");
    second = std::move(third);
    CHECK(holds(sessions.list_json("alice"), "\"client\":\"Firefox\""));
    CHECK(holds(sessions.record_json(first.family()), "\"refreshes\":2"));

    const auto reuse = sessions.try_refresh(first.refresh_token());
    CHECK(!reuse && reuse.status() == status::token_reuse);
    CHECK(api.try_verify(second.access_token()).status() == status::revoked_token);
    THROWS(status::token_reuse, sessions.refresh(second.refresh_token()));
    THROWS(status::invalid_refresh_token, sessions.refresh("x", write));
    CHECK(holds(sessions.events_json(filter().family(first.family())), "\"action\":\"reuse\""));
    CHECK(holds(sessions.events_json(filter().subject("alice").cursor("1").limit(1)),
                "\"cursor\":null"));

    const auto one = sessions.start("alice");
    const auto renewed = sessions.try_refresh(one.refresh_token(), write);
    CHECK(renewed && renewed.status() == status::ok && renewed->family() == one.family());
    CHECK(sessions.end(one.refresh_token()) && !sessions.end_by_id(one.family()));
    CHECK(sessions.try_refresh(one.refresh_token()).status() == status::session_ended);
    THROWS(status::session_not_found, sessions.end_by_id("AAAAAAAAAAAA"));
    THROWS(status::session_not_found, sessions.end_by_id(one.family(), "nobody"));
    THROWS(status::session_not_found, sessions.end_by_id(one.family(), std::string_view()));
    THROWS(status::invalid_refresh_token, sessions.end(one.family()));
    THROWS(status::wrong_pepper, sessions.end_under_pepper(77));
    const auto two = sessions.start("alice", session_spec().client("phone")),
               more = sessions.start("alice");
    const auto same = sessions.clone();
    THROWS(status::session_not_found, sessions.end_others("bob", two.family()));
    CHECK(same.end_others("alice", two.family()) == 1 &&
          same.end_others("alice", two.family()) == 0);
    const auto again = sessions.start("alice");
    CHECK(same.end_all("alice") == 2 && sessions.list_json("alice") == "[]");
    CHECK(api.try_verify(two.access_token()).status() == status::revoked_token);
    const auto late = sessions.start("bob");
    // Where this takes long, the clock has stood still for seconds, and the session lives longer.
    now += 1300;
    CHECK(sessions.try_refresh(late.refresh_token()).status() == status::session_expired);
    now += 1;
    CHECK(sessions.purge(now) == 6);
    THROWS(status::session_not_found, sessions.record_json(first.family()));
    THROWS(status::invalid_argument, sessions.start(""));

    const auto looker = sessions::open("memory:");
    THROWS(status::invalid_configuration, looker.start("alice"));
}

// Eight tabs at the same time: the token is exchanged once, and all go on.
void tabs() {
    const auto sessions =
        sessions::open("memory:", signer::builder(key::generate(alg::es256)).build(), options());
    const auto first = sessions.start("alice");
    std::array<std::string, 8> tokens;
    std::vector<std::thread> threads;
    for (auto &token : tokens) {
        threads.emplace_back(
            [&] { token = sessions.refresh(first.refresh_token()).refresh_token(); });
    }
    for (auto &thread : threads) thread.join();
    for (const auto &token : tokens) CHECK(token == tokens[0] && token.size() == 51);
    CHECK(holds(sessions.record_json(first.family()), "\"refreshes\":1,"));
}

void what_is_revoked() {
    const auto key = key::generate(alg::hs256);
    const auto signer = signer::builder(key).clock(read_now).build();
    const auto list = revocations::open("memory:", revocation_options()
                                                       .create(true)
                                                       .strict()
                                                       .max_stale(10)
                                                       .max_token_ttl(2400)
                                                       .tenant_claim("org")
                                                       .clock(read_now));
    const auto same = list.clone();
    const auto api = verifier_with(key, same);
    const auto is_revoked = [&](std::string_view token) {
        const auto answer = api.try_verify(token);
        CHECK(answer || answer.status() == status::revoked_token);
        return !answer;
    };
    const std::string token = signer.sign_json("{\"jti\":\"t\"}");
    const std::string session = signer.sign_json("{\"sid\":\"s\"}");
    const std::string alice = signer.sign_json("{\"sub\":\"alice\"}");
    const std::string bob = signer.sign_json("{\"sub\":\"bob\"}");
    const std::string north = signer.sign_json("{\"org\":\"north\"}");
    const std::string any = signer.sign_json("{}");
    CHECK(list.size() == 0 && !is_revoked(token) && !is_revoked(session) && !is_revoked(alice));
    const auto issued = signer.sign_json("{\"iss\":\"https://a\",\"jti\":\"t\"}");
    const auto its_api = verifier::with_key(
        key, policy().expect_issuer("https://a").clock(read_now).revocations(same));
    CHECK(its_api.try_verify(issued).status() == status::ok);
    list.revoke_token({}, "t", now + 900); // of any issuer
    CHECK(its_api.try_verify(issued).status() == status::revoked_token);
    list.revoke_session("s");
    list.revoke_subject("alice");
    list.revoke_numeric_subject(7);
    CHECK(is_revoked(token) && is_revoked(session) && is_revoked(alice) && !is_revoked(bob));
    list.revoke_before(now + 1, revoke_scope::subject("bob"));
    CHECK(is_revoked(bob) && !is_revoked(north));
    list.revoke_before(now + 1, revoke_scope::tenant("north"));
    CHECK(is_revoked(north) && !is_revoked(any));
    const std::int64_t seven = 7;
    const auto known = list.size();
    list.revoke_before(now, revoke_scope::numeric_subject(seven));
    CHECK(list.size() == known + 1 && !is_revoked(any));
    // Someone without a name is not everybody.
    THROWS(status::invalid_argument, list.revoke_before(now, revoke_scope::subject({})));
    THROWS(status::invalid_argument, list.revoke_before(now, revoke_scope::tenant({})));
    list.revoke_before(now + 1, revoke_scope::all());
    CHECK(is_revoked(any));
    now += 1;
    const std::string later = signer.sign_json("{}");
    CHECK(!is_revoked(later));
    list.revoke_key(key.kid());
    CHECK(is_revoked(later) && list.size() == 9);

    CHECK(list.seen_once("mail", "reset", now + 60) && !list.seen_once("mail", "reset", now + 60));
    THROWS(status::invalid_argument, list.seen_once("mail", {}, now + 60));
    list.refresh();
    now += 5000;
    CHECK(list.purge() == 0); // ran ahead by more than an hour
    now -= 1900;
    CHECK(list.purge() == 8 && same.size() == 1);
    THROWS(status::invalid_argument, revocations::open("no://where"));
}

void rotation() {
    const auto ring = key_ring::open("memory:", key_ring_options()
                                                    .name("main")
                                                    .alg(alg::ed25519)
                                                    .token_ttl(600)
                                                    .max_stale(10)
                                                    .clock(read_now));
    const auto signer = signer::builder::following(ring).ttl(600).clock(read_now).build();
    const auto api = verifier::following(ring, policy().clock(read_now));
    const std::string before = signer.sign(claims());
    const std::string first(api.verify(before).key_id());
    const auto same = ring.clone();
    CHECK(holds(same.rotate(), "\"state\":\"active\""));
    const std::string after = signer.sign(claims());
    const std::string second(api.verify(after).key_id());
    CHECK(first != second && api.try_verify(before));
    CHECK(holds(ring.keys_json(), "\"state\":\"retired\"") && holds(ring.keys_json(), second));
    CHECK(key_set::from_jwks(ring.to_jwks()).size() == 3);
    CHECK(ring.token_ttl() == 600);
    ring.remove(first);
    ring.refresh();
    CHECK(api.try_verify(before).status() == status::key_not_found && api.try_verify(after));
    THROWS(status::ring_key_not_found, ring.remove(first));
}

/// A callback signs, for a ring too; what it throws fails the call and goes no further.
void by_callback() {
    const auto held = key::generate(alg::es256);
    int calls = 0;
    bool fails = false;
    const auto by_kms = key::with_callback(
        held.public_key(),
        [&](const sign_request &request) {
            ++calls;
            if (fails) throw std::runtime_error("the token was removed");
            CHECK(request.alg == alg::es256 && request.digest.size() == 32);
            const auto signature = held.sign(request.message);
            const auto *bytes = reinterpret_cast<const std::uint8_t *>(signature.view().data());
            return std::vector<std::uint8_t>(bytes, bytes + signature.view().size());
        },
        30000);
    CHECK(by_kms.signs_by_callback() && by_kms.may_sign() && !by_kms.is_private() && calls == 1);
    const auto ring = key_ring::open("memory:", key_ring_options().key(by_kms).clock(read_now));
    CHECK(holds(ring.add(by_kms), "\"state\":\"active\""));
    const auto signer = signer::builder::following(ring).clock(read_now).build();
    const auto api = verifier::following(ring, policy().clock(read_now));
    CHECK(api.try_verify(signer.sign(claims())) && calls == 2);
    fails = true;
    THROWS(status::key_unavailable, signer.sign(claims()));
    THROWS(status::key_unavailable,
           key::with_callback(held.public_key(),
                              [](const sign_request &) -> std::vector<std::uint8_t> { throw 1; }));
}

} // namespace

int main() {
    life();
    tabs();
    what_is_revoked();
    rotation();
    by_callback();
    return passed("session_wrapper");
}
