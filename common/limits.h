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
// What one message may unfold to in memory; text and tables can be referred to more than once. The
// fullest honest message, a re-registration of a whole frame, takes less than half.
inline constexpr size_t kDecodedBytesMax = 128 << 20;
static_assert(kDecodedBytesMax >= 8 * size_t{kFrameBytesMax});
// A name, an address, a path; and what people write in scripts, arguments, environment and labels.
inline constexpr size_t kLineBytesMax = 4096;
inline constexpr size_t kTextBytesMax = 1 << 20;

// Links. What is queued to one peer before it counts as congested (it gets no more offers), and
// before the link is closed, to be healed by registering again.
inline constexpr size_t kLinkCongestedBytes = 4 << 20;
inline constexpr size_t kLinkQueueBytesMax = 64 << 20;
static_assert(kLinkQueueBytesMax >= 2 * size_t{kFrameBytesMax});
inline constexpr uint32_t kSessionsPerLinkMax = 4096;
// Received and not yet looked at, because the link used up its part of the turn; above this the
// link is not read from until it caught up, and the peer feels it.
inline constexpr size_t kLinkBacklogBytes = 1 << 20;
// Links of one transport; more are accepted and closed at once.
inline constexpr uint32_t kLinksMax = 65536;
// Of a goodbye's reason.
inline constexpr size_t kGoodbyeBytesMax = 1024;

// A silent link is asked (ping) after the first time and closed after the second.
inline constexpr Duration kLinkIdlePing = 5s;
inline constexpr Duration kLinkDead = 15s;
// A connect that has not succeeded by then has failed: 3 repeats of a lost SYN (1, 2, 4 s) fit.
inline constexpr Duration kConnectTimeout = 8s;
// After our goodbye the peer has this long to read it and close its side.
inline constexpr Duration kLinkLinger = 2s;
// First and last bound of the wait between two attempts to connect; the wait is drawn uniformly
// between a quarter of the bound and the bound.
inline constexpr Duration kConnectBackoffMin = 50ms;
inline constexpr Duration kConnectBackoffMax = 5s;

// One turn of a shell: after the first time it looks at no more completions, after the second at
// nothing more that may wait; what is left has its place in the next turn, after the core has worked
// and what it said has left. Nobody waits for the thousands who came at once.
inline constexpr Duration kTurnUrgent = 2ms;
inline constexpr Duration kTurnInput = 4ms;
// One turn of a shell: no more than this many frames of one link before the others have theirs.
inline constexpr int kFramesPerTurn = 256;

inline constexpr uint32_t kOfferBatchMax = 1024;   // offers in one message
inline constexpr uint32_t kUpdateBatchMax = 1024;  // statuses in one message, 4 kB each at most
// Launches of one agent are cut into messages of about this size, well below a frame.
inline constexpr size_t kLaunchBatchBytes = 2 << 20;
inline constexpr uint32_t kAcceptOffersMax = 1024;  // offers named by one accept
inline constexpr uint32_t kLaunchTasksMax = 16384;  // tasks in one accept
inline constexpr uint32_t kOperationsMax = 4096;    // operations in one accept or message
inline constexpr uint32_t kReadFileMax = 1 << 20;   // bytes of one ReadFile
inline constexpr uint32_t kListPartRows = 1024;     // rows in one part of a ListReply

// Status updates: first repeat and the longest wait between repeats, as in Mesos.
inline constexpr Duration kUpdateRetryMin = 10s;
inline constexpr Duration kUpdateRetryMax = 10min;
// After a re-registration the waiting heads leave in groups, each at a moment drawn from the
// spread.
inline constexpr size_t kResumeGroup = 64;
inline constexpr Duration kResumeSpread = 500ms;

// Agent. Containers that are being launched at once: enough to hide the two durable steps of a
// launch, few enough that starting them all fits one turn. Others wait in TASK_STAGING.
inline constexpr uint32_t kLaunchesInFlightMax = 16;
// The same, of those that need something fetched or unpacked first: each holds a thread and mostly
// a process. They do not count above: what waits for a slow network keeps nothing else waiting.
inline constexpr uint32_t kFetchesInFlightMax = 16;
// Fetching for tasks. What one report of the helper may say: the directories of a large layer.
inline constexpr size_t kFetchReportBytesMax = 64 << 20;
// Bounds of one archive or layer: a distribution's root has some 100,000 entries. What grows by
// more than the ratio once it is large is a bomb; text of zeroes that people do pack is small.
inline constexpr size_t kArchiveEntriesMax = 1 << 20;
inline constexpr uint64_t kArchiveRatioMax = 200;
inline constexpr uint64_t kArchiveRatioFrom = uint64_t{256} << 20;
// What tepui-fetch may take of the machine: of memory the windows of zstd and xz need most.
inline constexpr uint64_t kFetchMemoryBytesMax = uint64_t{2} << 30;
inline constexpr uint64_t kFetchCpuSecsMax = 1800;
inline constexpr long kFetchRedirectsMax = 10;
inline constexpr Duration kFetchConnectTimeout = 30s;
// Images. overlayfs takes 500 lower directories; words of an entry point or an environment; an
// index, a manifest or a configuration.
inline constexpr size_t kImageLayersMax = 500;
inline constexpr size_t kImageWordsMax = 4096;
inline constexpr size_t kImageJsonBytesMax = 4 << 20;
// What a master says while the agent makes an operation durable waits in order; an agent whose disk
// is so slow that more than this waits registers again.
inline constexpr size_t kMessagesHeldMax = 4096;
// Operations of one agent that nobody acknowledged; with more, further ones are refused.
inline constexpr size_t kAgentOperationsMax = 4096;
// Sandboxes of ended tasks that can still be read by name.
inline constexpr size_t kEndedSandboxesMax = 4096;
// Reads of sandbox files under way: of one operator's session, and of all together.
inline constexpr size_t kSandboxReadsPerSession = 4;
inline constexpr size_t kSandboxReadsMax = 64;
// A master that does not answer Hello for so long is left.
inline constexpr Duration kGreetingTimeout = 10s;
// How long a stopping agent whose tasks are dead waits for the last acknowledgements.
inline constexpr Duration kShutdownAckWait = 1s;

// Kills and reconciliations a scheduler keeps while it is not subscribed; later ones are dropped.
inline constexpr size_t kSchedulerKeptCallsMax = 65536;

// Weights of roles, in thousandths: shares times weights stay far from an overflow.
inline constexpr int64_t kWeightMilliMax = 1'000'000'000;
// What one command of an operator may name: roles, machines.
inline constexpr size_t kCommandItemsMax = 10000;

// Filters.
inline constexpr Duration kFilterDefault = 5s;
inline constexpr Duration kFilterMax = 24h * 365;
// Pairs of a framework's role and an agent whose returns in a row are counted, at some 400 bytes
// each. While the table is full, a new pair takes the place of the one that returned nothing for
// longest, if that is so long ago; else its returns are not counted.
inline constexpr size_t kUnusedReturnsMax = 1 << 18;
inline constexpr Duration kUnusedReturnsKept = 10min;

// Offer constraints and minimum sets of one framework: what a scheduler with hundreds of
// applications needs. Regular expressions cost the master memory and time for each agent, so they
// are fewer, and each is bounded in what it may compile to.
inline constexpr size_t kConstraintsMax = 1024;
inline constexpr size_t kConstraintRegexesMax = 64;
inline constexpr int kConstraintRegexProgramMax = 200;
inline constexpr int64_t kConstraintRegexBytesMax = 16 << 10;
inline constexpr uint32_t kConstraintIndexMax = 1000;
inline constexpr size_t kMinAllocatableSetsMax = 64;

// Resources. One amount may be 10^11 units (100 PB of disk), so that the sum over 50,000 agents
// still fits in an int64. Names stay short since they are labels of metrics.
inline constexpr int64_t kScalarMilliMax = 100'000'000'000'000;
inline constexpr uint32_t kSharesMax = 1 << 20;
// Entries of one Resources value on the wire; their sum must not overflow before it is checked.
inline constexpr size_t kResourceItemsMax = 1 << 16;
static_assert(kScalarMilliMax <= INT64_MAX / int64_t{kResourceItemsMax});
inline constexpr size_t kResourceNameBytesMax = 255;
// A file of resources as people write it.
inline constexpr size_t kResourceFileBytesMax = 4 << 20;
// Free text of an info that people read: names, hosts, addresses.
inline constexpr size_t kInfoTextBytesMax = 4096;

// Completed objects the reader remembers.
inline constexpr size_t kCompletedFrameworksMax = 50;
inline constexpr size_t kCompletedTasksMax = 20000;
inline constexpr size_t kWatchersMax = 1000;

// One record of the registry's log: a snapshot of 100,000 agents with long attributes fits.
inline constexpr size_t kLogRecordBytesMax = size_t{1} << 30;

// ZooKeeper. Its own port; ensembles have 3 to 7 servers.
inline constexpr uint16_t kZkPort = 2181;
inline constexpr size_t kZkServersMax = 64;
// Nodes and transactions of the registry. A server takes 1 MB in one request. A node is written
// whole when one key in it changes, so it holds some dozens of agents; a transaction costs the
// ensemble a sync whatever its size, so it may hold many nodes. A value longer than a piece is cut.
inline constexpr size_t kZkNodeBytesMax = 512 << 10;
inline constexpr size_t kZkShardBytes = 16 << 10;
inline constexpr size_t kZkPieceBytes = 256 << 10;
inline constexpr size_t kZkChunkBytes = 400 << 10;
inline constexpr size_t kZkMultiBytesMax = 800 << 10;
inline constexpr size_t kZkMultiOpsMax = 1000;
// Nodes that are asked for at once while the registry is read.
inline constexpr size_t kZkReadsInFlight = 64;
// After an answer that nobody expected, and after giving up leadership: the wait before the next
// attempt.
inline constexpr Duration kZkRetry = 1s;
inline constexpr Duration kContendPause = 3s;
// What a leader's node may hold; masters that stand for election at once.
inline constexpr size_t kMasterInfoBytesMax = 64 << 10;
inline constexpr size_t kContendersMax = 1024;
// Requests under way and answers that wait for the loop, of one client.
inline constexpr size_t kZkInFlightMax = 256;

// One record of a journal: a message, or an entry of the registry, with what stands around it.
inline constexpr size_t kJournalRecordBytesMax = size_t{64} << 20;
static_assert(kJournalRecordBytesMax >= 2 * size_t{kFrameBytesMax});

// What may wait for a journal's disk: some seconds of a busy master. Beyond it the journal ends.
inline constexpr size_t kJournalWaitingBytesMax = size_t{256} << 20;

// What may wait for a recording's disk: a minute of a thousand busy containers, ten times a second.
// Beyond it samplings are left out.
inline constexpr size_t kRecordingWaitingBytesMax = size_t{16} << 20;

// Readers over HTTP at one time, what one may send before its answer, and how long all of it may
// take.
inline constexpr size_t kHttpConnectionsMax = 64;
inline constexpr size_t kHttpRequestBytesMax = 8 << 10;
inline constexpr Duration kHttpTimeout = 10s;

// Keys that a shell may add to the metrics: a few per link, resource and role.
inline constexpr size_t kMetricKeysMax = 10000;

// Registry lists of agents that left, as in Mesos.
inline constexpr size_t kUnreachableMax = 102400;
inline constexpr size_t kGoneMax = 102400;
// Agents removed and frameworks ended under this leader, whose ids are refused.
inline constexpr size_t kDepartedIdsMax = 102400;

inline constexpr size_t kStatusMessageBytesMax = 4096;
inline constexpr size_t kTaskDataBytesMax = 1 << 20;

// Free messages between framework and executor; what a task reports of its own in a status, of
// which a thousand fit one frame.
inline constexpr size_t kMessageDataBytesMax = 1 << 20;
inline constexpr size_t kStatusDataBytesMax = 8 << 10;
// Of a group; its members start together.
inline constexpr size_t kGroupTasksMax = 1024;
// What an executor says before the agent has let it subscribe, or has not taken from it yet.
inline constexpr size_t kExecutorUpdatesMax = 16384;
// How long an executor that ends waits for the agent to take its last updates, as in Mesos.
inline constexpr Duration kExecutorFarewell = 60s;
// Between its attempts to reach an agent that is away: well within the agent's patience for it (2
// s) after a restart. On one machine an attempt costs nothing.
inline constexpr Duration kExecutorBackoffMax = 500ms;

}  // namespace tepui::limits
