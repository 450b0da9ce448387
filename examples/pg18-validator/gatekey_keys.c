/*
 * Fetches an issuer's keys for the validator, and ends. Started by keys.c with the lock as file
 * descriptor 3:
 *
 *     gatekey_keys FILE OPTIONS CA_FILE       options as gk_remote_key_set_options_json reads them
 *
 * A program of its own, so that no backend waits for a network or has threads, and so that a log-in
 * that is cancelled does not cancel what the next one needs. By hand it shows why keys cannot be
 * fetched:
 *
 *     gatekey_keys /dev/stdout '{"issuer":"https://login.example.com"}' ''
 */
#include <gatekey.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FD 3
#define LONGEST 30 /* seconds; a request has ten */

/* Tells the next one who takes the lock how it went, unless there is no lock. */
static int ended(long long begun, int failures, const char *reason) {
    char line[560];
    int n = snprintf(line, sizeof line, "%lld %d %s\n", begun, failures, reason);
    if (failures > 0) fprintf(stderr, "gatekey_keys: %s\n", reason);
    if (n > 0 && fcntl(LOCK_FD, F_GETFD) != -1 &&
        (ftruncate(LOCK_FD, 0) != 0 || pwrite(LOCK_FD, line, (size_t)n, 0) != n))
        perror("gatekey_keys: lock");
    return failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A string of JSON; control characters were refused when the policy was read. */
static void put_text(FILE *out, const char *text) {
    for (putc('"', out); *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') putc('\\', out);
        putc(*text, out);
    }
    putc('"', out);
}

/* The set, with when it was asked for and of whom: a JWK Set may have members of its own (RFC 7517
 * section 5). */
static int put(const char *file, const char *of, const gk_buf *jwks, long long begun) {
    char name[4096];
    struct stat st;
    int fd, n = snprintf(name, sizeof name, "%s.new", file);
    if (jwks->len < 2 || jwks->data[0] != '{') return EINVAL;
    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
        fd = open(file, O_WRONLY | O_CLOEXEC), name[0] = '\0';
    else if (n > 0 && (size_t)n < sizeof name)
        fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    else
        return ENAMETOOLONG;
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) return errno;
    fprintf(out, "{\"fetched\":%lld,\"of\":", begun);
    put_text(out, of);
    putc(',', out);
    fwrite(jwks->data + 1, 1, jwks->len - 1, out);
    int failed = fflush(out) != 0 || (name[0] != '\0' && fsync(fd) != 0) ? errno : 0;
    if (fclose(out) != 0 && failed == 0) failed = errno;
    if (failed == 0 && name[0] != '\0' && rename(name, file) != 0) failed = errno;
    return failed;
}

static gk_status fetch(const char *options_json, const char *ca_file, gk_buf *jwks, gk_error *e) {
    gk_remote_key_set_options *options = gk_remote_key_set_options_new();
    gk_http_options *how = gk_http_options_new();
    gk_http *http = NULL;
    gk_remote_key_set *remote = NULL;
    gk_operation *operation = NULL;
    gk_key_set *set = NULL;
    char pem[65536];
    gk_remote_key_set_options_json(options, options_json, strlen(options_json));
    if (*ca_file != '\0') {
        FILE *in = fopen(ca_file, "r");
        size_t n = in == NULL ? 0 : fread(pem, 1, sizeof pem, in);
        if (in != NULL) fclose(in);
        gk_http_options_ca_pem(how, pem, n);
    }
    if (strstr(options_json, "\"allow_loopback_http\":true") != NULL)
        gk_http_options_allow_loopback_http(how, true);
    gk_status status = gk_http_new(how, &http, e);
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
    if (argc != 4) {
        fputs("usage: gatekey_keys FILE OPTIONS CA_FILE\n", stderr);
        return 2;
    }
    /* What the backend has open, its client's connection for one, ends with the backend. */
    for (int fd = LOCK_FD + 1, most = (int)sysconf(_SC_OPEN_MAX); fd < most && fd < 65536; fd++)
        close(fd);
    bool locked = fcntl(LOCK_FD, F_GETFD) != -1;
    pid_t child = locked ? fork() : 0;
    if (child != 0) _exit(child < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    alarm(LONGEST);

    char line[64] = "";
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long long begun = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    int failures = 1;
    if (locked && pread(LOCK_FD, line, sizeof line - 1, 0) > 0)
        sscanf(line, "%lld %d", &begun, &failures);
    gk_error e;
    gk_buf jwks = {NULL, 0};
    if (fetch(argv[2], argv[3], &jwks, &e) != GK_STATUS_OK)
        return ended(begun, failures, e.message);
    int failed = put(argv[1], argv[2], &jwks, begun);
    gk_buf_free(&jwks);
    return failed != 0 ? ended(begun, failures, strerror(failed)) : ended(begun, 0, "fetched");
}
