"""The configuration: its schema, how it is composed, what is wrong with it in sentences, and the identity that
follows from it. Imports base."""
