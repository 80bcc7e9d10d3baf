-- What: traces that are neither kept nor rejected, or both, or that no candidate stands for.
-- Grain: one row a wrong trace.
-- Columns: trace_id, is_kept, n_reasons.
select
    traces.trace_id,
    kept.trace_id is not null as is_kept,
    count(rejected.reason) as n_reasons,
from traces
left join kept using (trace_id)
left join rejected using (trace_id)
left join candidates using (trace_id)
group by traces.trace_id, is_kept, candidates.trace_id
having (is_kept and n_reasons > 0) or (not is_kept and n_reasons = 0) or candidates.trace_id is null
