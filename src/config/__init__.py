"""The configuration: its schema, composition with Hydra, errors as sentences, and the identity that follows from it.

Imports base. Hydra is imported in `compose` only."""
