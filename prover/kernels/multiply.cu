// ---- multiplication, follows proof.cu -----------------------------------------------------------

// C = A B^T modulo 2^32; A has rows of K bytes and so has B. C is never stored: each patch of 16
// x 16 entries is folded to 64 bits. A block of 128 x 128 entries writes 64 folds, 512 bytes.
//
// An entry goes through a function of its value, place and key that is not linear. A linear fold
// would be fatal: with weights known, sum(C r) = A (B r) takes n^2 steps instead of n^3. Their sum
// has no order, so any kernel gives the same bits.
INLINE u64 fold_entry(u32 entry, u32 place, u32 key0, u32 key1) {
  u32 u = avalanche(entry ^ (place * 0x9e3779b1u + key0));
  return (u64)u * (u64)((u ^ key1) | 1u);
}

// Which block of C this is. Groups of 16 block rows keep what is worked on in the L2 cache.
INLINE void block_place(u32 rows, u32 columns, u32& row, u32& column) {
  u32 group = 16 * columns, first = blockIdx.x / group * 16, at = blockIdx.x % group;
  u32 height = rows - first < 16 ? rows - first : 16;
  row = first + at % height;
  column = at / height;
}

#if defined(MODULE_BASE)

#if defined(ON_A_CPU)
#define DP4A(a, b, c) cpu_dp4a(a, b, c)
#else
INLINE int DP4A(int a, int b, int c) {
  int sum;
  asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
  return sum;
}
#endif

// For GPUs without int8 matrix units. A thread has 8 x 8 entries, a quarter of a patch.
KERNEL(256) multiply_dp4a(const u8* __restrict__ A, const u8* __restrict__ B,
                          u64* __restrict__ folds, u32 K, u32 rows, u32 columns, u32 key0,
                          u32 key1) {
  __shared__ int slab_a[8][128], slab_b[8][128];
  const int thread = threadIdx.x, x = thread & 15, y = thread >> 4;
  u32 row, column;
  block_place(rows, columns, row, column);
  const int* words_a = (const int*)(A + (u64)row * 128 * K);
  const int* words_b = (const int*)(B + (u64)column * 128 * K);
  const u32 words = K / 4;
  int sums[8][8];
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) sums[i][j] = 0;
#pragma unroll 1
  for (u32 k = 0; k < words; k += 8) {
    __syncthreads();
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      int e = thread + part * 256, r = e >> 3, c = e & 7;
      slab_a[c][r] = words_a[(u64)r * words + k + c];
      slab_b[c][r] = words_b[(u64)r * words + k + c];
    }
    __syncthreads();
#pragma unroll 1
    for (int c = 0; c < 8; ++c) {
      int a[8], b[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) { a[i] = slab_a[c][y * 8 + i]; b[i] = slab_b[c][x * 8 + i]; }
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) sums[i][j] = DP4A(a[i], b[j], sums[i][j]);
    }
  }
  const u32 width = columns * 128;
  u64 fold = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      u32 place = (row * 128 + y * 8 + i) * width + column * 128 + x * 8 + j;
      fold += fold_entry(sums[i][j], place, key0, key1);
    }
  fold += __shfl_xor_sync(0xffffffffu, fold, 1);
  fold += __shfl_xor_sync(0xffffffffu, fold, 16);
  if (!(x & 1) && !(y & 1))
    folds[(u64)(row * columns + column) * 64 + (y >> 1) * 8 + (x >> 1)] = fold;
}

#endif  // MODULE_BASE

#if defined(MODULE_MMA75) || defined(MODULE_MMA80)

#if defined(ON_A_CPU)
#define LOAD_FRAGMENTS(r, p) cpu_ldmatrix4(r, p)
#define MULTIPLY_TILE(c, a, b0, b1) cpu_mma16832(c, a, b0, b1)
#define COPY_SOON(to, from) cpu_cp_async(to, from)
#define COPIES_BEGUN cpu_cp_commit()
#define COPIES_DONE_BUT_ONE cpu_cp_wait(1)
#else
INLINE u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }
#define LOAD_FRAGMENTS(r, p)                                                                   \
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"                 \
               : "=r"((r)[0]), "=r"((r)[1]), "=r"((r)[2]), "=r"((r)[3])                        \
               : "r"(shared_address(p)))
#if defined(MODULE_MMA80)
#define MULTIPLY_TILE(c, a, b0, b1)                                                            \
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "                              \
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                         \
               : "+r"((c)[0]), "+r"((c)[1]), "+r"((c)[2]), "+r"((c)[3])                        \
               : "r"((a)[0]), "r"((a)[1]), "r"((a)[2]), "r"((a)[3]), "r"(b0), "r"(b1))
#define COPY_SOON(to, from)                                                                    \
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from))
#define COPIES_BEGUN asm volatile("cp.async.commit_group;" ::: "memory")
#define COPIES_DONE_BUT_ONE asm volatile("cp.async.wait_group 1;" ::: "memory")
#else
#define MULTIPLY_QUARTER(c0, c1, a, b)                                                         \
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"  \
               : "+r"(c0), "+r"(c1) : "r"(a), "r"(b))
#define MULTIPLY_TILE(c, a, b0, b1)                  \
  {                                                  \
    MULTIPLY_QUARTER((c)[0], (c)[1], (a)[0], b0);    \
    MULTIPLY_QUARTER((c)[2], (c)[3], (a)[1], b0);    \
    MULTIPLY_QUARTER((c)[0], (c)[1], (a)[2], b1);    \
    MULTIPLY_QUARTER((c)[2], (c)[3], (a)[3], b1);    \
  }
#endif
#endif

// Where 16 bytes of a slab of 64 bytes a row lie: swizzled, so that no two threads meet in a bank.
#define SLAB_AT(row, chunk) ((row) * 64 + (((chunk) ^ (((row) >> 1) & 3)) * 16))

// One slab of 64 bytes of K: 8 warps as 2 x 4, each 64 x 32 entries.
INLINE void multiply_slab(const u8* a_slab, const u8* b_slab, int (*sums)[4][4], int lane, int y,
                          int x) {
#pragma unroll
  for (int part = 0; part < 2; ++part) {
    u32 a[4][4], b[2][4];
    const int matrix = lane >> 3, r = lane & 7;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      int row = y * 64 + i * 16 + (matrix & 1) * 8 + r;
      LOAD_FRAGMENTS(a[i], a_slab + SLAB_AT(row, part * 2 + (matrix >> 1)));
    }
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      int row = x * 32 + j * 16 + (matrix >> 1) * 8 + r;
      LOAD_FRAGMENTS(b[j], b_slab + SLAB_AT(row, part * 2 + (matrix & 1)));
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j)
        MULTIPLY_TILE(sums[i][j], a[i], b[j >> 1][(j & 1) * 2], b[j >> 1][(j & 1) * 2 + 1]);
  }
}

#if defined(MODULE_MMA80)
#define STAGES 3
#else
#define STAGES 2
#endif

extern "C" __global__ void __launch_bounds__(256, 2)
multiply(const u8* __restrict__ A, const u8* __restrict__ B, u64* __restrict__ folds, u32 K,
         u32 rows, u32 columns, u32 key0, u32 key1) {
  __shared__ __align__(128) u8 slabs[STAGES][2][128 * 64];
  const int thread = threadIdx.x, lane = thread & 31, warp = thread >> 5;
  const int y = warp >> 2, x = warp & 3;
  u32 row, column;
  block_place(rows, columns, row, column);
  int sums[4][4][4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int k = 0; k < 4; ++k) sums[i][j][k] = 0;
  // A thread moves 16 bytes of rows r and r + 64 of A and of B for each slab.
  const int r = thread >> 2, chunk = thread & 3, count = K / 64;
  const u8* from_a = A + ((u64)row * 128 + r) * K + chunk * 16;
  const u8* from_b = B + ((u64)column * 128 + r) * K + chunk * 16;
  const u64 half = (u64)64 * K;
  const int to0 = SLAB_AT(r, chunk), to1 = SLAB_AT(r + 64, chunk);
#if defined(MODULE_MMA80)
#define LOAD_SLAB(stage, number)                                                   \
  {                                                                                \
    const u64 at = (u64)(number) * 64;                                             \
    COPY_SOON(&slabs[stage][0][to0], from_a + at);                                 \
    COPY_SOON(&slabs[stage][0][to1], from_a + half + at);                          \
    COPY_SOON(&slabs[stage][1][to0], from_b + at);                                 \
    COPY_SOON(&slabs[stage][1][to1], from_b + half + at);                          \
  }
  LOAD_SLAB(0, 0);
  COPIES_BEGUN;
  if (count > 1) LOAD_SLAB(1, 1);
  COPIES_BEGUN;
  int stage = 0, next = 2;
#pragma unroll 1
  for (int number = 0; number < count; ++number) {
    COPIES_DONE_BUT_ONE;
    __syncthreads();
    if (number + 2 < count) LOAD_SLAB(next, number + 2);
    COPIES_BEGUN;
    multiply_slab(slabs[stage][0], slabs[stage][1], sums, lane, y, x);
    stage = stage == 2 ? 0 : stage + 1;
    next = next == 2 ? 0 : next + 1;
  }
#else
  uint4 a0 = *(const uint4*)from_a, a1 = *(const uint4*)(from_a + half);
  uint4 b0 = *(const uint4*)from_b, b1 = *(const uint4*)(from_b + half);
#pragma unroll 1
  for (int number = 0; number < count; ++number) {
    u8(*slab)[128 * 64] = slabs[number & 1];
    *(uint4*)&slab[0][to0] = a0; *(uint4*)&slab[0][to1] = a1;
    *(uint4*)&slab[1][to0] = b0; *(uint4*)&slab[1][to1] = b1;
    __syncthreads();
    if (number + 1 < count) {
      const u64 at = (u64)(number + 1) * 64;
      a0 = *(const uint4*)(from_a + at); a1 = *(const uint4*)(from_a + half + at);
      b0 = *(const uint4*)(from_b + at); b1 = *(const uint4*)(from_b + half + at);
    }
    multiply_slab(slab[0], slab[1], sums, lane, y, x);
  }
#endif
  const u32 width = columns * 128, group = lane >> 2, pair = lane & 3;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int patch = 0; patch < 2; ++patch) {
      u64 fold = 0;
#pragma unroll
      for (int q = 0; q < 2; ++q) {
        const int j = patch * 2 + q;
        const u32 at_row = row * 128 + y * 64 + i * 16 + group;
        const u32 at_column = column * 128 + x * 32 + j * 8 + pair * 2;
        const u32 place = at_row * width + at_column;
        fold += fold_entry(sums[i][j][0], place, key0, key1);
        fold += fold_entry(sums[i][j][1], place + 1, key0, key1);
        fold += fold_entry(sums[i][j][2], place + 8 * width, key0, key1);
        fold += fold_entry(sums[i][j][3], place + 8 * width + 1, key0, key1);
      }
#pragma unroll
      for (int other = 16; other; other >>= 1)
        fold += __shfl_xor_sync(0xffffffffu, fold, other);
      if (lane == 0)
        folds[(u64)(row * columns + column) * 64 + (y * 4 + i) * 8 + x * 2 + patch] = fold;
    }
}

#endif  // MODULE_MMA75 or MODULE_MMA80
