#include "common/ids.h"

#include <gtest/gtest.h>

#include <string>

#include "common/slots.h"

namespace tepui {
namespace {

TEST(Ids, AcceptsWhatMesosAccepts) {
  EXPECT_TRUE(validate_id("a", "task id").has_value());
  EXPECT_TRUE(validate_id("job.17:retry-2", "task id").has_value());
  EXPECT_TRUE(validate_id(std::string(255, 'x'), "task id").has_value());
  EXPECT_TRUE(validate_id("...", "task id").has_value());
}

TEST(Ids, RefusalSaysWhatIsWrong) {
  EXPECT_EQ(validate_id("", "task id").error().message, "task id is empty");
  EXPECT_EQ(validate_id("..", "task id").error().message, "task id '..' is reserved");
  EXPECT_EQ(validate_id("a/b", "agent id").error().message, "agent id 'a/b' contains '/'");
  EXPECT_EQ(validate_id("a\\b", "agent id").error().message, "agent id 'a\\b' contains '\\'");
  EXPECT_EQ(validate_id("a\nb", "id").error().message, "id contains the control character 0x0a");
  EXPECT_FALSE(validate_id(std::string(256, 'x'), "id").has_value());
}

TEST(Ids, OfferIdTextGoesBothWays) {
  const OfferId id{(uint64_t{3} << 40) | 991};
  EXPECT_EQ(to_text(id), "e3-o991");
  EXPECT_EQ(parse_offer_id("e3-o991").value(), id);
  for (const char* bad : {"", "e3", "o991", "e3-o", "e-o1", "e3-o99x", "e99999999999-o1"}) {
    EXPECT_FALSE(parse_offer_id(bad).has_value()) << bad;
  }
}

TEST(Slots, AHandleOfAnErasedObjectFindsNothing) {
  Slots<std::string, TaskHandle> slots;
  const TaskHandle first = slots.insert("first");
  slots.erase(first);
  const TaskHandle second = slots.insert("second");
  EXPECT_EQ(first.index, second.index);
  EXPECT_EQ(slots.find(first), nullptr);
  EXPECT_EQ(*slots.find(second), "second");
  EXPECT_EQ(slots.size(), 1u);
}

}  // namespace
}  // namespace tepui
