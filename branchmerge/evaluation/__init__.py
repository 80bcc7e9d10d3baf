"""Models on benchmarks, and what the scores say."""
