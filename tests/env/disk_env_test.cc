#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
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
  EXPECT_EQ(CodeOfErrno(EEXIST), StatusCode::kAlreadyExists);
  EXPECT_EQ(CodeOfErrno(EXDEV), StatusCode::kUnsupported);
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

class DiskEnvFiles : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Make(const std::string& name, Access access = Access::kShared) {
    const std::string path = folder_ + "/" + name;
    EXPECT_TRUE(DiskEnv().CreateNew(path, access).ok());
    return path;
  }
  static struct stat StatOf(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info;
  }
  std::string folder_ = (std::filesystem::temp_directory_path() / "siftsearch-XXXXXX").string();
};

TEST_F(DiskEnvFiles, APrivateFileIsItsOwnersOnly) {
  EXPECT_EQ(StatOf(Make("private", Access::kPrivate)).st_mode & 07777, 0600u);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(StatOf(Make("shared")).st_mode & 07777, 0666u & ~mask);
}

TEST_F(DiskEnvFiles, ReadingWhereAFileWasCutShortIsAnError) {
  const std::string path = Make("a");
  std::filesystem::resize_file(path, 10);
  const auto mapped = DiskEnv().Map(path);
  ASSERT_TRUE(mapped.ok());
  std::filesystem::resize_file(path, 5);
  std::vector<std::uint8_t> part(4);
  const Status status = (*mapped)->Read(3, part);
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_THAT(status.message(), HasSubstr(path));
}

TEST_F(DiskEnvFiles, ALinkToNowhereIsATakenName) {
  std::filesystem::create_symlink("nowhere", folder_ + "/link");
  EXPECT_EQ(DiskEnv().CreateNew(folder_ + "/link", Access::kShared).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(DiskEnv().RenameNew(Make("a"), folder_ + "/link").code(), StatusCode::kAlreadyExists);
  EXPECT_FALSE(DiskEnv().LockFile(folder_ + "/link").ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/nowhere"));
}

TEST_F(DiskEnvFiles, MetadataIsCopied) {
  const std::string from = Make("from"), to = Make("to", Access::kPrivate);
  const struct timespec times[] = {{1'000'000'000, 5}, {1'200'000'000, 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, from.c_str(), times, 0), 0);
  ASSERT_EQ(::chmod(from.c_str(), 0640), 0);
  const bool takes_attributes = ::setxattr(from.c_str(), "user.note", "kept", 4, 0) == 0;
  EXPECT_EQ(DiskEnv().CopyMetadata(from, to).value(), "");
  EXPECT_EQ(StatOf(to).st_mode & 07777, 0640u);
  EXPECT_EQ(StatOf(to).st_mtim.tv_sec, 1'200'000'000);
  EXPECT_EQ(StatOf(to).st_mtim.tv_nsec, 123'456'789);
  if (!takes_attributes) return;
  char value[8] = {};
  EXPECT_EQ(::getxattr(to.c_str(), "user.note", value, sizeof value), 4);
  EXPECT_STREQ(value, "kept");
}

TEST_F(DiskEnvFiles, AKilledHolderLeavesNoLock) {
  const std::string path = Make("locked");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = DiskEnv().LockFile(path);
    (void)::write(ready[1], held.ok() ? "y" : "n", 1);
    ::pause();
    ::_exit(0);
  }
  char had = 'n';
  ASSERT_EQ(::read(ready[0], &had, 1), 1);
  EXPECT_EQ(had, 'y');
  EXPECT_EQ(DiskEnv().LockFile(path).status().code(), StatusCode::kBusy);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(DiskEnv().LockFile(path).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(DiskEnv, ExistsDoesNotCallAnUnreadableAnswerNo) {
  const std::string too_long(5000, 'x');
  EXPECT_EQ(DiskEnv().Exists(too_long).status().code(), StatusCode::kIoError);
}

}  // namespace
}  // namespace siftsearch
