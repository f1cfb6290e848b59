-- Which control plane publishes on the bus, until when, and how far it says that it has come. There is one row at most.
CREATE TABLE relay (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    holder    TEXT NOT NULL,
    until_us  INTEGER NOT NULL,
    published INTEGER NOT NULL
);
