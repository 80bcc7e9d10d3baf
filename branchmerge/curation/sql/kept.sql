-- What: the traces kept, and where the prompt of each stands.
-- Grain: one row a kept trace, by trace_id.
-- Reads: candidates, kept, prompts.
-- Columns: trace_id, source, prompt_index (of the prompts by prompt_id, from 0), n_tokens.
with places as (
    select prompt_id, row_number() over (order by prompt_id) - 1 as prompt_index
    from prompts
)
select trace_id, source, prompt_index, n_tokens
from candidates
semi join kept using (trace_id)
join places using (prompt_id)
order by trace_id
