-- What: traces whose answer was not judged correct; unverifiable ones too, as nobody knows.
-- Grain: one row a rejected trace.
-- Columns: trace_id.
select trace_id
from candidates
where verdict <> 'correct'
