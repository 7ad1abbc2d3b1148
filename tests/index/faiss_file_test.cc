#include "index/faiss_file.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIDMap.h>
#include <faiss/index_io.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "index_test_util.h"

namespace siftsearch::index {
namespace {

namespace fs = std::filesystem;

class FaissFileTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  const fs::path folder_ =
      fs::path(::testing::TempDir()) /
      ("faiss-file-" +
       std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
  const std::string file_ = (folder_ / "index.faiss").string();
  const std::vector<std::uint8_t> rows_ = RandomBytes(5 * 128, 1);
};

TEST_F(FaissFileTest, HoldsRowsAndIds) {
  const kernel::RowSpan spans[] = {{rows_.data(), 2, 0}, {rows_.data() + 2 * 128, 3, 2}};
  const IdRange ids[] = {{0, 1, 40}, {3, 2, 50}};
  ASSERT_TRUE(WriteFaissFlat(128, spans, ids, file_).ok());
  const std::unique_ptr<faiss::Index> read(faiss::read_index(file_.c_str()));
  const auto* map = dynamic_cast<faiss::IndexIDMap*>(read.get());
  ASSERT_NE(map, nullptr);
  EXPECT_THAT(map->id_map, ::testing::ElementsAre(40, -1, -1, 50, 50));
  const auto* flat = dynamic_cast<faiss::IndexFlatL2*>(map->index);
  ASSERT_NE(flat, nullptr);
  EXPECT_EQ(std::vector<float>(flat->get_xb(), flat->get_xb() + 5 * 128), ToFloats(rows_));
}

TEST_F(FaissFileTest, AnEmptyIndexIsAFileToo) {
  ASSERT_TRUE(WriteFaissFlat(128, {}, {}, file_).ok());
  const std::unique_ptr<faiss::Index> read(faiss::read_index(file_.c_str()));
  EXPECT_EQ(read->ntotal, 0);
}

TEST_F(FaissFileTest, AFileThatCannotBeWrittenLeavesNothing) {
  const kernel::RowSpan span{rows_.data(), 5, 0};
  EXPECT_FALSE(WriteFaissFlat(128, {&span, 1}, {}, folder_.string()).ok());
  const Status status = WriteFaissFlat(128, {&span, 1}, {}, file_ + "/x");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), ::testing::HasSubstr(file_));
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace siftsearch::index
