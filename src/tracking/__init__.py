"""All MLflow: the mirror of a ledger, its process, models and dumps, deletion, the store, its pages. Imports search,
training, figures and below."""
