/* Reads /etc/passwd and /etc/group itself: a static C library may not be able to. The rules are
 * Docker's own. Source: github.com/moby/sys/user, GetExecUser, read 2026-11-21. */
#define _GNU_SOURCE
#include "account.h"
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 65536
#define FIELDS 7

/* Read the next line and cut it at its colons; 0 at the end of the file. */
static int next_entry(FILE *file, char *line, char *fields[FIELDS]) {
    if (!file || !fgets(line, LINE, file)) return 0;
    line[strcspn(line, "\n")] = 0;
    char *rest = line;
    for (int i = 0; i < FIELDS; i++) {
        char *field = strsep(&rest, ":");
        fields[i] = field ? field : "";
    }
    return 1;
}

/* The number that the text is, -1 where it is none. */
static long number_of(const char *text) {
    char *end;
    long number = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && number < 0x7fffffff ? number : -1;
}

static int is_listed(char *members, const char *name) {
    for (char *member; (member = strsep(&members, ","));)
        if (!strcmp(member, name)) return 1;
    return 0;
}

static int find_group(const char *wish, struct account *found) {
    char line[LINE], *fields[FIELDS];
    long number = number_of(wish);
    FILE *file = fopen("/etc/group", "r");
    while (next_entry(file, line, fields))
        if (!strcmp(fields[0], wish)) number = number_of(fields[2]);
    if (file) fclose(file);
    found->groups[0] = number;
    return number < 0 ? -1 : 0;
}

static void find_memberships(const char *name, struct account *found) {
    char line[LINE], *fields[FIELDS];
    FILE *file = fopen("/etc/group", "r");
    while (found->groups_count < GROUPS_MOST && next_entry(file, line, fields)) {
        long number = number_of(fields[2]);
        if (number >= 0 && number != found->groups[0] && is_listed(fields[3], name))
            found->groups[found->groups_count++] = number;
    }
    if (file) fclose(file);
}

int find_account(const char *wish, struct account *found) {
    char line[LINE], *fields[FIELDS], name[256], listed[256] = "";
    const char *group = strchr(wish, ':');
    snprintf(name, sizeof name, "%.*s", (int)(group ? group - wish : (long)strlen(wish)), wish);
    if (!*name) strcpy(name, "0");
    long number = number_of(name);
    int known = 0;
    *found = (struct account){.groups_count = 1, .home = "/"};
    FILE *file = fopen("/etc/passwd", "r");
    while (!known && next_entry(file, line, fields)) {
        known = !strcmp(fields[0], name) || (number >= 0 && number_of(fields[2]) == number);
        if (!known) continue;
        number = number_of(fields[2]);
        found->groups[0] = number_of(fields[3]);
        snprintf(listed, sizeof listed, "%s", fields[0]);
        if (*fields[5]) snprintf(found->home, sizeof found->home, "%s", fields[5]);
    }
    if (file) fclose(file);
    if (number < 0) return -1;
    found->user = number;
    if (group && group[1]) return find_group(group + 1, found);
    if (known) find_memberships(listed, found);
    return 0;
}

int become(const struct account *account) {
    if (setgroups(account->groups_count, account->groups)) return -1;
    if (setgid(account->groups[0]) || setuid(account->user)) return -1;
    return 0;
}
