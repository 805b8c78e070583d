/* What a tenant can fill: "KIND MOST" takes until it is refused or has so much, prints
 * "<how many> <why no more>", holds it all until its input ends, and leaves. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1 << 20)
#define EVENTS 1024
#define PROCESSES 8

static int instance(void) { return inotify_init(); }
static int terminal(void) { return open("/dev/ptmx", O_RDWR | O_NOCTTY); }
static int descriptor(void) { return open("/dev/null", O_RDONLY); }
static int channel(void) {
    int ends[2];
    return pipe(ends);
}
static int requests(void) {
    unsigned long context = 0;
    return syscall(SYS_io_setup, EVENTS, &context) < 0 ? -1 : 0;
}
static int process(void) {
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    return child;
}
static int empty_file(void) {
    static int number;
    char path[32];
    mkdir("/many", 0700);
    snprintf(path, sizeof path, "/many/%d", number++);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    if (file < 0) return -1;
    return close(file);
}
static int written(void) {
    static int file = -1;
    static char block[MIB];
    if (file < 0) file = open("/filler", O_CREAT | O_WRONLY, 0600);
    memset(block, 'x', sizeof block);
    ssize_t done = write(file, block, sizeof block);
    if (done == 0) errno = ENOSPC;
    return done > 0 ? 0 : -1;
}
/* A child takes memory until the kernel ends it. */
static int memory(void) {
    int status;
    pid_t child = fork();
    if (child == 0)
        for (;;) memset(malloc(MIB), 'x', MIB);
    waitpid(child, &status, 0);
    errno = ENOMEM;
    return WIFSIGNALED(status) ? -1 : 0;
}

static const struct {
    const char *name;
    int (*take)(void);
    /* taken by many processes, as one may open so many files only */
    int by_many;
} kinds[] = {
    {"instances", instance, 1}, {"terminals", terminal, 1}, {"descriptors", descriptor, 1},
    {"channels", channel, 1},   {"requests", requests, 0},  {"processes", process, 0},
    {"files", empty_file, 0},   {"disk", written, 0},       {"memory", memory, 0},
};

static long fill(int (*take)(void), long most) {
    long count = 0;
    errno = 0;
    while (count < most && take() >= 0) count++;
    return count;
}

/* Each child fills what one process may hold and passes on what stopped it. */
static long fill_by_many(int (*take)(void), long most) {
    long total = 0, said[2];
    for (int i = 0; i < PROCESSES; i++) {
        int ends[2];
        if (pipe(ends)) return total;
        pid_t child = fork();
        if (child < 0) return total;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            said[0] = fill(take, most / PROCESSES);
            said[1] = errno;
            if (write(ends[1], said, sizeof said) < 0) _exit(1);
            for (;;) pause();
        }
        close(ends[1]);
        if (read(ends[0], said, sizeof said) != sizeof said) return total;
        close(ends[0]);
        total += said[0];
        errno = said[1];
    }
    return total;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    long most = atol(words[2]);
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, words[1])) continue;
        int many = kinds[i].by_many && most > 1;
        long taken = many ? fill_by_many(kinds[i].take, most) : fill(kinds[i].take, most);
        printf("%ld %s\n", taken, strerror(errno));
        fflush(stdout);
        while (getchar() != EOF) {}
        return 0;
    }
    return 2;
}
