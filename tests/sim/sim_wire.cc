#include "tests/sim/sim_wire.h"

#include <algorithm>

namespace gemel::sim {

uint64_t Wire::Delay(Loop* dice) {
  const uint64_t extra_us = condition_->extra_us();
  const uint64_t extra = extra_us > 0 ? dice->Between(extra_us / 2, extra_us) : 0;
  return extra + dice->Between(20, dice->Chance(5) ? 3000 : 300);
}

void Wire::Connect(const ConnectionPtr& connection) {
  loop_->After(Delay(DiceOf(connection)), [this, connection] {
    auto arrive = [this, connection] {
      if (!connection->connected) return;
      if (!condition_->alive() || condition_->refusing()) {
        Pass(connection, Road::Way::kBack, [connection] {
          if (auto closed = std::move(connection->closed)) {
            connection->CloseClientEnd();
            closed(true);
          }
        });
        return;
      }
      connection->id = next_client_id_++;
      connections_.push_back(connection);
      Pass(connection, Road::Way::kBack, [connection] {
        if (const auto connected = connection->connected) connected();
      });
    };
    Pass(connection, Road::Way::kThere, [this, arrive] {
      if (condition_->cut_off()) {
        Hold(arrive);
      } else {
        arrive();
      }
    });
  });
}

void Wire::Pass(const ConnectionPtr& connection, Road::Way way, std::function<void()> event) {
  if (connection->road != nullptr) {
    connection->road->Pass(way, std::move(event));
  } else {
    event();
  }
}

void Wire::Send(const ConnectionPtr& connection, std::string bytes) {
  // In order on one connection; what is left of an older connection may be read later.
  Loop* dice = DiceOf(connection);
  while (!bytes.empty()) {
    const size_t part = dice->Chance(20) ? dice->Between(1, bytes.size()) : bytes.size();
    uint64_t& last = connection->last_arrival_us;
    last = std::max(last, loop_->now_us() + Delay(dice));
    loop_->At(last, [this, connection, piece = bytes.substr(0, part)] {
      Pass(connection, Road::Way::kThere, [this, connection, piece] { Arrive(connection, piece); });
    });
    bytes.erase(0, part);
  }
}

void Wire::CloseByClient(const ConnectionPtr& connection) {
  connection->CloseClientEnd();
  if (connection->road == nullptr) {
    Drop(connection, DiceOf(connection)->Chance(50) ? 5000 : 0);
    return;
  }
  if (connection->road->lost()) return;
  // It comes behind what was sent.
  const uint64_t at_us = std::max(connection->last_arrival_us, loop_->now_us());
  loop_->At(at_us, [this, connection] {
    Pass(connection, Road::Way::kThere, [this, connection] { Drop(connection, 0); });
  });
}

void Wire::Drop(const ConnectionPtr& connection, uint64_t after_us) {
  if (after_us == 0) {
    connection->node_open = false;
    std::erase(connections_, connection);
    return;
  }
  loop_->After(after_us, [this, connection] { Drop(connection, 0); });
}

void Wire::Arrive(const ConnectionPtr& connection, const std::string& bytes) {
  if (!condition_->alive()) return;
  if (condition_->hung() || condition_->cut_off()) {
    Hold([this, connection, bytes] { Arrive(connection, bytes); });
    return;
  }
  if (!connection->node_open) {
    End(connection);  // a process that knows nothing of it answers with a reset
    return;
  }
  connection->in += bytes;
  process_(connection);
}

void Wire::Reply(const ConnectionPtr& connection, std::string bytes,
                 std::function<void()> arrived) {
  Loop* dice = DiceOf(connection);
  while (!bytes.empty()) {
    const size_t part = dice->Chance(20) ? dice->Between(1, bytes.size()) : bytes.size();
    uint64_t& last = connection->last_to_client_us;
    last = std::max(last, loop_->now_us() + Delay(dice));
    const bool whole = part == bytes.size();
    loop_->At(last, [this, connection, piece = bytes.substr(0, part), whole, arrived] {
      auto arrive = [connection, piece, whole, arrived] {
        // A copy, for it may be closed on the way.
        const auto to_client = connection->to_client;
        if (!to_client) return;
        if (whole && arrived) arrived();
        to_client(piece);
      };
      Pass(connection, Road::Way::kBack, [this, arrive] {
        if (condition_->cut_off()) {
          Hold(arrive);
        } else {
          arrive();
        }
      });
    });
    bytes.erase(0, part);
  }
}

void Wire::LetGo() {
  std::deque<std::function<void()>> held = std::move(held_);
  held_.clear();
  // All that waited comes before what is sent from now on.
  for (auto& event : held) event();
}

void Wire::End(const ConnectionPtr& connection) {
  uint64_t at_us = loop_->now_us() + DiceOf(connection)->Between(10, 300);
  // As a process that ends in order of its machine leaves it: what it wrote comes first.
  if (!connection->patterns.empty() && DiceOf(connection)->Chance(70)) {
    at_us = std::max(at_us, connection->last_to_client_us);
  }
  loop_->At(at_us, [connection] {
    Pass(connection, Road::Way::kBack, [connection] {
      if (auto closed = std::move(connection->closed)) {
        connection->CloseClientEnd();
        closed(false);
      }
    });
  });
}

void Wire::ResetAll() {
  const bool alive = condition_->alive();
  std::vector<ConnectionPtr> all = connections_;
  for (const ConnectionPtr& connection : all) {
    // What was under way to a living process may still be read by it.
    Loop* dice = DiceOf(connection);
    Drop(connection, alive && dice->Chance(50) ? dice->Between(1, 2000) : 0);
    End(connection);
  }
  if (!alive) connections_.clear();
}

void Wire::Vanish() {
  for (const ConnectionPtr& connection : connections_) connection->node_open = false;
  connections_.clear();
}

int64_t Wire::EndClient(const std::string& id) {
  int64_t ended = 0;
  for (const ConnectionPtr& connection : std::vector<ConnectionPtr>(connections_)) {
    if (std::to_string(connection->id) != id) continue;
    ++ended;
    Drop(connection, 0);
    End(connection);
  }
  return ended;
}

void Wire::Control(std::function<std::string()> execute,
                   std::function<void(const std::string&)> done) {
  last_control_us_ = std::max(last_control_us_, loop_->now_us() + Delay(loop_));
  loop_->At(last_control_us_, [this, execute = std::move(execute), done] {
    if (!condition_->alive() || condition_->hung() || condition_->cut_off() ||
        condition_->refusing()) {
      loop_->After(20000, [done] { done(""); });
      return;
    }
    loop_->After(Delay(loop_), [done, reply = execute()] { done(reply); });
  });
}

}  // namespace gemel::sim
