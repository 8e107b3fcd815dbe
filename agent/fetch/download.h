#pragma once
// Fetches one http: or https: URL into a file. Redirects stay within these two schemes and are
// bounded, and so are the bytes, and the time in which nothing comes. The environment says nothing
// here: no proxy is asked.

#include "agent/fetch/reports.h"
#include "agent/fetch_job.h"
#include "common/result.h"

namespace tepui {

// The error says what went wrong, not where: the caller knows the URL.
Result<FetchAnswer> download(const FetchJob& job, int output, Reports& reports);

// The same for a file that is open.
Result<FetchAnswer> copy_file(const FetchJob& job, int input, int output, Reports& reports);

}  // namespace tepui
