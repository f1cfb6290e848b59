-- Rows that a receiver took a message of and said that it dropped.
ALTER TABLE audit_sinks ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
