-- Catalogue of a siftsearch database, from format 4 to format 5: signatures of whole pictures.

-- PDQ of each content (256 bits, as in its text form) and its quality, by which pictures of few
-- descriptors are found. Contents stored before have none until their images are removed and added
-- again.
CREATE TABLE signatures (
  content INTEGER PRIMARY KEY REFERENCES contents (id),
  pdq BLOB NOT NULL CHECK (length(pdq) = 32),
  quality INTEGER NOT NULL CHECK (quality BETWEEN 1 AND 100)
) STRICT;
CREATE TRIGGER signature_goes_with_content BEFORE DELETE ON contents BEGIN
  DELETE FROM signatures WHERE content = old.id;
END;
