-- What: whether each trace is kept, and where its prompt stands.
-- Grain: one row a trace, by trace_id.
-- Reads: candidates, kept, prompts.
-- Columns: trace_id, is_kept, source, prompt_index (of the prompts by prompt_id, from 0), n_tokens.
with places as (
    select prompt_id, row_number() over (order by prompt_id) - 1 as prompt_index
    from prompts
)
select
    candidates.trace_id,
    kept.trace_id is not null as is_kept,
    candidates.source,
    places.prompt_index,
    candidates.n_tokens,
from candidates
join places using (prompt_id)
left join kept using (trace_id)
order by candidates.trace_id
