-- Catalogue of a siftsearch database, from format 2 to format 3: pages.

-- Pages or frames of the file. Contents stored before count as one page; to count theirs, remove
-- their images and add them again.
ALTER TABLE contents ADD COLUMN pages INTEGER NOT NULL DEFAULT 1 CHECK (pages >= 1);
