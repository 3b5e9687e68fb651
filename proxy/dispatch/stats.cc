#include "proxy/dispatch/stats.h"

#include <algorithm>

namespace gemel {

namespace {

// The sample of that name, made if it is new.
FigureSample* Find(std::vector<FigureSample>* samples, const InfoPlace& info) {
  const auto found =
      std::find_if(samples->begin(), samples->end(),
                   [&](const FigureSample& sample) { return sample.info.name == info.name; });
  if (found != samples->end()) return &*found;
  return &samples->emplace_back(FigureSample{info});
}

}  // namespace

void AddShardFigures(const Figures& figures, std::vector<FigureSample>* sums) {
  for (const Figure* figure : figures.all()) {
    if (figure->info().section.empty()) continue;
    FigureSample* sum = Find(sums, figure->info());
    sum->help = figure->help();
    sum->type = figure->type();
    sum->value += figure->value();
  }
}

void ForEachFigure(std::span<const WorkerStats* const> workers,
                   const std::function<void(const FigureSample&)>& visit) {
  if (workers.empty()) return;
  const auto declared = workers[0]->counters();
  for (size_t i = 0; i < declared.size(); ++i) {
    FigureSample sample{declared[i].info.info, declared[i].info.help, declared[i].info.type};
    for (const WorkerStats* worker : workers) {
      const uint64_t value = worker->counters()[i].counter->Get();
      sample.value =
          declared[i].info.largest ? std::max(sample.value, value) : sample.value + value;
    }
    visit(sample);
  }
  std::vector<FigureSample> shards;
  for (const WorkerStats* worker : workers) {
    for (const FigureSample& part : worker->shards.Get()) {
      FigureSample* sum = Find(&shards, part.info);
      sum->help = part.help;
      sum->type = part.type;
      sum->value += part.value;
    }
  }
  for (FigureSample& sample : shards) {
    sample.of_shards = true;
    visit(sample);
  }
}

}  // namespace gemel
