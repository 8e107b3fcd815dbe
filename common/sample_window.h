#pragma once
// SampleWindow keeps the last so many values of something that is measured again and again, and
// answers how they are spread. Under the keys that Mesos gives its timers.
//
// Pure.

#include <cstddef>
#include <string>
#include <vector>

#include "common/messages.h"

namespace tepui {

class SampleWindow {
 public:
  explicit SampleWindow(size_t values_max) : values_max_(values_max) {}

  void add(double value);
  size_t size() const { return values_.size(); }

  // `key`: the newest value; `key/count`, `key/min`, `key/max`, `key/p50` to `key/p9999` over the
  // window. Nothing while there is no value.
  void append_rows(const std::string& key, std::vector<MetricRow>& rows) const;

 private:
  const size_t values_max_;
  std::vector<double> values_;  // a ring once it is full
  size_t next_ = 0;
};

}  // namespace tepui
