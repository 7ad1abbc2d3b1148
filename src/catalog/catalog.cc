#include "catalog/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "catalog/schema.h"

namespace siftsearch::catalog {
namespace {

using Json = nlohmann::json;

#define SIFTSEARCH_IMAGE_COLUMNS                                                                   \
  "images.id, path, hash, content, file_bytes, modified_ns, added_s, width, height, descriptors, " \
  "attributes, pages"
constexpr char kImageById[] = "SELECT " SIFTSEARCH_IMAGE_COLUMNS
                              " FROM images JOIN contents ON contents.id = content "
                              "WHERE images.id = ?";
constexpr char kImageByPath[] = "SELECT " SIFTSEARCH_IMAGE_COLUMNS
                                " FROM images JOIN contents ON contents.id = content "
                                "WHERE path = ?";
constexpr char kImagesOfContent[] = "SELECT " SIFTSEARCH_IMAGE_COLUMNS
                                    " FROM images JOIN contents ON contents.id = content "
                                    "WHERE content = ? ORDER BY images.id";
constexpr char kImagesAfter[] = "SELECT " SIFTSEARCH_IMAGE_COLUMNS
                                " FROM images JOIN contents ON contents.id = content "
                                "WHERE images.id > ? ORDER BY images.id LIMIT ?";
constexpr char kContentColumns[] =
    "SELECT id, width, height, descriptors, live, pages FROM contents WHERE id = ?";
constexpr char kContentByHash[] =
    "SELECT id, width, height, descriptors, live, pages FROM contents WHERE hash = ?";
constexpr char kAllContents[] =
    "SELECT id, width, height, descriptors, live, pages FROM contents ORDER BY id";
#undef SIFTSEARCH_IMAGE_COLUMNS

std::span<const std::uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string SettingsToJson(const ExtractorSettings& settings) {
  return Json{{"extractor", settings.extractor},
              {"max_features", settings.max_features},
              {"max_side", settings.max_side},
              {"contrast_threshold", settings.contrast_threshold}}
      .dump();
}

bool SettingsFromJson(const std::string& text, ExtractorSettings* settings) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return false;
  for (const char* key : {"max_features", "max_side", "contrast_threshold"}) {
    if (!json.contains(key) || !json[key].is_number()) return false;
  }
  if (!json.contains("extractor") || !json["extractor"].is_string()) return false;
  settings->extractor = json["extractor"].get<std::string>();
  settings->max_features = json["max_features"].get<int>();
  settings->max_side = json["max_side"].get<int>();
  settings->contrast_threshold = json["contrast_threshold"].get<double>();
  return true;
}

bool AttributesFromJson(const std::string& text, std::map<std::string, std::string>* attributes) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return false;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) return false;
    attributes->emplace(key, value.get<std::string>());
  }
  return true;
}

ContentRecord ReadContent(const Query& row) {
  return {.content = row.Int(0),
          .width = static_cast<int>(row.Int(1)),
          .height = static_cast<int>(row.Int(2)),
          .descriptors = static_cast<int>(row.Int(3)),
          .live = row.Int(4) != 0,
          .pages = static_cast<int>(row.Int(5))};
}

/// Of a row of content, hash and quality.
Pdq SignatureOf(const Query& row) {
  Pdq signature{.quality = static_cast<int>(row.Int(2))};
  const auto bits = row.Blob(1);
  std::copy_n(bits.begin(), std::min(bits.size(), signature.bits.size()), signature.bits.begin());
  return signature;
}

Result<std::optional<ContentRecord>> ReadOneContent(Query query) {
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, query.Step());
  if (!row) return std::optional<ContentRecord>();
  return std::optional<ContentRecord>(ReadContent(query));
}

Status NoCatalog(const std::string& file) {
  return {StatusCode::kNotFound, fmt::format("{} holds no catalogue", file)};
}

/// Brings the file to the newest format, or says why not. Until a new catalogue has its row of
/// `meta`, it counts as not there.
Status PrepareFormat(Connection& db, Access access, const ExtractorSettings& settings,
                     std::string_view index_key) {
  const std::vector<std::string_view> scripts = SchemaScripts();
  const int newest = static_cast<int>(scripts.size());
  SIFTSEARCH_ASSIGN_OR_RETURN(int format, ReadFormat(db, newest));
  if (format == 0 && access != Access::kCreate) return NoCatalog(db.file());
  if (format < newest && access == Access::kRead) {
    return {StatusCode::kIncompatible,
            fmt::format("{} has the older format {}; open it for writing once to bring it to {}",
                        db.file(), format, newest)};
  }
  SIFTSEARCH_RETURN_IF_ERROR(ApplyScripts(db, format, scripts));
  if (access != Access::kCreate) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query insert, db.Prepare("INSERT OR IGNORE INTO meta (id, settings, index_key, generation) "
                               "VALUES (1, ?, ?, 0)"));
  return insert.Bind(std::string_view(SettingsToJson(settings))).Bind(index_key).Run();
}

}  // namespace

Result<std::string> AttributesToJson(const std::map<std::string, std::string>& attributes) {
  try {
    return Json(attributes).dump();
  } catch (const Json::exception&) {
    return Status(StatusCode::kInvalidArgument, "an attribute is not valid UTF-8 text");
  }
}

Result<std::unique_ptr<Catalog>> Catalog::Open(const std::string& file, Access access,
                                               const ExtractorSettings& settings,
                                               std::string_view index_key) {
  const auto mode =
      access == Access::kCreate ? Connection::Mode::kCreate : Connection::Mode::kExisting;
  SIFTSEARCH_ASSIGN_OR_RETURN(std::unique_ptr<Connection> db, Connection::Open(file, mode));
  SIFTSEARCH_RETURN_IF_ERROR(db->KeepWriteAheadLog());
  SIFTSEARCH_RETURN_IF_ERROR(PrepareFormat(*db, access, settings, index_key));
  // Not while others read a catalogue that has none yet: the next writer tries again.
  if (access != Access::kRead) (void)db->Execute("PRAGMA journal_mode = WAL");
  std::unique_ptr<Catalog> catalog(new Catalog(std::move(db)));
  SIFTSEARCH_RETURN_IF_ERROR(catalog->LoadSettings());
  return catalog;
}

Status Catalog::LoadSettings() {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query, db_->Prepare("SELECT settings, coalesce(former_settings, '') FROM meta"));
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, query.Step());
  if (!row) return NoCatalog(db_->file());
  const std::string text = query.Text(0);
  if (!SettingsFromJson(text, &settings_)) return Corrupt("its settings can't be read");
  settings_digests_ = {Checksum(BytesOf(text))};
  const std::string former = query.Text(1);
  if (!former.empty()) settings_digests_.push_back(Checksum(BytesOf(former)));
  return {};
}

Status Catalog::Corrupt(const std::string& what) const {
  return {StatusCode::kCorrupt, fmt::format("{} is damaged: {}", db_->file(), what)};
}

Result<std::int64_t> Catalog::Generation() {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare("SELECT generation FROM meta"));
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, query.Step());
  if (!row) return Corrupt("it has no generation");
  return query.Int(0);
}

Result<std::int64_t> Catalog::BeginRead() {
  // This read shows the connection what the file has; the one below, the first of its transaction,
  // chooses the commit.
  SIFTSEARCH_ASSIGN_OR_RETURN(read_generation_, Generation());
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool log, HasWriteAheadLog());
  if (!log) return read_generation_;
  SIFTSEARCH_RETURN_IF_ERROR(db_->Execute("BEGIN"));
  const auto generation = Generation();
  if (!generation.ok()) {
    EndRead();
    return generation;
  }
  return read_generation_ = *generation;
}

Status Catalog::CheckRead() {
  if (db_->InTransaction()) return {};
  SIFTSEARCH_ASSIGN_OR_RETURN(const std::int64_t generation, Generation());
  if (generation == read_generation_) return {};
  return {StatusCode::kUnavailable,
          fmt::format("{} was changed while it was being read; an older siftsearch made it, and "
                      "writing to it once with this one lets both go on at the same time",
                      db_->file())};
}

void Catalog::EndRead() {
  if (db_->InTransaction()) (void)db_->Execute("ROLLBACK");
}

Result<bool> Catalog::HasWriteAheadLog() {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query mode, db_->Prepare("PRAGMA journal_mode"));
  SIFTSEARCH_RETURN_IF_ERROR(mode.Step().status());
  return mode.Text(0) == "wal";
}

Result<std::string> Catalog::IndexKey() {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare("SELECT index_key FROM meta"));
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, query.Step());
  if (!row) return Corrupt("it has no key of an index");
  return query.Text(0);
}

Result<Listing> Catalog::ReadListing() {
  Listing listing;
  // One open statement keeps the read transaction for those that follow.
  SIFTSEARCH_ASSIGN_OR_RETURN(Query meta, db_->Prepare("SELECT generation, index_key FROM meta"));
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, meta.Step());
  if (!row) return Corrupt("it has no generation");
  listing.generation = meta.Int(0);
  listing.index_key = meta.Text(1);
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query segments,
      db_->Prepare("SELECT id, file, rows, contents, bytes FROM segments ORDER BY id"));
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(bool more, segments.Step());
    if (!more) break;
    listing.segments.push_back({.id = segments.Int(0),
                                .file = segments.Text(1),
                                .rows = segments.Int(2),
                                .contents = segments.Int(3),
                                .bytes = segments.Int(4)});
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(Query dead, db_->Prepare("SELECT id FROM contents WHERE live = 0"));
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(bool more, dead.Step());
    if (!more) break;
    listing.dead_contents.push_back(dead.Int(0));
  }
  std::sort(listing.dead_contents.begin(), listing.dead_contents.end());
  return listing;
}

Result<Counts> Catalog::Count() {
  Counts counts;
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query,
      db_->Prepare("SELECT (SELECT count(*) FROM images), coalesce(sum(live), 0), "
                   "coalesce(sum(descriptors) FILTER (WHERE live = 1), 0), "
                   "coalesce(sum(descriptors) FILTER (WHERE live = 0), 0) FROM contents"));
  SIFTSEARCH_RETURN_IF_ERROR(query.Step().status());
  counts.images = query.Int(0);
  counts.contents = query.Int(1);
  counts.descriptors = query.Int(2);
  counts.removed_descriptors = query.Int(3);
  SIFTSEARCH_ASSIGN_OR_RETURN(Query size,
                              db_->Prepare("SELECT page_count * page_size FROM pragma_page_count, "
                                           "pragma_page_size"));
  SIFTSEARCH_RETURN_IF_ERROR(size.Step().status());
  counts.bytes = size.Int(0);
  return counts;
}

Result<ImageRecord> Catalog::ReadImage(const Query& row) const {
  ImageRecord image;
  image.id = row.Int(0);
  image.path = row.Text(1);
  const std::vector<std::uint8_t> hash = row.Blob(2);
  if (hash.size() != image.hash.size()) return Corrupt(fmt::format("hash of image {}", image.id));
  std::copy(hash.begin(), hash.end(), image.hash.begin());
  image.content = row.Int(3);
  image.file_bytes = row.Int(4);
  image.modified_ns = row.Int(5);
  image.added_s = row.Int(6);
  image.width = static_cast<int>(row.Int(7));
  image.height = static_cast<int>(row.Int(8));
  image.descriptors = static_cast<int>(row.Int(9));
  if (!AttributesFromJson(row.Text(10), &image.attributes)) {
    return Corrupt(fmt::format("attributes of image {}", image.id));
  }
  image.pages = static_cast<int>(row.Int(11));
  return image;
}

Result<std::optional<ImageRecord>> Catalog::ReadOneImage(Query query) const {
  SIFTSEARCH_ASSIGN_OR_RETURN(bool row, query.Step());
  if (!row) return std::optional<ImageRecord>();
  SIFTSEARCH_ASSIGN_OR_RETURN(ImageRecord image, ReadImage(query));
  return std::optional<ImageRecord>(std::move(image));
}

Result<std::optional<ImageRecord>> Catalog::FindPath(const std::string& path) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(kImageByPath));
  query.BindBlob(BytesOf(path));
  return ReadOneImage(std::move(query));
}

Result<std::optional<ImageRecord>> Catalog::FindId(ImageId id) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(kImageById));
  query.Bind(id);
  return ReadOneImage(std::move(query));
}

Result<std::vector<ImageRecord>> Catalog::ReadImages(Query query) const {
  std::vector<ImageRecord> images;
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(bool more, query.Step());
    if (!more) return images;
    SIFTSEARCH_ASSIGN_OR_RETURN(ImageRecord image, ReadImage(query));
    images.push_back(std::move(image));
  }
}

Result<std::vector<ImageRecord>> Catalog::ImagesOf(std::int64_t content) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(kImagesOfContent));
  query.Bind(content);
  return ReadImages(std::move(query));
}

Result<std::optional<ContentRecord>> Catalog::FindHash(const ContentHash& hash) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(kContentByHash));
  query.BindBlob(hash);
  return ReadOneContent(std::move(query));
}

Result<std::optional<ContentRecord>> Catalog::FindContent(std::int64_t content) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(kContentColumns));
  query.Bind(content);
  return ReadOneContent(std::move(query));
}

Status Catalog::VisitContents(const std::function<bool(const ContentRecord&)>& visit) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(kAllContents));
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(bool more, query.Step());
    if (!more || !visit(ReadContent(query))) return {};
  }
}

Result<std::vector<ImageRecord>> Catalog::ImagesAfter(ImageId id, std::int64_t most) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(kImagesAfter));
  query.Bind(id).Bind(most);
  return ReadImages(std::move(query));
}

Result<std::vector<std::string>> Catalog::IntegrityProblems() {
  std::vector<std::string> problems;
  const auto collect = [&](const char* sql) -> Status {
    SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare(sql));
    while (true) {
      SIFTSEARCH_ASSIGN_OR_RETURN(bool more, query.Step());
      if (!more) return {};
      if (query.Text(0) != "ok") problems.push_back(query.Text(0));
    }
  };
  SIFTSEARCH_RETURN_IF_ERROR(collect("PRAGMA integrity_check"));
  SIFTSEARCH_RETURN_IF_ERROR(collect(
      "SELECT 'image ' || id || ' has content ' || content || ', which is not there' FROM images "
      "WHERE content NOT IN (SELECT id FROM contents)"));
  SIFTSEARCH_RETURN_IF_ERROR(collect(
      "SELECT 'content ' || id || CASE live WHEN 1 THEN ' counts as live, but no image has it' "
      "ELSE ' counts as removed, but an image has it' END FROM contents "
      "WHERE live <> EXISTS (SELECT 1 FROM images WHERE content = contents.id)"));
  return problems;
}

Result<std::int64_t> Catalog::NextImageId() {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("SELECT coalesce((SELECT seq FROM sqlite_sequence "
                                           "WHERE name = 'images'), 0) + 1"));
  SIFTSEARCH_RETURN_IF_ERROR(query.Step().status());
  return query.Int(0);
}

Status Catalog::InsertContent(const ContentRecord& content, const ContentHash& hash) {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query,
      db_->Prepare("INSERT INTO contents (id, width, height, descriptors, live, pages, hash) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?)"));
  query.Bind(content.content).Bind(std::int64_t{content.width}).Bind(std::int64_t{content.height});
  query.Bind(std::int64_t{content.descriptors}).Bind(std::int64_t{content.live});
  query.Bind(std::int64_t{content.pages}).BindBlob(hash);
  return query.Run();
}

Status Catalog::InsertPreview(std::int64_t content, std::span<const std::uint8_t> jpeg) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("INSERT INTO previews (content, jpeg) VALUES (?, ?)"));
  return query.Bind(content).BindBlob(jpeg).Run();
}

Result<std::vector<std::uint8_t>> Catalog::FindPreview(std::int64_t content) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("SELECT jpeg FROM previews WHERE content = ?"));
  query.Bind(content);
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) return std::vector<std::uint8_t>();
  const auto blob = query.Blob(0);
  return std::vector<std::uint8_t>(blob.begin(), blob.end());
}

Status Catalog::InsertSignature(std::int64_t content, const Pdq& signature) {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query, db_->Prepare("INSERT INTO signatures (content, pdq, quality) VALUES (?, ?, ?)"));
  return query.Bind(content).BindBlob(signature.bits).Bind(std::int64_t{signature.quality}).Run();
}

Result<Pdq> Catalog::FindSignature(std::int64_t content) {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query, db_->Prepare("SELECT content, pdq, quality FROM signatures WHERE content = ?"));
  query.Bind(content);
  SIFTSEARCH_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? SignatureOf(query) : Pdq();
}

Status Catalog::VisitSignatures(
    const std::function<void(std::int64_t content, const Pdq&)>& visit) {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query, db_->Prepare("SELECT content, pdq, quality FROM signatures ORDER BY content"));
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return {};
    visit(query.Int(0), SignatureOf(query));
  }
}

Result<ImageId> Catalog::InsertImage(const ImageRecord& image) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::string attributes, AttributesToJson(image.attributes));
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query,
      db_->Prepare("INSERT INTO images (path, content, file_bytes, modified_ns, added_s, "
                   "attributes) VALUES (?, ?, ?, ?, ?, ?)"));
  query.BindBlob(BytesOf(image.path)).Bind(image.content).Bind(image.file_bytes);
  query.Bind(image.modified_ns).Bind(image.added_s).Bind(std::string_view(attributes));
  SIFTSEARCH_RETURN_IF_ERROR(query.Run());
  return db_->LastInsertId();
}

Status Catalog::UpdateImage(const ImageRecord& image) {
  SIFTSEARCH_ASSIGN_OR_RETURN(std::string attributes, AttributesToJson(image.attributes));
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("UPDATE images SET path = ?, file_bytes = ?, "
                                           "modified_ns = ?, attributes = ? WHERE id = ?"));
  query.BindBlob(BytesOf(image.path))
      .Bind(image.file_bytes)
      .Bind(image.modified_ns)
      .Bind(std::string_view(attributes));
  return query.Bind(image.id).Run();
}

Result<bool> Catalog::DeleteImage(ImageId id) {
  std::int64_t content = 0;
  {
    SIFTSEARCH_ASSIGN_OR_RETURN(Query find,
                                db_->Prepare("SELECT content FROM images WHERE id = ?"));
    SIFTSEARCH_ASSIGN_OR_RETURN(bool row, find.Bind(id).Step());
    if (!row) return false;
    content = find.Int(0);
  }
  SIFTSEARCH_ASSIGN_OR_RETURN(Query remove, db_->Prepare("DELETE FROM images WHERE id = ?"));
  SIFTSEARCH_RETURN_IF_ERROR(remove.Bind(id).Run());
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query bury, db_->Prepare("UPDATE contents SET live = 0 WHERE id = ?1 AND NOT EXISTS "
                               "(SELECT 1 FROM images WHERE content = ?1)"));
  SIFTSEARCH_RETURN_IF_ERROR(bury.Bind(content).Run());
  return true;
}

Status Catalog::ReviveContent(std::int64_t content) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("UPDATE contents SET live = 1 WHERE id = ?"));
  return query.Bind(content).Run();
}

Status Catalog::DeleteContent(std::int64_t content) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("DELETE FROM contents WHERE id = ? AND live = 0"));
  return query.Bind(content).Run();
}

Status Catalog::DeleteEmptyDeadContents() {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query query, db_->Prepare("DELETE FROM contents WHERE live = 0 AND descriptors = 0"));
  return query.Run();
}

Result<std::int64_t> Catalog::NextSegmentId() {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("SELECT coalesce((SELECT seq FROM sqlite_sequence "
                                           "WHERE name = 'segments'), 0) + 1"));
  SIFTSEARCH_RETURN_IF_ERROR(query.Step().status());
  return query.Int(0);
}

Status Catalog::InsertSegment(const SegmentRecord& segment) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("INSERT INTO segments (id, file, rows, contents, bytes) "
                                           "VALUES (?, ?, ?, ?, ?)"));
  query.Bind(segment.id).Bind(std::string_view(segment.file)).Bind(segment.rows);
  return query.Bind(segment.contents).Bind(segment.bytes).Run();
}

Status Catalog::DeleteSegment(std::int64_t id) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare("DELETE FROM segments WHERE id = ?"));
  return query.Bind(id).Run();
}

Status Catalog::PutVerdict(const VerdictRecord& verdict) {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query insert, db_->Prepare("INSERT INTO verdicts VALUES (?, ?, ?, ?) ON CONFLICT (a, b) DO "
                                 "UPDATE SET verdict = excluded.verdict, decided_s = "
                                 "excluded.decided_s WHERE excluded.decided_s >= decided_s"));
  insert.BindBlob(verdict.a).BindBlob(verdict.b).Bind(VerdictName(verdict.verdict));
  return insert.Bind(verdict.decided_s).Run();
}

Result<bool> Catalog::DeleteVerdict(const ContentHash& a, const ContentHash& b) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query remove,
                              db_->Prepare("DELETE FROM verdicts WHERE a = ? AND b = ?"));
  SIFTSEARCH_RETURN_IF_ERROR(remove.BindBlob(a).BindBlob(b).Run());
  return db_->Changes() > 0;
}

Result<std::vector<VerdictRecord>> Catalog::Verdicts() {
  SIFTSEARCH_ASSIGN_OR_RETURN(
      Query select, db_->Prepare("SELECT a, b, verdict, decided_s FROM verdicts ORDER BY a, b"));
  std::vector<VerdictRecord> verdicts;
  while (true) {
    SIFTSEARCH_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return verdicts;
    VerdictRecord& record = verdicts.emplace_back();
    const auto a = select.Blob(0), b = select.Blob(1);
    if (a.size() != record.a.size() || b.size() != record.b.size()) return Corrupt("a verdict");
    std::copy(a.begin(), a.end(), record.a.begin());
    std::copy(b.begin(), b.end(), record.b.begin());
    record.verdict = select.Text(2) == VerdictName(Verdict::kConfirmed) ? Verdict::kConfirmed
                                                                        : Verdict::kNotACopy;
    record.decided_s = select.Int(3);
  }
}

Status Catalog::SetIndexKey(std::string_view key) {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query, db_->Prepare("UPDATE meta SET index_key = ?"));
  return query.Bind(key).Run();
}

Status Catalog::AdvanceGeneration() {
  SIFTSEARCH_ASSIGN_OR_RETURN(Query query,
                              db_->Prepare("UPDATE meta SET generation = generation + 1"));
  return query.Run();
}

Status Catalog::Vacuum() {
  // It writes the whole file anew, which need not fit memory.
  SIFTSEARCH_RETURN_IF_ERROR(db_->Execute("PRAGMA cache_spill = ON"));
  const Status done = db_->Execute("VACUUM");
  SIFTSEARCH_RETURN_IF_ERROR(db_->Execute("PRAGMA cache_spill = OFF"));
  return done;
}

}  // namespace siftsearch::catalog
