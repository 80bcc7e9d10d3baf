-- What: traces cut off at the teacher's token limit; they would teach not to stop.
-- Grain: one row a rejected trace.
-- Columns: trace_id.
select trace_id
from candidates
where finish_reason = 'length'
