/* PID 1 of a container: runs the image's own command as a child, reaps orphans, passes SIGTERM on.
 * In a rental it also prepares what sshd needs in any image, starts it, starts it again when it
 * dies, and outlives the command. Elsewhere it ends when the command does, with its status.
 * A rental's command is sent SIGUSR1, SIGUSR2 and SIGHUP on, with which the agent tells a notice.
 * Arguments: "rental" or another kind, the command's working folder, whom it runs as in Docker's
 * words, NAME=VALUE of variables for it alone, "--", the command.
 * Static, because the image may hold no C library. Sends everything to the container's log.
 * Before anything else it gives up, for itself and all that it starts, what Docker's own filter of
 * system calls still lets through and no rental needs. */
#define _GNU_SOURCE
#include "account.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DOOR "/.access/sshd"
#define DOOR_CONFIG "/.access/sshd_config"
#define PATH_SCRIPT "/.access-keys/path.sh"
#define NOTICE_FILE "/.access-keys/notice"
#define STOP_ROUNDS 50
#define STOP_ROUND_US 100000

/* The kernel's interface to filters; musl brings no headers of the kernel.
 * Source: linux/filter.h, linux/seccomp.h, linux/audit.h of Linux 6.1, read 2026-11-21. */
struct instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};
struct program {
    unsigned short length;
    const struct instruction *instructions;
};
#define LOAD 0x20
#define EQUALS 0x15
#define AT_LEAST 0x35
#define RETURN 0x06
#define ALLOW 0x7fff0000u
#define REFUSE(error) (0x00050000u | (error))
#define FILTER_MODE 2
enum { CALL = 0, ARCHITECTURE = 4, FIRST_ARGUMENT = 16 };
#define X32_FIRST 0x40000000u
#define IO_URING_FIRST 425
#define IO_URING_LAST 427
#if defined(__x86_64__)
#define NATIVE 0xc000003eu
#elif defined(__aarch64__)
#define NATIVE 0xc00000b7u
#endif

/* io_uring has had many holes in the kernel, and VSOCK leads to whoever runs this machine as a
 * guest. 32-bit calls hide what they ask for behind a pointer, so they are not there at all. */
static void give_up_calls(void) {
    static const struct instruction instructions[] = {
        {LOAD, 0, 0, ARCHITECTURE},
        {EQUALS, 0, 8, NATIVE},             /* else: missing */
        {LOAD, 0, 0, CALL},
        {AT_LEAST, 6, 0, X32_FIRST},        /* missing */
        {AT_LEAST, 1, 0, IO_URING_LAST + 1},
        {AT_LEAST, 4, 0, IO_URING_FIRST},   /* missing */
        {EQUALS, 1, 0, SYS_socket},
        {EQUALS, 0, 4, SYS_socketpair},     /* else: allowed */
        {LOAD, 0, 0, FIRST_ARGUMENT},
        {EQUALS, 1, 2, AF_VSOCK},           /* no such family; else: allowed */
        {RETURN, 0, 0, REFUSE(ENOSYS)},     /* missing */
        {RETURN, 0, 0, REFUSE(EAFNOSUPPORT)},
        {RETURN, 0, 0, ALLOW},
    };
    struct program program = {sizeof instructions / sizeof *instructions, instructions};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, FILTER_MODE, &program)) {
        perror("seccomp");
        exit(1);
    }
}

/* Append a line unless one already starts with the same key. */
static void ensure_line(const char *path, const char *key, const char *line) {
    char read[4096];
    int present = 0, ends_line = 1;
    struct stat kind;
    /* An image may have put a pipe there: nobody would ever write to it. */
    if (stat(path, &kind) == 0 && !S_ISREG(kind.st_mode)) return;
    FILE *file = fopen(path, "r");
    if (file) {
        while (fgets(read, sizeof read, file)) {
            if (!strncmp(read, key, strlen(key))) present = 1;
            ends_line = read[strlen(read) - 1] == '\n';
        }
        fclose(file);
    }
    if (present || !(file = fopen(path, "a"))) return;
    if (!ends_line) fputc('\n', file);
    fputs(line, file);
    fclose(file);
    chmod(path, 0644);
}

static const char *root_line(void) {
    if (access("/bin/bash", X_OK) == 0) return "root:x:0:0:root:/root:/bin/bash\n";
    if (access("/bin/sh", X_OK) == 0) return "root:x:0:0:root:/root:/bin/sh\n";
    return "root:x:0:0:root:/root:/.access/sh\n";
}

static void prepare(void) {
    const char *directories[] = {"/etc", "/var", "/run", "/run/sshd", "/run/berth", "/root", "/tmp"};
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++)
        mkdir(directories[i], 0755);
    /* sshd refuses a privilege separation directory that others can write. */
    chmod("/run/sshd", 0755);
    if (chown("/run/sshd", 0, 0)) perror("chown /run/sshd");
    chmod("/tmp", 01777);
    if (symlink(NOTICE_FILE, "/run/berth/notice") && errno != EEXIST) perror("/run/berth/notice");
    ensure_line("/etc/passwd", "root:", root_line());
    ensure_line("/etc/group", "root:", "root:x:0:\n");
    /* A login shell's /etc/profile sets the distribution's PATH; what it runs last sets ours. */
    if (symlink(PATH_SCRIPT, "/etc/profile.d/zz-image-path.sh") && errno != EEXIST && errno != ENOENT)
        perror("/etc/profile.d");
}

/* Fork; the child gets a session of its own and default signals. */
static pid_t branch(void) {
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
    }
    return child;
}

static pid_t start_door(void) {
    pid_t child = branch();
    if (child != 0) return child;
    prepare();
    setenv("OPENSSL_CONF", "/dev/null", 1);
    execl(DOOR, DOOR, "-D", "-e", "-f", DOOR_CONFIG, (char *)NULL);
    perror(DOOR);
    _exit(127);
}

/* Docker has set root's home; the image's own choice stays. */
static void set_home(const char *home) {
    struct account root;
    const char *set = getenv("HOME");
    if (!set || find_account("", &root) || !strcmp(set, root.home)) setenv("HOME", home, 1);
}

/* The folder is gone into here and not by Docker: an image may name one that leads through a file
 * which the container's starter still has open, out of the container (CVE-2024-21626). */
static pid_t start_command(const char *folder, const char *user, char **variables,
                           char **arguments) {
    struct account account;
    pid_t child = branch();
    if (child != 0) return child;
    if (find_account(user, &account)) {
        fprintf(stderr, "The image names no such user: %s\n", user);
        _exit(127);
    }
    if (account.user) set_home(account.home);
    for (; strcmp(*variables, "--"); variables++) putenv(*variables);
    mkdir(folder, 0755);
    if (chdir(folder) != 0) perror(folder);
    if (become(&account)) {
        perror(user);
        _exit(127);
    }
    execvp(arguments[0], arguments);
    perror(arguments[0]);
    _exit(127);
}

static void stop_everything(void) {
    kill(-1, SIGTERM);
    for (int i = 0; i < STOP_ROUNDS; i++) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
        if (kill(-1, 0) != 0 && errno == ESRCH) return;
        usleep(STOP_ROUND_US);
    }
}

int main(int count, char **arguments) {
    give_up_calls();
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGUSR1);
    sigaddset(&awaited, SIGUSR2);
    sigaddset(&awaited, SIGHUP);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    int divider = 4;
    while (divider < count && strcmp(arguments[divider], "--")) divider++;
    if (divider >= count) return 2;
    const int has_door = !strcmp(arguments[1], "rental");
    /* Here and not only beside the door: the command, too, finds a /tmp from its first moment on. */
    if (has_door) prepare();
    pid_t door = has_door ? start_door() : 0, command = 0;
    time_t door_started = time(NULL);
    if (divider + 1 < count)
        command = start_command(arguments[2], arguments[3], arguments + 4, arguments + divider + 1);
    else if (!has_door)
        return 127;
    for (;;) {
        struct timespec second = {1, 0};
        int signal = sigtimedwait(&awaited, NULL, &second), status;
        if (signal == SIGTERM || signal == SIGINT) {
            stop_everything();
            return has_door ? 0 : 128 + signal;
        }
        const int told = signal == SIGUSR1 || signal == SIGUSR2 || signal == SIGHUP;
        if (told && has_door && command > 0) kill(command, signal);
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == door) door = -1;
            /* Its number may be another's by now. */
            if (ended == command && has_door) command = 0;
            if (ended == command && !has_door)
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
        /* At most one start a second, also when sshd cannot start at all. */
        if (has_door && door <= 0 && time(NULL) - door_started >= 1) {
            door = start_door();
            door_started = time(NULL);
        }
    }
}
