#include "agent/records_wire.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "common/limits.h"
#include "common/values_wire.h"
#include "schemas/memory_generated.h"

namespace tepui {

namespace {

constexpr uint16_t kFormat = 1;
constexpr int kKillCauseCount = static_cast<int>(KillCause::kPreempted) + 1;
constexpr std::string_view kAgentKey = "agent";
constexpr std::string_view kFrameworks = "frameworks/";
constexpr std::string_view kTasks = "tasks/";
constexpr std::string_view kCourses = "courses/";
constexpr std::string_view kStatuses = "statuses/";
constexpr std::string_view kExecutors = "executors/";

std::string key_of(std::string_view folder, uint64_t number) {
  return fmt::format("{}{:020}", folder, number);
}

std::string status_key(uint64_t task, uint64_t number) {
  return fmt::format("{}{:020}/{:020}", kStatuses, task, number);
}

// Writes a value and the entry around it: write_value(writer) answers the table it wrote.
template <class WriteValue>
std::string encode(WriteValue write_value) {
  WireWriter out;
  out.begin();
  const auto erase = []<class Table>(Offset<Table> table) {
    // A copy: the generated constant has no address to bind to.
    const wire::MemoryValue type = wire::MemoryValueTraits<Table>::enum_value;
    return std::pair(type, table.Union());
  };
  const auto [type, value] = erase(write_value(out));
  const auto text = out.finish_text();
  wire::FinishMemoryEntryBuffer(out.builder(),
                                wire::CreateMemoryEntry(out.builder(), kFormat, text, type, value));
  const auto* bytes = reinterpret_cast<const char*>(out.builder().GetBufferPointer());
  return std::string(bytes, out.builder().GetSize());
}

// Verifies the entry, then lets read_value(reader, value) answer.
template <class Value, class ReadValue>
Result<AgentRecord> decode(std::string_view bytes, ReadValue read_value) {
  std::vector<uint64_t> aligned(bytes.size() / sizeof(uint64_t) + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const auto* data = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = limits::kVerifierDepthMax;
  options.max_tables = limits::kVerifierTablesMax;
  flatbuffers::Verifier verifier(data, bytes.size(), options);
  if (!wire::VerifyMemoryEntryBuffer(verifier)) {
    return fail(fmt::format("the {} bytes are not an entry of an agent's memory", bytes.size()));
  }
  const wire::MemoryEntry& entry = *wire::GetMemoryEntry(data);
  if (entry.format() != kFormat) {
    return fail(fmt::format("entry has format {}, this program reads {}", entry.format(), kFormat));
  }
  const Value* value = entry.value_as<Value>();
  if (value == nullptr) return fail("entry holds another kind of value than its key says");
  WireReader in(entry.text());
  AgentRecord record = read_value(in, *value);
  if (!in.ok()) return std::unexpected(in.take_error());
  return record;
}

// ------------------------------------------------------------------------------------- encoding

std::string encode_identity(const record::Identity& one) {
  return encode([&one](WireWriter& out) {
    const auto info = write(out, one.info);
    wire::IdentityRecordBuilder table(out.builder());
    table.add_info(info);
    table.add_boot_id(out.field(one.ground.boot_id));
    table.add_runtime_dir(out.field(one.ground.runtime_dir));
    table.add_cgroup_root(out.field(one.ground.cgroup_root));
    return table.Finish();
  });
}

std::string encode_framework(const record::Framework& one) {
  return encode([&one](WireWriter& out) {
    return wire::CreateFrameworkRecord(out.builder(), write(out, one.info), one.shutting_down);
  });
}

std::string encode_task(const record::Task& one) {
  return encode([&one](WireWriter& out) {
    const auto task = write(out, one.task);
    out.spec(one.spec.get());
    const auto spec = write_specs(out);
    wire::TaskRecordBuilder table(out.builder());
    table.add_framework(one.framework);
    table.add_task(task);
    table.add_spec(spec);
    table.add_executor_id(out.field(one.executor_id.value));
    table.add_sandbox(out.field(one.sandbox));
    table.add_custom(one.custom);
    table.add_parent(out.field(one.parent.value));
    table.add_group(out.field(one.group));
    return table.Finish();
  });
}

std::string encode_course(const record::Course& one) {
  return encode([&one](WireWriter& out) {
    wire::TaskStatus status;
    Offset<wire::StatusExtra> extra = 0;
    if (one.acknowledged) {
      status = write(out, *one.acknowledged);
      extra = write_extra(out, *one.acknowledged, 0);
    }
    wire::CourseRecordBuilder table(out.builder());
    if (one.acknowledged) table.add_acknowledged(&status);
    table.add_kill_cause(static_cast<uint8_t>(one.kill_cause));
    table.add_killed_during_launch(one.killed_during_launch);
    if (one.kill_at != kNever) table.add_kill_at_ns(to_ns(one.kill_at));
    if (one.complete_by != kNever) table.add_complete_by_ns(to_ns(one.complete_by));
    table.add_acknowledged_extra(extra);
    return table.Finish();
  });
}

std::string encode_status(const record::Status& one) {
  return encode([&one](WireWriter& out) {
    const wire::TaskStatus status = write(out, one.status);
    const auto extra = write_extra(out, one.status, 0);
    return wire::CreateStatusRecord(out.builder(), &status, extra);
  });
}

std::string encode_executor(const record::Executor& one) {
  return encode([&one](WireWriter& out) {
    const auto executor = write(out, one.info);
    wire::ExecutorRecordBuilder table(out.builder());
    table.add_framework(one.framework);
    table.add_executor(executor);
    table.add_role(out.field(one.role));
    table.add_container_id(out.field(one.container_id.value));
    return table.Finish();
  });
}

struct Encode {
  std::vector<StoreWrite> operator()(const record::Identity& one) const {
    return {{.key = std::string(kAgentKey), .value = encode_identity(one)}};
  }
  std::vector<StoreWrite> operator()(const record::IdentityForgotten&) const {
    return {{.key = std::string(kAgentKey), .value = {}}};
  }
  std::vector<StoreWrite> operator()(const record::Framework& one) const {
    return {{.key = key_of(kFrameworks, one.number), .value = encode_framework(one)}};
  }
  std::vector<StoreWrite> operator()(const record::FrameworkForgotten& one) const {
    return {{.key = key_of(kFrameworks, one.number), .value = {}}};
  }
  std::vector<StoreWrite> operator()(const record::Task& one) const {
    return {{.key = key_of(kTasks, one.number), .value = encode_task(one)}};
  }
  std::vector<StoreWrite> operator()(const record::TaskGroup& one) const {
    std::vector<StoreWrite> writes;
    for (const record::Task& task : one.tasks) {
      writes.push_back({.key = key_of(kTasks, task.number), .value = encode_task(task)});
    }
    return writes;
  }
  std::vector<StoreWrite> operator()(const record::TaskForgotten& one) const {
    std::vector<StoreWrite> writes = {{.key = key_of(kTasks, one.task), .value = {}},
                                      {.key = key_of(kCourses, one.task), .value = {}}};
    for (uint64_t number = one.first_status; number <= one.last_status; ++number) {
      writes.push_back({.key = status_key(one.task, number), .value = {}});
    }
    return writes;
  }
  std::vector<StoreWrite> operator()(const record::Course& one) const {
    return {{.key = key_of(kCourses, one.task), .value = encode_course(one)}};
  }
  std::vector<StoreWrite> operator()(const record::Status& one) const {
    return {{.key = status_key(one.task, one.number), .value = encode_status(one)}};
  }
  std::vector<StoreWrite> operator()(const record::Acknowledged& one) const {
    return {{.key = key_of(kCourses, one.course.task), .value = encode_course(one.course)},
            {.key = status_key(one.course.task, one.number), .value = {}}};
  }
  std::vector<StoreWrite> operator()(const record::Executor& one) const {
    return {{.key = key_of(kExecutors, one.number), .value = encode_executor(one)}};
  }
  std::vector<StoreWrite> operator()(const record::ExecutorForgotten& one) const {
    return {{.key = key_of(kExecutors, one.number), .value = {}}};
  }
};

// ------------------------------------------------------------------------------------- decoding

Result<AgentRecord> decode_identity(std::string_view value) {
  return decode<wire::IdentityRecord>(value, [](WireReader& in, const wire::IdentityRecord& one) {
    return record::Identity{
        .info = read(in, one.info(), WirePath{.field = "info"}),
        .ground = {.boot_id = in.line(one.boot_id(), WirePath{.field = "boot_id"}),
                   .runtime_dir = in.line(one.runtime_dir(), WirePath{.field = "runtime_dir"}),
                   .cgroup_root = in.line(one.cgroup_root(), WirePath{.field = "cgroup_root"})}};
  });
}

Result<AgentRecord> decode_framework(uint64_t number, std::string_view value) {
  return decode<wire::FrameworkRecord>(
      value, [number](WireReader& in, const wire::FrameworkRecord& one) {
        return record::Framework{.number = number,
                                 .info = read(in, one.info(), WirePath{.field = "info"}),
                                 .shutting_down = one.shutting_down()};
      });
}

Result<AgentRecord> decode_task(uint64_t number, std::string_view value) {
  return decode<wire::TaskRecord>(value, [number](WireReader& in, const wire::TaskRecord& one) {
    Specs specs = read(in, one.spec(), WirePath{.field = "spec"});
    if (specs.size() != 1) in.fail(WirePath{.field = "spec"}, "must be one");
    return record::Task{
        .number = number,
        .framework = one.framework(),
        .task = read(in, one.task(), WirePath{.field = "task"}),
        .spec = specs.empty() ? nullptr : std::move(specs.front()),
        .executor_id = in.id<ExecutorId>(one.executor_id(), WirePath{.field = "executor_id"}),
        .sandbox = in.line(one.sandbox(), WirePath{.field = "sandbox"}),
        .custom = one.custom(),
        .parent = in.optional_id<ContainerId>(one.parent(), WirePath{.field = "parent"}),
        .group = in.line(one.group(), WirePath{.field = "group"})};
  });
}

Result<AgentRecord> decode_course(uint64_t task, std::string_view value) {
  return decode<wire::CourseRecord>(value, [task](WireReader& in, const wire::CourseRecord& one) {
    record::Course course{.task = task,
                          .acknowledged = {},
                          .kill_cause = in.enumeration<KillCause>(one.kill_cause(), kKillCauseCount,
                                                                  WirePath{.field = "kill_cause"}),
                          .killed_during_launch = one.killed_during_launch()};
    if (one.acknowledged() != nullptr) {
      course.acknowledged =
          read(in, *one.acknowledged(), TaskIds::kValid, WirePath{.field = "acknowledged"});
      read_extra(in, one.acknowledged_extra(), *course.acknowledged,
                 WirePath{.field = "acknowledged_extra"});
    }
    if (one.kill_at_ns()) course.kill_at = Instant(Duration(*one.kill_at_ns()));
    if (one.complete_by_ns()) course.complete_by = Instant(Duration(*one.complete_by_ns()));
    return course;
  });
}

Result<AgentRecord> decode_status(uint64_t task, uint64_t number, std::string_view value) {
  return decode<wire::StatusRecord>(
      value, [task, number](WireReader& in, const wire::StatusRecord& one) {
        record::Status status{.task = task, .number = number, .status = {}};
        if (one.status() == nullptr) {
          in.fail(WirePath{.field = "status"}, "must be there");
        } else {
          status.status = read(in, *one.status(), TaskIds::kValid, WirePath{.field = "status"});
          read_extra(in, one.extra(), status.status, WirePath{.field = "extra"});
        }
        return status;
      });
}

Result<AgentRecord> decode_executor(uint64_t number, std::string_view value) {
  return decode<wire::ExecutorRecord>(value, [number](WireReader& in,
                                                      const wire::ExecutorRecord& one) {
    return record::Executor{
        .number = number,
        .framework = one.framework(),
        .info = read_executor(in, one.executor(), WirePath{.field = "executor"}),
        .role = in.line(one.role(), WirePath{.field = "role"}),
        .container_id = in.id<ContainerId>(one.container_id(), WirePath{.field = "container_id"})};
  });
}

// Takes a number off the front.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

}  // namespace

std::vector<StoreWrite> encode_record(const AgentRecord& record) {
  return std::visit(Encode{}, record);
}

Result<AgentRecord> decode_record(std::string_view key, std::string_view value) {
  if (key == kAgentKey) return decode_identity(value);
  const size_t slash = key.find('/');
  const std::string_view folder = key.substr(0, slash == key.npos ? 0 : slash + 1);
  std::string_view rest = key.substr(folder.size());
  const std::optional<uint64_t> number = take_number(rest);
  if (number && rest.empty()) {
    if (folder == kFrameworks) return decode_framework(*number, value);
    if (folder == kTasks) return decode_task(*number, value);
    if (folder == kCourses) return decode_course(*number, value);
    if (folder == kExecutors) return decode_executor(*number, value);
  }
  if (number && folder == kStatuses && rest.starts_with('/')) {
    rest.remove_prefix(1);
    const std::optional<uint64_t> second = take_number(rest);
    if (second && rest.empty()) return decode_status(*number, *second, value);
  }
  return fail("no such key is known to this program");
}

Result<RecoveredAgent> decode_memory(const StoreContents& contents) {
  std::vector<AgentRecord> records;
  records.reserve(contents.size());
  for (const auto& [key, value] : contents) {
    Result<AgentRecord> record = decode_record(key, value);
    if (!record) return std::unexpected(std::move(record).error().in(fmt::format("'{}'", key)));
    records.push_back(*std::move(record));
  }
  return recall(records);
}

}  // namespace tepui
