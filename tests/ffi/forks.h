/* What the programs share that fork under busy threads.
 *
 * A theme is something that three threads do all the time while the main thread forks; each child
 * does it at once, and so does the parent beside it. A child must end well: one that hangs is ended
 * by its alarm, and the theme fails. What a call has done is promised in a file, where a process
 * that is killed loses nothing. When all have ended, each promise is held against two witnesses:
 * the handle that has lived through all the forks, and a process that is executed afresh. What was
 * drawn by chance must be drawn once, by whomever. */
#ifndef GATEKEY_TESTS_FORKS_H
#define GATEKEY_TESTS_FORKS_H

#include "../rounds/rounds.h"
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BUSY = 3,       /* threads */
    FEW = 20,       /* forks of a theme in `make test`; 200 in `make test-all` */
    PATIENCE = 60,  /* seconds after which someone hangs */
    ENOUGH = 3,     /* children that fail, after which a theme gives up */
    ANY_LEN = 16384 /* bytes of a promise at most */
};

typedef enum { THREAD, PARENT, CHILD } hand;

typedef struct {
    const char *name;
    gk_alg alg;                                   /* for the themes that are about algorithms */
    void (*begin)(void);                          /* opens what is used; in the witness, too */
    void (*work)(hand who);                       /* what all do at once */
    void (*judge)(const char *kind, char *value); /* holds one promise against the handles; NULL if
                                                     nothing is kept, and nothing promised */
    void (*end)(void);
} theme;

static const theme *current;
static char folder[256]; /* of this program, without a slash at its end */
static int promises = -1;
static atomic_bool stop;

/* ---- promises ---- */

/* In one write, so that lines of several processes do not mix. */
static inline void promise(const char *kind, const char *value, size_t len) {
    char line[ANY_LEN];
    const int size = snprintf(line, sizeof line, "%s %.*s\n", kind, (int)len, value);
    CHECK(size > 0 && (size_t)size < sizeof line);
    CHECK(write(promises, line, (size_t)size) == size);
}

static inline void promise_text(const char *kind, const char *value) {
    promise(kind, value, strlen(value));
}

/* A value of chance, which nobody may draw again. */
static inline void drawn(const char *value, size_t len) { promise("drawn", value, len); }

static inline void drawn_bytes(const uint8_t *bytes, size_t len) {
    char hex[129];
    for (size_t i = 0; i < len && i < 64; i++) snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    drawn(hex, 2 * (len < 64 ? len : 64));
}

/* A number that no other call of any process here has had. */
static inline unsigned long serial(void) {
    static _Atomic unsigned long calls;
    return (unsigned long)getpid() * 1000000UL + atomic_fetch_add(&calls, 1);
}

/* A name of its own for what a call makes. */
#define OWN_NAME(name, what)                                                                       \
    char name[64];                                                                                 \
    snprintf(name, sizeof name, "%s-%lu", what, serial())

/* Whether a condition comes true; the time that it takes is not what is tested. */
#define IN_THE_END(condition)                                                                      \
    do {                                                                                           \
        for (int left = PATIENCE * 200; !(condition) && left > 0; left--) usleep(5000);            \
        CHECK(condition);                                                                          \
    } while (0)

static inline int compare_lines(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Reads the promises of the theme, and holds each against the handles that are open. */
static inline size_t judge_all(const char *path) {
    static char line[ANY_LEN + 2];
    char **draws = NULL;
    size_t count = 0, room = 0, judged = 0;
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        char *value = strchr(line, ' ');
        CHECK(value != NULL && line[strlen(line) - 1] == '\n');
        line[strlen(line) - 1] = 0;
        *value++ = 0;
        if (strcmp(line, "drawn") != 0) {
            current->judge(line, value);
            judged++;
            continue;
        }
        if (count == room) draws = realloc(draws, (room = 2 * room + 64) * sizeof *draws);
        CHECK(draws != NULL);
        draws[count] = strdup(value);
        CHECK(draws[count] != NULL);
        count++;
    }
    fclose(file);
    if (count > 0) qsort(draws, count, sizeof *draws, compare_lines);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(draws[i - 1], draws[i]) != 0) continue;
        fprintf(stderr, "%s: drawn twice: %s\n", current->name, draws[i]);
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < count; i++) free(draws[i]);
    free(draws);
    return judged + count;
}

/* ---- children ---- */

static inline void hangs(int signal_number) {
    static const char SAYS[] = ": this process hangs, and is ended\n";
    (void)signal_number;
    (void)!write(STDERR_FILENO, current->name, strlen(current->name));
    (void)!write(STDERR_FILENO, SAYS, sizeof SAYS - 1);
    _exit(3);
}

/* Whether the child has ended well; says how it has not. */
static inline bool ended_well(pid_t child, const char *what) {
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    fprintf(stderr, "%s: a child %s %d\n", what,
            WIFSIGNALED(status) ? "was killed by signal" : "said",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return false;
}

/* Runs this program afresh with these words; whether it ended well. */
static inline bool executed(const char *first, const char *second, const char *third) {
    const pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "forks", first, second, third, folder, (char *)NULL);
        _exit(127);
    }
    return ended_well(child, first);
}

static inline void *keep_busy(void *none) {
    /* Of this thread alone. It is at work whenever nobody forks, and no child waits for it. */
    CHECK(setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 5) == 0);
    while (!stop) current->work(THREAD);
    return none;
}

/* Forks under busy threads, as often as `few` says; whether all was well. */
static inline bool forked(const theme *given, int few) {
    char path[512];
    pthread_t threads[BUSY];
    int failures = 0;
    const int checks_before = checks_made;
    current = given;
    snprintf(path, sizeof path, "%s/promises", folder);
    unlink(path);
    promises = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(promises >= 0);
    signal(SIGALRM, hangs);
    alarm(2 * PATIENCE);
    current->begin();
    stop = false;
    for (int i = 0; i < BUSY; i++) CHECK(pthread_create(&threads[i], NULL, keep_busy, NULL) == 0);
    const int all = rounds(few);
    int forks = 0;
    while (forks < all && failures < ENOUGH) {
        usleep((useconds_t)(forks * 397 % 2000)); /* another moment of the threads' work */
        alarm(2 * PATIENCE);
        const pid_t child = fork();
        if (child == 0) {
            alarm(PATIENCE);
            current->work(CHILD);
            _exit(EXIT_SUCCESS);
        }
        current->work(PARENT);
        failures += !ended_well(child, current->name);
        forks++;
    }
    stop = true;
    for (int i = 0; i < BUSY; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    alarm(2 * PATIENCE);
    const size_t judged = judge_all(path);
    current->end();
    if (current->judge != NULL)
        failures += !executed("witness", current->name, gk_alg_name(current->alg));
    alarm(0);
    close(promises);
    printf("  %-16s %-9s %3d forks, %7zu promises, %d failures\n", current->name,
           gk_alg_name(current->alg), forks, judged, failures);
    fflush(stdout);
    checks_made = checks_before + forks; /* not those of the threads, which are without number */
    return failures == 0;
}

/* The other witness: a process that was told of nothing but the promises. */
static inline int witness(const theme *given) {
    char path[512];
    current = given;
    snprintf(path, sizeof path, "%s/promises", folder);
    promises = open("/dev/null", O_WRONLY | O_CLOEXEC);
    signal(SIGALRM, hangs);
    alarm(PATIENCE);
    current->begin();
    judge_all(path);
    current->end();
    return EXIT_SUCCESS;
}

/* ---- what the programs do around it ---- */

static inline void make_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/gatekey-forks-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static inline void remove_folder(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    CHECK(system(command) == 0);
}

/* Whether a theme is one of those that are asked for: all, or those with this text in the name. */
static inline bool wanted(const char *name) {
    const char *only = getenv("GATEKEY_THEME");
    return only == NULL || strstr(name, only) != NULL;
}

/* Calls a program with the themes: `PROGRAM ROOT`, and for the witness `witness NAME ALG FOLDER`.
 */
static inline const theme *witnessed(int argc, char **argv, const theme *themes, size_t count) {
    if (argc != 5 || strcmp(argv[1], "witness") != 0) return NULL;
    snprintf(folder, sizeof folder, "%s", argv[4]);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(themes[i].name, argv[2]) != 0) continue;
        if (strcmp(gk_alg_name(themes[i].alg), argv[3]) == 0) return &themes[i];
    }
    fprintf(stderr, "there is no theme %s %s\n", argv[2], argv[3]);
    exit(EXIT_FAILURE);
}

#endif /* GATEKEY_TESTS_FORKS_H */
