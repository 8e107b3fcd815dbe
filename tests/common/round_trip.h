#pragma once
// What the tests of all conversations do with a message.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <variant>
#include <vector>

#include "common/wire.h"
#include "tests/common/arbitrary.h"

namespace tepui {

inline std::vector<std::byte> bytes_of(std::span<const std::byte> span) {
  return {span.begin(), span.end()};
}

// Every alternative of Message, many times, comes back as it went, and is encoded the same again.
template <class Message, class Decode>
void check_round_trips(Decode decode, uint64_t seed) {
  Arbitrary arbitrary(seed);
  Encoder encoder;
  for (int round = 0; round < 300; ++round) {
    for (size_t index = 0; index < std::variant_size_v<Message>; ++index) {
      const auto message = arbitrary.make_alternative<Message>(index);
      const auto session = static_cast<uint32_t>(arbitrary.rng().next());
      const std::vector<std::byte> payload = bytes_of(encoder.encode(session, message));
      const auto decoded = decode(payload);
      ASSERT_TRUE(decoded.has_value()) << decoded.error().message << "\n" << describe(message);
      EXPECT_EQ(decoded->session, session);
      ASSERT_EQ(describe(decoded->message), describe(message));
      ASSERT_EQ(bytes_of(encoder.encode(session, decoded->message)), payload);
    }
  }
}

// A message that is cut anywhere, or in which one byte is changed, is refused or decodes to some
// message, and never does harm. (The sanitizers and fuzzers look closer.)
template <class Message, class Decode>
void check_damage(Decode decode, uint64_t seed) {
  Arbitrary arbitrary(seed);
  Encoder encoder;
  for (size_t index = 0; index < std::variant_size_v<Message>; ++index) {
    const auto message = arbitrary.make_alternative<Message>(index);
    const std::vector<std::byte> payload = bytes_of(encoder.encode(1, message));
    // The root is at the front and what it names behind it; only padding can be missed by nobody.
    for (size_t length = 0; length < payload.size(); ++length) {
      const auto cut = decode(std::span(payload).first(length));
      EXPECT_TRUE(!cut.has_value() || length + alignof(uint64_t) > payload.size())
          << "message " << index << " cut at " << length;
    }
    for (size_t at = 0; at < payload.size(); ++at) {
      std::vector<std::byte> damaged = payload;
      damaged[at] ^= static_cast<std::byte>(1 + arbitrary.rng().below(255));
      const auto result = decode(damaged);
      EXPECT_TRUE(result.has_value() || !result.error().message.empty());
    }
  }
}

// Bytes at an odd address are decoded as well.
template <class Message, class Decode>
void check_misaligned(Decode decode, uint64_t seed) {
  Arbitrary arbitrary(seed);
  Encoder encoder;
  for (size_t index = 0; index < std::variant_size_v<Message>; ++index) {
    const auto message = arbitrary.make_alternative<Message>(index);
    std::vector<std::byte> shifted = bytes_of(encoder.encode(7, message));
    shifted.insert(shifted.begin(), std::byte{0});
    const auto decoded = decode(std::span(shifted).subspan(1));
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    EXPECT_EQ(describe(decoded->message), describe(message));
  }
}

}  // namespace tepui
