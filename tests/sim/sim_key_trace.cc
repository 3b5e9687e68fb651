#include "tests/sim/sim_key_trace.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace gemel::sim {

void TraceKey(const Loop& loop, const std::string& node, const std::vector<std::string>& args,
              const std::string& reply) {
  static const char* const kKey = std::getenv("SIM_KEY");
  if (kKey == nullptr || std::find(args.begin(), args.end(), kKey) == args.end()) return;
  std::string text;
  for (const std::string& arg : args) text.append(" ").append(arg, 0, 200);
  std::printf("%9.3f ms  %s:%s -> %s\n", loop.now_us() / 1000.0, node.c_str(), text.c_str(),
              reply.substr(0, reply.find_last_of('\r')).c_str());
}

}  // namespace gemel::sim
