-- What: kept traces whose question stands in a benchmark, however it is written: case, accents and looks do not count.
-- Grain: one row a wrong trace and benchmark question.
-- Columns: trace_id, benchmark, question.
select kept.trace_id, benchmarks.benchmark, prompts.question
from kept
join candidates using (trace_id)
join prompts using (prompt_id)
join benchmarks on folded(benchmarks.question) = folded(prompts.question)
