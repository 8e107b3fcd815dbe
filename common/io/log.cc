#include "common/io/log.h"

#define SPDLOG_NO_EXCEPTIONS
#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "common/io/clock.h"
#include "common/text.h"

namespace tepui {

namespace {

constexpr Duration kFlushInterval = std::chrono::seconds(1);
constexpr size_t kFlushBytes = 16 << 10;
// What waits for a slow reader before lines are dropped.
constexpr size_t kWaitingBytesMax = 1 << 20;
// A pipe that polls as writable takes this much without blocking.
constexpr size_t kWriteBytes = 4096;

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return "debug";
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "";
}

std::string_view colour_of(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return "\x1b[2m";
    case Severity::kInfo:
      return "\x1b[32m";
    case Severity::kWarning:
      return "\x1b[33m";
    case Severity::kError:
      return "\x1b[31m";
  }
  return "";
}

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return spdlog::level::debug;
    case Severity::kInfo:
      return spdlog::level::info;
    case Severity::kWarning:
      return spdlog::level::warn;
    case Severity::kError:
      return spdlog::level::err;
  }
  return spdlog::level::off;
}

// The length of the well-formed UTF-8 character at the start of `text`, or 0.
size_t utf8_length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  size_t length = 0;
  if (lead >= 0xc2 && lead <= 0xdf) length = 2;
  if (lead >= 0xe0 && lead <= 0xef) length = 3;
  if (lead >= 0xf0 && lead <= 0xf4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Too long forms, surrogates, and what lies beyond Unicode.
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) ||
      (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) {
    return 0;
  }
  return length;
}

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = utf8_length(text);
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

bool is_plain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '=' && c != '\\';
  });
}

}  // namespace

std::string human_line(WallTime time, const LogRecord& record, Colour colour) {
  const bool coloured = colour == Colour::kOnTerminal;
  std::string line = to_text(time);
  line += ' ';
  if (coloured) line += colour_of(record.severity);
  line += fmt::format("{:<7}", name_of(record.severity));
  if (coloured) line += "\x1b[0m";
  line += fmt::format(" {:<22}", record.name);
  for (const auto& [name, value] : record.fields) {
    line += ' ';
    if (coloured) line += "\x1b[2m";
    line += name;
    line += '=';
    if (coloured) line += "\x1b[0m";
    if (is_plain(value)) {
      line += value;
    } else {
      append_quoted(line, value);
    }
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string json_line(WallTime time, const LogRecord& record) {
  std::string line = R"({"time":")" + to_text(time) + R"(","level":")";
  line += name_of(record.severity);
  line += R"(","event":)";
  append_quoted(line, record.name);
  for (const auto& [name, value] : record.fields) {
    line += ',';
    append_quoted(line, name);
    line += ':';
    append_quoted(line, value);
  }
  line += '}';
  return line;
}

// Collects lines, and writes them as far as the reader lets it.
class Log::Sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit Sink(int fd) : fd_(fd) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view line(message.payload.data(), message.payload.size());
    if (waiting_.size() + line.size() > kWaitingBytesMax) write_some();
    if (waiting_.size() + line.size() > kWaitingBytesMax) {
      ++dropped_;
      return;
    }
    if (dropped_ > 0) waiting_ += fmt::format("({} lines were dropped here)\n", dropped_);
    dropped_ = 0;
    waiting_ += line;
    waiting_ += '\n';
    if (waiting_.size() >= kFlushBytes) write_some();
  }

  void flush_() override { write_some(); }

 private:
  void write_some() {
    size_t done = 0;
    while (done < waiting_.size()) {
      pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
      if (poll(&ready, 1, 0) <= 0 || (ready.revents & POLLOUT) == 0) break;
      const size_t part = std::min(kWriteBytes, waiting_.size() - done);
      const ssize_t written = ::write(fd_, waiting_.data() + done, part);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) break;
      done += static_cast<size_t>(written);
    }
    waiting_.erase(0, done);
  }

  const int fd_;
  std::string waiting_;
  uint64_t dropped_ = 0;
};

struct Log::Logger {
  explicit Logger(const Options& options)
      : log("tepui", std::make_shared<Sink>(options.fd)),
        colour(options.colour == Colour::kOnTerminal && isatty(options.fd) == 1
                   ? Colour::kOnTerminal
                   : Colour::kNever) {
    log.set_level(level_of(options.level));
    log.flush_on(spdlog::level::warn);
  }

  spdlog::logger log;
  const Colour colour;
};

Log::Log(Options options) : options_(options), logger_(std::make_unique<Logger>(options)) {}

Log::~Log() { flush(); }

void Log::write(WallTime time, const LogRecord& record) {
  if (!wants(record.severity)) return;
  const std::string line = options_.format == LogFormat::kJson
                               ? json_line(time, record)
                               : human_line(time, record, logger_->colour);
  logger_->log.log(level_of(record.severity), spdlog::string_view_t(line));
}

void Log::write(const LogRecord& record) {
  if (wants(record.severity)) write(now().wall, record);
}

void Log::write(const Event& event) {
  // Most events are of no interest to a log, and describing one costs more than handling it.
  if (wants(severity_of(event))) write(describe(event));
}

void Log::flush() { logger_->log.flush(); }

void Log::flush_on(Reactor& reactor) {
  reactor_ = &reactor;
  on_time();
}

void Log::on_time() {
  flush();
  reactor_->set(flush_timer_, later(reactor_->now().mono, kFlushInterval));
}

std::vector<Option> Log::option_table() {
  return {
      {.name = "log-level",
       .fallback = "info",
       .help = "Write log lines of this severity and above to standard error.",
       .group = "Logging",
       .choices = {"debug", "info", "warning", "error"}},
      {.name = "log-format",
       .fallback = "human",
       .help = "human: for people, coloured on a terminal. json: one object per line.",
       .group = "Logging",
       .choices = {"human", "json"}},
  };
}

Log::Options Log::options(const Settings& settings) {
  Options options;
  options.format = settings.text("log-format") == "json" ? LogFormat::kJson : LogFormat::kHuman;
  for (const Severity each :
       {Severity::kDebug, Severity::kInfo, Severity::kWarning, Severity::kError}) {
    if (name_of(each) == settings.text("log-level")) options.level = each;
  }
  return options;
}

}  // namespace tepui
