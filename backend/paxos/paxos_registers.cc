#include "backend/paxos/paxos_registers.h"

#include <algorithm>
#include <utility>

#include "backend/paxos/paxos_readmission.h"

namespace gemel {

namespace {

constexpr uint64_t kCareMs = 100;       // at most, before a change of the acceptors is begun
constexpr uint64_t kCareAgainMs = 300;  // before it is tried again, where nothing came of it
constexpr uint64_t kListPauseMs = 20;   // before names are asked for again
constexpr size_t kReadsAtOnce = 16;     // of a list

// A compare-and-set over any number of rounds.
struct Attempt {
  PaxosValue wanted;
  bool sent = false;  // it may be chosen, whatever follows
  RegisterOutcome outcome = RegisterOutcome::kUnreachable;

  std::optional<PaxosValue> Change(const PaxosValue& now) {
    if (now.version + 1 == wanted.version) {
      sent = true;
      outcome = RegisterOutcome::kDone;
      return wanted;
    }
    if (now.writer == wanted.writer && now.write == wanted.write) {
      outcome = RegisterOutcome::kDone;
    } else if (sent && now.version != wanted.version) {
      // Others have gone on from it, or it lies where this quorum does not see it.
      outcome = RegisterOutcome::kUnknown;
    } else {
      outcome = RegisterOutcome::kConflict;
    }
    return std::nullopt;
  }
};

}  // namespace

struct PaxosRegisters::Listing {
  std::string prefix;
  ListDone done;
  std::vector<std::string> names;
  size_t next = 0;   // of the names: to be read
  size_t under = 0;  // reads under way
  std::vector<NamedRegister> all;
  bool ended = false;

  void End(RegisterOutcome outcome) {
    if (ended) return;
    ended = true;
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    done(outcome, outcome == RegisterOutcome::kDone ? all : std::vector<NamedRegister>());
  }
};

PaxosRegisters::PaxosRegisters(PaxosPort* port, PaxosOptions options, std::string place)
    : place_(std::move(place)), view_(std::make_shared<PaxosView>(port, std::move(options))) {}

PaxosRegisters::~PaxosRegisters() { view_->End(); }

void PaxosRegisters::ReadValue(const std::string& name,
                               std::function<void(const std::optional<PaxosValue>&)> done) {
  PaxosPlan plan;
  plan.name = name;
  plan.change = [](const PaxosValue&) { return std::nullopt; };
  plan.rewrite = [] { return false; };
  plan.read_first = true;
  RunPaxosOperation(view_, std::move(plan),
                    alive_.Guard([this, done = std::move(done)](const auto& value) {
                      const Alive::Watch watch = alive_.watch();
                      Note(value.has_value());
                      if (!watch.gone()) done(value);
                    }));
}

void PaxosRegisters::Read(const std::string& name, ReadDone done) {
  ReadValue(name, [done = std::move(done)](const std::optional<PaxosValue>& value) {
    if (value) {
      done(RegisterOutcome::kDone, {value->text, value->version});
    } else {
      done(RegisterOutcome::kUnreachable, {});
    }
  });
}

void PaxosRegisters::Write(const std::string& name, uint64_t expected, const std::string& text,
                           WriteDone done) {
  auto attempt = std::make_shared<Attempt>();
  attempt->wanted = {expected + 1, view_->options().proposer, view_->NextWrite(), text};
  PaxosPlan plan;
  plan.name = name;
  plan.change = [attempt](const PaxosValue& now) { return attempt->Change(now); };
  plan.rewrite = [attempt] { return attempt->sent; };
  RunPaxosOperation(
      view_, std::move(plan),
      alive_.Guard([this, attempt, expected, done = std::move(done)](const auto& value) {
        const Alive::Watch watch = alive_.watch();
        Note(value.has_value());
        if (watch.gone()) return;
        if (!value) {
          done(attempt->sent ? RegisterOutcome::kUnknown : RegisterOutcome::kUnreachable, 0);
        } else if (attempt->outcome == RegisterOutcome::kConflict) {
          done(RegisterOutcome::kConflict, value->version);
        } else {
          const bool written = attempt->outcome == RegisterOutcome::kDone;
          done(attempt->outcome, written ? expected + 1 : 0);
        }
      }));
}

void PaxosRegisters::List(const std::string& prefix, ListDone done) {
  auto listing = std::make_shared<Listing>();
  listing->prefix = prefix;
  listing->done = std::move(done);
  view_->After(view_->options().time_limit_ms, alive_.Guard([this, listing] {
    if (listing->ended) return;
    const Alive::Watch watch = alive_.watch();
    Note(false);
    if (!watch.gone()) listing->End(RegisterOutcome::kUnreachable);
  }));
  view_->After(0, alive_.Guard([this, listing] { TryList(listing); }));
}

void PaxosRegisters::TryList(const std::shared_ptr<Listing>& listing) {
  if (listing->ended) return;
  const auto again = alive_.Guard([this, listing] { TryList(listing); });
  view_->WhenKnown(alive_.Guard([this, listing, again](bool known) {
    if (!known) {
      view_->After(kListPauseMs, again);
      return;
    }
    AskPaxosNames(view_, listing->prefix,
                  alive_.Guard([this, listing, again](bool found, const auto& names) {
                    if (listing->ended) return;
                    if (!found) {
                      view_->After(kListPauseMs, again);
                      return;
                    }
                    listing->names = names;
                    ReadNext(listing);
                  }));
  }));
}

void PaxosRegisters::ReadNext(const std::shared_ptr<Listing>& listing) {
  while (listing->under < kReadsAtOnce && listing->next < listing->names.size()) {
    const std::string& name = listing->names[listing->next++];
    if (name.starts_with('%')) continue;
    ++listing->under;
    ReadValue(name, [this, listing, name](const std::optional<PaxosValue>& value) {
      --listing->under;
      if (listing->ended) return;
      if (!value) {
        listing->End(RegisterOutcome::kUnreachable);
        return;
      }
      if (value->version > 0) listing->all.push_back({name, {value->text, value->version}});
      ReadNext(listing);
    });
  }
  if (listing->under > 0 || listing->ended) return;
  const Alive::Watch watch = alive_.watch();
  Note(true);
  if (!watch.gone()) listing->End(RegisterOutcome::kDone);
}

void PaxosRegisters::Note(bool reached) {
  const bool back = reached && !trouble_.empty();
  if (reached) {
    trouble_.clear();
  } else {
    trouble_ = view_->Trouble();
  }
  Care();
  const std::function<void()> on_change = on_change_;
  if (back && on_change) on_change();
}

void PaxosRegisters::Follow(uint64_t plan, const std::vector<std::string>& nodes) {
  view_->Want(nodes, plan);
  Care();
}

bool PaxosRegisters::Release(const std::string& node, ReleaseDone done) {
  // Not inside the call, whatever is known.
  view_->After(0, alive_.Guard([this, node, done = std::move(done)] {
    view_->WhenKnown(alive_.Guard([this, node, done](bool known) {
      if (!known) {
        done({false, false, "the registers are not known"});
        return;
      }
      ReleasePaxosNode(view_, node, alive_.Guard(done));
    }));
  }));
  return true;
}

std::vector<std::string> PaxosRegisters::nodes() const {
  if (view_->config() == nullptr) return view_->wanted();
  std::vector<std::string> nodes;
  for (const PaxosMember& member : view_->config()->Acceptors()) {
    if (std::find(nodes.begin(), nodes.end(), member.node) == nodes.end()) {
      nodes.push_back(member.node);
    }
  }
  return nodes;
}

void PaxosRegisters::Care() {
  if (caring_ || !view_->NeedsChange()) return;
  caring_ = true;
  const uint64_t before = epoch();
  // Not all views at the same time.
  view_->After(1 + view_->Random(kCareMs), alive_.Guard([this, before] {
    ReadmitPaxosNode(view_, alive_.Guard([this, before] {
      view_->After(epoch() == before ? kCareAgainMs : 0, alive_.Guard([this] { caring_ = false; }));
    }));
  }));
}

}  // namespace gemel
