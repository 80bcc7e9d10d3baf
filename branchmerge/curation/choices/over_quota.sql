-- What: of the traces still there, those beyond the wanted number a source: every prompt gives its first trace before
--       any gives its second; otherwise by trace_id, which is a hash.
-- Grain: one row a rejected trace.
-- Reads: quotas (source, max_traces; sources that are not in it are unlimited).
-- Columns: trace_id.
with ranked as (
    select
        trace_id,
        source,
        row_number() over (partition by prompt_id order by n_tokens, trace_id) as turn,
    from candidates
    anti join rejected using (trace_id)
)
select trace_id
from ranked
join quotas using (source)
qualify row_number() over (partition by source order by turn, trace_id) > max_traces
