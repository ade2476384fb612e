// Static split of a range over threads. Threads are started per call: the callers only ask for them when
// there are milliseconds of work.
#pragma once

#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace algonets {

template <class Body> void parallel_for(std::int64_t count, int threads, Body body) {
  const int n = static_cast<int>(count < threads ? count : threads);
  if (n <= 1) {
    if (count) body(0, std::int64_t(0), count);
    return;
  }
  std::vector<std::exception_ptr> errors(n);
  auto guarded = [&](int k) {
    try {
      body(k, count * k / n, count * (k + 1) / n);
    } catch (...) {
      errors[k] = std::current_exception();
    }
  };
  std::vector<std::thread> pool;
  pool.reserve(n - 1);
  for (int k = 1; k < n; ++k) pool.emplace_back(guarded, k);
  guarded(0);
  for (auto& thread : pool) thread.join();
  for (auto& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace algonets
