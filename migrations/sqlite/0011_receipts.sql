-- Which edges had applied a position, and since when, for whoever asks again: JSON.
CREATE TABLE receipts (
    position INTEGER PRIMARY KEY,
    receipt  TEXT    NOT NULL
);
