/* examples/kms where the HSM's session is lost: by its handle, by a log-out, with the module, with
 * the token; and in a program that initialises the module itself.
 *
 * usage: lost MODULE TOKEN PIN_FILE TOKENS, the folder with the tokens of SoftHSM */
#define main kms_example
#include "../../../examples/kms/kms.c"
#undef main

static int failures;

/* Whether a signature is made, and verified before it leaves; threads share the key. */
static void signs(const char *what, long wanted) {
    pthread_t threads[THREADS];
    good = 0;
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    const bool as_wanted = good == wanted * THREADS * tokens_each;
    printf("%s: %ld signatures%s\n", what, (long)good, as_wanted ? "" : ": FAILED");
    failures += !as_wanted;
}

int main(int argc, char **argv) {
    static char pin[256];
    char gone[4096];
    struct hsm hsm;
    CK_C_GetFunctionList list;
    CK_FUNCTION_LIST *module;
    CK_SLOT_ID slots[16];
    CK_ULONG count = 16;
    CK_SESSION_HANDLE own = 0;
    CK_SESSION_INFO info;
    gk_signer_builder *builder;
    CK_C_INITIALIZE_ARGS threads = {.flags = CKF_OS_LOCKING_OK};
    if (argc != 5) return fprintf(stderr, "usage: lost MODULE TOKEN PIN_FILE TOKENS\n"), 2;
    FILE *file = fopen(argv[3], "r");
    if (file == NULL || fgets(pin, sizeof pin, file) == NULL) return perror(argv[3]), 1;
    fclose(file);
    pin[strcspn(pin, "\n")] = 0;

    /* The program has a session of its own, before the key has one and after it was lost. */
    *(void **)&list = dlsym(dlopen(argv[1], RTLD_NOW), "C_GetFunctionList");
    if (list(&module) != CKR_OK || module->C_Initialize(&threads) != CKR_OK) return 1;
    if (module->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK) return 1;
    if (module->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK) return 1;
    if (!hsm_key(&hsm, argv[1], argv[2], "gatekey-1", pin)) return 1;
    gk_key *key = key_of(&hsm);
    tokens_each = 2;
    must(gk_signer_builder_new(key, &builder, &err));
    gk_signer_builder_issuer(builder, GK_TEXT("https://auth.example"));
    must(gk_signer_builder_build(builder, &signer, &err));
    gk_signer_builder_free(builder);
    gk_policy *policy = gk_policy_new();
    gk_policy_expect_issuer(policy, GK_TEXT("https://auth.example"));
    gk_key *public_key;
    must(gk_key_public(key, &public_key, &err));
    must(gk_verifier_with_key(public_key, policy, &verifier, &err));
    gk_policy_free(policy);
    signs("initialised by the program, too", 1);

    module->C_CloseSession(hsm.session);
    signs("a session handle that is not valid", 1);
    module->C_Logout(hsm.session);
    signs("logged out", 1);
    failures += module->C_GetSessionInfo(own, &info) != CKR_OK; /* nobody closed it */
    module->C_Finalize(NULL);
    signs("ended by the program", 1);

    /* Taken out: no signature, and put back: there are again. */
    snprintf(gone, sizeof gone, "%s-gone", argv[4]);
    module->C_Finalize(NULL);
    if (rename(argv[4], gone) != 0) return perror(gone), 1;
    signs("without the token", 0);
    module->C_Finalize(NULL);
    if (rename(gone, argv[4]) != 0) return perror(gone), 1;
    signs("with the token put back", 1);

    gk_verifier_free(verifier);
    gk_signer_free(signer);
    gk_key_free(public_key);
    gk_key_free(key);
    module->C_Finalize(NULL);
    printf("%d failures\n", failures);
    return failures > 0;
}
