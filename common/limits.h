#pragma once
// Every bound of the system, with its reason. Nothing grows without one.
//
// Pure.

#include <cstddef>
#include <cstdint>

#include "common/time.h"

namespace tepui::limits {

using namespace std::chrono_literals;

// Frames. A re-registration with some ten thousand tasks fits; a peer that announces more is wrong.
inline constexpr uint32_t kFrameBytesMax = 16 << 20;
// FlatBuffers verifier: our schemas nest five levels; a table takes at least 4 bytes.
inline constexpr uint32_t kVerifierDepthMax = 16;
inline constexpr uint32_t kVerifierTablesMax = 1 << 20;

// Links. What is queued to one peer before it counts as congested (it gets no more offers), and
// before the link is closed, to be healed by registering again.
inline constexpr size_t kLinkCongestedBytes = 4 << 20;
inline constexpr size_t kLinkQueueBytesMax = 64 << 20;
static_assert(kLinkQueueBytesMax >= 2 * size_t{kFrameBytesMax});
inline constexpr uint32_t kSessionsPerLinkMax = 4096;

// A silent link is asked (ping) after the first time and closed after the second.
inline constexpr Duration kLinkIdlePing = 5s;
inline constexpr Duration kLinkDead = 15s;
// First and last wait between two attempts to connect; each is drawn uniformly up to the bound.
inline constexpr Duration kConnectBackoffMin = 50ms;
inline constexpr Duration kConnectBackoffMax = 5s;

// One turn of a shell: no more than this many frames of one link before the others have theirs.
inline constexpr int kFramesPerTurn = 256;

inline constexpr uint32_t kOfferBatchMax = 1024;    // offers in one message
inline constexpr uint32_t kAcceptOffersMax = 1024;  // offers named by one accept
inline constexpr uint32_t kLaunchTasksMax = 16384;  // tasks in one accept
inline constexpr uint32_t kReadFileMax = 1 << 20;   // bytes of one ReadFile
inline constexpr uint32_t kListPartRows = 1024;     // rows in one part of a ListReply

// Status updates: first repeat and the longest wait between repeats, as in Mesos.
inline constexpr Duration kUpdateRetryMin = 10s;
inline constexpr Duration kUpdateRetryMax = 10min;

// Kills and reconciliations a scheduler keeps while it is not subscribed; later ones are dropped.
inline constexpr size_t kSchedulerKeptCallsMax = 65536;

// Filters.
inline constexpr Duration kFilterDefault = 5s;
inline constexpr Duration kFilterMax = 24h * 365;

// Resources. One amount may be 10^11 units (100 PB of disk), so that the sum over 50,000 agents
// still fits in an int64. Names stay short since they are labels of metrics.
inline constexpr int64_t kScalarMilliMax = 100'000'000'000'000;
inline constexpr uint32_t kSharesMax = 1 << 20;
inline constexpr size_t kResourceNameBytesMax = 255;
// Free text of an info that people read: names, hosts, addresses.
inline constexpr size_t kInfoTextBytesMax = 4096;

// Completed objects the reader remembers.
inline constexpr size_t kCompletedFrameworksMax = 50;
inline constexpr size_t kCompletedTasksMax = 20000;
inline constexpr size_t kWatchersMax = 1000;

// One record of the registry's log: a snapshot of 100,000 agents with long attributes fits.
inline constexpr size_t kLogRecordBytesMax = size_t{1} << 30;

// Keys that a shell may add to the metrics: a few per link, resource and role.
inline constexpr size_t kMetricKeysMax = 10000;

// Registry lists of agents that left, as in Mesos.
inline constexpr size_t kUnreachableMax = 102400;

inline constexpr size_t kStatusMessageBytesMax = 4096;
inline constexpr size_t kTaskDataBytesMax = 1 << 20;

}  // namespace tepui::limits
