"""A sandbox for untrusted programs, and the tests that are run against them from outside."""
