"""Kills sweeps, lets them finish, and compares them with one that nobody killed: see `__main__`."""
