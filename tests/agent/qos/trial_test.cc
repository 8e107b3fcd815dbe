#include "agent/qos/trial.h"

#include <gtest/gtest.h>

#include "common/io/document_entries.h"
#include "tests/agent/qos/colocated.h"

namespace tepui {
namespace {

OversightSettings settings(std::string_view toml) {
  const Result<Document> document = parse_toml(toml, "c.toml");
  EXPECT_TRUE(document.has_value());
  const Result<OversightSettings> read = read_oversight_settings(entries_of(document.value()));
  EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().message);
  return read.value();
}

constexpr std::string_view kPeak =
    "[oversubscription]\nestimator = \"peak\"\ncpu-predictor = \"percentile\"\n"
    "min-history = \"1mins\"\ngrowth-time = \"2mins\"\n";

// A recording in memory: a machine runs by itself, and what it says is told to a trial.
class Recorded {
 public:
  explicit Recorded(std::string_view toml, Duration horizon = std::chrono::minutes(5))
      : trial(settings(toml), horizon), machine_(profile_named("balanced").value(), 4000) {}

  Colocated::Guest& add(const std::string& id, bool revocable, int64_t wants_milli) {
    const Resources cpus =
        revocable ? revocable_resources("cpus", 2000) : Resources::scalars({{"cpus", 2000}});
    trial.on_container(Colocated::facts(id, cpus));
    return revocable ? machine_.add_revocable(id, wants_milli) : machine_.add_paid(id, wants_milli);
  }
  void seconds(int count) {
    for (int done = 0; done < count * 10; ++done) {
      machine_.tick();
      for (const auto& [id, guest] : machine_.guests) trial.on_sample(id, guest.sample);
      trial.on_sampled(machine_.now_);
    }
  }
  TrialResult result() const { return trial.result(); }

  Trial trial;

 private:
  Colocated machine_;
};

TEST(Trial, CountsWhatWouldHaveBeenLentAndDone) {
  Recorded recorded(kPeak);
  recorded.add("web", false, 500);
  recorded.seconds(1800);
  const TrialResult result = recorded.result();
  EXPECT_EQ(result.readings, 18'000u);
  EXPECT_NEAR(to_secs(result.span), 1800, 1);
  EXPECT_NEAR(result.allocated_cpu_secs, 3600, 10);
  EXPECT_GT(result.reclaimed(), 0.4);
  EXPECT_LT(result.reclaimed(), 0.76);
  EXPECT_GT(result.estimates, 90u);
  EXPECT_EQ(result.violations, 0u);
}

TEST(Trial, AnEstimateThatWasTooBoldIsAViolation) {
  Recorded recorded(kPeak);
  Colocated::Guest& web = recorded.add("web", false, 200);
  recorded.seconds(1200);
  web.wants_milli = 1900;
  recorded.seconds(600);
  const TrialResult result = recorded.result();
  EXPECT_GT(result.violations, 10u) << "those of the last five minutes before";
  EXPECT_LT(result.violations, result.estimates / 2);
  EXPECT_GT(result.severity, 0.2);
  EXPECT_LT(result.severity, 1.0);
}

TEST(Trial, SaysOfEachTaskHowItWouldHaveFared) {
  Recorded recorded("[qos]\nprofile = \"balanced\"\n");
  recorded.add("web", false, 2000);
  recorded.add("batch", true, 8000);
  recorded.seconds(60);
  const TrialResult result = recorded.result();
  const TrialResult::Task& web = result.tasks.at({"web"});
  const TrialResult::Task& batch = result.tasks.at({"batch"});
  EXPECT_EQ(web.steps, 0u);
  EXPECT_GT(web.suffered, std::chrono::seconds(50)) << "nothing changes in what was recorded";
  EXPECT_EQ(batch.suffered, Duration{});
  EXPECT_GT(batch.corrected, Duration{});
  EXPECT_GT(batch.steps, 0u);
  EXPECT_TRUE(batch.revocable);
  EXPECT_EQ(batch.name, "batch");
  EXPECT_GT(result.counts.nobody, 0u) << "what would have helped does not show";
}

TEST(Trial, TheSameRecordingGivesTheSameResult) {
  const auto run = [] {
    Recorded recorded{std::string(kPeak) + "[qos]\nprofile = \"conservative\"\n"};
    recorded.add("web", false, 2000);
    recorded.add("batch", true, 6000);
    recorded.seconds(120);
    return std::vector<QosDecision>(recorded.trial.decisions().begin(),
                                    recorded.trial.decisions().end());
  };
  const std::vector<QosDecision> first = run();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, run());
}

TEST(OversightSettings, OtherTablesAreRefused) {
  const Document document = parse_toml("[qos]\n[quality]\na = 1\n", "c.toml").value();
  const auto read = read_oversight_settings(entries_of(document));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().message,
            "line 3: there is no 'quality.a': expected the tables [qos] and [oversubscription]");
}

}  // namespace
}  // namespace tepui
