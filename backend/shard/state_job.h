// A write that one copy executes first, on its way: see StateCopy.

#ifndef GEMEL_BACKEND_SHARD_STATE_JOB_H_
#define GEMEL_BACKEND_SHARD_STATE_JOB_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/shard/op.h"

namespace gemel {

struct StateJob {
  // A command of the write that is a script which tells or may be stopped.
  struct Script {
    size_t command = 0;  // of the frame's
    uint8_t database = 0;
  };

  Op* write = nullptr;
  uint32_t session = 0;
  uint8_t database = 0;
  std::string frame;
  std::string first;                 // empty: the frame
  std::vector<std::string> keys;     // their names
  size_t written = 0;                // the first so many
  size_t commands = 0;               // in the frame
  std::string reply;                 // to the command, until what was asked is answered
  std::vector<std::string> answers;  // to that
  uint32_t copy = 0;
  uint32_t in_flight = 0;  // to the first copy
  bool locked = true;      // its keys
  bool sent = false;       // the write
  bool lost = false;
  bool alone = false;
  bool runs_code = false;

  // What EXEC answers.
  struct {
    std::vector<size_t> states;  // where the DUMP of those that it writes is in it
    size_t elements = 0;         // of which there are so many
  } exec;

  // The memory of its keys.
  struct {
    int64_t written = 0;  // of those that it writes
    int64_t all = 0;
    bool counted = false;
  } room;

  // What the others get is made of the reply.
  struct {
    Rewrite rewrite = nullptr;
    AskFirst ask = nullptr;
    bool before = false;  // it is asked before the command
  } by_reply;

  // How the first copy takes MULTI.
  struct {
    bool full = false;                 // its memory: it is sent without MULTI
    bool no_multi = false;             // MULTI was refused: what follows it is executed at once
    bool learnt = false;               // that PEXPIRETIME is not known there
    std::string refusal;               // at queueing time
    std::vector<std::string> singles;  // without MULTI: the replies to the write, DUMP, ...
  } queued;

  // What the others get.
  struct {
    bool in_multi = false;
    bool known = false;
    std::vector<std::string> frames;                       // until all of them are known
    CopyMask waiting = 0;                                  // not answered yet
    std::unordered_map<uint32_t, std::string> complaints;  // the first of each
  } following;

  // See state_copy_scripts.cc.
  std::vector<Script> scripts;
  struct {
    std::string original;           // the frame, if it has other keys by now
    std::vector<std::string> told;  // names of keys
  } of_scripts;
  struct {
    uint32_t from = 0;
    uint32_t reads = 0;  // that are not answered yet
    bool failed = false;
  } undo;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_STATE_JOB_H_
