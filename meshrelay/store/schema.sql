-- log.db: the truth. Appended by rowid; places are written late (store/places.py).
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- The table of lines: start reads this, never the entries. bytes: of its entries here; gaps:
-- what is not (core/gaps.py).
CREATE TABLE logs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  origin BLOB NOT NULL,
  incarnation BLOB NOT NULL,
  lane INTEGER NOT NULL,
  height INTEGER NOT NULL,
  head BLOB NOT NULL,
  change INTEGER NOT NULL,
  hlc INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  gaps BLOB,
  UNIQUE (origin, incarnation, lane)
);

-- log NULL: above an end, in no log any more; the folds still know it. age: the known age it
-- came with (core/clock.py), seen_ms: what this store had seen pass by then. sum: store/sums.py.
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  log INTEGER,
  seq INTEGER NOT NULL,
  raw BLOB NOT NULL,
  state INTEGER NOT NULL,
  reason TEXT NOT NULL,
  missing BLOB,
  age INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  sum INTEGER NOT NULL
);
CREATE TABLE places (
  log INTEGER NOT NULL, seq INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (log, seq)
) WITHOUT ROWID;
CREATE INDEX entries_ended ON entries (seq) WHERE log IS NULL;
CREATE INDEX entries_waiting ON entries (missing) WHERE missing IS NOT NULL;
CREATE INDEX entries_unknown ON entries (state) WHERE state = 2;

-- One row when an entry arrives and one more when its verdict changes: what folds read.
CREATE TABLE arrivals (
  number INTEGER PRIMARY KEY, entry INTEGER NOT NULL, at_ms INTEGER NOT NULL, sum INTEGER NOT NULL
);

-- Rows that did not verify any more, as they were found.
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY, log INTEGER NOT NULL, seq INTEGER NOT NULL, raw BLOB NOT NULL,
  at_ms INTEGER NOT NULL
);

CREATE TABLE records (
  id BLOB PRIMARY KEY,
  lane INTEGER,
  raw BLOB NOT NULL,
  change INTEGER NOT NULL,
  number INTEGER NOT NULL
) WITHOUT ROWID;

-- Message ids with their answers: the same id with the same content, the same answer, for ever.
CREATE TABLE answers (
  author TEXT NOT NULL,
  message_id BLOB NOT NULL,
  content BLOB NOT NULL,
  answer BLOB NOT NULL,
  sum INTEGER NOT NULL,
  PRIMARY KEY (author, message_id)
) WITHOUT ROWID;

-- began: the change number of the store at that moment.
CREATE TABLE incarnations (
  number INTEGER PRIMARY KEY, incarnation BLOB NOT NULL, began INTEGER NOT NULL
);
CREATE TABLE haves (raw BLOB NOT NULL, number INTEGER PRIMARY KEY, signer BLOB NOT NULL);
CREATE TABLE cursors (
  peer BLOB PRIMARY KEY, incarnation BLOB NOT NULL, change INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE addresses (
  host TEXT NOT NULL, port INTEGER NOT NULL, peer BLOB NOT NULL, number INTEGER NOT NULL,
  PRIMARY KEY (host, port)
) WITHOUT ROWID;
