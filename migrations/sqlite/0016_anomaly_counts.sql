-- How often what is told has happened, the most within one window; NULL: there is nothing to count.
ALTER TABLE anomalies ADD COLUMN count INTEGER;
