#pragma once
// Report is what every benchmark fills: it measures alone or against an alternative, prints a table
// with the machine and the commit, and writes perf/out/NAME.json.
//
// A comparison runs in ABBA order, so that what drifts (heat, neighbours) hits both sides alike. A
// value is the median of its rounds; the spread is the distance between the quartiles. Where the
// two medians lie closer than the larger spread, the table says "not resolved": no claim is made.
//
// For benchmarks only: reads files, asks git, prints.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tepui::perf {

enum class Better : uint8_t { kLower, kHigher };

// Runs the thing once and answers its value in the unit of the result.
using Measurement = std::function<double()>;

struct Subject {
  std::string name;
  Measurement measure;
};

struct Sample {
  double p50 = 0;
  double spread = 0;
  uint32_t n = 0;
};
Sample sample_of(std::vector<double> values);

struct Outcome {
  struct Against {
    std::string name;
    Sample sample;
  };
  std::string name;  // stable, as `allocator/full/20000x2000`
  std::string unit;
  Better better = Better::kLower;
  Sample sample;
  std::optional<Against> against;

  // False if the two sides lie closer together than their spread.
  bool resolved() const;
};

struct Metric {
  std::string unit;
  Better better = Better::kLower;
};

class Report {
 public:
  // `name` names the file: perf/out/NAME.json.
  explicit Report(std::string name);

  // One warm-up call that does not count, then `rounds` calls.
  Sample measure(const Metric& metric, const Subject& subject, uint32_t rounds);
  // One warm-up call of each, then `rounds` pairs: a b, b a, a b, …
  void compare(const Metric& metric, const Subject& a, const Subject& b, uint32_t rounds);
  // What was measured elsewhere (the percentiles of one long run, say).
  void add(Outcome outcome);

  // Prints the table and writes the file. The answer is main's exit code.
  int finish() const;
  // The file alone, for a benchmark that prints a table of its own.
  int write() const;
  // What the numbers were measured on, as the table begins.
  static std::string header();

  std::string table() const;
  std::string json() const;

 private:
  const std::string name_;
  std::vector<Outcome> outcomes_;
};

}  // namespace tepui::perf
