#pragma once
// Who commanded something, and is to be told what became of it. Pure.

#include <cstdint>
#include <string>

#include "common/ids.h"

namespace tepui::master {

struct Asker {
  SessionId session;
  uint32_t request = 0;
  std::string principal;
};

}  // namespace tepui::master
