"""Errors, text, hashes, files and processes: what knows nothing of sweeps. Imports nothing of this project."""
