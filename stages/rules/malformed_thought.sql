-- What: think tags that do not enclose one thought before one answer; with $require_thought also traces without any.
-- Grain: one row a rejected trace.
-- Params: $require_thought (whether there must be a thought; null = off).
-- Columns: trace_id.
select trace_id
from candidates
where $require_thought is not null and (thought = 'malformed' or ($require_thought and thought = 'none'))
