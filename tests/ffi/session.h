/* What the tests of sessions, of revocations and of key rings share: a clock that stands still
 * until it is set, and signers and verifiers that go by it. */
#ifndef GATEKEY_TESTS_SESSIONS_H
#define GATEKEY_TESTS_SESSIONS_H

#include "check.h"

#define WRONG GK_STATUS_INVALID_ARGUMENT

/* Not UTF-8. */
#define BAD "\xff", 1

static const uint8_t PEPPER[32] = {1, 2, 3};
static const uint8_t OTHER_PEPPER[32] = {4, 5, 6};

static uint64_t now_seconds = 1800000000;

static inline uint64_t now(void *user) {
    (void)user;
    return now_seconds;
}

/* A token by its `iss`, its `jti` and its `exp`. */
#define TOKEN(...) TOKEN_(__VA_ARGS__)
#define TOKEN_(iss, iss_len, jti, jti_len, exp)                                                    \
    (&(const gk_token_identity){{iss, iss_len}, {jti, jti_len}, exp})

/* Whose tokens are revoked: those of a subject, of a tenant. */
#define SCOPE(...) SCOPE_(__VA_ARGS__)
#define SCOPE_(sub, sub_len, tenant, tenant_len)                                                   \
    (&(const gk_revoke_scope){{sub, sub_len}, {tenant, tenant_len}, NULL})

/* A session by its id, and of which subject it must be. */
#define SESSION(...) SESSION_(__VA_ARGS__)
#define SESSION_(family, family_len, sub, sub_len)                                                 \
    (&(const gk_session_identity){{family, family_len}, {sub, sub_len}})

static inline void released(void *user) { ++*(int *)user; }

/* The signer of a builder, which it takes over: tokens of 15 minutes. */
static inline gk_signer *signer_of(gk_signer_builder *builder) {
    gk_error err;
    gk_signer *signer = NULL;
    gk_signer_builder_clock(builder, now, NULL, NULL);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
    return signer;
}

static inline gk_policy *policy_with(const gk_revocations *revocations) {
    gk_policy *policy = gk_policy_new();
    gk_policy_clock(policy, now, NULL, NULL);
    if (revocations != NULL) gk_policy_revocations(policy, revocations);
    return policy;
}

static inline gk_verifier *verifier_with(const gk_key *key, const gk_revocations *revocations) {
    gk_error err;
    gk_verifier *verifier = NULL;
    gk_policy *policy = policy_with(revocations);
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));
    gk_policy_free(policy);
    return verifier;
}

/* What a verifier says of a token. */
static inline gk_status said(const gk_verifier *verifier, const gk_buf *token) {
    gk_verified *verified = NULL;
    const gk_status status = gk_verifier_verify(verifier, token->data, token->len, &verified, NULL);
    gk_verified_free(verified);
    return status;
}

static inline bool holds(const gk_buf *text, const char *part) {
    return text->data != NULL && strlen(text->data) == text->len && strstr(text->data, part);
}

#endif /* GATEKEY_TESTS_SESSIONS_H */
