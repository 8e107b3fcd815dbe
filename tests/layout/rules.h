#pragma once
// The rules of the house that a machine can check on the text of a source file: who may include
// what, what a pure file may not name, how long a file is, how a header begins.

#include <string>
#include <vector>

namespace tepui::layout {

struct SourceFile {
  std::string path;  // from the root
  std::string text;
};

// One line for each breach: "master/master.cc:7: …". In order of path and line.
std::vector<std::string> breaches(const std::vector<SourceFile>& files);

}  // namespace tepui::layout
