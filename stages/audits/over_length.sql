-- What: kept traces longer than the student is trained on.
-- Grain: one row a wrong trace.
-- Params: $max_tokens (student tokens, prompt included; null = off).
-- Columns: trace_id, n_tokens.
select trace_id, n_tokens
from kept
join candidates using (trace_id)
where n_tokens > $max_tokens
