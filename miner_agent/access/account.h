/* Whom Docker's USER names, as the image's own /etc/passwd and /etc/group say it. */
#ifndef BERTH_ACCOUNT_H
#define BERTH_ACCOUNT_H
#include <sys/types.h>

#define GROUPS_MOST 64

struct account {
    uid_t user;
    gid_t groups[GROUPS_MOST]; /* the first one is the main one */
    int groups_count;
    char home[256];
};

/* Find "name", "name:group", "1000" or "1000:1000"; an empty wish is root. Says no with -1. */
int find_account(const char *wish, struct account *found);

/* Give up every right that the account does not have. Says no with -1. */
int become(const struct account *account);

#endif
