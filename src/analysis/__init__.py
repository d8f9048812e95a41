"""What a history says: ranking, tables, contrasts, importance, conclusions. Imports ledger, data and below."""
