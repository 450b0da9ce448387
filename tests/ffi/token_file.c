/* Runs tests/vectors/attack_tokens.txt, the good and hostile tokens that Rust and Python run as
 * well: every token must get the status that the file says.
 *
 * usage: token_file ROOT, the directory of the repository */
#include "vectors.h"

enum { MOST = 64 };

struct named_key {
    const char *name;
    gk_key *key;
};

struct named_policy {
    const char *name;
    uint64_t now;
    gk_policy *policy;
};

static gk_error err;
static struct named_key keys[MOST];
static struct named_policy policies[MOST];
static size_t key_count, policy_count, token_count, accepted_count, mismatches;

static uint64_t read_clock(void *user) { return *(const uint64_t *)user; }

/* The file writes "-" for an empty field. */
static const char *field(const char *text) { return strcmp(text, "-") == 0 ? "" : text; }

static void add_key(char **fields) {
    CHECK(key_count < MOST);
    struct named_key *row = &keys[key_count++];
    gk_alg alg = GK_ALG_ANY;
    row->name = fields[1];
    MUST(gk_alg_from_name(fields[2], strlen(fields[2]), &alg, &err));
    MUST(gk_key_from_jwk(fields[3], strlen(fields[3]), alg, &row->key, &err));
}

static void add_policy(char **fields) {
    CHECK(policy_count < MOST);
    struct named_policy *row = &policies[policy_count++];
    const char *issuer = field(fields[2]), *audience = field(fields[3]);
    row->name = fields[1];
    row->now = strtoull(fields[4], NULL, 10);
    row->policy = gk_policy_new();
    if (*issuer) gk_policy_expect_issuer(row->policy, issuer, strlen(issuer));
    if (*audience) gk_policy_expect_audience(row->policy, audience, strlen(audience));
    gk_policy_clock(row->policy, read_clock, &row->now, NULL);
}

static void run_token(char **fields) {
    const gk_key *key = NULL;
    const gk_policy *policy = NULL;
    gk_verifier *verifier = NULL;
    gk_verified *verified = NULL;
    for (size_t i = 0; i < key_count; i++) {
        if (strcmp(keys[i].name, fields[2]) == 0) key = keys[i].key;
    }
    for (size_t i = 0; i < policy_count; i++) {
        if (strcmp(policies[i].name, fields[3]) == 0) policy = policies[i].policy;
    }
    CHECK(key != NULL && policy != NULL);
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));

    char *end = NULL;
    const long wanted = strtol(fields[4], &end, 10);
    CHECK(*end == 0);
    const char *token = field(fields[5]);
    const gk_status status = gk_verifier_verify(verifier, token, strlen(token), &verified, &err);
    CHECK((verified != NULL) == (status == GK_STATUS_OK));
    if (status != wanted) {
        fprintf(stderr, "attack_tokens.txt: %s: expected %ld, got %d (%s: %s)\n", fields[1], wanted,
                (int)status, gk_status_name(status), err.message);
        mismatches++;
    }
    token_count++;
    accepted_count += status == GK_STATUS_OK;
    gk_verified_free(verified);
    gk_verifier_free(verifier);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    char *text = read_vectors(argv[1], "attack_tokens.txt"), *rest = text, *line;
    while ((line = next_line(&rest)) != NULL) {
        char *fields[6];
        if (*line == '#' || *line == 0) continue;
        const size_t count = split_fields(line, fields, 6);
        if (strcmp(fields[0], "key") == 0 && count == 4) {
            add_key(fields);
        } else if (strcmp(fields[0], "policy") == 0 && count == 5) {
            add_policy(fields);
        } else if (strcmp(fields[0], "token") == 0 && count == 6) {
            run_token(fields);
        } else {
            fprintf(stderr, "attack_tokens.txt: not a row: %s\n", fields[0]);
            mismatches++;
        }
    }
    CHECK(token_count > 0 && accepted_count > 0 && accepted_count < token_count);
    CHECK(mismatches == 0);
    for (size_t i = 0; i < key_count; i++) gk_key_free(keys[i].key);
    for (size_t i = 0; i < policy_count; i++) gk_policy_free(policies[i].policy);
    free(text);
    printf("  %-12s %zu tokens, %zu of them good\n", "token_file", token_count, accepted_count);
    return EXIT_SUCCESS;
}
