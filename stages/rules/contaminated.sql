-- What: traces of prompts that hold a benchmark's question (hits.sql says which and where).
-- Grain: one row a rejected trace.
-- Columns: trace_id.
select trace_id
from candidates
semi join hits using (prompt_id)
