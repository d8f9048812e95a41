"""Images and labels: read from a source, checked, split once; and image files, prepared for a model.

Imports config and base, not ledger, its sibling. Keras' loaders are imported in `sources` only."""
