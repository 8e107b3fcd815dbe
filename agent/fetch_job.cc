#include "agent/fetch_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace tepui {

namespace {

constexpr uint32_t kJobMagic = 0x31464a54;     // "TJF1"
constexpr uint32_t kAnswerMagic = 0x31464154;  // "TAF1"
constexpr uint32_t kProgressMagic = 0x31465054;
constexpr size_t kLengthBytes = 4;
constexpr size_t kGroupsMax = 65536;  // of the kernel

class Writer {
 public:
  void number(uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }
  void text(std::string_view value) {
    number(value.size(), 4);
    bytes_ += value;
  }
  void texts(const std::vector<std::string>& values) {
    number(values.size(), 4);
    for (const std::string& value : values) text(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// After a failure all that is read is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  uint64_t number(size_t bytes) {
    if (rest_.size() < bytes) return refuse();
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    }
    rest_.remove_prefix(bytes);
    return value;
  }
  bool flag() {
    const uint64_t value = number(1);
    if (value > 1) refuse();
    return value == 1;
  }
  // At most as many as can follow, each at least `bytes_each`.
  size_t count(size_t most, size_t bytes_each) {
    const uint64_t value = number(4);
    if (value > most || value > rest_.size() / bytes_each) return refuse();
    return static_cast<size_t>(value);
  }
  std::string text(size_t most) {
    const size_t size = count(most, 1);
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    if (value.find('\0') != std::string::npos) refuse();
    return value;
  }
  std::vector<std::string> texts(size_t most, size_t bytes_most) {
    std::vector<std::string> values(count(most, 4));
    for (std::string& value : values) value = text(bytes_most);
    return values;
  }
  bool finished() const { return !failed_ && rest_.empty(); }

 private:
  uint64_t refuse() {
    failed_ = true;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool failed_ = false;
};

Result<void> check(const FetchJob& job) {
  using Kind = FetchJob::Kind;
  if (job.kind == Kind::kFetch && (job.uri.empty() || job.stall_secs == 0)) {
    return fail("the job to fetch names no URI, or no time");
  }
  if (job.kind == Kind::kPlace && job.name.empty()) return fail("the job to place names no file");
  if (!job.sha256.empty() && !is_sha256(job.sha256)) return fail("the job's checksum is none");
  if (job.kind == Kind::kUnpack && !is_digest(job.digest)) {
    return fail("the job to unpack names no layer");
  }
  return {};
}

Result<FetchAnswer> check(FetchAnswer answer) {
  // It comes from who read what others wrote, and goes to people.
  for (char& c : answer.error) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (!answer.sha256.empty() && !is_sha256(answer.sha256)) return fail("the checksum is none");
  for (const ImageLayer& layer : answer.layers) {
    if (!is_digest(layer.digest)) return fail("the digest of a layer is none");
  }
  return answer;
}

void write(Writer& out, const FetchAnswer& answer) {
  out.number(kAnswerMagic, 4);
  out.text(std::string_view(answer.error).substr(0, limits::kStatusMessageBytesMax));
  out.number(answer.code, 4);
  out.number(answer.bytes, 8);
  out.text(answer.sha256);
  out.number(answer.layers.size(), 4);
  for (const ImageLayer& layer : answer.layers) {
    out.text(layer.digest);
    out.text(layer.media_type);
    out.number(layer.bytes, 8);
  }
  out.texts(answer.config.environment);
  out.texts(answer.config.entrypoint);
  out.texts(answer.config.command);
  out.text(answer.config.working_directory);
  out.text(answer.config.user);
  out.texts(answer.opaque);
}

FetchAnswer read_answer(Reader& in) {
  constexpr size_t kLayerBytesMin = 16;
  FetchAnswer answer;
  answer.error = in.text(limits::kStatusMessageBytesMax);
  answer.code = static_cast<uint32_t>(in.number(4));
  answer.bytes = in.number(8);
  answer.sha256 = in.text(limits::kLineBytesMax);
  answer.layers.resize(in.count(limits::kImageLayersMax, kLayerBytesMin));
  for (ImageLayer& layer : answer.layers) {
    layer.digest = in.text(limits::kLineBytesMax);
    layer.media_type = in.text(limits::kLineBytesMax);
    layer.bytes = in.number(8);
  }
  ImageConfig& config = answer.config;
  for (std::vector<std::string>* words :
       {&config.environment, &config.entrypoint, &config.command}) {
    *words = in.texts(limits::kImageWordsMax, limits::kImageJsonBytesMax);
  }
  config.working_directory = in.text(limits::kLineBytesMax);
  config.user = in.text(limits::kLineBytesMax);
  answer.opaque = in.texts(limits::kArchiveEntriesMax, limits::kLineBytesMax);
  return answer;
}

}  // namespace

bool is_sha256(std::string_view text) {
  constexpr size_t kDigits = 64;
  return text.size() == kDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_digest(std::string_view text) {
  constexpr std::string_view kAlgorithm = "sha256:";
  return text.starts_with(kAlgorithm) && is_sha256(text.substr(kAlgorithm.size()));
}

std::string encode(const FetchJob& job) {
  Writer out;
  out.number(kJobMagic, 4);
  out.number(static_cast<uint64_t>(job.kind), 1);
  out.number(job.uid, 4);
  out.number(job.gid, 4);
  out.number(job.groups.size(), 4);
  for (const uint32_t group : job.groups) out.number(group, 4);
  for (const std::string* text :
       {&job.uri, &job.name, &job.sha256, &job.reference, &job.digest, &job.media_type}) {
    out.text(*text);
  }
  for (const bool flag : {job.extract, job.executable, job.archive}) out.number(flag ? 1 : 0, 1);
  out.number(job.bytes_max, 8);
  out.number(job.stall_secs, 4);
  return out.take();
}

Result<FetchJob> decode_fetch_job(std::string_view bytes) {
  Reader in(bytes);
  if (in.number(4) != kJobMagic) return fail("this is no job");
  FetchJob job;
  const uint64_t kind = in.number(1);
  if (kind == 0 || kind >= kFetchJobKindCount) return fail("the job is of no kind that there is");
  job.kind = static_cast<FetchJob::Kind>(kind);
  job.uid = static_cast<uint32_t>(in.number(4));
  job.gid = static_cast<uint32_t>(in.number(4));
  job.groups.resize(in.count(kGroupsMax, 4));
  for (uint32_t& group : job.groups) group = static_cast<uint32_t>(in.number(4));
  for (std::string* text :
       {&job.uri, &job.name, &job.sha256, &job.reference, &job.digest, &job.media_type}) {
    *text = in.text(limits::kTextBytesMax);
  }
  for (bool* flag : {&job.extract, &job.executable, &job.archive}) *flag = in.flag();
  job.bytes_max = in.number(8);
  job.stall_secs = static_cast<uint32_t>(in.number(4));
  if (!in.finished()) return fail("the job is cut off, or has more than a job");
  TRY(check(job));
  return job;
}

std::string encode(const FetchReport& report) {
  Writer out;
  if (const auto* progress = std::get_if<FetchProgress>(&report)) {
    out.number(kProgressMagic, 4);
    out.number(progress->bytes, 8);
    out.number(progress->total, 8);
  } else {
    write(out, std::get<FetchAnswer>(report));
  }
  const std::string body = out.take();
  Writer whole;
  whole.text(body);
  return whole.take();
}

Result<std::optional<FetchReport>> FetchReports::next() {
  if (waiting_.size() < kLengthBytes) return std::nullopt;
  const uint64_t size = Reader(waiting_).number(kLengthBytes);
  if (size > limits::kFetchReportBytesMax) return fail("a report is longer than reports are");
  if (waiting_.size() - kLengthBytes < size) return std::nullopt;
  const std::string body = waiting_.substr(kLengthBytes, size);
  waiting_.erase(0, kLengthBytes + size);
  Reader in(body);
  const uint64_t magic = in.number(4);
  if (magic == kProgressMagic) {
    const FetchProgress progress{.bytes = in.number(8), .total = in.number(8)};
    if (!in.finished()) return fail("a report of progress is damaged");
    return progress;
  }
  if (magic != kAnswerMagic) return fail("this is no report");
  FetchAnswer answer = read_answer(in);
  if (!in.finished()) return fail("an answer is damaged");
  return TRY(check(std::move(answer)));
}

}  // namespace tepui
