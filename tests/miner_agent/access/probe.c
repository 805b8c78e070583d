/* The one program in the tests' images: a service to reach, and what to reach others with. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int open_tcp(const char *port, int listens) {
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int line = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(line, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listens ? bind(line, (void *)&place, sizeof place) || listen(line, 64)
                : connect(line, (void *)&place, sizeof place))
        exit(1);
    return line;
}

static int open_unix(const char *path, int listens) {
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    strncpy(place.sun_path, path, sizeof place.sun_path - 1);
    int line = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listens ? (unlink(path), bind(line, (void *)&place, sizeof place) || listen(line, 64))
                : connect(line, (void *)&place, sizeof place))
        exit(1);
    return line;
}

/* Send back whatever comes, on a TCP port and on a socket file. */
static int serve(const char *port, const char *path) {
    struct pollfd doors[] = {{open_tcp(port, 1), POLLIN, 0}, {open_unix(path, 1), POLLIN, 0}};
    signal(SIGCHLD, SIG_IGN);
    while (poll(doors, 2, -1) > 0)
        for (int i = 0; i < 2; i++) {
            if (!(doors[i].revents & POLLIN)) continue;
            int line = accept(doors[i].fd, NULL, NULL);
            if (fork() == 0) {
                char bytes[4096];
                for (ssize_t got; (got = read(line, bytes, sizeof bytes)) > 0;)
                    if (write(line, bytes, got) != got) break;
                _exit(0);
            }
            close(line);
        }
    return 1;
}

static int call(int line) {
    char answer[64] = {0};
    if (write(line, "hello", 5) != 5 || read(line, answer, sizeof answer - 1) <= 0) return 1;
    puts(answer);
    return 0;
}

/* How many keys the forwarded agent holds. Source: draft-ietf-sshm-ssh-agent, sections 5.1, 5.5. */
static int count_keys(void) {
    const char *path = getenv("SSH_AUTH_SOCK");
    unsigned char answer[9], question[] = {0, 0, 0, 1, 11};
    if (!path) return 1;
    int line = open_unix(path, 0);
    if (write(line, question, sizeof question) != sizeof question) return 1;
    if (recv(line, answer, sizeof answer, MSG_WAITALL) != sizeof answer || answer[4] != 12) return 1;
    printf("%u keys\n", answer[8]);
    return 0;
}

static void show_size(int signal) {
    struct winsize size;
    (void)signal;
    if (ioctl(0, TIOCGWINSZ, &size) == 0) dprintf(1, "size %ux%u.\n", size.ws_row, size.ws_col);
}

/* Show the terminal's size now and whenever it is told of another one. */
static int watch_size(void) {
    signal(SIGWINCH, show_size);
    show_size(0);
    for (;;) pause();
}

int main(int count, char **words) {
    const char *word = count > 1 ? words[1] : "";
    if (!strcmp(word, "serve")) return serve(words[2], words[3]);
    if (!strcmp(word, "call-tcp")) return call(open_tcp(words[2], 0));
    if (!strcmp(word, "call-unix")) return call(open_unix(words[2], 0));
    if (!strcmp(word, "keys")) return count_keys();
    if (!strcmp(word, "size")) return watch_size();
    return 2;
}
