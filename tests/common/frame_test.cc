#include "common/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "common/rng.h"

namespace tepui {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Bytes frame(uint32_t sequence, std::string_view payload) {
  Bytes out;
  append_frame(out,
               {.type = static_cast<uint8_t>(Conversation::kScheduler),
                .length = static_cast<uint32_t>(payload.size()),
                .sequence = sequence},
               bytes_of(payload));
  return out;
}

std::string text_of(const Frame& frame) {
  return {reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size()};
}

TEST(Frame, HasTheBytesThatTheDocumentNames) {
  const Bytes bytes = frame(0x01020304, "hello");
  const uint8_t expected[32] = {'T', 'E', 'P', 'U', 1,   1, 0, 0, 5, 0, 0, 0, 4, 3, 2, 1,
                                'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  ASSERT_EQ(bytes.size(), sizeof(expected));
  EXPECT_EQ(std::memcmp(bytes.data(), expected, sizeof(expected)), 0);
}

TEST(Frame, AnyChunkingOfAStreamGivesTheSameFrames) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    Bytes stream;
    std::vector<std::string> sent;
    for (uint32_t i = 0; i < 40; ++i) {
      const size_t size = rng.chance(1, 20) ? rng.below(300000) : rng.below(50);
      sent.emplace_back(size, static_cast<char>('a' + i % 26));
      const Bytes bytes = frame(i, sent.back());
      stream.insert(stream.end(), bytes.begin(), bytes.end());
    }
    // Chunks of one byte, of a few, or of more than several frames.
    const uint64_t chunk_max = std::vector<uint64_t>{1, 3, 17, 300, 70000}[seed % 5];
    FrameParser parser;
    std::vector<std::string> received;
    for (size_t at = 0; at < stream.size();) {
      const size_t size = std::min<size_t>(1 + rng.below(chunk_max), stream.size() - at);
      // The parser must not look at the chunk after feed() is back.
      Bytes chunk(stream.begin() + static_cast<ptrdiff_t>(at),
                  stream.begin() + static_cast<ptrdiff_t>(at + size));
      parser.feed(chunk);
      std::fill(chunk.begin(), chunk.end(), std::byte{0xee});
      at += size;
      // A reader need not take all frames before it feeds more.
      while (!rng.chance(1, 8)) {
        auto next = parser.next();
        ASSERT_TRUE(next.has_value()) << to_text(next.error());
        if (!*next) break;
        EXPECT_EQ(reinterpret_cast<uintptr_t>((*next)->payload.data()) % kFrameAlign, 0u);
        EXPECT_EQ((*next)->header.sequence, received.size());
        received.push_back(text_of(**next));
      }
    }
    for (auto next = parser.next(); next.has_value() && *next; next = parser.next()) {
      received.push_back(text_of(**next));
    }
    ASSERT_EQ(received, sent) << "seed " << seed;
  }
}

// The bad frame follows a good one: the good one is still delivered, then the stream is over.
FrameError refusal(FrameHeader header, std::byte last_padding = std::byte{0}) {
  const std::string payload = "hello";
  Bytes stream = frame(0, "good");
  const auto head = std::as_bytes(std::span(&header, 1));
  stream.insert(stream.end(), head.begin(), head.end());
  const Bytes body = bytes_of(payload);
  stream.insert(stream.end(), body.begin(), body.end());
  stream.resize(padded(stream.size()));
  stream.back() = last_padding;
  FrameParser parser;
  parser.feed(stream);
  const auto good = parser.next();
  EXPECT_TRUE(good.has_value() && good->has_value());
  const auto bad = parser.next();
  EXPECT_FALSE(bad.has_value());
  parser.feed(frame(1, "after"));
  const auto after = parser.next();
  EXPECT_TRUE(after.has_value() && !after->has_value()) << "answered after its error";
  return bad.has_value() ? FrameError{} : bad.error();
}

FrameHeader second() {
  return {.type = static_cast<uint8_t>(Conversation::kAgent), .length = 5, .sequence = 1};
}

TEST(Frame, IsRefusedByName) {
  FrameHeader header = second();
  header.magic = 0x20544547;  // "GET "
  EXPECT_EQ(refusal(header), FrameError::kBadMagic);

  header = second();
  header.version = 2;
  EXPECT_EQ(refusal(header), FrameError::kBadVersion);

  header = second();
  header.type = 5;
  EXPECT_EQ(refusal(header), FrameError::kUnknownType);

  header = second();
  header.flags = kFramePing;  // only control frames have flags
  EXPECT_EQ(refusal(header), FrameError::kBadFlags);

  header = second();
  header.type = static_cast<uint8_t>(Conversation::kControl);
  EXPECT_EQ(refusal(header), FrameError::kBadFlags);
  header.flags = kFramePing | kFramePong;
  EXPECT_EQ(refusal(header), FrameError::kBadFlags);

  header = second();
  header.length = limits::kFrameBytesMax + 1;
  EXPECT_EQ(refusal(header), FrameError::kOversized);
  header.length = UINT32_MAX;
  EXPECT_EQ(refusal(header), FrameError::kOversized);

  for (const uint32_t sequence : {0u, 2u, UINT32_MAX}) {
    header = second();
    header.sequence = sequence;
    EXPECT_EQ(refusal(header), FrameError::kOutOfSequence) << sequence;
  }

  EXPECT_EQ(refusal(second(), std::byte{1}), FrameError::kBadPadding);
}

TEST(Frame, EveryReasonHasAName) {
  EXPECT_EQ(to_text(FrameError::kBadMagic), "bad_magic");
  EXPECT_EQ(to_text(FrameError::kBadVersion), "bad_version");
  EXPECT_EQ(to_text(FrameError::kUnknownType), "unknown_type");
  EXPECT_EQ(to_text(FrameError::kBadFlags), "bad_flags");
  EXPECT_EQ(to_text(FrameError::kOversized), "oversized");
  EXPECT_EQ(to_text(FrameError::kOutOfSequence), "out_of_sequence");
  EXPECT_EQ(to_text(FrameError::kBadPadding), "bad_padding");
}

TEST(Frame, ABadLengthIsRefusedBeforeTheBytesItAnnounces) {
  FrameHeader header{.type = 1, .length = limits::kFrameBytesMax + 1};
  FrameParser parser;
  parser.feed(std::as_bytes(std::span(&header, 1)));
  const auto next = parser.next();
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error(), FrameError::kOversized);
}

TEST(Frame, TheLargestAndTheEmptyFrameArePermitted) {
  const std::string large(limits::kFrameBytesMax, 'x');
  FrameParser parser;
  parser.feed(frame(0, large));
  parser.feed(frame(1, ""));
  auto next = parser.next();
  ASSERT_TRUE(next.has_value() && next->has_value());
  EXPECT_EQ((*next)->payload.size(), large.size());
  next = parser.next();
  ASSERT_TRUE(next.has_value() && next->has_value());
  EXPECT_TRUE((*next)->payload.empty());
}

TEST(Frame, ControlFramesPass) {
  Bytes stream;
  uint32_t sequence = 0;
  for (const uint16_t flag : {kFramePing, kFramePong, kFrameGoodbye}) {
    append_frame(stream, {.flags = flag, .sequence = sequence++}, {});
  }
  FrameParser parser;
  parser.feed(stream);
  for (const uint16_t flag : {kFramePing, kFramePong, kFrameGoodbye}) {
    const auto next = parser.next();
    ASSERT_TRUE(next.has_value() && next->has_value());
    EXPECT_EQ((*next)->header.flags, flag);
  }
}

TEST(Frame, SequenceNumbersComeRound) {
  EXPECT_EQ(check({.type = 1, .sequence = UINT32_MAX}, UINT32_MAX), std::nullopt);
  EXPECT_EQ(check({.type = 1, .sequence = 0}, UINT32_MAX + 1u), std::nullopt);
}

TEST(Frame, AParserCanBeMoved) {
  const Bytes bytes = frame(0, "hello");
  FrameParser first;
  first.feed(std::span(bytes).first(10));
  FrameParser second(std::move(first));
  second.feed(std::span(bytes).subspan(10));
  FrameParser third;
  third = std::move(second);
  const auto next = third.next();
  ASSERT_TRUE(next.has_value() && next->has_value());
  EXPECT_EQ(text_of(**next), "hello");
}

}  // namespace
}  // namespace tepui
