#pragma once
// HttpGets asks several servers at once over HTTP, each for one target, and gives all answers back
// when the last one has come or the time is over.
//
// One thread, the reactor's.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/io/reactor.h"
#include "common/result.h"

namespace tepui::cli {

struct HttpGet {
  std::string address;  // HOST:PORT
  std::string target;   // "/containers?history=2"
};

class HttpGetsOwner {
 public:
  virtual ~HttpGetsOwner() = default;
  // One for each, in their order: the body of a 200, or why there is none.
  virtual void on_answers(std::vector<Result<std::string>> answers) = 0;
};

class HttpGets {
 public:
  HttpGets(Reactor& reactor, HttpGetsOwner& owner);
  ~HttpGets();

  // -> on_answers in a later turn. What was asked before is given up.
  void start(const std::vector<HttpGet>& gets, Duration timeout);
  bool busy() const { return open_ > 0; }

 private:
  class Get;

  void on_ended();
  void on_timeout();
  void on_done();

  Reactor& reactor_;
  HttpGetsOwner& owner_;
  std::vector<std::unique_ptr<Get>> gets_;
  size_t open_ = 0;
  Timer<&HttpGets::on_timeout> timeout_{*this};
  Later<&HttpGets::on_done> done_{*this};
};

// The body of a whole answer, which ends with its connection; or why it is of no use.
Result<std::string> http_body(std::string_view answer);

// Other characters than letters, digits and "-._~" as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace tepui::cli
