-- What: what each rule and choice took, in their order, in all (source null) and by source.
-- Grain: one row a source and step.
-- Reads: candidates, rejected, steps (reason, position).
-- Columns: source, position, reason, n_in (traces), n_rejected (by this reason), n_only (by no other), n_left (after it).
with firsts as (
    select trace_id, min(position) as first_position, count(*) as n_reasons
    from rejected
    join steps using (reason)
    group by trace_id
),
traced as (
    select candidates.trace_id, candidates.source, firsts.first_position, firsts.n_reasons
    from candidates
    left join firsts using (trace_id)
)
select
    traced.source,
    steps.position,
    steps.reason,
    count(*) as n_in,
    count(rejected.trace_id) as n_rejected,
    count(rejected.trace_id) filter (traced.n_reasons = 1) as n_only,
    count(*) filter (traced.first_position is null or traced.first_position > steps.position) as n_left,
from traced
cross join steps
left join rejected on rejected.trace_id = traced.trace_id and rejected.reason = steps.reason
group by grouping sets ((traced.source, steps.position, steps.reason), (steps.position, steps.reason))
order by traced.source nulls first, steps.position
