/* Keys in every form: generated, JWK, PEM, DER and secret, in and out; options; sets.
 *
 * usage: keys ROOT, the directory of the repository */
#include "vectors.h"

static gk_error err;

static bool same_key(const gk_key *left, const gk_key *right) {
    char a[GK_THUMBPRINT_SIZE], b[GK_THUMBPRINT_SIZE];
    MUST(gk_key_thumbprint(left, &a, &err));
    MUST(gk_key_thumbprint(right, &b, &err));
    CHECK(strlen(a) == sizeof a - 1);
    return strcmp(a, b) == 0 && gk_key_alg(left) == gk_key_alg(right);
}

/* What holds for every private key: it signs, its public half verifies, and both can be written and
 * read again. */
static void inspect(const gk_key *key) {
    static const uint8_t message[] = "message", other[] = "another";
    const gk_alg alg = gk_key_alg(key);
    gk_key *half = NULL, *again = NULL;
    gk_buf jwk = {NULL, 0}, pem = {NULL, 0}, signature = {NULL, 0};
    char thumbprint[GK_THUMBPRINT_SIZE], uri[GK_THUMBPRINT_URI_SIZE];

    CHECK(gk_key_is_private(key) && gk_key_may_sign(key) && gk_key_may_verify(key));
    CHECK(gk_key_is_symmetric(key) == gk_alg_is_symmetric(alg));
    static int inspected[GK_ALG_ML_DSA_87 + 1];
    if (is_brief() && inspected[alg]++ > 0) return;
    MUST(gk_key_thumbprint(key, &thumbprint, &err));
    MUST(gk_key_thumbprint_uri(key, &uri, &err));
    CHECK(strlen(uri) == sizeof uri - 1 && strstr(uri, thumbprint) != NULL);
    CHECK(gk_key_has_explicit_kid(key) || str_is(gk_key_kid(key), thumbprint));

    MUST(gk_key_sign(key, message, sizeof message, &signature, &err));
    CHECK(signature.len == gk_key_signature_len(key));
    MUST(gk_key_verify_signature(key, message, sizeof message, BYTES(signature), &err));
    FAILS(GK_STATUS_INVALID_SIGNATURE,
          gk_key_verify_signature(key, other, sizeof other, BYTES(signature), &err));

    MUST(gk_key_to_private_jwk(key, &jwk, &err));
    MUST(gk_key_from_jwk(jwk.data, jwk.len, GK_ALG_ANY, &again, &err));
    CHECK(same_key(key, again) && gk_key_is_private(again));
    gk_key_free(again);
    gk_buf_free(&jwk);

    if (gk_key_is_symmetric(key)) {
        FAILS(GK_STATUS_KEY_USAGE, gk_key_public(key, &half, &err));
        FAILS(GK_STATUS_KEY_USAGE, gk_key_to_jwk(key, &jwk, &err));
        FAILS(GK_STATUS_KEY_USAGE, gk_key_to_pem(key, &pem, &err));
        FAILS(GK_STATUS_KEY_USAGE, gk_key_to_private_pem(key, &pem, &err));
        gk_buf_free(&signature);
        return;
    }

    MUST(gk_key_public(key, &half, &err));
    CHECK(same_key(key, half) && !gk_key_is_private(half) && !gk_key_may_sign(half));
    MUST(gk_key_verify_signature(half, message, sizeof message, BYTES(signature), &err));
    gk_buf_free(&signature);
    FAILS(GK_STATUS_KEY_USAGE, gk_key_sign(half, message, sizeof message, &signature, &err));
    FAILS(GK_STATUS_KEY_USAGE, gk_key_to_private_jwk(half, &jwk, &err));
    FAILS(GK_STATUS_KEY_USAGE, gk_key_to_private_pem(half, &pem, &err));

    MUST(gk_key_to_jwk(key, &jwk, &err));
    CHECK(strstr(jwk.data, "\"d\"") == NULL && strstr(jwk.data, "\"priv\"") == NULL);
    MUST(gk_key_from_jwk(jwk.data, jwk.len, alg, &again, &err));
    CHECK(same_key(half, again) && !gk_key_is_private(again));
    gk_key_free(again);
    gk_buf_free(&jwk);

    MUST(gk_key_to_pem(key, &pem, &err));
    CHECK(strstr(pem.data, "-----BEGIN PUBLIC KEY-----") == pem.data);
    MUST(gk_key_from_pem(pem.data, pem.len, alg, &again, &err));
    CHECK(same_key(half, again));
    gk_key_free(again);
    gk_buf_free(&pem);

    MUST(gk_key_to_private_pem(key, &pem, &err));
    CHECK(strstr(pem.data, "-----BEGIN PRIVATE KEY-----") == pem.data);
    MUST(gk_key_from_pem(pem.data, pem.len, alg, &again, &err));
    CHECK(same_key(key, again) && gk_key_is_private(again));
    gk_key_free(again);
    gk_buf_free(&pem);
    gk_key_free(half);
}

static void generated(void) {
    for (gk_alg alg = GK_ALG_HS256; alg <= GK_ALG_ML_DSA_87; alg++) {
        gk_key *key = NULL;
        /* Slow, and all alike. */
        if (alg > (is_brief() ? GK_ALG_HS512 : GK_ALG_RS256) && alg <= GK_ALG_PS512) continue;
        MUST(gk_key_generate(alg, &key, &err));
        CHECK(gk_key_alg(key) == alg && !gk_key_has_explicit_kid(key));
        inspect(key);
        gk_key_free(key);
    }
    if (is_brief()) return;
    gk_key *rsa = NULL;
    MUST(gk_key_generate_rsa(GK_ALG_PS384, 2048, &rsa, &err));
    CHECK(gk_key_signature_len(rsa) == 256);
    inspect(rsa);
    gk_key_free(rsa);
}

static void read_jwks(const char *root) {
    char *text = read_vectors(root, "keys.txt"), *rest = text;
    const char *name = NULL, *jwk = NULL;
    gk_alg alg = GK_ALG_ANY;
    size_t count = 0;
    while (next_key(&rest, &name, &alg, &jwk)) {
        gk_key *key = NULL, *wrong = NULL;
        count++;
        if (is_left_out(alg)) continue;
        MUST(gk_key_from_jwk(jwk, strlen(jwk), GK_ALG_ANY, &key, &err));
        CHECK(gk_key_alg(key) == alg);
        inspect(key);
        gk_key_free(key);
        const gk_alg other = alg == GK_ALG_ES256 ? GK_ALG_ES384 : GK_ALG_ES256;
        CHECK(gk_key_from_jwk(jwk, strlen(jwk), other, &wrong, &err) != GK_STATUS_OK);
        CHECK(wrong == NULL);
    }
    CHECK(count >= 18);
    free(text);
}

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The DER inside a PEM text without headers. */
static size_t to_der(const char *pem, uint8_t *der) {
    size_t len = 0;
    unsigned bits = 0, word = 0;
    for (const char *c = strchr(pem, '\n'); *c != '-'; c++) {
        if (digit(*c) < 0) continue;
        word = word << 6 | (unsigned)digit(*c);
        bits += 6;
        if (bits >= 8) der[len++] = (uint8_t)(word >> (bits -= 8) & 255);
    }
    return len;
}

static void read_pems(const char *root) {
    char *text = read_vectors(root, "pem_keys.txt");
    uint8_t der[8192];
    size_t count = 0;
    for (char *section = strstr(text, "\n=== "); section != NULL;) {
        char *next = strstr(section + 1, "\n=== ");
        if (next) *next = 0;
        char *pem = strchr(section + 1, '\n') + 1;
        gk_alg alg = strncmp(section + 5, "rs", 2) == 0 ? GK_ALG_RS256 : GK_ALG_ANY;
        pem[-1] = 0;
        const bool refused = strstr(section + 1, " refused") != NULL;
        const bool is_private = strstr(section + 1, " private") != NULL;

        gk_key *key = NULL, *same = NULL;
        const gk_status status = gk_key_from_pem(pem, strlen(pem), alg, &key, &err);
        if (refused) {
            CHECK(gk_status_is_misuse(status) && status >= 2000 && key == NULL);
        } else {
            CHECK(status == GK_STATUS_OK && gk_key_is_private(key) == is_private);
            if (is_private) inspect(key);
            MUST(gk_key_from_der(der, to_der(pem, der), alg, &same, &err));
            CHECK(same_key(key, same) && gk_key_is_private(same) == is_private);
            if (alg == GK_ALG_RS256) {
                gk_key *no_alg = NULL;
                FAILS(GK_STATUS_ALGORITHM_REQUIRED,
                      gk_key_from_pem(pem, strlen(pem), GK_ALG_ANY, &no_alg, &err));
            }
        }
        gk_key_free(same);
        gk_key_free(key);
        count++;
        section = next;
        if (section) *section = '\n';
    }
    CHECK(count >= 30);
    free(text);
}

static void secrets_and_options(const char *root) {
    static const uint8_t secret[32] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 200, 100, 50, 25, 12, 6, 3};
    static const char pem[] = "\n-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
    gk_key *key = NULL, *named = NULL;
    gk_key_options *options = gk_key_options_new();

    MUST(gk_key_from_secret(secret, sizeof secret, GK_ALG_HS256, &key, &err));
    inspect(key);
    MUST(gk_key_with_kid(key, GK_TEXT("first"), &named, &err));
    CHECK(str_is(gk_key_kid(named), "first") && gk_key_has_explicit_kid(named));
    CHECK(!gk_key_has_explicit_kid(key) && same_key(key, named));
    CHECK(str_is(gk_key_use(named), "sig"));
    gk_key_free(named);
    gk_key_free(key);
    FAILS(GK_STATUS_WEAK_KEY, gk_key_from_secret(secret, 31, GK_ALG_HS256, &key, &err));
    FAILS(GK_STATUS_WEAK_KEY, gk_key_from_secret(secret, 32, GK_ALG_HS384, &key, &err));
    FAILS(GK_STATUS_SECRET_LOOKS_LIKE_KEY,
          gk_key_from_secret((const uint8_t *)pem, strlen(pem), GK_ALG_HS256, &key, &err));

    FAILS(GK_STATUS_ALGORITHM_REQUIRED,
          gk_key_options_from_secret(options, secret, sizeof secret, &key, &err));
    FAILS(GK_STATUS_ALGORITHM_REQUIRED, gk_key_options_generate(options, &key, &err));
    gk_key_options_alg(options, GK_ALG_HS256);
    gk_key_options_kid(options, GK_TEXT("legacy"));
    FAILS(GK_STATUS_WEAK_KEY, gk_key_options_from_secret(options, secret, 8, &key, &err));
    gk_key_options *weak = gk_key_options_clone(options);
    gk_key_options_danger_allow_weak(weak);
    FAILS(GK_STATUS_WEAK_KEY, gk_key_options_from_secret(options, secret, 8, &key, &err));
    MUST(gk_key_options_from_secret(weak, secret, 8, &key, &err));
    CHECK(str_is(gk_key_kid(key), "legacy") && gk_key_alg(key) == GK_ALG_HS256);
    gk_key_free(key);
    MUST(gk_key_options_generate(options, &key, &err));
    CHECK(str_is(gk_key_kid(key), "legacy"));
    gk_key_free(key);
    gk_key_options_free(weak);
    gk_key_options_free(options);

    /* The other forms through options: the first EC key, as JWK and as PEM and DER. */
    options = gk_key_options_new();
    gk_key_options_kid(options, GK_TEXT("ec"));
    char *text = read_vectors(root, "keys.txt"), *rest = text;
    const char *name = NULL, *jwk = NULL;
    gk_alg alg = GK_ALG_ANY;
    while (next_key(&rest, &name, &alg, &jwk) && alg != GK_ALG_ES256) continue;
    gk_buf written = {NULL, 0};
    uint8_t der[1024];
    MUST(gk_key_options_from_jwk(options, jwk, strlen(jwk), &key, &err));
    CHECK(str_is(gk_key_kid(key), "ec"));
    MUST(gk_key_to_private_pem(key, &written, &err));
    MUST(gk_key_options_from_pem(options, written.data, written.len, &named, &err));
    CHECK(str_is(gk_key_kid(named), "ec") && same_key(key, named));
    gk_key_free(named);
    MUST(gk_key_options_from_der(options, der, to_der(written.data, der), &named, &err));
    CHECK(str_is(gk_key_kid(named), "ec") && same_key(key, named));
    gk_key_free(named);
    gk_buf_free(&written);
    gk_key_free(key);
    gk_key_options_free(options);
    free(text);
}

/* An entry of encrypted_keys.txt, cut out of the text. */
static const char *entry(char *text, const char *name) {
    char head[128];
    snprintf(head, sizeof head, "\n== %s\n", name);
    char *start = strstr(text, head);
    CHECK(start != NULL);
    start += strlen(head);
    char *end = strstr(start, "\n== ");
    static char copy[8192];
    snprintf(copy, sizeof copy, "%.*s\n", (int)(end ? end - start : (long)strlen(start)), start);
    return copy;
}

static void passphrases(const char *root) {
    static const char *const files[] = {"pkcs8.scrypt", "pkcs8.pbkdf2-hmacWithSHA1",
                                        "ssh.ed25519.encrypted", "ssh.ecdsa521.encrypted"};
    char *text = read_vectors(root, "encrypted_keys.txt");
    uint8_t der[8192];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *pem = entry(text, files[i]);
        gk_key *key = NULL;
        gk_key_options *options = gk_key_options_new();
        FAILS(GK_STATUS_PASSPHRASE_REQUIRED,
              gk_key_from_pem(pem, strlen(pem), GK_ALG_ANY, &key, &err));
        CHECK(strstr(err.message, "passphrase") != NULL);
        gk_key_options_passphrase(options, GK_TEXT("wrong horse"));
        FAILS(GK_STATUS_WRONG_PASSPHRASE,
              gk_key_options_from_pem(options, pem, strlen(pem), &key, &err));
        CHECK(strstr(err.message, "horse") == NULL);
        gk_key_options_passphrase(options, GK_TEXT("correct horse"));
        MUST(gk_key_options_from_pem(options, pem, strlen(pem), &key, &err));
        inspect(key);
        gk_key_free(key);
        if (strncmp(files[i], "pkcs8", 5) == 0) {
            const size_t len = to_der(pem, der);
            MUST(gk_key_options_from_der(options, der, len, &key, &err));
            CHECK(gk_key_is_private(key));
            gk_key_free(key);
            FAILS(GK_STATUS_PASSPHRASE_REQUIRED, gk_key_from_der(der, len, GK_ALG_ANY, &key, &err));
        }
        gk_key_options_free(options);
    }
    gk_key_options_passphrase(NULL, GK_TEXT("correct horse"));
    gk_key_options *options = gk_key_options_new();
    gk_key *key = NULL;
    gk_key_options_passphrase(options, NULL, 3);
    const char *pem = entry(text, "pkcs8.scrypt");
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_key_options_from_pem(options, pem, strlen(pem), &key, &err));
    gk_key_options_free(options);
    free(text);
}

/* Keys that went through an editor or an environment variable; and what is no key at all. */
static void texts(const char *root) {
    static const struct {
        const char *text, *words;
    } others[] = {{"/etc/ssl/key.pem", "path of a file"},
                  {"https://example.com/key", "URL"},
                  {"{\"kty\":\"EC\"}", "from_jwk"},
                  {"<html>", "HTML"},
                  {"", "Nothing was given"}};
    char *text = read_vectors(root, "encrypted_keys.txt");
    char line[8192];
    size_t len = 0;
    for (const char *c = entry(text, "p256.pkcs8"); *c != 0; c++) {
        line[len++] = *c == '\n' ? '\\' : *c;
        if (*c == '\n') line[len++] = 'n';
    }
    gk_key *key = NULL, *same = NULL;
    MUST(gk_key_from_pem(line, len, GK_ALG_ANY, &key, &err));
    const char *pem = entry(text, "p256.pkcs8");
    MUST(gk_key_from_pem(pem, strlen(pem), GK_ALG_ANY, &same, &err));
    CHECK(same_key(key, same));
    gk_key_free(key);
    gk_key_free(same);
    const char *ssh = entry(text, "ssh.ecdsa384.pub");
    MUST(gk_key_from_pem(ssh, strlen(ssh), GK_ALG_ANY, &key, &err));
    CHECK(gk_key_alg(key) == GK_ALG_ES384 && !gk_key_is_private(key));
    gk_key_free(key);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        FAILS(GK_STATUS_INVALID_KEY,
              gk_key_from_pem(others[i].text, strlen(others[i].text), GK_ALG_ANY, &key, &err));
        CHECK(strstr(err.message, others[i].words) != NULL);
    }
    /* Whatever can be read is refused as a secret. */
    static const char *const disguised[] = {"p256.pkcs8",      "pkcs8.scrypt",
                                            "ssh.ed25519",     "ssh.ed25519.encrypted",
                                            "ssh.rsa2048.pub", "ssh.ecdsa256.rfc4716"};
    for (size_t i = 0; i < sizeof disguised / sizeof *disguised; i++) {
        const char *secret = entry(text, disguised[i]);
        FAILS(
            GK_STATUS_SECRET_LOOKS_LIKE_KEY,
            gk_key_from_secret((const uint8_t *)secret, strlen(secret), GK_ALG_HS256, &key, &err));
    }
    free(text);
}

static void sets(void) {
    gk_key *keys[3] = {NULL, NULL, NULL}, *found = NULL, *hmac = NULL;
    gk_key_set *set = NULL, *read = NULL, *shared;
    gk_buf json = {NULL, 0};
    MUST(gk_key_generate(GK_ALG_ES256, &keys[0], &err));
    MUST(gk_key_generate(GK_ALG_ES256, &keys[1], &err));
    MUST(gk_key_generate(GK_ALG_EDDSA, &keys[2], &err));
    MUST(gk_key_generate(GK_ALG_HS256, &hmac, &err));

    MUST(gk_key_set_new((const gk_key *const *)keys, 3, &set, &err));
    CHECK(gk_key_set_len(set) == 3 && gk_key_set_skipped(set) == 0);
    for (size_t i = 0; i < 3; i++) {
        MUST(gk_key_set_at(set, i, &found, &err));
        CHECK(same_key(found, keys[i]));
        gk_key_free(found);
        MUST(gk_key_set_by_kid(set, LENT(gk_key_kid(keys[i])), &found, &err));
        CHECK(same_key(found, keys[i]));
        gk_key_free(found);
    }
    FAILS(GK_STATUS_KEY_NOT_FOUND, gk_key_set_by_kid(set, GK_TEXT("nobody"), &found, &err));
    MUST(gk_key_set_select(set, LENT(gk_key_kid(keys[1])), GK_ALG_ES256, &found, &err));
    CHECK(same_key(found, keys[1]));
    gk_key_free(found);
    MUST(gk_key_set_select(set, NULL, 0, GK_ALG_EDDSA, &found, &err));
    CHECK(same_key(found, keys[2]));
    gk_key_free(found);
    FAILS(GK_STATUS_AMBIGUOUS_KEY, gk_key_set_select(set, NULL, 0, GK_ALG_ES256, &found, &err));
    FAILS(GK_STATUS_INVALID_ALGORITHM,
          gk_key_set_select(set, LENT(gk_key_kid(keys[1])), GK_ALG_EDDSA, &found, &err));
    FAILS(GK_STATUS_KEY_NOT_FOUND, gk_key_set_select(set, "", 0, GK_ALG_ES256, &found, &err));

    MUST(gk_key_set_to_private_jwks(set, &json, &err));
    CHECK(strstr(json.data, "\"d\"") != NULL);
    gk_buf_free(&json);
    MUST(gk_key_set_to_jwks(set, &json, &err));
    CHECK(strstr(json.data, "\"d\"") == NULL);
    MUST(gk_key_set_from_jwks(json.data, json.len, GK_ALG_ANY, &read, &err));
    CHECK(gk_key_set_len(read) == 3);
    gk_buf_free(&json);
    FAILS(GK_STATUS_KEY_USAGE, gk_key_set_to_private_jwks(read, &json, &err));
    gk_key_set_free(read);

    static const char odd[] = "{\"keys\":[{\"kty\":\"XYZ\"},{\"kty\":\"RSA\",\"kid\":\"k1\",\"n\":"
                              "\"AQAB\",\"e\":\"AQAB\"}]}";
    MUST(gk_key_set_from_jwks(odd, strlen(odd), GK_ALG_ANY, &read, &err));
    CHECK(gk_key_set_len(read) == 0 && gk_key_set_skipped(read) == 2);
    CHECK(gk_key_set_skipped_reason(read, 0, &err) == GK_STATUS_UNSUPPORTED_KEY);
    CHECK(err.status == GK_STATUS_UNSUPPORTED_KEY && strstr(err.message, "`kty`") != NULL);
    CHECK(gk_key_set_skipped_kid(read, 0).data == NULL);
    CHECK(gk_key_set_skipped_reason(read, 1, NULL) == GK_STATUS_ALGORITHM_REQUIRED);
    CHECK(gk_key_set_skipped_reason(read, 2, &err) == GK_STATUS_OK && err.message[0] == '\0');
    CHECK(gk_key_set_skipped_kid(read, 2).data == NULL);
    const gk_str name = gk_key_set_skipped_kid(read, 1);
    CHECK(name.len == 2 && memcmp(name.data, "k1", 2) == 0);
    /* It is there, and the reason is told. */
    FAILS(GK_STATUS_UNUSABLE_KEY, gk_key_set_by_kid(read, GK_TEXT("k1"), &found, &err));
    CHECK(strstr(err.message, "k1") != NULL && strstr(err.message, "RS256") != NULL);
    CHECK(strcmp(gk_error_claim(&err), "kid") == 0);
    FAILS(GK_STATUS_UNUSABLE_KEY,
          gk_key_set_select(read, GK_TEXT("k1"), GK_ALG_RS256, &found, &err));
    gk_key_set_free(read);
    FAILS(GK_STATUS_INVALID_KEY, gk_key_set_from_jwks("[]", 2, GK_ALG_ANY, &read, &err));

    const gk_key *mixed[] = {keys[0], hmac};
    FAILS(GK_STATUS_MIXED_KEY_SET, gk_key_set_new(mixed, 2, &read, &err));

    /* A set outlives its keys and the handle it was made with. */
    shared = gk_key_set_clone(set);
    gk_key_set_free(set);
    for (size_t i = 0; i < 3; i++) gk_key_free(keys[i]);
    CHECK(gk_key_set_len(shared) == 3);
    MUST(gk_key_set_at(shared, 2, &found, &err));
    CHECK(gk_key_alg(found) == GK_ALG_EDDSA);
    gk_key_set_free(shared);
    inspect(found);
    gk_key *clone = gk_key_clone(found);
    gk_key_free(found);
    inspect(clone);
    gk_key_free(clone);
    gk_key_free(hmac);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    generated();
    read_jwks(argv[1]);
    read_pems(argv[1]);
    secrets_and_options(argv[1]);
    passphrases(argv[1]);
    texts(argv[1]);
    sets();
    return passed("jwk");
}
