#include "agent/rates.h"

#include <algorithm>

namespace tepui {

namespace {

std::optional<double> difference(const Measured& before, const Measured& after) {
  if (!before.known() || !after.known() || after.value() < before.value()) return std::nullopt;
  return static_cast<double>(after.value() - before.value());
}

std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return std::nullopt;
  return *a + *b;
}

}  // namespace

Rates rates_between(const Reading& before, const Reading& after) {
  const Sample& from = before.sample;
  const Sample& to = after.sample;
  if (before.container_id != after.container_id || to.at <= from.at) return {};
  const double secs = to_secs(to.at - from.at);
  const auto per_sec = [&](Measured Sample::* count) {
    std::optional<double> rate = difference(from.*count, to.*count);
    if (rate) *rate /= secs;
    return rate;
  };
  const auto part_of_time = [&](Measured Sample::* ns) {
    std::optional<double> rate = per_sec(ns);
    // The kernel adds up now and then, so that a moment may get more than its own.
    if (rate) rate = std::min(*rate / 1e9, 1.0);
    return rate;
  };
  Rates rates{
      .cpus = per_sec(&Sample::cpu_usage_ns),
      .cpu_pressure = part_of_time(&Sample::cpu_some_ns),
      .memory_pressure = part_of_time(&Sample::memory_some_ns),
      .io_pressure = part_of_time(&Sample::io_some_ns),
      .io_read_bytes = per_sec(&Sample::io_read_bytes),
      .io_written_bytes = per_sec(&Sample::io_written_bytes),
      .net_received_bytes = per_sec(&Sample::net_received_bytes),
      .net_sent_bytes = per_sec(&Sample::net_sent_bytes),
      .switches = sum(per_sec(&Sample::switches_voluntary), per_sec(&Sample::switches_forced)),
      .page_faults = per_sec(&Sample::page_faults)};
  if (rates.cpus) *rates.cpus /= 1e9;
  const auto cycles = difference(from.cycles, to.cycles);
  const auto instructions = difference(from.instructions, to.instructions);
  if (cycles && instructions && *instructions > 0) {
    rates.cycles_per_instruction = *cycles / *instructions;
  }
  const auto periods = difference(from.cpu_periods, to.cpu_periods);
  const auto throttled = difference(from.cpu_throttled_periods, to.cpu_throttled_periods);
  if (periods && throttled) rates.throttled = *periods > 0 ? *throttled / *periods : 0;
  return rates;
}

}  // namespace tepui
