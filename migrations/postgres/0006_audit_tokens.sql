-- What a verified token brought to a request, and what was judged where it is not a model.
ALTER TABLE turnpike.audit
    ADD COLUMN token_issuer     text,
    ADD COLUMN token_claim      text,
    ADD COLUMN token_groups     jsonb   NOT NULL DEFAULT '[]',
    ADD COLUMN token_groups_cut boolean NOT NULL DEFAULT false,
    ADD COLUMN token_id         text,
    ADD COLUMN resource         text;
