"""What next, and how far? Space, samplers, pruners, budget, schedule with its indexes, estimates.

Imports analysis and below, not training and figures, its siblings. keras-tuner and Optuna are imported in `samplers`
only."""
