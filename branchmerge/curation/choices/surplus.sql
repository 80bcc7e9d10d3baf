-- What: of the traces still there, those beyond the wanted number a prompt.
-- Grain: one row a rejected trace.
-- Params: $max_traces_per_prompt (traces; null = off), $trace_order (which come first: shortest, longest, first sampled).
-- Columns: trace_id.
select trace_id
from candidates
anti join rejected using (trace_id)
qualify
    row_number() over (
        partition by prompt_id
        order by
            case $trace_order when 'shortest' then n_tokens when 'longest' then -n_tokens else sample_index end,
            trace_id
    ) > $max_traces_per_prompt
