"""Networks, optimizers, the compiled training loop, checkpoints, models for use: all TensorFlow and Keras.

Imports analysis and below, not search and figures, its siblings."""
