-- A ledger's database (FORMAT.md §9). An examiner can open it with stock tools.
-- entry, node, checkpoint, disclosure and blob are the record; stream, stream_entry and trust are the writer's index,
-- which follows from the entries.

CREATE TABLE entry (
    seq   INTEGER PRIMARY KEY,
    leaf  BLOB NOT NULL,            -- SHA-256(0x00 || bytes)
    jti   BLOB NOT NULL UNIQUE,     -- the statement's id, 16 bytes
    bytes BLOB NOT NULL             -- the exact bytes; 32 bytes of leaf hash where an entry was expunged
) STRICT;

CREATE TABLE node (
    level INTEGER NOT NULL,         -- 1 and up
    idx   INTEGER NOT NULL,
    hash  BLOB NOT NULL,            -- root of the full tile idx of level - 1
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL              -- C2SP signed note
) STRICT;

CREATE TABLE disclosure (
    slot INTEGER PRIMARY KEY,       -- 64 * seq + its place in the presentation
    seq  INTEGER NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL              -- base64url([salt, name, value])
) STRICT;

CREATE TABLE blob (
    id    TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE stream (
    id                INTEGER PRIMARY KEY,
    name              TEXT NOT NULL UNIQUE COLLATE NOCASE,
    count             INTEGER NOT NULL,
    leaf              BLOB NOT NULL,
    imported          INTEGER NOT NULL,
    blocking_n        INTEGER,
    blocking_by       TEXT,
    blocking_n_other  INTEGER
) STRICT;

CREATE TABLE stream_entry (
    stream INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (stream, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE trust (
    seq INTEGER PRIMARY KEY         -- an entry that the keyring is folded from
) STRICT;

CREATE TRIGGER entry_is_never_updated BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER checkpoint_is_never_updated BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER checkpoint_is_never_deleted BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are never deleted'); END;

PRAGMA application_id = 1651273588;  -- 'blot'
PRAGMA user_version = 1;
