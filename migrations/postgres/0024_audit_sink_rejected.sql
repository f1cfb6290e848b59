-- Rows that a receiver took a message of and said that it dropped.
ALTER TABLE turnpike.audit_sinks ADD COLUMN rejected bigint NOT NULL DEFAULT 0;
