/*
 * Fetches an issuer's keys for the validator, and ends. Options are those that
 * gk_remote_key_set_options_json reads; keys.c adds `locked`, and gives it the lock as file
 * descriptor 3:
 *
 *     gatekey_keys FILE OPTIONS CA_FILE [locked]
 *
 * A program of its own, so that no backend waits for a network or has threads, and so that a log-in
 * that is cancelled does not cancel what the next one needs. By hand it shows why keys cannot be
 * fetched:
 *
 *     gatekey_keys /dev/stdout '{"issuer":"https://login.example.com"}' ''
 */
#include "owned.h"

#include <gatekey.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOCK_FD 3
#define LONGEST 30                /* seconds; a request has ten */
#define LARGEST_CA (1024 * 1024L) /* bytes */

static bool locked;

/* Tells the next one who takes the lock how it went, unless there is no lock. */
static int ended(long long begun, int failures, const char *reason) {
    char line[560];
    int n = snprintf(line, sizeof line, "%lld %d %s\n", begun, failures, reason);
    if (!locked) {
        if (failures > 0) fprintf(stderr, "gatekey_keys: %s\n", reason);
    } else if (n > 0) {
        if (n >= (int)sizeof line) n = (int)sizeof line - 1;
        if (pwrite(LOCK_FD, line, (size_t)n, 0) != n || ftruncate(LOCK_FD, n) != 0)
            return EXIT_FAILURE;
    }
    return failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A string of JSON of two texts; control characters were refused when the policy was read. */
static void put_text(FILE *out, const char *text, const char *more) {
    const char *parts[] = {text, " ", more};
    putc('"', out);
    for (int i = 0; i < 3; i++)
        for (const char *c = parts[i]; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\') putc('\\', out);
            putc(*c, out);
        }
    putc('"', out);
}

/* The set, with when it was asked for and of whom: a JWK Set may have members of its own (RFC 7517
 * section 5). */
static int put(const char *file, const char *of, const char *ca_file, const gk_buf *jwks,
               long long begun) {
    char name[4096];
    struct stat st;
    int fd, n = snprintf(name, sizeof name, "%s.new", file);
    if (jwks->len < 2 || jwks->data[0] != '{') return EINVAL;
    if (lstat(file, &st) == 0 && !S_ISREG(st.st_mode)) /* by hand: /dev/stdout */
        fd = open(file, O_WRONLY | O_CLOEXEC), name[0] = '\0';
    else if (n > 0 && (size_t)n < sizeof name)
        fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    else
        return ENAMETOOLONG;
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) return errno;
    fprintf(out, "{\"fetched\":%lld,\"of\":", begun);
    put_text(out, of, ca_file);
    putc(',', out);
    fwrite(jwks->data + 1, 1, jwks->len - 1, out);
    int failed = fflush(out) != 0 || (name[0] != '\0' && fsync(fd) != 0) ? errno : 0;
    if (fclose(out) != 0 && failed == 0) failed = errno;
    if (failed == 0 && name[0] != '\0' && rename(name, file) != 0) failed = errno;
    if (failed != 0 && name[0] != '\0') unlink(name);
    return failed;
}

/* Reads ca_file, which says whom to believe: as keys.c reads files. NULL, and why. */
static char *authorities(const char *file, size_t *len, char *why, size_t why_len) {
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *pem = NULL;
    const char *lack = fd < 0 || fstat(fd, &st) != 0 ? strerror(errno) : must_be_owned(&st);
    *len = 0;
    if (lack == NULL && st.st_size > LARGEST_CA)
        lack = "is larger than 1 MiB";
    else if (lack == NULL && (pem = malloc((size_t)st.st_size + 1)) == NULL)
        lack = strerror(ENOMEM);
    else if (lack == NULL) {
        ssize_t got = 0;
        while (*len < (size_t)st.st_size &&
               (got = read(fd, pem + *len, (size_t)st.st_size - *len)) > 0)
            *len += (size_t)got;
        if (*len != (size_t)st.st_size) lack = "cannot be read whole";
    }
    if (fd >= 0) close(fd);
    if (lack == NULL) return pem;
    snprintf(why, why_len, "ca_file \"%s\": %s", file, lack);
    free(pem);
    return NULL;
}

static gk_status fetch(const char *options_json, const char *pem, size_t pem_len, gk_buf *jwks,
                       gk_error *e) {
    gk_remote_key_set_options *options = gk_remote_key_set_options_new();
    gk_http_options *how = gk_http_options_new();
    gk_http *http = NULL;
    gk_remote_key_set *remote = NULL;
    gk_operation *operation = NULL;
    gk_key_set *set = NULL;
    gk_remote_key_set_options_json(options, options_json, strlen(options_json));
    if (pem != NULL) gk_http_options_ca_pem(how, pem, pem_len);
    gk_json *json = NULL;
    bool loopback = false;
    gk_status status = gk_json_parse(options_json, strlen(options_json), &json, e);
    if (status == GK_STATUS_OK &&
        gk_json_bool(gk_json_member(json, GK_TEXT("allow_loopback_http")), &loopback))
        gk_http_options_allow_loopback_http(how, loopback);
    gk_json_free(json);
    if (status == GK_STATUS_OK) status = gk_http_new(how, &http, e);
    if (status == GK_STATUS_OK) status = gk_remote_key_set_new(options, NULL, &remote, e);
    if (status == GK_STATUS_OK) status = gk_remote_key_set_refresh(remote, &operation, e);
    if (status == GK_STATUS_OK) status = gk_operation_run(operation, http, e);
    if (status == GK_STATUS_OK) status = gk_remote_key_set_keys(remote, &set, e);
    if (status == GK_STATUS_OK) status = gk_key_set_to_jwks(set, jwks, e);
    gk_key_set_free(set);
    gk_operation_free(operation);
    gk_remote_key_set_free(remote);
    gk_http_free(http);
    gk_http_options_free(how);
    gk_remote_key_set_options_free(options);
    return status;
}

int main(int argc, char **argv) {
    locked = argc == 5 && strcmp(argv[4], "locked") == 0;
    if (argc != 4 && !locked) {
        fputs("usage: gatekey_keys FILE OPTIONS CA_FILE\n", stderr);
        return 2;
    }
    if (locked) {
        /* What the backend has open, its client's connection for one, ends with the backend. */
        long most = sysconf(_SC_OPEN_MAX);
        for (int fd = LOCK_FD + 1; fd < 65536 && (most < 0 || fd < most); fd++) close(fd);
        pid_t child = fork();
        if (child != 0) _exit(child < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        /* So does the server's log: the lock has what there is to say. */
        dup2(STDOUT_FILENO, STDERR_FILENO);
    }
    alarm(LONGEST);

    char line[64] = "";
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long begun = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    int failures = 1;
    if (locked && pread(LOCK_FD, line, sizeof line - 1, 0) > 0)
        sscanf(line, "%lld %d", &begun, &failures);
    if (failures < 1) failures = 1;
    gk_error e;
    gk_buf jwks = {NULL, 0};
    char why[500], *pem = NULL;
    size_t pem_len = 0;
    if (argv[3][0] != '\0' && (pem = authorities(argv[3], &pem_len, why, sizeof why)) == NULL)
        return ended(begun, failures, why);
    gk_status status = fetch(argv[2], pem, pem_len, &jwks, &e);
    free(pem);
    if (status != GK_STATUS_OK) return ended(begun, failures, e.message);
    int failed = put(argv[1], argv[2], argv[3], &jwks, begun);
    gk_buf_free(&jwks);
    return failed != 0 ? ended(begun, failures, strerror(failed)) : ended(begun, 0, "fetched");
}
