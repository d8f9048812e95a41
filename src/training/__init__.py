"""All TensorFlow: networks, optimizers, the training loop, checkpoints, models for use. Imports analysis and below."""
