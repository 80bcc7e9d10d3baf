-- What: traces of prompts that the teacher gets right so often that they teach little.
-- Grain: one row a rejected trace.
-- Params: $max_pass_rate (share of a prompt's judged traces that are correct; null = off).
-- Columns: trace_id.
select trace_id
from candidates
qualify
    count(*) filter (verdict = 'correct') over (partition by prompt_id)
    > $max_pass_rate * count(*) filter (verdict <> 'unverifiable') over (partition by prompt_id)
