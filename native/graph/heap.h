// A heap of nodes with four children a node: half as deep as a binary one, children in one cache line.
#pragma once

#include <cstdint>
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

  explicit Heap(std::int64_t room) : entries_(room + 1) {}
  void clear() { size_ = 0; }
  bool empty() const { return size_ == 0; }

  void push(double key, std::int32_t node) {
    if (size_ == std::int64_t(entries_.size())) entries_.resize(2 * entries_.size());
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

  Entry pop() {
    Entry* const heap = entries_.data();
    const Entry top = heap[0];
    const Entry last = heap[--size_];
    std::int64_t hole = 0;
    while (true) {
      const std::int64_t child = 4 * hole + 1;
      if (child >= size_) break;
      const std::int64_t end = child + 4 < size_ ? child + 4 : size_;
      std::int64_t least = child;
      for (std::int64_t k = child + 1; k < end; ++k)
        if (heap[k].key < heap[least].key) least = k;
      if (!(heap[least].key < last.key)) break;
      heap[hole] = heap[least];
      hole = least;
    }
    heap[hole] = last;
    return top;
  }

 private:
  std::vector<Entry> entries_;
  std::int64_t size_ = 0;
};

}  // namespace
}  // namespace ALGONETS_ISA
}  // namespace algonets
