/* Key rings from C: every call, signers and verifiers that follow one, folders, wrong arguments. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "peppered.h"
#include "session.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

/* What opening says, and the ring; sealed under a pepper, if there is one. */
static gk_status opened(const char *where, const uint8_t *pepper, gk_alg alg, gk_key_ring **ring) {
    gk_error err;
    gk_key_ring_options *options = gk_key_ring_options_new();
    gk_key_ring_options_name(options, GK_TEXT("main"));
    gk_key_ring_options_alg(options, alg);
    gk_key_ring_options_token_ttl(options, 900);
    gk_key_ring_options_max_stale(options, 10);
    gk_key_ring_options_clock(options, now, NULL, NULL);
    gk_store *store = NULL;
    gk_status status = opened_store(where, pepper, 32, &store, &err);
    if (status == GK_STATUS_OK) {
        status = gk_store_key_ring(store, NULL, 0, options, ring, &err);
    }
    CHECK((status == GK_STATUS_OK) == (*ring != NULL) && err.status == status);
    gk_store_free(store);
    gk_key_ring_options_free(options);
    return status;
}

static gk_key_ring *open_ring(const char *where, const uint8_t *pepper) {
    gk_key_ring *ring = NULL;
    CHECK(opened(where, pepper, GK_ALG_ES256, &ring) == GK_STATUS_OK);
    return ring;
}

static gk_signer *follower(const gk_key_ring *ring) {
    gk_error err;
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_following(ring, &builder, &err));
    return signer_of(builder);
}

static gk_verifier *following(const gk_key_ring *ring) {
    gk_error err;
    gk_verifier *verifier = NULL;
    gk_policy *policy = policy_with(NULL);
    MUST(gk_verifier_following(ring, policy, &verifier, &err));
    gk_policy_free(policy);
    return verifier;
}

static gk_buf token(const gk_signer *signer) {
    gk_error err;
    gk_buf text;
    MUST(gk_signer_sign_json(signer, GK_TEXT("{}"), &text, &err));
    return text;
}

/* How many keys of the ring are in this state. */
static int in_state(const gk_key_ring *ring, const char *state) {
    gk_error err;
    gk_buf keys;
    char wanted[32];
    int found = 0;
    snprintf(wanted, sizeof wanted, "\"state\":\"%s\"", state);
    MUST(gk_key_ring_keys(ring, &keys, &err));
    CHECK(keys.data[0] == '[');
    for (const char *at = keys.data; (at = strstr(at, wanted)) != NULL; at++) found++;
    gk_buf_free(&keys);
    return found;
}

/* Signer and verifier are made once and follow the ring. */
static void rotations(const char *where, const uint8_t *pepper) {
    gk_error err;
    gk_buf active, jwks, tokens[4];
    gk_key_ring *ring = open_ring(where, pepper);
    gk_signer *signer = follower(ring);
    gk_verifier *verifier = following(ring);
    gk_key *key = NULL, *first_key = NULL;
    CHECK(in_state(ring, "next") == 1 && in_state(ring, "active") == 1);
    CHECK(in_state(ring, "retired") == 0);
    tokens[0] = token(signer);
    MUST(gk_signer_key(signer, &first_key, &err));
    CHECK(said(verifier, &tokens[0]) == GK_STATUS_OK);

    MUST(gk_key_ring_rotate(ring, &active, &err));
    CHECK(holds(&active, "\"alg\":\"ES256\",\"state\":\"active\""));
    tokens[1] = token(signer);
    MUST(gk_signer_key(signer, &key, &err));
    const gk_str kid = gk_key_kid(key), first_kid = gk_key_kid(first_key);
    CHECK(kid.len != first_kid.len || memcmp(kid.data, first_kid.data, kid.len) != 0);
    CHECK(strncmp(active.data, "{\"kid\":\"", 8) == 0);
    CHECK(memcmp(active.data + 8, kid.data, kid.len) == 0);
    gk_buf_free(&active);
    CHECK(said(verifier, &tokens[0]) == GK_STATUS_OK);
    CHECK(said(verifier, &tokens[1]) == GK_STATUS_OK);
    CHECK(in_state(ring, "retired") == 1);

    /* Those who only know what is published. */
    gk_key_set *published = NULL;
    gk_verifier *elsewhere = NULL;
    gk_policy *policy = policy_with(NULL);
    MUST(gk_key_ring_to_jwks(ring, &jwks, &err));
    CHECK(strstr(jwks.data, "\"d\"") == NULL);
    MUST(gk_key_set_from_jwks(jwks.data, jwks.len, GK_ALG_ANY, &published, &err));
    CHECK(gk_key_set_len(published) == 3);
    MUST(gk_verifier_new(published, policy, &elsewhere, &err));
    MUST(gk_key_ring_rotate(ring, NULL, &err));
    tokens[2] = token(signer);
    CHECK(said(elsewhere, &tokens[2]) == GK_STATUS_OK);

    /* A key that has leaked: a retired one, the active one, one that is not there. */
    MUST(gk_key_ring_remove(ring, LENT(first_kid), &err));
    CHECK(said(verifier, &tokens[0]) == GK_STATUS_KEY_NOT_FOUND);
    CHECK(said(verifier, &tokens[2]) == GK_STATUS_OK);
    FAILS(GK_STATUS_RING_KEY_NOT_FOUND, gk_key_ring_remove(ring, LENT(first_kid), &err));
    gk_key_free(first_key);
    MUST(gk_signer_key(signer, &first_key, &err));
    const gk_str third_kid = gk_key_kid(first_key);
    MUST(gk_key_ring_remove(ring, LENT(third_kid), &err));
    CHECK(said(verifier, &tokens[2]) == GK_STATUS_KEY_NOT_FOUND);
    tokens[3] = token(signer);
    CHECK(said(verifier, &tokens[3]) == GK_STATUS_OK);
    CHECK(in_state(ring, "next") == 1 && in_state(ring, "active") == 1);

    /* Retired keys go when their last token has expired, by the largest leeway. */
    now_seconds += 1499;
    CHECK(in_state(ring, "retired") == 1);
    now_seconds += 60; /* 1, and the time for which this clock has stood still */
    CHECK(in_state(ring, "retired") == 0);

    for (int i = 0; i < 4; i++) gk_buf_free(&tokens[i]);
    gk_buf_free(&jwks);
    gk_verifier_free(elsewhere);
    gk_policy_free(policy);
    gk_key_set_free(published);
    gk_key_free(key);
    gk_key_free(first_key);
    gk_verifier_free(verifier);
    gk_signer_free(signer);
    gk_key_ring_free(ring);
}

/* Two handles on one ring, as two processes have them: a look sees what the other has changed. */
static void two_handles(const char *where, const uint8_t *pepper) {
    gk_error err;
    gk_key_ring *here = open_ring(where, pepper), *there = open_ring(where, pepper);
    gk_signer *signer = follower(here);
    gk_verifier *verifier = following(there);
    gk_key_ring *same = gk_key_ring_clone(there);
    gk_key_ring_free(there);
    MUST(gk_key_ring_rotate(here, NULL, &err));
    MUST(gk_key_ring_rotate(here, NULL, &err));
    gk_buf text = token(signer);
    MUST(gk_key_ring_refresh(same, &err));
    CHECK(said(verifier, &text) == GK_STATUS_OK);
    gk_buf_free(&text);
    gk_key_ring_free(same);
    gk_verifier_free(verifier);
    gk_signer_free(signer);
    gk_key_ring_free(here);
}

/* The ring at this place, opened for tokens that live for so many seconds; for what it remembers if
 * that is 0. */
static gk_key_ring *opened_for(const char *where, uint64_t token_ttl) {
    gk_error err;
    gk_key_ring *ring = NULL;
    gk_key_ring_options *options = gk_key_ring_options_new();
    if (token_ttl != 0) gk_key_ring_options_token_ttl(options, token_ttl);
    gk_key_ring_options_name(options, GK_TEXT("lives"));
    MUST(gk_key_ring_open(where, strlen(where), options, &ring, &err));
    gk_key_ring_options_free(options);
    return ring;
}

/* The ring remembers the longest life of a token, and keeps a key for that long, whoever rotates.
 */
static void long_lives(const char *where) {
    gk_error err;
    uint64_t seconds = 1;
    gk_buf active, keys;
    gk_key_ring *service = opened_for(where, 86400), *usual = opened_for(where, 0);
    gk_key_ring *other = opened_for(where, 60);
    MUST(gk_key_ring_token_ttl(usual, &seconds, &err));
    CHECK(seconds == 86400);
    MUST(gk_key_ring_rotate(other, &active, &err));
    MUST(gk_key_ring_keys(other, &keys, &err));
    const char *retired = strstr(keys.data, "\"retired_at\":1"),
               *until = strstr(keys.data, "\"until\":1");
    CHECK(retired != NULL && until != NULL);
    CHECK(strtoull(until + 8, NULL, 10) >= strtoull(retired + 13, NULL, 10) + 86400 + 600);
    seconds = 1;
    FAILS(WRONG, gk_key_ring_token_ttl(NULL, &seconds, &err));
    CHECK(seconds == 0);
    FAILS(WRONG, gk_key_ring_token_ttl(usual, NULL, &err));
    gk_buf_free(&keys);
    gk_buf_free(&active);
    gk_key_ring_free(other);
    gk_key_ring_free(usual);
    gk_key_ring_free(service);
}

/* Removes a folder and the files in it. */
static void remove_folder(const char *folder) {
    if (strncmp(folder, "folder:", 7) == 0) folder += 7;
    char path[512];
    DIR *open = opendir(folder);
    CHECK(open != NULL);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        CHECK(unlink(path) == 0);
    }
    closedir(open);
    CHECK(rmdir(folder) == 0);
}

/* A folder that is gone while its mark is there is not made again. */
static void lost_and_begun_again(const char *folder) {
    char mark[512];
    gk_key_ring *none = NULL;
    snprintf(mark, sizeof mark, "%s.mark", folder + 7);
    remove_folder(folder);
    CHECK(opened(folder, NULL, GK_ALG_ES256, &none) == GK_STATUS_STORE_RESTORED);
    CHECK(access(folder + 7, F_OK) != 0 && unlink(mark) == 0);
}

/* A folder without its mark is refused until it is accepted. */
static void copied(const char *folder) {
    gk_error err;
    gk_buf report;
    char mark[512], kept[512], accept[512];
    gk_key_ring *none = NULL;
    snprintf(mark, sizeof mark, "%s.mark", folder + 7);
    snprintf(kept, sizeof kept, "%s.kept", folder + 7);
    snprintf(accept, sizeof accept, "{\"store\":\"%s\",\"revoke_before\":0}", folder);
    CHECK(rename(mark, kept) == 0);
    CHECK(opened(folder, PEPPER, GK_ALG_ES256, &none) == GK_STATUS_STORE_RESTORED);
    MUST(gk_store_acknowledge_restore(accept, strlen(accept), &report, &err));
    CHECK(strstr(report.data, "\"key_rings\":0,\"was_refused\":true") != NULL);
    gk_buf_free(&report);
    gk_key_ring_free(open_ring(folder, PEPPER));
    MUST(gk_store_acknowledge_restore(accept, strlen(accept), &report, &err));
    CHECK(strstr(report.data, "\"was_refused\":false") != NULL);
    gk_buf_free(&report);
    CHECK(rename(kept, mark) == 0);
    CHECK(opened(folder, PEPPER, GK_ALG_ES256, &none) == GK_STATUS_STORE_RESTORED);
    /* The mark elsewhere. */
    snprintf(kept, sizeof kept, "%s?mark=none", folder);
    gk_key_ring_free(open_ring(kept, PEPPER));
}

static void folders(const char *folder) {
    gk_key_ring *none = NULL;
    struct stat found;
    rotations(folder, NULL);
    CHECK(stat(folder + 7, &found) == 0 && (found.st_mode & 0777) == 0700);
    two_handles(folder, NULL);
    CHECK(chmod(folder + 7, 0750) == 0);
    CHECK(opened(folder, NULL, GK_ALG_ES256, &none) == GK_STATUS_INVALID_CONFIGURATION);
    CHECK(chmod(folder + 7, 0700) == 0);
    lost_and_begun_again(folder);

    rotations(folder, PEPPER);
    CHECK(opened(folder, OTHER_PEPPER, GK_ALG_ES256, &none) != GK_STATUS_OK);
    CHECK(opened(folder, NULL, GK_ALG_ES256, &none) == GK_STATUS_WRONG_PEPPER);
    copied(folder);
    lost_and_begun_again(folder);
}

static void symmetric(void) {
    gk_error err;
    gk_buf jwks = {(char *)&err, 7};
    gk_key_ring *ring = NULL;
    CHECK(opened("memory:", NULL, GK_ALG_HS256, &ring) == GK_STATUS_OK);
    gk_signer *signer = follower(ring);
    gk_verifier *verifier = following(ring);
    gk_buf text = token(signer);
    CHECK(gk_verifier_is_symmetric(verifier) && said(verifier, &text) == GK_STATUS_OK);
    FAILS(GK_STATUS_KEY_USAGE, gk_key_ring_to_jwks(ring, &jwks, &err));
    CHECK(jwks.data == NULL && jwks.len == 0);
    gk_buf_free(&text);
    gk_verifier_free(verifier);
    gk_signer_free(signer);
    gk_key_ring_free(ring);
}

static void usual_options(const char *url) {
    gk_error err;
    gk_key_ring *ring = NULL;
    MUST(gk_key_ring_open(url, strlen(url), NULL, &ring, &err));
    gk_key_ring *same = gk_key_ring_clone(ring);
    gk_key_ring_free(ring);
    gk_key_ring_free(same);
    MUST(gk_key_ring_open(url, strlen(url), NULL, &ring, &err));
    gk_key_ring_free(ring);
}

static void wrong_options(void) {
    gk_error err;
    int releases = 0;
    gk_key_ring *none = NULL;
    gk_key_ring_options *options = gk_key_ring_options_new();
#define REFUSED_BY_OPEN(wanted)                                                                    \
    FAILS(wanted, gk_key_ring_open(GK_TEXT("memory:"), options, &none, &err))

    gk_key_ring_options_name(options, GK_TEXT("No"));
    REFUSED_BY_OPEN(WRONG);
    gk_key_ring_options_name(options, GK_TEXT("yes-1"));
    gk_key_ring_options_token_ttl(options, 0);
    REFUSED_BY_OPEN(WRONG);
    gk_key_ring_options_token_ttl(options, 31622401);
    REFUSED_BY_OPEN(WRONG);
    gk_key_ring_options_token_ttl(options, 31622400);
    gk_key_ring_options_max_stale(options, 86401);
    REFUSED_BY_OPEN(WRONG);
    gk_key_ring_options_max_stale(options, 86400);
    gk_key_ring_options_clock(options, now, &releases, released);
    MUST(gk_key_ring_open(GK_TEXT("memory:"), options, &none, &err));
    gk_key_ring_free(none);
    gk_key *key = NULL, *public_half = NULL;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_key_public(key, &public_half, &err));
    gk_key_ring_options_key(options, public_half);
    REFUSED_BY_OPEN(GK_STATUS_KEY_USAGE);
    gk_key_free(public_half);
    gk_key_free(key);
    CHECK(none == NULL && releases == 0);
    gk_key_ring_options_key(options, NULL); /* lets go of the clock at once */
    REFUSED_BY_OPEN(WRONG);
    gk_key_ring_options_free(options);
    CHECK(releases == 1);
    gk_key_ring_options_free(NULL);
}

static void wrong_arguments(void) {
    gk_error err;
    gk_buf out = {(char *)&err, 7};
    gk_key_ring *ring = open_ring("memory:", NULL), *none = NULL;
    gk_signer_builder *builder = NULL;
    gk_verifier *verifier = NULL;
    gk_policy *policy = gk_policy_new();
    FAILS(WRONG, gk_key_ring_open(NULL, 0, NULL, &none, &err));
    FAILS(WRONG, gk_key_ring_open(NULL, 1, NULL, &none, &err));
    FAILS(WRONG, gk_key_ring_open(BAD, NULL, &none, &err));
    FAILS(WRONG, gk_key_ring_open(GK_TEXT("http://a"), NULL, &none, &err));
    FAILS(WRONG, gk_key_ring_open(GK_TEXT("memory:"), NULL, NULL, &err));
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_key_ring_open(GK_TEXT("/no/such/folder/x"), NULL, &none, &err));
    CHECK(none == NULL);
    FAILS(WRONG, gk_key_ring_rotate(NULL, &out, &err));
    CHECK(out.data == NULL && out.len == 0);
    FAILS(WRONG, gk_key_ring_remove(NULL, GK_TEXT("k"), &err));
    FAILS(WRONG, gk_key_ring_remove(ring, BAD, &err));
    FAILS(GK_STATUS_RING_KEY_NOT_FOUND, gk_key_ring_remove(ring, NULL, 0, &err));
    gk_key *key = NULL, *public_half = NULL;
    MUST(gk_key_generate(GK_ALG_ES256, &key, &err));
    MUST(gk_key_public(key, &public_half, &err));
    out = (gk_buf){(char *)&err, 7};
    FAILS(WRONG, gk_key_ring_add(NULL, key, &out, &err));
    CHECK(out.data == NULL && out.len == 0);
    FAILS(WRONG, gk_key_ring_add(ring, NULL, &out, &err));
    FAILS(GK_STATUS_KEY_USAGE, gk_key_ring_add(ring, public_half, NULL, &err));
    MUST(gk_key_ring_add(ring, key, NULL, &err));
    gk_key_free(public_half);
    gk_key_free(key);
    FAILS(WRONG, gk_key_ring_keys(NULL, &out, &err));
    FAILS(WRONG, gk_key_ring_keys(ring, NULL, &err));
    FAILS(WRONG, gk_key_ring_to_jwks(NULL, &out, &err));
    FAILS(WRONG, gk_key_ring_to_jwks(ring, NULL, &err));
    FAILS(WRONG, gk_key_ring_refresh(NULL, &err));
    FAILS(WRONG, gk_signer_builder_following(NULL, &builder, &err));
    FAILS(WRONG, gk_signer_builder_following(ring, NULL, &err));
    FAILS(WRONG, gk_verifier_following(NULL, policy, &verifier, &err));
    FAILS(WRONG, gk_verifier_following(ring, NULL, &verifier, &err));
    FAILS(WRONG, gk_verifier_following(ring, policy, NULL, &err));
    CHECK(builder == NULL && verifier == NULL);
    CHECK(gk_key_ring_clone(NULL) == NULL);
    gk_key_ring_free(NULL);
    gk_policy_free(policy);
    gk_key_ring_free(ring);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "keyring.c", "gk_key_ring_options_") == 8);
    CHECK(calls_all(argv[1], "keyring.c", "gk_key_ring_") == 18);
    char folder[] = "/tmp/gatekey-ffi-XXXXXX", url[128], usual[128], keys[128];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(url, sizeof url, "sqlite:///%s/ring.sqlite", folder);
    snprintf(usual, sizeof usual, "sqlite:///%s/usual.sqlite", folder);
    snprintf(keys, sizeof keys, "folder:%s/keys", folder);
    rotations("memory:", NULL);
    rotations(url, PEPPER);
    two_handles(url, PEPPER);
    gk_key_ring *none = NULL;
    CHECK(opened(url, OTHER_PEPPER, GK_ALG_ES256, &none) == GK_STATUS_WRONG_PEPPER);
    folders(keys);
    symmetric();
    usual_options(usual);
    long_lives(usual);
    wrong_options();
    wrong_arguments();
    remove_folder(folder);
    return passed("keyring");
}
