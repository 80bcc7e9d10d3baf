"""The search for a better merge, on dev questions only."""
