#include "iothread.h"

#include <utility>

namespace spinvm {

Iothread::Iothread(std::string id, bool busy)
    : id_(std::move(id)), thread_("IO " + id_, [this, busy] {
        while (!ended_.load()) {
          if (!busy) ended_.wait(false);
        }
      }) {}

Iothread::~Iothread() {
  ended_.store(true);
  ended_.notify_one();
}

}  // namespace spinvm
