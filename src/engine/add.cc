#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <mutex>

#include "base/exception_status.h"
#include "base/hash.h"
#include "base/ordered_pipeline.h"
#include "base/status_macros.h"
#include "engine/checked_snapshot.h"
#include "engine/impl.h"
#include "features/preview.h"

namespace siftsearch {
namespace {

using engine::Clock;
using SharedFeatures = std::shared_ptr<const FeatureSet>;

/// Kinds of file that hold pictures, read by us or not: found in a folder they are worth a word.
bool IsPicture(std::string_view format) {
  static constexpr std::string_view kUnreadPictures[] = {
      "heic", "avif", "jpeg-xl", "jpeg-2000", "jpeg-xr", "psd", "raw", "svg", "mng", "openexr"};
  return image::IsReadable(format) ||
         std::find(std::begin(kUnreadPictures), std::end(kUnreadPictures), format) !=
             std::end(kUnreadPictures);
}

/// Extracts each content once, even when files with equal bytes are under way at the same time.
class ExtractOnce {
 public:
  Result<SharedFeatures> Get(const Engine::Impl& impl, const ContentHash& hash,
                             std::span<const std::uint8_t> bytes) {
    std::promise<Result<SharedFeatures>> promise;
    {
      std::unique_lock lock(mutex_);
      const auto [entry, first] = features_.try_emplace(hash, promise.get_future().share());
      if (!first) {
        const auto future = entry->second;
        lock.unlock();
        return future.get();  // Its extraction runs on another thread and waits for nobody.
      }
    }
    auto features = engine::FeaturesOf(impl, *impl.extractor, bytes,
                                       {.preview_quality = features::kStoredPreviewQuality});
    const auto shared = features.ok() ? Result<SharedFeatures>(std::make_shared<const FeatureSet>(
                                            std::move(features).value()))
                                      : Result<SharedFeatures>(features.status());
    promise.set_value(shared);
    return shared;
  }

  /// Called when a content is stored or failed: from then on the backend knows it, or it is tried
  /// anew.
  void Forget(const ContentHash& hash) {
    std::lock_guard lock(mutex_);
    features_.erase(hash);
  }

 private:
  std::mutex mutex_;
  std::map<ContentHash, std::shared_future<Result<SharedFeatures>>> features_;
};

/// An input on its way to the backend. Its outcome is final unless there is an item to store.
struct Prepared {
  AddInput input;
  AddOutcome outcome;
  std::optional<PutItem> item;
  bool out_of_memory = false;
};

void Fail(Prepared& prepared, const Status& status) {
  prepared.outcome.action = prepared.input.ignored ? AddAction::kIgnored : AddAction::kFailed;
  prepared.outcome.reason = status.message();
  prepared.out_of_memory = status.code() == StatusCode::kOutOfMemory;
  prepared.item.reset();
}

/// The stages of one Add.
class AddRun {
 public:
  AddRun(Engine::Impl& impl, const AddOptions& options,
         const std::function<void(const AddOutcome&)>& report)
      : impl_(impl), options_(options), report_(report) {}

  Result<AddSummary> Run(const std::function<std::optional<AddInput>()>& next) {
    Status failure;
    {
      OrderedPipeline<AddInput, Prepared> pipeline(
          impl_.threads, 32 * static_cast<std::size_t>(impl_.threads),
          [this](AddInput input) { return Prepare(std::move(input)); });
      const auto source = [&]() -> std::optional<AddInput> {
        if (options_.stop && options_.stop()) summary_.stopped = true;
        if (summary_.stopped) return std::nullopt;
        auto input = next();
        if (input) ++pulled_;
        return input;
      };
      pipeline.Run(source, [&](Prepared prepared) {
        if (options_.stop && options_.stop()) summary_.stopped = true;
        failure = Accept(std::move(prepared));
        return failure.ok() && !summary_.stopped;
      });
    }
    if (failure.ok()) failure = Commit();
    summary_.not_reached = pulled_ - summary_.given;
    if (!failure.ok()) return failure;
    return summary_;
  }

 private:
  /// Reads, hashes, decodes and extracts; runs on the pipeline's threads.
  Prepared Prepare(AddInput input) {
    Prepared prepared;
    prepared.outcome.path = input.path;
    prepared.input = std::move(input);
    const Status status =
        prepared.input.problem.ok() ? PrepareFile(prepared) : prepared.input.problem;
    if (!status.ok()) Fail(prepared, status);
    return prepared;
  }

  Status PrepareFile(Prepared& prepared) {
    AddInput& input = prepared.input;
    if (input.path.find('\0') != std::string::npos) {
      return {StatusCode::kInvalidArgument,
              "a path can't hold a NUL byte (a list that separates paths by it needs -0)"};
    }
    std::map<std::string, std::string> attributes = options_.attributes;
    attributes.insert(input.attributes.begin(), input.attributes.end());
    if (!input.read) {
      SIFTSEARCH_ASSIGN_OR_RETURN(const engine::FileStamp stamp, engine::StampOf(input.path));
      SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, impl_.Pin());
      SIFTSEARCH_ASSIGN_OR_RETURN(const auto known, snapshot->FindPath(input.path));
      if (known && engine::HasStamp(*known, stamp) && HasAttributes(*known, attributes)) {
        SetUnchanged(*known, prepared.outcome);
        return {};
      }
    }
    SIFTSEARCH_ASSIGN_OR_RETURN(const engine::PictureFile file, ReadInput(input));
    const std::string_view format = image::Sniff(file.bytes);
    if (input.from_folder && !IsPicture(format) && !image::HasImageExtension(input.path)) {
      input.ignored = true;
      return {StatusCode::kUnsupported, "is not a picture"};
    }
    PutItem item{input.path,         file.stamp.bytes, file.stamp.modified_ns,
                 Sha256(file.bytes), nullptr,          std::move(attributes)};
    // The newest commit: reading took a while.
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, impl_.Pin());
    SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t content, snapshot->FindContent(item.hash));
    if (content == 0) {
      SIFTSEARCH_ASSIGN_OR_RETURN(item.features, once_.Get(impl_, item.hash, file.bytes));
    } else if (!input.read) {
      SIFTSEARCH_RETURN_IF_ERROR(FindMoved(*snapshot, content, item));
    }
    prepared.item = std::move(item);
    return {};
  }

  /// The stored images that the file may have been before it got its path: those of its content
  /// whose paths are gone, one of the same file name first, then by path.
  static Status FindMoved(const BackendSnapshot& snapshot, std::int64_t content, PutItem& item) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto described, snapshot.Describe({&content, 1}));
    std::vector<ImageRecord>& images = described.front();
    std::erase_if(images, [&](const ImageRecord& image) {
      return !image.path.starts_with('/') || !engine::IsGone(image.path);
    });
    const std::string name = NameOf(item.path);
    std::sort(images.begin(), images.end(), [&](const ImageRecord& one, const ImageRecord& two) {
      return std::make_pair(NameOf(one.path) != name, one.path) <
             std::make_pair(NameOf(two.path) != name, two.path);
    });
    for (const ImageRecord& image : images) item.moved_from.push_back(image.path);
    return {};
  }

  static std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  Result<engine::PictureFile> ReadInput(const AddInput& input) const {
    if (!input.read) return engine::ReadPictureFile(input.path, impl_.limits);
    engine::PictureFile file;
    SIFTSEARCH_ASSIGN_OR_RETURN(file.bytes, input.read());
    file.stamp.bytes = static_cast<std::int64_t>(file.bytes.size());
    return file;
  }

  static bool HasAttributes(const ImageRecord& record,
                            const std::map<std::string, std::string>& attributes) {
    return std::all_of(attributes.begin(), attributes.end(), [&](const auto& a) {
      const auto found = record.attributes.find(a.first);
      return found != record.attributes.end() && found->second == a.second;
    });
  }

  static void SetUnchanged(const ImageRecord& record, AddOutcome& outcome) {
    outcome.action = AddAction::kUnchanged;
    outcome.id = record.id;
    SetPicture(record, "", outcome);
  }

  /// `remark` is of this run's decoder, empty where the content was stored before.
  static void SetPicture(const ImageRecord& record, std::string remark, AddOutcome& outcome) {
    outcome.width = record.width;
    outcome.height = record.height;
    outcome.descriptors = record.descriptors;
    outcome.pages = record.pages;
    if (remark.empty() && record.pages > 1) remark = fmt::format("first of {} pages", record.pages);
    outcome.reason = std::move(remark);
    if (record.descriptors == 0) {
      if (!outcome.reason.empty()) outcome.reason += "; ";
      outcome.reason +=
          "has no descriptors (blank or without detail); it can't be found by content";
    }
  }

  Status Accept(Prepared prepared) {
    if (prepared.item && prepared.item->features) {
      held_bytes_ += prepared.item->features->size() * (kDescriptorBytes + sizeof(Keypoint));
    }
    held_.push_back(std::move(prepared));
    const bool due = held_bytes_ >= static_cast<std::size_t>(options_.commit_bytes) ||
                     held_.size() >= kMaxHeld ||
                     Clock::now() - last_commit_ >= std::chrono::milliseconds(options_.commit_ms);
    return due ? Commit() : Status();
  }

  Status Commit() {
    Status status = Store();
    if (status.code() == StatusCode::kNotFound) {
      // A content went between our look and the commit: another process removed it, or a path that
      // held it has other bytes now.
      ExtractMissing();
      status = Store();
    }
    for (Prepared& prepared : held_) Deliver(prepared, status);
    held_.clear();
    held_bytes_ = 0;
    last_commit_ = Clock::now();
    return status;
  }

  Status Store() {
    std::vector<PutItem> items;
    for (const Prepared& prepared : held_) {
      if (prepared.item) items.push_back(*prepared.item);
    }
    if (items.empty()) return {};
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto outcomes, impl_.backend->Put(items));
    SIFTSEARCH_RETURN_IF_ERROR(engine::CheckCount(outcomes.size(), items.size(), "outcomes"));
    return SetOutcomes(outcomes);
  }

  /// Reads once more what has no features; an input that can't be read any more fails alone.
  void ExtractMissing() {
    for (Prepared& prepared : held_) {
      if (!prepared.item || prepared.item->features) continue;
      PutItem& item = *prepared.item;
      const Status status = [&]() -> Status {
        SIFTSEARCH_ASSIGN_OR_RETURN(const engine::PictureFile file, ReadInput(prepared.input));
        item.hash = Sha256(file.bytes);
        SIFTSEARCH_ASSIGN_OR_RETURN(item.features, once_.Get(impl_, item.hash, file.bytes));
        return {};
      }();
      if (!status.ok()) Fail(prepared, status);
    }
  }

  Status SetOutcomes(const std::vector<PutOutcome>& outcomes) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, impl_.Pin());
    std::size_t next = 0;
    for (Prepared& prepared : held_) {
      if (!prepared.item) continue;
      const PutOutcome& put = outcomes[next++];
      AddOutcome& outcome = prepared.outcome;
      outcome.id = put.id;
      outcome.action = ActionOf(put.action);
      outcome.moved_from = put.moved_from;
      SIFTSEARCH_ASSIGN_OR_RETURN(const auto record, snapshot->FindId(put.id));
      const auto& features = prepared.item->features;
      if (record) SetPicture(*record, features ? features->remark : "", outcome);
    }
    return {};
  }

  static AddAction ActionOf(PutAction action) {
    switch (action) {
      case PutAction::kAdded:
        return AddAction::kAdded;
      case PutAction::kReplaced:
        return AddAction::kReplaced;
      case PutAction::kMoved:
        return AddAction::kMoved;
      case PutAction::kUnchanged:
        break;
    }
    return AddAction::kUnchanged;
  }

  void Deliver(Prepared& prepared, const Status& status) {
    AddOutcome& outcome = prepared.outcome;
    if (prepared.item) {
      once_.Forget(prepared.item->hash);
      if (!status.ok()) {
        outcome.action = AddAction::kFailed;
        outcome.reason = "was not stored: " + status.message();
      }
    }
    ++summary_.given;
    ++Counter(outcome.action);
    summary_.out_of_memory += prepared.out_of_memory;
    report_(outcome);
  }

  std::int64_t& Counter(AddAction action) {
    switch (action) {
      case AddAction::kAdded:
        return summary_.added;
      case AddAction::kReplaced:
        return summary_.replaced;
      case AddAction::kMoved:
        return summary_.moved;
      case AddAction::kUnchanged:
        return summary_.unchanged;
      case AddAction::kIgnored:
        return summary_.ignored;
      case AddAction::kFailed:
        break;
    }
    return summary_.failed;
  }

  static constexpr std::size_t kMaxHeld = 4096;

  Engine::Impl& impl_;
  const AddOptions& options_;
  const std::function<void(const AddOutcome&)>& report_;
  ExtractOnce once_;
  AddSummary summary_;
  std::int64_t pulled_ = 0;
  std::vector<Prepared> held_;
  std::size_t held_bytes_ = 0;
  Clock::time_point last_commit_ = Clock::now();
};

}  // namespace

Result<AddSummary> Engine::Add(const std::function<std::optional<AddInput>()>& next,
                               const AddOptions& options,
                               const std::function<void(const AddOutcome&)>& report) try {
  return AddRun(*impl_, options, report).Run(next);
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch
