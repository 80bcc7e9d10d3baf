-- What: of the traces no rule rejected, those beyond the wanted number a prompt, shortest kept first.
-- Grain: one row a rejected trace.
-- Params: $max_traces_per_prompt (traces; null = off).
-- Columns: trace_id.
select trace_id
from candidates
anti join rejected using (trace_id)
qualify row_number() over (partition by prompt_id order by n_tokens, trace_id) > $max_traces_per_prompt
order by trace_id
