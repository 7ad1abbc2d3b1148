#include "env/aside_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/status_macros.h"
#include "support/fault_env.h"
#include "support/memory_env.h"

namespace siftsearch {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Status WriteAside(FileEnv& env, const std::string& file, std::string_view text) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto aside, AsideFile::Open(env, file));
  SIFTSEARCH_RETURN_IF_ERROR(aside->out().Append(Bytes(text)));
  return aside->Publish();
}

std::string Content(FileEnv& env, const std::string& file) {
  const auto bytes = env.Read(file);
  return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : "none";
}

TEST(AsideFile, AnyCallThatFailsLeavesTheEarlierFileAndNoPart) {
  bool failed = true;
  int calls = 0;
  for (; failed; ++calls) {
    MemoryEnv memory;
    ASSERT_TRUE(WriteAside(memory, "a", "earlier").ok());
    FaultEnv env(memory);
    env.Arm({.first = calls, .tear = true});
    failed = !WriteAside(env, "a", "new").ok();
    EXPECT_THAT(memory.List(".").value(), ElementsAre("a")) << "call " << calls;
    EXPECT_THAT(Content(memory, "a"), AnyOf("new", "earlier")) << "call " << calls;
    memory.Crash();
    EXPECT_THAT(Content(memory, "a"), AnyOf("new", failed ? "earlier" : "new")) << "call " << calls;
    ASSERT_LT(calls, 100);
  }
  EXPECT_EQ(calls, 7);
}

TEST(AsideFile, OneAtATimeWritesAFile) {
  MemoryEnv env;
  auto first = AsideFile::Open(env, "a").value();
  for (int i = 0; i < 2; ++i) {
    const Status second = AsideFile::Open(env, "a").status();
    EXPECT_EQ(second.code(), StatusCode::kBusy);
    EXPECT_EQ(second.message(), "a is being written by another process (a.part)");
    EXPECT_THAT(env.List(".").value(), ElementsAre("a.part")) << "the first one's stays";
    ASSERT_TRUE(first->out().Append(Bytes("text")).ok());
  }
  ASSERT_TRUE(first->Publish().ok());
  EXPECT_TRUE(AsideFile::Open(env, "a").ok());
  first.reset();
  EXPECT_THAT(env.List(".").value(), ElementsAre("a"));
}

TEST(AsideFile, WhatOthersLeftIsNotTouchedUnlessItIsEmpty) {
  MemoryEnv env;
  for (const char* name : {"a.part", "a.2.part"}) {
    ASSERT_TRUE(env.Create(name).value()->Append(Bytes("somebody else's")).ok());
  }
  ASSERT_TRUE(env.Create("a.3.part").ok());
  ASSERT_TRUE(WriteAside(env, "a", "new").ok());
  EXPECT_THAT(env.List(".").value(), ElementsAre("a", "a.2.part", "a.part"));
  EXPECT_EQ(Content(env, "a"), "new");
  EXPECT_EQ(Content(env, "a.part"), "somebody else's");
}

}  // namespace
}  // namespace siftsearch
