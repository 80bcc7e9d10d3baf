"""Branch-Merge distillation as a declared, content-addressed build: the library that its stages call."""
