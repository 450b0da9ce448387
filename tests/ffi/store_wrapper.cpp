// A store in the hand, from C++.
#include "check.hpp"

#include <array>
#include <cstdlib>

namespace {

using namespace gatekey;

const std::array<std::uint8_t, 32> pepper{7};

void everything(const std::string &url, std::string_view kind) {
    std::uint64_t now = 1800000000;
    const auto store = store::open(
        url, store_options().pepper(1, pepper).create(true).strict().max_stale(10).clock(
                 [&] { return now; }));
    CHECK(!store.made_pepper_file());
    const auto keys = store.api_keys(api_key_options().prefix("acme"));
    const auto ring = store.key_ring("main", key_ring_options().alg(alg::ed25519));
    const auto signer = signer::builder::following(ring).clock([&] { return now; }).build();
    const auto sessions = store.sessions(signer, session_options().grace(0));
    const auto looker = store.sessions();
    const auto list = store.revocations();
    const auto issued = keys.create(api_key_spec().owner("o"));
    CHECK(holds(issued.record_json, "\"created_at\":1800000000"));
    const auto tokens = sessions.start("alice");
    const auto api =
        verifier::following(ring, policy().clock([&] { return now; }).revocations(list));
    CHECK(api.try_verify(tokens.access_token()).has_value());
    static_cast<void>(sessions.end(tokens.refresh_token()));
    CHECK(api.try_verify(tokens.access_token()).status() == status::revoked_token);
    CHECK(holds(store.key_ring().keys_json(), "ES256")); // another ring: `default`

    const auto health = store.health();
    CHECK(health.reachable &&
          holds(health.json, "\"kind\":\"" + std::string(kind) + "\",\"reachable\":true"));

    const auto same = store.clone();
    same.close();
    store.close();
    THROWS(status::invalid_argument, keys.create(api_key_spec().owner("o")));
    THROWS(status::invalid_argument, sessions.start("alice"));
    THROWS(status::invalid_argument, looker.record_json(tokens.family()));
    THROWS(status::invalid_argument, list.revoke_key("k"));
    THROWS(status::invalid_argument, ring.rotate());
    THROWS(status::invalid_argument, static_cast<void>(store.revocations()));
    THROWS(status::invalid_argument, static_cast<void>(store.health()));
    CHECK(api.try_verify(tokens.access_token()).status() == status::invalid_argument);
}

void without_its_handle() {
    const auto keys = store::open("memory:").api_keys();
    const auto issued = keys.create(api_key_spec().owner("o"));
    CHECK(keys.verify(issued.secret.view()).owner() == "o");
}

void wrong_peppers() {
    const auto opened = [](const store_options &options) {
        static_cast<void>(store::open("memory:", options));
    };
    THROWS(status::wrong_pepper, opened(store_options().pepper_file("/no/file")));
    THROWS(status::invalid_configuration, opened(store_options().pepper_env("GATEKEY_NOT_SET")));
    THROWS(status::invalid_argument, static_cast<void>(store::open("no://where")));
    THROWS(status::unsupported, static_cast<void>(store::open("redis://localhost")));
}

} // namespace

int main() {
    everything("memory:", "memory");
    if (const char *postgres = std::getenv("GATEKEY_TEST_POSTGRES")) {
        everything(std::string(postgres) + "?schema=from_cpp", "postgresql");
    }
    without_its_handle();
    wrong_peppers();
    return passed("store_wrapper");
}
