#include "master/books.h"

#include <gtest/gtest.h>

namespace tepui::master {
namespace {

using Column = Books::Column;

Resources res(std::string_view text) { return Resources::parse(text).value(); }

TEST(Books, ColumnsMakeTheTotalAfterEveryMove) {
  Books books;
  books.open(res("cpus:4;mem:1024;ports:[1-10]"));
  ASSERT_TRUE(books.move(Column::kFree, Column::kOffered, res("cpus:3;ports:[2-4]")).has_value());
  ASSERT_TRUE(books.move(Column::kOffered, Column::kAllocated, res("cpus:1;ports:[3-3]")));
  ASSERT_TRUE(books.move(Column::kOffered, Column::kFree, res("cpus:2;ports:[2-2,4-4]")));
  EXPECT_EQ(books.column(Column::kFree), res("cpus:3;mem:1024;ports:[1-2,4-10]"));
  EXPECT_TRUE(books.column(Column::kOffered).empty());
  EXPECT_TRUE(books.audit({}, res("cpus:1;ports:[3-3]")).has_value());
}

TEST(Books, RefuseToGiveWhatIsNotThereAndStayAsTheyWere) {
  Books books;
  books.open(res("cpus:2;ports:[1-10]"));
  const Result<void> moved = books.move(Column::kFree, Column::kOffered, res("cpus:3"));
  ASSERT_FALSE(moved.has_value());
  EXPECT_EQ(moved.error().message,
            "cpus:3 should leave the free resources, which are cpus:2; ports:[1-10]");
  EXPECT_FALSE(books.move(Column::kOffered, Column::kFree, res("cpus:1")).has_value());
  EXPECT_FALSE(books.move(Column::kFree, Column::kOffered, res("ports:[10-11]")).has_value());
  EXPECT_EQ(books.column(Column::kFree), books.total());
}

TEST(Books, AuditSaysWhichColumnDiffersFromItsSum) {
  Books books;
  books.open(res("cpus:2"));
  ASSERT_TRUE(books.move(Column::kFree, Column::kOffered, res("cpus:1")).has_value());
  EXPECT_TRUE(books.audit(res("cpus:1"), {}).has_value());
  EXPECT_EQ(books.audit({}, {}).error().message, "the offers hold , the books say cpus:1");
  EXPECT_FALSE(books.audit(res("cpus:1"), res("cpus:1")).has_value());
}

}  // namespace
}  // namespace tepui::master
