/* Asks the kernel for what no rental gets and prints a line for each: its name and the answer. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void show(const char *name, long answer) {
    printf("%s %s\n", name, answer >= 0 ? "works" : strerrorname_np(errno));
}

int main(void) {
    char space[120] = {0};
    int pair[2];
    show("io_uring_setup", syscall(SYS_io_uring_setup, 8, space));
    show("io_uring_enter", syscall(SYS_io_uring_enter, -1, 0, 0, 0, 0, 0));
    show("io_uring_register", syscall(SYS_io_uring_register, -1, 0, 0, 0));
    show("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    show("vsock_pair", socketpair(AF_VSOCK, SOCK_STREAM, 0, pair));
#if defined(__x86_64__)
    show("x32", syscall(0x40000000 | SYS_getpid));
    long answer;
    /* getpid as a 32-bit program asks for it */
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-answer;
    show("32_bit", answer < 0 ? -1 : answer);
#endif
    show("inet", socket(AF_INET, SOCK_STREAM, 0));
    show("unix_pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    return 0;
}
