-- Catalogue of a siftsearch database, from format 1 to format 2: verdicts.

-- What people decided about two contents, or (b all zeros) about one that is a copy of nothing.
-- Bound to the SHA-256 of the files' bytes, stored or not, so a verdict holds wherever they go.
CREATE TABLE verdicts (
  a BLOB NOT NULL CHECK (length(a) = 32),
  b BLOB NOT NULL CHECK (length(b) = 32),
  verdict TEXT NOT NULL CHECK (verdict IN ('confirmed', 'not_a_copy')),
  decided_s INTEGER NOT NULL,
  PRIMARY KEY (a, b)
) STRICT, WITHOUT ROWID;
