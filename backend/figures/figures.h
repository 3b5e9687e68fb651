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

enum class FigureType : uint8_t { kCounter, kGauge };

// Where INFO shows it, as a sum over all shards and workers; an empty section: it does not.
struct InfoPlace {
  std::string_view section = {};  // in lower case
  std::string_view name = {};
};

// What somebody has read of a figure: it may go to other threads, and outlives the figure.
struct FigureReading {
  std::string_view name;
  std::string_view help;
  FigureType type = FigureType::kCounter;
  uint64_t value = 0;
};

// One thread's. Must not outlive its set, which knows it as long as it lives.
class Figure {
 public:
  // `name` is unique in the set, in lower case with underscores. All texts are literals.
  Figure(Figures* set, std::string_view name, std::string_view help, InfoPlace info = {},
         FigureType type = FigureType::kCounter);
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
  const InfoPlace& info() const { return info_; }
  FigureType type() const { return type_; }
  FigureReading Read() const { return {name_, help_, type_, value_}; }

 private:
  Figures* set_;
  uint64_t value_ = 0;
  std::string_view name_;
  std::string_view help_;
  InfoPlace info_;
  FigureType type_;
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
