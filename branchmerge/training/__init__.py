"""The one training run, of one process or many."""
