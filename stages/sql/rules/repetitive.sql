-- What: responses of which too much stands in clauses said before, as looping models write.
-- Grain: one row a rejected trace.
-- Params: $max_repeated_ratio (of characters; null = off. Source: 0.2 for paragraphs, 0.2 for lines in Gopher, table A1).
-- Columns: trace_id.
with clauses as (
    select trace_id, list_filter(regexp_split_to_array(response, '[.,:;!?\n]+\s*'), lambda clause: clause <> '') as clauses
    from traces
    where $max_repeated_ratio is not null
)
select trace_id
from clauses
where
    strlen(array_to_string(list_distinct(clauses), '')) < (1 - $max_repeated_ratio) * strlen(array_to_string(clauses, ''))
