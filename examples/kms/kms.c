/* Tokens that an HSM signs, by PKCS#11: kms MODULE TOKEN PIN_FILE [TOKENS].
 *
 * A ring with a key of the HSM, which rotates to another one; four workers that are forked, and
 * eight threads in each. Every signature is verified before it leaves; no private key is ever in
 * this process. */
#define _DEFAULT_SOURCE
#include "hsm.h"

#include "../must.h"

#include <stdatomic.h>
#include <sys/wait.h>

enum { WORKERS = 4, THREADS = 8 };

static size_t sign(void *user, const gk_sign_request *request, uint8_t *signature,
                   size_t capacity) {
    return hsm_sign(user, request->digest, request->digest_len, signature, capacity);
}

/* base64url without padding. */
static char *base64url(char *out, const uint8_t *bytes, size_t len) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t bit = 0; bit < 8 * len; bit += 6) {
        unsigned six = bytes[bit / 8] << 8 | (bit / 8 + 1 < len ? bytes[bit / 8 + 1] : 0);
        *out++ = letters[six >> (10 - bit % 8) & 63];
    }
    *out = 0;
    return out;
}

/* The HSM's key, as a key of gatekey's. */
static gk_key *key_of(struct hsm *hsm) {
    CK_BYTE point[67];
    char x[64], y[64], jwk[256];
    gk_key *public_key, *key;
    if (!hsm_point(hsm, point)) fprintf(stderr, "the HSM gives no public key\n"), exit(1);
    base64url(x, point + 3, 32);
    base64url(y, point + 35, 32);
    snprintf(jwk, sizeof jwk, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
    must(gk_key_from_jwk(jwk, strlen(jwk), GK_ALG_ANY, &public_key, &err));
    gk_key_callback *callback = gk_key_callback_new(sign, hsm, NULL);
    gk_key_callback_deadline_ms(callback, 5000);
    must(gk_key_with_callback(public_key, callback, &key, &err));
    gk_key_callback_free(callback);
    gk_key_free(public_key);
    return key;
}

static gk_signer *signer;
static gk_verifier *verifier;
static long tokens_each = 10;
static atomic_long good;

static void *work(void *unused) {
    for (long i = 0; i < tokens_each; i++) {
        gk_buf token;
        gk_verified *verified;
        gk_error why; /* each thread has its own */
        if (gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &why)) {
            fprintf(stderr, "%s: %s\n", gk_status_name(why.status), why.message);
            break;
        }
        good += gk_verifier_verify(verifier, token.data, token.len, &verified, &why) == 0;
        gk_verified_free(verified);
        gk_buf_free(&token);
    }
    return unused;
}

/* A worker: all its threads use the one key. */
static int worker(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return good == THREADS * tokens_each ? 0 : 1;
}

int main(int argc, char **argv) {
    static char pin[256];
    struct hsm first, second;
    gk_key_ring *ring;
    gk_signer_builder *builder;
    gk_buf active;
    if (argc < 4) return fprintf(stderr, "usage: kms MODULE TOKEN PIN_FILE [TOKENS]\n"), 2;
    if (argc > 4) tokens_each = strtol(argv[4], NULL, 10);
    FILE *file = fopen(argv[3], "r");
    if (file == NULL || fgets(pin, sizeof pin, file) == NULL) return perror(argv[3]), 1;
    fclose(file);
    pin[strcspn(pin, "\n")] = 0;
    if (!hsm_key(&first, argv[1], argv[2], "gatekey-1", pin) ||
        !hsm_key(&second, argv[1], argv[2], "gatekey-2", pin))
        return fprintf(stderr, "the HSM cannot be used: module, token or PIN\n"), 1;

    /* A new ring has this key as its first; no key is made here. */
    gk_key *one = key_of(&first), *two = key_of(&second);
    gk_key_ring_options *options = gk_key_ring_options_new();
    gk_key_ring_options_key(options, one);
    must(gk_key_ring_open(GK_TEXT("memory:"), options, &ring, &err));
    gk_key_ring_options_free(options);
    must(gk_signer_builder_following(ring, &builder, &err));
    gk_signer_builder_issuer(builder, GK_TEXT("https://auth.example"));
    must(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://auth.example"));
    must(gk_verifier_following(ring, policy, &verifier, &err));
    gk_policy_free(policy);

    for (int key = 1; key <= 2; key++) {
        int failed = 0;
        fflush(stdout);
        for (int i = 0; i < WORKERS; i++)
            if (fork() == 0) _exit(worker());
        for (int i = 0, status; i < WORKERS; i++) {
            wait(&status);
            failed += status != 0;
        }
        if (failed) return fprintf(stderr, "%d workers have failed\n", failed), 1;
        printf("key %d: %d workers with %d threads have signed and verified %ld tokens each\n", key,
               WORKERS, THREADS, THREADS * tokens_each);
        if (key == 2) break;
        must(gk_key_ring_add(ring, two, NULL, &err));  /* published */
        must(gk_key_ring_rotate(ring, &active, &err)); /* and now it signs */
        printf("rotated: %s\n", active.data);
        gk_buf_free(&active);
    }
    gk_verifier_free(verifier);
    gk_signer_free(signer);
    gk_key_ring_free(ring);
    gk_key_free(one);
    gk_key_free(two);
    first.module->C_Finalize(NULL);
    return 0;
}
