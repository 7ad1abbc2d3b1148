#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace siftsearch {

/// What kind of failure a Status reports. Callers branch on the code; people read the message.
enum class StatusCode {
  kOk,
  kInvalidArgument,   ///< The caller asked for something that makes no sense.
  kNotFound,          ///< A file, image or database that was named does not exist.
  kAlreadyExists,     ///< A name that was to be made is taken; what has it is left alone.
  kUnsupported,       ///< A kind of input this program does not read (HEIC, PDF, text …).
  kLimitExceeded,     ///< Input above a limit; nothing was allocated for it.
  kPermissionDenied,  ///< The operating system refused access.
  kIoError,           ///< Reading or writing failed.
  kCorrupt,           ///< Data that is damaged or cut short.
  kOutOfSpace,        ///< Disk full, quota or file-size limit reached.
  kOutOfMemory,       ///< Memory could not be had.
  kBusy,              ///< Another process holds the lock.
  kIncompatible,      ///< A newer format version, or settings that differ from the database's.
  kCancelled,         ///< Stopped on request (Ctrl-C).
  kUnavailable,       ///< A store that does not answer, or not now; a later try may succeed.
  kDeadlineExceeded,  ///< The time that the caller gave was not enough.
  kInternal,          ///< A fault of ours.
};

/// Outcome of an operation: a code and, unless ok, a sentence that names the file and the cause.
/// Immutable after construction; safe to share between threads.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

/// A value or the Status that says why there is none. An OK Status gives no value, so a Result made
/// of one is an error, kInternal. Reading `value()` of a failed Result is a programming error: in
/// every build it writes the Status's message to stderr and ends the process (std::abort).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}                // NOLINT
  Result(Status status) : state_(NotOk(std::move(status))) {}  // NOLINT

  bool ok() const { return std::holds_alternative<T>(state_); }
  Status status() const { return ok() ? Status() : *std::get_if<Status>(&state_); }
  T& value() & { return *Value(&state_); }
  const T& value() const& { return *Value(&state_); }
  T&& value() && { return std::move(*Value(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  static Status NotOk(Status status) {
    if (!status.ok()) return status;
    return {StatusCode::kInternal, "a Result was made of a Status that is OK"};
  }

  static auto* Value(auto* state) {
    auto* value = std::get_if<T>(state);
    if (value == nullptr) {
      std::fprintf(stderr, "siftsearch: the value of a failed Result was read: %s\n",
                   std::get_if<Status>(state)->message().c_str());
      std::abort();
    }
    return value;
  }

  std::variant<Status, T> state_;
};

}  // namespace siftsearch
