-- The public key by which an edge signs identity headers.
ALTER TABLE edges ADD COLUMN identity_key TEXT;
