/* Callback clocks in what was given to another handle: that one's calls go by them; and a clock
 * that stands still hides no change of another process. Two handles on one file stand for two
 * processes. */
#define _DEFAULT_SOURCE /* mkdtemp, usleep */
#include "door.h"
#include "peppered.h"
#include "session.h"

#include <time.h>
#include <unistd.h>

#define API "https://api.example"
#define YEAR (366 * UINT64_C(86400))

static gk_error err;
static char url[128];

/* Waits until another handle's change is seen; a minute at most. */
#define SOON(condition)                                                                            \
    do {                                                                                           \
        int tries = 60000;                                                                         \
        while (!(condition) && tries > 0) usleep(1000), tries--;                                   \
        CHECK(condition);                                                                          \
    } while (0)

static gk_key_ring *open_ring(void) {
    gk_key_ring *ring = NULL;
    gk_key_ring_options *options = gk_key_ring_options_new();
    gk_key_ring_options_clock(options, now, NULL, NULL);
    gk_key_ring_options_alg(options, GK_ALG_HS256);
    gk_store *store = store_under(url, PEPPER, 32);
    MUST(gk_store_key_ring(store, NULL, 0, options, &ring, &err));
    gk_store_free(store);
    gk_key_ring_options_free(options);
    return ring;
}

static gk_revocations *open_revocations(void) {
    gk_revocations *revocations = NULL;
    gk_revocation_options *options = gk_revocation_options_new();
    gk_revocation_options_clock(options, now, NULL, NULL);
    MUST(gk_revocations_open(url, strlen(url), options, &revocations, &err));
    gk_revocation_options_free(options);
    return revocations;
}

static gk_api_keys *open_keys(void) {
    gk_api_keys *keys = NULL;
    gk_api_key_options *options = gk_api_key_options_new();
    gk_api_key_options_clock(options, now, NULL, NULL);
    gk_store *store = store_under(url, PEPPER, 32);
    MUST(gk_store_api_keys(store, options, &keys, &err));
    gk_store_free(store);
    gk_api_key_options_free(options);
    return keys;
}

static gk_signer *follower(const gk_key_ring *ring) {
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_following(ring, &builder, &err));
    gk_signer_builder_issuer(builder, GK_TEXT("https://auth.example"));
    gk_signer_builder_audience(builder, GK_TEXT(API));
    gk_signer_builder_typ(builder, GK_TEXT("at+jwt"));
    return signer_of(builder);
}

static gk_buf signed_by(const gk_signer *signer) {
    gk_buf token;
    const char *claims = "{\"sub\":\"alice\",\"client_id\":\"app\",\"jti\":\"the-one\"}";
    MUST(gk_signer_sign_json(signer, claims, strlen(claims), &token, &err));
    return token;
}

/* What the door says of a credential. */
static gk_status asked(const gk_resource_server *door, const gk_buf *credential) {
    static char header[4096];
    gk_buf access;
    snprintf(header, sizeof header, "Bearer %s", credential->data);
    const gk_status status = knock_at(door, header, &access, &err);
    gk_buf_free(&access);
    return status;
}

static gk_resource_server *door_with(const gk_key_ring *ring, const gk_api_keys *keys,
                                     const gk_revocations *revocations) {
    gk_resource_server *door = NULL;
    const char *json = ring != NULL ? "{\"audience\":\"" API
                                      "\",\"issuer\":\"https://auth.example\"}"
                                    : "{\"audience\":\"" API "\"}";
    const struct door_parts parts = {.ring = ring, .api_keys = keys, .revocations = revocations};
    MUST(open_door(json, parts, &door, &err));
    return door;
}

static void of_api_keys(void) {
    gk_issued_api_key short_lived, gone;
    gk_api_keys *here = open_keys(), *there = open_keys();
    gk_resource_server *door = door_with(NULL, here, NULL);
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    MUST(gk_api_keys_create(here, spec, &gone, &err));
    gk_api_key_spec_expires_in(spec, 60);
    MUST(gk_api_keys_create(here, spec, &short_lived, &err));
    CHECK(asked(door, &short_lived.secret) == GK_STATUS_OK);
    CHECK(asked(door, &gone.secret) == GK_STATUS_OK);
    MUST(gk_api_keys_revoke(there, gone.key_id, strlen(gone.key_id), NULL, 0, &err));
    SOON(asked(door, &gone.secret) == GK_STATUS_API_KEY_REVOKED);
    now_seconds += YEAR;
    CHECK(asked(door, &short_lived.secret) == GK_STATUS_API_KEY_EXPIRED);
    now_seconds -= YEAR;
    gk_issued_api_key_free(&short_lived);
    gk_issued_api_key_free(&gone);
    gk_api_key_spec_free(spec);
    gk_resource_server_free(door);
    gk_api_keys_free(here);
    gk_api_keys_free(there);
}

static bool is_good(const gk_api_keys *keys, const gk_issued_api_key *key) {
    const gk_api_key_request request = {.key = {key->secret.data, key->secret.len}};
    return gk_api_keys_verify(keys, &request, NULL, NULL, &err) == GK_STATUS_OK;
}

/* A clock that is absurd makes nothing and deletes nothing; one that ran ahead deletes nothing that
 * is good. */
static void of_api_keys_alone(void) {
    static const uint64_t absurd[] = {UINT64_C(253402300801), UINT64_C(1800000000000), UINT64_MAX};
    static const uint64_t ahead[] = {7200, 40 * UINT64_C(86400), 400 * YEAR};
    const uint64_t right = now_seconds;
    uint64_t purged = 7;
    gk_issued_api_key old, new, week, ever, none;
    gk_api_keys *keys = open_keys();
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("clocks"));
    MUST(gk_api_keys_create(keys, spec, &ever, &err));
    MUST(gk_api_keys_create(keys, spec, &old, &err));
    gk_api_key_spec_expires_in(spec, 7 * UINT64_C(86400));
    MUST(gk_api_keys_create(keys, spec, &week, &err));
    MUST(gk_api_keys_rotate(keys, old.key_id, strlen(old.key_id), 3600, &new, &err));
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        now_seconds = absurd[i];
        FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_api_keys_create(keys, spec, &none, &err));
        FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_api_keys_purge(keys, right, &purged, &err));
        FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_api_keys_wrap_peppers(keys, &purged, &err));
        CHECK(!is_good(keys, &ever));
        now_seconds = right;
        CHECK(is_good(keys, &ever) && is_good(keys, &week) && is_good(keys, &old));
    }
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        gk_api_keys *newer = NULL;
        gk_api_key_options *options = gk_api_key_options_new();
        gk_api_key_options_clock(options, now, NULL, NULL);
        gk_store *store = NULL;
        gk_store_options *both = gk_store_options_new();
        gk_store_options_pepper(both, 1, PEPPER, 32);
        gk_store_options_pepper(both, 2, OTHER_PEPPER, 32);
        MUST(gk_store_open(url, strlen(url), both, &store, &err));
        MUST(gk_store_api_keys(store, options, &newer, &err));
        gk_store_options_free(both);
        gk_store_free(store);
        gk_api_key_options_free(options);
        now_seconds = right + ahead[i];
        MUST(gk_api_keys_wrap_peppers(newer, NULL, &err));
        MUST(gk_api_keys_purge(newer, now_seconds, &purged, &err));
        CHECK(purged == 0);
        now_seconds = right;
        CHECK(is_good(newer, &ever) && is_good(newer, &week) && is_good(newer, &new));
        CHECK(is_good(newer, &old));
        gk_api_keys_free(newer);
    }
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
    gk_issued_api_key_free(&old);
    gk_issued_api_key_free(&new);
    gk_issued_api_key_free(&week);
    gk_issued_api_key_free(&ever);
}

/* A clock that ran ahead delays no refill of credits. */
static void of_credits(void) {
    static const uint64_t ahead[] = {7200, 40 * UINT64_C(86400), 400 * YEAR};
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        const uint64_t right = now_seconds;
        gk_issued_api_key key;
        gk_api_keys *keys = open_keys();
        gk_api_key_spec *spec = gk_api_key_spec_new();
        gk_api_key_spec_owner(spec, GK_TEXT("clocks"));
        gk_api_key_spec_credits(spec, 1, 1, 60);
        MUST(gk_api_keys_create(keys, spec, &key, &err));
        CHECK(is_good(keys, &key) && !is_good(keys, &key));
        now_seconds = right + ahead[i];
        CHECK(!is_good(keys, &key));
        now_seconds = right + 62;
        CHECK(is_good(keys, &key) && !is_good(keys, &key));
        now_seconds = right;
        gk_api_key_spec_free(spec);
        gk_issued_api_key_free(&key);
        gk_api_keys_free(keys);
    }
}

/* A clock that ran ahead ends no session: it refuses its refresh token while it does. */
static void of_sessions(void) {
    static const uint64_t ahead[] = {40 * UINT64_C(86400), 400 * YEAR};
    const uint64_t right = now_seconds;
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    gk_sessions *sessions = NULL;
    gk_session_tokens first, second, third;
    gk_session_options *options = gk_session_options_new();
    gk_session_options_clock(options, now, NULL, NULL);
    MUST(gk_key_generate(GK_ALG_HS256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer *signer = signer_of(builder);
    gk_store *store = store_under(url, PEPPER, 32);
    MUST(gk_store_sessions(store, signer, options, &sessions, &err));
    gk_store_free(store);
    gk_session_options_free(options);
    MUST(gk_sessions_start(sessions, GK_TEXT("alice"), NULL, &first, &err));
#define REFRESH(tokens, out)                                                                       \
    gk_sessions_refresh(sessions, (tokens).refresh_token.data, (tokens).refresh_token.len, NULL,   \
                        &(out), &err)
    MUST(REFRESH(first, second));
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        now_seconds = right + ahead[i];
        FAILS(GK_STATUS_SESSION_EXPIRED, REFRESH(second, third));
    }
    /* An answer that was lost, two hours ahead. */
    now_seconds = right + 7200;
    MUST(REFRESH(first, third));
    gk_session_tokens_free(&third);
    now_seconds = right;
    MUST(REFRESH(second, third));
    gk_session_tokens_free(&first);
    gk_session_tokens_free(&second);
    gk_session_tokens_free(&third);
    gk_sessions_free(sessions);
    gk_signer_free(signer);
    gk_key_free(key);
}

static void of_revocations(void) {
    gk_key_ring *ring = open_ring();
    gk_signer *signer = follower(ring);
    gk_revocations *here = open_revocations(), *there = open_revocations();
    gk_resource_server *door = door_with(ring, NULL, here);
    gk_policy *policy = policy_with(here);
    gk_verifier *verifier = NULL;
    gk_policy_ignore_issuer(policy);
    gk_policy_ignore_audience(policy);
    gk_policy_ignore_type(policy);
    MUST(gk_verifier_following(ring, policy, &verifier, &err));
    gk_buf token = signed_by(signer);
    CHECK(said(verifier, &token) == GK_STATUS_OK && asked(door, &token) == GK_STATUS_OK);
    const gk_token_identity the_one = {
        {GK_TEXT("https://auth.example")}, {GK_TEXT("the-one")}, now_seconds + 900};
    MUST(gk_revocations_revoke_token(there, &the_one, &err));
    SOON(said(verifier, &token) == GK_STATUS_REVOKED_TOKEN);
    SOON(asked(door, &token) == GK_STATUS_REVOKED_TOKEN);
    gk_buf_free(&token);
    gk_verifier_free(verifier);
    gk_policy_free(policy);
    gk_resource_server_free(door);
    gk_revocations_free(here);
    gk_revocations_free(there);
    gk_signer_free(signer);
    gk_key_ring_free(ring);
}

static void of_rings(void) {
    gk_key_ring *here = open_ring(), *there = open_ring();
    gk_signer *signer = follower(here);
    gk_resource_server *door = door_with(here, NULL, NULL);
    gk_sessions *sessions = NULL;
    gk_session_options *options = gk_session_options_new();
    gk_session_tokens started;
    gk_buf token = signed_by(signer), active;
    CHECK(asked(door, &token) == GK_STATUS_OK);
    gk_session_options_clock(options, now, NULL, NULL);
    MUST(gk_sessions_open(GK_TEXT("memory:"), signer, options, &sessions, &err));
    gk_session_options_free(options);

    /* Another process rotates: who signs follows, alone or for sessions. */
    gk_key *key = NULL;
    MUST(gk_signer_key(signer, &key, &err));
    char old[64];
    snprintf(old, sizeof old, "%.*s", (int)gk_key_kid(key).len, gk_key_kid(key).data);
    gk_key_free(key);
    MUST(gk_key_ring_rotate(there, &active, &err));
    gk_buf_free(&active);
    bool is_other = false;
    for (int tries = 60000; tries > 0 && !is_other; tries--) {
        MUST(gk_sessions_start(sessions, GK_TEXT("alice"), NULL, &started, &err));
        gk_session_tokens_free(&started);
        MUST(gk_signer_key(signer, &key, &err));
        is_other = !str_is(gk_key_kid(key), old);
        gk_key_free(key);
        usleep(1000);
    }
    CHECK(is_other);
    /* By the ring's clock, the retired key has lapsed; by the door's, the system's, the token is
     * good. */
    CHECK(asked(door, &token) == GK_STATUS_OK);
    now_seconds += YEAR;
    CHECK(asked(door, &token) == GK_STATUS_KEY_NOT_FOUND);
    now_seconds -= YEAR;
    gk_buf_free(&token);

    /* A clock that is behind retires a key for long enough. */
    token = signed_by(signer);
    now_seconds -= 3600;
    MUST(gk_key_ring_rotate(there, &active, &err));
    gk_buf_free(&active);
    now_seconds += 3600;
    CHECK(asked(door, &token) == GK_STATUS_OK);
    gk_buf_free(&token);

    /* Another process takes a key out. */
    token = signed_by(signer);
    CHECK(asked(door, &token) == GK_STATUS_OK);
    MUST(gk_signer_key(signer, &key, &err));
    MUST(gk_key_ring_remove(there, LENT(gk_key_kid(key)), &err));
    gk_key_free(key);
    SOON(asked(door, &token) == GK_STATUS_KEY_NOT_FOUND);
    gk_buf_free(&token);
    gk_sessions_free(sessions);
    gk_resource_server_free(door);
    gk_signer_free(signer);
    gk_key_ring_free(here);
    gk_key_ring_free(there);
}

int main(void) {
    char folder[] = "/tmp/gatekey-clocks-XXXXXX", command[64];
    CHECK(mkdtemp(folder) != NULL);
    now_seconds = (uint64_t)time(NULL);
    snprintf(url, sizeof url, "sqlite:///%s/alone.sqlite", folder);
    of_api_keys_alone();
    snprintf(url, sizeof url, "sqlite:///%s/store.sqlite", folder);
    of_api_keys();
    of_credits();
    of_sessions();
    of_revocations();
    of_rings();
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
    return passed("clocks");
}
