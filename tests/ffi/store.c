/* A store in the hand, from C: every call, what names it, what is left when it closes. */
#define _DEFAULT_SOURCE /* mkdtemp, setenv */

#include "check.h"
#include "peppered.h"

#include <sys/stat.h>
#include <unistd.h>

static const uint8_t PEPPER[32] = {7};

/* Everything that a store hands out. */
typedef struct {
    gk_api_keys *keys;
    gk_sessions *sessions;
    gk_revocations *revocations;
    gk_key_ring *ring;
} things;

static things handed_out(const gk_store *store, const gk_signer *signer) {
    gk_error err;
    things all;
    MUST(gk_store_api_keys(store, NULL, &all.keys, &err));
    MUST(gk_store_sessions(store, signer, NULL, &all.sessions, &err));
    MUST(gk_store_revocations(store, NULL, &all.revocations, &err));
    MUST(gk_store_key_ring(store, GK_TEXT("main"), NULL, &all.ring, &err));
    return all;
}

static void let_go(const things *all) {
    gk_api_keys_free(all->keys);
    gk_sessions_free(all->sessions);
    gk_revocations_free(all->revocations);
    gk_key_ring_free(all->ring);
}

/* What each of them says to a change, which must be the same. */
static gk_status asked(const things *all) {
    gk_error err;
    gk_issued_api_key issued;
    gk_buf active = {NULL, 0};
    gk_session_tokens tokens;
    gk_api_key_spec *spec = gk_api_key_spec_new();
    gk_api_key_spec_owner(spec, GK_TEXT("acme"));
    const gk_status status = gk_api_keys_create(all->keys, spec, &issued, &err);
    CHECK(gk_sessions_start(all->sessions, GK_TEXT("alice"), NULL, &tokens, &err) == status);
    CHECK(gk_revocations_revoke_key(all->revocations, GK_TEXT("leaked"), &err) == status);
    CHECK(gk_key_ring_rotate(all->ring, &active, &err) == status);
    gk_api_key_spec_free(spec);
    gk_session_tokens_free(&tokens);
    gk_issued_api_key_free(&issued);
    gk_buf_free(&active);
    return status;
}

static gk_signer *new_signer(void) {
    gk_error err;
    gk_key *key = NULL;
    gk_signer_builder *builder = NULL;
    gk_signer *signer = NULL;
    MUST(gk_key_generate(GK_ALG_HS256, &key, &err));
    MUST(gk_signer_builder_new(key, &builder, &err));
    MUST(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
    gk_key_free(key);
    return signer;
}

static void life(const char *url, const gk_signer *signer) {
    gk_error err;
    gk_store *store = store_under(url, PEPPER, sizeof PEPPER);
    CHECK(!gk_store_made_pepper_file(store));
    things all = handed_out(store, signer);
    gk_buf health;
    bool reachable = false;
    MUST(gk_store_health(store, &reachable, &health, &err));
    CHECK(reachable && strstr((const char *)health.data, "\"reachable\":true") != NULL);
    gk_buf_free(&health);
    MUST(gk_store_health(store, NULL, &health, &err));
    gk_buf_free(&health);
    gk_store *same = gk_store_clone(store);
    gk_store_free(store);
    CHECK(asked(&all) == GK_STATUS_OK);
    MUST(gk_store_close(same, &err));
    MUST(gk_store_close(same, &err));
    CHECK(asked(&all) == GK_STATUS_INVALID_ARGUMENT);
    gk_api_keys *none = NULL;
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_store_api_keys(same, NULL, &none, &err));
    CHECK(none == NULL);
    reachable = true;
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_store_health(same, &reachable, &health, &err));
    CHECK(!reachable && health.data == NULL);
    gk_store_free(same);
    let_go(&all);
    /* The handle alone is no more than a handle. */
    store = store_under(url, PEPPER, sizeof PEPPER);
    all = handed_out(store, signer);
    gk_store_free(store);
    CHECK(asked(&all) == GK_STATUS_OK);
    let_go(&all);
}

static uint64_t now(void *user) {
    (void)user;
    return 1800000000;
}
static void released(void *user) { ++*(int *)user; }

static void options(void) {
    gk_error err;
    int releases = 0;
    gk_store *store = NULL;
    gk_key_ring *ring = NULL;
    gk_buf shown;
    gk_store_options *options = gk_store_options_new();
#define REFUSED_BY_OPEN(wanted)                                                                    \
    FAILS(wanted, gk_store_open(GK_TEXT("memory:"), options, &store, &err));                       \
    CHECK(store == NULL)
    gk_store_options_pepper_env(options, GK_TEXT("GATEKEY_NOT_SET"));
    REFUSED_BY_OPEN(GK_STATUS_INVALID_CONFIGURATION);
    CHECK(strstr(err.message, "`GATEKEY_NOT_SET`") != NULL);
    CHECK(setenv("GATEKEY_NOT_SET", "2 0123", 1) == 0);
    REFUSED_BY_OPEN(GK_STATUS_INVALID_CONFIGURATION);
    CHECK(strstr(err.message, "`GATEKEY_NOT_SET`") != NULL);
    CHECK(strstr(err.message, "0123") == NULL);
    setenv("GATEKEY_NOT_SET", "2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
           1);
    MUST(gk_store_open(GK_TEXT("memory:"), options, &store, &err));
    gk_store_free(store);
    gk_store_options_pepper_file(options, GK_TEXT("/no/such/file"));
    REFUSED_BY_OPEN(GK_STATUS_WRONG_PEPPER);
    gk_store_options_pepper(options, 1, PEPPER, 15);
    REFUSED_BY_OPEN(GK_STATUS_INVALID_ARGUMENT);
    gk_store_options_free(options);

    options = gk_store_options_new();
    gk_store_options_pepper(options, 1, PEPPER, sizeof PEPPER);
    gk_store_options_clock(options, now, &releases, released);
    gk_store_options_strict(options, true);
    MUST(gk_store_open(GK_TEXT("memory:"), options, &store, &err));
    MUST(gk_store_key_ring(store, NULL, 0, NULL, &ring, &err));
    MUST(gk_key_ring_keys(ring, &shown, &err));
    CHECK(strstr(shown.data, "\"created_at\":1800000000") != NULL);
    gk_buf_free(&shown);
    gk_store_free(store);
    gk_store_options_limits(options, GK_TEXT("redis://127.0.0.1:1")); /* is asked nothing */
    gk_store_options_max_stale(options, 86401);
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_store_open(GK_TEXT("memory:"), options, &store, &err));
    CHECK(store == NULL);
    gk_store_options_free(options);
    CHECK(releases == 0);
    gk_key_ring_free(ring);
    CHECK(releases == 1);
}

/* What must be there is not made. */
static void is_not_made(void) {
    gk_error err;
    gk_store *store = NULL;
    gk_revocations *revocations = NULL;
    gk_store_options *options = gk_store_options_new();
    gk_store_options_create(options, false);
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_store_open(GK_TEXT("typo.sqlite"), options, &store, &err));
    CHECK(store == NULL && strstr(err.message, "typo.sqlite") != NULL);
    gk_store_options_free(options);
    gk_revocation_options *of_list = gk_revocation_options_new();
    gk_revocation_options_create(of_list, false);
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_revocations_open(GK_TEXT("typo.sqlite"), of_list, &revocations, &err));
    CHECK(revocations == NULL && access("typo.sqlite", F_OK) != 0);
    gk_revocation_options_free(of_list);
}

static void pepper_is_made(void) {
    gk_error err;
    gk_store *store = NULL;
    MUST(gk_store_open(GK_TEXT("made.sqlite"), NULL, &store, &err));
    CHECK(gk_store_made_pepper_file(store) && access("made.sqlite.pepper", F_OK) == 0);
    gk_store_free(store);
    MUST(gk_store_open(GK_TEXT("sqlite:///made.sqlite"), NULL, &store, &err));
    CHECK(!gk_store_made_pepper_file(store));
    gk_store_free(store);
}

static void wrong_arguments(void) {
    gk_error err;
    gk_store *none = NULL, *store = store_under("memory:", PEPPER, sizeof PEPPER);
    things all;
    const gk_status wrong = GK_STATUS_INVALID_ARGUMENT;
    FAILS(wrong, gk_store_open(NULL, 0, NULL, &none, &err));
    FAILS(wrong, gk_store_open(NULL, 1, NULL, &none, &err));
    FAILS(wrong, gk_store_open("\xff", 1, NULL, &none, &err));
    FAILS(wrong, gk_store_open(GK_TEXT("memory:"), NULL, NULL, &err));
    FAILS(wrong, gk_store_api_keys(NULL, NULL, &all.keys, &err));
    FAILS(wrong, gk_store_api_keys(store, NULL, NULL, &err));
    FAILS(wrong, gk_store_sessions(NULL, NULL, NULL, &all.sessions, &err));
    FAILS(wrong, gk_store_sessions(store, NULL, NULL, NULL, &err));
    FAILS(wrong, gk_store_revocations(NULL, NULL, &all.revocations, &err));
    FAILS(wrong, gk_store_revocations(store, NULL, NULL, &err));
    FAILS(wrong, gk_store_key_ring(NULL, NULL, 0, NULL, &all.ring, &err));
    FAILS(wrong, gk_store_key_ring(store, NULL, 0, NULL, NULL, &err));
    FAILS(wrong, gk_store_key_ring(store, GK_TEXT("../x"), NULL, &all.ring, &err));
    FAILS(wrong, gk_store_close(NULL, &err));
    gk_buf health;
    FAILS(wrong, gk_store_health(NULL, NULL, &health, &err));
    FAILS(wrong, gk_store_health(store, NULL, NULL, &err));
    CHECK(all.keys == NULL && all.sessions == NULL && all.revocations == NULL && all.ring == NULL);
    CHECK(gk_store_clone(NULL) == NULL && !gk_store_made_pepper_file(NULL));
    gk_store_free(NULL);
    gk_store_options_free(NULL);
    gk_store_free(store);
}

/* What is opened at a text, and how; by the store, and by the short ways. */
static gk_status opens(gk_str text, bool rings) {
    gk_error err;
    gk_store *store = NULL;
    gk_store_options *given = gk_store_options_new();
    gk_store_options_pepper(given, 1, PEPPER, sizeof PEPPER);
    gk_status status = gk_store_open(LENT(text), given, &store, &err);
    gk_store_options_free(given);
    things all = {NULL, NULL, NULL, NULL};
    if (status == GK_STATUS_OK && rings) {
        status = gk_store_key_ring(store, NULL, 0, NULL, &all.ring, &err);
    } else if (status == GK_STATUS_OK) {
        status = gk_store_api_keys(store, NULL, &all.keys, &err);
        CHECK(gk_revocations_open(LENT(text), NULL, &all.revocations, &err) == status);
    } else {
        CHECK(gk_revocations_open(LENT(text), NULL, &all.revocations, &err) == status);
        CHECK(gk_api_keys_open(LENT(text), NULL, &all.keys, &err) == status);
        CHECK(gk_sessions_open(LENT(text), NULL, NULL, &all.sessions, &err) == status);
        CHECK(gk_key_ring_open(LENT(text), NULL, &all.ring, &err) == status);
    }
    let_go(&all);
    gk_store_free(store);
    return status;
}

/* The table that every language walks, in a folder of its own. */
static void urls(const char *root) {
    static char line[4096];
    char path[5000], expected[64];
    int rows = 0, length;
    gk_error err;
    snprintf(path, sizeof path, "%s/tests/vectors/store_urls.txt", root);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL && mkdir("sub", 0700) == 0);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || sscanf(line, "%63s\t%n", expected, &length) != 1) continue;
        gk_json *json = NULL;
        MUST(gk_json_parse(line + length, strcspn(line + length, "\n"), &json, &err));
        const gk_str text = gk_json_text(json);
        const gk_status store = opens(text, false), ring = opens(text, true);
        gk_status wanted = GK_STATUS_OK;
        if (strcmp(expected, "InvalidArgument") == 0) wanted = GK_STATUS_INVALID_ARGUMENT;
        if (strcmp(expected, "Unsupported") == 0) wanted = GK_STATUS_UNSUPPORTED;
        const bool folder = strcmp(expected, "folder") == 0;
        if (ring != wanted || store != (folder ? GK_STATUS_INVALID_ARGUMENT : wanted)) {
            fprintf(stderr, "%s: %s, %s\n", line, gk_status_name(store), gk_status_name(ring));
            CHECK(false);
        }
        gk_json_free(json);
        rows++;
    }
    fclose(file);
    CHECK(rows > 70);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "store.c", "gk_store_options_") == 10);
    char folder[] = "/tmp/gatekey-store-XXXXXX", root[4096], command[128];
    CHECK(realpath(argv[1], root) != NULL && mkdtemp(folder) != NULL && chdir(folder) == 0);
    gk_signer *signer = new_signer();
    life("memory:", signer);
    life("all.sqlite", signer);
    const char *postgres = getenv("GATEKEY_TEST_POSTGRES");
    if (postgres != NULL) {
        char url[512];
        snprintf(url, sizeof url, "%s?schema=from_c", postgres);
        life(url, signer);
    }
    gk_signer_free(signer);
    options();
    is_not_made();
    pepper_is_made();
    wrong_arguments();
    urls(root);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(chdir("/") == 0 && system(command) == 0);
    return passed("store");
}
