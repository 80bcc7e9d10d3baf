-- What: responses of which too much stands in sentences said before, as looping models write.
-- Grain: one row a rejected trace.
-- Params: $max_repeated_ratio (of sentences and lines; null = off. Source: 0.3 for lines in Gopher, table A1).
-- Columns: trace_id.
select trace_id
from candidates
where repeated_ratio > $max_repeated_ratio
