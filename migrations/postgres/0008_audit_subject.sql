-- Whom a decision is about, where somebody else asked.
ALTER TABLE turnpike.audit ADD COLUMN subject text;
