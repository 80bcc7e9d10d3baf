-- What: traces of prompts that nearly repeat another one; of a pair, that of the lower prompt_id is kept.
-- Grain: one row a rejected trace.
-- Reads: near_duplicates (prompts that still have traces, see branchmerge/curation/near_duplicates.py).
-- Columns: trace_id.
select trace_id
from candidates
anti join rejected using (trace_id)
semi join near_duplicates using (prompt_id)
