#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <span>

#include "base/exception_status.h"
#include "base/hash.h"
#include "base/ordered_pipeline.h"
#include "base/status_macros.h"
#include "engine/batch_search.h"
#include "engine/colours.h"
#include "engine/equal_files.h"
#include "engine/impl.h"
#include "engine/report_journal.h"
#include "engine/verdict_book.h"
#include "features/preview.h"

namespace siftsearch {
namespace {

using engine::BatchQuery;
using engine::BatchSearch;
using engine::ReportJournal;
using engine::VerifiedContent;

engine::BatchOptions BatchOf(const ReportOptions& options, double images) {
  return {.neighbours = options.neighbours,
          .max_candidates = options.max_candidates,
          .min_score = options.min_score,
          .max_log10_false_alarms = options.max_log10_false_alarms,
          .batch_bytes = options.batch_bytes,
          .images_searched = images,
          .keep_points = true,
          .form_features = options.form_features,
          .approximation = options.approximation};
}

/// Contents that images have, ascending, and how many images each has.
Result<std::vector<std::pair<std::int64_t, int>>> ContentsOf(const BackendSnapshot& snapshot) {
  std::vector<std::pair<std::int64_t, int>> contents;
  SIFTSEARCH_RETURN_IF_ERROR(snapshot.List([&](const ImageRecord& image) {
    contents.emplace_back(image.content, 1);
    return true;
  }));
  std::sort(contents.begin(), contents.end());
  std::vector<std::pair<std::int64_t, int>> counted;
  for (const auto& [content, one] : contents) {
    if (counted.empty() || counted.back().first != content) counted.emplace_back(content, 0);
    ++counted.back().second;
  }
  return counted;
}

bool Stopped(const ReportOptions& options, Report& report) {
  if (options.stop && options.stop()) report.stopped = true;
  return report.stopped;
}

/// What a journal must have in common with the report that goes on with it.
std::string TaskOf(const char* kind, const ReportOptions& options, const BackendStats& stats) {
  return fmt::format(
      "{} of generation {}, {} images, index {}; neighbours {}, candidates {}, min-score {}, "
      "false alarms {}, form features {}, query features {}, nprobe {}, ef-search {}, rerank {}, "
      "rejected {}, skip same folder {}, conditions {}",
      kind, stats.generation, stats.images, stats.index_in_use, options.neighbours,
      options.max_candidates, options.min_score, options.max_log10_false_alarms,
      options.form_features, options.query_features, options.approximation.nprobe,
      options.approximation.ef_search, options.approximation.rerank, options.list_rejected,
      options.skip_same_folder, options.conditions);
}

/// Puts pairs of images into a journal, as far as verdicts and the options let them.
class PairSink {
 public:
  PairSink(const engine::VerdictBook& verdicts, const ReportOptions& options,
           ReportJournal& journal, bool look_at_files)
      : verdicts_(verdicts), options_(options), journal_(journal), look_at_files_(look_at_files) {}

  Status Put(std::int64_t order, const ImageRecord& query, const ImageRecord& image,
             const Match& match) {
    ReportPair pair{query, match};
    pair.match.image = image;
    if (look_at_files_ && query.hash == image.hash) engine::NameSameFile(query.path, pair.match);
    if (!verdicts_.Apply(query.hash, pair.match) && !options_.list_rejected) return {};
    if (pair.match.score < options_.min_score && pair.match.verdict != Verdict::kConfirmed) {
      return {};
    }
    return journal_.PutPair(order, pair);
  }

  /// The query with the first of the images that it may be a pair with.
  Status PutFirst(std::int64_t order, const ImageRecord& query,
                  const std::vector<ImageRecord>& images, const Match& match) {
    const auto may_be = [&](const ImageRecord& image) {
      return engine::MayBePair(query, image, options_);
    };
    const auto image = std::find_if(images.begin(), images.end(), may_be);
    return image == images.end() ? Status() : Put(order, query, *image, match);
  }

  /// The same of the first of the queries that may be a pair with any.
  Status PutFirst(const std::vector<ImageRecord>& queries, const std::vector<ImageRecord>& images,
                  const Match& match) {
    for (const ImageRecord& query : queries) {
      for (const ImageRecord& image : images) {
        if (!engine::MayBePair(query, image, options_)) continue;
        return Put(query.id, query, image, match);
      }
    }
    return {};
  }

 private:
  const engine::VerdictBook& verdicts_;
  const ReportOptions& options_;
  ReportJournal& journal_;
  const bool look_at_files_;
};

Match IdenticalTo(const ImageRecord& image) {
  Match match;
  engine::MakeIdentical(image.width, image.height, match);
  return match;
}

/// Files of equal bytes: each but the first with the first one that it may be a pair with.
Status PutEqualFiles(std::int64_t content, engine::ListedImages& listed, PairSink& sink) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, listed.All(content));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto first, listed.Representatives(content));
  for (std::size_t i = 1; i < images.size(); ++i) {
    SIFTSEARCH_RETURN_IF_ERROR(
        sink.PutFirst(images[i].id, images[i], first, IdenticalTo(images[i])));
  }
  return {};
}

/// Groups the pairs, hands them on in order, and ends the journal of a complete report that the
/// caller has finished with; `of_files`: copies are only counted of files that are not stored.
Status HandOn(const Engine::Impl& impl, ReportJournal& journal, const ReportOptions& options,
              bool of_files, const std::function<Status(const ReportPair&)>& sink, Report& report) {
  engine::ColourBook colours(impl.limits);
  const bool tell_colours = options.tell_colours && impl.look_at_files;
  SIFTSEARCH_ASSIGN_OR_RETURN(report.groups, journal.NumberGroups());
  SIFTSEARCH_RETURN_IF_ERROR(journal.Visit(options.order, [&](const ReportPair& pair) {
    ++report.pairs;
    report.copies += pair.match.copy && (!of_files || pair.query.id == 0);
    if (!tell_colours) return sink(pair);
    ReportPair told = pair;
    colours.Tell(told.query, told.match);
    return sink(told);
  }));
  if (options.finish) SIFTSEARCH_RETURN_IF_ERROR(options.finish(report));
  return report.stopped ? Status() : journal.Finish();
}

using CountedContents = std::vector<std::pair<std::int64_t, int>>;

/// Contents whose features are read at one time.
constexpr std::size_t kReadAtOnce = 32;

/// Which of the contents somebody confirmed copies of.
Result<std::vector<bool>> AreConfirmed(const BackendSnapshot& snapshot,
                                       const engine::VerdictBook& verdicts,
                                       std::span<const std::int64_t> contents) {
  std::vector<bool> confirmed(contents.size());
  if (!verdicts.has_confirmed()) return confirmed;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, snapshot.Describe(contents));
  for (std::size_t i = 0; i < images.size(); ++i) {
    confirmed[i] = !images[i].empty() && verdicts.IsConfirmed(images[i].front().hash);
  }
  return confirmed;
}

/// Searches for stored contents, with the features that are stored, until it is to stop.
Status SearchStored(const BackendSnapshot& snapshot, const engine::VerdictBook& verdicts,
                    const CountedContents& counted, const ReportOptions& options,
                    BatchSearch& search, Report& report) {
  std::vector<std::int64_t> contents;
  for (const auto& [content, images] : counted) contents.push_back(content);
  SIFTSEARCH_ASSIGN_OR_RETURN(auto features, snapshot.Features(contents));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto confirmed, AreConfirmed(snapshot, verdicts, contents));
  for (std::size_t i = 0; i < contents.size() && !Stopped(options, report); ++i) {
    BatchQuery query;
    query.content = contents[i];
    query.confirmed = confirmed[i];
    query.features = std::move(features[i]);
    report.images += counted[i].second;
    SIFTSEARCH_RETURN_IF_ERROR(search.Add(std::move(query)));
  }
  return {};
}

/// Searches for every content that the journal does not have yet.
Status SearchContents(const Engine::Impl& impl, const BackendSnapshot& snapshot,
                      const CountedContents& contents, const engine::VerdictBook& verdicts,
                      const ReportOptions& options, ReportJournal& journal, Report& report) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::int64_t done, journal.CountDone());
  std::int64_t found_pairs = 0;
  const auto keep = [&](const BatchQuery& query, const std::vector<VerifiedContent>& found) {
    for (const VerifiedContent& other : found) {
      SIFTSEARCH_RETURN_IF_ERROR(
          journal.PutContents(query.content, other.content, other.log_odds, other.match));
    }
    report.search_ms += query.timings.search_ms;
    found_pairs += static_cast<std::int64_t>(found.size());
    ++done;
    if (options.progress) options.progress(done, contents.size(), found_pairs);
    return journal.SetDone(std::to_string(query.content));
  };
  BatchSearch search(impl, snapshot, BatchOf(options, std::max<double>(1, contents.size())), keep);
  for (std::size_t begin = 0; begin < contents.size() && !Stopped(options, report);) {
    const std::size_t end = std::min(begin + kReadAtOnce, contents.size());
    CountedContents next;
    for (; begin < end; ++begin) {
      const auto& [content, images] = contents[begin];
      SIFTSEARCH_ASSIGN_OR_RETURN(const bool before, journal.IsDone(std::to_string(content)));
      if (before) report.images += images;
      if (!before) next.push_back(contents[begin]);
    }
    SIFTSEARCH_RETURN_IF_ERROR(SearchStored(snapshot, verdicts, next, options, search, report));
  }
  return search.Flush();
}

/// Turns the journal's pairs of contents into pairs of images, and adds those of equal files.
Status ListPairs(const BackendSnapshot& snapshot, const CountedContents& contents,
                 const ReportOptions& options, ReportJournal& journal, PairSink& pairs) {
  SIFTSEARCH_RETURN_IF_ERROR(journal.ClearPairs());  // Of an earlier end.
  engine::ListedImages listed(snapshot, options);
  SIFTSEARCH_RETURN_IF_ERROR(journal.VisitContents(
      [&](std::int64_t query, std::int64_t content, const Match& match) -> Status {
        SIFTSEARCH_ASSIGN_OR_RETURN(const auto queries, listed.Representatives(query));
        SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, listed.Representatives(content));
        SIFTSEARCH_RETURN_IF_ERROR(pairs.PutFirst(queries, images, match));
        return journal.Checkpoint();
      }));
  for (const auto& [content, images] : contents) {
    if (images > 1) SIFTSEARCH_RETURN_IF_ERROR(PutEqualFiles(content, listed, pairs));
    SIFTSEARCH_RETURN_IF_ERROR(journal.Checkpoint());
  }
  return {};
}

}  // namespace

Result<Report> Engine::ReportAll(const ReportOptions& options,
                                 const std::function<Status(const ReportPair&)>& sink) try {
  Report report;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, impl_->Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, snapshot->Stats());
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const auto journal,
      ReportJournal::Open(options.journal, options.resume, TaskOf("all pairs", options, stats)));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto contents, ContentsOf(*snapshot));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto verdicts, impl_->VerdictsOf(*snapshot));
  SIFTSEARCH_RETURN_IF_ERROR(
      SearchContents(*impl_, *snapshot, contents, *verdicts, options, *journal, report));
  PairSink pairs(*verdicts, options, *journal, impl_->look_at_files);
  SIFTSEARCH_RETURN_IF_ERROR(ListPairs(*snapshot, contents, options, *journal, pairs));
  SIFTSEARCH_RETURN_IF_ERROR(HandOn(*impl_, *journal, options, false, sink, report));
  return report;
} catch (const std::exception& error) {
  return StatusOf(error);
}

namespace {

/// A file read and extracted, or why not.
struct PreparedFile {
  AddInput input;
  Result<BatchQuery> query = Status(StatusCode::kInternal, "not read");
};

PreparedFile PrepareFile(const Engine::Impl& impl, const features::FeatureExtractor& extractor,
                         AddInput input) {
  PreparedFile prepared;
  prepared.query = [&]() -> Result<BatchQuery> {
    if (!input.problem.ok()) return input.problem;
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto file, engine::ReadPictureFile(input.path, impl.limits));
    input.ignored = input.from_folder && !image::IsReadable(image::Sniff(file.bytes)) &&
                    !image::HasImageExtension(input.path);
    BatchQuery query;
    SIFTSEARCH_ASSIGN_OR_RETURN(
        query.features, engine::FeaturesOf(impl, extractor, file.bytes,
                                           {.preview_quality = features::kQueryPreviewQuality}));
    query.file.path = input.path;
    query.file.width = query.features.width;
    query.file.height = query.features.height;
    query.file.descriptors = static_cast<int>(query.features.size());
    query.file.pages = query.features.pages;
    query.file.file_bytes = file.stamp.bytes;
    query.file.modified_ns = file.stamp.modified_ns;
    query.file.hash = Sha256(file.bytes);
    return query;
  }();
  prepared.input = std::move(input);
  return prepared;
}

/// The order of pairs that follow those of all queries.
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

/// A query's pairs; that with its own bytes whether or not the search found them.
Status PutMatches(const BackendSnapshot& snapshot, const BatchQuery& query,
                  const std::vector<VerifiedContent>& found, engine::ListedImages& listed,
                  PairSink& sink) {
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t own, snapshot.FindContent(query.file.hash));
  if (own > 0) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, listed.Representatives(own));
    SIFTSEARCH_RETURN_IF_ERROR(
        sink.PutFirst(query.order, query.file, images, IdenticalTo(query.file)));
  }
  for (const VerifiedContent& content : found) {
    if (content.content == own) continue;
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto images, listed.Representatives(content.content));
    SIFTSEARCH_RETURN_IF_ERROR(sink.PutFirst(query.order, query.file, images, content.match));
  }
  return {};
}

/// Files of equal bytes to those that stand in the pairs, unless they were queries themselves.
Status PutFurtherFiles(const BackendSnapshot& snapshot, const ReportOptions& options,
                       ReportJournal& journal, PairSink& sink) {
  SIFTSEARCH_RETURN_IF_ERROR(journal.RemovePairs(kLast));  // Of an earlier end.
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto ids, journal.ImagesInPairs());
  std::map<std::int64_t, std::vector<ImageRecord>> standing;  // By content.
  for (const ImageId id : ids) {
    SIFTSEARCH_ASSIGN_OR_RETURN(auto image, snapshot.FindId(id));
    if (image) standing[image->content].push_back(std::move(*image));
  }
  engine::ListedImages listed(snapshot, options);
  for (const auto& [content, images] : standing) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const auto all, listed.All(content));
    for (const ImageRecord& image : all) {
      SIFTSEARCH_ASSIGN_OR_RETURN(const bool was_query, journal.IsDone(image.path));
      const bool stands = std::any_of(images.begin(), images.end(),
                                      [&](const auto& other) { return other.id == image.id; });
      if (was_query || stands) continue;
      SIFTSEARCH_RETURN_IF_ERROR(sink.PutFirst(kLast, image, images, IdenticalTo(image)));
    }
    SIFTSEARCH_RETURN_IF_ERROR(journal.Checkpoint());
  }
  return {};
}

}  // namespace

Result<Report> Engine::ReportFiles(const std::function<std::optional<AddInput>()>& next,
                                   const ReportOptions& options,
                                   const std::function<void(const AddOutcome&)>& failed,
                                   const std::function<Status(const ReportPair&)>& sink) try {
  Report report;
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto snapshot, impl_->Pin());
  SIFTSEARCH_ASSIGN_OR_RETURN(const BackendStats stats, snapshot->Stats());
  SIFTSEARCH_ASSIGN_OR_RETURN(
      const auto journal,
      ReportJournal::Open(options.journal, options.resume, TaskOf("files", options, stats)));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto verdicts, impl_->VerdictsOf(*snapshot));
  SIFTSEARCH_ASSIGN_OR_RETURN(const auto extractor,
                              engine::QueryExtractor(*impl_, options.query_features));
  PairSink pairs(*verdicts, options, *journal, impl_->look_at_files);
  engine::ListedImages listed(*snapshot, options);
  std::int64_t found_pairs = 0;
  const auto keep = [&](const BatchQuery& query, const std::vector<VerifiedContent>& found) {
    ++report.images;
    found_pairs += static_cast<std::int64_t>(found.size());
    report.search_ms += query.timings.search_ms;
    if (options.progress) options.progress(report.images, 0, found_pairs);
    SIFTSEARCH_RETURN_IF_ERROR(PutMatches(*snapshot, query, found, listed, pairs));
    return journal->SetDone(query.file.path);
  };
  BatchSearch search(*impl_, *snapshot, BatchOf(options, std::max<double>(1, stats.contents)),
                     keep);
  Status status;
  std::int64_t order = 0;
  std::deque<std::int64_t> orders;  // Of the files under way.
  // What an earlier run has done is passed over before it is read.
  const auto source = [&]() -> std::optional<AddInput> {
    while (status.ok() && !Stopped(options, report)) {
      std::optional<AddInput> input = next();
      if (!input) return std::nullopt;
      ++order;
      const auto before = journal->IsDone(input->path);
      if (!before.ok()) status = before.status();
      if (before.ok() && before.value()) {
        ++report.images;
        continue;
      }
      orders.push_back(order);
      return input;
    }
    return std::nullopt;
  };
  const auto prepared = [&](PreparedFile file) {
    if (Stopped(options, report)) return false;
    const std::int64_t its_order = orders.front();
    orders.pop_front();
    if (file.query.ok()) {
      file.query.value().order = its_order;
      file.query.value().confirmed = verdicts->IsConfirmed(file.query.value().file.hash);
      status = search.Add(std::move(file.query).value());
      return status.ok();
    }
    AddOutcome outcome;
    outcome.path = file.input.path;
    outcome.action = file.input.ignored ? AddAction::kIgnored : AddAction::kFailed;
    outcome.reason = file.query.status().message();
    if (!file.input.ignored) ++report.failed;
    report.out_of_memory += file.query.status().code() == StatusCode::kOutOfMemory;
    failed(outcome);
    return true;
  };
  OrderedPipeline<AddInput, PreparedFile> pipeline(
      impl_->threads, 16 * static_cast<std::size_t>(impl_->threads),
      [&](AddInput input) { return PrepareFile(*impl_, *extractor, std::move(input)); });
  pipeline.Run(source, prepared);
  SIFTSEARCH_RETURN_IF_ERROR(status);
  SIFTSEARCH_RETURN_IF_ERROR(search.Flush());
  SIFTSEARCH_RETURN_IF_ERROR(PutFurtherFiles(*snapshot, options, *journal, pairs));
  SIFTSEARCH_RETURN_IF_ERROR(HandOn(*impl_, *journal, options, true, sink, report));
  return report;
} catch (const std::exception& error) {
  return StatusOf(error);
}

}  // namespace siftsearch
