-- The public key by which an edge signs identity headers.
ALTER TABLE turnpike.edges ADD COLUMN identity_key text;
