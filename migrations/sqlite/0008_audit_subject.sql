-- Whom a decision is about, where somebody else asked.
ALTER TABLE audit ADD COLUMN subject TEXT;
