/* A service on libmicrohttpd, in one process with threads, or in several that share the listening
 * socket (pre-fork): one that ends is started again, and SIGTERM stops all. Either as a daemon, if
 * it is to be one. */
#ifndef SERVE_H
#define SERVE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_WORKERS = 64, THREADS = 8 };

/* A path is routed as it was sent: decoded, `/orders%00x` would be `/orders`. */
static size_t as_sent(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls, (void)connection;
    return strlen(text);
}

static bool has_body(struct MHD_Connection *connection) {
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return (length != NULL && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding") != NULL;
}

static int listening(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    const socklen_t size = sizeof at;
    const int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* a proxy beside it ends TLS */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 512))
        perror("listen"), exit(1);
    return fd;
}

static void announce(int fd) {
    struct sockaddr_un at = {0};
    socklen_t size = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &size)) perror("getsockname"), exit(1);
    if (at.sun_family == AF_UNIX)
        printf("listening on %s\n", at.sun_path);
    else
        printf("listening on 127.0.0.1:%d\n", ntohs(((struct sockaddr_in *)&at)->sin_port));
    fflush(stdout);
}

static struct MHD_Daemon *daemon_at(int fd, MHD_AccessHandlerCallback handler,
                                    MHD_RequestCompletedCallback completed) {
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
                            NULL, NULL, handler, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
                            MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
                            MHD_OPTION_CONNECTION_LIMIT, 512u, MHD_OPTION_CONNECTION_TIMEOUT, 30u,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 * 1024,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, as_sent,
                            NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
}

/* Answers until SIGTERM or SIGINT, which all threads block. */
static int serve(int fd, MHD_AccessHandlerCallback handler, MHD_RequestCompletedCallback completed,
                 const sigset_t *ends) {
    int number;
    struct MHD_Daemon *daemon = daemon_at(fd, handler, completed);
    if (daemon == NULL) return 1;
    do {
        sigwait(ends, &number);
    } while (number == SIGCHLD);
    MHD_quiesce_daemon(daemon); /* else the stop shuts the socket down for the other workers, too */
    MHD_stop_daemon(daemon);
    return 0;
}

/* Goes on in a process of its own, which no terminal ends; the file has its number when this one
 * ends. stderr stays, for it is the log; so does the working directory, for paths may be relative.
 */
static void detach(const char *pid_file) {
    int status = 0;
    pid_t child = fork();
    if (child < 0) perror("fork"), exit(1);
    if (child > 0) _exit(waitpid(child, &status, 0) == child && status == 0 ? 0 : 1);
    /* The first process of a session could get a terminal again; its child cannot. */
    const pid_t own = setsid() < 0 ? -1 : fork();
    if (own < 0) perror("fork"), _exit(1);
    if (own > 0) {
        FILE *file = fopen(pid_file, "w");
        const bool told = file != NULL && fprintf(file, "%d\n", (int)own) > 0;
        if (file != NULL && fclose(file) == 0 && told) _exit(0);
        perror(pid_file), kill(own, SIGTERM), _exit(1);
    }
    const int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0) perror("/dev/null"), exit(1);
    if (nothing > 2) close(nothing);
}

/* Serves in this process, or in `workers` of them, detached if there is a file for its number. What
 * was opened before, a store among it, is shared: gatekey's objects may be used after a fork. */
static int run(int fd, int workers, const char *pid_file, MHD_AccessHandlerCallback handler,
               MHD_RequestCompletedCallback completed) {
    pid_t running[MOST_WORKERS] = {0};
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM), sigaddset(&ends, SIGINT), sigaddset(&ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    announce(fd);
    if (pid_file != NULL) detach(pid_file);
    const pid_t master = getpid();
    if (workers == 0) return serve(fd, handler, completed, &ends);
    for (int number = SIGCHLD; number == SIGCHLD;) {
        for (int i = 0; i < workers; i++) {
            if (running[i] > 0) continue;
            running[i] = fork();
            if (running[i] < 0) perror("fork"), sleep(1), raise(SIGCHLD);
            if (running[i] != 0) continue;
            prctl(PR_SET_PDEATHSIG, SIGTERM); /* a master that was killed leaves no worker */
            return getppid() == master ? serve(fd, handler, completed, &ends) : 1;
        }
        sigwait(&ends, &number);
        for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) > 0;)
            for (int i = 0; i < workers; i++)
                if (running[i] == ended) running[i] = 0;
    }
    for (int i = 0; i < workers; i++)
        if (running[i] > 0) kill(running[i], SIGTERM);
    while (wait(NULL) > 0) {
    }
    return 0;
}

#endif
