// Where a consensus engine is, and which part of it is a fleet's.

#ifndef GEMEL_BACKEND_ENGINES_ENGINE_OPTIONS_H_
#define GEMEL_BACKEND_ENGINES_ENGINE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gemel {

struct EngineOptions {
  std::string name;   // of the engine: "etcd"
  std::string fleet;  // of the characters of a register's name, without '/'
  // Each host:port or [v6]:port, "tls:" before those that speak it; tried one after the other.
  std::vector<std::string> servers;
  std::string prefix;  // what the engine's names of the registers begin with; empty: gemel/<fleet>/
  std::string user;    // empty: nobody asks
  std::string password;           // of that user
  uint32_t time_limit_ms = 1000;  // of one question, all servers that are tried included
  // Of an engine that runs in the members themselves ("raft"): `servers` are its voters.
  std::string member;        // this one
  std::string secret;        // by which members know each other
  bool members_tls = false;  // and by certificates: what they say goes over TLS (openssl_tls.h)
  std::string folder;        // where a voter keeps its log
  // Which of the servers this member is; another one: it votes once it is added; empty: none, it
  // asks them.
  std::string voter;
  std::string listen;  // where it listens; empty: at `voter`
  // Of a sentence for people. May be null.
  std::function<void(const std::string& text)> on_warning;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_ENGINE_OPTIONS_H_
