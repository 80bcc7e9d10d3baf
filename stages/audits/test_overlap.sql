-- What: kept traces whose question stands, word for word, in a benchmark.
-- Grain: one row a wrong trace and benchmark question.
-- Columns: trace_id, benchmark, question.
select kept.trace_id, benchmarks.benchmark, prompts.question
from kept
join candidates using (trace_id)
join prompts using (prompt_id)
join benchmarks using (question)
