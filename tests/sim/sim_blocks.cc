#include "tests/sim/sim_blocks.h"

#include "backend/command/block.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel::sim {

namespace {

std::string Frame(const std::vector<std::string>& args) {
  std::string frame;
  AppendCommand(&frame, std::vector<std::string_view>(args.begin(), args.end()));
  return frame;
}

}  // namespace

BlockOf WrapInBlock(const std::vector<std::string>& args, uint8_t database, const std::string& side,
                    uint8_t side_database, const std::string& token) {
  BlockOf block;
  block.frame = kMultiFrame;
  const auto add = [&block](const std::vector<std::string>& command) {
    block.frame += Frame(command);
    ++block.elements;
  };
  if (args[0] == "GET") {
    add(args);
  } else if (!side.empty()) {
    const bool other = side_database != database;
    if (other) add({"SELECT", std::to_string(side_database)});
    add({"APPEND", side, token});
    if (other) add({"SELECT", std::to_string(database)});
  }
  block.element = block.elements;
  add(args);
  block.frame += kExecFrame;
  return block;
}

std::string Unwrap(const BlockOf& block, const std::string& reply) {
  if (reply.starts_with('-')) return reply;
  std::vector<std::string_view> elements;
  if (!SplitArray(reply, &elements) || elements.size() != block.elements) return {};
  return std::string(elements[block.element]);
}

}  // namespace gemel::sim
