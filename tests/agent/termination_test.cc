#include "agent/termination.h"

#include <gtest/gtest.h>

namespace tepui {
namespace {

using namespace std::chrono_literals;
using Step = Termination::Step;

const Instant kStart = Instant(100s);

TEST(Termination, AsksFirstAndForcesAfterTheGrace) {
  Termination end;
  EXPECT_FALSE(end.requested());
  EXPECT_EQ(end.request(kStart, KillCause::kRequested, 3s), Step::kTerminate);
  EXPECT_EQ(end.deadline(), kStart + 3s);
  EXPECT_EQ(end.on_time(kStart + 3s - 1ns), Step::kNone);
  EXPECT_EQ(end.on_time(kStart + 3s), Step::kKill);
  EXPECT_EQ(end.deadline(), kNever);
  EXPECT_EQ(end.on_time(kStart + 1h), Step::kNone);
}

TEST(Termination, ASecondRequestShortensTheGrace) {
  Termination end;
  end.request(kStart, KillCause::kRequested, 60s);
  EXPECT_EQ(end.request(kStart + 1s, KillCause::kRequested, 5s), Step::kNone);
  EXPECT_EQ(end.deadline(), kStart + 6s);
}

TEST(Termination, ASecondRequestNeverLengthensTheGrace) {
  Termination end;
  end.request(kStart, KillCause::kRequested, 5s);
  EXPECT_EQ(end.request(kStart + 1s, KillCause::kRequested, 60s), Step::kNone);
  EXPECT_EQ(end.deadline(), kStart + 5s);
}

TEST(Termination, WithoutGraceForcesAtOnce) {
  Termination end;
  EXPECT_EQ(end.request(kStart, KillCause::kRequested, 0s), Step::kKill);
  EXPECT_EQ(end.request(kStart, KillCause::kRequested, 0s), Step::kNone);
  EXPECT_EQ(end.deadline(), kNever);
}

TEST(Termination, TakesANegativeGraceForNone) {
  Termination end;
  EXPECT_EQ(end.request(kStart, KillCause::kRequested, -1s), Step::kKill);
}

TEST(Termination, AnEndlessGraceIsNeverOver) {
  Termination end;
  EXPECT_EQ(end.request(kStart, KillCause::kRequested, Duration::max()), Step::kTerminate);
  EXPECT_EQ(end.deadline(), kNever);
}

TEST(Termination, OfACommandThatIsNotTakenUpYetKeepsItsGrace) {
  Termination end;
  end.request_before_adoption(kStart, KillCause::kRequested, 3s);
  EXPECT_FALSE(end.during_launch());
  EXPECT_EQ(end.deadline(), kStart + 3s);
  // A second one may shorten it.
  end.request_before_adoption(kStart, KillCause::kRequested, 60s);
  EXPECT_EQ(end.deadline(), kStart + 3s);
  EXPECT_EQ(end.on_launched(), Step::kTerminate);
  EXPECT_EQ(end.on_launched(), Step::kNone);
  EXPECT_EQ(end.on_time(kStart + 3s), Step::kKill);
}

TEST(Termination, ThatWasAskedAtOnceDoesNotGetGraceWhileItIsTakenUp) {
  Termination end;
  end.resume(KillCause::kRequested, false, kNever);
  end.request_before_adoption(kStart, KillCause::kRequested, 3s);
  EXPECT_EQ(end.deadline(), kNever);
  EXPECT_EQ(end.on_launched(), Step::kKill);
}

TEST(Termination, DuringALaunchWaitsForItsEnd) {
  Termination end;
  end.request_at_launch(KillCause::kRequested);
  EXPECT_TRUE(end.requested());
  EXPECT_TRUE(end.during_launch());
  EXPECT_EQ(end.deadline(), kNever);
  EXPECT_EQ(end.on_launched(), Step::kKill);
  EXPECT_EQ(end.on_launched(), Step::kNone);
}

TEST(Termination, OfNobodyLetsALaunchedCommandLive) {
  Termination end;
  EXPECT_EQ(end.on_launched(), Step::kNone);
}

TEST(Termination, ARequestOutranksTheCompletionTimer) {
  Termination end;
  end.request(kStart, KillCause::kCompletionTime, 3s);
  EXPECT_EQ(end.cause(), KillCause::kCompletionTime);
  end.request(kStart, KillCause::kRequested, 3s);
  EXPECT_EQ(end.cause(), KillCause::kRequested);
  end.request(kStart, KillCause::kAgentShutdown, 3s);
  EXPECT_EQ(end.cause(), KillCause::kRequested);
}

TEST(Termination, OfAnEarlierLifeGoesOnWithItsDeadline) {
  Termination termination;
  termination.resume(KillCause::kRequested, false, Instant(10s));
  EXPECT_EQ(termination.on_launched(), Termination::Step::kTerminate) << "perhaps again";
  EXPECT_EQ(termination.on_launched(), Termination::Step::kNone);
  EXPECT_EQ(termination.on_time(Instant(9s)), Termination::Step::kNone);
  EXPECT_EQ(termination.on_time(Instant(10s)), Termination::Step::kKill);
}

TEST(Termination, OfAnEarlierLifeWithoutADeadlineIsDueAtOnce) {
  Termination termination;
  termination.resume(KillCause::kRequested, true, kNever);
  EXPECT_EQ(termination.on_launched(), Termination::Step::kKill);
}

}  // namespace
}  // namespace tepui
