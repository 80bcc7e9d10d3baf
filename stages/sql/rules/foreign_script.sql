-- What: responses that leave the scripts of English and mathematics, as R1 does when it mixes languages.
-- Grain: one row a rejected trace.
-- Params: $max_foreign_ratio (of characters; null = off).
-- Columns: trace_id.
select trace_id
from traces
where
    $max_foreign_ratio is not null
    and strlen(response) > length(response)
    and length(regexp_replace(response, '[\p{Latin}\p{Greek}\P{L}]+', '', 'g')) > $max_foreign_ratio * length(response)
