/* Log in, refresh, catch a stolen refresh token, log out everywhere. */
#include <gatekey.h>
#include <stdio.h>
#include <string.h>

#define ACCESS(tokens) (tokens).access_token.data, (tokens).access_token.len
#define REFRESH(tokens) (tokens).refresh_token.data, (tokens).refresh_token.len

int main(int argc, char **argv) {
    const char *url = argc > 1 ? argv[1] : "sqlite:///sessions.sqlite";
    gk_error err;
    gk_key_ring *ring = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    gk_sessions *sessions = NULL;
    gk_revocations *revoked = NULL;
    gk_policy *policy = gk_policy_new();
    gk_verifier *verifier = NULL;
    gk_session_tokens first = {0}, second = {0}, third = {0}, laptop = {0}, phone = {0}, none;
    gk_status stolen = GK_STATUS_OK;
    uint64_t ended = 0;

    if (gk_key_ring_open(url, strlen(url), NULL, &ring, &err) ||
        gk_signer_builder_following(ring, &builder, &err) ||
        gk_signer_builder_build(builder, &signer, &err) ||
        gk_sessions_open(url, strlen(url), signer, NULL, &sessions, &err) ||
        gk_policy_revocations(policy, revoked = gk_sessions_revocations(sessions), &err) ||
        gk_verifier_following(ring, policy, &verifier, &err) ||

        gk_sessions_start(sessions, GK_TEXT("alice"), NULL, NULL, 0, NULL, 0, &first, &err) ||
        gk_sessions_refresh(sessions, REFRESH(first), NULL, &second, &err) ||
        gk_sessions_refresh(sessions, REFRESH(second), NULL, &third, &err) ||
        /* Someone has kept a copy of the first one. */
        !(stolen = gk_sessions_refresh(sessions, REFRESH(first), NULL, &none, NULL)) ||

        gk_sessions_start(sessions, GK_TEXT("alice"), NULL, NULL, 0, NULL, 0, &laptop, &err) ||
        gk_sessions_start(sessions, GK_TEXT("alice"), NULL, NULL, 0, NULL, 0, &phone, &err) ||
        gk_sessions_end_all(sessions, GK_TEXT("alice"), &ended, &err)) {
        fprintf(stderr, "%s: %s\n", gk_status_name(err.status), err.message);
    } else {
        gk_verified *claims = NULL;
        const gk_status refused = gk_verifier_verify(verifier, ACCESS(phone), &claims, NULL);
        printf("logged in, for %d seconds\n", (int)first.expires_in);
        printf("the first refresh token again: %s\n", gk_status_name(stolen));
        printf("logged out everywhere: %d sessions\n", (int)ended);
        printf("the phone's access token: %s\n", gk_status_name(refused));
    }

    gk_session_tokens *all[] = {&first, &second, &third, &laptop, &phone};
    for (int i = 0; i < 5; i++) gk_session_tokens_free(all[i]);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_revocations_free(revoked);
    gk_sessions_free(sessions);
    gk_signer_free(signer);
    gk_signer_builder_free(builder);
    gk_key_ring_free(ring);
    return err.status != GK_STATUS_OK;
}
