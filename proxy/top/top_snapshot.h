// What a gemel said of itself at one moment: the answers to INFO, PROXY SHARDS and PROXY TRACE,
// read.

#ifndef GEMEL_PROXY_TOP_TOP_SNAPSHOT_H_
#define GEMEL_PROXY_TOP_TOP_SNAPSHOT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

struct TopNode {
  std::string address;
  std::string role;
  std::string state;
  std::string health;
  std::string note;  // why it is not in sync, or is not used
  uint64_t pending = 0;
};

struct TopShard {
  std::string name;
  std::string owner;  // of a fleet's member; empty: this one
  std::string members;
  uint64_t epoch = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;
  std::vector<TopNode> nodes;
};

struct TopCommand {
  std::string name;
  uint64_t calls = 0;
  uint64_t usec = 0;
  std::string p99;  // as INFO has it; empty: it has none
};

struct TopKey {
  std::string key;
  uint64_t requests = 0;  // of the sample
};

struct TopSnapshot {
  uint64_t at_us = 0;  // of a clock that only grows
  std::map<std::string, std::string, std::less<>> info;
  std::vector<TopShard> shards;
  std::vector<TopCommand> commands;
  std::vector<TopKey> keys;  // the hottest first
  uint64_t sampled = 0;      // requests that they are of
  std::string error;         // what could not be asked

  // A field of INFO; 0 or empty: it has none.
  uint64_t Number(std::string_view field) const;
  std::string_view Text(std::string_view field) const;
};

// Each takes a whole reply of RESP2; a reply that is none of the kind is kept as the error.
void ReadTopInfo(std::string_view reply, TopSnapshot* snapshot);
void ReadTopShards(std::string_view reply, TopSnapshot* snapshot);
void ReadTopKeys(std::string_view reply, TopSnapshot* snapshot);

}  // namespace gemel

#endif  // GEMEL_PROXY_TOP_TOP_SNAPSHOT_H_
