// One key copied by the commands of its type, piece by piece: for a copy that cannot read the
// source's DUMP, because its version is older.
//
// Logic only. It says what is to be read from the source and what is to be written to the copies,
// and is told the replies; KeyRepair sends, with the key locked all the while.

#ifndef GEMEL_BACKEND_SHARD_KEY_REBUILD_H_
#define GEMEL_BACKEND_SHARD_KEY_REBUILD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

class KeyRebuild {
 public:
  enum class Next : uint8_t {
    kRead,    // send frames() to the source, then OnRead
    kWrite,   // send frames() to the copies, then OnWritten
    kDone,    // after that it is equal
    kFailed,  // why() says what is in the way
  };

  // `memory`: what the key takes, about; 0 if it is not known. `plain_streams`: a copy knows no
  // counters of streams (before Redis 7.0). `field_expiry`: the source may let single fields of a
  // hash expire. `relative`: it knows no PEXPIRETIME.
  struct Options {
    int64_t memory = 0;
    bool plain_streams = false;
    bool field_expiry = false;
    bool relative = false;
  };
  KeyRebuild(std::string key, Options options);

  Next next() const { return next_; }
  const std::vector<std::string>& frames() const { return frames_; }
  const std::string& why() const { return why_; }
  // The source's replies to frames(), in their order.
  void OnRead(const std::vector<std::string>& replies);
  void OnWritten();

 private:
  enum class Stage : uint8_t {
    kType,
    kPieces,  // of a string or list by position, of a set, hash or sorted set by cursor
    kFieldExpiry,
    kEntries,  // of a stream
    kGroups,
    kConsumers,
    kPending,
  };
  enum class Type : uint8_t { kString, kList, kSet, kHash, kSortedSet, kStream };
  struct Group {
    std::string name;
    int64_t pending = 0;
  };

  void Read(std::string_view name, std::vector<std::string_view> args = {});
  void Write(std::string_view name, std::vector<std::string_view> args);
  void Fail(std::string why);
  bool Split(std::string_view reply, std::vector<std::string_view>* parts, size_t count = 0);
  bool TakeExpiry(const std::vector<std::string>& replies);
  void OnType(const std::vector<std::string>& replies);
  void AskPiece();
  void NextPiece(bool more);
  void OnPiece(const std::vector<std::string>& replies);
  void OnString(std::string_view reply);
  void OnMembers(const std::vector<std::string_view>& members);
  void OnFieldExpiry(const std::vector<std::string>& replies);
  void OnEntries(const std::vector<std::string>& replies);
  void EndEntries(std::string_view info);
  void OnGroups(const std::vector<std::string>& replies);
  void BeginGroup();
  void EndGroup();
  void OnConsumers(const std::vector<std::string>& replies);
  void AskPending();
  void OnPending(const std::vector<std::string>& replies);
  void Adapt(size_t bytes);
  void Finish();
  void Send();

  std::string key_;
  Options options_;
  Next next_ = Next::kRead;
  Stage stage_ = Stage::kType;
  Type type_ = Type::kString;
  std::vector<std::string> frames_;  // what next() says
  std::vector<std::string> writes_;  // gathered for the copies
  std::vector<std::string> reads_;   // to be sent to the source after those
  std::string why_;
  int64_t expiry_ms_ = -1;
  int64_t at_ = 0;      // position in a string or list
  int64_t length_ = 0;  // of it, or of the collection
  int64_t count_ = 0;   // elements of a piece
  std::string cursor_ = "0";
  std::vector<Group> groups_;
  size_t group_ = 0;
  std::string from_;  // in a stream, or in what a group has pending
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_KEY_REBUILD_H_
