/* Log in, refresh, catch a stolen refresh token, log out everywhere. */
#include "must.h"

#define ACCESS(tokens) (tokens).access_token.data, (tokens).access_token.len
#define REFRESH(tokens) (tokens).refresh_token.data, (tokens).refresh_token.len

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "sqlite:///sessions.sqlite";
    gk_store *store;
    gk_key_ring *ring;
    gk_signer_builder *builder;
    gk_signer *signer;
    gk_sessions *sessions;
    gk_verifier *verifier;
    gk_verified *claims;
    gk_session_tokens first, second, third, laptop, phone, none;
    uint64_t ended;

    must(gk_store_open(url, strlen(url), NULL, &store, &err));
    must(gk_store_key_ring(store, GK_TEXT("default"), NULL, &ring, &err));
    must(gk_signer_builder_following(ring, &builder, &err));
    must(gk_signer_builder_build(builder, &signer, &err));
    must(gk_store_sessions(store, signer, NULL, &sessions, &err));
    gk_policy *policy = gk_policy_new();
    gk_revocations *revoked = gk_sessions_revocations(sessions);
    gk_policy_revocations(policy, revoked);
    must(gk_verifier_following(ring, policy, &verifier, &err));

    must(gk_sessions_start(sessions, GK_TEXT("alice"), NULL, &first, &err));
    printf("logged in, for %d seconds\n", (int)first.expires_in);
    must(gk_sessions_refresh(sessions, REFRESH(first), NULL, &second, &err));
    must(gk_sessions_refresh(sessions, REFRESH(second), NULL, &third, &err));
    /* Someone has kept a copy of the first one. */
    gk_status refused = gk_sessions_refresh(sessions, REFRESH(first), NULL, &none, NULL);
    printf("the first refresh token again: %s\n", gk_status_name(refused));

    must(gk_sessions_start(sessions, GK_TEXT("alice"), NULL, &laptop, &err));
    must(gk_sessions_start(sessions, GK_TEXT("alice"), NULL, &phone, &err));
    must(gk_sessions_end_all(sessions, GK_TEXT("alice"), &ended, &err));
    printf("logged out everywhere: %d sessions\n", (int)ended);
    refused = gk_verifier_verify(verifier, ACCESS(phone), &claims, NULL);
    printf("the phone's access token: %s\n", gk_status_name(refused));

    gk_session_tokens *all[] = {&first, &second, &third, &laptop, &phone};
    for (int i = 0; i < 5; i++) gk_session_tokens_free(all[i]);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_revocations_free(revoked);
    gk_sessions_free(sessions);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_ring_free(ring);
    gk_store_free(store);
}
