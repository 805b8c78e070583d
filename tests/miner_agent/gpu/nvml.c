/* A driver for tests: NVML as nvidia-ml-py calls it, of the cards that $FAKE_NVML or /etc/fake-nvml
 * lists, one a line:
 *   card UUID NAME MIB COMPUTE_MODE MIG        MIG: off, on or none (a kind without it)
 *   slice UUID NAME MIB                        of the card above; a "-" for UUID is an empty place
 *   lost                                       a card that has fallen off its bus
 * Names hold "_" for spaces. No file: the driver is not loaded, as the real library says it.
 * Codes: NVIDIA Management Library API reference, nvmlReturn_t, read 2026-11-21. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK, INVALID_ARGUMENT = 2, NOT_SUPPORTED, NOT_FOUND = 6, NO_DRIVER = 9, LOST = 15 };
typedef struct { char uuid[96], name[96]; unsigned long long mib; } part;
typedef struct { part self; int lost, mode, mig, slices; part slice[8]; } card;
typedef struct { unsigned long long total, free, used; } memory;
static card cards[64];
static unsigned count;

static void spaces(char *name) {
    for (; *name; name++) if (*name == '_') *name = ' ';
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    const char *path = getenv("FAKE_NVML");
    FILE *file = fopen(path ? path : "/etc/fake-nvml", "r");
    char line[512], word[16], mig[8];
    count = 0;
    if (!file) return NO_DRIVER;
    while (fgets(line, sizeof line, file) && sscanf(line, "%15s", word) == 1) {
        card *one = &cards[count];
        if (!strcmp(word, "slice") && count) {
            card *of = &cards[count - 1];
            part *new = &of->slice[of->slices++];
            sscanf(line, "%*s %95s %95s %llu", new->uuid, new->name, &new->mib);
            spaces(new->name);
            continue;
        }
        memset(one, 0, sizeof *one);
        one->lost = !strcmp(word, "lost");
        if (!one->lost) {
            sscanf(line, "%*s %95s %95s %llu %d %7s", one->self.uuid, one->self.name,
                   &one->self.mib, &one->mode, mig);
            one->mig = !strcmp(mig, "on") ? 1 : !strcmp(mig, "off") ? 0 : -1;
            spaces(one->self.name);
        }
        count++;
    }
    fclose(file);
    return OK;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    snprintf(text, size, "000.00.FAKE");
    return OK;
}
int nvmlDeviceGetCount_v2(unsigned *told) { *told = count; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if (index >= count) return INVALID_ARGUMENT;
    if (cards[index].lost) return LOST;
    *device = &cards[index].self;
    return OK;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
    snprintf(text, size, "%s", ((part *)device)->uuid);
    return OK;
}
int nvmlDeviceGetName(void *device, char *text, unsigned size) {
    snprintf(text, size, "%s", ((part *)device)->name);
    return OK;
}
int nvmlDeviceGetMemoryInfo(void *device, memory *told) {
    told->total = told->free = ((part *)device)->mib << 20;
    told->used = 0;
    return OK;
}
int nvmlDeviceGetComputeMode(void *device, int *mode) { *mode = ((card *)device)->mode; return OK; }
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
    int mig = ((card *)device)->mig;
    if (mig < 0) return NOT_SUPPORTED;
    *current = *pending = (unsigned)mig;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *most) {
    *most = (unsigned)((card *)device)->slices;
    return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **slice) {
    card *of = device;
    if (index >= (unsigned)of->slices) return INVALID_ARGUMENT;
    if (!strcmp(of->slice[index].uuid, "-")) return NOT_FOUND;
    *slice = &of->slice[index];
    return OK;
}
const char *nvmlErrorString(int code) { return code == LOST ? "GPU is lost" : "fake nvml error"; }
