// Debian's cpp-jwt. It has no parsed key, no PS and no EdDSA.
#include "serve.h"

#include <cstdlib>
#include <cstring>
#include <jwt/jwt.hpp>
#include <string>

namespace {

struct state {
    std::string alg, private_key, public_key;
    nlohmann::json payload;
};

int verify(void *opaque, const char *token, std::size_t token_len) {
    using namespace jwt::params;
    const auto *s = static_cast<const state *>(opaque);
    try {
        std::error_code error;
        auto object = jwt::decode(jwt::string_view(token, token_len), algorithms({s->alg}), error,
                                  secret(s->public_key), jwt::params::verify(true), aud(AUDIENCE), issuer(ISSUER));
        return !error;
    } catch (const std::exception &) {
        return 0;
    }
}

void sign(void *opaque, char **copy) {
    using namespace jwt::params;
    const auto *s = static_cast<const state *>(opaque);
    jwt::jwt_object object{algorithm(s->alg), secret(s->private_key)};
    for (const auto &claim : s->payload.items()) object.add_claim(claim.key(), claim.value());
    const std::string token = object.signature();
    if (copy) *copy = strdup(token.c_str());
}

int setup(const bench_fixtures *fixtures, bench_contender *out) {
    const std::string alg = fixtures->alg;
    if (alg != "HS256" && alg != "RS256" && alg != "ES256" && alg != "ES384") return 0;
    auto *s = new state{alg, std::string(fixtures->private_key, fixtures->private_len),
                        std::string(fixtures->public_key, fixtures->public_len),
                        nlohmann::json::parse(fixtures->payload)};
    *out = {"cpp-jwt", verify, sign, s};
    return 1;
}

} // namespace

int main(int argc, char **argv) {
    return bench_main(argc, argv, "cpp-jwt", CPP_JWT_VERSION, setup);
}
