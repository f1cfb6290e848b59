-- Which edges had applied a position, and since when, for whoever asks again: JSON.
CREATE TABLE turnpike.receipts (
    position bigint PRIMARY KEY,
    receipt  text   NOT NULL
);
