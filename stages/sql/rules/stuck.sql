-- What: responses that end in the same few words over and over, with no stop between them.
-- Grain: one row a rejected trace.
-- Params: $min_distinct_ratio (distinct words among the last 100; null = off; shorter responses pass).
-- Columns: trace_id.
with ends as (
    -- 2,000 characters hold 100 words
    select trace_id, string_split_regex(trim(right(response, 2000)), '\s+')[-100:] as words
    from traces
    where $min_distinct_ratio is not null
)
select trace_id
from ends
where len(words) = 100 and len(list_distinct(words)) < $min_distinct_ratio * 100
