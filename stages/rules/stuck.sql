-- What: responses that end in the same few words over and over, with no stop between them.
-- Grain: one row a rejected trace.
-- Params: $min_distinct_ratio (distinct words among the last 100; null = off; shorter responses pass).
-- Columns: trace_id.
select trace_id
from candidates
where end_distinct_ratio < $min_distinct_ratio
