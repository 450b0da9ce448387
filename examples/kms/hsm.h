/* A signing key in an HSM, by PKCS#11: what examples/kms/kms.c needs of it.
 *
 * One session, used by one thread at a time, and opened again when the token was taken out and put
 * back. In the child of a fork the module is initialised again, as PKCS#11 demands (section 6.7.2
 * of version 3.0). The PIN stays in memory of this file alone: it is in no argument and no log. */
#ifndef HSM_H
#define HSM_H

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct hsm {
    CK_FUNCTION_LIST *module;
    const char *token, *label;
    const char *pin;
    pthread_mutex_t lock;
    pid_t process; /* in which the session is */
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool ready;
};

/* Another process than that of before: what was open belongs to that one. The same where the
 * program has ended the module meanwhile. */
static inline void hsm_enter(struct hsm *hsm) {
    const bool is_child = hsm->process != getpid();
    CK_C_INITIALIZE_ARGS threads = {.flags = CKF_OS_LOCKING_OK};
    if (!is_child && hsm->ready) return;
    hsm->process = getpid();
    /* Or another key, or the program, has done so. */
    const bool is_new = hsm->module->C_Initialize(&threads) == CKR_OK;
    if (!is_child && !is_new) return;
    hsm->ready = false;
    hsm->session = 0;
}

static inline bool hsm_is_token(const struct hsm *hsm, CK_SLOT_ID slot) {
    CK_TOKEN_INFO info;
    if (hsm->module->C_GetTokenInfo(slot, &info) != CKR_OK) return false;
    const size_t len = strlen(hsm->token);
    return len <= sizeof info.label && memcmp(info.label, hsm->token, len) == 0 &&
           (len == sizeof info.label || info.label[len] == ' ');
}

/* The object of a class and label, of which there must be one. */
static inline bool hsm_find(struct hsm *hsm, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *found) {
    CK_OBJECT_HANDLE objects[2];
    CK_ULONG count = 0;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_LABEL, (void *)hsm->label, strlen(hsm->label)}};
    if (hsm->module->C_FindObjectsInit(hsm->session, wanted, 2) != CKR_OK) return false;
    const CK_RV found_some = hsm->module->C_FindObjects(hsm->session, objects, 2, &count);
    hsm->module->C_FindObjectsFinal(hsm->session);
    if (found_some != CKR_OK || count != 1) return false; /* two of one label are one too many */
    *found = objects[0];
    return true;
}

/* Opens a session and logs in; with the lock held. */
static inline bool hsm_open(struct hsm *hsm) {
    CK_SLOT_ID slots[64];
    CK_ULONG count = sizeof slots / sizeof *slots;
    hsm_enter(hsm);
    if (hsm->ready) return true;
    if (hsm->module->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK) return false;
    for (CK_ULONG i = 0; i < count; i++) {
        if (!hsm_is_token(hsm, slots[i])) continue;
        const CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        if (hsm->session != 0) hsm->module->C_CloseSession(hsm->session);
        if (hsm->module->C_OpenSession(slots[i], flags, NULL, NULL, &hsm->session) != CKR_OK)
            return false;
        const CK_RV in =
            hsm->module->C_Login(hsm->session, CKU_USER, (CK_UTF8CHAR *)hsm->pin, strlen(hsm->pin));
        if (in != CKR_OK && in != CKR_USER_ALREADY_LOGGED_IN) return false;
        return hsm->ready = true;
    }
    return false;
}

/* Makes an ECDSA key on P-256, unless the token has it. */
static inline bool hsm_make_key(struct hsm *hsm) {
    static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_BBOOL yes = CK_TRUE;
    CK_MECHANISM make = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public_key;
    void *label = (void *)hsm->label;
    CK_ATTRIBUTE of_public[] = {{CKA_EC_PARAMS, p256, sizeof p256},
                                {CKA_TOKEN, &yes, sizeof yes},
                                {CKA_VERIFY, &yes, sizeof yes},
                                {CKA_LABEL, label, strlen(hsm->label)}};
    CK_ATTRIBUTE of_private[] = {{CKA_TOKEN, &yes, sizeof yes},
                                 {CKA_PRIVATE, &yes, sizeof yes},
                                 {CKA_SENSITIVE, &yes, sizeof yes},
                                 {CKA_SIGN, &yes, sizeof yes},
                                 {CKA_LABEL, label, strlen(hsm->label)}};
    if (!hsm_open(hsm)) return false;
    if (hsm_find(hsm, CKO_PRIVATE_KEY, &hsm->key)) return true;
    return hsm->module->C_GenerateKeyPair(hsm->session, &make, of_public, 4, of_private, 5,
                                          &public_key, &hsm->key) == CKR_OK;
}

/* Opens the token's key. `pin` lives as long as the key does. */
static inline bool hsm_key(struct hsm *hsm, const char *module, const char *token,
                           const char *label, const char *pin) {
    CK_C_GetFunctionList list = NULL;
    void *library = dlopen(module, RTLD_NOW);
    if (library == NULL) return false;
    *(void **)&list = dlsym(library, "C_GetFunctionList");
    *hsm = (struct hsm){.token = token, .label = label, .pin = pin};
    pthread_mutex_init(&hsm->lock, NULL);
    return list != NULL && list(&hsm->module) == CKR_OK && hsm_make_key(hsm);
}

/* The public half: the point `04 || x || y`, 65 bytes, behind two of DER. */
static inline bool hsm_point(struct hsm *hsm, CK_BYTE point[67]) {
    CK_OBJECT_HANDLE public_key;
    CK_ATTRIBUTE attribute = {CKA_EC_POINT, point, 67};
    return hsm_find(hsm, CKO_PUBLIC_KEY, &public_key) &&
           hsm->module->C_GetAttributeValue(hsm->session, public_key, &attribute, 1) == CKR_OK &&
           attribute.ulValueLen == 67 && point[0] == 4 && point[1] == 65 && point[2] == 4;
}

static inline bool hsm_sign_once(struct hsm *hsm, const CK_BYTE *digest, size_t digest_len,
                                 CK_BYTE *signature, CK_ULONG *len) {
    CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
    return hsm_open(hsm) && hsm_find(hsm, CKO_PRIVATE_KEY, &hsm->key) &&
           hsm->module->C_SignInit(hsm->session, &ecdsa, hsm->key) == CKR_OK &&
           hsm->module->C_Sign(hsm->session, (CK_BYTE *)digest, digest_len, signature, len) ==
               CKR_OK;
}

/* A signature, r and s side by side; its length, or 0. Once more after a session that was lost. */
static inline size_t hsm_sign(struct hsm *hsm, const uint8_t *digest, size_t digest_len,
                              uint8_t *signature, size_t capacity) {
    CK_ULONG len = capacity;
    pthread_mutex_lock(&hsm->lock);
    bool signed_it = hsm_sign_once(hsm, digest, digest_len, signature, &len);
    if (!signed_it) {
        hsm->ready = false;
        len = capacity;
        signed_it = hsm_sign_once(hsm, digest, digest_len, signature, &len);
    }
    pthread_mutex_unlock(&hsm->lock);
    return signed_it ? len : 0;
}

#endif
