/* A program that uses SQLite, OpenSSL and gatekey: each is the one whose header it was compiled
 * with, and none is used by another. argv[1]: the URL of a store. */
#include "use.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sqlite3.h>

/* AWS-LC, which is inside of gatekey, uses these where a program has them. They are not for
 * gatekey's. */
static int taken;

void *OPENSSL_memory_alloc(size_t size);
void *OPENSSL_memory_realloc(void *block, size_t size);
void OPENSSL_memory_free(void *block);
size_t OPENSSL_memory_get_size(void *block);

void *OPENSSL_memory_alloc(size_t size) {
    taken++;
    return malloc(size);
}

void *OPENSSL_memory_realloc(void *block, size_t size) {
    taken++;
    return realloc(block, size);
}

void OPENSSL_memory_free(void *block) {
    taken++;
    free(block);
}

size_t OPENSSL_memory_get_size(void *block) {
    taken += block != NULL;
    return 0;
}

static void use_sqlite(void) {
    sqlite3 *memory = NULL;
    sqlite3_stmt *question = NULL;
    CHECK(strcmp(sqlite3_libversion(), SQLITE_VERSION) == 0);
    CHECK(sqlite3_open(":memory:", &memory) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(memory, "SELECT sqlite_version()", -1, &question, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(question) == SQLITE_ROW);
    CHECK(strcmp((const char *)sqlite3_column_text(question, 0), SQLITE_VERSION) == 0);
    CHECK(sqlite3_finalize(question) == SQLITE_OK);
    CHECK(sqlite3_close(memory) == SQLITE_OK);
}

static void use_openssl(void) {
    static const unsigned char abc[4] = {0xba, 0x78, 0x16, 0xbf}; /* of SHA-256("abc") */
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    CHECK(strcmp(OpenSSL_version(OPENSSL_FULL_VERSION_STRING), OPENSSL_FULL_VERSION_STR) == 0);
    CHECK(EVP_Digest("abc", 3, digest, &size, EVP_sha256(), NULL) == 1);
    CHECK(size == 32 && memcmp(digest, abc, sizeof abc) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    use_keys();
    use_store(argv[1]);
    /* What gatekey's SQLite has done is not in the books of the program's. */
    CHECK(sqlite3_memory_used() == 0 && sqlite3_memory_highwater(0) == 0);
    CHECK(taken == 0);
    use_sqlite();
    use_openssl();
    use_keys();
    use_store(argv[1]);
    return passed("beside");
}
