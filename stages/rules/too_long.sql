-- What: traces that, with their prompt, are longer than the student is trained on.
-- Grain: one row a rejected trace.
-- Params: $max_tokens (student tokens, prompt included; null = off).
-- Columns: trace_id.
select trace_id
from candidates
where n_tokens > $max_tokens
