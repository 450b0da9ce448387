/* Forks while three threads work on a store: sessions, API keys, credits, imported keys with slow
 * hashes, revocations and key rings, all in one SQLite file. What any of them was told is done must
 * be there for the handle that was forked, and for a process that is executed afterwards. */
#define _GNU_SOURCE
#include "forks.h"
#include "peppered.h"

#include <time.h>

#define MINE(text) (text), strlen(text)

static const uint8_t PEPPER[32] = {1, 2, 3};
static const uint8_t SECRET[32] = {4, 5, 6};

/* ---- what all have in common ---- */

static char url[300];
static gk_key *key;
static gk_signer *signer;

static void begin_with_signer(const char *file) {
    gk_error err;
    gk_signer_builder *builder = NULL;
    snprintf(url, sizeof url, "sqlite:///%s/%s.sqlite", folder, file);
    MUST(gk_key_from_secret(SECRET, sizeof SECRET, GK_ALG_HS256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_ttl(builder, 900);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
}

static void end_signer(void) {
    gk_signer_free(signer);
    gk_key_free(key);
}

static bool holds(const gk_buf *text, const char *part) {
    return text->data != NULL && strstr(text->data, part) != NULL;
}

static gk_status says(const gk_verifier *verifier, const char *token) {
    gk_verified *verified = NULL;
    const gk_status status = gk_verifier_verify(verifier, MINE(token), &verified, NULL);
    gk_verified_free(verified);
    return status;
}

/* ---- sessions ---- */

static gk_sessions *sessions;
static gk_verifier *verifier;

static gk_verifier *verifier_with(const gk_revocations *revocations) {
    gk_error err;
    gk_verifier *made = NULL;
    gk_policy *policy = gk_policy_new();
    gk_policy_revocations(policy, revocations);
    MUST(gk_verifier_with_key(key, policy, &made, &err));
    gk_policy_free(policy);
    return made;
}

static void begin_sessions(void) {
    gk_error err;
    gk_session_options *options = gk_session_options_new();
    begin_with_signer("sessions");
    gk_store *store = store_under(url, PEPPER, sizeof PEPPER);
    MUST(gk_store_sessions(store, signer, options, &sessions, &err));
    gk_store_free(store);
    gk_session_options_free(options);
    gk_revocations *revocations = gk_sessions_revocations(sessions);
    verifier = verifier_with(revocations);
    gk_revocations_free(revocations);
}

static void end_sessions(void) {
    gk_verifier_free(verifier);
    gk_sessions_free(sessions);
    end_signer();
}

static gk_session_tokens started(const char *subject) {
    gk_error err;
    gk_session_tokens tokens;
    MUST(gk_sessions_start(sessions, MINE(subject), NULL, &tokens, &err));
    drawn(tokens.family, strlen(tokens.family));
    drawn(tokens.refresh_token.data, tokens.refresh_token.len);
    CHECK(says(verifier, tokens.access_token.data) == GK_STATUS_OK);
    return tokens;
}

static void ended(gk_session_tokens *tokens) {
    promise_text("ended", tokens->family);
    promise("refused", tokens->access_token.data, tokens->access_token.len);
    gk_session_tokens_free(tokens);
}

static void work_sessions(hand who) {
    gk_error err;
    bool was_live = false;
    uint64_t count = 0;
    OWN_NAME(alice, "alice");
    OWN_NAME(bob, "bob");
    gk_session_tokens stays = started(alice), goes = started(bob), next;
    MUST(gk_sessions_refresh(sessions, stays.refresh_token.data, stays.refresh_token.len, NULL,
                             &next, &err));
    drawn(next.refresh_token.data, next.refresh_token.len);
    promise_text("refreshed", next.family);
    gk_session_tokens_free(&next);
    gk_session_tokens_free(&stays);
    if (who == THREAD) {
        MUST(gk_sessions_end(sessions, goes.refresh_token.data, goes.refresh_token.len, &was_live,
                             &err));
        CHECK(was_live);
    } else {
        gk_session_tokens too = started(bob);
        MUST(gk_sessions_end_all(sessions, MINE(bob), &count, &err));
        CHECK(count == 2);
        ended(&too);
    }
    CHECK(says(verifier, goes.access_token.data) == GK_STATUS_REVOKED_TOKEN);
    ended(&goes);
}

static void judge_sessions(const char *kind, char *value) {
    gk_error err;
    gk_buf record;
    if (strcmp(kind, "refused") == 0) {
        IN_THE_END(says(verifier, value) == GK_STATUS_REVOKED_TOKEN);
        return;
    }
    const bool lives = strcmp(kind, "refreshed") == 0;
    MUST(gk_sessions_get(sessions, MINE(value), &record, &err));
    CHECK(lives == holds(&record, "\"ended_at\":null"));
    CHECK(lives == holds(&record, "\"refreshes\":1"));
    gk_buf_free(&record);
}

/* ---- API keys ---- */

static gk_api_keys *keys;
static gk_api_key_spec *spec;
static gk_api_key_check *free_of_charge;

static void begin_keys(void) {
    gk_error err;
    snprintf(url, sizeof url, "sqlite:///%s/keys.sqlite", folder);
    gk_store *store = store_under(url, PEPPER, sizeof PEPPER);
    MUST(gk_store_api_keys(store, NULL, &keys, &err));
    gk_store_free(store);
    spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    free_of_charge = gk_api_key_check_new();
    gk_api_key_check_cost(free_of_charge, 0);
}

static void end_keys(void) {
    gk_api_key_check_free(free_of_charge);
    gk_api_key_spec_free(spec);
    gk_api_keys_free(keys);
}

static gk_status answer(const char *secret, const gk_api_key_check *check, char *id) {
    gk_api_key_result result;
    const gk_status status =
        gk_api_keys_verify(keys, PRESENTED(MINE(secret)), check, &result, NULL);
    if (id != NULL) strcpy(id, result.key_id);
    return status;
}

static gk_issued_api_key created(char *id) {
    gk_error err;
    gk_issued_api_key issued;
    MUST(gk_api_keys_create(keys, spec, &issued, &err));
    drawn(issued.secret.data, issued.secret.len);
    CHECK(answer(issued.secret.data, NULL, id) == GK_STATUS_OK);
    return issued;
}

static void work_keys(hand who) {
    gk_error err;
    char id[GK_API_KEY_ID_SIZE];
    gk_issued_api_key old = created(id), issued;
    MUST(gk_api_keys_rotate(keys, id, strlen(id), 0, &issued, &err));
    const gk_buf secret = issued.secret;
    drawn(secret.data, secret.len);
    CHECK(answer(old.secret.data, NULL, NULL) == GK_STATUS_BAD_API_KEY_SECRET);
    CHECK(answer(secret.data, NULL, NULL) == GK_STATUS_OK);
    promise("rotated", old.secret.data, old.secret.len);
    gk_issued_api_key_free(&old);
    if (who != THREAD) promise("good", secret.data, secret.len);
    if (who != PARENT) {
        MUST(gk_api_keys_revoke(keys, id, strlen(id), GK_TEXT("leaked"), &err));
        CHECK(answer(secret.data, NULL, NULL) == GK_STATUS_API_KEY_REVOKED);
        promise("revoked", secret.data, secret.len);
    }
    gk_issued_api_key_free(&issued);
    if (who == CHILD) MUST(gk_api_keys_flush(keys, &err));
}

static void judge_keys(const char *kind, char *value) {
    /* A child promises of the same key that it is good, and then that it is revoked. */
    if (strcmp(kind, "good") == 0) {
        IN_THE_END(answer(value, NULL, NULL) == GK_STATUS_OK ||
                   answer(value, NULL, NULL) == GK_STATUS_API_KEY_REVOKED);
    } else if (strcmp(kind, "revoked") == 0) {
        IN_THE_END(answer(value, NULL, NULL) == GK_STATUS_API_KEY_REVOKED);
    } else {
        IN_THE_END(answer(value, NULL, NULL) == GK_STATUS_BAD_API_KEY_SECRET ||
                   answer(value, NULL, NULL) == GK_STATUS_API_KEY_REVOKED);
    }
}

/* ---- credits ---- */

enum { EACH_TIME = 20, SOME = 20000 };

static char paid[128];

static uint64_t credits(void) { return (uint64_t)rounds(SOME); }

static void begin_credits(void) {
    gk_error err;
    gk_issued_api_key issued;
    char path[300];
    begin_keys();
    snprintf(path, sizeof path, "%s/paid", folder);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        gk_api_key_spec_credits(spec, credits(), 0, 0);
        MUST(gk_api_keys_create(keys, spec, &issued, &err));
        file = fopen(path, "w+");
        CHECK(file != NULL && fprintf(file, "%s", issued.secret.data) > 0);
        rewind(file);
        gk_issued_api_key_free(&issued);
    }
    CHECK(fgets(paid, sizeof paid, file) != NULL);
    fclose(file);
}

static void work_credits(hand who) {
    gk_error err;
    char spent[16];
    int granted = 0;
    for (int i = 0; i < EACH_TIME; i++) {
        const gk_status status = answer(paid, NULL, NULL);
        CHECK(status == GK_STATUS_OK || status == GK_STATUS_CREDITS_EXHAUSTED);
        granted += status == GK_STATUS_OK;
    }
    snprintf(spent, sizeof spent, "%d", granted);
    promise_text("spent", spent);
    CHECK(answer(paid, free_of_charge, NULL) == GK_STATUS_OK);
    if (who == CHILD) MUST(gk_api_keys_close(keys, &err)); /* gives back what it has not spent */
    if (who == THREAD) usleep(20000);
}

static uint64_t spent_in_all;

static void judge_credits(const char *kind, char *value) {
    CHECK(strcmp(kind, "spent") == 0);
    spent_in_all += strtoull(value, NULL, 10);
}

/* What is left is what nobody has spent, to the last credit. */
static void end_credits(void) {
    gk_error err;
    MUST(gk_api_keys_close(keys, &err));
    end_keys();
    begin_credits();
    gk_buf record;
    char id[GK_API_KEY_ID_SIZE], left[64];
    CHECK(answer(paid, free_of_charge, id) == GK_STATUS_OK);
    MUST(gk_api_keys_get(keys, id, strlen(id), &record, &err));
    snprintf(left, sizeof left, "\"remaining\":%llu",
             (unsigned long long)(credits() - spent_in_all));
    if (!holds(&record, left)) fprintf(stderr, "expected %s in %s\n", left, record.data);
    CHECK(spent_in_all > 0 && holds(&record, left));
    gk_buf_free(&record);
    end_keys();
}

/* ---- imported keys with slow hashes ---- */

#define IMPORTED "abcd1234.SecretPartOfTheLegacyKey42"

/* Of this form, of nobody's secret, and slow. */
static const char *const SLOW[][3] = {
    {"bcrypt", "bcrypted", "$2b$08$abcdefghijklmnopqrstuuQiPmdsxUh1zEvgyI4K1CmfhVBzUiUNO"},
    {"argon2", "argon",
     "$argon2id$v=19$m=4096,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
     "F3v0QQ1hm5nTVXm9H7P06AoPZm0+Q0S0yojN5JYXXXk"},
    {"pbkdf2-sha256", "pbkdf",
     "pbkdf2_sha256$20000$saltysalt$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8="},
};

static void import(const char *scheme, const char *lookup, const char *credential) {
    gk_error err;
    gk_buf report;
    gk_api_key_import *rows = gk_api_key_import_new();
    gk_api_key_import_add(rows, spec, MINE(credential), lookup, lookup ? strlen(lookup) : 0);
    MUST(gk_api_keys_import(keys, MINE(scheme), rows, &report, &err));
    CHECK(holds(&report, "\"imported\":1,") || holds(&report, "imported before"));
    gk_buf_free(&report);
    gk_api_key_import_free(rows);
}

static void begin_imports(void) {
    begin_keys();
    for (int i = 0; i < 3; i++) import(SLOW[i][0], SLOW[i][1], SLOW[i][2]);
    import("pbkdf2-sha256", "abcd1234",
           "pbkdf2_sha256$1000$saltysalt$hjFyShNx1iB9eVHvsjpmbH/g7OPcRdWKNNQbvjdoUr8=");
}

static void work_imports(hand who) {
    char text[64];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%s.a-wrong-secret", SLOW[i][1]);
        CHECK(answer(text, NULL, NULL) == GK_STATUS_BAD_API_KEY_SECRET);
    }
    CHECK(answer(IMPORTED, NULL, NULL) == GK_STATUS_OK);
    if (who == THREAD) return;
    OWN_NAME(own, "a.key.of.another.system.with.a.secret");
    import("plaintext", NULL, own);
    CHECK(answer(own, NULL, NULL) == GK_STATUS_OK);
    promise_text("imported", own);
}

static void judge_imports(const char *kind, char *value) {
    CHECK(strcmp(kind, "imported") == 0);
    IN_THE_END(answer(value, NULL, NULL) == GK_STATUS_OK);
}

/* ---- revocations ---- */

static gk_revocations *revocations;

static void begin_revocations(void) {
    gk_error err;
    begin_with_signer("revocations");
    MUST(gk_revocations_open(MINE(url), NULL, &revocations, &err));
    verifier = verifier_with(revocations);
}

static void end_revocations(void) {
    gk_verifier_free(verifier);
    gk_revocations_free(revocations);
    end_signer();
}

static void work_revocations(hand who) {
    gk_error err;
    gk_buf token;
    gk_claims *claims = gk_claims_new();
    bool first = false;
    const uint64_t until = (uint64_t)time(NULL) + 900;
    OWN_NAME(token_id, "token");
    OWN_NAME(subject, "subject");
    const gk_token_identity revoked = {{NULL, 0}, {MINE(token_id)}, until};
    const gk_token_identity used = {{NULL, 0}, {MINE(subject)}, until};
    gk_claims_token_id(claims, MINE(token_id));
    gk_claims_subject(claims, MINE(subject));
    MUST(gk_signer_sign(signer, claims, &token, &err));
    CHECK(says(verifier, token.data) == GK_STATUS_OK);
    if (who == THREAD) {
        MUST(gk_revocations_revoke_token(revocations, &revoked, &err));
    } else {
        MUST(gk_revocations_revoke_subject(revocations, MINE(subject), &err));
    }
    CHECK(says(verifier, token.data) == GK_STATUS_REVOKED_TOKEN);
    promise("refused", token.data, token.len);
    MUST(gk_revocations_seen_once(revocations, &used, &first, &err));
    CHECK(first);
    promise_text("seen", subject);
    gk_buf_free(&token);
    gk_claims_free(claims);
}

static void judge_revocations(const char *kind, char *value) {
    gk_error err;
    bool first = true;
    if (strcmp(kind, "refused") == 0) {
        IN_THE_END(says(verifier, value) == GK_STATUS_REVOKED_TOKEN);
    } else {
        const gk_token_identity used = {{NULL, 0}, {MINE(value)}, (uint64_t)time(NULL) + 900};
        MUST(gk_revocations_seen_once(revocations, &used, &first, &err));
        CHECK(!first);
    }
}

/* ---- key rings ---- */

static gk_key_ring *ring, *changing;
static gk_signer *follower;

static gk_key_ring *open_ring(const char *name) {
    gk_error err;
    gk_key_ring *opened = NULL;
    gk_store *store = store_under(url, PEPPER, sizeof PEPPER);
    MUST(gk_store_key_ring(store, MINE(name), NULL, &opened, &err));
    gk_store_free(store);
    return opened;
}

static void begin_rings(void) {
    gk_error err;
    gk_signer_builder *builder = NULL;
    gk_policy *policy = gk_policy_new();
    begin_with_signer("rings");
    ring = open_ring("quiet");
    changing = open_ring("changing");
    MUST(gk_signer_builder_following(ring, &builder, &err));
    gk_signer_builder_token_ids(builder, true);
    MUST(gk_signer_builder_build(builder, &follower, &err));
    MUST(gk_verifier_following(ring, policy, &verifier, &err));
    gk_signer_builder_free(builder);
    gk_policy_free(policy);
}

static void end_rings(void) {
    gk_verifier_free(verifier);
    gk_signer_free(follower);
    gk_key_ring_free(changing);
    gk_key_ring_free(ring);
    end_signer();
}

/* Removes what is retired, for a ring has 64 keys at most; another may have been faster. */
static void remove_retired(void) {
    gk_error err;
    gk_buf listed;
    MUST(gk_key_ring_keys(changing, &listed, &err));
    for (char *at = listed.data; (at = strstr(at, "\"kid\":\"")) != NULL;) {
        char *kid = at + 7, *next = strstr(kid, "\"kid\":\"");
        const char *retired = strstr(kid, "\"retired\"");
        at = kid;
        if (retired == NULL || (next != NULL && retired > next)) continue;
        const gk_status status = gk_key_ring_remove(changing, kid, strcspn(kid, "\""), &err);
        CHECK(status == GK_STATUS_OK || status == GK_STATUS_RING_KEY_NOT_FOUND);
        promise("removed", kid, strcspn(kid, "\""));
    }
    gk_buf_free(&listed);
}

static void work_rings(hand who) {
    gk_error err;
    gk_buf token;
    MUST(gk_signer_sign_json(follower, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err));
    CHECK(says(verifier, token.data) == GK_STATUS_OK);
    const char *claims = strchr(token.data, '.') + 1;
    drawn(claims, strcspn(claims, "."));
    if (who != THREAD) promise("token", token.data, token.len);
    if (who != THREAD || serial() % 4 == 0) {
        MUST(gk_key_ring_rotate(changing, NULL, &err));
        remove_retired();
    } else {
        MUST(gk_key_ring_refresh(changing, &err));
    }
    gk_buf_free(&token);
}

static void judge_rings(const char *kind, char *value) {
    gk_error err;
    gk_buf jwks;
    if (strcmp(kind, "token") == 0) {
        CHECK(says(verifier, value) == GK_STATUS_OK);
        return;
    }
    MUST(gk_key_ring_refresh(changing, &err));
    MUST(gk_key_ring_to_jwks(changing, &jwks, &err));
    CHECK(holds(&jwks, "\"kid\"") && !holds(&jwks, value));
    gk_buf_free(&jwks);
}

/* ---- all of them ---- */

static const theme themes[] = {
    {"sessions", GK_ALG_ANY, begin_sessions, work_sessions, judge_sessions, end_sessions},
    {"API keys", GK_ALG_ANY, begin_keys, work_keys, judge_keys, end_keys},
    {"credits", GK_ALG_ANY, begin_credits, work_credits, judge_credits, end_credits},
    {"imports", GK_ALG_ANY, begin_imports, work_imports, judge_imports, end_keys},
    {"revocations", GK_ALG_ANY, begin_revocations, work_revocations, judge_revocations,
     end_revocations},
    {"key rings", GK_ALG_ANY, begin_rings, work_rings, judge_rings, end_rings},
};

enum { THEMES = sizeof themes / sizeof *themes };

int main(int argc, char **argv) {
    const theme *asked = witnessed(argc, argv, themes, THEMES);
    if (asked != NULL) return witness(asked);
    bool well = true;
    make_folder();
    for (size_t i = 0; i < THEMES; i++) {
        if (wanted(themes[i].name)) well &= forked(&themes[i], FEW);
    }
    remove_folder();
    if (!well) return EXIT_FAILURE;
    return passed("forks_stores");
}
