// Runs the threads of one block as fibers that switch at barriers. x86-64 only.
#pragma once
#include <cstdlib>
#include <deque>
#include <functional>
#include <vector>

#include "cuda_on_cpu.h"

thread_local Place threadIdx, blockIdx, blockDim, gridDim;

extern "C" void switch_stack(void** save, void* load);
asm(".text\n.globl switch_stack\nswitch_stack:\n"
    " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp,(%rdi)\n mov %rsi,%rsp\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");

struct Copy { void* to; const void* from; };
struct Barrier { unsigned waiting = 0, round = 0; };
struct Fiber {
  void* stack = nullptr;
  bool done = false;
  const Barrier* barrier = nullptr;
  unsigned round = 0;
  std::deque<std::vector<Copy>> copies{1};
};
struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<Barrier> warp_barriers;
  Barrier barrier;
  unsigned current = 0;
  void* main = nullptr;
  std::function<void()> work;
};
static thread_local Block* block;

Warp& my_warp() { return block->warps[block->current / 32]; }
unsigned my_lane() { return block->current % 32; }

static void leave() { switch_stack(&block->fibers[block->current].stack, block->main); }

static void wait_at(Barrier& barrier, unsigned all) {
  Fiber& fiber = block->fibers[block->current];
  if (++barrier.waiting == all) {
    barrier.waiting = 0;
    ++barrier.round;
    return;
  }
  fiber.barrier = &barrier;
  fiber.round = barrier.round;
  leave();
}
void block_barrier() { wait_at(block->barrier, block->fibers.size()); }
void warp_barrier() { wait_at(block->warp_barriers[block->current / 32], 32); }

static bool late() {
  static const bool is_late = getenv("FAKECUDA_LATE_COPIES") != nullptr;
  return is_late;
}
void cpu_cp_async(void* to, const void* from) {
  if (late()) block->fibers[block->current].copies.back().push_back({to, from});
  else memcpy(to, from, 16);
}
void cpu_cp_commit() { block->fibers[block->current].copies.emplace_back(); }
void cpu_cp_wait(int still_open) {
  auto& copies = block->fibers[block->current].copies;
  while ((int)copies.size() - 1 > still_open) {
    for (auto& copy : copies.front()) memcpy(copy.to, copy.from, 16);
    copies.pop_front();
  }
}

static void start() {
  block->work();
  block->fibers[block->current].done = true;
  for (;;) leave();
}

static void run_block(unsigned threads, const std::function<void()>& work) {
  constexpr size_t STACK = 32 << 10;
  static thread_local std::vector<char*> stacks;
  while (stacks.size() < threads) stacks.push_back((char*)aligned_alloc(64, STACK));
  Block running;
  block = &running;
  running.work = work;
  running.fibers.resize(threads);
  running.warps.resize(threads / 32);
  running.warp_barriers.resize(threads / 32);
  for (unsigned i = 0; i < threads; ++i) {
    void** top = (void**)(stacks[i] + STACK - 64);
    *--top = nullptr;
    *--top = (void*)start;
    for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
    running.fibers[i].stack = top;
  }
  for (unsigned left = threads; left;) {
    left = 0;
    for (unsigned i = 0; i < threads; ++i) {
      Fiber& fiber = running.fibers[i];
      if (fiber.done) continue;
      ++left;
      if (fiber.barrier && fiber.barrier->round == fiber.round) continue;
      fiber.barrier = nullptr;
      running.current = i;
      threadIdx = {i, 0, 0};
      switch_stack(&running.main, fiber.stack);
    }
  }
  block = nullptr;
}
