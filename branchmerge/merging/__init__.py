"""Branches into one model: methods, gates, streaming, and what of each branch is in the result."""
