#pragma once

#include <atomic>
#include <string>

#include "thread.h"

namespace spinvm {

// An I/O thread: it sleeps, or spins when it is to be busy. Pausing the VM does not stop it, as in
// QEMU.
class Iothread {
 public:
  Iothread(std::string id, bool busy);
  Iothread(const Iothread&) = delete;
  Iothread& operator=(const Iothread&) = delete;
  // Ends the thread.
  ~Iothread();

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] pid_t tid() const { return thread_.tid(); }

 private:
  std::string id_;
  std::atomic<bool> ended_{false};
  NamedThread thread_;
};

}  // namespace spinvm
