// CUDA C on a CPU, as far as the kernels of the proof use it. Each thread of a block is a fiber;
// what a warp or a block does together is a barrier. The layouts of ldmatrix and mma are written
// from the PTX ISA manual, apart from the kernels.
#pragma once
#include <cstdint>
#include <cstring>

struct uint2 { unsigned x, y; };
struct uint4 { unsigned x, y, z, w; };
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
struct Place { unsigned x, y, z; };
extern thread_local Place threadIdx, blockIdx, blockDim, gridDim;

#define __global__
#define __device__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define __align__(n) __attribute__((aligned(n)))
// Blocks run one after the other in each thread of the host.
#define __shared__ static thread_local

static inline unsigned __funnelshift_r(unsigned low, unsigned high, int bits) {
  return (unsigned)((((uint64_t)high << 32) | low) >> (bits & 31));
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, int bits) {
  return (unsigned)(((((uint64_t)high << 32) | low) << (bits & 31)) >> 32);
}
// Only the selector 0x0123 is used.
static inline unsigned __byte_perm(unsigned x, unsigned, unsigned) { return __builtin_bswap32(x); }

void block_barrier();
void warp_barrier();
#define __syncthreads() block_barrier()

// What the 32 threads of a warp show each other between two barriers.
struct Warp {
  unsigned long long value[32];
  const void* row[32];
  unsigned a[32][4], b[32][2];
};
Warp& my_warp();
unsigned my_lane();

static inline unsigned long long __shfl_xor_sync(unsigned, unsigned long long value, int other) {
  Warp& warp = my_warp();
  unsigned lane = my_lane();
  warp.value[lane] = value;
  warp_barrier();
  unsigned long long theirs = warp.value[lane ^ other];
  warp_barrier();
  return theirs;
}

// ldmatrix.x4: lane i gives the address of row i % 8 of matrix i / 8; each lane receives of every
// matrix four bytes of row lane / 4.
static inline void cpu_ldmatrix4(unsigned* r, const void* row) {
  Warp& warp = my_warp();
  unsigned lane = my_lane();
  warp.row[lane] = row;
  warp_barrier();
  for (int m = 0; m < 4; ++m)
    memcpy(&r[m], (const char*)warp.row[m * 8 + lane / 4] + 4 * (lane % 4), 4);
  warp_barrier();
}

static inline int signed_byte(unsigned word, int at) { return (int8_t)(word >> (8 * at)); }

// mma.m16n8k32.s8: entry (row, k) of A is in lane (row % 8) * 4 + k % 16 / 4, register
// (row >= 8) + 2 * (k >= 16), byte k % 4; entry (k, column) of B in lane column * 4 + k % 16 / 4,
// register k >= 16; C in rows lane / 4 and + 8, columns lane % 4 * 2 and + 1.
static inline void cpu_mma16832(int* c, const unsigned* a, unsigned b0, unsigned b1) {
  Warp& warp = my_warp();
  unsigned lane = my_lane();
  memcpy(warp.a[lane], a, 16);
  warp.b[lane][0] = b0;
  warp.b[lane][1] = b1;
  warp_barrier();
  for (int out = 0; out < 4; ++out) {
    int row = lane / 4 + (out >= 2 ? 8 : 0), column = lane % 4 * 2 + (out & 1);
    unsigned sum = c[out];
    for (int quad = 0; quad < 8; ++quad) {
      int inside = quad % 4;
      unsigned av = warp.a[row % 8 * 4 + inside][(row >= 8) + 2 * (quad >= 4)];
      unsigned bv = warp.b[column * 4 + inside][quad >= 4];
      for (int at = 0; at < 4; ++at)
        sum += (unsigned)(signed_byte(av, at) * signed_byte(bv, at));
    }
    c[out] = (int)sum;
  }
  warp_barrier();
}

static inline int cpu_dp4a(int a, int b, int c) {
  unsigned sum = c;
  for (int at = 0; at < 4; ++at) sum += (unsigned)(signed_byte(a, at) * signed_byte(b, at));
  return (int)sum;
}

// cp.async copies at once, which finds a slab overwritten too soon, or, with FAKECUDA_LATE_COPIES,
// as late as the waits allow, which finds one read before it is there.
void cpu_cp_async(void* to, const void* from);
void cpu_cp_commit();
void cpu_cp_wait(int still_open);
