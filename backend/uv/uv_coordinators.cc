#include "backend/uv/uv_coordinators.h"

#include "backend/uv/uv_coordinator.h"

namespace gemel {

namespace {

struct CoordinatorRow {
  std::string_view name;
  std::unique_ptr<OpenedCoordinator> (*open)(const CoordinatorOptions& options, std::string* error);
};

constexpr CoordinatorRow kCoordinators[] = {
    {kFileCoordinator, OpenFileCoordinator},
};

}  // namespace

std::unique_ptr<OpenedCoordinator> OpenCoordinator(std::string_view name,
                                                   const CoordinatorOptions& options,
                                                   std::string* error) {
  std::string known;
  for (const CoordinatorRow& row : kCoordinators) {
    if (row.name == name) return row.open(options, error);
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  *error = "there is no coordinator \"" + std::string(name) + "\", only: " + known;
  return nullptr;
}

}  // namespace gemel
