#include "backend/figures/figures.h"

namespace gemel {

Figure::Figure(Figures* set, std::string_view name, std::string_view help, InfoPlace info,
               FigureType type)
    : set_(set), name_(name), help_(help), info_(info), type_(type) {
  set->all_.push_back(this);
}

Figure::~Figure() { std::erase(set_->all_, this); }

uint64_t Figures::Get(std::string_view name) const {
  for (const Figure* figure : all_) {
    if (figure->name() == name) return figure->value();
  }
  return 0;
}

}  // namespace gemel
