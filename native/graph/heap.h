// A heap of nodes with four children a node: half as deep as a binary one, children in one cache line.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace algonets {
namespace ALGONETS_ISA {
namespace {

class Heap {
 public:
  struct Entry {
    double key;
    std::int32_t node;
  };

  explicit Heap(std::int64_t room) : entries_(room + 5, kNone) {}
  bool empty() const { return size_ == 0; }

  void clear() {
    for (std::int64_t k = 0; k < size_; ++k) entries_[k] = kNone;
    size_ = 0;
  }

  void push(double key, std::int32_t node) {
    if (size_ + 5 > std::int64_t(entries_.size())) entries_.resize(2 * entries_.size(), kNone);
    Entry* const heap = entries_.data();
    std::int64_t hole = size_++;
    while (hole > 0) {
      const std::int64_t parent = (hole - 1) >> 2;
      if (heap[parent].key <= key) break;
      heap[hole] = heap[parent];
      hole = parent;
    }
    heap[hole] = {key, node};
  }

  // What lies beyond the end is infinite, so that four children can be compared without a branch.
  Entry pop() {
    Entry* const heap = entries_.data();
    const Entry top = heap[0];
    const Entry last = heap[--size_];
    heap[size_] = kNone;
    std::int64_t hole = 0;
    while (true) {
      const std::int64_t child = 4 * hole + 1;
      if (child >= size_) break;
      const std::int64_t left = child + (heap[child + 1].key < heap[child].key);
      const std::int64_t right = child + 2 + (heap[child + 3].key < heap[child + 2].key);
      const std::int64_t least = heap[right].key < heap[left].key ? right : left;
      if (!(heap[least].key < last.key)) break;
      heap[hole] = heap[least];
      hole = least;
    }
    if (size_) heap[hole] = last;
    return top;
  }

 private:
  static constexpr Entry kNone{std::numeric_limits<double>::infinity(), -1};
  std::vector<Entry> entries_;
  std::int64_t size_ = 0;
};

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
