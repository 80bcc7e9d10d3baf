"""A question and an answer as a model sees them, the same in training, traces and evaluation."""
