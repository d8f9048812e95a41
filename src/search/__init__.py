"""What next, and how far? Space, samplers, pruners, budget, schedule, estimates. Imports analysis and below."""
