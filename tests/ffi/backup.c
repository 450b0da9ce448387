/* Backups from C: made, put back, refused, accepted; progress; wrong arguments. */
#define _DEFAULT_SOURCE /* mkdtemp */

#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/gatekey-store-XXXXXX";
static char text[1024];

/* A JSON text in which %s is the folder, up to three times. */
static const char *in(const char *json) {
    snprintf(text, sizeof text, json, folder, folder, folder);
    return text;
}

static uint64_t calls, last;

static bool hear(void *user, uint64_t done, uint64_t all) {
    calls++;
    last = all - done;
    return user == NULL;
}

static gk_status open_list(gk_revocations **list, gk_error *err) {
    const char *url = in("sqlite:///%s/auth.sqlite");
    return gk_revocations_open(url, strlen(url), NULL, list, err);
}

static bool holds(const gk_buf *report, const char *part) {
    return report->data != NULL && strstr(report->data, part) != NULL;
}

static void there_and_back(void) {
    gk_error err;
    gk_revocations *list = NULL;
    gk_buf report = {NULL, 0};
    MUST(open_list(&list, &err));
    const char *backup = in("{\"store\":\"sqlite:///%s/auth.sqlite\",\"to\":\"%s/copy\"}");
    MUST(gk_store_backup(backup, strlen(backup), hear, NULL, &report, &err));
    CHECK(holds(&report, "\"api_keys\":0") && calls > 0 && last == 0);
    gk_buf_free(&report);
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_store_backup(backup, strlen(backup), NULL, NULL, &report, &err));
    CHECK(report.data == NULL);
    struct stat found;
    const char *copy = in("%s/copy");
    CHECK(stat(copy, &found) == 0 && (found.st_mode & 0777) == 0600);
    backup = in("{\"store\":\"sqlite:///%s/auth.sqlite\",\"to\":\"%s/stopped\"}");
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_store_backup(backup, strlen(backup), hear, &calls, &report, &err));
    CHECK(stat(in("%s/stopped"), &found) != 0);

    MUST(gk_revocations_revoke_key(list, GK_TEXT("leaked"), &err));
    const char *back = in("{\"store\":\"sqlite:///%s/auth.sqlite\",\"backup\":\"%s/copy\"}");
    FAILS(GK_STATUS_STORE_UNAVAILABLE,
          gk_store_restore(back, strlen(back), NULL, NULL, &report, &err));
    gk_revocations_free(list);
    MUST(gk_store_restore(back, strlen(back), hear, NULL, &report, &err));
    CHECK(holds(&report, "\"must_acknowledge\":true") && holds(&report, ".replaced-"));
    gk_buf_free(&report);

    FAILS(GK_STATUS_STORE_RESTORED, open_list(&list, &err));
    CHECK(list == NULL && gk_status_is_unavailable(err.status));
    const char *accept = in("{\"store\":\"sqlite:///%s/auth.sqlite\",\"revoke_before\":0,"
                            "\"keep_api_keys\":true,\"keep_key_rings\":true}");
    MUST(gk_store_acknowledge_restore(accept, strlen(accept), &report, &err));
    CHECK(holds(&report, "\"sessions\":0") && holds(&report, "\"was_refused\":true"));
    gk_buf_free(&report);
    MUST(open_list(&list, &err));
    gk_revocations_free(list);
    back = in("{\"store\":\"sqlite:///%s/auth.sqlite\",\"backup\":\"%s/copy\",\"force\":true}");
    MUST(gk_store_restore(back, strlen(back), NULL, NULL, &report, &err));
    gk_buf_free(&report);
}

static void wrong_arguments(void) {
    gk_error err;
    gk_buf report = {NULL, 0};
    static const char *const WRONG[] = {
        "",
        "[]",
        "{}",
        "{\"store\":1}",
        "{\"store\":\"sqlite:///a\",\"to\":\"b\",\"backup\":\"c\",\"revoke_before\":1,\"more\":1}",
        "{\"store\":\"sqlite:///a\",\"store\":\"b\"}",
        "{\"force\":1,\"keep_api_keys\":1,\"to\":2,\"pepper_to\":3}",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        const size_t len = strlen(WRONG[i]);
        FAILS(GK_STATUS_INVALID_CONFIGURATION,
              gk_store_backup(WRONG[i], len, NULL, NULL, &report, &err));
        FAILS(GK_STATUS_INVALID_CONFIGURATION,
              gk_store_restore(WRONG[i], len, NULL, NULL, &report, &err));
        FAILS(GK_STATUS_INVALID_CONFIGURATION,
              gk_store_acknowledge_restore(WRONG[i], len, &report, &err));
    }
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_store_backup(NULL, 1, NULL, NULL, &report, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_store_backup(NULL, 0, NULL, NULL, NULL, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_store_restore(NULL, 1, NULL, NULL, &report, &err));
    FAILS(GK_STATUS_INVALID_ARGUMENT, gk_store_acknowledge_restore(NULL, 1, &report, &err));
    const char *future =
        in("{\"store\":\"sqlite:///%s/auth.sqlite\",\"revoke_before\":9999999999}");
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_store_acknowledge_restore(future, strlen(future), &report, &err));
    const char *memory = "{\"store\":\"memory:\",\"to\":\"b\"}";
    FAILS(GK_STATUS_INVALID_ARGUMENT,
          gk_store_backup(memory, strlen(memory), NULL, NULL, &report, &err));
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(calls_all(argv[1], "backup.c", "gk_store_backup") == 1);
    CHECK(calls_all(argv[1], "backup.c", "gk_store_restore") == 1);
    CHECK(calls_all(argv[1], "backup.c", "gk_store_acknowledge") == 1);
    CHECK(mkdtemp(folder) != NULL);
    there_and_back();
    wrong_arguments();
    char remove[128];
    snprintf(remove, sizeof remove, "rm -r '%s'", folder);
    CHECK(system(remove) == 0);
    return passed("backup");
}
