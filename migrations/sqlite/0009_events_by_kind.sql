-- Where access came from: the events of some kinds in one tenant.
CREATE INDEX events_by_kind ON events (tenant, kind, position);
