// Goal: what a machine does not permit is found out, and said so that its operator can change it.
// Method: the limit on user namespaces is one of each user namespace, so the test sets it in one of
// its own, in a process of its own.

#include "agent/linux/confinement_probe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "common/io/fd.h"

namespace tepui {
namespace {

bool write_to(const char* path, const std::string& text) {
  const Fd file(open(path, O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// What is found missing of user namespaces in one in which there may be so many more.
std::string found_where_there_may_be(int more) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Fd from(ends[0]);
  Fd to(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    std::string said = "the test could not prepare it";
    if (unshare(CLONE_NEWUSER) == 0 && write_to("/proc/self/uid_map", "0 0 1\n") &&
        write_to("/proc/self/setgroups", "deny") && write_to("/proc/self/gid_map", "0 0 1\n") &&
        write_to("/proc/sys/user/max_user_namespaces", std::to_string(more))) {
      IsolatorSet wanted;
      put(wanted, Isolator::kUserNamespace);
      said.clear();
      for (const MissingIsolator& one : find_missing_confinement(wanted)) {
        said += std::string(to_text(one.isolator)) + ": " + one.why;
      }
    }
    _exit(write(to.get(), said.data(), said.size()) < 0);
  }
  to.reset();
  std::string said;
  char part[256];
  for (ssize_t bytes = 0; (bytes = read(from.get(), part, sizeof part)) > 0;) {
    said.append(part, static_cast<size_t>(bytes));
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return said;
}

TEST(ConfinementProbe, FindsThatNoUserNamespaceIsPermitted) {
  IsolatorSet wanted;
  put(wanted, Isolator::kUserNamespace);
  if (!find_missing_confinement(wanted).empty()) GTEST_SKIP() << "this machine permits none";
  EXPECT_EQ(found_where_there_may_be(0),
            "namespaces/user: making a namespace of users failed: No space left on device (see the "
            "limits in /proc/sys/user)");
  EXPECT_EQ(found_where_there_may_be(1), "");
}

TEST(ConfinementProbe, LooksOnlyForWhatIsWanted) {
  EXPECT_TRUE(find_missing_confinement({}).empty());
}

}  // namespace
}  // namespace tepui
