"""Figures of images, trials, keys and sweeps: all matplotlib.

Imports analysis and below, not search and training, its siblings."""
