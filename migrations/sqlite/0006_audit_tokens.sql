-- What a verified token brought to a request, and what was judged where it is not a model.
ALTER TABLE audit ADD COLUMN token_issuer     TEXT;
ALTER TABLE audit ADD COLUMN token_claim      TEXT;
ALTER TABLE audit ADD COLUMN token_groups     TEXT    NOT NULL DEFAULT '[]';
ALTER TABLE audit ADD COLUMN token_groups_cut BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE audit ADD COLUMN token_id         TEXT;
ALTER TABLE audit ADD COLUMN resource         TEXT;
