// What a shard needs of the world around it: a clock, the coordinator, a log.

#ifndef GEMEL_BACKEND_SHARD_SHARD_ENV_H_
#define GEMEL_BACKEND_SHARD_SHARD_ENV_H_

#include <cstdint>
#include <string>

#include "backend/events/note.h"
#include "backend/topology/coordinator.h"

namespace gemel {

class LibrarySource;
class NodeAbilities;
class OptionSource;
struct Request;
class ServerClaims;
class ServerVoices;
class TrackingSink;
class TrackingTotals;

class ShardEnv {
 public:
  virtual ~ShardEnv() = default;
  virtual uint64_t NowMs() = 0;
  // The wall clock, in milliseconds of Unix time; 0: there is none.
  virtual int64_t UnixMs() { return 0; }
  // See Coordinator::Propose: `done` comes later, on the shard's thread.
  virtual void Propose(Edit edit, EditDone done) = 0;
  // See Coordinator::Release, likewise.
  virtual bool Release(const std::string& node, ReleaseDone done) {
    (void)node;
    (void)done;
    return false;
  }
  // The shard gives a request back that it has not sent to any node, or that was sent and may be
  // executed again: another process is to have the shard (Shard::GiveBack, Shard::Cut). The frame
  // is valid during the call. Never called otherwise, so never where there is but one process.
  virtual void NotHere(Request* request) { (void)request; }
  // Shard::TickBlocked is to be called at that time, for somebody waits no longer than until then.
  virtual void UnblockAt(uint64_t at_ms) { (void)at_ms; }
  // What the shard's nodes have published for that worker: whole messages, arrays of RESP2, one
  // behind the other.
  virtual void OnMessages(uint32_t worker, std::string messages) {
    (void)worker;
    (void)messages;
  }
  // Who is told of keys that clients track; null: nobody tracks any. And what counts them in all.
  virtual TrackingSink* tracking() { return nullptr; }
  virtual TrackingTotals* tracking_totals() { return nullptr; }
  // One line for the log.
  virtual void Note(NoteLevel level, const std::string& text) = 0;
  // The same, of a change of roles that was made durable: never left out, however much is logged.
  virtual void NoteRole(NoteLevel level, const std::string& text) { Note(level, text); }
  // The client of that session is gone: nobody waits for what it asked.
  virtual bool IsGone(uint32_t session) {
    (void)session;
    return false;
  }
  // Which servers the shards of the process have; null: nobody keeps account.
  virtual ServerClaims* claims() { return nullptr; }
  // Which of them passes on what a server publishes; null: each does.
  virtual ServerVoices* voices() { return nullptr; }
  // What their nodes can do; null likewise.
  virtual NodeAbilities* abilities() { return nullptr; }
  // The libraries of functions that they are to have; null: none.
  virtual const LibrarySource* libraries() { return nullptr; }
  // The options that clients have set on all of them; null: none.
  virtual const OptionSource* options() { return nullptr; }
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_ENV_H_
