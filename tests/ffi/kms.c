/* Keys of a KMS or HSM from C: a callback signs for a signer, for sessions and for a ring; what it
 * gives wrongly is refused, and what it was given is released once. The KMS is a key of this
 * program, whose signatures are handed over as a KMS does. */
#define _DEFAULT_SOURCE /* nanosleep */

#include "session.h"
#include "vectors.h"

#include <stdatomic.h>
#include <time.h>

enum form { RAW, DER, NOTHING, TOO_MUCH, SHORT, OF_ANOTHER };

/* What a callback is given back. */
struct kms {
    gk_key *own, *another;
    enum form form;
    atomic_int calls;
    int releases;
    int seconds; /* before it answers */
    gk_alg alg;
    size_t digest_len;
};

/* An INTEGER in DER; where the next one goes. */
static uint8_t *integer(uint8_t *out, const uint8_t *bytes, size_t len) {
    while (len > 1 && *bytes == 0) bytes++, len--;
    const bool padded = *bytes >= 128;
    *out++ = 2;
    *out++ = (uint8_t)(len + padded);
    if (padded) *out++ = 0;
    memcpy(out, bytes, len);
    return out + len;
}

static size_t sign(void *user, const gk_sign_request *request, uint8_t *signature,
                   size_t capacity) {
    struct kms *kms = user;
    gk_error err;
    gk_buf raw;
    kms->calls++;
    kms->alg = request->alg;
    kms->digest_len = request->digest_len;
    CHECK(capacity == 8192 && request->message_len > 0);
    if (kms->seconds > 0) nanosleep(&(struct timespec){kms->seconds, 0}, NULL);
    if (kms->form == NOTHING) return 0;
    if (kms->form == TOO_MUCH) return capacity + 1;
    const gk_key *key = kms->form == OF_ANOTHER ? kms->another : kms->own;
    MUST(gk_key_sign(key, request->message, request->message_len, &raw, &err));
    size_t len = raw.len;
    memcpy(signature, raw.data, len);
    if (kms->form == SHORT) len--;
    if (kms->form == DER) {
        const uint8_t *bytes = (const uint8_t *)raw.data;
        uint8_t *end = integer(integer(signature + 2, bytes, len / 2), bytes + len / 2, len / 2);
        signature[0] = 0x30;
        signature[1] = (uint8_t)(end - signature - 2);
        len = (size_t)(end - signature);
    }
    gk_buf_free(&raw);
    return len;
}

static void release_kms(void *user) { ((struct kms *)user)->releases++; }

static const char *root;

static struct kms kms_of(gk_alg alg, enum form form) {
    gk_error err;
    struct kms kms = {.form = form};
    if (alg == GK_ALG_RS256)
        kms.own = fixed_key(root, "rs256");
    else
        MUST(gk_key_generate(alg, &kms.own, &err));
    if (alg == GK_ALG_ES256) MUST(gk_key_generate(alg, &kms.another, &err));
    return kms;
}

static void end(struct kms *kms, int releases) {
    CHECK(kms->releases == releases);
    gk_key_free(kms->own);
    gk_key_free(kms->another);
}

/* What making a key of it says. */
static gk_status made(struct kms *kms, uint64_t deadline_ms, gk_key **key, gk_error *told) {
    gk_error err;
    gk_key *public_half = NULL;
    MUST(gk_key_public(kms->own, &public_half, &err));
    gk_key_callback *callback = gk_key_callback_new(sign, kms, release_kms);
    if (deadline_ms != 0) gk_key_callback_deadline_ms(callback, deadline_ms);
    const gk_status status = gk_key_with_callback(public_half, callback, key, told);
    CHECK((*key != NULL) == (status == GK_STATUS_OK));
    gk_key_callback_free(callback);
    gk_key_free(public_half);
    return status;
}

static gk_signer *signer_by(const gk_key *key) {
    gk_error err;
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_new(key, &builder, &err));
    return signer_of(builder);
}

static void signs(const gk_signer *signer, const gk_key *verifying) {
    gk_error err;
    gk_buf token;
    MUST(gk_signer_sign_json(signer, GK_TEXT("{\"sub\":\"alice\"}"), &token, &err));
    gk_verifier *verifier = verifier_with(verifying, NULL);
    CHECK(said(verifier, &token) == GK_STATUS_OK);
    gk_verifier_free(verifier);
    gk_buf_free(&token);
}

static void every_kind_of_key(void) {
    static const struct {
        gk_alg alg;
        enum form form;
        size_t digest_len;
    } rows[] = {{GK_ALG_ES256, RAW, 32},   {GK_ALG_ES256, DER, 32}, {GK_ALG_ES384, DER, 48},
                {GK_ALG_RS256, RAW, 32},   {GK_ALG_EDDSA, RAW, 0},  {GK_ALG_ES256K, DER, 32},
                {GK_ALG_ML_DSA_44, RAW, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gk_error err;
        gk_key *key = NULL;
        gk_buf text;
        struct kms kms = kms_of(rows[i].alg, rows[i].form);
        CHECK(made(&kms, i % 2 == 0 ? 60000 : 0, &key, &err) == GK_STATUS_OK);
        CHECK(kms.calls == 1 && kms.alg == rows[i].alg && kms.digest_len == rows[i].digest_len);
        CHECK(gk_key_signs_by_callback(key) && gk_key_may_sign(key) && !gk_key_is_private(key));
        CHECK(!gk_key_signs_by_callback(kms.own) && !gk_key_signs_by_callback(NULL));
        FAILS(GK_STATUS_KEY_USAGE, gk_key_to_private_jwk(key, &text, &err));
        gk_signer *signer = signer_by(key);
        gk_key_free(key);
        for (int n = 0; n < 5; n++) signs(signer, kms.own);
        CHECK(kms.calls == 6 && kms.releases == 0);
        gk_signer_free(signer);
        end(&kms, 1);
    }
}

static void what_goes_wrong(void) {
    static const struct {
        enum form form;
        gk_status status;
    } rows[] = {{NOTHING, GK_STATUS_KEY_UNAVAILABLE},
                {TOO_MUCH, GK_STATUS_KEY_UNAVAILABLE},
                {SHORT, GK_STATUS_KEY_PAIR_MISMATCH},
                {OF_ANOTHER, GK_STATUS_KEY_PAIR_MISMATCH}};
    gk_error err;
    gk_key *key = NULL;
    gk_buf token;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kms kms = kms_of(GK_ALG_ES256, rows[i].form);
        CHECK(made(&kms, 0, &key, &err) == rows[i].status && err.status == rows[i].status);
        CHECK(kms.calls == 1);
        /* Later, too. */
        kms.form = DER;
        CHECK(made(&kms, 0, &key, &err) == GK_STATUS_OK);
        gk_signer *signer = signer_by(key);
        kms.form = rows[i].form;
        FAILS(rows[i].status, gk_signer_sign_json(signer, GK_TEXT("{}"), &token, &err));
        CHECK(token.data == NULL && token.len == 0);
        kms.form = RAW;
        signs(signer, kms.own);
        gk_signer_free(signer);
        gk_key_free(key);
        key = NULL;
        end(&kms, 2);
    }

    struct kms kms = kms_of(GK_ALG_EDDSA, RAW);
    kms.seconds = 2;
    CHECK(made(&kms, 50, &key, &err) == GK_STATUS_KEY_UNAVAILABLE);
    CHECK(strstr(err.message, "deadline") != NULL);
    kms.seconds = 0;
    CHECK(made(&kms, 300001, &key, &err) == WRONG);
    /* The one that was too late is let go of when it has answered. */
    for (int i = 0; i < 1000 && kms.releases < 2; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    nanosleep(&(struct timespec){0, 200000000}, NULL); /* its thread ends */
    end(&kms, 2);
}

static void wrong_arguments(void) {
    gk_error err;
    gk_key *key = NULL, *secret = NULL;
    struct kms kms = kms_of(GK_ALG_ES256, RAW);
    gk_key *public_half = NULL;
    MUST(gk_key_public(kms.own, &public_half, &err));
    MUST(gk_key_generate(GK_ALG_HS256, &secret, &err));
    gk_key_callback *callback = gk_key_callback_new(sign, &kms, release_kms);
    FAILS(GK_STATUS_KEY_USAGE, gk_key_with_callback(kms.own, callback, &key, &err));
    FAILS(GK_STATUS_KEY_USAGE, gk_key_with_callback(secret, callback, &key, &err));
    FAILS(WRONG, gk_key_with_callback(NULL, callback, &key, &err));
    FAILS(WRONG, gk_key_with_callback(public_half, NULL, &key, &err));
    FAILS(WRONG, gk_key_with_callback(public_half, callback, NULL, &err));
    CHECK(gk_key_with_callback(NULL, NULL, &key, NULL) == WRONG && key == NULL && kms.calls == 0);
    gk_key_callback_deadline_ms(callback, 0);
    FAILS(WRONG, gk_key_with_callback(public_half, callback, &key, &err));
    gk_key_callback_free(callback);
    CHECK(kms.releases == 1);
    callback = gk_key_callback_new(NULL, &kms, release_kms);
    CHECK(kms.releases == 2);
    FAILS(WRONG, gk_key_with_callback(public_half, callback, &key, &err));
    gk_key_callback_free(callback);
    gk_key_callback_free(NULL);
    gk_key_callback_deadline_ms(NULL, 5);
    callback = gk_key_callback_new(sign, NULL, NULL);
    gk_key_callback_free(callback);
    gk_key_free(public_half);
    gk_key_free(secret);
    end(&kms, 2);
}

/* A signature that was made elsewhere may be DER as well. */
static void attached(void) {
    gk_error err;
    gk_buf token;
    gk_unsigned *prepared = NULL;
    uint8_t der[128];
    struct kms kms = kms_of(GK_ALG_ES384, DER);
    gk_signer *signer = signer_by(kms.own);
    MUST(gk_signer_prepare_json(signer, GK_TEXT("{}"), &prepared, &err));
    const gk_str input = gk_unsigned_signing_input(prepared);
    const gk_sign_request request = {GK_ALG_ES384, (const uint8_t *)input.data, input.len, NULL, 0};
    uint8_t room[8192];
    const size_t len = sign(&kms, &request, room, sizeof room);
    CHECK(len > 98 && len <= sizeof der);
    MUST(gk_unsigned_attach(prepared, room, len, &token, &err));
    gk_buf_free(&token);
    FAILS(GK_STATUS_INVALID_SIGNATURE, gk_unsigned_attach(prepared, room, len - 1, &token, &err));
    gk_unsigned_free(prepared);
    gk_signer_free(signer);
    end(&kms, 0);
}

static void sessions_and_rings(void) {
    gk_error err;
    gk_key *first = NULL, *second = NULL;
    gk_key_ring *ring = NULL;
    gk_buf keys;
    struct kms one = kms_of(GK_ALG_ES256, DER), two = kms_of(GK_ALG_ES256, DER);
    CHECK(made(&one, 0, &first, &err) == GK_STATUS_OK);
    CHECK(made(&two, 0, &second, &err) == GK_STATUS_OK);

    gk_key_ring_options *options = gk_key_ring_options_new();
    gk_key_ring_options_key(options, first);
    gk_key_ring_options_clock(options, now, NULL, NULL);
    MUST(gk_key_ring_open(GK_TEXT("memory:"), options, &ring, &err));
    gk_key_ring_options_free(options);
    MUST(gk_key_ring_keys(ring, &keys, &err));
    CHECK(strstr(keys.data, "\"by_callback\":true") && !strstr(keys.data, "\"next\""));
    gk_buf_free(&keys);
    gk_signer_builder *builder = NULL;
    MUST(gk_signer_builder_following(ring, &builder, &err));
    gk_signer *signer = signer_of(builder);
    signs(signer, one.own);
    FAILS(GK_STATUS_INVALID_CONFIGURATION, gk_key_ring_rotate(ring, NULL, &err));
    MUST(gk_key_ring_add(ring, second, &keys, &err));
    CHECK(strstr(keys.data, "\"state\":\"next\"") != NULL);
    gk_buf_free(&keys);
    MUST(gk_key_ring_add(ring, second, NULL, &err));
    MUST(gk_key_ring_rotate(ring, NULL, &err));
    signs(signer, two.own);
    gk_signer_free(signer);
    gk_key_ring_free(ring);
    gk_key_free(first);
    gk_key_free(second);
    end(&one, 1);
    end(&two, 1);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    root = argv[1];
    every_kind_of_key();
    what_goes_wrong();
    wrong_arguments();
    attached();
    sessions_and_rings();
    CHECK(calls_all(argv[1], "kms.c", "gk_key_callback_") == 3);
    return passed("kms");
}
