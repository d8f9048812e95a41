"""The mirror of a ledger in MLflow, its process, models and dumps, deletion, the store and its pages: all MLflow.

Imports search, training, figures and below, not execution and reporting, its siblings. Keras is imported in `models`
only."""
