-- What one control plane does for all at a time, such as publishing on the bus: which one, until when, and how far it says that
-- it has come.
CREATE TABLE leases (
    name     TEXT PRIMARY KEY,
    holder   TEXT NOT NULL,
    until_us INTEGER NOT NULL,
    position INTEGER NOT NULL
);
