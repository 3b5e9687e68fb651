#include "proxy/session/merge_stats.h"

#include <algorithm>
#include <cstdlib>

#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

bool IsShare(std::string_view name) {
  return name.ends_with("percentage") || name.ends_with("ratio") ||
         name.ends_with("bytes-per-key") || name.ends_with(".pct");
}

// One value of several nodes. All are of the type of the first, or are left out.
void MergeValue(std::string_view name, const std::vector<std::string_view>& values,
                std::string* out);

// The values of each name, in the order in which the names come first.
void MergeMaps(const std::vector<std::string_view>& maps, std::string* out) {
  std::vector<std::string_view> names;
  std::vector<std::vector<std::string_view>> values;
  for (const std::string_view map : maps) {
    std::vector<std::string_view> fields;
    SplitArray(map, &fields);
    for (size_t i = 0; i + 1 < fields.size(); i += 2) {
      const auto found = std::find(names.begin(), names.end(), fields[i]);
      if (found == names.end()) {
        names.push_back(fields[i]);
        values.push_back({fields[i + 1]});
      } else {
        values[static_cast<size_t>(found - names.begin())].push_back(fields[i + 1]);
      }
    }
  }
  AppendMapHeader(out, static_cast<int64_t>(names.size()));
  for (size_t i = 0; i < names.size(); ++i) {
    out->append(names[i]);
    MergeValue(ReplyText(names[i]), values[i], out);
  }
}

void MergeValue(std::string_view name, const std::vector<std::string_view>& values,
                std::string* out) {
  const char type = values[0][0];
  if (type == '%' || type == '*') {
    MergeMaps(values, out);
  } else if (type == ':') {
    int64_t sum = 0;
    for (const std::string_view value : values) {
      int64_t number = 0;
      ParseInteger(ReplyText(value), &number);
      sum = IsShare(name) ? std::max(sum, number) : sum + number;
    }
    AppendInteger(out, sum);
  } else if (type == ',') {
    size_t largest = 0;
    for (size_t i = 1; i < values.size(); ++i) {
      const auto number = [&](size_t at) {
        return std::strtod(std::string(ReplyText(values[at])).c_str(), nullptr);
      };
      if (number(i) > number(largest)) largest = i;
    }
    out->append(values[largest]);
  } else {
    out->append(values[0]);
  }
}

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

}  // namespace

void MergeTexts(const std::vector<PartReply>& parts, std::string* out) {
  if (parts.size() == 1) {
    out->append(parts[0].reply);
    return;
  }
  std::string text;
  for (const PartReply& part : parts) {
    text += "shard '" + std::string(part.shard) + "':\n";
    text += ReplyText(part.reply);
    if (!text.ends_with('\n')) text += '\n';
  }
  AppendVerbatim(out, text);
}

void MergeStats(const std::vector<PartReply>& parts, std::string* out) {
  if (parts.size() == 1) {
    out->append(parts[0].reply);
    return;
  }
  std::vector<std::string_view> maps;
  for (const PartReply& part : parts) maps.push_back(part.reply);
  MergeMaps(maps, out);
}

void MergeXor(const std::vector<PartReply>& parts, std::string* out) {
  std::string digest(40, '0');
  for (const PartReply& part : parts) {
    const std::string_view text = ReplyText(part.reply);
    for (size_t i = 0; i < std::min(text.size(), digest.size()); ++i) {
      digest[i] = "0123456789abcdef"[Digit(digest[i]) ^ Digit(text[i])];
    }
  }
  AppendSimple(out, digest);
}

}  // namespace gemel
