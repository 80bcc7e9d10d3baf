"""The command branchmerge."""
