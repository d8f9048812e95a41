"""What people read: the terminal, the live display, the HTML report.

Imports search, training, figures and below, not execution and tracking, its siblings."""
