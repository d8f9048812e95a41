"""Images and labels: read from a source, checked, split once. Imports base and config."""
