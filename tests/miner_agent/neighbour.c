/* One tenant's things, and another one's look for them.
 * "serve": offers whatever a neighbour could look for, and stays. "look": looks for all of it.
 * "reach ADDRESS:PORT ...": prints which of them answer. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define KEY 4242
/* also of a process: 15 letters at most */
#define NAME "berth-next-door"
#define WAIT_MS 1000
#define TARGETS_MOST 64

static struct sockaddr_un hidden(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, NAME, sizeof NAME);
    return address;
}

static void say(const char *name, int found) {
    printf("%s %s\n", name, found ? "found" : "hidden");
}

/* What is under these names belongs to whoever serves; "look" next door must find none of it. */
static int serve(void) {
    struct sockaddr_un address = hidden();
    int made = socket(AF_UNIX, SOCK_STREAM, 0), file;
    if (bind(made, (struct sockaddr *)&address, sizeof address) || listen(made, 1)) perror("bind");
    if (shmget(KEY, 4096, IPC_CREAT | 0666) < 0) perror("shmget");
    file = open("/dev/shm/" NAME, O_CREAT | O_WRONLY, 0666);
    if (file < 0) perror("shm");
    if (mq_open("/" NAME, O_CREAT | O_RDWR, 0666, NULL) < 0) perror("mq_open");
    prctl(PR_SET_NAME, NAME);
    printf("serving\n");
    fflush(stdout);
    pause();
    return 0;
}

static int look(void) {
    struct sockaddr_un address = hidden();
    struct dirent *entry;
    char path[300], name[64] = "";
    int seen = 0, file, made = socket(AF_UNIX, SOCK_STREAM, 0);
    DIR *processes = opendir("/proc");
    say("abstract_socket", connect(made, (struct sockaddr *)&address, sizeof address) == 0);
    say("shared_memory", shmget(KEY, 4096, 0) >= 0);
    say("shared_file", access("/dev/shm/" NAME, F_OK) == 0);
    say("message_queue", mq_open("/" NAME, O_RDWR) >= 0);
    while (processes && (entry = readdir(processes))) {
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        if ((file = open(path, O_RDONLY)) < 0) continue;
        if (read(file, name, sizeof name - 1) > 0 && !strncmp(name, NAME, strlen(NAME))) seen = 1;
        close(file);
    }
    say("process", seen);
    return 0;
}

/* All at once: where nobody answers, nobody does after WAIT_MS either. */
static int reach(int count, char **targets) {
    struct pollfd waiting[TARGETS_MOST];
    struct timespec start, now;
    int left = count;
    if (count > TARGETS_MOST) return 2;
    for (int i = 0; i < count; i++) {
        char address[64] = "";
        strncpy(address, targets[i], sizeof address - 1);
        char *port = strchr(address, ':');
        *port++ = 0;
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
        inet_aton(address, &to.sin_addr);
        waiting[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        waiting[i].events = POLLOUT;
        connect(waiting[i].fd, (struct sockaddr *)&to, sizeof to);
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    now = start;
    while (left && (now.tv_sec - start.tv_sec) * 1000 < WAIT_MS + 1000) {
        poll(waiting, count, WAIT_MS);
        for (int i = 0; i < count; i++) {
            int why = 0;
            socklen_t size = sizeof why;
            if (waiting[i].fd < 0 || !waiting[i].revents) continue;
            getsockopt(waiting[i].fd, SOL_SOCKET, SO_ERROR, &why, &size);
            printf("%s %s\n", targets[i], why ? strerror(why) : "reached");
            waiting[i].fd = -1; /* poll looks at it no more */
            left--;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    for (int i = 0; i < count; i++)
        if (waiting[i].fd >= 0) printf("%s %s\n", targets[i], strerror(ETIMEDOUT));
    return 0;
}

int main(int count, char **words) {
    if (count < 2) return 2;
    if (!strcmp(words[1], "serve")) return serve();
    if (!strcmp(words[1], "look")) return look();
    return reach(count - 2, words + 2);
}
