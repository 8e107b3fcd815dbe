#pragma once
// Probes connects to ports of this machine for checks: a tcp connection, or an HTTP GET of which
// only the status code counts. Commands of checks are containers, not these.
//
// What a probe saw is told once, in a later turn, as in CheckStatus::value; of one that was ended
// before nothing is told. The core bounds their number (two per task) and their time.
//
// One thread, the loop's.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/checks.h"
#include "common/io/reactor.h"

namespace tepui {

class ProbesOwner {
 public:
  virtual ~ProbesOwner() = default;
  virtual void on_probed(uint64_t id, std::optional<int32_t> value) = 0;
};

class Probes {
 public:
  Probes(Reactor& reactor, ProbesOwner& owner);
  ~Probes();
  Probes(const Probes&) = delete;
  Probes& operator=(const Probes&) = delete;

  void start(uint64_t id, const CheckInfo& check);
  void end(uint64_t id);
  size_t size() const { return probes_.size(); }

 private:
  class Probe;
  struct Done {
    uint64_t id = 0;
    std::optional<int32_t> value;
  };

  void finish(uint64_t id, std::optional<int32_t> value);
  void tell();

  Reactor& reactor_;
  ProbesOwner& owner_;
  std::map<uint64_t, std::unique_ptr<Probe>> probes_;
  std::vector<Done> done_;
  Later<&Probes::tell> tell_{*this};
};

}  // namespace tepui
