-- What: traces that are kept, or rejected for the same reason, more than once.
-- Grain: one row a wrong key.
-- Columns: trace_id, reason, n_rows.
select trace_id, reason, count(*) as n_rows
from (select trace_id, null as reason from kept union all from rejected)
group by all
having n_rows > 1
