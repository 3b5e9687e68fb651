// The registers of a fleet, kept on the Redis nodes themselves by CASPaxos. See README.md.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_REGISTERS_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_REGISTERS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/life/alive.h"
#include "backend/paxos/paxos_operation.h"
#include "backend/paxos/paxos_view.h"

namespace gemel {

// One member's view of them. Logic: the nodes and the time are the port's, which must outlive it.
// Nobody is called after it is destroyed. Tells of no change but that contact is there again.
class PaxosRegisters : public Registers {
 public:
  PaxosRegisters(PaxosPort* port, PaxosOptions options, std::string place);
  ~PaxosRegisters() override;

  void Read(const std::string& name, ReadDone done) override;
  void List(const std::string& prefix, ListDone done) override;
  void Write(const std::string& name, uint64_t expected, const std::string& text,
             WriteDone done) override;
  void set_on_change(std::function<void()> on_change) override {
    on_change_ = std::move(on_change);
  }
  // See PaxosView::Want. Of no fleet's plan: nodes that are given by hand stay.
  void Follow(uint64_t plan, const std::vector<std::string>& nodes) override;
  bool Release(const std::string& node, ReleaseDone done) override;
  std::string place() const override { return place_; }
  std::string trouble() const override { return trouble_; }

  // Of the config that holds, as far as this view knows: 0: none yet. For figures and tests.
  uint64_t epoch() const { return view_->config() == nullptr ? 0 : view_->config()->epoch; }
  // Likewise, the acceptors; as long as there are none, who is to be.
  std::vector<std::string> nodes() const;

 private:
  struct Listing;
  void ReadValue(const std::string& name,
                 std::function<void(const std::optional<PaxosValue>&)> done);
  void TryList(const std::shared_ptr<Listing>& listing);
  void ReadNext(const std::shared_ptr<Listing>& listing);
  // After every question.
  void Note(bool reached);
  // Sees to it that what is wrong with the acceptors is put right, a while from now.
  void Care();

  const std::string place_;
  const std::shared_ptr<PaxosView> view_;
  std::function<void()> on_change_;
  std::string trouble_;
  bool caring_ = false;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_REGISTERS_H_
