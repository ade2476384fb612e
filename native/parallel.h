// Static split of a range over threads. Threads are started per call: the callers only ask for them when
// there are milliseconds of work.
#pragma once

#include <cstdint>
#include <exception>
#include <system_error>
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
  int started = 1;
  try {
    for (; started < n; ++started) pool.emplace_back(guarded, started);
  } catch (const std::system_error&) {  // no more threads to be had: do their share here
  }
  guarded(0);
  for (int k = started; k < n; ++k) guarded(k);
  for (auto& thread : pool) thread.join();
  for (auto& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace algonets
