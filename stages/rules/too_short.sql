-- What: traces that, with their prompt, are too short to have reasoned.
-- Grain: one row a rejected trace.
-- Params: $min_tokens (student tokens, prompt included; null = off).
-- Columns: trace_id.
select trace_id
from candidates
where n_tokens < $min_tokens
