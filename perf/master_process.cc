#include "perf/master_process.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "common/io/clock.h"

namespace tepui::perf {

namespace {

constexpr Duration kPatience = std::chrono::seconds(30);

std::vector<std::string> command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), TEPUI_MASTER);
  arguments.emplace_back("--log-format=json");
  return arguments;
}

// The text of a field, as far as the bench needs it: nothing in it is escaped.
std::string field(const std::string& line, const std::string& name) {
  const std::string key = '"' + name + "\":\"";
  const size_t at = line.find(key);
  if (at == std::string::npos) return {};
  const size_t begin = at + key.size();
  return line.substr(begin, line.find('"', begin) - begin);
}

}  // namespace

MasterProcess::MasterProcess(std::vector<std::string> arguments, std::string log)
    : log_(std::move(log)), child_(Child::program(command(std::move(arguments)), log_)) {}

std::string MasterProcess::line_about(std::string_view event) const {
  std::ifstream file(log_);
  for (std::string line; std::getline(file, line);) {
    if (field(line, "event") == event) return line;
  }
  return {};
}

void MasterProcess::wait_for(std::string_view event) const {
  const Instant until = later(now().mono, kPatience);
  while (now().mono < until && child_.alive()) {
    if (!line_about(event).empty()) return;
    usleep(5000);
  }
  std::ifstream file(log_);
  const std::string said((std::istreambuf_iterator<char>(file)), {});
  throw std::runtime_error("the master did not start: " + said);
}

void MasterProcess::wait_until_it_listens() const { wait_for("master.listening"); }

void MasterProcess::wait_until_it_leads() const { wait_for("master.elected"); }

std::string MasterProcess::address() const {
  return field(line_about("master.listening"), "address");
}

std::optional<WallTime> MasterProcess::elected_at() const {
  const std::string time = field(line_about("master.elected"), "time");
  tm parts{};
  int millis = 0;
  if (std::sscanf(time.c_str(), "%d-%d-%dT%d:%d:%d.%dZ", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &millis) != 7) {
    return std::nullopt;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return WallTime(std::chrono::seconds(timegm(&parts)) + std::chrono::milliseconds(millis));
}

}  // namespace tepui::perf
