"""The files a person edits (params.yaml, machine.yaml, search.yaml): their sections, checks and profiles."""
