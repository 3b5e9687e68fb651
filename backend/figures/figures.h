// Figures that an operator sees (INFO, PROXY SHARDS): each is declared once, as a member of whoever
// counts it, with its name and what it means. What lists them asks the set that they belong to.
//
//   Figure reads_{figures, "reads", "Reads that were sent to a copy"};   // and then: ++reads_;

#ifndef GEMEL_BACKEND_FIGURES_FIGURES_H_
#define GEMEL_BACKEND_FIGURES_FIGURES_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace gemel {

class Figures;

// One thread's. Must not outlive its set, which knows it as long as it lives.
class Figure {
 public:
  enum class Type : uint8_t { kCounter, kGauge };

  // `name` is unique in the set, in lower case with underscores. Both texts are literals.
  Figure(Figures* set, std::string_view name, std::string_view help, Type type = Type::kCounter);
  Figure(const Figure&) = delete;
  Figure& operator=(const Figure&) = delete;
  ~Figure();

  Figure& operator++() {
    ++value_;
    return *this;
  }
  Figure& operator+=(uint64_t count) {
    value_ += count;
    return *this;
  }
  void Set(uint64_t value) { value_ = value; }
  uint64_t value() const { return value_; }
  std::string_view name() const { return name_; }
  std::string_view help() const { return help_; }
  Type type() const { return type_; }

 private:
  Figures* set_;
  uint64_t value_ = 0;
  std::string_view name_;
  std::string_view help_;
  Type type_;
};

// The figures of one thing (a shard), in the order in which they were declared.
class Figures {
 public:
  Figures() = default;
  Figures(const Figures&) = delete;
  Figures& operator=(const Figures&) = delete;

  std::span<const Figure* const> all() const { return all_; }
  // 0 for a name that nobody declared.
  uint64_t Get(std::string_view name) const;

 private:
  friend class Figure;
  std::vector<const Figure*> all_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FIGURES_FIGURES_H_
