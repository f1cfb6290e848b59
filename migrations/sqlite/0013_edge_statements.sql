-- An edge's signed word for its position, and as of when it was certain of its state.
ALTER TABLE edges ADD COLUMN statement TEXT;
ALTER TABLE edges ADD COLUMN certain_us INTEGER;
