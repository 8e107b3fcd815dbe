#include <gtest/gtest.h>

#include "tests/common/round_trip.h"

namespace tepui {
namespace {

TEST(WireOperator, RequestsComeBackAsTheyWent) {
  check_round_trips<OperatorToServer>(decode_operator_to_server, 21);
}
TEST(WireOperator, RepliesComeBackAsTheyWent) {
  check_round_trips<ServerToOperator>(decode_server_to_operator, 22);
}
TEST(WireOperator, DamagedMessagesDoNoHarm) {
  check_damage<OperatorToServer>(decode_operator_to_server, 23);
  check_damage<ServerToOperator>(decode_server_to_operator, 24);
}
TEST(WireOperator, AlignmentIsTheDecodersConcern) {
  check_misaligned<OperatorToServer>(decode_operator_to_server, 25);
  check_misaligned<ServerToOperator>(decode_server_to_operator, 26);
}

TEST(WireOperator, BytesOfAFileMayBeAnything) {
  FileData file{.request = 3, .offset = 0, .size = 256};
  for (int i = 0; i < 256; ++i) file.data.push_back(static_cast<char>(i));
  Encoder encoder;
  const auto decoded = decode_server_to_operator(encoder.encode(1, ServerToOperator(file)));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(std::get<FileData>(decoded->message).data, file.data);
}

}  // namespace
}  // namespace tepui
