#include "agent/update_streams.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "common/limits.h"

namespace tepui {

UpdateStreams::UpdateStreams(Retry retry, Rng rng) : retry_(retry), rng_(rng) {}

UpdateStreams::Stream& UpdateStreams::open(const FrameworkId& framework, const TaskId& task) {
  const auto [entry, fresh] = streams_.try_emplace(Key{framework, task});
  Stream& stream = entry->second;
  if (fresh) {
    stream.serial = next_serial_++;
    stream.key = &entry->first;
  }
  return stream;
}

bool UpdateStreams::append(Instant now, const FrameworkId& framework, TaskStatus status,
                           uint64_t serial) {
  CHECK(!status.uuid.is_nil());
  Stream& stream = open(framework, status.task_id);
  if (stream.terminal) return false;
  for (const Waiting& waiting : stream.waiting) {
    if (waiting.status.uuid == status.uuid) return false;
  }
  stream.terminal = is_terminal(status.state);
  stream.waiting.push_back({.status = std::move(status), .serial = serial});
  ++pending_;
  if (stream.waiting.size() == 1) begin(now, stream);
  return true;
}

void UpdateStreams::restore(const FrameworkId& framework, const TaskId& task, Forwarded forwarded,
                            const std::vector<TaskStatus>& waiting) {
  Stream& stream = open(framework, task);
  stream.forwarded = forwarded;
  for (const TaskStatus& status : waiting) {
    stream.terminal = is_terminal(status.state);
    stream.waiting.push_back({.status = status, .serial = 0});
    ++pending_;
  }
  stream.wait = retry_.min;
}

void UpdateStreams::begin(Instant now, Stream& stream) {
  stream.wait = retry_.min;
  if (!is_durable(stream.waiting.front())) {
    held_.emplace_back(stream.waiting.front().serial, *stream.key);
  } else if (!paused_) {
    set_due(stream, now);
  }
}

void UpdateStreams::on_durable(Instant now, uint64_t serial) {
  durable_ = std::max(durable_, serial);
  while (!held_.empty() && held_.front().first <= durable_) {
    const auto found = streams_.find(held_.front().second);
    held_.pop_front();
    if (found == streams_.end() || paused_) continue;
    Stream& stream = found->second;
    if (stream.waiting.empty() || !is_durable(stream.waiting.front())) continue;
    if (stream.due == kNever) set_due(stream, now);
  }
}

UpdateStreams::Ack UpdateStreams::acknowledge(Instant now, const FrameworkId& framework,
                                              const TaskId& task, Uuid uuid, uint64_t serial) {
  const auto found = streams_.find(Key{framework, task});
  if (found == streams_.end()) return Ack::kUnexpected;
  Stream& stream = found->second;
  if (stream.waiting.empty() || stream.waiting.front().status.uuid != uuid) {
    return Ack::kUnexpected;
  }
  stream.forwarded = Forwarded{.state = stream.waiting.front().status.state, .uuid = Uuid{}};
  stream.waiting.pop_front();
  --pending_;
  set_due(stream, kNever);
  if (stream.waiting.empty()) {
    if (!stream.terminal) return Ack::kTaken;
    streams_.erase(found);
    return Ack::kClosed;
  }
  stream.waiting.front().serial = std::max(stream.waiting.front().serial, serial);
  begin(now, stream);
  return Ack::kTaken;
}

void UpdateStreams::forget(const FrameworkId& framework) {
  auto entry = streams_.lower_bound(Key{framework, TaskId{}});
  while (entry != streams_.end() && entry->first.first == framework) {
    set_due(entry->second, kNever);
    pending_ -= entry->second.waiting.size();
    entry = streams_.erase(entry);
  }
}

void UpdateStreams::pause() {
  paused_ = true;
  due_.clear();
  for (auto& [key, stream] : streams_) stream.due = kNever;
}

void UpdateStreams::resume(Instant now) {
  paused_ = false;
  size_t position = 0;
  Instant due = now;
  for (auto& [key, stream] : streams_) {
    if (stream.waiting.empty() || !is_durable(stream.waiting.front())) continue;
    if (position++ % limits::kResumeGroup == 0) {
      due = later(now, Duration(rng_.between(0, limits::kResumeSpread.count())));
    }
    stream.wait = retry_.min;
    set_due(stream, due);
  }
}

std::vector<StatusUpdates::Item> UpdateStreams::take_due(Instant now, size_t max) {
  std::vector<StatusUpdates::Item> items;
  while (items.size() < max && !due_.empty() && due_.begin()->first.first <= now) {
    Stream& stream = *due_.begin()->second;
    const TaskStatus& head = stream.waiting.front().status;
    stream.forwarded = Forwarded{.state = head.state, .uuid = head.uuid};
    TaskState latest = head.state;
    for (const Waiting& waiting : stream.waiting) {
      if (is_durable(waiting)) latest = waiting.status.state;
    }
    items.push_back(StatusUpdates::Item{
        .framework_id = stream.key->first, .status = head, .latest_state = latest});
    set_due(stream, later(now, stream.wait));
    stream.wait = stream.wait > retry_.max / 2 ? retry_.max : stream.wait * 2;
  }
  return items;
}

Instant UpdateStreams::next_due() const {
  return due_.empty() ? kNever : due_.begin()->first.first;
}

bool UpdateStreams::contains(const FrameworkId& framework, const TaskId& task) const {
  return streams_.contains(Key{framework, task});
}

UpdateStreams::Forwarded UpdateStreams::forwarded(const FrameworkId& framework,
                                                  const TaskId& task) const {
  const auto found = streams_.find(Key{framework, task});
  return found == streams_.end() ? Forwarded{} : found->second.forwarded;
}

const TaskStatus* UpdateStreams::head(const FrameworkId& framework, const TaskId& task) const {
  const auto found = streams_.find(Key{framework, task});
  if (found == streams_.end() || found->second.waiting.empty()) return nullptr;
  return &found->second.waiting.front().status;
}

const TaskStatus* UpdateStreams::newest(const FrameworkId& framework, const TaskId& task) const {
  const auto found = streams_.find(Key{framework, task});
  if (found == streams_.end() || found->second.waiting.empty()) return nullptr;
  return &found->second.waiting.back().status;
}

Result<void> UpdateStreams::audit() const {
  size_t waiting = 0;
  size_t due = 0;
  for (const auto& [key, stream] : streams_) {
    waiting += stream.waiting.size();
    const bool must_be_due =
        !paused_ && !stream.waiting.empty() && is_durable(stream.waiting.front());
    if (must_be_due != (stream.due != kNever)) {
      return fail(fmt::format("the update stream of task '{}' has {} statuses and {} deadline",
                              key.second.value, stream.waiting.size(),
                              stream.due == kNever ? "no" : "a"));
    }
    if (stream.due != kNever) ++due;
    if (stream.waiting.empty() && stream.terminal) {
      return fail(fmt::format("the update stream of task '{}' should be closed", key.second.value));
    }
  }
  if (waiting != pending_) {
    return fail(fmt::format("{} statuses wait, but {} are counted", waiting, pending_));
  }
  if (due != due_.size()) {
    return fail(fmt::format("{} streams are due, but {} are listed", due, due_.size()));
  }
  return {};
}

void UpdateStreams::set_due(Stream& stream, Instant due) {
  if (stream.due != kNever) due_.erase({stream.due, stream.serial});
  stream.due = due;
  if (due != kNever) due_.emplace(std::pair{due, stream.serial}, &stream);
}

}  // namespace tepui
