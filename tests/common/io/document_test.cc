#include "common/io/document.h"

#include <gtest/gtest.h>

#include <string>

// Goal: TOML and JSON of the same content are the same tree, what is not either is an error with
// its line, and whatever a tree holds is written as JSON.

namespace tepui {
namespace {

std::string problem(const Result<Document>& result) {
  return result ? "no problem" : result.error().message;
}

TEST(Document, JsonAndTomlOfTheSameContentAreTheSameTree) {
  const auto json = parse_json(
      R"({"name": "x", "count": -3, "share": 0.5, "on": true, "list": [1, "a"], "in": {"k": 1}})",
      "a.json");
  const auto toml = parse_toml(
      "name = 'x'\ncount = -3\nshare = 0.5\non = true\nlist = [1, 'a']\nin = { k = 1 }\n",
      "a.toml");
  ASSERT_TRUE(json) << json.error().message;
  ASSERT_TRUE(toml) << toml.error().message;
  for (const Document* document : {&*json, &*toml}) {
    EXPECT_EQ(*document->find("name")->text(), "x");
    EXPECT_EQ(std::get<int64_t>(document->find("count")->value()), -3);
    EXPECT_EQ(std::get<double>(document->find("share")->value()), 0.5);
    EXPECT_EQ(std::get<bool>(document->find("on")->value()), true);
    ASSERT_EQ(document->find("list")->list()->size(), 2u);
    EXPECT_EQ(*document->find("list")->list()->at(1).text(), "a");
    EXPECT_NE(document->find("in")->find("k"), nullptr);
    EXPECT_EQ(document->find("missing"), nullptr);
    EXPECT_EQ(document->find("name")->find("k"), nullptr) << "text has no members";
  }
  EXPECT_EQ(to_json(*json, -1), to_json(*toml, -1));
}

TEST(Document, TablesKeepTheOrderOfTheirFile) {
  const auto toml = parse_toml("b = 1\na = 2\nc = 3\n", "a.toml");
  EXPECT_EQ(to_json(*toml, -1), R"({"b":1,"a":2,"c":3})");
  const auto json = parse_json(R"({"b": 1, "a": 2})", "a.json");
  EXPECT_EQ(to_json(*json, -1), R"({"b":1,"a":2})");
}

TEST(Document, TomlKnowsItsLines) {
  const auto toml = parse_toml("a = 1\n\n[[task]]\nb = 2\n", "a.toml");
  EXPECT_EQ(toml->find("a")->line, 1);
  EXPECT_EQ(toml->find("task")->list()->at(0).find("b")->line, 4);
}

TEST(Document, WhatIsNotJsonIsNamedWithItsLine) {
  EXPECT_EQ(problem(parse_json("{\n  \"a\": 1,\n  oops\n}", "a.json")).substr(0, 19),
            "a.json:3: not JSON,");
  for (const char* bad : {"", "{", "{\"a\": }", "[1,]", "1 2", "\"\xff\"", "nul"}) {
    EXPECT_TRUE(problem(parse_json(bad, "a.json")).starts_with("a.json:1: not JSON")) << bad;
  }
}

TEST(Document, WhatIsNotTomlIsNamedWithItsLine) {
  EXPECT_TRUE(
      problem(parse_toml("a = 1\nb = = 2\n", "a.toml")).starts_with("a.toml:2: not TOML: "));
  EXPECT_TRUE(problem(parse_toml("a = 1\na = 2\n", "a.toml")).starts_with("a.toml:2: not TOML: "))
      << "a key twice";
  EXPECT_EQ(problem(parse_toml("a = 1\nwhen = 2026-11-22\n", "a.toml")),
            "a.toml:2: dates and times have no meaning here; write text in quotes");
}

TEST(Document, DepthAndSizeAreBounded) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(64), "a.json"));
  EXPECT_EQ(problem(parse_json(nested(65), "a.json")), "a.json: nested deeper than 64");
  EXPECT_EQ(problem(parse_json(nested(1'000'000), "a.json")), "a.json: nested deeper than 64");
  EXPECT_TRUE(parse_json("9223372036854775807", "a.json"));
  EXPECT_EQ(problem(parse_json("9223372036854775808", "a.json")),
            "a.json: 9223372036854775808 is too large");

  const auto dotted = [](size_t depth) {
    std::string key = "\n# a.b\na";
    for (size_t i = 1; i < depth; ++i) key += ".a";
    return key + " = 1";
  };
  EXPECT_TRUE(parse_toml(dotted(64), "a.toml"));
  EXPECT_EQ(problem(parse_toml(dotted(65), "a.toml")), "a.toml:3: nested deeper than 64");
  EXPECT_EQ(problem(parse_toml(dotted(1'000'000), "a.toml")), "a.toml:3: nested deeper than 64");
  EXPECT_FALSE(parse_toml("a = " + nested(1'000'000), "a.toml"));
}

TEST(Document, TomlMayHoldAnyTextInQuotesAndNoneOutside) {
  const auto toml = parse_toml("a = \"\"\"\\\n  \u00e9t\u00e9 \u2028\"\"\" # \u00e9\n", "a.toml");
  ASSERT_TRUE(toml) << toml.error().message;
  EXPECT_EQ(to_json(*toml, -1), "{\"a\":\"\u00e9t\u00e9 \u2028\"}");
  EXPECT_TRUE(problem(parse_toml("\u00e9 = 1\n", "a.toml")).starts_with("a.toml:1: not TOML: "));
  EXPECT_TRUE(problem(parse_toml("a = \u00e9\n", "a.toml")).starts_with("a.toml:1: not TOML: "));
  EXPECT_TRUE(problem(parse_toml("a = \"\x01\"", "a.toml")).starts_with("a.toml:1: not TOML: "));
}

TEST(Document, AKeyGivenTwiceInJsonCountsOnce) {
  const auto json = parse_json(R"({"a": 1, "a": 2})", "a.json");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->table()->size(), 1u);
}

TEST(Document, TypesHaveNamesForMessages) {
  EXPECT_EQ(Document().type_name(), "nothing");
  EXPECT_EQ(Document(true).type_name(), "true or false");
  EXPECT_EQ(Document(1).type_name(), "a whole number");
  EXPECT_EQ(Document(1.5).type_name(), "a number");
  EXPECT_EQ(Document("a").type_name(), "text");
  EXPECT_EQ(Document(Document::List{}).type_name(), "a list");
  EXPECT_EQ(Document(Document::Table{}).type_name(), "a table");
}

TEST(Document, AnyTreeIsWrittenAsJson) {
  const Document tree = Document::Table{{"none", Document()},
                                        {"text", "a \"b\"\n"},
                                        {"bytes", std::string("\xff\xfe")},
                                        {"list", Document::List{1, 2.5, false}},
                                        {"empty", Document::List{}}};
  const std::string json = to_json(tree, -1);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  const auto again = parse_json(json, "again");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again->find("text")->text(), "a \"b\"\n");
  EXPECT_TRUE(again->find("none")->is_null());
  EXPECT_EQ(to_json(*again, -1), json);
  EXPECT_EQ(to_json(Document::Table{{"a", 1}}, 2), "{\n  \"a\": 1\n}");
}

}  // namespace
}  // namespace tepui
