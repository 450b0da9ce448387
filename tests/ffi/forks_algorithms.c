/* Forks while three threads sign, verify and make keys: with every algorithm. */
#define _GNU_SOURCE
#include "forks.h"

#define PAYLOAD (const uint8_t *)"what is signed", 14

enum { RSA_BITS = 2048, RSA_FORKS = FEW / 4 /* making such a key takes its time */ };

static gk_key *key;
static gk_signer *signer;
static gk_verifier *verifier;
static gk_buf good, bad, signature;

/* Made by the first that needs it; the others read it. */
static gk_key *kept_key(void) {
    gk_error err;
    char path[300], json[ANY_LEN];
    gk_key *made = NULL;
    snprintf(path, sizeof path, "%s/%s.jwk", folder, gk_alg_name(current->alg));
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        const size_t size = fread(json, 1, sizeof json, file);
        fclose(file);
        MUST(gk_key_from_jwk(json, size, current->alg, &made, &err));
        return made;
    }
    gk_buf jwk;
    MUST(gk_key_generate(current->alg, &made, &err));
    MUST(gk_key_to_private_jwk(made, &jwk, &err));
    file = fopen(path, "w");
    CHECK(file != NULL && fwrite(jwk.data, 1, jwk.len, file) == jwk.len && fclose(file) == 0);
    gk_buf_free(&jwk);
    return made;
}

static void begin(void) {
    gk_error err;
    gk_signer_builder *builder = NULL;
    gk_policy *policy = gk_policy_new();
    key = kept_key();
    MUST(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_token_ids(builder, true);
    MUST(gk_signer_builder_build(builder, &signer, &err));
    MUST(gk_verifier_with_key(key, policy, &verifier, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &good, &err));
    MUST(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &bad, &err));
    memcpy(strrchr(bad.data, '.') + 1, "AAAA", 4);
    MUST(gk_key_sign(key, PAYLOAD, &signature, &err));
    gk_policy_free(policy);
    gk_signer_builder_free(builder);
}

static void end(void) {
    gk_buf_free(&signature);
    gk_buf_free(&bad);
    gk_buf_free(&good);
    gk_verifier_free(verifier);
    gk_signer_free(signer);
    gk_key_free(key);
}

static bool by_chance(gk_alg alg) {
    const char *name = gk_alg_name(alg);
    return strncmp(name, "PS", 2) == 0 || strncmp(name, "ES", 2) == 0 ||
           strncmp(name, "ML", 2) == 0;
}

static void signs(hand who) {
    gk_error err;
    gk_buf token, raw;
    MUST(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err));
    /* The claims are another text for each `jti`. */
    const char *claims = strchr(token.data, '.') + 1;
    drawn(claims, strcspn(claims, "."));
    if (who != THREAD) promise("token", token.data, token.len);
    gk_buf_free(&token);
    if (by_chance(current->alg)) {
        /* A number that is used twice in signatures of one text gives equal ones, of two the key.
         */
        MUST(gk_key_sign(key, PAYLOAD, &raw, &err));
        drawn_bytes(BYTES(raw));
        gk_buf_free(&raw);
    }
}

static gk_status says(const gk_buf *token) {
    gk_verified *verified = NULL;
    const gk_status status = gk_verifier_verify(verifier, token->data, token->len, &verified, NULL);
    CHECK((status == GK_STATUS_OK) == str_is(gk_verified_subject(verified), "alice"));
    gk_verified_free(verified);
    return status;
}

static void verifies(hand who) {
    gk_error err;
    CHECK(says(&good) == GK_STATUS_OK);
    CHECK(says(&bad) == GK_STATUS_INVALID_SIGNATURE);
    MUST(gk_key_verify_signature(key, PAYLOAD, BYTES(signature), &err));
    if (who != THREAD) promise("token", good.data, good.len);
}

static void generates(hand who) {
    gk_error err;
    gk_key *made = NULL;
    gk_buf raw;
    char thumbprint[GK_THUMBPRINT_SIZE];
    MUST(gk_key_generate(current->alg, &made, &err));
    MUST(gk_key_thumbprint(made, &thumbprint, &err));
    drawn(thumbprint, strlen(thumbprint));
    MUST(gk_key_sign(made, PAYLOAD, &raw, &err));
    MUST(gk_key_verify_signature(made, PAYLOAD, BYTES(raw), &err));
    gk_buf_free(&raw);
    gk_key_free(made);
    if (who != THREAD) promise_text("made", "a key");
}

static void judge(const char *kind, char *value) {
    if (strcmp(kind, "made") == 0) return;
    const gk_buf token = {value, strlen(value)};
    CHECK(strcmp(kind, "token") == 0 && says(&token) == GK_STATUS_OK);
}

static void nothing(void) {}

#define ALGORITHM(alg)                                                                             \
    {"signing", alg, begin, signs, judge, end}, { "verifying", alg, begin, verifies, judge, end }
#define MAKING(alg)                                                                                \
    { "making keys", alg, nothing, generates, judge, nothing }

static const theme themes[] = {
    ALGORITHM(GK_ALG_HS256),     ALGORITHM(GK_ALG_HS384),     ALGORITHM(GK_ALG_HS512),
    ALGORITHM(GK_ALG_RS256),     ALGORITHM(GK_ALG_RS384),     ALGORITHM(GK_ALG_RS512),
    ALGORITHM(GK_ALG_PS256),     ALGORITHM(GK_ALG_PS384),     ALGORITHM(GK_ALG_PS512),
    ALGORITHM(GK_ALG_ES256),     ALGORITHM(GK_ALG_ES384),     ALGORITHM(GK_ALG_ES512),
    ALGORITHM(GK_ALG_ES256K),    ALGORITHM(GK_ALG_EDDSA),     ALGORITHM(GK_ALG_ML_DSA_44),
    ALGORITHM(GK_ALG_ML_DSA_65), ALGORITHM(GK_ALG_ML_DSA_87), MAKING(GK_ALG_HS256),
    MAKING(GK_ALG_RS256),        MAKING(GK_ALG_ES256),        MAKING(GK_ALG_ES384),
    MAKING(GK_ALG_ES512),        MAKING(GK_ALG_ES256K),       MAKING(GK_ALG_EDDSA),
    MAKING(GK_ALG_ML_DSA_44),    MAKING(GK_ALG_ML_DSA_65),    MAKING(GK_ALG_ML_DSA_87),
};

enum { THEMES = sizeof themes / sizeof *themes };

int main(int argc, char **argv) {
    const theme *asked = witnessed(argc, argv, themes, THEMES);
    if (asked != NULL) return witness(asked);
    bool well = true;
    make_folder();
    for (size_t i = 0; i < THEMES; i++) {
        const bool slow = themes[i].work == generates && themes[i].alg == GK_ALG_RS256;
        if (wanted(themes[i].name)) well &= forked(&themes[i], slow ? RSA_FORKS : FEW);
    }
    remove_folder();
    if (!well) return EXIT_FAILURE;
    return passed("forks_algorithms");
}
