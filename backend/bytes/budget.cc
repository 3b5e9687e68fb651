#include "backend/bytes/budget.h"

#include <cstdlib>

namespace gemel {

namespace {

// Enough for what is under way in a turn of every loop. It is never touched: no page of it is used.
constexpr size_t kReserve = 16 * 1024 * 1024;

}  // namespace

bool Budget::KeepReserve() {
  if (reserve_.load(std::memory_order_relaxed) != nullptr) return true;
  void* memory = std::malloc(kReserve);
  if (memory == nullptr) return false;
  void* none = nullptr;
  if (!reserve_.compare_exchange_strong(none, memory)) std::free(memory);
  spent_.store(false, std::memory_order_relaxed);
  return true;
}

bool Budget::SpendReserve() {
  void* memory = reserve_.exchange(nullptr);
  if (memory == nullptr) return false;
  spent_.store(true, std::memory_order_relaxed);
  std::free(memory);
  return true;
}

}  // namespace gemel
