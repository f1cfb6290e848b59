-- Where access came from: the events of some kinds in one tenant.
CREATE INDEX events_by_kind ON turnpike.events (tenant, kind, position);
