"""Measured ratios against named peers, each in one run: make bench NAME=sft."""
