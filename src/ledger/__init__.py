"""What is known of a sweep, and how it is kept: records, jobs, events, the history, the database, the sweep's folder.

Imports config and base, not data, its sibling."""
