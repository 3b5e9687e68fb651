#include "backend/fleet/own_life.h"

#include <utility>

namespace gemel {

OwnLife::OwnLife(Registers* registers, FleetView* view, Options options, Hooks hooks)
    : registers_(registers), view_(view), options_(std::move(options)), hooks_(std::move(hooks)) {}

void OwnLife::Tick(uint64_t now_ms) {
  if (state_ == State::kAlive && now_ms >= until_ms_) {
    Lose("it could not say in time that it lives: " + registers_->place() + " did not answer" +
         (registers_->trouble().empty() ? "" : " (" + registers_->trouble() + ")"));
  }
  if (asking_ || now_ms < next_ms_) return;
  switch (state_) {
    case State::kOut:
      return TryToJoin(now_ms);
    case State::kJoining:
      return Look();
    case State::kAlive: {
      LifeRecord next = record_;
      ++next.beat;
      next.draining = draining_;
      next.route = route_;
      next.agreed = agreed_;
      return Write(std::move(next), version_);
    }
    case State::kEnding: {
      LifeRecord next = record_;
      next.ended = true;
      return Write(std::move(next), version_);
    }
    case State::kEnded:
      return;
  }
}

void OwnLife::SetDraining(bool draining) {
  draining_ = draining;
  if (state_ == State::kAlive) next_ms_ = 0;
}

void OwnLife::SetRoute(uint64_t route, uint64_t agreed) {
  route_ = route;
  agreed_ = agreed;
  if (state_ == State::kAlive) next_ms_ = 0;
}

void OwnLife::End(std::function<void()> done) {
  ended_ = std::move(done);
  next_ms_ = 0;
  if (state_ == State::kAlive) {
    state_ = State::kEnding;
    until_ms_ = 0;
    return;
  }
  EndNow();
}

void OwnLife::EndNow() {
  state_ = State::kEnded;
  if (const auto end = std::exchange(ended_, nullptr)) end();
}

// An earlier life of the same name may own shards still: its lease must have run out.
void OwnLife::TryToJoin(uint64_t now_ms) {
  if (view_->listed_ms() == 0) return;
  const FleetView::Member* before = view_->FindMember(options_.name);
  LifeRecord next;
  next.number = 1;
  if (before != nullptr) {
    next.number = before->life.number + 1;
    const bool silent = view_->SilentFor(*before, options_.lease_ms);
    if (!before->life.ended && before->life.id != record_.id && !silent) {
      if (first_seen_beat_ == 0) first_seen_beat_ = before->life.beat;
      if (before->life.beat > first_seen_beat_ + 5 && !std::exchange(told_of_other_, true)) {
        hooks_.warn("another process is the member \"" + options_.name +
                    "\" of this fleet: give this one another name");
      }
      next_ms_ = now_ms + Beat() / 2;
      return;
    }
  }
  first_seen_beat_ = 0;
  next.id = hooks_.random_id();
  next.beat = 1;
  next.witness = options_.witness;
  next.draining = draining_;
  next.route = route_;
  next.agreed = agreed_;
  next.address = options_.address;
  joining_id_ = next.id;
  state_ = State::kJoining;
  Write(std::move(next), before == nullptr ? 0 : before->version);
}

void OwnLife::Write(LifeRecord record, uint64_t expected) {
  asking_ = true;
  const uint64_t asked_ms = hooks_.clock();
  next_ms_ = asked_ms + Beat();
  const std::string text = EncodeLife(record);
  registers_->Write(LifeRegister(options_.name), expected, text,
                    alive_.Guard([this, record = std::move(record), asked_ms](
                                     RegisterOutcome outcome, uint64_t version) {
                      asking_ = false;
                      OnWritten(record, asked_ms, outcome, version);
                    }));
}

void OwnLife::OnWritten(const LifeRecord& record, uint64_t asked_ms, RegisterOutcome outcome,
                        uint64_t version) {
  const uint64_t now_ms = hooks_.clock();
  if (outcome == RegisterOutcome::kConflict) return Look();
  if (outcome != RegisterOutcome::kDone) {
    // An end that cannot be written is the others' to find out.
    if (state_ == State::kEnding) {
      EndNow();
    }
    next_ms_ = now_ms + Beat() / 4;
    return;
  }
  view_->OnLife(options_.name, record, version, now_ms);
  if (state_ == State::kEnding && record.ended) {
    EndNow();
    return;
  }
  if (state_ != State::kJoining && state_ != State::kAlive && state_ != State::kEnding) return;
  if (state_ == State::kJoining && record.id != joining_id_) return;
  if (state_ != State::kJoining && record.id != record_.id) return;
  record_ = record;
  version_ = version;
  if (state_ == State::kEnding) {
    next_ms_ = 0;
    return;
  }
  until_ms_ = asked_ms + uint64_t{options_.lease_ms} * 4 / 5;
  next_ms_ = asked_ms + Beat();
  if (state_ == State::kAlive) return;
  state_ = State::kAlive;
  joined_ms_ = now_ms;
  told_of_other_ = false;
  if (now_ms < until_ms_) return hooks_.on_joined();
}

void OwnLife::Look() {
  asking_ = true;
  registers_->Read(LifeRegister(options_.name),
                   alive_.Guard([this](RegisterOutcome outcome, const RegisterValue& value) {
                     asking_ = false;
                     OnLooked(outcome, value);
                   }));
}

void OwnLife::OnLooked(RegisterOutcome outcome, const RegisterValue& value) {
  next_ms_ = hooks_.clock() + Beat() / 4;
  std::string error;
  if (outcome != RegisterOutcome::kDone ||
      !view_->OnText(LifeRegister(options_.name), value, hooks_.clock(), &error)) {
    if (state_ == State::kEnding) {
      EndNow();
    }
    return;
  }
  const std::optional<LifeRecord> found =
      value.version == 0 ? std::nullopt : DecodeLife(value.text, &error);
  if (state_ == State::kJoining) {
    // A write of this joining may have come to be without an answer: then it is an earlier life.
    state_ = State::kOut;
    if (found && found->id == joining_id_ && !found->ended) record_ = *found;
    return;
  }
  if (state_ != State::kAlive && state_ != State::kEnding) return;
  if (!found || found->id != record_.id || found->ended) {
    if (state_ == State::kEnding) {
      EndNow();
      return;
    }
    return Lose("others took it for dead, for it did not say in time that it lives");
  }
  // A beat of this life whose answer was lost.
  record_.beat = found->beat;
  version_ = value.version;
  next_ms_ = 0;
}

void OwnLife::Lose(const std::string& why) {
  state_ = State::kOut;
  until_ms_ = 0;
  next_ms_ = hooks_.clock();
  hooks_.on_lost(why);
}

}  // namespace gemel
