-- What: rows in which the teacher said nothing that can be learned: empty, refused, malformed or failed.
-- Grain: one row a rejected trace.
-- Columns: trace_id.
select trace_id
from candidates
where finish_reason not in ('stop', 'length')
