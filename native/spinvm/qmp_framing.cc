#include "qmp_framing.h"

#include <utility>

namespace spinvm {
namespace {

// Never part of UTF-8: clients send it to get rid of a broken message.
constexpr char kFlush = '\xFF';

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

std::vector<std::string> QmpFraming::Feed(std::string_view bytes) {
  std::vector<std::string> messages;
  for (const char c : bytes) {
    if (message_.empty() && (IsSpace(c) || c == kFlush)) continue;
    if (!Consume(c) && message_.size() < kMaxMessageBytes) continue;
    messages.push_back(std::exchange(message_, {}));
    depth_ = 0;
    in_string_ = escaped_ = false;
  }
  return messages;
}

// Returns true when the byte ends the message.
bool QmpFraming::Consume(char c) {
  if (c == kFlush) return true;
  message_ += c;
  if (in_string_) {
    in_string_ = escaped_ || c != '"';
    escaped_ = !escaped_ && c == '\\';
    return false;
  }
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth_;
  if ((c == '}' || c == ']') && depth_ > 0) return --depth_ == 0;
  return c == '\n' && depth_ == 0;
}

}  // namespace spinvm
