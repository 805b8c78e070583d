// A libcuda.so.1 without a GPU: it runs the kernels' own source on the CPU, so that prover, loader,
// protocol and validator are tried end to end where there is no card and no driver.
//
// What it has is told by the environment: FAKECUDA_DEVICES, FAKECUDA_MEMORY_MB, FAKECUDA_CAPABILITY
// (80 for 8.0), FAKECUDA_NAME, FAKECUDA_FIRST_UUID (a byte), FAKECUDA_CARD (a file of 512 zeros:
// processes that name the same one share one card's memory), FAKECUDA_BROKEN (a device whose
// launches fail), FAKECUDA_LATE_COPIES.
#define MODULE_BASE
#define MODULE_MMA75
#include "../../prover/kernels/proof.cu"
#include "../../prover/kernels/multiply.cu"

extern "C" void multiply80(const u8*, const u8*, u64*, u32, u32, u32, u32, u32);

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>

#include "fibers.h"

enum { DONE = 0, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, BAD_PTX = 218, NOT_FOUND = 500,
       LAUNCH_FAILED = 719, DEVICES_MOST = 64 };

static long setting(const char* name, long otherwise) {
  const char* value = getenv(name);
  return value ? atol(value) : otherwise;
}
static size_t memory_bytes() { return (size_t)setting("FAKECUDA_MEMORY_MB", 8) << 20; }

// Bytes in use by device; in a file where processes share a card.
static std::atomic<size_t>* used() {
  static std::atomic<size_t>* counters = [] {
    const char* path = getenv("FAKECUDA_CARD");
    size_t size = DEVICES_MOST * sizeof(std::atomic<size_t>);
    int file = path ? open(path, O_RDWR) : -1;
    int flags = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    return (std::atomic<size_t>*)mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, file, 0);
  }();
  return counters;
}

struct Kernel { std::string name; bool is_80; };
static std::mutex lock;
static std::map<void*, std::pair<int, size_t>> held;
static thread_local int device = 0;

extern "C" {

int cuInit(unsigned) { return setting("FAKECUDA_DEVICES", 1) ? DONE : NO_DEVICE; }
int cuDriverGetVersion(int* version) { return *version = 12040, DONE; }
int cuDeviceGetCount(int* count) { return *count = setting("FAKECUDA_DEVICES", 1), DONE; }
int cuDeviceGet(int* found, int index) { return *found = index, DONE; }
int cuDeviceGetName(char* text, int size, int) {
  const char* name = getenv("FAKECUDA_NAME");
  return snprintf(text, size, "%s", name ? name : "NVIDIA Fake GPU"), DONE;
}
int cuDeviceGetUuid_v2(char* uuid, int index) {
  return memset(uuid, (int)setting("FAKECUDA_FIRST_UUID", 0x11) + index, 16), DONE;
}
int cuDeviceGetPCIBusId(char* text, int size, int index) {
  return snprintf(text, size, "0000:%02x:00.0", index + 1), DONE;
}
int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = memory_bytes(), DONE; }
int cuDeviceGetAttribute(int* value, int which, int) {
  long capability = setting("FAKECUDA_CAPABILITY", 80);
  *value = which == 75 ? capability / 10 : which == 76 ? capability % 10 : which == 16 ? 4 : 1;
  return DONE;
}

int cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return DONE; }
int cuDevicePrimaryCtxRetain(void** context, int index) {
  return *context = (void*)(intptr_t)(index + 1), DONE;
}
int cuCtxSetCurrent(void* context) { return device = (int)(intptr_t)context - 1, DONE; }
int cuCtxSynchronize() { return DONE; }

int cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  return *total = memory_bytes(), *free_bytes = *total - used()[device], DONE;
}
int cuMemAlloc_v2(void** address, size_t size) {
  if ((used()[device] += size) > memory_bytes()) {
    used()[device] -= size;
    return OUT_OF_MEMORY;
  }
  std::lock_guard<std::mutex> guard(lock);
  *address = aligned_alloc(256, (size + 255) / 256 * 256);
  // Nobody may count on zeros.
  memset(*address, 0xcd, size);
  held[*address] = {device, size};
  return DONE;
}
int cuMemFree_v2(void* address) {
  std::lock_guard<std::mutex> guard(lock);
  auto found = held.find(address);
  if (found == held.end()) return INVALID;
  used()[found->second.first] -= found->second.second;
  free(address);
  held.erase(found);
  return DONE;
}
int cuMemsetD8_v2(void* at, unsigned char value, size_t size) {
  return memset(at, value, size), DONE;
}
int cuMemcpyHtoD_v2(void* to, const void* from, size_t size) {
  return memcpy(to, from, size), DONE;
}
int cuMemcpyDtoH_v2(void* to, const void* from, size_t size) {
  return memcpy(to, from, size), DONE;
}
int cuMemcpyDtoD_v2(void* to, const void* from, size_t size) {
  return memmove(to, from, size), DONE;
}

int cuModuleLoadDataEx(void** module, const void* ptx, unsigned, void*, void*) {
  if (strncmp((const char*)ptx, ".version", 8)) return BAD_PTX;
  return *module = strdup((const char*)ptx), DONE;
}
int cuModuleGetFunction(void** function, void* module, const char* name) {
  std::string entry = std::string(".entry ") + name + "(";
  const char* ptx = (const char*)module;
  if (!strstr(ptx, entry.c_str())) return NOT_FOUND;
  *function = new Kernel{name, strstr(ptx, ".target sm_80") != nullptr};
  return DONE;
}

int cuLaunchKernel(void* function, unsigned blocks, unsigned, unsigned, unsigned threads, unsigned,
                   unsigned, unsigned, void*, void** given, void**) {
  if (device == setting("FAKECUDA_BROKEN", -1)) return LAUNCH_FAILED;
  const Kernel& kernel = *(Kernel*)function;
  gridDim = {blocks, 1, 1};
  blockDim = {threads, 1, 1};
#define GIVEN(type, number) (*(type*)given[number])
  auto apart = [&](auto work) {
    for (unsigned b = 0; b < blocks; ++b)
      for (unsigned t = 0; t < threads; ++t) {
        blockIdx = {b, 0, 0};
        threadIdx = {t, 0, 0};
        work();
      }
  };
  auto together = [&](auto work) {
    for (unsigned b = 0; b < blocks; ++b) {
      blockIdx = {b, 0, 0};
      run_block(threads, work);
    }
  };
#define MATRICES \
  GIVEN(u8*, 0), GIVEN(u8*, 1), GIVEN(u64*, 2), GIVEN(u32, 3), GIVEN(u32, 4), GIVEN(u32, 5), \
      GIVEN(u32, 6), GIVEN(u32, 7)
  if (kernel.name == "fill_memory")
    apart([&] { fill_memory(GIVEN(uint4*, 0), GIVEN(u64, 1), GIVEN(u64, 2), GIVEN(u32, 3),
                            GIVEN(HmacStates, 4)); });
  else if (kernel.name == "hash_messages")
    apart([&] { hash_messages(GIVEN(u32*, 0), GIVEN(u32*, 1), GIVEN(u32, 2), GIVEN(u32, 3)); });
  else if (kernel.name == "scan_memory")
    apart([&] { scan_memory(GIVEN(uint4*, 0), GIVEN(uint2*, 1), GIVEN(u32*, 2), GIVEN(u32, 3)); });
  else if (kernel.name == "make_matrix")
    apart([&] { make_matrix(GIVEN(uint4*, 0), GIVEN(u32, 1), GIVEN(u32, 2), GIVEN(u32, 3)); });
  else if (kernel.name == "hash_tree")
    together([&] { hash_tree(GIVEN(u32*, 0), GIVEN(u32, 1), GIVEN(u32, 2)); });
  else if (kernel.name == "multiply_dp4a")
    together([&] { multiply_dp4a(MATRICES); });
  else if (kernel.name == "multiply" && kernel.is_80)
    together([&] { multiply80(MATRICES); });
  else if (kernel.name == "multiply")
    together([&] { multiply(MATRICES); });
  else
    return NOT_FOUND;
  return DONE;
}
}
