"""What a history says: ranking, tables, intervals, importance of keys, conclusions in sentences.

Imports ledger, data and below."""
