// Limits that machines share, from C++. Its argument is the URL of a Valkey.
#include "check.hpp"

#include <array>

namespace {

using namespace gatekey;

const std::array<std::uint8_t, 32> pepper{7};

/// Once the server has answered: a busy machine may take its time for the first connection.
void wait_for_server(const api_keys &keys) {
    for (int i = 0;; i++) {
        try {
            return keys.check_limits();
        } catch (const error &) {
            if (i == 20) throw;
        }
    }
}

void shared(std::string_view url) {
    const auto store =
        store::open("memory:", store_options().pepper(1, pepper).limits(url).strict());
    const auto keys = store.api_keys();
    const auto others = store.api_keys(api_key_options().limits(url));
    wait_for_server(keys);
    wait_for_server(others);
    const auto issued = keys.create(api_key_spec().owner("o").rate(4, 31622400));
    int allowed = 0;
    for (int i = 0; i < 8; i++) {
        const auto &one = i % 2 == 0 ? keys : others;
        if (one.try_verify(issued.secret.view(), api_key_check()).ok()) allowed++;
    }
    CHECK(allowed == 4);
    CHECK(holds(store.limits_state().value_or(""), "\"connected\":true"));
    CHECK(store::open("memory:", store_options().pepper(1, pepper)).limits_state().has_value() ==
          false);
    const auto guard = guard::builder().api_keys(keys).build();
    CHECK(holds(guard.limits_state().value_or(""), "\"server\":\"redis://"));
    const auto own =
        guard::builder()
            .api_keys(store::open("memory:", store_options().pepper(1, pepper)).api_keys())
            .limits(url)
            .build();
    CHECK(own.limits_state().has_value());
    THROWS(status::invalid_configuration,
           store::open("memory:", store_options().limits("redis://cache.example")));
}

} // namespace

int main(int argc, char **argv) {
    shared(argc > 1 ? argv[1] : "");
    return passed("limits_wrapper");
}
