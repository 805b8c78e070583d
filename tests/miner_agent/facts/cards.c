/* The driver of ../gpu/nvml.c that also says how its first card is doing: busy, hot, with memory that
 * lost bits, used by processes 77 and 78. Every other card answers none of that. */
#include "../gpu/nvml.c"

enum { TOO_SMALL = 7, TIMEOUT = 10, HEAT = 0x20 };
typedef struct { unsigned gpu, memory; } rates;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process;
typedef struct { unsigned pid; unsigned long long at; unsigned sm, mem, enc, dec; } sample;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, sub; char name[32]; } pci;
typedef struct { void *device; unsigned long long type, data; unsigned gi, ci; } event;
static int waiting;

static int is_first(void *device) { return device == &cards[0].self; }

int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    for (unsigned n = 0; n < count; n++)
        if (!cards[n].lost && !strcmp(cards[n].self.uuid, uuid)) return *device = &cards[n], OK;
    return NOT_FOUND;
}
int nvmlDeviceGetUtilizationRates(void *device, rates *told) {
    *told = (rates){93, 12};
    return is_first(device) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *told) {
    (void)sensor;
    *told = 55;
    return is_first(device) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *told) {
    *told = 71000;
    return is_first(device) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetTotalEccErrors(void *device, int kind, int counter, unsigned long long *told) {
    *told = kind == 1 && counter == 1 ? 8 : 1000;
    return is_first(device) ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *told) {
    *told = is_first(device) ? HEAT | 1 : 1;
    return OK;
}
int nvmlDeviceGetPersistenceMode(void *device, int *told) { *told = is_first(device); return OK; }
int nvmlDeviceGetPciInfo_v3(void *device, pci *told) {
    memset(told, 0, sizeof *told);
    snprintf(told->name, sizeof told->name, "00000000:%02X:00.0", is_first(device) ? 0x3b : 0x5e);
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *size, process *told) {
    if (!is_first(device)) return *size = 0, OK;
    if (*size < 2) return *size = 2, TOO_SMALL;
    told[0] = (process){77, 100 << 20, 0, 0};
    told[1] = (process){78, 50 << 20, 0, 0};
    return *size = 2, OK;
}
int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *device, unsigned *size, process *told) {
    (void)device, (void)told;
    return *size = 0, OK;
}
int nvmlDeviceGetProcessUtilization(void *device, sample *told, unsigned *size,
                                    unsigned long long since) {
    (void)since;
    if (!is_first(device)) return NOT_SUPPORTED;
    if (!told) return *size = 3, TOO_SMALL;
    told[0] = (sample){77, 2, 40, 0, 0, 0};
    told[1] = (sample){77, 1, 90, 0, 0, 0};
    told[2] = (sample){78, 2, 20, 0, 0, 0};
    return OK;
}
int nvmlEventSetCreate(void **set) { *set = &waiting; return OK; }
int nvmlDeviceRegisterEvents(void *device, unsigned long long types, void *set) {
    (void)set;
    if (types == 8 && is_first(device)) waiting = 2;
    return OK;
}
int nvmlEventSetWait_v2(void *set, event *told, unsigned timeout) {
    (void)set;
    if (timeout || !waiting) return TIMEOUT;
    *told = (event){&cards[0], 8, waiting-- == 2 ? 79 : 31, 0, 0};
    return OK;
}
int nvmlEventSetFree(void *set) { (void)set; return OK; }
