#pragma once
// Puts what was fetched into the sandbox: as a file, or what is in it if it is an archive. The
// current directory is the sandbox.

#include "agent/fetch_job.h"
#include "common/result.h"

namespace tepui {

Result<FetchAnswer> place(const FetchJob& job, int input);

}  // namespace tepui
