-- Catalogue of a siftsearch database, from format 3 to format 4: the index is a setting of its own.

-- `index_key` says how the database is searched (index.md). It may be changed, unlike `settings`.
-- `former_settings`: what `settings` was before it lost the key. Segments that were written until
-- then carry its digest. Null in a database that was made since.
ALTER TABLE meta ADD COLUMN index_key TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE meta ADD COLUMN former_settings TEXT;

-- `IDMap,Flat` was the default, so it says nothing about what was wanted.
UPDATE meta SET
  index_key = coalesce(nullif(json_extract(settings, '$.index'), 'IDMap,Flat'), 'auto'),
  former_settings = settings,
  settings = json_remove(settings, '$.index')
WHERE json_valid(settings);
