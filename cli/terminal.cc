#include "cli/terminal.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace tepui::cli {

namespace {

constexpr std::string_view kEnter = "\033[?1049h\033[?25l";  // the other screen; no cursor
constexpr std::string_view kLeave = "\033[?25h\033[?1049l";

void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(STDOUT_FILENO, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;  // nobody looks any more
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

}  // namespace

Result<void> Terminal::enter() {
  termios settings{};
  if (isatty(STDOUT_FILENO) == 0 || tcgetattr(STDIN_FILENO, &settings) != 0) {
    return fail("standard input and output are no terminal; --once prints a table");
  }
  before_ = settings;
  settings.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &settings);
  put(kEnter);
  return {};
}

void Terminal::leave() {
  if (!before_) return;
  put(kLeave);
  tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
  before_.reset();
}

Terminal::Size Terminal::size() const {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) {
    return {};
  }
  return {.columns = window.ws_col, .lines = window.ws_row};
}

void Terminal::draw(const std::vector<std::string>& lines, size_t bold) {
  const Size room = size();
  std::string screen = "\033[H";
  for (size_t i = 0; i < std::min(lines.size(), room.lines); ++i) {
    if (i > 0) screen += "\r\n";
    const std::string_view line = std::string_view(lines[i]).substr(0, room.columns);
    if (i == bold) screen += "\033[1m";
    screen += line;
    if (i == bold) screen += "\033[0m";
    screen += "\033[K";
  }
  put(screen + "\033[J");
}

}  // namespace tepui::cli
