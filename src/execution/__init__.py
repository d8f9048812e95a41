"""Running a sweep: the session, its coordinator, the backends where jobs run, their workers, reuse of other sweeps.

Imports search, training, figures and below, not reporting and tracking, its siblings. TensorFlow and Keras are imported
in `worker` only."""
