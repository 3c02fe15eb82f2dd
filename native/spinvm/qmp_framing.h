#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace spinvm {

inline constexpr size_t kMaxMessageBytes = size_t{64} * 1024;

// Cuts a QMP byte stream into the texts of JSON values. A client may send several objects at once,
// or one in pieces, with or without line ends: an object ends where its outermost bracket closes,
// anything else at the end of its line.
class QmpFraming {
 public:
  // The messages that these bytes complete. One that grows beyond kMaxMessageBytes is handed out as
  // it is, so that it is answered with a parse error, and the stream starts anew. A byte 0xFF does
  // the same to an unfinished one.
  std::vector<std::string> Feed(std::string_view bytes);

 private:
  bool Consume(char c);

  std::string message_;
  size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace spinvm
