/* Attempts to get out of a rental, each by its own call to the kernel.
 * Prints "<attempt> worked" or "<attempt> refused: <why>" for each.
 * Nothing here would do harm if it worked: a clock is set to its own time, a reboot is a wrong one. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define STRANGER 12345

/* The kernel looked at the arguments, so it had allowed the call. */
static int past_the_guard(long result) {
    return result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS) ? 0 : -1;
}
static int opened(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC);
    if (file >= 0) close(file);
    return file < 0 ? -1 : 0;
}
static int made_socket(int family, int type, int protocol) {
    int made = socket(family, type, protocol);
    if (made >= 0) close(made);
    return made < 0 ? -1 : 0;
}
/* Run an attempt that would change this process in a child. */
static int in_child(int (*attempt)(void)) {
    int status, why[2], saved = 0;
    if (pipe(why)) return -1;
    pid_t child = fork();
    if (child == 0) {
        int result = attempt();
        saved = errno;
        if (write(why[1], &saved, sizeof saved) < 0) _exit(2);
        _exit(result ? 1 : 0);
    }
    close(why[1]);
    if (read(why[0], &saved, sizeof saved) != sizeof saved) saved = EIO;
    close(why[0]);
    waitpid(child, &status, 0);
    errno = saved;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int block_device(void) { return mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)); }
static int memory_device(void) { return mknod("/tmp/memory", S_IFCHR | 0600, makedev(1, 1)); }
static int raw_socket(void) { return made_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static int arp_socket(void) { return made_socket(AF_PACKET, SOCK_RAW, htons(0x0806)); }
static int vsock_socket(void) { return made_socket(AF_VSOCK, SOCK_STREAM, 0); }
static int mount_tmpfs(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static int mount_proc(void) { return mount("none", "/tmp", "proc", 0, NULL); }
static int mount_cgroup(void) { return mount("none", "/tmp", "cgroup", 0, "rdma"); }
static int mount_bind(void) { return mount("/proc", "/tmp", NULL, MS_BIND | MS_REC, NULL); }
static int remount_kit(void) { return mount(NULL, "/.access", NULL, MS_REMOUNT | MS_BIND, NULL); }
static int remount_sys(void) { return mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL); }
static int unmount_kit(void) { return umount2("/.access", MNT_DETACH); }
static int unmount_mask(void) { return umount2("/proc/kcore", MNT_DETACH); }
static int open_tree_clone(void) { return past_the_guard(syscall(428, -100, "/", 1)); }
static int new_mount(void) { return past_the_guard(syscall(430, "tmpfs", 0)); }
static int pivot(void) { return past_the_guard(syscall(SYS_pivot_root, "/tmp", "/tmp")); }
static int new_user(void) { return unshare(CLONE_NEWUSER); }
static int new_mounts(void) { return unshare(CLONE_NEWNS); }
static int new_network(void) { return unshare(CLONE_NEWNET); }
static int unshare_user(void) { return in_child(new_user); }
static int unshare_mounts(void) { return in_child(new_mounts); }
static int unshare_network(void) { return in_child(new_network); }
static int clone_user(void) {
    pid_t child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, NULL, 0);
    return child < 0 ? -1 : 0;
}
static int clone3_user(void) {
    uint64_t arguments[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
    pid_t child = syscall(435, arguments, sizeof arguments);
    if (child == 0) _exit(0);
    if (child > 0) waitpid(child, NULL, 0);
    return child < 0 ? -1 : 0;
}
static int join_first(void) {
    int file = open("/proc/1/ns/net", O_RDONLY);
    return file < 0 ? -1 : setns(file, 0);
}
static int setns_first(void) { return in_child(join_first); }
static int load_bpf(void) {
    uint32_t map[32] = {2, 4, 4, 1};
    return past_the_guard(syscall(SYS_bpf, 0, map, sizeof map));
}
static int watch_counters(void) {
    uint32_t event[32] = {1, sizeof event};
    return past_the_guard(syscall(SYS_perf_event_open, event, 0, -1, -1, 0));
}
static int read_keyring(void) { return syscall(SYS_keyctl, 0, -4, 1) < 0 ? -1 : 0; }
static int add_a_key(void) { return syscall(SYS_add_key, "user", "x", "y", 1, -2) < 0 ? -1 : 0; }
static int ask_for_key(void) {
    return past_the_guard(syscall(SYS_request_key, "user", "x", NULL, -2));
}
static int catch_faults(void) { return syscall(SYS_userfaultfd, O_CLOEXEC) < 0 ? -1 : 0; }
static int ring(void) {
    uint32_t parameters[30] = {0};
    return past_the_guard(syscall(425, 8, parameters));
}
static int watch_files(void) { return past_the_guard(syscall(SYS_fanotify_init, 0, 0)); }
static int file_by_handle(void) {
    struct { struct file_handle head; uint32_t number[2]; } root = {{8, 1}, {2, 0}};
    int mounted = open("/etc/hosts", O_RDONLY);
    return past_the_guard(open_by_handle_at(mounted, &root.head, O_RDONLY));
}
static int core_pattern(void) { return opened("/proc/sys/kernel/core_pattern", O_WRONLY); }
static int forwarding(void) { return opened("/proc/sys/net/ipv4/ip_forward", O_WRONLY); }
static int drop_caches(void) { return opened("/proc/sys/vm/drop_caches", O_WRONLY); }
static int modprobe_path(void) { return opened("/proc/sys/kernel/modprobe", O_WRONLY); }
static int sysrq(void) { return opened("/proc/sysrq-trigger", O_WRONLY); }
static int write_interrupts(void) { return opened("/proc/irq/default_smp_affinity", O_WRONLY); }
static int kernel_log(void) { return opened("/dev/kmsg", O_RDONLY); }
static int kernel_messages(void) { return syscall(SYS_syslog, 3, "", 0) < 0 ? -1 : 0; }
static int kernel_memory(void) {
    /* A masked file opens, and is empty. */
    char read_into[16];
    int file = open("/proc/kcore", O_RDONLY);
    return file >= 0 && read(file, read_into, 16) == 16 ? 0 : -1;
}
static int device_memory(void) { return opened("/dev/mem", O_RDONLY); }
static int tracing(void) { return opened("/sys/kernel/debug/tracing/trace", O_RDONLY); }
static int uevent_helper(void) { return opened("/sys/kernel/uevent_helper", O_WRONLY); }
static int power(void) { return opened("/sys/power/state", O_WRONLY); }
static int cgroup_limit(void) {
    if (opened("/sys/fs/cgroup/memory.max", O_WRONLY) == 0) return 0;
    return opened("/sys/fs/cgroup/memory/memory.limit_in_bytes", O_WRONLY);
}
static int cgroup_child(void) {
    if (mkdir("/sys/fs/cgroup/memory/child", 0700) == 0) return 0;
    /* Of the first version there is no such file, and the folder is mere memory of the rental. */
    if (access("/sys/fs/cgroup/cgroup.procs", F_OK)) return -1;
    return mkdir("/sys/fs/cgroup/child", 0700);
}
static int join_cgroup(void) {
    if (opened("/sys/fs/cgroup/memory/cgroup.procs", O_WRONLY) == 0) return 0;
    return opened("/sys/fs/cgroup/cgroup.procs", O_WRONLY);
}
static int release_agent(void) {
    char path[64];
    const char *groups[] = {"memory", "pids", "devices", "rdma", "cpu", "freezer"};
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "/sys/fs/cgroup/%s/release_agent", groups[i]);
        if (opened(path, O_WRONLY) == 0) return 0;
    }
    return -1;
}
static int load_module(void) { return past_the_guard(syscall(SYS_init_module, "", 0, "")); }
static int load_module_file(void) { return past_the_guard(syscall(SYS_finit_module, -1, "", 0)); }
static int unload_module(void) { return past_the_guard(syscall(SYS_delete_module, "none", 0)); }
static int other_kernel(void) { return past_the_guard(syscall(SYS_kexec_load, 0, 99, NULL, 0)); }
static int restart(void) {
    return past_the_guard(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdee, NULL));
}
static int set_clock(void) {
    struct timeval now;
    gettimeofday(&now, NULL);
    return settimeofday(&now, NULL);
}
static int set_name(void) { return past_the_guard(sethostname("rental", 6)); }
static int swap(void) { return past_the_guard(syscall(SYS_swapon, "/none", 0)); }
static int accounting(void) { return past_the_guard(syscall(SYS_acct, "/none")); }
static int ports(void) { return past_the_guard(syscall(SYS_iopl, 3)); }
static int real_time(void) {
    struct sched_param most = {.sched_priority = 99};
    return sched_setscheduler(0, SCHED_FIFO, &most);
}
static int ahead_of_others(void) { return setpriority(PRIO_PROCESS, 0, -20); }
static int more_files(void) {
    struct rlimit limit = {1 << 20, 1 << 20};
    return setrlimit(RLIMIT_NOFILE, &limit);
}
static int link_kit(void) { return link("/.access/init", "/tmp/init"); }
static int write_kit(void) { return opened("/.access/init", O_WRONLY); }
static int plant_in_kit(void) { return opened("/.access/planted", O_WRONLY | O_CREAT); }
static int replace_kit(void) { return rename("/.access/init", "/.access/other"); }
static int write_keys(void) { return opened("/.access-keys/authorized_keys", O_WRONLY); }
static int link_keys(void) { return symlink("/etc/shadow", "/.access-keys/link"); }
static int write_hosts(void) { return opened("/etc/hosts", O_WRONLY); }
static int engine_socket(void) {
    const char *paths[] = {"/var/run/docker.sock", "/run/docker.sock",
                           "/run/containerd/containerd.sock"};
    for (int i = 0; i < 3; i++)
        if (access(paths[i], F_OK) == 0) return 0;
    return -1;
}
static int disk_node(void) {
    struct dirent *entry;
    struct stat found;
    DIR *devices = opendir("/dev");
    while (devices && (entry = readdir(devices))) {
        if (fstatat(dirfd(devices), entry->d_name, &found, 0) == 0 && S_ISBLK(found.st_mode))
            return 0;
    }
    errno = ENOENT;
    return -1;
}
/* CAP_SYS_CHROOT is there, for sshd: the way out by a folder held open across a chroot. */
static int climb(void) {
    struct stat before, after;
    mkdir("/tmp/cell", 0700);
    if (stat("/", &before)) return -1;
    int held = open("/", O_RDONLY | O_DIRECTORY);
    if (chroot("/tmp/cell") || fchdir(held)) return -1;
    for (int i = 0; i < 64; i++)
        if (chdir("..")) return -1;
    if (chroot(".") || stat("/", &after)) return -1;
    errno = EPERM;
    return before.st_ino == after.st_ino && before.st_dev == after.st_dev ? -1 : 0;
}
static int chroot_climb(void) { return in_child(climb); }
/* A folder that the starter left open leads to its own root: CVE-2024-21626. */
static int left_open(void) {
    struct stat root, top;
    char path[300];
    const char *whose[] = {"/proc/1/fd", "/proc/self/fd"};
    if (stat("/", &root)) return -1;
    for (int i = 0; i < 2; i++) {
        struct dirent *entry;
        DIR *files = opendir(whose[i]);
        while (files && (entry = readdir(files))) {
            if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(files)) continue;
            snprintf(path, sizeof path, "%s/%s/../../../../../../../..", whose[i], entry->d_name);
            if (stat(path, &top) == 0 && (top.st_ino != root.st_ino || top.st_dev != root.st_dev))
                return 0;
        }
    }
    errno = ENOENT;
    return -1;
}
/* A program of root's that anybody may run as root. */
static int become_root(void) {
    if (setgid(STRANGER) || setuid(STRANGER)) return -1;
    execl("/tmp/as-root", "/tmp/as-root", "am-i-root", NULL);
    return -1;
}
static int set_user_bit(void) {
    int status;
    char block[65536];
    ssize_t size;
    int from = open(SELF, O_RDONLY), to = open("/tmp/as-root", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    while ((size = read(from, block, sizeof block)) > 0)
        if (write(to, block, size) != size) return -1;
    close(from);
    close(to);
    chmod("/tmp", 01777);
    if (chmod("/tmp/as-root", 04755)) return -1;
    pid_t child = fork();
    if (child == 0) _exit(become_root() ? 1 : 0);
    waitpid(child, &status, 0);
    errno = EPERM;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
static int any_sender(void) {
    int on = 1, made = socket(AF_INET, SOCK_DGRAM, 0);
    return setsockopt(made, IPPROTO_IP, 19 /* IP_TRANSPARENT */, &on, sizeof on);
}
static int other_sender(void) {
    int on = 1, made = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    inet_aton("203.0.113.77", &from.sin_addr);
    inet_aton("203.0.113.10", &to.sin_addr);
    to.sin_port = htons(9);
    setsockopt(made, IPPROTO_IP, 15 /* IP_FREEBIND */, &on, sizeof on);
    if (bind(made, (struct sockaddr *)&from, sizeof from)) return -1;
    return sendto(made, "x", 1, 0, (struct sockaddr *)&to, sizeof to) < 0 ? -1 : 0;
}
static int other_address(void) {
    struct ifreq wish = {.ifr_name = "eth0"};
    struct sockaddr_in *address = (struct sockaddr_in *)&wish.ifr_addr;
    address->sin_family = AF_INET;
    inet_aton("10.0.0.9", &address->sin_addr);
    return ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8916 /* SIOCSIFADDR */, &wish);
}
static int other_card(void) {
    struct ifreq wish = {.ifr_name = "eth0"};
    wish.ifr_hwaddr.sa_family = 1;
    wish.ifr_hwaddr.sa_data[0] = 2;
    return ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8924 /* SIOCSIFHWADDR */, &wish);
}
static int ipv6_address(void) {
    struct dirent *entry;
    DIR *cards = opendir("/proc/sys/net/ipv6/conf");
    int found = -1;
    while (cards && (entry = readdir(cards))) {
        char path[300];
        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", entry->d_name);
        if (entry->d_name[0] != '.' && opened(path, O_WRONLY) == 0) found = 0;
    }
    errno = EROFS;
    return found;
}

static const struct {
    const char *name;
    int (*attempt)(void);
} attempts[] = {
    {"block_device", block_device},
    {"memory_device", memory_device},
    {"raw_socket", raw_socket},
    {"arp_socket", arp_socket},
    {"vsock_socket", vsock_socket},
    {"remount_kit", remount_kit},
    {"remount_sys", remount_sys},
    {"unmount_kit", unmount_kit},
    {"unmount_mask", unmount_mask},
    {"open_tree_clone", open_tree_clone},
    {"new_mount", new_mount},
    {"unshare_user", unshare_user},
    {"unshare_mounts", unshare_mounts},
    {"unshare_network", unshare_network},
    {"clone_user", clone_user},
    {"clone3_user", clone3_user},
    {"setns_first", setns_first},
    {"load_bpf", load_bpf},
    {"watch_counters", watch_counters},
    {"read_keyring", read_keyring},
    {"add_a_key", add_a_key},
    {"ask_for_key", ask_for_key},
    {"catch_faults", catch_faults},
    {"ring", ring},
    {"watch_files", watch_files},
    {"file_by_handle", file_by_handle},
    {"core_pattern", core_pattern},
    {"forwarding", forwarding},
    {"drop_caches", drop_caches},
    {"modprobe_path", modprobe_path},
    {"sysrq", sysrq},
    {"write_interrupts", write_interrupts},
    {"kernel_log", kernel_log},
    {"kernel_messages", kernel_messages},
    {"kernel_memory", kernel_memory},
    {"device_memory", device_memory},
    {"tracing", tracing},
    {"uevent_helper", uevent_helper},
    {"power", power},
    {"cgroup_limit", cgroup_limit},
    {"cgroup_child", cgroup_child},
    {"join_cgroup", join_cgroup},
    {"release_agent", release_agent},
    {"load_module", load_module},
    {"load_module_file", load_module_file},
    {"unload_module", unload_module},
    {"other_kernel", other_kernel},
    {"restart", restart},
    {"set_clock", set_clock},
    {"set_name", set_name},
    {"swap", swap},
    {"accounting", accounting},
    {"ports", ports},
    {"real_time", real_time},
    {"ahead_of_others", ahead_of_others},
    {"more_files", more_files},
    {"link_kit", link_kit},
    {"write_kit", write_kit},
    {"plant_in_kit", plant_in_kit},
    {"replace_kit", replace_kit},
    {"write_keys", write_keys},
    {"link_keys", link_keys},
    {"write_hosts", write_hosts},
    {"engine_socket", engine_socket},
    {"disk_node", disk_node},
    {"chroot_climb", chroot_climb},
    {"left_open", left_open},
    {"set_user_bit", set_user_bit},
    {"any_sender", any_sender},
    {"other_sender", other_sender},
    {"other_address", other_address},
    {"other_card", other_card},
    {"ipv6_address", ipv6_address},
    /* Last: were they to work, the others would see another system. */
    {"mount_tmpfs", mount_tmpfs},
    {"mount_proc", mount_proc},
    {"mount_cgroup", mount_cgroup},
    {"mount_bind", mount_bind},
    {"pivot", pivot},
};

int main(int count, char **words) {
    if (count > 1 && !strcmp(words[1], "am-i-root")) return geteuid() == 0 ? 0 : 1;
    for (unsigned i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        errno = 0;
        if (attempts[i].attempt() == 0) printf("%s worked\n", attempts[i].name);
        else printf("%s refused: %s\n", attempts[i].name, strerror(errno));
        fflush(stdout);
    }
    return 0;
}
