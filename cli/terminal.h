#pragma once
// Terminal is a terminal that a command draws on as a whole: keys come one by one and without an
// echo, the cursor is hidden, and what was there before is there again afterwards.
//
// Whoever uses it calls leave() (or destroys it) on every way out, signals included.

#include <termios.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace tepui::cli {

class Terminal {
 public:
  struct Size {
    size_t columns = 80;
    size_t lines = 24;
  };

  Terminal() = default;
  ~Terminal() { leave(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // An error if standard input or output is none.
  Result<void> enter();
  void leave();
  Size size() const;
  // The whole screen: at most its lines, each at most its columns; `bold` is the place of one that
  // is to stand out.
  void draw(const std::vector<std::string>& lines, size_t bold);

 private:
  std::optional<termios> before_;
};

}  // namespace tepui::cli
