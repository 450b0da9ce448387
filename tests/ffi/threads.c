/* Eight threads on one verifier, one signer and one verified token. */
#include "../rounds/rounds.h"
#include "check.h"

#include <pthread.h>

enum { THREADS = 8 };

static const gk_verifier *verifier;
static const gk_signer *signer;
static const gk_verified *shared;
static gk_buf good, bad;
static int turns;

struct tally {
    pthread_t thread;
    int accepted, refused, signed_tokens, read;
};

static void *work(void *argument) {
    struct tally *tally = argument;
    gk_error err;
    for (int i = 0; i < turns; i++) {
        gk_verified *verified = NULL;
        gk_buf token = {NULL, 0};
        if (gk_verifier_verify(verifier, good.data, good.len, &verified, &err) == GK_STATUS_OK) {
            tally->accepted += str_is(gk_verified_subject(verified), "a\"b");
        }
        gk_verified_free(verified);
        if (gk_verifier_verify(verifier, bad.data, bad.len, &verified, &err) ==
            GK_STATUS_INVALID_SIGNATURE) {
            tally->refused += verified == NULL && err.message[0] != 0;
        }
        if (i % 8 == 0) {
            gk_verifier *own = gk_verifier_clone(verifier);
            if (gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"c\"}"), &token, &err) == 0 &&
                gk_verifier_verify(own, token.data, token.len, &verified, &err) == GK_STATUS_OK) {
                tally->signed_tokens += str_is(gk_verified_subject(verified), "c");
            }
            gk_verified_free(verified);
            gk_buf_free(&token);
            gk_verifier_free(own);
        }
        /* What has escapes is decoded once, by whichever thread is first. */
        tally->read += str_is(gk_verified_subject(shared), "a\"b") &&
                       str_is(gk_verified_audience_at(shared, 0), "api");
    }
    return NULL;
}

int main(void) {
    gk_error err;
    gk_key *key = NULL, *half = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *made_signer = NULL;
    gk_verifier *made_verifier = NULL;
    gk_verified *made_verified = NULL;
    gk_policy *policy = gk_policy_new();
    struct tally tallies[THREADS] = {0};

    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_key_public(key, &half, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_audience(builder, GK_TEXT("api"));
    MUST(gk_signer_builder_build(builder, &made_signer, &err));
    MUST(gk_signer_sign_json(made_signer, GK_TEXT("{\"sub\":\"a\\\"b\"}"), &good, &err));
    MUST(gk_signer_sign_json(made_signer, GK_TEXT("{\"sub\":\"a\\\"b\"}"), &bad, &err));
    memcpy(strrchr(bad.data, '.') + 1, "AAAA", 4);
    gk_policy_expect_audience(policy, GK_TEXT("api"));
    MUST(gk_verifier_with_key(half, policy, &made_verifier, &err));
    MUST(gk_verifier_verify(made_verifier, good.data, good.len, &made_verified, &err));
    turns = is_brief() ? 8 : rounds(40);
    verifier = made_verifier;
    signer = made_signer;
    shared = made_verified;

    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&tallies[i].thread, NULL, work, &tallies[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(tallies[i].thread, NULL) == 0);
        CHECK(tallies[i].accepted == turns);
        CHECK(tallies[i].refused == turns);
        CHECK(tallies[i].signed_tokens == turns / 8);
        CHECK(tallies[i].read == turns);
    }

    gk_verified_free(made_verified);
    gk_verifier_free(made_verifier);
    gk_policy_free(policy);
    gk_buf_free(&bad);
    gk_buf_free(&good);
    gk_signer_free(made_signer);
    gk_signer_builder_free(builder);
    gk_key_free(half);
    gk_key_free(key);
    return passed("threads");
}
