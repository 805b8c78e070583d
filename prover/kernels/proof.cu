// The kernels of the proof-of-GPU. Integers only, so each model gives the same bits.
//
// scripts/build_kernels.py makes three PTX modules of this file and multiply.cu, each for the
// oldest GPUs that have its instructions; tests/fakecuda runs the same two on a CPU:
//   MODULE_BASE   sm_61 on: all but the matrix units
//   MODULE_MMA75  sm_75 on: multiply with mma.m8n8k16 and ldmatrix
//   MODULE_MMA80  sm_80 on: multiply with mma.m16n8k32, ldmatrix and cp.async
// What each kernel must give is written once more in validator/proof/gpu_arithmetic.py.
#ifdef ON_A_CPU
#include "cuda_on_cpu.h"
#endif

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define INLINE __device__ __forceinline__

// An avalanche of 32 bits: each bit of x moves about half of the bits of the result.
INLINE u32 avalanche(u32 x) {
  x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; x ^= x >> 16;
  return x;
}

#if defined(MODULE_BASE)

// ---- SHA-256 ------------------------------------------------------------------------------------

__device__ __constant__ u32 ROUND[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

INLINE u32 rotate_right(u32 x, int bits) { return __funnelshift_r(x, x, bits); }
INLINE u32 rotate_left(u32 x, int bits) { return __funnelshift_l(x, x, bits); }
INLINE u32 swap_bytes(u32 x) { return __byte_perm(x, 0, 0x0123); }

// One compression of the 16 words w, which are lost, into the state s.
INLINE void compress(u32 s[8], u32 w[16]) {
  u32 a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
#pragma unroll 1
  for (int i = 0; i < 64; i += 16) {
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      u32 t1 = h + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
               ((e & f) ^ (~e & g)) + ROUND[i + j] + w[j];
      u32 t2 = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
               ((a & b) ^ (a & c) ^ (b & c));
      h = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
    }
    if (i < 48) {
#pragma unroll
      for (int j = 0; j < 16; ++j) {
        u32 x = w[(j + 1) & 15], y = w[(j + 14) & 15];
        w[j] += (rotate_right(x, 7) ^ rotate_right(x, 18) ^ (x >> 3)) + w[(j + 9) & 15] +
                (rotate_right(y, 17) ^ rotate_right(y, 19) ^ (y >> 10));
      }
    }
  }
  s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h;
}

// The SHA-256 of a message of `words` words, a multiple of 16.
INLINE void hash(const u32* message, u32 words, u32* digest) {
  u32 s[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  u32 w[16];
#pragma unroll 1
  for (u32 at = 0; at <= words; at += 16) {
    if (at < words) {
#pragma unroll
      for (int j = 0; j < 16; ++j) w[j] = swap_bytes(message[at + j]);
    } else {
      w[0] = 0x80000000u;
#pragma unroll
      for (int j = 1; j < 15; ++j) w[j] = 0;
      w[15] = words * 32;
    }
    compress(s, w);
  }
#pragma unroll
  for (int j = 0; j < 8; ++j) digest[j] = swap_bytes(s[j]);
}

// `count` messages of `words` words each, one behind the other, to `count` digests.
KERNEL(128) hash_messages(const u32* __restrict__ messages, u32* __restrict__ digests, u32 words,
                          u32 count) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) hash(messages + (u64)i * words, words, digests + (u64)i * 8);
}

// The next `levels` levels of a Merkle tree, at most 9. A level of `count` digests, a power of two,
// is followed by the one above it. A block takes 2^levels neighbours up to their common ancestor.
KERNEL(256) hash_tree(u32* nodes, u32 count, u32 levels) {
  u32 width = 1u << levels;
  for (u32 level = 0; level < levels; ++level) {
    u32* above = nodes + (u64)count * 8;
    width /= 2;
    if (threadIdx.x < width) {
      u32 parent = blockIdx.x * width + threadIdx.x;
      hash(nodes + (u64)parent * 16, 16, above + (u64)parent * 8);
    }
    nodes = above;
    count /= 2;
    __syncthreads();
  }
}

// ---- memory -------------------------------------------------------------------------------------

// Line i of 128 bytes is PBKDF2-HMAC-SHA256(password = the seed, salt = i in 8 bytes, iterations).
// It is expensive on purpose: a line that is not kept cannot be had again in the time of a scan.
// A thread makes one of the line's four blocks. state[0..7] is SHA-256 after HMAC's inner pad,
// state[8..15] after the outer one.
struct HmacStates { u32 state[16]; };

KERNEL(256) fill_memory(uint4* __restrict__ memory, u64 first, u64 count, u32 iterations,
                        const HmacStates pads) {
  u64 block = first + (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (block >= first + count) return;
  u64 line = block >> 2;
  u32 w[16], sum[8], s[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) sum[i] = 0;
  w[0] = swap_bytes((u32)line);
  w[1] = swap_bytes((u32)(line >> 32));
  w[2] = (u32)(block & 3) + 1;
  w[3] = 0x80000000u;
#pragma unroll
  for (int i = 4; i < 15; ++i) w[i] = 0;
  w[15] = (64 + 12) * 8;
#pragma unroll 1
  for (u32 half = 0; half < 2 * iterations; ++half) {
    const bool outer = half & 1;
#pragma unroll
    for (int i = 0; i < 8; ++i) s[i] = outer ? pads.state[8 + i] : pads.state[i];
    compress(s, w);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (outer) sum[i] ^= s[i];
      w[i] = s[i];
    }
    w[8] = 0x80000000u;
#pragma unroll
    for (int i = 9; i < 15; ++i) w[i] = 0;
    w[15] = (64 + 32) * 8;
  }
  u32 v[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) v[i] = swap_bytes(sum[i]);
  memory[block * 2] = make_uint4(v[0], v[1], v[2], v[3]);
  memory[block * 2 + 1] = make_uint4(v[4], v[5], v[6], v[7]);
}

// A region is 256 KiB. Each of 256 threads folds 64 units of 16 bytes, 4 KiB apart, into 64 bits by
// a chain that depends on the key and is linear in nothing: no sums kept from before answer it.
KERNEL(256) scan_memory(const uint4* __restrict__ memory, uint2* __restrict__ folds,
                        const u32* __restrict__ key, u32 first_region) {
  u32 region = first_region + blockIdx.x, thread = threadIdx.x, place = region * 256u + thread;
  u32 h0 = avalanche(place ^ key[0]) ^ key[2], h1 = avalanche(place + key[1]) ^ key[3];
  const uint4* unit = memory + (u64)region * 16384u + thread;
#pragma unroll 8
  for (int i = 0; i < 64; ++i) {
    uint4 v = unit[i * 256];
    h0 = (h0 ^ v.x) * 0x9e3779b1u + h1;
    h1 = (rotate_left(h1, 13) ^ v.y) * 0x85ebca6bu + h0;
    h0 = (rotate_left(h0, 11) ^ v.z) * 0xc2b2ae35u + h1;
    h1 = (rotate_left(h1, 17) ^ v.w) * 0x27d4eb2fu + h0;
  }
  folds[(u64)blockIdx.x * 256u + thread] =
      make_uint2(avalanche(h0 ^ h1), avalanche(h1 + 0x9e3779b1u));
}

// ---- matrices -----------------------------------------------------------------------------------

// Word i of a matrix: four entries of -128..127 without any structure that a shortcut could use.
INLINE u32 matrix_word(u32 i, u32 key0, u32 key1) {
  u32 x = i + key0;
  x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x ^= key1;
  x *= 0x846ca68bu; x ^= x >> 16; x *= 0x9e3779b1u; x ^= x >> 15;
  return x;
}

KERNEL(256) make_matrix(uint4* __restrict__ matrix, u32 quads, u32 key0, u32 key1) {
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < quads; i += gridDim.x * blockDim.x) {
    matrix[i] = make_uint4(matrix_word(4 * i, key0, key1), matrix_word(4 * i + 1, key0, key1),
                           matrix_word(4 * i + 2, key0, key1), matrix_word(4 * i + 3, key0, key1));
  }
}

#endif  // MODULE_BASE
