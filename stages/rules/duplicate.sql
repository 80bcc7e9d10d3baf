-- What: the same response to the same prompt once more; the lowest sample_index is kept.
-- Grain: one row a rejected trace.
-- Columns: trace_id.
select trace_id
from candidates
qualify row_number() over (partition by prompt_id, response_hash order by sample_index, trace_id) > 1
