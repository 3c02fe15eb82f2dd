#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "machine.h"
#include "qmp_commands.h"
#include "qmp_framing.h"

namespace spinvm {

// One client's conversation: bytes in, bytes out. No command is served before `qmp_capabilities`.
class QmpSession {
 public:
  explicit QmpSession(Machine& machine);
  QmpSession(const QmpSession&) = delete;
  QmpSession& operator=(const QmpSession&) = delete;

  // Takes what the client sent; the answers are appended to the output.
  void Receive(std::string_view bytes);
  // Tells a client that has negotiated.
  void Emit(const char* event, JsonObject data);

  // What is to be sent; whoever sends takes it from the front.
  std::string& output() { return output_; }
  // The client asked the VM to end.
  [[nodiscard]] bool quit() const { return quit_; }

 private:
  void Send(const Json& message);
  void Answer(const Json* id, QmpAnswer answer);
  QmpAnswer Execute(const Json& request);
  QmpAnswer Negotiate(const Json& arguments);

  QmpContext context_;
  QmpFraming framing_;
  std::string output_;
  bool negotiated_ = false;
  bool quit_ = false;
};

}  // namespace spinvm
