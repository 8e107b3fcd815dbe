#pragma once
// Unpacks one layer of an image into the current directory, as overlayfs wants to find it: what
// the layer removes is a character device 0:0 there, and directories that hide what is below are
// named in the answer, for whoever may mark them.

#include "agent/fetch_job.h"
#include "common/result.h"

namespace tepui {

// The digest is checked when all of it has been read: a failure leaves rubbish behind.
Result<FetchAnswer> unpack_layer(const FetchJob& job, int input);

}  // namespace tepui
