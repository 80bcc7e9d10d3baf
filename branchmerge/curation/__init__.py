"""Which traces are learnt: SQL rules, choices, audits, near duplicates."""
