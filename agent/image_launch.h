#pragma once
// What the image of a container changes in its launch, by the rules of Apache Mesos: the command of
// the task wins, the image fills in what it leaves open.
//
//   shell           the image's entry point and command are ignored
//   a value         so are they; the arguments are the task's
//   no value        the entry point, then the task's arguments or, without any, the image's
//   command;
//                   without an entry point the image's command, of which the task's arguments
//                   replace all but the program
//
// Variables of the agent and the task win over the image's, except the agent's PATH. The image's
// working directory is taken where the task names none, and so is its user.
//
// Pure.

#include "agent/effects.h"
#include "agent/fetch_job.h"
#include "common/result.h"

namespace tepui {

Result<void> apply_image(const ImageConfig& image, LaunchSpec& spec);

}  // namespace tepui
