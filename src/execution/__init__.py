"""Running a sweep: the session, its coordinator, the backends where jobs run, their workers, what is reused of other
sweeps. Imports search, training, figures and below."""
