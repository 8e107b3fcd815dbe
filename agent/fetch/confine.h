#pragma once
// What this process gives up before it reads anything of others: the machine's files but for the
// little that the libraries need, namespaces, capabilities, system calls, and the right to use as
// much of the machine as it likes.
//
// The directories that it was handed (descriptors 3 and 4) become mounts of their own, so that
// nothing above them can be reached through them.

#include "agent/fetch_job.h"
#include "common/io/fd.h"
#include "common/result.h"

namespace tepui {

// With what must be done before: a local file is opened with the rights of the job's user.
// Returns in a child, which is the first process of its namespace; this process waits for it and
// ends as it does. Without root there are no namespaces and no other user: what remains is done.
Result<void> confine(const FetchJob& job);

// For reading; a regular file.
Result<Fd> open_as_user(const FetchJob& job, const std::string& path);

}  // namespace tepui
