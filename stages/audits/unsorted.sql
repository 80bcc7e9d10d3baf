-- What: traces that do not stand behind the one before them; kept_texts.sql reads them in the order of their file.
-- Grain: one row a wrong trace.
-- Columns: trace_id, before.
select trace_id, lag(trace_id) over (order by file_row_number) as before
from traces
qualify trace_id <= before
