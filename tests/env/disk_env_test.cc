#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "env/errno_status.h"
#include "env/file_env.h"

namespace siftsearch {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ErrnoStatus, KindsOfFailureFollowTheErrorNumber) {
  EXPECT_EQ(CodeOfErrno(ENOENT), StatusCode::kNotFound);
  for (const int error : {EACCES, EPERM, EROFS}) {
    EXPECT_EQ(CodeOfErrno(error), StatusCode::kPermissionDenied);
  }
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    EXPECT_EQ(CodeOfErrno(error), StatusCode::kOutOfSpace);
  }
  EXPECT_EQ(CodeOfErrno(ENOMEM), StatusCode::kOutOfMemory);
  EXPECT_EQ(CodeOfErrno(EIO), StatusCode::kIoError);
}

TEST(ErrnoStatus, TheMessageNamesThePathTheCauseAndTheSystemsWords) {
  EXPECT_EQ(ErrnoStatus("a/b", "can't be written", ENOSPC).message(),
            "a/b: can't be written (No space left on device)");
}

TEST(DiskEnv, AFullDiskIsOutOfSpaceNotSuccess) {
  auto file = DiskEnv().Create("/dev/full");
  ASSERT_TRUE(file.ok()) << file.status().message();
  const std::vector<std::uint8_t> bytes(10, 1);
  const Status status = (*file)->Append(bytes);
  EXPECT_EQ(status.code(), StatusCode::kOutOfSpace);
  EXPECT_THAT(status.message(), StartsWith("/dev/full: "));
}

TEST(DiskEnv, APipeIsRefusedWithoutWaitingForItsWriter) {
  std::string folder = (std::filesystem::temp_directory_path() / "siftsearch-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string pipe = folder + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Status status = DiskEnv().Map(pipe).status();
  EXPECT_EQ(status.code(), StatusCode::kIoError);
  EXPECT_THAT(status.message(), HasSubstr("not a regular file"));
  std::filesystem::remove_all(folder);
}

TEST(DiskEnv, ExistsDoesNotCallAnUnreadableAnswerNo) {
  const std::string too_long(5000, 'x');
  EXPECT_EQ(DiskEnv().Exists(too_long).status().code(), StatusCode::kIoError);
}

}  // namespace
}  // namespace siftsearch
