#include "backend/resp/reply_names.h"

#include <vector>

#include "backend/resp/reply_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

using Frames = std::vector<std::string_view>;

// The first line, of a frame that holds others.
std::string_view FirstLine(std::string_view frame) { return frame.substr(0, frame.find('\n') + 1); }

void AppendName(std::string_view frame, std::string_view prefix, std::string* out) {
  const std::string_view name = ReplyText(frame);
  if (frame[0] == '$' && name.starts_with(prefix)) {
    AppendBulk(out, name.substr(prefix.size()));
  } else {
    out->append(frame);
  }
}

// Its type stays: a set is one still.
void AppendList(std::string_view list, std::string_view prefix, std::string* out) {
  Frames elements;
  if (!SplitArray(list, &elements)) {
    out->append(list);
    return;
  }
  std::erase_if(elements, [prefix](std::string_view element) {
    return !ReplyText(element).starts_with(prefix);
  });
  const size_t begin = out->size();
  AppendArrayHeader(out, static_cast<int64_t>(elements.size()));
  (*out)[begin] = list[0];
  for (const std::string_view element : elements) AppendName(element, prefix, out);
}

// "-NOGROUP No such key 'p:k' or consumer group ...", "... for key name 'p:k'".
void AppendErrorWithout(std::string_view error, std::string_view prefix, std::string* out) {
  const std::string quoted = "'" + std::string(prefix);
  for (const std::string_view before : {"No such key ", "for key name "}) {
    const size_t found = error.find(std::string(before) + quoted);
    if (found == std::string_view::npos) continue;
    const size_t name = found + before.size() + 1;
    out->append(error.substr(0, name)).append(error.substr(name + prefix.size()));
    return;
  }
  out->append(error);
}

void AppendPairs(std::string_view reply, const Frames& elements, std::string_view prefix,
                 std::string* out) {
  out->append(FirstLine(reply));
  const bool map = reply[0] == '%';
  Frames pair;
  for (size_t i = 0; i < elements.size(); ++i) {
    pair.clear();
    if (map) {
      if (i % 2 == 0) {
        AppendName(elements[i], prefix, out);
      } else {
        out->append(elements[i]);
      }
    } else if (SplitArray(elements[i], &pair) && pair.size() == 2) {
      out->append(FirstLine(elements[i]));
      AppendName(pair[0], prefix, out);
      out->append(pair[1]);
    } else {
      out->append(elements[i]);
    }
  }
}

}  // namespace

void AppendWithoutPrefix(std::string_view reply, ReplyNames names, std::string_view prefix,
                         std::string* out) {
  if (names == ReplyNames::kNone) {
    out->append(reply);
    return;
  }
  if (reply.starts_with("-NOGROUP ")) return AppendErrorWithout(reply, prefix, out);
  Frames elements;
  if (names == ReplyNames::kInError || !SplitArray(reply, &elements) || elements.empty()) {
    out->append(reply);
    return;
  }
  if (names == ReplyNames::kElements) return AppendList(reply, prefix, out);
  if (names == ReplyNames::kMapKeys) return AppendPairs(reply, elements, prefix, out);
  out->append(FirstLine(reply));
  for (size_t i = 0; i < elements.size(); ++i) {
    if (names == ReplyNames::kFirst && i == 0) {
      AppendName(elements[i], prefix, out);
    } else if (names == ReplyNames::kLastList && i + 1 == elements.size()) {
      AppendList(elements[i], prefix, out);
    } else {
      out->append(elements[i]);
    }
  }
}

}  // namespace gemel
