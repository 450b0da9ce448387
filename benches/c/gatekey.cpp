// gatekey through gatekey.hpp: one verifier and one signer, made once and shared.
#include "serve.h"

#include <cstring>
#include <gatekey.hpp>
#include <string_view>

namespace {

struct state {
    gatekey::verifier verifier;
    gatekey::signer signer;
    gatekey::claims claims;
};

int verify(void *opaque, const char *token, std::size_t token_len) {
    const auto verified = static_cast<const state *>(opaque)->verifier.try_verify({token, token_len});
    return verified && !verified->claims_json().empty();
}

void sign(void *opaque, char **copy) {
    const auto *s = static_cast<const state *>(opaque);
    const std::string token = s->signer.sign(s->claims);
    if (copy) *copy = strdup(token.c_str());
}

gatekey::key load(gatekey::alg alg, std::string_view data) {
    return gatekey::is_symmetric(alg) ? gatekey::key::from_secret(data, alg) : gatekey::key::from_pem(data, alg);
}

int setup(const bench_fixtures *f, bench_contender *out) {
    const auto alg = gatekey::alg_from_name(f->alg);
    const auto public_key = load(alg, {f->public_key, f->public_len});
    const auto private_key = load(alg, {f->private_key, f->private_len});
    gatekey::policy policy;
    policy.expect_issuer(ISSUER).expect_audience(AUDIENCE);
    auto *s = new state{
        gatekey::verifier::with_key(public_key, policy),
        gatekey::signer::builder(private_key).no_ttl().kid(false).token_ids(false).build(),
        gatekey::claims::from_json(f->payload),
    };
    *out = {"gatekey (C++)", verify, sign, s};
    return 1;
}

} // namespace

int main(int argc, char **argv) {
    return bench_main(argc, argv, "gatekey", gk_version(), setup);
}
