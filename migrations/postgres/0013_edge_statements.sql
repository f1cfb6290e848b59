-- An edge's signed word for its position, and as of when it was certain of its state.
ALTER TABLE turnpike.edges ADD COLUMN statement text, ADD COLUMN certain_us bigint;
