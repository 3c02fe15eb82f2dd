#include "qmp_session.h"

#include <chrono>
#include <utility>
#include <variant>

#include "json_parser.h"

namespace spinvm {
namespace {

Json Timestamp() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const long us = duration_cast<microseconds>(now).count();
  return JsonObject{{"seconds", us / 1000000}, {"microseconds", us % 1000000}};
}

// What is wrong with a request's members; nothing when it can be executed.
std::optional<QmpFailure> CheckRequest(const JsonObject& request) {
  bool has_command = false;
  for (const auto& [name, value] : request) {
    if (name == "execute") {
      if (value.AsString() == nullptr) {
        return GenericError("QMP input member 'execute' must be a string");
      }
      has_command = true;
    } else if (name == "arguments") {
      if (value.AsObject() == nullptr) {
        return GenericError("QMP input member 'arguments' must be an object");
      }
    } else if (name != "id") {
      return GenericError("QMP input member '" + name + "' is unexpected");
    }
  }
  if (!has_command) return GenericError("QMP input lacks member 'execute'");
  return std::nullopt;
}

}  // namespace

QmpSession::QmpSession(Machine& machine)
    : context_{machine,
               [this](const char* event, JsonObject data) { Emit(event, std::move(data)); },
               [this] { quit_ = true; }} {
  Send(JsonObject{{"QMP", JsonObject{{"version", QmpVersion()}, {"capabilities", JsonArray{}}}}});
}

void QmpSession::Receive(std::string_view bytes) {
  for (const std::string& message : framing_.Feed(bytes)) {
    const std::variant<Json, JsonError> parsed = ParseJson(message);
    if (const auto* error = std::get_if<JsonError>(&parsed)) {
      Answer(nullptr, GenericError(error->message));
      continue;
    }
    const Json& request = std::get<Json>(parsed);
    Answer(request.Find("id"), Execute(request));
  }
}

void QmpSession::Emit(const char* event, JsonObject data) {
  if (!negotiated_) return;
  JsonObject message{{"timestamp", Timestamp()}, {"event", event}};
  if (!data.empty()) message.emplace_back("data", std::move(data));
  Send(message);
}

void QmpSession::Send(const Json& message) { output_ += message.ToText() + "\r\n"; }

void QmpSession::Answer(const Json* id, QmpAnswer answer) {
  JsonObject message;
  if (id != nullptr) message.emplace_back("id", *id);
  if (auto* failure = std::get_if<QmpFailure>(&answer)) {
    message.emplace_back("error", JsonObject{{"class", std::move(failure->error_class)},
                                             {"desc", std::move(failure->description)}});
  } else {
    message.emplace_back("return", std::get<Json>(std::move(answer)));
  }
  Send(message);
}

QmpAnswer QmpSession::Execute(const Json& request) {
  const JsonObject* members = request.AsObject();
  if (members == nullptr) return GenericError("QMP input must be a JSON object");
  if (auto failure = CheckRequest(*members)) return *std::move(failure);
  const std::string& command = *request.Find("execute")->AsString();
  const Json* given = request.Find("arguments");
  const Json arguments = given == nullptr ? Json(JsonObject{}) : *given;
  if (negotiated_) return ExecuteQmp(command, arguments, context_);
  if (command == "qmp_capabilities") return Negotiate(arguments);
  return QmpFailure{"CommandNotFound",
                    "Expecting capabilities negotiation with 'qmp_capabilities'"};
}

// The greeting offers no capability, so that none can be enabled.
QmpAnswer QmpSession::Negotiate(const Json& arguments) {
  for (const auto& [name, value] : *arguments.AsObject()) {
    if (name != "enable") return GenericError("Parameter '" + name + "' is unexpected");
    const JsonArray* wanted = value.AsArray();
    if (wanted == nullptr) {
      return GenericError("Invalid parameter type for 'enable', expected: array");
    }
    if (!wanted->empty()) {
      return GenericError("Parameter 'enable' does not accept value " + wanted->front().ToText());
    }
  }
  negotiated_ = true;
  return Json(JsonObject{});
}

}  // namespace spinvm
