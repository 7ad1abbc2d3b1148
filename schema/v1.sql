-- Catalogue of a siftsearch database, format 1. See catalog.md.

-- One row. `settings` is a JSON object: the extractor's settings, fixed when the database is made.
-- `generation` counts commits: it tells a reader whether its snapshot is the newest.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  settings TEXT NOT NULL,
  generation INTEGER NOT NULL
) STRICT;

-- Files in segments/ that make up the database. AUTOINCREMENT: a number names one file for ever.
CREATE TABLE segments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  file TEXT NOT NULL UNIQUE,
  rows INTEGER NOT NULL CHECK (rows > 0),
  contents INTEGER NOT NULL CHECK (contents > 0),
  bytes INTEGER NOT NULL CHECK (bytes > 0)
) STRICT;

-- Distinct file contents whose features are stored. The id is that of the first image stored with
-- the content. Not live: no image has it any more; its rows wait for a merge or for `compact`.
CREATE TABLE contents (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  descriptors INTEGER NOT NULL CHECK (descriptors >= 0),
  live INTEGER NOT NULL CHECK (live IN (0, 1))
) STRICT;
CREATE INDEX dead_contents ON contents (descriptors, id) WHERE live = 0;

-- A small grey picture (JPEG) of each content that has descriptors, to compare pixels with.
CREATE TABLE previews (
  content INTEGER PRIMARY KEY REFERENCES contents (id),
  jpeg BLOB NOT NULL
) STRICT;
CREATE TRIGGER preview_goes_with_content BEFORE DELETE ON contents BEGIN
  DELETE FROM previews WHERE content = old.id;
END;

-- One row a path. Ids are never used again, so an id means one content for ever, and one path but
-- for a file that is moved.
-- `attributes` is a JSON object of strings.
CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  path BLOB NOT NULL UNIQUE,
  content INTEGER NOT NULL REFERENCES contents (id),
  file_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  added_s INTEGER NOT NULL,
  attributes TEXT NOT NULL
) STRICT;
CREATE INDEX images_by_content ON images (content);
